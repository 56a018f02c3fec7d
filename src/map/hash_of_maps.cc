// SPDX-License-Identifier: Apache-2.0
// clang-format off
// A hash of maps: the shared table holds {id, place} for each key, and place of `references_` keeps that map
// alive.
//
// Invariants    I1 every element of the table has a place of its own, whose word says the element's id;
//               I2 places that no element has are empty, but for one while `references_lock` is held.
//               There is one place more than elements may be, so a new map finds room beside the one it
//               replaces.
//
// Writers take `references_lock`, one at a time. Put: the place's word, then the table's commit, then the old
// place is emptied. Delete: the table's commit, then the place is emptied. Linearization: the table's
// commits. Readers take no lock: the id in the element says which map it is, the place only where to look it
// up.
//
// Crash table   killed …                                others see            who repairs
//               between a place's word and the table    the old element       the lock's next owner empties every
//               between the table and the old place     the new element       place that no element has: until then
//                                                                             a map lives longer than it should
// clang-format on
#include "map/hash_of_maps.h"

#include <vector>

#include "map/scratch.h"

namespace portolan::map {

using namespace abi::element_flag;

Result<void> HashOfMapsMap::alloc_check(const MapSpec& spec, std::uint32_t) {
  if (spec.value_size != sizeof(std::uint32_t)) return fail(EINVAL);
  return check_sizes(spec);
}

Result<Layout> HashOfMapsMap::layout(const MapSpec& spec) {
  Layout layout = TRY(layout_of(spec, shape_of(spec, sizeof(Value))));
  if (spec.max_entries >= kMostReferences) return fail(ENOMEM);
  layout.max_edges = References::edges(spec.max_entries + 1);
  return layout;
}

void HashOfMapsMap::format(const shm::Region& region, std::uint64_t offset, const MapSpec& spec) {
  ds::HashTable::format(region, offset, shape_of(spec, sizeof(Value)));
}

Result<std::unique_ptr<Map>> HashOfMapsMap::attach(object::Mapped mapped, MapHeader* header) {
  TRY(attachable(mapped, shape_of(header->spec, sizeof(Value))));
  return std::make_unique<HashOfMapsMap>(std::move(mapped), header);
}

template <class Body>
auto HashOfMapsMap::locked(const sync::Actor& actor, Body&& body) {
  const sync::RobustGuard guard(header().references_lock, actor, [&] { repair(); });
  return body();
}

void HashOfMapsMap::repair() {
  std::vector<bool> is_used(references_.count());
  Value value;
  for (std::uint32_t cursor = ds::HashTable::kBegin; table().next(cursor, nullptr, &value);)
    if (value.place < is_used.size()) is_used[value.place] = true;
  for (std::uint32_t place = 0; place < is_used.size(); ++place)
    if (!is_used[place] && references_.id_at(place) != 0) (void)references_.exchange(place, 0);
}

Result<HashOfMapsMap::Value> HashOfMapsMap::find(const std::byte* key) const {
  Value value;
  if (!table().lookup(key, &value)) return fail(ENOENT);
  return value;
}

Result<std::uint32_t> HashOfMapsMap::free_place() const {
  const std::uint32_t count = references_.count(), hint = header().place_hint.load_relaxed();
  for (std::uint32_t step = 0; step < count; ++step) {
    const auto place = static_cast<std::uint32_t>((std::uint64_t{hint} + step) % count);
    if (references_.id_at(place) == 0) return place;
  }
  return fail(E2BIG);
}

Result<void> HashOfMapsMap::lookup_elem_copy(const std::byte* key, std::byte* value, std::uint64_t) {
  const Value found = TRY(find(key));
  std::memcpy(value, &found.id, sizeof found.id);
  return {};
}

// The map that must be released, or 0.
Result<std::uint32_t> HashOfMapsMap::put(const sync::Actor& actor, const std::byte* key, std::uint32_t id,
                                         std::uint64_t flags) {
  const auto old = find(key);
  if (old && (flags & kNoExist) != 0) return fail(EEXIST);
  if (!old && (flags & kExist) != 0) return fail(ENOENT);
  if (!old && table().count() >= max_entries()) return fail(E2BIG);
  const Value fresh{id, TRY(free_place())};
  const auto taken = references_.exchange(fresh.place, id);
  if (!taken) return fail(taken.error().value == ENOENT ? EBADF : taken.error().value);
  const auto done = mutable_table().update(actor, key, &fresh, ds::Insert::kAny);
  if (!done) {
    (void)references_.exchange(fresh.place, 0);
    return fail(done.error());
  }
  header().place_hint.store_relaxed(old ? old->place : fresh.place + 1);
  return old ? references_.exchange(old->place, 0) : 0;
}

Result<void> HashOfMapsMap::update_elem_copy(const std::byte* key, const std::byte* value,
                                             std::uint64_t flags) {
  const std::uint32_t id = TRY(fd_get_ptr(load_unaligned<int>(value)));
  if ((flags & ~kLock) > kExist) return fail(EINVAL);
  const sync::Actor actor = TRY(runtime().actor());
  const Result<std::uint32_t> before = locked(actor, [&] { return put(actor, key, id, flags); });
  if (!before) return fail(before.error());
  references_.release(*before);
  return {};
}

Result<void> HashOfMapsMap::erase(const sync::Actor& actor, const std::byte* key, std::byte* value) {
  Value gone{};
  const Result<std::uint32_t> id = locked(actor, [&]() -> Result<std::uint32_t> {
    TRY(mutable_table().erase(actor, key, &gone));
    header().place_hint.store_relaxed(gone.place);
    return references_.exchange(gone.place, 0);
  });
  if (!id) return fail(id.error());
  if (value != nullptr) std::memcpy(value, &gone, sizeof gone);
  references_.release(*id);
  return {};
}

std::byte* HashOfMapsMap::lookup_elem(const std::byte* key, std::uint32_t) {
  const auto found = find(key);
  if (!found) return nullptr;
  return reinterpret_cast<std::byte*>(static_cast<Map*>(references_.find(found->place, found->id)));
}

void HashOfMapsMap::check(shm::Findings& findings) const {
  HashBase::check(findings);
  std::vector<bool> is_used(references_.count());
  Value value;
  for (std::uint32_t cursor = ds::HashTable::kBegin; table().next(cursor, nullptr, &value);) {
    if (value.place >= is_used.size() || is_used[value.place] || references_.id_at(value.place) != value.id)
      findings.corrupt(where(), "an element does not keep its map");
    else
      is_used[value.place] = true;
  }
  for (std::uint32_t place = 0; place < is_used.size(); ++place)
    if (!is_used[place] && references_.id_at(place) != 0)
      findings.note(where(), "a map is kept for an element that is gone");
}

}  // namespace portolan::map
