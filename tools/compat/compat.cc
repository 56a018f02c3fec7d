// SPDX-License-Identifier: Apache-2.0
// Prints COMPAT.md: what of Linux's bpf(2) is here, from the tables that the code itself is made of, and what
// differs on purpose, from docs/differences.def.
#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "abi/command.h"
#include "abi/map_flags.h"
#include "abi/map_type.h"
#include "abi/prog_type.h"

namespace {

using portolan::abi::Command;
using portolan::abi::MapType;
using portolan::abi::ProgType;

const char* flag_name(std::uint32_t flag) {
  using namespace portolan::abi::map_flag;
  switch (flag) {
    case kNoPrealloc:
      return "NO_PREALLOC";
    case kNumaNode:
      return "NUMA_NODE";
    case kZeroSeed:
      return "ZERO_SEED";
    case kMmapable:
      return "MMAPABLE";
    case kInnerMap:
      return "INNER_MAP";
    case kPreserveElems:
      return "PRESERVE_ELEMS";
    case kNoCommonLru:
      return "NO_COMMON_LRU";
    case kStackBuildId:
      return "STACK_BUILD_ID";
    case kRbOverwrite:
      return "RB_OVERWRITE";
    default:
      return "?";
  }
}

std::string flag_names(std::uint32_t flags) {
  std::string names;
  for (std::uint32_t rest = flags; rest != 0; rest &= rest - 1) {
    if (!names.empty()) names += ", ";
    names += flag_name(rest & (0u - rest));
  }
  return names;
}

struct Counts {
  int here = 0, all = 0;
};

void print_map_type(Counts& counts, const char* name, MapType type, int major, int minor, bool here,
                    std::uint32_t flags, const char* note) {
  ++counts.all;
  counts.here += here;
  fmt::print("| {} | {} | {}.{} | {} | {} | {} |\n", static_cast<std::uint32_t>(type), name, major, minor,
             here ? "✓" : "", flag_names(flags), note);
}

void print_map_types() {
  using namespace portolan::abi::map_flag;
  Counts counts;
  fmt::print(
      "\n## Map types\n\n"
      "Each type that is here takes RDONLY, WRONLY, RDONLY_PROG and WRONLY_PROG and the flags of its row. "
      "The others are "
      "EINVAL, as on a\nkernel that is older than the type.\n\n"
      "| number | name | Linux since | here | flags | note |\n"
      "|---|---|---|---|---|---|\n");
#define MAP_TYPE(name, type, major, minor, class_name, flags, note) \
  print_map_type(counts, #name, MapType::type, major, minor, true, flags, note);
#define MAP_TYPE_NOT_YET(name, type, major, minor, note) \
  print_map_type(counts, #name, MapType::type, major, minor, false, 0, note);
#include "map/map_types.def"
#undef MAP_TYPE
#undef MAP_TYPE_NOT_YET
  fmt::print("\n{} of {} types.\n", counts.here, counts.all);
}

// What each operation of struct bpf_map_ops is, for the types that are here.
void print_map_ops() {
  std::string names, lines;
#define MAP_TYPE(name, type, major, minor, class_name, flags, note) names += " | " #name, lines += "|---";
#define MAP_TYPE_NOT_YET(name, type, major, minor, note)
#include "map/map_types.def"
#undef MAP_TYPE
#undef MAP_TYPE_NOT_YET
  fmt::print("\n## Operations of maps\n\nOf `struct bpf_map_ops`, for the types that are here:\n\n");
#define MAP_OP(name, cells)
#define MAP_OP_LETTER(letter, note) fmt::print("- `{}`: {}\n", letter, note);
#include "../../docs/map_ops.def"
#undef MAP_OP_LETTER
#undef MAP_OP
  fmt::print("\n| operation{} |\n|---{}|\n", names, lines);
  const auto print_row = [](const char* name, std::string_view cells) {
    fmt::print("| {} |", name);
    for (char cell : cells) fmt::print(" {} |", cell);
    fmt::print("\n");
  };
  constexpr std::size_t kTypes = 0
#define MAP_TYPE(...) +1
#define MAP_TYPE_NOT_YET(...)
#include "map/map_types.def"
#undef MAP_TYPE
#undef MAP_TYPE_NOT_YET
      ;
#define MAP_OP_LETTER(letter, note)
#define MAP_OP(name, cells)                   \
  static_assert(sizeof(cells) == kTypes + 1); \
  print_row(#name, cells);
#include "../../docs/map_ops.def"
#undef MAP_OP_LETTER
#undef MAP_OP
}

// "kMapCreate" -> "BPF_MAP_CREATE"
std::string kernel_name(std::string_view enumerator) {
  std::string name = "BPF";
  for (char letter : enumerator.substr(1)) {
    const bool upper = letter >= 'A' && letter <= 'Z';
    if (upper) name += '_';
    name += upper ? letter : static_cast<char>(letter - 'a' + 'A');
  }
  return name;
}

void print_command(Counts& counts, const char* enumerator, Command command, int major, int minor, bool here,
                   const char* note) {
  ++counts.all;
  counts.here += here;
  fmt::print("| {} | {} | {}.{} | {} | {} |\n", static_cast<int>(command), kernel_name(enumerator), major,
             minor, here ? "✓" : "", note);
}

void print_commands() {
  Counts counts;
  fmt::print(
      "\n## Commands of bpf(2)\n\n"
      "Those that are not here are EINVAL, as on a kernel that is older than the command.\n\n"
      "| number | name | Linux since | here | note |\n"
      "|---|---|---|---|---|\n");
#define COMMAND(command, handler, used, major, minor, note) \
  print_command(counts, #command, Command::command, major, minor, true, note);
#define HOT_COMMAND COMMAND
#define COMMAND_NOT_YET(command, major, minor, note) \
  print_command(counts, #command, Command::command, major, minor, false, note);
#include "syscall/commands.def"
#undef COMMAND
#undef HOT_COMMAND
#undef COMMAND_NOT_YET
  fmt::print("\n{} of {} commands.\n", counts.here, counts.all);
}

void print_prog_type(Counts& counts, const char* name, ProgType type, int major, int minor, bool here,
                     std::string_view test_run, const char* note) {
  ++counts.all;
  counts.here += here;
  fmt::print("| {} | {} | {}.{} | {} | {} | {} |\n", static_cast<std::uint32_t>(type), name, major, minor,
             here ? "✓" : "", test_run == "not_run" ? "" : "✓", note);
}

void print_prog_types() {
  Counts counts;
  fmt::print(
      "\n## Types of programs\n\n"
      "They load with the rules of their type: fields of the context, helpers, results, "
      "expected_attach_type. Those that BPF_PROG_TEST_RUN\ndoes not run are ENOTSUPP (524) there, as in "
      "Linux. Programs are attached to hooks\nthat a host program declares (portolan::Hook): raw_tracepoint, "
      "tracepoint, kprobe, tracing and lsm, xdp, sched_cls (TCX),\nnetfilter, cgroup_*, sock_ops, sk_lookup "
      "and flow_dissector; tracing and ext to functions of programs, too. A host runs\nsk_skb, sk_msg, "
      "sk_reuseport and perf_event itself (Program::run); the other types are attached to nothing.\n\n"
      "| number | name | Linux since | loads | test run | note |\n"
      "|---|---|---|---|---|---|\n");
#define PROG_TYPE(name, type, major, minor, test_run, note) \
  print_prog_type(counts, #name, ProgType::type, major, minor, true, #test_run, note);
#define PROG_TYPE_NOT_HERE(name, type, major, minor, note) \
  print_prog_type(counts, #name, ProgType::type, major, minor, false, "not_run", note);
#include "syscall/prog_types.def"
#undef PROG_TYPE
#undef PROG_TYPE_NOT_HERE
  fmt::print("\n{} of {} types.\n", counts.here, counts.all);
}

void print_helper(Counts& counts, std::uint32_t id, const char* name, int major, int minor, bool here,
                  const char* note) {
  ++counts.all;
  counts.here += here;
  fmt::print("| {} | bpf_{} | {}.{} | {} | {} |\n", id, name, major, minor, here ? "✓" : "", note);
}

void print_helpers() {
  Counts counts;
  fmt::print(
      "\n## Helpers\n\n"
      "Programs of each type have those that Linux gives them. A program that calls one which is not here is "
      "refused, with a\nline in the log that says why.\n\n"
      "| number | name | Linux since | here | note |\n"
      "|---|---|---|---|---|\n");
#define HELPER(id, name, returns, programs, flags, major, minor, args, note) \
  print_helper(counts, id, #name, major, minor, true, note);
#define HELPER_NOT_HERE(id, name, returns, programs, flags, major, minor, args, note) \
  print_helper(counts, id, #name, major, minor, false, note);
#include "helper/helpers.def"
#undef HELPER
#undef HELPER_NOT_HERE
  fmt::print("\n{} of {} helpers.\n", counts.here, counts.all);
}

void print_kfunc(Counts& counts, std::string_view name, std::string_view since, const char* note) {
  ++counts.all;
  counts.here += since.empty() ? 0 : 1;
  if (name.ends_with('_')) name.remove_suffix(1);
  fmt::print("| bpf_{} | {} | {} | {} |\n", name, since, since.empty() ? "" : "✓", note);
}

void print_kfuncs() {
  Counts counts;
  fmt::print(
      "\n## Functions of the kernel (kfuncs)\n\n"
      "Programs call them by their ids in the kernel's BTF (`/sys/kernel/btf/vmlinux`), which a runtime has "
      "on every machine. What is not "
      "here, or not in\nthis list, is refused as a function that the kernel does not allow.\n\n"
      "| name | Linux since | here | note |\n"
      "|---|---|---|---|\n");
#define KFUNC(name, returns, programs, flags, major, minor, args, note) \
  print_kfunc(counts, #name, #major "." #minor, note);
#define KFUNC_NOT_HERE(name, note) print_kfunc(counts, #name, "", note);
#include "helper/kfuncs.def"
#undef KFUNC
#undef KFUNC_NOT_HERE
  fmt::print("\n{} of {} functions.\n", counts.here, counts.all);
}

void print_differences() {
  fmt::print(
      "\n## What differs on purpose\n\n"
      "| where | Linux | Portolan | why |\n"
      "|---|---|---|---|\n");
#define DIFFERENCE(where, kernel, portolan, why) \
  fmt::print("| {} | {} | {} | {} |\n", where, kernel, portolan, why);
#include "../../docs/differences.def"
#undef DIFFERENCE
}

}  // namespace

int main() {
  fmt::print(
      "# Compatibility with Linux\n\n"
      "<!-- Printed by portolan-compat from map_types.def, commands.def, prog_types.def, helpers.def, "
      "kfuncs.def, "
      "docs/map_ops.def and "
      "docs/differences.def; ./dev fmt "
      "rewrites it. "
      "-->\n\n"
      "The measure is Linux 6.18: same results, same errno, same order of checks. What is not listed as "
      "different is "
      "meant to be\nthe same, and a difference there is a bug.\n");
  print_map_types();
  print_map_ops();
  print_commands();
  print_prog_types();
  print_helpers();
  print_kfuncs();
  print_differences();
  return 0;
}
