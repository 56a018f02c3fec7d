// SPDX-License-Identifier: Apache-2.0
// Participants: who takes part in a runtime, proved by a lock that the kernel drops at death.
//
// Source        the lock files of many daemons, and LMDB's reader table: claim with an identity first, and
// let the
//               kernel, not a heartbeat, say who has died.
//
// Layout        ParticipantTable { slots[4096] { u32 incarnation; u32 claimed; } }    in the control region
//               participants/<slot>      a file on which the slot's owner holds a POSIX (F_SETLK) write lock
//               Membership { slot, incarnation, lock_fd }                             in this process
//
// Why POSIX     OFD locks are inherited over fork: an idle child would keep a dead owner alive. POSIX locks
// belong to
//               the process, go with it, and are seen across pid namespaces. Their traps, and what is done:
//               - closing *any* descriptor of the file drops the lock, so this process never opens its own
//               slot's
//                 file a second time, and all instances for one directory share one slot (membership.h);
//               - F_GETLK does not show a process its own locks, so one's own slot is answered from memory.
//
// Invariants    I1 a slot's incarnation changes only under its file's lock, by the one who has just got it;
//               I2 an owner lives only while its slot has its incarnation and the file is locked;
//               I3 `claimed` is 1 while the file is locked, but for the moments at the ends; a hint for the
//               search.
//
// Linearization join: the increment of the incarnation. Leave and death: the drop of the lock.
//
// Progress      self() after the first call: a few loads. Joining: blocks on other threads of this process
// only; tries
//               each slot at most twice. alive(): four system calls and no waiting.
//
// fork          The child has the parent's memory and descriptors, but none of its locks. A page that the
// kernel wipes
//               in children (process_generation.h) says so, and the first self() in the child joins anew. The
//               inherited copy of lock_fd is left open until exec: in a child made by clone(CLONE_FILES) its
//               close would drop the parent's lock. A vfork child shares memory and generation, may call
//               nothing but exec and _exit, and has a descriptor table of its own. exec closes the file and
//               so leaves: another program stands for another participant.
//
// Crash table   killed …                         others see                              repaired by
//               before the lock is had           nothing                                 –
//               after it, before claimed = 1     an unclaimed, unlocked slot             –
//               after that, before incarnation   claimed, unlocked: dead; the former     the next that finds
//               no
//                                                owner of the slot was dead already      unclaimed slot
//               after the increment              claimed, unlocked: dead                 the same
//               in leave, after claimed = 0      an unclaimed, unlocked slot             –
//               Between lock and increment alive() may say "alive" of the slot's former, dead owner. That is
//               doubt, which Liveness allows: who waits will ask again.
#include "sync/participants.h"

#include <signal.h>

#include <charconv>
#include <utility>

#include "base/sys.h"
#include "base/unique_fd.h"
#include "sync/membership.h"

