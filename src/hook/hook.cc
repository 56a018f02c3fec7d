// SPDX-License-Identifier: Apache-2.0
// clang-format off
// The list of a hook: which programs are attached, in which order.
//
// Source        the kernel's bpf_mprog: two arrays, of which one is in use while the other is being filled, and RCU for
//               whoever may still be running what has left. Here one word says which array, and how long it is.
//
// Layout        Stored { key; bytes; lock; current; effective; banks[2]; above[]; path } (stored.h), and the edges
//               of the object.
//               current   version << 8 | members. The bank in use is the one of the version's lowest bit.
//               effective of a cgroup's: what its hosts look at instead, see hierarchy.cc
//               Bank      { revision, flags, rows[64] }; a row is a place | flags << 32
//               bytes     of a tracepoint: how much programs may write of what its first argument points to, or
//                         how long its record is
//               edge[p]   of a place p: the link or the program that is attached there; what keeps it alive, too.
//               A link's program is the link's own edge; so is that of a perf event, which takes one by ioctl(2).
//               A link to many probes is a member of each one's list, and knows them all (link.cc).
//               Of each process: a Snapshot, what it has made of one value of `current`: programs, ready to run.
//
// Invariants    I1 banks and edges change under `lock` only, and never the bank in use; I2 a listed place has an edge;
//               I3 `current` never has the same value twice (the version has 56 bits); I4 an edge whose place is not
//               listed is of something that left, or never came: whoever has the lock may clear it.
//
// Linearization attach, detach, replace: the store of `current` in commit(). A link's new program: the same, though its
//               edge changed before. A run: its load of `current` inside the vCPU's run.
//
// Why it holds  A run enters its vCPU, then loads `current`, and uses the snapshot of that very value (I3). Whoever
//               takes a program off stores `current`, then waits for quiescence: each run that may have loaded the old
//               value has ended when the call returns. A reader of a bank looks at `current` again: were the bank
//               filled anew meanwhile, the version would have moved before (the release fence in commit).
//               A snapshot that was replaced is freed when every call that may have loaded its pointer is over.
//
// Progress      run() with nothing attached is the host's one load. With a known list it takes no lock. edit() blocks for
//               the hook's lock and for programs that run; it holds the lock for a bounded number of stores.
//
// Crash table   killed …                        others see                  put right by
//               before the store of `current`   the old list; edges that    the next edit() clears them (I4)
//                                               are not listed
//               after it                        the new list; likewise      the same; runs in progress keep their views mapped
//               between a link's new edge and   the old program where it    repair (the lock's next holder): a new version
//               the store of `current`          is known already
//               the host                        a hook that nobody holds    find(), and every sweep: it goes, links come loose
//               the holder of a link's last fd  a link that only its hook   settle of the link (by id, in a sweep, in
//               (or a perf event's)             refers to                   settle_links, by the host): release_uref takes it off
// A host that runs a hook looks for dead holders after each 256 runs, when 100 ms have passed since it did so last.
// clang-format on
#include "hook/hook.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/sys.h"
#include "hook/link.h"
#include "hook/order.h"
#include "hook/probe_event.h"
#include "hook/stored.h"
#include "sync/quiescence.h"

namespace portolan::hook {
namespace {

constexpr std::uint64_t kMagic = 0x33'4b4f'4f48'4c54'50ull;  // "PTLHOOK3"
// More than members, so that what has left may keep its place until nobody runs it.
constexpr std::uint32_t kPlaces = 2 * kMostMembers;

constexpr std::uint32_t members_in(std::uint64_t current) {
  return std::min(static_cast<std::uint32_t>(current & 0xff), kMostMembers);
}
object::Edge target_of(const Member& member) {
  if (member.link_id != 0) return {object::Kind::kLink, member.link_id};
  if (member.event_id != 0) return {object::Kind::kPerfEvent, member.event_id};
  return {object::Kind::kProg, member.program_id};
}

// One process declares at a time, so that two do not make two hooks of one key.
class DeclarationLock {
 public:
  static Result<DeclarationLock> take(object::Runtime& runtime) {
    DeclarationLock lock;
    lock.file_.reset(TRY(sys::openat(runtime.directory_fd(), "hooks", O_RDWR | O_CREAT | O_CLOEXEC, 0600)));
    struct flock whole{};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    for (;;) {
      const auto locked = sys::fcntl_lock(lock.file_.get(), F_OFD_SETLKW, whole);
      if (locked) return lock;
      if (locked.error().value != EINTR) return fail(locked.error());
    }
  }

