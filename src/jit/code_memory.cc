// SPDX-License-Identifier: Apache-2.0
// All code lies in one reserved range of addresses, page by page, so that the signal handler finds the block
// of a faulting instruction by one look into an array. It takes no lock: a block's row is written before its
// code can run, and the block outlives every run.
#include "jit/code_memory.h"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/fault_copy.h"
#include "sync/atomic.h"

namespace portolan::jit {
namespace {

constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kPages = 16 * 1024;

class CodeMemory {
 public:
  // Lives as long as the process: a run may end after main().
  static CodeMemory& instance() {
    static CodeMemory& one = *new CodeMemory;
    return one;
  }

  Result<std::size_t> take(std::size_t count) {
    const std::lock_guard guard(mutex_);
    TRY(reserve());
    std::size_t free = 0;
    for (std::size_t page = 0; page < kPages; ++page) {
      free = taken_[page] ? 0 : free + 1;
      if (free < count) continue;
      const std::size_t first = page + 1 - count;
      std::fill_n(taken_.begin() + static_cast<std::ptrdiff_t>(first), count, true);
      return first;
    }
    return fail(ENOMEM);
  }
  void give_back(std::size_t first, std::size_t count) {
    for (std::size_t page = first; page < first + count; ++page) blocks_[page].store_release(nullptr);
    // What was there can no longer be run, and its memory is free.
    (void)::mmap(address_of(first), count * kPageBytes, PROT_NONE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
    const std::lock_guard guard(mutex_);
    std::fill_n(taken_.begin() + static_cast<std::ptrdiff_t>(first), count, false);
  }
  Result<void> fill(std::size_t first, std::span<const std::uint8_t> code) {
    const std::size_t bytes = round_up(code.size(), kPageBytes);
    std::uint8_t* const at = address_of(first);
    if (::mprotect(at, bytes, PROT_READ | PROT_WRITE) != 0) return fail(errno);
    std::memcpy(at, code.data(), code.size());
    std::memset(at + code.size(), 0xcc, bytes - code.size());  // int3
    if (::mprotect(at, bytes, PROT_READ | PROT_EXEC) != 0) return fail(errno);
    return {};
  }
  void announce(const CodeBlock* block, std::size_t first, std::size_t count) {
    for (std::size_t page = first; page < first + count; ++page)
      blocks_[page].store_release(block);  // pairs with landing_of
  }
  std::uint8_t* address_of(std::size_t page) const { return base_.load_relaxed() + page * kPageBytes; }

 private:
  CodeMemory() {
    // A child of fork() gets the mutex free.
    ::pthread_atfork([] { instance().mutex_.lock(); }, [] { instance().mutex_.unlock(); },
                     [] { instance().mutex_.unlock(); });
  }
  Result<void> reserve() {
    if (base_.load_relaxed() != nullptr) return {};
    void* const found =
        ::mmap(nullptr, kPages * kPageBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (found == MAP_FAILED) return fail(errno);
    base_.store_release(static_cast<std::uint8_t*>(found));  // pairs with landing_of
    answer_faults_by(landing_of);
    return {};
  }
  // In a signal handler.
  static std::uintptr_t landing_of(std::uintptr_t instruction) {
    const CodeMemory& memory = instance();
    const auto base = reinterpret_cast<std::uintptr_t>(memory.base_.load_acquire());
    const std::uintptr_t page = (instruction - base) / kPageBytes;
    if (base == 0 || page >= kPages) return 0;
    const CodeBlock* const block = memory.blocks_[page].load_acquire();
    return block == nullptr ? 0 : block->landing_of(instruction);
  }

  std::mutex mutex_;
  sync::Atomic<std::uint8_t*> base_;  // nullptr: nothing is reserved yet
  std::vector<bool> taken_ = std::vector<bool>(kPages);
  std::array<sync::Atomic<const CodeBlock*>, kPages> blocks_;
};

std::size_t pages_of(std::span<const std::uint8_t> code) {
  return round_up(code.size(), kPageBytes) / kPageBytes;
}

}  // namespace

Result<std::unique_ptr<const CodeBlock>> CodeBlock::create(std::span<const std::uint8_t> code,
                                                           std::vector<Recovery> recoveries) {
  PORTOLAN_ASSERT(!code.empty());
  CodeMemory& memory = CodeMemory::instance();
  const std::size_t first = TRY(memory.take(pages_of(code)));
  std::unique_ptr<const CodeBlock> block(
      new CodeBlock({memory.address_of(first), code.size()}, first, std::move(recoveries)));
  TRY(memory.fill(first, code));
  memory.announce(block.get(), first, pages_of(code));
  return block;
}

CodeBlock::~CodeBlock() { CodeMemory::instance().give_back(first_page_, pages_of(code_)); }

std::uintptr_t CodeBlock::landing_of(std::uintptr_t instruction) const {
  const auto begin = reinterpret_cast<std::uintptr_t>(code_.data());
  const std::uintptr_t offset = instruction - begin;
  const auto found = std::lower_bound(recoveries_.begin(), recoveries_.end(), offset,
                                      [](const Recovery& one, std::uintptr_t at) { return one.at < at; });
  if (found == recoveries_.end() || found->at != offset) return 0;
  return begin + found->landing;
}

}  // namespace portolan::jit
