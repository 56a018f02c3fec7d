// SPDX-License-Identifier: Apache-2.0
// The user's ends of rings, as libbpf has them: what lies in the pages, and who moves which position.
#pragma once
#include <span>
#include <string>

#include "backend.h"
#include "base/bytes.h"

namespace portolan::conformance {

// The pages of a RINGBUF, whose consumer this is, or of a USER_RINGBUF, whose producer this is.
class RingEnd {
 public:
  enum class Role { kConsumer, kProducer };
  RingEnd(Backend& backend, int fd, std::size_t size, Role role);
  RingEnd(const RingEnd&) = delete;
  RingEnd& operator=(const RingEnd&) = delete;
  ~RingEnd();

  // The records that are ready, up to so many, are read: their lengths and bytes.
  std::string consume(std::uint32_t most);
  // A record with that word for length and flags, where there is room for `bytes`.
  std::string produce(std::uint32_t word, std::span<const std::byte> bytes);
  void rewind();  // the producer is where the consumer is
  std::string positions() const;

 private:
  std::uint64_t* position_of(Role end) const {
    return reinterpret_cast<std::uint64_t*>(end == Role::kConsumer ? first_ : second_);
  }
  std::byte* at(std::uint64_t position) const { return second_ + kPageSize + position % size_; }

  Backend& backend_;
  std::size_t size_;
  std::byte *first_ = nullptr, *second_ = nullptr;
};

// A perf event of one CPU, with its ring mapped.
class EventEnd {
 public:
  EventEnd(Backend& backend, std::uint32_t cpu, std::size_t pages);
  EventEnd(const EventEnd&) = delete;
  EventEnd& operator=(const EventEnd&) = delete;
  ~EventEnd();

  int fd() const { return fd_; }
  // The records that are there, up to so many, are read. Of samples: the size, and the bytes that their own
  // first two say are theirs.
  std::string read(std::uint32_t most);

 private:
  Backend& backend_;
  int fd_;
  std::size_t size_;
  std::byte* pages_ = nullptr;
};

}  // namespace portolan::conformance
