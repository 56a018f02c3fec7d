// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "portolan/raw_map.hpp"

namespace portolan {
namespace detail {

struct RingState;

// A ring of records with one end in programs and the other here, in pages that this process maps.
class Ring {
 public:
  PORTOLAN_EXPORT Ring(Ring&& other) noexcept;
  PORTOLAN_EXPORT Ring& operator=(Ring&& other) noexcept;
  PORTOLAN_EXPORT ~Ring();

  // A descriptor for poll(2) and epoll(7), of this object: readable, or for a UserRingBuffer on the kernel
  // writable, when it is worth another look. Errors: ENOSPC, EMFILE … of making it.
  PORTOLAN_EXPORT Expected<int> ready_fd();
  PORTOLAN_EXPORT Expected<void> pin(const std::string& path) const;
  PORTOLAN_EXPORT const MapInfo& info() const;
  std::uint32_t size() const { return info().max_entries; }  // bytes
  PORTOLAN_EXPORT int fd() const;

 protected:
  PORTOLAN_EXPORT static Expected<Ring> map(Expected<RawMap> map, MapType type);
  using Milliseconds = std::chrono::milliseconds;
  // Whether `is_ready(state, size)` became true in time.
  PORTOLAN_EXPORT Expected<bool> wait(Milliseconds timeout, bool (*is_ready)(RingState&, std::uint32_t),
                                      std::uint32_t size);
  RingState& state() const { return *state_; }

 private:
  explicit Ring(std::unique_ptr<RingState> state);
  std::unique_ptr<RingState> state_;
};

// How the two kinds are made. `Self` is constructible from a Ring.
template <class Self, MapType kType>
class RingOfType : public Ring {
 public:
  // `bytes`: a power of two, whole pages.
  static Expected<Self> create(const Runtime& runtime, std::uint32_t bytes, const MapOptions& options = {}) {
    return wrap(RawMap::create(runtime, kType, 0, 0, bytes, options));
  }
  // The ring pinned at `path`. EINVAL, with a sentence, if it is none of this kind.
  static Expected<Self> open_pinned(const Runtime& runtime, const std::string& path) {
    return wrap(RawMap::open_pinned(runtime, path));
  }
  // The ring that `fd` stands for; takes the fd over. EINVAL, with a sentence, if it is none of this kind.
  static Expected<Self> from_fd(const Runtime& runtime, int fd) { return wrap(RawMap::from_fd(runtime, fd)); }

 protected:
  explicit RingOfType(Ring ring) : Ring(std::move(ring)) {}

 private:
  static Expected<Self> wrap(Expected<RawMap> raw) {
    Expected<Ring> ring = map(std::move(raw), kType);
    if (!ring) return std::unexpected(ring.error());
    return Self(std::move(*ring));
  }
};

}  // namespace detail

// BPF_MAP_TYPE_RINGBUF: records of any length that programs write, read here, the oldest first. There is one
// consumer: a second one, in this or another process, would take records away from the first. Functions that
// read are for one thread at a time.
class RingBuffer : public detail::RingOfType<RingBuffer, MapType::kRingbuf> {
 public:
  // The oldest record, 8-aligned, valid until pop(); nothing: none is ready. What programs discarded is
  // passed over.
  PORTOLAN_EXPORT std::optional<std::span<const std::byte>> front();
  // The record that front() gave makes room; nothing if it gave none.
  PORTOLAN_EXPORT void pop();

  // Calls visit(record) for each record that is ready; how many those were. A `visit` that returns false ends
  // it, after its record.
  template <std::invocable<std::span<const std::byte>> Visit>
  std::size_t consume(Visit&& visit) {
    std::size_t count = 0;
    while (const auto record = front()) {
      bool goes_on = true;
      if constexpr (std::same_as<bool, std::invoke_result_t<Visit, std::span<const std::byte>>>)
        goes_on = visit(*record);
      else
        visit(*record);
      pop();
      ++count;
      if (!goes_on) break;
    }
    return count;
  }

  // Waits until a record is ready; false: `timeout` passed (negative: never).
  PORTOLAN_EXPORT Expected<bool> wait(std::chrono::milliseconds timeout);

 private:
  template <class, MapType>
  friend class detail::RingOfType;
  using RingOfType::RingOfType;
};

// BPF_MAP_TYPE_USER_RINGBUF: records that are written here and that programs drain, by
// bpf_user_ringbuf_drain(). There is one producer: functions that write are for one thread at a time.
class UserRingBuffer : public detail::RingOfType<UserRingBuffer, MapType::kUserRingbuf> {
 public:
  // Room for a record of `size` bytes, 8-aligned. Programs see it, and all that are reserved after it, once
  // submit() or discard() has had it. ENOSPC: no room now; E2BIG: there never is.
  PORTOLAN_EXPORT Expected<std::span<std::byte>> reserve(std::uint32_t size);
  PORTOLAN_EXPORT void submit(std::span<std::byte> record);
  PORTOLAN_EXPORT void discard(std::span<std::byte> record);
  // All three in one.
  PORTOLAN_EXPORT Expected<void> push(std::span<const std::byte> record);

  // Waits until programs have drained something, if the ring has no room for `size` bytes; false: `timeout`
  // passed (negative: never).
  PORTOLAN_EXPORT Expected<bool> wait_for_room(std::uint32_t size, std::chrono::milliseconds timeout);

 private:
  template <class, MapType>
  friend class detail::RingOfType;
  using RingOfType::RingOfType;
};

}  // namespace portolan