namespace portolan::sync {
namespace {

constexpr std::uint32_t kIncarnationMask = 0xff'ffff;  // as much as an Owner word holds
constinit Atomic<std::uint64_t> last_instance;

struct SlotName {
  explicit SlotName(std::uint32_t slot) { *std::to_chars(text, text + sizeof text - 1, slot).ptr = '\0'; }
  char text[12];
};

struct ::flock write_lock_on_whole_file() {
  struct ::flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

bool thread_has_ended(std::uint32_t thread) {
  return sys::call(SYS_tgkill, sys::getpid(), static_cast<long>(thread), 0) == -ESRCH;
}

}  // namespace

namespace detail {
thread_local constinit ThreadOwner thread_owners[kThreadOwners];
}  // namespace detail

Participants::Participants(ParticipantTable& table, int directory)
    : table_(table),
      directory_(directory),
      instance_(last_instance.fetch_add_relaxed(1) + 1),
      membership_(detail::take_membership(directory)) {
  (void)process_generation();  // from now on a fork is noticed
}

Participants::~Participants() {
  const detail::MembershipsLock lock;
  if (--membership_->instances != 0) return;
  const bool joined = membership_->joined();
  membership_->joined_generation.store_relaxed(0);
  if (!joined) return;
  table_.slots[membership_->slot].claimed.store_release(0);  // a hint; pairs with join
  (void)sys::close(std::exchange(membership_->lock_fd, -1));
}

Result<Owner> Participants::self_slow() {
  const std::uint64_t generation = process_generation();
  if (!membership_->joined()) TRY(join(generation));
  detail::ThreadOwner& cached = detail::thread_owners[instance_ % detail::kThreadOwners];
  cached = {instance_, generation,
            Owner(membership_->slot, membership_->incarnation, static_cast<std::uint32_t>(sys::gettid()))};
  return cached.owner;
}

// True if the slot was free and is now this process's. The first pass takes slots that nobody claims; the
// second those whose owner died.
Result<bool> Participants::try_claim(std::uint32_t slot) {
  UniqueFd file = raised(UniqueFd(
      TRY(sys::openat(directory_, SlotName(slot).text, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600))));
  auto lock = write_lock_on_whole_file();
  if (auto locked = sys::fcntl_lock(file.get(), F_SETLK, lock); !locked) {
    const int error = locked.error().value;
    if (error == EAGAIN || error == EACCES) return false;
    return fail(error);
  }
  ParticipantSlot& entry = table_.slots[slot];
  entry.claimed.store_release(1);  // pairs with join, others_alive
  membership_->slot = slot;
  membership_->incarnation =
      (entry.incarnation.fetch_add_acq_rel(1) + 1) & kIncarnationMask;  // pairs with alive
  membership_->lock_fd = file.release();
  return true;
}

Result<void> Participants::join(std::uint64_t generation) {
  const detail::MembershipsLock lock;
  if (membership_->joined()) return {};
  const bool inherited = membership_->joined_generation.load_relaxed() != 0;
  const std::uint32_t parents = membership_->slot;
  int error = EAGAIN;
  for (const std::uint32_t claimed : {0u, 1u})
    for (std::uint32_t slot = 0; slot < kMaxParticipants; ++slot) {
      if (inherited && slot == parents) continue;
      if (claimed == 0 && table_.slots[slot].claimed.load_acquire() != 0) continue;  // pairs with try_claim
      const Result<bool> got = try_claim(slot);
      if (got && *got) {
        membership_->joined_generation.store_release(generation);  // pairs with Membership::joined
        return {};
      }
      if (got) continue;
      error = got.error().value;
      if (error != EACCES && error != EPERM) return fail(error);  // another user's file: try the next
    }
  return fail(error);
}

bool Participants::locked_by_another(std::uint32_t slot) const {
  auto opened = sys::openat(directory_, SlotName(slot).text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (!opened) return opened.error().value != ENOENT;
  const UniqueFd file(*opened);
  auto lock = write_lock_on_whole_file();
  if (!sys::fcntl_lock(file.get(), F_GETLK, lock)) return true;
  return lock.l_type != F_UNLCK;
}

bool Participants::alive(Owner owner) const {
  if (owner.slot() >= kMaxParticipants) return false;
  if (membership_->joined() && owner.slot() == membership_->slot)
    return owner.incarnation() == membership_->incarnation && !thread_has_ended(owner.thread());
  const std::uint32_t incarnation =
      table_.slots[owner.slot()].incarnation.load_acquire();  // pairs with try_claim
  return (incarnation & kIncarnationMask) == owner.incarnation() && locked_by_another(owner.slot());
}

bool Participants::others_alive() const {
  const bool joined = membership_->joined();
  for (std::uint32_t slot = 0; slot < kMaxParticipants; ++slot) {
    if (joined && slot == membership_->slot) continue;
    if (table_.slots[slot].claimed.load_acquire() != 0 && locked_by_another(slot))
      return true;  // pairs with try_claim
  }
  return false;
}

int Participants::lock_fd() const { return membership_->joined() ? membership_->lock_fd : -1; }

}  // namespace portolan::sync
