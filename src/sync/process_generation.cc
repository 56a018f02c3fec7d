// SPDX-License-Identifier: Apache-2.0
#include "sync/process_generation.h"

#include <pthread.h>
#include <sys/mman.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/sys.h"

namespace portolan::sync {
namespace {

// Copied into the child as it is, unlike the page: so the child counts on from its parent's number.
constinit Atomic<std::uint64_t> last_generation;

// Only for kernels or sandboxes without MADV_WIPEONFORK: sees fork(3), not a raw clone(2).
void forget_in_child() {
  if (auto* word = detail::generation_word.load_acquire())
    word->store_relaxed(0);  // pairs with make_generation_word
}

Atomic<std::uint64_t>* make_generation_word() {
  auto mapped = sys::mmap(nullptr, kPageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  PORTOLAN_ASSERT(mapped);  // a process without one free page cannot start to work
  (void)sys::madvise(*mapped, kPageSize, MADV_WIPEONFORK);
  auto* fresh = new (*mapped) Atomic<std::uint64_t>;
  Atomic<std::uint64_t>* nobodys = nullptr;
  if (detail::generation_word.cas_acq_rel(nobodys, fresh)) {  // pairs with process_generation
    ::pthread_atfork(nullptr, nullptr, forget_in_child);
    return fresh;
  }
  (void)sys::munmap(*mapped, kPageSize);
  return nobodys;
}

}  // namespace

namespace detail {

constinit Atomic<Atomic<std::uint64_t>*> generation_word;

std::uint64_t make_process_generation() {
  Atomic<std::uint64_t>* word = generation_word.load_acquire();  // pairs with make_generation_word
  if (word == nullptr) word = make_generation_word();
  std::uint64_t seen = 0;
  const std::uint64_t fresh = last_generation.fetch_add_relaxed(1) + 1;
  return word->cas_acq_rel(seen, fresh) ? fresh : seen;
}

}  // namespace detail
}  // namespace portolan::sync
