// SPDX-License-Identifier: Apache-2.0
#include "shim/probe_files.h"

#include <fmt/format.h>

#include <string_view>

#include "hook/hook.h"
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

}  // namespace

int open_probe_file(const char* path) {
  constexpr std::string_view kKprobes = "/sys/bus/event_source/devices/kprobe";
  if (std::string_view(path).starts_with(kKprobes)) {
    const std::string_view rest = path + kKprobes.size();
    if (rest == "/type") return file_with(fmt::format("{}\n", kKprobeType));
    return rest == "/format/retprobe" ? file_with("config:0\n") : kNotSpecial;
  }
  const std::string_view name = tracepoint_in(path);
  object::Runtime* const there = name.empty() ? nullptr : runtime();
  if (there == nullptr) return kNotSpecial;
  const sync::CallEpoch epoch;
  const auto hook = hook::Hook::find(*there, hook::named(hook::Point::kTraceEvent, 0, name));
  return hook ? file_with(fmt::format("{}\n", kFirstTracepoint + (*hook)->id())) : kNotSpecial;
}

}  // namespace portolan::shim
