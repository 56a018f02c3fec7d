// SPDX-License-Identifier: Apache-2.0
#include "user_ends.h"

#include <fmt/format.h>
#include <linux/perf_event.h>

#include <algorithm>
#include <vector>

#include "base/assert.h"

namespace portolan::conformance {
namespace {

constexpr std::uint32_t kBusy = 1u << 31, kDiscarded = 1u << 30;

std::byte* mapped(long address) {
  PORTOLAN_ASSERT(address > 0 || address < -4095);
  return reinterpret_cast<std::byte*>(address);
}

std::string hex(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned>(byte));
  return text;
}

std::uint64_t load_acquire(const void* from) {
  return __atomic_load_n(static_cast<const std::uint64_t*>(from), __ATOMIC_ACQUIRE);
}
void store_release(void* to, std::uint64_t value) {
  __atomic_store_n(static_cast<std::uint64_t*>(to), value, __ATOMIC_RELEASE);
}

}  // namespace

RingEnd::RingEnd(Backend& backend, int fd, std::size_t size, Role role) : backend_(backend), size_(size) {
  const auto protection = [role](Role end) { return end == role ? PROT_READ | PROT_WRITE : PROT_READ; };
  first_ = mapped(backend.map_ring(kPageSize, protection(Role::kConsumer), fd, 0));
  second_ = mapped(backend.map_ring(kPageSize + 2 * size, protection(Role::kProducer), fd, kPageSize));
}

RingEnd::~RingEnd() {
  backend_.munmap(first_, kPageSize);
  backend_.munmap(second_, kPageSize + 2 * size_);
}

std::string RingEnd::consume(std::uint32_t most) {
  std::string text;
  std::uint64_t position = *position_of(Role::kConsumer);
  while (most-- > 0 && position < load_acquire(position_of(Role::kProducer))) {
    const auto word = load_unaligned<std::uint32_t>(at(position));
    if ((word & kBusy) != 0) return text + " busy";
    const std::uint32_t length = word & ~kDiscarded;
    PORTOLAN_ASSERT(length <= size_);
    text += fmt::format(" {:x}:{}", word, hex({at(position) + 8, length}));
    position += round_up(length + 8, 8);
    store_release(position_of(Role::kConsumer), position);
  }
  return text;
}

std::string RingEnd::produce(std::uint32_t word, std::span<const std::byte> bytes) {
  const std::uint64_t position = *position_of(Role::kProducer);
  const std::uint64_t needed = round_up(bytes.size() + 8, 8);
  if (position + needed - load_acquire(position_of(Role::kConsumer)) > size_) return "full";
  // A header that promises more than there is, beyond the end, is told the truth: what a program would find
  // there is a difference of our rings, whose halves are two memories.
  constexpr std::uint32_t kFlags = 3u << 30;
  const std::uint64_t promised = round_up((word & ~kFlags) + std::uint64_t{8}, 8);
  if (promised > needed && promised <= size_ && position % size_ + promised > size_)
    word = (word & kFlags) | static_cast<std::uint32_t>(bytes.size());
  std::memcpy(at(position), &word, sizeof word);
  std::memset(at(position) + 4, 0, 4);
  // As libbpf does it: behind a header that is the last before the end, they are at the beginning.
  std::copy(bytes.begin(), bytes.end(), at(position + 8));
  store_release(position_of(Role::kProducer), position + needed);
  return "produced";
}

void RingEnd::rewind() {
  store_release(position_of(Role::kProducer), load_acquire(position_of(Role::kConsumer)));
}

std::string RingEnd::positions() const {
  return fmt::format("consumer at {}, producer at {}", *position_of(Role::kConsumer),
                     *position_of(Role::kProducer));
}

EventEnd::EventEnd(Backend& backend, std::uint32_t cpu, std::size_t pages)
    : backend_(backend),
      fd_(static_cast<int>(backend.open_event(cpu))),
      size_(pages * kPageSize),
      pages_(mapped(backend.map_event(fd_, pages))) {}

EventEnd::~EventEnd() {
  backend_.munmap(pages_, kPageSize + size_);
  backend_.close(fd_);
}

std::string EventEnd::read(std::uint32_t most) {
  auto* const control = reinterpret_cast<perf_event_mmap_page*>(pages_);
  std::string text;
  std::uint64_t tail = control->data_tail;
  std::vector<std::byte> record;
  while (most-- > 0 && tail != load_acquire(&control->data_head)) {
    const auto header = load_unaligned<perf_event_header>(pages_ + kPageSize + tail % size_);
    PORTOLAN_ASSERT(header.size >= sizeof header);
    record.resize(header.size);
    for (std::size_t i = 0; i < record.size(); ++i) record[i] = pages_[kPageSize + (tail + i) % size_];
    tail += header.size;
    text += fmt::format(" {}/{}:", static_cast<unsigned>(header.type), static_cast<unsigned>(header.misc));
    if (header.type == PERF_RECORD_LOST) {  // of whom, then how many
      text += fmt::format("lost {}", load_unaligned<std::uint64_t>(record.data() + 16));
    } else if (header.type == PERF_RECORD_SAMPLE) {
      const std::byte* const raw = record.data() + 12;
      const std::size_t length = std::to_integer<std::size_t>(raw[0]) + std::to_integer<std::size_t>(raw[1]);
      text += fmt::format("{}:{}", load_unaligned<std::uint32_t>(record.data() + 8),
                          hex({raw, std::min(length, record.size() - 12)}));
    }
  }
  store_release(&control->data_tail, tail);
  return text;
}

}  // namespace portolan::conformance
