// SPDX-License-Identifier: Apache-2.0
// Participants: who takes part in a runtime, proved by a lock that the kernel drops at death.
//
// Layout       ParticipantTable in the control region: per slot an incarnation and a `claimed` hint. Per slot
// a file
//              participants/<slot>, on which the owner holds a POSIX (F_SETLK) write lock.
// Why POSIX    OFD locks are inherited over fork: an idle child would keep a dead owner alive. POSIX locks
// belong to
//              the process, go with it, and are visible across pid namespaces. Their trap: closing *any*
//              descriptor of the file drops the lock, so a process never opens its own file a second time.
// Invariants   a slot's incarnation changes only while its file's lock is held by the one who claims it; an
// Owner word is
//              alive exactly while its slot has its incarnation and the file is locked.
// Linearization joining: the increment of the incarnation. Death: the kernel's drop of the lock.
// fork         the child owns nothing: a page that the kernel wipes on fork says so, and the child joins
// anew. Crash table  killed before the lock: nothing. After the lock, before the increment: the slot's old
// incarnation may look
//              alive for that moment; the lock goes with the process. After the increment: claimed stays 1 (a
//              hint), the lock is gone: alive() says dead, and the slot is claimed again when no unclaimed
//              one is left.
#include "sync/participants.h"

#include <pthread.h>
#include <sys/mman.h>

#include <cstdio>
#include <mutex>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/sys.h"

namespace portolan::sync {
namespace {

// Counts up in the child at fork, also at a raw clone: the page behind it reads as zero there.
struct ForkPage {
  Atomic<std::uint64_t> generation;  // 0 right after fork
};
Atomic<std::uint64_t> generations;

ForkPage* fork_page() {
  static ForkPage* page = [] {
    void* memory = *sys::mmap(nullptr, kPageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)sys::madvise(memory, kPageSize, MADV_WIPEONFORK);
    return new (memory) ForkPage;
  }();
  return page;
}

// A number that is the same as long as this is the same process.
std::uint64_t process_generation() {
  ForkPage* page = fork_page();
  std::uint64_t generation = page->generation.load_relaxed();
  if (generation != 0) [[likely]]
    return generation;
  const std::uint64_t fresh = generations.fetch_add_relaxed(1) + 1;
  return page->generation.cas_acq_rel(generation, fresh) ? fresh : generation;
}

Atomic<std::uint64_t> instances;

struct ThreadCache {
  std::uint64_t instance = 0;
  std::uint64_t generation = 0;
  Owner owner;
};
thread_local constinit ThreadCache thread_cache __attribute__((tls_model("initial-exec")));

struct SlotName {
  explicit SlotName(std::uint32_t slot) { std::snprintf(text, sizeof text, "%u", slot); }
  char text[12];
};

struct ::flock whole_file(short type) {
  struct ::flock lock{};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

}  // namespace

struct Participants::Impl {
  Impl(ParticipantTable& shared, int fd) : table(shared), directory(fd) {}

  Result<void> join(std::uint64_t generation);
  Result<bool> try_claim(std::uint32_t candidate);

  ParticipantTable& table;
  int directory;
  std::uint64_t instance = instances.fetch_add_relaxed(1) + 1;
  std::mutex mutex;
  Atomic<std::uint64_t> joined_generation;  // 0: not joined
  std::uint32_t slot = 0;
  std::uint32_t incarnation = 0;
  UniqueFd file;
};

Participants::Participants(ParticipantTable& table, int directory)
    : impl_(std::make_unique<Impl>(table, directory)) {
  process_generation();
}

Participants::~Participants() {
  if (impl_->joined_generation.load_acquire() == process_generation())
    impl_->table.slots[impl_->slot].claimed.store_release(0);  // a hint; pairs with nothing
}

Result<bool> Participants::Impl::try_claim(std::uint32_t candidate) {
  UniqueFd claimed(
      TRY(sys::openat(directory, SlotName(candidate).text, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)));
  if (auto high = sys::fcntl(claimed.get(), F_DUPFD_CLOEXEC, 700); high) claimed.reset(*high);
  auto lock = whole_file(F_WRLCK);
  if (auto locked = sys::fcntl_lock(claimed.get(), F_SETLK, lock); !locked) {
    const int error = locked.error().value;
    if (error == EAGAIN || error == EACCES) return false;
    return fail(error);
  }
  file = std::move(claimed);
  slot = candidate;
  incarnation = (table.slots[candidate].incarnation.fetch_add_acq_rel(1) + 1) & 0xff'ffff;
  table.slots[candidate].claimed.store_release(1);
  return true;
}

Result<void> Participants::Impl::join(std::uint64_t generation) {
  std::lock_guard lock(mutex);
  if (joined_generation.load_relaxed() == generation) return {};
  const bool inherited = joined_generation.load_relaxed() != 0;
  const std::uint32_t parents = slot;
  if (inherited) file.reset();  // the parent's lock is not ours to drop, and closing our copy does not
  for (int pass = 0; pass < 2; ++pass)
    for (std::uint32_t candidate = 0; candidate < kMaxParticipants; ++candidate) {
      if (inherited && candidate == parents) continue;
      if (pass == 0 && table.slots[candidate].claimed.load_relaxed() != 0) continue;
      if (TRY(try_claim(candidate))) {
        joined_generation.store_release(generation);  // pairs with self(), lock_fd()
        return {};
      }
    }
  return fail(EAGAIN);
}

Result<Owner> Participants::self() {
  const std::uint64_t generation = process_generation();
  ThreadCache& cache = thread_cache;
  if (cache.instance == impl_->instance && cache.generation == generation) [[likely]]
    return cache.owner;
  if (impl_->joined_generation.load_acquire() != generation) TRY(impl_->join(generation));
  cache = {impl_->instance, generation,
           Owner(impl_->slot, impl_->incarnation, static_cast<std::uint32_t>(sys::gettid()))};
  return cache.owner;
}

bool Participants::alive(Owner owner) const {
  if (owner.slot() >= kMaxParticipants) return false;
  if (impl_->joined_generation.load_acquire() == process_generation() && owner.slot() == impl_->slot)
    return owner.incarnation() == impl_->incarnation;
  const ParticipantSlot& slot = impl_->table.slots[owner.slot()];
  if ((slot.incarnation.load_acquire() & 0xff'ffff) != owner.incarnation()) return false;
  auto fd = sys::openat(impl_->directory, SlotName(owner.slot()).text, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (!fd) return fd.error().value != ENOENT;
  UniqueFd file(*fd);
  auto lock = whole_file(F_WRLCK);
  if (!sys::fcntl_lock(file.get(), F_GETLK, lock)) return true;
  return lock.l_type != F_UNLCK;
}

bool Participants::others_alive() const {
  for (std::uint32_t slot = 0; slot < kMaxParticipants; ++slot) {
    const ParticipantSlot& entry = impl_->table.slots[slot];
    if (entry.claimed.load_acquire() == 0) continue;
    if (impl_->joined_generation.load_acquire() == process_generation() && slot == impl_->slot) continue;
    if (alive(Owner(slot, entry.incarnation.load_acquire(), 1))) return true;
  }
  return false;
}

int Participants::lock_fd() const {
  return impl_->joined_generation.load_acquire() == process_generation() ? impl_->file.get() : -1;
}

}  // namespace portolan::sync
