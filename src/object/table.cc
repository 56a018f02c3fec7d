// SPDX-License-Identifier: Apache-2.0
// The object table: finding entries, giving out entries and ids, counting referrers.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <climits>

#include "object/impl.h"

namespace portolan::object {
namespace {

constexpr const char* kKindWords[kKinds + 1] = {"", "map", "prog", "btf", "link", "perf", "hook", "iter"};

}  // namespace

const char* handle_name(Kind kind) {
  switch (kind) {
    case Kind::kMap:
      return "bpf-map";
    case Kind::kProg:
      return "bpf-prog";
    case Kind::kBtf:
      return "btf";
    case Kind::kLink:
      return "bpf-link";
    case Kind::kPerfEvent:
      return "perf_event";
    case Kind::kHook:
      return "hook";
    case Kind::kIterator:
      return "bpf_iter";
  }
  return "bpf-object";
}

std::string object_path(Kind kind, std::uint32_t id, const char* file) {
  std::string path = fmt::format("objects/{}{}", kKindWords[number(kind)], id);
  return file == nullptr ? path : path + "/" + file;
}

void remove_object(int root, const std::string& path, Kind kind) {
  for (const char* file : {"state", handle_name(kind), "pin"}) {
    PORTOLAN_SEAM();
    (void)sys::unlinkat(root, (path + "/" + file).c_str(), 0);
  }
  PORTOLAN_SEAM();
  if (!sys::unlinkat(root, path.c_str(), AT_REMOVEDIR)) (void)remove_tree(root, path);
}

std::optional<Edge> parse_object_name(std::string_view name) {
  for (std::uint32_t kind = 1; kind <= kKinds; ++kind) {
    if (!name.starts_with(kKindWords[kind])) continue;
    std::string_view digits = name.substr(std::string_view(kKindWords[kind]).size());
    std::uint32_t id = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
    if (error == std::errc{} && end == digits.data() + digits.size())
      return Edge{static_cast<Kind>(kind), id};
  }
  return {};
}

std::uint32_t Runtime::Impl::entries_in_use() const {
  return std::min(control->high_water.load_acquire(), kMaxObjects);  // pairs with free_entry
}

std::optional<Found> Runtime::Impl::read_entry(std::uint32_t index) const {
  const Entry& entry = control->entries[index];
  const auto live = static_cast<std::uint32_t>(EntryState::kLive);
  if (entry.state.load_acquire() != live) return {};  // pairs with publish
  const std::uint32_t kind = entry.kind.load_relaxed();
  const Found found{index,
                    static_cast<Kind>(kind),
                    entry.id.load_relaxed(),
                    entry.serial.load_relaxed(),
                    entry.handle_inode.load_relaxed(),
                    entry.pin_inode.load_relaxed()};
  sync::fence_acquire();
  // The entry may have been freed and filled again meanwhile; a serial is never used twice.
  if (entry.state.load_relaxed() != live || entry.serial.load_relaxed() != found.serial || !is_kind(kind))
    return {};
  return found;
}

namespace {

std::size_t place_of(std::uint64_t name) { return (name * 0x9e37'79b9'7f4a'7c15ull) >> 48; }
static_assert(kMaxObjects == 1u << 16);

// A name is an edge word, or an inode.
template <class Wanted>
std::optional<Found> find_by(const Runtime::Impl& impl, std::uint64_t name, Wanted wanted) {
  sync::Atomic<std::uint32_t>& place = impl.places[place_of(name)];
  const std::uint32_t end = impl.entries_in_use();
  const auto look_at = [&](std::uint32_t index) -> std::optional<Found> {
    const Entry& entry = impl.control->entries[index];
    if (!wanted(entry)) return {};
    auto found = impl.read_entry(index);
    return found && wanted(entry) ? found : std::nullopt;
  };
  if (const std::uint32_t last = place.load_relaxed(); last < end)
    if (auto found = look_at(last)) return found;
  for (std::uint32_t index = 0; index < end; ++index) {
    auto found = look_at(index);
    if (!found) continue;
    place.store_relaxed(index);
    return found;
  }
  return {};
}

}  // namespace

std::optional<Found> Runtime::Impl::find(Kind kind, std::uint32_t id) const {
  return find_by(*this, edge_word({kind, id}), [&](const Entry& entry) {
    return entry.id.load_relaxed() == id && entry.kind.load_relaxed() == number(kind);
  });
}

std::optional<Found> Runtime::Impl::find_handle(std::uint64_t inode) const {
  return find_by(*this, inode,
                 [&](const Entry& entry) { return entry.handle_inode.load_relaxed() == inode; });
}

std::optional<Found> Runtime::Impl::find_pin(std::uint64_t inode) const {
  return find_by(*this, inode, [&](const Entry& entry) { return entry.pin_inode.load_relaxed() == inode; });
}

// Mostly it is the very next id, and where that lies is known since the last look through all.
std::optional<Found> Runtime::Impl::find_next(Kind kind, std::uint32_t after) const {
  const std::uint32_t end = entries_in_use(), next = after + 1;
  if (const std::uint32_t index = places[place_of(edge_word({kind, next}))].load_relaxed(); index < end) {
    const auto found = read_entry(index);
    if (found && found->kind == kind && found->id == next) return found;
  }
  std::optional<Found> lowest;
  for (std::uint32_t index = 0; index < end; ++index) {
    const auto found = read_entry(index);
    if (!found || found->kind != kind || found->id <= after) continue;
    places[place_of(edge_word({kind, found->id}))].store_relaxed(index);
    if (!lowest || found->id < lowest->id) lowest = found;
  }
  return lowest;
}

Result<std::uint32_t> Runtime::Impl::free_entry() {
  const std::uint32_t end = entries_in_use();
  if (control->live.load_relaxed() < end || end == kMaxObjects) {
    for (std::uint32_t i = 0; i < end; ++i) {
      const std::uint32_t index = free_from + i < end ? free_from + i : free_from + i - end;
      if (control->entries[index].state.load_relaxed() != static_cast<std::uint32_t>(EntryState::kFree))
        continue;
      free_from = index + 1;
      return index;
    }
  }
  if (end == kMaxObjects) return fail(ENOMEM);
  if (end % kEntriesPerChunk == 0)
    TRY(control_region.reserve(offsetof(Control, entries) + end * sizeof(Entry),
                               kEntriesPerChunk * sizeof(Entry)));
  control->high_water.store_release(end + 1);  // pairs with entries_in_use
  return end;
}

// As idr_alloc_cyclic(…, 1, INT_MAX): the next one that is free, from the first again after the last.
Result<std::uint32_t> Runtime::Impl::free_id(Kind kind) {
  constexpr std::uint32_t kLast = INT_MAX - 1;
  const std::uint32_t first = kind == Kind::kBtf ? kKernelBtfId + 1 : 1;
  const std::uint32_t round = 1u << number(kind);
  std::uint32_t id = control->next_id[number(kind)].load_relaxed();
  for (std::uint32_t tries = 0; tries <= kMaxObjects; ++tries, ++id) {
    if (id > kLast) control->came_round.store_relaxed(control->came_round.load_relaxed() | round);
    if (id < first || id > kLast) id = first;
    if ((control->came_round.load_relaxed() & round) != 0 && find(kind, id)) continue;
    control->next_id[number(kind)].store_relaxed(id + 1);
    return id;
  }
  return fail(ENOSPC);
}

void Runtime::Impl::count_referrer(Edge target, int change) {
  const auto found = find(target.kind, target.id);
  if (!found) return;
  auto& referrers = control->entries[found->index].referrers;
  const std::uint32_t now = referrers.load_relaxed();
  if (change > 0)
    referrers.store_relaxed(now + 1);
  else if (now != 0)
    referrers.store_relaxed(now - 1);
}

// In doubt (no fd to ask with) it is held.
Result<Use> Runtime::Impl::use_of(const Found& found) const {
  struct ::stat pin{};
  const std::string pin_path = object_path(found.kind, found.id, "pin");
  TRY(sys::fstatat(root.get(), pin_path.c_str(), pin, AT_SYMLINK_NOFOLLOW));
  if (pin.st_nlink > 1) return Use::kPinned;
  const std::string handle = object_path(found.kind, found.id, handle_name(found.kind));
  const UniqueFd unheld = TRY(shm::open_handle_unheld(root.get(), handle.c_str()));
  if (TRY(shm::is_held(unheld.get()))) return Use::kHeld;
  return control->entries[found.index].referrers.load_relaxed() != 0 ? Use::kReferred : Use::kNone;
}

Result<std::vector<Edge>> Runtime::Impl::edges_in_file(const std::string& path) const {
  const UniqueFd file(TRY(sys::openat(root.get(), path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)));
  ObjectHeader header;
  if (TRY(sys::pread(file.get(), &header, sizeof header, 0)) != sizeof header) return fail(EINVAL);
  if (header.max_edges > kMostEdges) return fail(EINVAL);
  std::vector<std::uint64_t> words(header.max_edges);
  const std::size_t size = words.size() * sizeof(std::uint64_t);
  if (TRY(sys::pread(file.get(), words.data(), size, kEdgesOffset)) != size) return fail(EINVAL);
  std::vector<Edge> edges;
  for (const std::uint64_t word : words)
    if (is_kind(static_cast<std::uint32_t>(word >> 32))) edges.push_back(edge_of_word(word));
  return edges;
}

}  // namespace portolan::object
