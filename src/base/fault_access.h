// SPDX-License-Identifier: Apache-2.0
// Single accesses to memory that may be gone, because whoever has the file might cut it short. Each is one
// instruction whose address is written down, with where to go on, in a section of its own; the handler of
// fault_copy.h looks there. The process must have its handler installed (install_fault_handler).
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>

namespace portolan {

template <class T>
concept FaultWord = std::same_as<T, std::uint32_t> || std::same_as<T, std::uint64_t>;

// An entry: two distances from where they stand. "?": in the group of the function that it is about, if there
// is one.
#define PORTOLAN_FAULT_ENTRY(access, landing)    \
  ".pushsection portolan_fault_entries,\"a?\"\n" \
  ".balign 4\n"                                  \
  ".long " access                                \
  " - .\n"                                       \
  ".long " landing                               \
  " - .\n"                                       \
  ".popsection\n"

// What lies at `from`, which is aligned, or 0. On this machine an acquire load.
template <FaultWord T>
[[gnu::always_inline]] inline T load_or_zero(const std::byte* from) {
  T value;
  __asm__ volatile(
      "xor %k0, %k0\n"
      "1: mov %1, %0\n"
      "2:\n" PORTOLAN_FAULT_ENTRY("1b", "2b")
      : "=&r"(value)
      : "m"(*reinterpret_cast<const T*>(from))
      : "memory", "cc");
  return value;
}

// False: it could not be loaded. An acquire load where it is aligned, which it need not be.
template <FaultWord T>
[[nodiscard, gnu::always_inline]] inline bool try_load(const std::byte* from, T& value) {
  T loaded;
  __asm__ goto("1: mov (%1), %0\n" PORTOLAN_FAULT_ENTRY("1b", "%l[gone]")
               : "=r"(loaded)
               : "r"(from)
               : "memory"
               : gone);
  value = loaded;
  return true;
gone:
  return false;
}

// False: it could not be stored. On this machine a release store.
template <FaultWord T>
[[nodiscard, gnu::always_inline]] inline bool try_store(std::byte* to, T value) {
  __asm__ goto("1: mov %0, %1\n" PORTOLAN_FAULT_ENTRY("1b", "%l[gone]")
               :
               : "r"(value), "m"(*reinterpret_cast<T*>(to))
               : "memory"
               : gone);
  return true;
gone:
  return false;
}

}  // namespace portolan
