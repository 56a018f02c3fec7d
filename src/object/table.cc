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

std::optional<Found> Runtime::Impl::find(Kind kind, std::uint32_t id) const {
  return find_if([&](const Entry& entry) {
    return entry.id.load_relaxed() == id && entry.kind.load_relaxed() == number(kind);
  });
}

std::optional<Found> Runtime::Impl::find_handle(std::uint64_t inode) const {
  return find_if([&](const Entry& entry) { return entry.handle_inode.load_relaxed() == inode; });
}

std::optional<Found> Runtime::Impl::find_pin(std::uint64_t inode) const {
  return find_if([&](const Entry& entry) { return entry.pin_inode.load_relaxed() == inode; });
}

Result<std::uint32_t> Runtime::Impl::free_entry() {
  const std::uint32_t end = entries_in_use();
  for (std::uint32_t index = 0; index < end; ++index)
    if (control->entries[index].state.load_relaxed() == static_cast<std::uint32_t>(EntryState::kFree))
      return index;
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
  std::uint32_t id = control->next_id[number(kind)].load_relaxed();
  for (std::uint32_t tries = 0; tries <= kMaxObjects; ++tries, ++id) {
    if (id < first || id > kLast) id = first;
    if (find(kind, id)) continue;
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
