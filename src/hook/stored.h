// SPDX-License-Identifier: Apache-2.0
// The bytes of a hook; hook.cc says what they mean.
#pragma once
#include <algorithm>

#include "hook/hook.h"

namespace portolan::hook {

struct Bank {
  sync::Atomic<std::uint64_t> revision;
  sync::Atomic<std::uint32_t> flags;
  sync::Atomic<std::uint64_t> rows[kMostMembers];
};

struct Hook::Stored {
  std::uint64_t magic;
  Key key;
  std::uint32_t bytes;
  sync::RobustLock lock;
  sync::Atomic<std::uint64_t> current;
  sync::Atomic<std::uint64_t> effective;
  Bank banks[2];
  std::uint32_t levels;
  std::uint64_t above[kMostLevels];
  std::uint32_t path_bytes;  // that follow
};

template <class Body>
auto Hook::locked(const sync::Actor& actor, Body&& body) {
  sync::RobustGuard guard(stored_->lock, actor, [&] {
    const List known = list();
    commit(known);
    (void)set_gate(!known.members.empty());
  });
  return body();
}

constexpr std::uint64_t version_of(std::uint64_t current) { return current >> 8; }
// How `effective` counts them.
inline std::uint64_t counted(const std::vector<Member>& members) {
  return std::min<std::uint64_t>(members.size(), 255);
}

}  // namespace portolan::hook
