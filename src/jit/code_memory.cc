// SPDX-License-Identifier: Apache-2.0
// All code lies in one reserved range of addresses, page by page, so that the signal handler finds the block
// of a faulting instruction by one look into an array.
//
// Layout        rows[page]: nullptr, free; kTaken, somebody is about to use or to free it; else the block
// whose code
//               is there.
// Invariants    a page is written, and its protection changed, by whoever took it only; a block's rows are
// written
//               before its code can run, and the block outlives every run.
// Progress      lock-free: a taker that meets a taken page goes on behind it. No lock is held over fork(), or
// by a
//               signal handler's victim.
#include "jit/code_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/fault_copy.h"
#include "sync/atomic.h"

namespace portolan::jit {
namespace {

constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kPages = 16 * 1024;

// What stands in a row while it is nobody's yet, or no more.
const char taken_mark = 0;
const CodeBlock* const kTaken = reinterpret_cast<const CodeBlock*>(&taken_mark);

class CodeMemory {
 public:
  // Lives as long as the process: a run may end after main().
  static CodeMemory& instance() {
    static CodeMemory& one = *new CodeMemory;
    return one;
  }

  Result<std::size_t> take(std::size_t count) {
    TRY(reserve());
    std::size_t first = 0;
    for (std::size_t page = 0; page < kPages; ++page) {
      const CodeBlock* free = nullptr;
      if (!rows_[page].cas_acq_rel(free, kTaken)) {  // pairs with release
        release(first, page - first);
        first = page + 1;
      } else if (page + 1 - first == count) {
        return first;
      }
    }
    release(first, kPages - first);
    return fail(ENOMEM);
  }
  void give_back(std::size_t first, std::size_t count) {
    announce(kTaken, first, count);
    // What was there can no longer be run, and its memory is free.
    (void)::mmap(address_of(first), count * kPageBytes, PROT_NONE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
    release(first, count);
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
      rows_[page].store_release(block);  // pairs with landing_of
  }
  std::uint8_t* address_of(std::size_t page) const {
    return base_.load_acquire() + page * kPageBytes;  // pairs with reserve
  }

 private:
  void release(std::size_t first, std::size_t count) { announce(nullptr, first, count); }
  Result<void> reserve() {
    if (base_.load_acquire() != nullptr) return {};  // pairs with itself
    constexpr std::size_t kBytes = kPages * kPageBytes;
    void* const found =
        ::mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (found == MAP_FAILED) return fail(errno);
    std::uint8_t* none = nullptr;
    if (!base_.cas_acq_rel(none, static_cast<std::uint8_t*>(found))) (void)::munmap(found, kBytes);
    answer_faults_by(landing_of);
    return {};
  }
  // In a signal handler.
  static std::uintptr_t landing_of(std::uintptr_t instruction) {
    const CodeMemory& memory = instance();
    const auto base = reinterpret_cast<std::uintptr_t>(memory.base_.load_acquire());  // pairs with reserve
    const std::uintptr_t page = (instruction - base) / kPageBytes;
    if (base == 0 || page >= kPages) return 0;
    const CodeBlock* const block = memory.rows_[page].load_acquire();  // pairs with announce
    return block == nullptr || block == kTaken ? 0 : block->landing_of(instruction);
  }

  sync::Atomic<std::uint8_t*> base_;  // nullptr: nothing is reserved yet
  std::array<sync::Atomic<const CodeBlock*>, kPages> rows_;
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
