// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "portolan/keyless_map.hpp"

namespace portolan {
namespace detail {

// A map whose values leave one after the other.
template <class Self, MapType kType, class V>
class LineMap : public KeylessMap<Self, kType, V> {
 public:
  // E2BIG: full; with `replaces_oldest`, the oldest value goes instead.
  Expected<void> push(const V& value, bool replaces_oldest = false) {
    return this->map_.update({}, detail::raw(value),
                             static_cast<std::uint64_t>(replaces_oldest ? Update::kExist : Update::kAny));
  }
  // The value whose turn it is, which leaves. ENOENT: empty.
  Expected<V> pop() {
    V value;
    if (auto taken = this->map_.take({}, detail::raw(value)); !taken) return std::unexpected(taken.error());
    return value;
  }
  // The same, which stays.
  Expected<V> peek() const {
    V value;
    if (auto found = this->map_.lookup({}, detail::raw(value)); !found) return std::unexpected(found.error());
    return value;
  }

 protected:
  using KeylessMap<Self, kType, V>::KeylessMap;
};

}  // namespace detail

// BPF_MAP_TYPE_QUEUE: the oldest value leaves first. All operations are thread-safe and may run in several
// processes.
template <MapValue V>
class Queue : public detail::LineMap<Queue<V>, MapType::kQueue, V> {
  template <class, MapType, class>
  friend class detail::KeylessMap;
  using detail::LineMap<Queue<V>, MapType::kQueue, V>::LineMap;
};

// BPF_MAP_TYPE_STACK: the newest value leaves first.
template <MapValue V>
class Stack : public detail::LineMap<Stack<V>, MapType::kStack, V> {
  template <class, MapType, class>
  friend class detail::KeylessMap;
  using detail::LineMap<Stack<V>, MapType::kStack, V>::LineMap;
};

}  // namespace portolan
