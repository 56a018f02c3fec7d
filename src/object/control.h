// SPDX-License-Identifier: Apache-2.0
// The bytes of a runtime: the control file, and the head of every object's state. See runtime.cc for the
// essay.
#pragma once
#include <cstddef>
#include <cstdint>

#include "object/runtime.h"
#include "shm/fingerprint.h"
#include "sync/participants.h"
#include "sync/robust_lock.h"
#include "sync/vcpu.h"

namespace portolan::object {

inline constexpr std::uint32_t kMaxObjects = 65536;
inline constexpr std::uint32_t kEntriesPerChunk = 1024;  // reserved together
inline constexpr std::uint32_t kKinds = 7;               // kinds are 1 … kKinds
inline constexpr std::uint32_t kMaxVcpus = 4096;

enum class EntryState : std::uint32_t { kFree = 0, kLive = 1, kDying = 2 };

inline constexpr std::uint32_t kUrefGone = 1;  // release_uref has been called since the last user went

// One object. Written under the object lock only; read without it through read_entry().
struct alignas(64) Entry {
  sync::Atomic<std::uint32_t> state;  // EntryState; the release store of kLive publishes the rest
  sync::Atomic<std::uint32_t> kind;
  sync::Atomic<std::uint32_t> id;
  sync::Atomic<std::uint32_t> flags;
  sync::Atomic<std::uint64_t> serial;  // never used twice in a runtime
  sync::Atomic<std::uint64_t> handle_inode;
  sync::Atomic<std::uint64_t> pin_inode;
  sync::Atomic<std::uint32_t> referrers;  // edges to this object; recomputed after a death under the lock
};
static_assert(sizeof(Entry) == 64);

struct Control {
  shm::Fingerprint fingerprint;
  std::uint64_t uuid[2];
  sync::RobustLock object_lock;
  sync::Atomic<std::uint64_t> next_serial;
  sync::Atomic<std::uint64_t> deaths;  // counts up with each object that goes: "look at your views"
  sync::Atomic<std::uint32_t> next_id[kKinds + 1];
  sync::Atomic<std::uint32_t> high_water;  // entries at and beyond it have never been used
  sync::Atomic<std::uint32_t> live;        // entries below it that are kLive; recomputed like `referrers`
  sync::Atomic<std::uint64_t> statistics;  // odd: somebody may want them (statistics.cc)
  sync::Atomic<std::uint32_t> came_round;  // bit K: ids of kind K were given out to the last, and begin anew
  alignas(4096) sync::ParticipantTable participants;
  alignas(4096) sync::VcpuSlot vcpus[kMaxVcpus];  // possible_cpus of them are reserved and used
  alignas(4096) Entry entries[kMaxObjects];
};

// A process's writable mappings of an object's user pages. A dead owner's row counts for nothing.
struct WriterRow {
  sync::Atomic<std::uint64_t> owner;  // Owner with thread 0
  sync::Atomic<std::uint64_t> count;
};
inline constexpr std::uint32_t kWriterRows = 32;

// At offset 0 of every state; the edges follow it, the payload follows them.
struct ObjectHeader {
  shm::Fingerprint fingerprint;
  std::uint64_t uuid[2];  // the runtime's
  std::uint64_t serial;
  std::uint32_t kind;
  std::uint32_t id;
  std::uint64_t payload_offset;
  std::uint32_t max_edges;
  std::uint32_t reserved;
  WriterRow writers[kWriterRows];
};
static_assert(sizeof(ObjectHeader) % alignof(std::uint64_t) == 0);

using EdgeWord = sync::Atomic<std::uint64_t>;  // kind << 32 | id; 0: none
inline constexpr std::uint32_t kMostEdges = 8 << 20;
inline constexpr std::uint64_t kEdgesOffset = sizeof(ObjectHeader);

constexpr std::uint64_t edge_word(Edge edge) {
  return std::uint64_t{static_cast<std::uint32_t>(edge.kind)} << 32 | edge.id;
}
constexpr Edge edge_of_word(std::uint64_t word) {
  return {static_cast<Kind>(word >> 32), static_cast<std::uint32_t>(word)};
}
constexpr bool is_kind(std::uint32_t kind) { return kind >= 1 && kind <= kKinds; }
constexpr std::uint32_t number(Kind kind) { return static_cast<std::uint32_t>(kind); }
constexpr shm::RegionKind region_kind(Kind kind) { return static_cast<shm::RegionKind>(number(kind) + 1); }

}  // namespace portolan::object