 private:
  UniqueFd file_;
};

}  // namespace

void wait_for_runs(object::Runtime& runtime) {
  const auto self = runtime.actor();
  if (!self) return;
  // A program that waited for others would have them wait for it.
  if (!runtime.vcpus().is_inside(*self)) sync::wait_quiescent(runtime.vcpus(), *self);
}

template <class Wanted>
Result<Hook*> Hook::find_if(object::Runtime& runtime, Wanted wanted) {
  std::uint32_t id = 0;
  for (;;) {
    id = TRY(runtime.next_id(object::Kind::kHook, id));
    const auto view = runtime.view_by_id(object::Kind::kHook, id);
    if (view && wanted(static_cast<Hook*>(*view)->key())) return static_cast<Hook*>(*view);
  }
}

void Hook::for_each(object::Runtime& runtime, const std::function<void(Hook&)>& body) {
  std::uint32_t id = 0;
  while (const auto next = runtime.next_id(object::Kind::kHook, id)) {
    id = *next;
    if (const auto view = runtime.view_by_id(object::Kind::kHook, id)) body(*static_cast<Hook*>(*view));
  }
}

Result<Hook*> Hook::find(object::Runtime& runtime, const Key& key) {
  return find_if(runtime, [&](const Key& one) { return one == key; });
}

bool Hook::is_place(object::Runtime& runtime, const Key& key) {
  Key wanted = key;
  return find_if(runtime,
                 [&](const Key& one) {
                   wanted.attach_type = one.attach_type;
                   return one == wanted;
                 })
      .has_value();
}

Result<Hook::Declared> Hook::declare(object::Runtime& runtime, const Key& key, const Details& details) {
  if (details.above.size() > kMostLevels) return fail(EINVAL);
  const DeclarationLock lock = TRY(DeclarationLock::take(runtime));
  sync::CallEpoch epoch;
  if (const auto there = find(runtime, key)) {
    auto fd = runtime.open_by_id(object::Kind::kHook, (*there)->id(), shm::Access::kReadWrite);
    if (fd) {
      if ((*there)->bytes() != details.bytes) return fail(EINVAL);
      (*there)->vouched_bytes_.store_relaxed(details.bytes);
      return Declared{*there, std::move(*fd)};
    }
    if (fd.error().value != ENOENT) return fail(fd.error());  // else its last host has just gone
  }
  const std::uint64_t size = sizeof(Stored) + details.path.size();
  object::Draft draft = TRY(runtime.draft(object::Kind::kHook, size, size, 0, kPlaces));
  auto* stored = draft.state.at<Stored>(draft.payload_offset);
  stored->key = key;
  stored->bytes = details.bytes;
  for (Bank& bank : stored->banks) bank.revision.store_relaxed(1);
  stored->levels = static_cast<std::uint32_t>(details.above.size());
  std::ranges::copy(details.above, stored->above);
  stored->path_bytes = static_cast<std::uint32_t>(details.path.size());
  std::ranges::copy(details.path,
                    draft.state.at<char>(draft.payload_offset + sizeof(Stored), details.path.size()));
  stored->magic = kMagic;  // publish() publishes it
  auto published = TRY(runtime.publish(std::move(draft), {}, shm::Access::kReadWrite));
  auto* const hook = static_cast<Hook*>(published.view);
  if (key.point == Point::kCgroup) hook->tell_hosts();
  hook->vouched_bytes_.store_relaxed(details.bytes);
  return Declared{hook, std::move(published.fd)};
}

Result<std::unique_ptr<object::View>> Hook::make(object::Mapped mapped) {
  auto* stored = mapped.state.at<Stored>(mapped.payload_offset);
  if (stored == nullptr || stored->magic != kMagic) return fail(EINVAL);
  const std::uint32_t size = stored->path_bytes;
  const char* const path = mapped.state.at<char>(mapped.payload_offset + sizeof(Stored), size);
  if (path == nullptr) return fail(EINVAL);
  return std::unique_ptr<object::View>(new Hook(std::move(mapped), stored, {path, size}));
}

Hook::Hook(object::Mapped mapped, Stored* stored, std::string_view path)
    : Attachments(std::move(mapped)),
      stored_(stored),
      current_(stored->key.point == Point::kCgroup ? &stored->effective : &stored->current),
      key_(stored->key),
      above_(stored->above, stored->above + std::min(stored->levels, kMostLevels)),
      path_(path) {
  key_.name[sizeof key_.name - 1] = '\0';
}

Hook::~Hook() { let_go(); }

void Hook::let_go() {
  delete snapshot_.exchange_acq_rel(nullptr);
  for (const Snapshot* old = retired_.exchange_acq_rel(nullptr); old != nullptr;) {
    const Snapshot* const next = old->next;
    delete old;
    old = next;
  }
}

std::uint32_t Hook::bytes() const { return stored_->bytes; }

// The low byte of `current`, on a little-endian machine.
const volatile std::uint8_t* Hook::attached() const {
  return reinterpret_cast<const volatile std::uint8_t*>(current_);
}

std::uint32_t Hook::program_of(object::Edge target) const {
  if (target.kind == object::Kind::kProg) return target.id;
  const auto view = runtime().view_by_id(target.kind, target.id);
  if (!view) return 0;
  if (target.kind == object::Kind::kLink) return static_cast<const Link*>(*view)->program_id();
  return target.kind == object::Kind::kPerfEvent ? ProbeEvent::program_id(**view) : 0;
}

List Hook::list() const {
  const auto places = object::Runtime::edge_places(*this);
  for (;;) {
    const std::uint64_t current = stored_->current.load_acquire();  // pairs with commit
    const Bank& bank = stored_->banks[version_of(current) & 1];
    List list;
    list.revision = bank.revision.load_relaxed();
    list.flags = bank.flags.load_relaxed();
    for (std::uint32_t i = 0; i < members_in(current); ++i) {
      const std::uint64_t row = bank.rows[i].load_relaxed();
      const auto place = static_cast<std::uint32_t>(row);
      if (place >= places.size()) continue;
      const std::uint64_t word = places[place].load_acquire();  // pairs with Runtime::replace_edge
      const object::Edge target{static_cast<object::Kind>(word >> 32), static_cast<std::uint32_t>(word)};
      list.members.push_back({.program_id = program_of(target),
                              .link_id = target.kind == object::Kind::kLink ? target.id : 0,
                              .flags = static_cast<std::uint32_t>(row >> 32),
                              .place = place,
                              .event_id = target.kind == object::Kind::kPerfEvent ? target.id : 0});
    }
    sync::fence_acquire();
    if (stored_->current.load_relaxed() == current) return list;
  }
}

void Hook::settle_links() {
  for (const Member& member : list().members) {
    const object::Edge target = target_of(member);
    if (target.kind != object::Kind::kProg) runtime().settle(target.kind, target.id);
  }
}

// Under the lock.
void Hook::commit(const List& list) {
  const std::uint64_t version = version_of(stored_->current.load_relaxed()) + 1;
  sync::fence_release();  // the stores below come after that of the version before; pairs with list()
  Bank& bank = stored_->banks[version & 1];
  bank.revision.store_relaxed(list.revision);
  bank.flags.store_relaxed(list.flags);
  for (std::size_t i = 0; i < list.members.size(); ++i)
    bank.rows[i].store_relaxed(list.members[i].place | std::uint64_t{list.members[i].flags} << 32);
  stored_->current.store_release(version << 8 | list.members.size());  // pairs with list() and run()
}

Result<void> Hook::give_places(List& list) {
  const auto places = object::Runtime::edge_places(*this);
  std::uint32_t place = 0;
  for (Member& member : list.members) {
    if (member.place != kNoPlace) continue;
    while (place < places.size() && places[place].load_relaxed() != 0) ++place;
    const auto before = runtime().replace_edge(*this, place, target_of(member));
    if (!before) return fail(before.error().value == ENOENT ? ENODEV : before.error().value);
    member.place = place;
  }
  return {};
}

bool Hook::has_unlisted(const List& list) const {
  const auto places = object::Runtime::edge_places(*this);
  const auto taken =
      std::count_if(places.begin(), places.end(), [](const auto& word) { return word.load_relaxed() != 0; });
  return static_cast<std::size_t>(taken) > list.members.size();
}

// Under the lock: I4.
void Hook::reap(const List& list, std::vector<object::Edge>& dropped) {
  const auto places = object::Runtime::edge_places(*this);
  for (std::uint32_t place = 0; place < places.size(); ++place) {
    const std::uint64_t word = places[place].load_relaxed();
    const auto is_here = [place](const Member& member) { return member.place == place; };
    if (word == 0 || std::any_of(list.members.begin(), list.members.end(), is_here)) continue;
    const auto kind = static_cast<object::Kind>(word >> 32);
    const auto cleared = runtime().replace_edge(*this, place, {object::Kind::kProg, 0});
    if (cleared && *cleared != 0) dropped.push_back({kind, *cleared});
  }
}

Result<void> Hook::edit(const std::function<Result<void>(List&)>& change) {
  const sync::Actor self = TRY(runtime().actor());
  std::vector<object::Edge> dropped;
  bool left = false;
  const auto try_change = [&]() -> Result<void> {
    List edited = list();
    reap(edited, dropped);
    TRY(change(edited));
    if (edited.members.size() > kMostMembers) return fail(E2BIG);
    TRY(give_places(edited));
    if (!edited.members.empty()) TRY(set_gate(true));
    commit(edited);
    if (edited.members.empty()) (void)set_gate(false);
    return {};
  };
  const Result<void> done = locked(self, [&] {
    const Result<void> changed = try_change();
    left = has_unlisted(list());
    return changed;
  });
  if (done) tell_hosts();
  if (left) {
    wait_for_runs(runtime());
    locked(self, [&] { reap(list(), dropped); });
  }
  for (const object::Edge& edge : dropped) runtime().settle(edge.kind, edge.id);
  if (key_.point == Point::kProgram) runtime().settle(object::Kind::kHook, id());  // its gate may be closed
  return done;
}

void Hook::check(shm::Findings& findings) const {
  const std::string where = fmt::format("hook{}", id());
  const std::uint64_t current = stored_->current.load_acquire();  // pairs with commit
  if ((current & 0xff) > kMostMembers)
    findings.corrupt(where, fmt::format("says that {} programs are attached", current & 0xff));
  for (const Member& member : list().members)
    if (member.program_id == 0)
      findings.corrupt(where, fmt::format("place {} is listed and has no program", member.place));
}

}  // namespace portolan::hook
