// SPDX-License-Identifier: Apache-2.0
// Tells whether this is still the process that asked before: fork(2) and clone(2), with or without libc, give
// the child a new number. A thread and a vfork child are the same process.
#pragma once
#include <cstdint>

#include "sync/atomic.h"

namespace portolan::sync {

namespace detail {
// In a page that the kernel wipes in a child: 0 there until the child first asks.
extern constinit Atomic<Atomic<std::uint64_t>*> generation_word;
std::uint64_t make_process_generation();
}  // namespace detail

// The number, or 0 where it must first be made.
inline std::uint64_t process_generation_if_made() {
  const Atomic<std::uint64_t>* word =
      detail::generation_word.load_acquire();  // pairs with make_process_generation
  return word == nullptr ? 0 : word->load_relaxed();
}

// Never 0, and other than in all processes that this one descends from.
inline std::uint64_t process_generation() {
  const std::uint64_t generation = process_generation_if_made();
  return generation != 0 ? generation : detail::make_process_generation();
}

}  // namespace portolan::sync
