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
  static Expected<Ring> create(const Runtime& runtime, MapType type, std::uint32_t bytes,
                               const MapOptions& options) {
    return map(RawMap::create(runtime, type, 0, 0, bytes, options), type);
  }
  template <class Self>
  static Expected<Self> as(Expected<Ring> ring) {
    if (!ring) return std::unexpected(ring.error());
    return Self(std::move(*ring));
  }
  using Milliseconds = std::chrono::milliseconds;
  // Whether `is_ready(state, size)` became true in time.
  PORTOLAN_EXPORT Expected<bool> wait(Milliseconds timeout, bool (*is_ready)(RingState&, std::uint32_t),
                                      std::uint32_t size);
  RingState& state() const { return *state_; }

 private:
  explicit Ring(std::unique_ptr<RingState> state);
  std::unique_ptr<RingState> state_;
};

}  // namespace detail

// BPF_MAP_TYPE_RINGBUF: records of any length that programs write, read here, the oldest first. There is one
// consumer: a second one, in this or another process, would take records away from the first. Functions that
// read are for one thread at a time.
class RingBuffer : public detail::Ring {
 public:
  // `bytes`: a power of two, whole pages.
  static Expected<RingBuffer> create(const Runtime& runtime, std::uint32_t bytes,
                                     const MapOptions& options = {}) {
    return as<RingBuffer>(Ring::create(runtime, MapType::kRingbuf, bytes, options));
  }
  // The ring pinned at `path`. EINVAL, with a sentence, if it is none.
  static Expected<RingBuffer> open_pinned(const Runtime& runtime, const std::string& path) {
    return as<RingBuffer>(map(RawMap::open_pinned(runtime, path), MapType::kRingbuf));
  }
  // The ring that `fd` stands for; takes the fd over.
  static Expected<RingBuffer> from_fd(const Runtime& runtime, int fd) {
    return as<RingBuffer>(map(RawMap::from_fd(runtime, fd), MapType::kRingbuf));
  }

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
  friend class detail::Ring;
  explicit RingBuffer(Ring ring) : Ring(std::move(ring)) {}
};

// BPF_MAP_TYPE_USER_RINGBUF: records that are written here and that programs drain, by
// bpf_user_ringbuf_drain(). There is one producer: functions that write are for one thread at a time.
class UserRingBuffer : public detail::Ring {
 public:
  // `bytes`: a power of two, whole pages.
  static Expected<UserRingBuffer> create(const Runtime& runtime, std::uint32_t bytes,
                                         const MapOptions& options = {}) {
    return as<UserRingBuffer>(Ring::create(runtime, MapType::kUserRingbuf, bytes, options));
  }
  // The ring pinned at `path`. EINVAL, with a sentence, if it is none.
  static Expected<UserRingBuffer> open_pinned(const Runtime& runtime, const std::string& path) {
    return as<UserRingBuffer>(map(RawMap::open_pinned(runtime, path), MapType::kUserRingbuf));
  }
  // The ring that `fd` stands for; takes the fd over.
  static Expected<UserRingBuffer> from_fd(const Runtime& runtime, int fd) {
    return as<UserRingBuffer>(map(RawMap::from_fd(runtime, fd), MapType::kUserRingbuf));
  }

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
  friend class detail::Ring;
  explicit UserRingBuffer(Ring ring) : Ring(std::move(ring)) {}
};

}  // namespace portolan
