// SPDX-License-Identifier: Apache-2.0
// What names a hook: unmodified clients say it in the kernel's words (a tracepoint's name, an ifindex, a
// cgroup's directory), a host application when it declares the hook.
#pragma once
#include <cstdint>
#include <cstring>
#include <string_view>

#include "abi/prog_type.h"

namespace portolan::hook {

enum class Point : std::uint32_t {
  kTracepoint = 1,  // by name; raw tracepoint programs and those by BTF
  kFunction = 2,    // by name and attach type: fentry, fexit, fmod_ret, lsm
  kDevice = 3,      // by ifindex and attach type: XDP, TCX
  kCgroup = 4,      // by the directory's device and inode, and attach type
  kNetns = 5,       // by the namespace's device and inode, and attach type
  kIterator = 6,    // by what it goes through; no host declares it
  kNetfilter = 7,   // by the namespace's device and inode, and by family and hook
  kProbe = 8,       // by a function's name; attach_type is kProbeEntry or kProbeReturn
  kTraceEvent = 9,  // by category and name: "sched/sched_switch"; tracepoint programs
  kProgram = 10,    // by program, and function of it; there while something is attached
  kUprobe = 11,     // by the file's device and inode, and an offset in it; attach_type as of kProbe
};

inline constexpr std::uint32_t kProbeEntry = 0, kProbeReturn = 1;

struct Key {
  Point point{};
  std::uint32_t attach_type = 0;  // 0 for tracepoints
  std::uint64_t device = 0;
  std::uint64_t number = 0;  // ifindex or inode
  char name[128] = {};
  friend bool operator==(const Key&, const Key&) = default;
};

// What is longer than a name can be is cut off, as the kernel does it.
inline Key named(Point point, std::uint32_t attach_type, std::string_view name) {
  Key key{point, attach_type, 0, 0, {}};
  std::memcpy(key.name, name.data(), name.size() < sizeof key.name ? name.size() : sizeof key.name - 1);
  return key;
}
// A hook of a network namespace's: NFPROTO_*, NF_INET_*.
inline Key of_netfilter(std::uint64_t device, std::uint64_t inode, std::uint32_t family,
                        std::uint32_t hooknum) {
  Key key{Point::kNetfilter, static_cast<std::uint32_t>(abi::AttachType::kNetfilter), device, inode, {}};
  key.name[0] = static_cast<char>(family);
  key.name[1] = static_cast<char>('0' + hooknum);
  return key;
}
inline std::uint8_t netfilter_family(const Key& key) { return static_cast<std::uint8_t>(key.name[0]); }
inline std::uint8_t netfilter_hook(const Key& key) { return static_cast<std::uint8_t>(key.name[1] - '0'); }

// Of a kTraceEvent: without its category.
inline const char* event_name(const Key& key) {
  const char* const slash = std::strchr(key.name, '/');
  return slash != nullptr ? slash + 1 : key.name;
}
// `type_id`: of the function's FUNC in the program's BTF.
inline Key of_function(std::uint32_t program_id, std::uint32_t function, std::uint32_t type_id) {
  return {Point::kProgram, 0, program_id, std::uint64_t{function} << 32 | type_id, {}};
}
inline std::uint32_t function_of(const Key& key) { return static_cast<std::uint32_t>(key.number >> 32); }
inline std::uint32_t type_id_of(const Key& key) { return static_cast<std::uint32_t>(key.number); }
// `end`: kProbeEntry, kProbeReturn.
inline Key of_uprobe(std::uint64_t device, std::uint64_t inode, std::uint64_t offset, std::uint32_t end) {
  Key key{Point::kUprobe, end, device, inode, {}};
  std::memcpy(key.name, &offset, sizeof offset);
  return key;
}
inline std::uint64_t offset_of(const Key& key) {
  std::uint64_t offset;
  std::memcpy(&offset, key.name, sizeof offset);
  return offset;
}
inline Key of_device(std::uint32_t ifindex, abi::AttachType type) {
  return {Point::kDevice, static_cast<std::uint32_t>(type), 0, ifindex, {}};
}

}  // namespace portolan::hook
