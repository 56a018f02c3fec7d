// SPDX-License-Identifier: Apache-2.0
// What the files of this room share: the insides of a Runtime.
#pragma once
#include <map>
#include <mutex>
#include <unordered_map>

#include "object/control.h"
#include "object/directory.h"

namespace portolan::object {

// An entry as it stood at one moment.
struct Found {
  std::uint32_t index;
  Kind kind;
  std::uint32_t id;
  std::uint64_t serial;
  std::uint64_t handle_inode;
  std::uint64_t pin_inode;
};

// "objects/map7", "objects/map7/state" …, relative to the runtime's directory.
// Removes an object's directory, needing no fd for it as long as it holds what it should.
void remove_object(int root, const std::string& path, Kind kind);
std::optional<Edge> parse_object_name(std::string_view name);

// Guards what this process keeps to itself about its runtimes: views, limbo, the fd cache's writers.
// Re-entrant, since factories and View::release_uref may come back; taken before the object lock, never
// inside it; made whole at fork.
class ProcessLock {
 public:
  ProcessLock();
  ~ProcessLock();
  ProcessLock(const ProcessLock&) = delete;
  ProcessLock& operator=(const ProcessLock&) = delete;
};

enum class Use { kHeld, kPinned, kReferred, kNone };

struct Runtime::Impl {
  // --- table.cc: the table. Looking through it takes long where there are many objects: this process
  // remembers where it found what, and looks there first.
  std::optional<Found> read_entry(std::uint32_t index) const;
  std::optional<Found> find(Kind kind, std::uint32_t id) const;
  std::optional<Found> find_handle(std::uint64_t inode) const;
  std::optional<Found> find_pin(std::uint64_t inode) const;
  // The live object of the lowest id above that one.
  std::optional<Found> find_next(Kind kind, std::uint32_t after) const;
  std::uint32_t entries_in_use() const;
  // Both under the object lock. The entry counts as live once add_live() was told; not yet, if its owner
  // dies.
  Result<std::uint32_t> free_entry();
  void add_live(std::int32_t change) {
    control->live.store_relaxed(control->live.load_relaxed() + static_cast<std::uint32_t>(change));
  }
  Result<std::uint32_t> free_id(Kind kind);      // under the object lock
  void count_referrer(Edge target, int change);  // under the object lock
  Result<Use> use_of(const Found& found) const;
  Result<std::vector<Edge>> edges_in_file(const std::string& path) const;

  // Runs `body` under the object lock, repairing first what a dead owner left.
  template <class Body>
  auto locked(const sync::Actor& actor, Body&& body) {
    sync::RobustGuard guard(control->object_lock, actor, [&] { repair(); });
    return body();
  }

  // --- publish.cc
  struct Sizes {
    std::uint64_t payload, payload_reserved, user, user_reserved;
    std::uint32_t max_edges;
  };
  Result<Draft> build(Kind kind, const Sizes& sizes);

  // --- settle.cc
  void repair();  // under the object lock
  struct Burial {
    std::string grave;  // what is left of it, relative to the runtime's directory
    std::uint64_t death;
  };
  Burial bury(const Found& found, std::vector<Edge>& orphans, std::span<const Edge> edges);
  void settle_one(Edge object, std::vector<Edge>& work);
  void release_uref(const Found& found);
  void sweep_staging();

  // --- views.cc: call these under a ProcessLock
  Result<View*> view_of(const Found& found);
  Result<View*> make_view(Mapped mapped);
  Result<Mapped> map_object(const Found& found);
  bool still_lives(const View& view) const;
  void retire_dead(std::uint64_t deaths);
  void collect();  // takes away the views of what has died, and unmaps those that nobody uses any more
  void retire(std::unique_ptr<View> view);

  // --- fd_cache.cc
  Result<View*> view_of_handle(std::uint64_t inode);
  void forget_view(const View& view);

  struct Limbo {
    std::unique_ptr<View> view;
    std::uint64_t epoch;
  };

  Runtime* runtime = nullptr;
  std::string directory;
  UniqueFd root, bpffs, participants_fd;
  shm::Region control_region;
  Control* control = nullptr;
  std::uint64_t device = 0;
  std::unique_ptr<sync::Participants> participants;
  std::unique_ptr<sync::VcpuTable> vcpus;
  ViewFactory factories[kKinds + 1] = {};
  std::unique_ptr<Extension> extensions[static_cast<std::size_t>(Extended::kEnd)];

  std::map<std::uint64_t, std::unique_ptr<View>> views;  // by serial
  std::unordered_map<std::uint64_t, View*> by_handle;    // by the handle's inode
  std::vector<Limbo> limbo;
  std::uint64_t deaths_seen = 0, deaths_since_look = 0;
  std::map<std::uint64_t, std::uint64_t> own_deaths;  // by their number in `deaths`: serials
  using Places = std::unique_ptr<sync::Atomic<std::uint32_t>[]>;
  Places places = std::make_unique<sync::Atomic<std::uint32_t>[]>(kMaxObjects);  // by a hash of the name
  std::uint32_t free_from = 0;                     // entries below it were not free when this process looked
  sync::Atomic<std::uint64_t> statistics_seen_at;  // the timer tick in which they were found to be on
  std::uint32_t cached_fds_end = 0;                // fds at and beyond it are not in the cache
};

}  // namespace portolan::object
