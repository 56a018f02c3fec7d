// SPDX-License-Identifier: Apache-2.0
#include "shim/probe_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "hook/probed_functions.h"
#include "shim/open_special.h"
#include "shim/perf_event.h"
#include "shim/session.h"
#include "shim/trace_files.h"
#include "sync/call_epoch.h"

namespace portolan::shim {
namespace {

// "sched/sched_switch" of events/sched/sched_switch/id; "": another file.
std::string_view tracepoint_in(const char* path) {
  const char* const rest = below_trace_directory(path);
  if (rest == nullptr) return {};
  std::string_view name = rest;
  constexpr std::string_view kBefore = "/events/", kAfter = "/id";
  if (!name.starts_with(kBefore) || !name.ends_with(kAfter) || name.size() <= kBefore.size() + kAfter.size())
    return {};
  name.remove_prefix(kBefore.size());
  name.remove_suffix(kAfter.size());
  return name;
}

constexpr std::string_view kDevices = "/sys/bus/event_source/devices/";

// What there is to be said of kprobes and uprobes as types of perf events. "": it is another file.
std::string type_of_probes(std::string_view path) {
  if (!path.starts_with(kDevices)) return {};
  const std::string_view file = path.substr(kDevices.size());
  if (file == "kprobe/type") return fmt::format("{}\n", kKprobeType);
  if (file == "uprobe/type") return fmt::format("{}\n", kUprobeType);
  if (file == "kprobe/format/retprobe" || file == "uprobe/format/retprobe") return "config:0\n";
  return file == "uprobe/format/ref_ctr_offset" ? "config:32-63\n" : "";
}

int open_type_of_probes(const char* path) {
  const std::string text = type_of_probes(path);
  return text.empty() ? kNotSpecial : file_with(text);
}

constexpr std::string_view kFunctions = "/available_filter_functions",
                           kAddresses = "/available_filter_functions_addrs", kSymbols = "/proc/kallsyms";

bool is_in_trace_directory(const char* path, std::string_view file) {
  const char* const rest = below_trace_directory(path);
  return rest != nullptr && rest == file;
}

// The machine's, with the functions that hosts have declared in place of its own.
std::string symbols(std::span<const hook::ProbedFunction> functions) {
  constexpr std::size_t kType = 17;  // behind an address and a space
  const std::string all = contents(kSymbols.data());
  std::string text;
  for (std::size_t at = 0, end; at < all.size(); at = end) {
    end = std::min(all.find('\n', at), all.size() - 1) + 1;
    const std::string_view line = std::string_view(all).substr(at, end - at);
    if (line.size() > kType && std::string_view("tTwW").contains(line[kType])) continue;
    text += line;
  }
  for (const hook::ProbedFunction& one : functions)
    fmt::format_to(std::back_inserter(text), "{:016x} T {}\n", one.address, one.name);
  return text;
}

int open_function_list(const char* path) {
  const bool is_symbols = path == kSymbols, has_addresses = is_in_trace_directory(path, kAddresses);
  if (!is_symbols && !has_addresses && !is_in_trace_directory(path, kFunctions)) return kNotSpecial;
  object::Runtime* const there = runtime();
  if (there == nullptr) return kNotSpecial;
  const sync::CallEpoch epoch;
  const std::vector<hook::ProbedFunction> functions = hook::probed_functions(*there);
  if (is_symbols) return functions.empty() ? kNotSpecial : file_with(symbols(functions));
  std::string text;
  for (const hook::ProbedFunction& one : functions) {
    if (has_addresses) fmt::format_to(std::back_inserter(text), "{:#x} ", one.address);
    text += one.name + '\n';
  }
  return file_with(text);
}

}  // namespace

const char* place_of_probe_file(const char* path) {
  if (path == nullptr) return path;
  const bool is_ours = is_in_trace_directory(path, kFunctions) || is_in_trace_directory(path, kAddresses) ||
                       !type_of_probes(path).empty();
  return is_ours && runtime() != nullptr ? kSymbols.data() : path;
}

int open_probe_file(const char* path) {
  if (const int list = open_function_list(path); list != kNotSpecial) return list;
  if (const int file = open_type_of_probes(path); file != kNotSpecial) return file;
  const std::string_view name = tracepoint_in(path);
  object::Runtime* const there = name.empty() ? nullptr : runtime();
  if (there == nullptr) return kNotSpecial;
  const sync::CallEpoch epoch;
  const auto hook = hook::Hook::find(*there, hook::named(hook::Point::kTraceEvent, 0, name));
  return hook ? file_with(fmt::format("{}\n", kFirstTracepoint + (*hook)->id())) : kNotSpecial;
}

}  // namespace portolan::shim
