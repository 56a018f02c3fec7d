// SPDX-License-Identifier: Apache-2.0
// Operations as text, for reports.
#include "helper_ops.h"

#include <fmt/format.h>

namespace portolan::conformance {
namespace {

std::string hex(const std::vector<std::byte>& bytes) {
  std::string text;
  for (const std::byte byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned>(byte));
  return text;
}

}  // namespace

std::vector<std::byte> key_of(const ProgramMap& map, std::uint32_t number) {
  std::vector<std::byte> key(map.key_size);
  for (std::size_t i = 0; i < key.size(); ++i)
    key[i] = static_cast<std::byte>(i < 4 ? number >> (8 * i) : number * 37 + i);
  return key;
}

std::string to_text(const HelperOp& op, const ProgramMap& map) {
  static constexpr const char* kNames[] = {"lookup",
                                           "store",
                                           "atomic add",
                                           "lookup_percpu",
                                           "update",
                                           "delete",
                                           "for_each",
                                           "for_each, storing",
                                           "for_each, deleting",
                                           "locked add",
                                           "push",
                                           "pop",
                                           "peek",
                                           "reserve",
                                           "reserve_dynptr",
                                           "output",
                                           "query",
                                           "drain",
                                           "event output",
                                           "event read",
                                           "tail call",
                                           "stackid",
                                           "stack"};
  static_assert(std::size(kNames) == kHelperVerbs);
  return fmt::format(
      "{} key {} flags {:#x} number {} variant {} of {} bytes on {} {}/{} x {} flags {:#x}{}{}",
      kNames[static_cast<int>(op.verb)], hex(op.key), op.flags, op.number, op.variant, op.value.size(),
      map_type_name(map.type), map.key_size, map.value_size, map.max_entries, map.flags,
      map.is_locked ? " with a lock" : "",
      op.through < 0 ? "" : fmt::format(" in element {} of map {}", hex(op.outer_key), op.through));
}

std::string to_text(const UserOp& op) {
  static constexpr const char* kNames[] = {"put program", "put map", "put event", "erase",
                                           "consume",     "produce", "rewind",    "read event"};
  return fmt::format("user space: {} key {} number {:#x} on map {}", kNames[static_cast<int>(op.verb)],
                     op.key, op.number, op.map);
}

}  // namespace portolan::conformance
