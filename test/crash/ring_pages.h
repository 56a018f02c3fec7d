// SPDX-License-Identifier: Apache-2.0
// The pages of a ring buffer, by whose end is not a program: of RINGBUF the consumer, of USER_RINGBUF the
// producer. All records are tokens.
#pragma once
#include <sys/mman.h>

#include "base/assert.h"
#include "sync/atomic.h"

namespace portolan::stress {

class RingPages {
 public:
  static constexpr std::uint64_t kPage = 4096, kSize = 4096;  // of one page, so that it is often full
  struct Token {
    std::uint64_t word, again;
  };
  static constexpr std::uint64_t kTokenBytes = 8 + sizeof(Token);
  static constexpr std::uint32_t kMostTokens = (kSize - 1) / kTokenBytes;
  enum class End { kConsumer, kProducer };  // whose position may be written

  RingPages(long fd, End end) : end_(end) {
    const int both = PROT_READ | PROT_WRITE;
    first_ = map(fd, kPage, end == End::kConsumer ? both : PROT_READ, 0);
    second_ = map(fd, kPage + 2 * kSize, end == End::kProducer ? both : PROT_READ, kPage);
  }
  RingPages(const RingPages&) = delete;
  RingPages& operator=(const RingPages&) = delete;
  ~RingPages() {
    ::munmap(first_, kPage);
    ::munmap(second_, kPage + 2 * kSize);
  }

  std::uint64_t used() const {
    return producer().load_acquire() - consumer().load_acquire();
  }  // pair with the
     // other end

  // Calls visit(token) for each record that is committed, up to the first that is not.
  template <class Visit>
  void consume(Visit&& visit) {
    PORTOLAN_ASSERT(end_ == End::kConsumer);
    std::uint64_t position = consumer().load_relaxed();
    while (position != producer().load_acquire()) {
      std::byte* const header = data() + position % kSize;
      const std::uint32_t length = word32(header).load_acquire();  // pairs with commit
      if ((length & kBusy) != 0) break;
      Token token{};
      const std::uint32_t size = length & ~kDiscarded;
      PORTOLAN_ASSERT(size == sizeof token);
      std::memcpy(&token, header + 8, sizeof token);
      position += kTokenBytes;
      consumer().store_seq_cst(position);
      if ((length & kDiscarded) == 0) visit(token);
    }
  }

  // One record more, as libbpf puts it there; false: no room.
  bool produce(std::uint64_t word) {
    PORTOLAN_ASSERT(end_ == End::kProducer);
    const std::uint64_t position = producer().load_relaxed();
    if (position - consumer().load_acquire() + kTokenBytes > kSize) return false;
    std::byte* const header = data() + position % kSize;
    const Token token{word, word};
    // The header of the last eight bytes has its record at the beginning.
    std::memcpy(data() + (position + 8) % kSize, &token, sizeof token);
    word32(header + 4).store_relaxed(0);
    word32(header).store_relaxed(sizeof token);
    producer().store_release(position + kTokenBytes);  // pairs with the drain
    return true;
  }

 private:
  using Position = sync::Atomic<std::uint64_t>;
  static constexpr std::uint32_t kBusy = 1u << 31, kDiscarded = 1u << 30;
  static std::byte* map(long fd, std::size_t length, int protection, off_t offset) {
    void* const at = ::mmap(nullptr, length, protection, MAP_SHARED, static_cast<int>(fd), offset);
    PORTOLAN_ASSERT(at != MAP_FAILED);
    return static_cast<std::byte*>(at);
  }
  Position& consumer() const { return *reinterpret_cast<Position*>(first_); }
  Position& producer() const { return *reinterpret_cast<Position*>(second_); }
  std::byte* data() const { return second_ + kPage; }
  static sync::Atomic<std::uint32_t>& word32(std::byte* at) {
    return *reinterpret_cast<sync::Atomic<std::uint32_t>*>(at);
  }

  const End end_;
  std::byte *first_, *second_;
};

}  // namespace portolan::stress
