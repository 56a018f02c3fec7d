// SPDX-License-Identifier: Apache-2.0
// The end of objects: who still uses one, what goes with it, and what a death in the middle left to be done.
#include <fmt/format.h>

#include <charconv>

#include "object/impl.h"
#include "sync/call_epoch.h"

namespace portolan::object {
namespace {

// "12-3-7": a draft of incarnation 3 of slot 12.
std::optional<sync::Owner> drafter(std::string_view name) {
  std::uint32_t part[2];
  for (std::uint32_t& value : part) {
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), value);
    if (error != std::errc{} || end == name.data() + name.size() || *end != '-') return {};
    name.remove_prefix(static_cast<std::size_t>(end + 1 - name.data()));
  }
  return sync::Owner(part[0], part[1], 0);
}

}  // namespace

// Under the object lock. From the store of kDying on the object is gone; the rest can be done again by
// repair().
Runtime::Impl::Burial Runtime::Impl::bury(const Found& found, std::vector<Edge>& orphans,
                                          std::span<const Edge> edges) {
  Entry& entry = control->entries[found.index];
  entry.state.store_release(static_cast<std::uint32_t>(EntryState::kDying));  // pairs with read_entry
  std::string grave = fmt::format("staging/dead-{}", found.serial);
  PORTOLAN_SEAM();
  (void)sys::renameat2(root.get(), object_path(found.kind, found.id).c_str(), root.get(), grave.c_str(), 0);
  for (const Edge& edge : edges) {
    count_referrer(edge, -1);
    orphans.push_back(edge);
  }
  const std::uint64_t death = control->deaths.load_relaxed() + 1;
  control->deaths.store_release(death);                                      // pairs with collect
  entry.state.store_release(static_cast<std::uint32_t>(EntryState::kFree));  // pairs with read_entry
  add_live(-1);
  return {std::move(grave), death};
}

void Runtime::Impl::settle_one(Edge object, std::vector<Edge>& work) {
  auto found = find(object.kind, object.id);
  if (!found) return;
  // Whoever is held or pinned now need not be locked for: what goes after this look is settled by whoever
  // lets it go.
  if (const auto use = use_of(*found); use && (*use == Use::kHeld || *use == Use::kPinned)) return;
  const auto self = participants->actor();
  if (!self) return;
  bool uref_went = false;
  std::optional<Burial> burial;
  locked(*self, [&] {
    found = find(object.kind, object.id);
    if (!found) return;
    const auto use = use_of(*found);
    if (use && *use == Use::kReferred) {
      uref_went = (control->entries[found->index].flags.load_relaxed() & kUrefGone) == 0;
      return;
    }
    const bool vanished = !use && use.error().value == ENOENT;  // somebody removed its files by hand
    if (!vanished && (!use || *use != Use::kNone)) return;
    const auto edges = edges_in_file(object_path(found->kind, found->id, "state"));
    if (!edges && !vanished && edges.error().value != EINVAL)
      return;  // no fd to read them with; another time
    burial = bury(*found, work, edges ? std::span<const Edge>(*edges) : std::span<const Edge>());
  });
  if (burial) {
    {
      ProcessLock lock;
      own_deaths.emplace(burial->death, found->serial);
    }
    remove_object(root.get(), burial->grave, object.kind);
  }
  if (uref_went) release_uref(*found);
}

// Called first, then noted: a death in between makes the next one who notices call it again.
void Runtime::Impl::release_uref(const Found& found) {
  sync::CallEpoch epoch;
  View* view = nullptr;
  {
    ProcessLock lock;
    if (auto made = view_of(found)) view = *made;
  }
  if (view == nullptr) return;                            // whoever can make one will call it
  if (view->releasing_.exchange_acq_rel(1) != 0) return;  // this process is at it
  view->release_uref();
  if (const auto self = participants->actor()) {
    locked(*self, [&] {
      const auto now = read_entry(found.index);
      if (!now || now->serial != found.serial) return;
      if (const auto use = use_of(*now); use && *use == Use::kReferred)
        control->entries[found.index].flags.store_relaxed(kUrefGone);
    });
  }
  view->releasing_.store_release(0);
}

// Under the object lock, whose owner died in it. Finishes burials, removes what was renamed but never made
// live, and counts referrers and the living anew.
void Runtime::Impl::repair() {
  const std::uint32_t end = entries_in_use();
  control->live.store_relaxed(0);
  for (std::uint32_t index = 0; index < end; ++index) {
    Entry& entry = control->entries[index];
    if (entry.state.load_relaxed() == static_cast<std::uint32_t>(EntryState::kLive)) add_live(+1);
    entry.referrers.store_relaxed(0);
    if (entry.state.load_relaxed() != static_cast<std::uint32_t>(EntryState::kDying)) continue;
    control->deaths.store_release(control->deaths.load_relaxed() + 1);         // pairs with collect
    entry.state.store_release(static_cast<std::uint32_t>(EntryState::kFree));  // pairs with read_entry
  }
  const auto names = names_in(root.get(), "objects");
  if (!names) return;
  for (const std::string& name : *names) {
    const auto object = parse_object_name(name);
    if (object && find(object->kind, object->id)) continue;
    const std::string grave =
        fmt::format("staging/dead-{}-{}", name, control->next_serial.fetch_add_relaxed(1) + 1);
    PORTOLAN_SEAM();
    (void)sys::renameat2(root.get(), ("objects/" + name).c_str(), root.get(), grave.c_str(), 0);
    (void)remove_tree(root.get(), grave);
  }
  for (std::uint32_t index = 0; index < end; ++index) {
    const auto found = read_entry(index);
    if (!found) continue;
    if (const auto edges = edges_in_file(object_path(found->kind, found->id, "state")))
      for (const Edge& edge : *edges) count_referrer(edge, +1);
  }
}

bool Runtime::has_users(const View& view) const {
  const auto found = impl_->find(view.kind(), view.id());
  if (!found) return false;
  const auto use = impl_->use_of(*found);
  return !use || *use == Use::kHeld || *use == Use::kPinned;
}

void Runtime::settle(Kind kind, std::uint32_t id) {
  if (!is_kind(number(kind))) return;
  std::vector<Edge> work{{kind, id}};
  while (!work.empty()) {
    const Edge next = work.back();
    work.pop_back();
    impl_->settle_one(next, work);
  }
  impl_->collect();
}

void Runtime::Impl::sweep_staging() {
  const auto names = names_in(root.get(), "staging");
  if (!names) return;
  for (const std::string& name : *names) {
    const auto owner = drafter(name);
    if (owner && participants->alive(*owner)) continue;
    (void)remove_tree(root.get(), "staging/" + name);
  }
}

void Runtime::sweep() {
  if (const auto self = actor()) {
    impl_->locked(*self, [] {});  // repairs, if somebody died inside
    impl_->vcpus->reclaim_dead(*self);
  }
  for (std::uint32_t index = 0; index < impl_->entries_in_use(); ++index)
    if (const auto found = impl_->read_entry(index)) settle(found->kind, found->id);
  impl_->sweep_staging();
  impl_->collect();
}

}  // namespace portolan::object
