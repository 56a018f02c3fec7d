// SPDX-License-Identifier: Apache-2.0
// The processes that take part in a runtime, and whether they still live. See participants.cc for the essay.
#pragma once
#include <cstdint>

#include "base/result.h"
#include "sync/atomic.h"
#include "sync/owner.h"
#include "sync/process_generation.h"

namespace portolan::sync {

inline constexpr std::uint32_t kMaxParticipants = 4096;

// Lies in the control file of a runtime.
struct ParticipantSlot {
  Atomic<std::uint32_t> incarnation;  // counts up each time the slot is claimed
  Atomic<std::uint32_t>
      claimed;  // 1 from claim to a clean leave; a hint: the lock on the slot's file decides
};
struct ParticipantTable {
  ParticipantSlot slots[kMaxParticipants];
};

namespace detail {
struct Membership;
// Owner words of this thread, by instance: self() then costs a few loads.
struct ThreadOwner {
  std::uint64_t instance = 0;
  std::uint64_t generation = 0;
  Owner owner;
};
inline constexpr unsigned kThreadOwners = 4;
extern thread_local constinit ThreadOwner thread_owners[kThreadOwners]
    __attribute__((tls_model("initial-exec")));
}  // namespace detail

// This process's part in one runtime. Thread-safe. Joins lazily, at the first self(); after fork the child
// joins anew, under a slot of its own. Instances of one process for the same directory share one slot.
class Participants final : public Liveness {
 public:
  // `directory` is an open fd of the runtime's participants/ directory, kept by the caller for as long as
  // this lives; so is the mapping of `table`. Files in the directory must not be unlinked while the runtime
  // is in use.
  Participants(ParticipantTable& table, int directory);
  Participants(const Participants&) = delete;
  Participants& operator=(const Participants&) = delete;
  ~Participants()
      override;  // leaves the runtime, if this process had joined it and no other instance is left

  // The calling thread's owner word. EAGAIN: all slots are taken by living processes; other errors: the
  // slot's file cannot be made.
  Result<Owner> self() {
    const detail::ThreadOwner& cached = detail::thread_owners[instance_ % detail::kThreadOwners];
    if (cached.instance == instance_ && cached.generation == process_generation_if_made()) [[likely]]
      return cached.owner;
    return self_slow();
  }
  Result<Actor> actor() {
    const Result<Owner> owner = self();
    if (!owner) [[unlikely]]
      return fail(owner.error());
    return Result<Actor>(std::in_place, *owner, this);
  }

  // In this process it looks at the thread too: one that ended inside an operation is dead.
  bool alive(Owner owner) const override;
  // Whether any process other than this one lives in the runtime.
  bool others_alive() const;
  // The fd that holds this process's lock, or -1. If a client closed it the process would count as dead: the
  // shim keeps it from that.
  int lock_fd() const;

 private:
  Result<Owner> self_slow();
  Result<void> join(std::uint64_t generation);
  Result<bool> try_claim(std::uint32_t slot);
  bool locked_by_another(std::uint32_t slot) const;

  ParticipantTable& table_;
  int directory_;
  std::uint64_t instance_;
  detail::Membership* membership_;
};

}  // namespace portolan::sync
