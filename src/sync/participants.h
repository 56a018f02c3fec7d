// SPDX-License-Identifier: Apache-2.0
// The processes that take part in a runtime, and whether they still live. See participants.cc for the essay.
#pragma once
#include <memory>

#include "base/result.h"
#include "base/unique_fd.h"
#include "sync/atomic.h"
#include "sync/owner.h"

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

// This process's part in one runtime. Thread-safe. Joins lazily, at the first self(); after fork the child
// joins anew, under a slot of its own.
class Participants final : public Liveness {
 public:
  // `directory` is an open fd of the runtime's participants/ directory, kept by the caller for as long as
  // this lives.
  Participants(ParticipantTable& table, int directory);
  ~Participants() override;  // leaves the runtime, if this process had joined it

  // The calling thread's owner word. EAGAIN: all slots are taken by living processes; other errors: the
  // slot's file cannot be made.
  Result<Owner> self();
  Result<Actor> actor() { return Actor{TRY(self()), this}; }

  bool alive(Owner owner) const override;
  // Whether any process other than this one lives in the runtime.
  bool others_alive() const;
  // The fd that holds this process's lock, or -1. If a client closed it the process would count as dead: the
  // shim keeps it from that.
  int lock_fd() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace portolan::sync
