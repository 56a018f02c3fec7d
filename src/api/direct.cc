// SPDX-License-Identifier: Apache-2.0
#include "api/direct.h"

#include <sys/mman.h>

#include "abi/map_flags.h"
#include "api/map_state.h"
#include "base/sys.h"
#include "map/array.h"
#include "map/hash.h"
#include "map/scratch.h"
#include "sync/call_epoch.h"

namespace portolan::detail {
namespace {

bool is_aligned(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer) % 8 == 0; }

// A key or value as Map wants it: 8-aligned, padded with zeros to whole words. What is so already is not
// copied.
class Staged {
 public:
  Result<const std::byte*> stage(const void* bytes, std::size_t size) {
    if (size % 8 == 0 && is_aligned(bytes)) [[likely]]
      return static_cast<const std::byte*>(bytes);
    std::byte* room = TRY(scratch_.take(round_up(size, 8)));
    std::memset(room + size / 8 * 8, 0, round_up(size, 8) - size / 8 * 8);
    std::memcpy(room, bytes, size);
    return room;
  }

 private:
  map::Scratch scratch_;
};

long code_of(const Result<void>& result) { return result ? 0 : -result.error().value; }

Expected<void> map_kernel_pages(MapState& state) {
  if (state.info.type != MapType::kArray || (state.info.flags & kMmapable) == 0) return {};
  const std::size_t size = round_up(round_up(state.info.value_size, 8) * state.info.max_entries, kPageSize);
  auto pages = sys::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, state.fd, 0);
  if (!pages) return {};  // frozen, or opened for one way only: the map works without pointers
  state.kernel_pages = *pages;
  state.kernel_pages_size = size;
  return {};
}

}  // namespace

Expected<void> attach_map(MapState& state) {
  object::Runtime* runtime = state.backend->runtime();
  if (runtime == nullptr) return map_kernel_pages(state);
  sync::CallEpoch epoch;
  auto target = runtime->target_of_fd(state.fd, object::Kind::kMap);
  if (!target) return std::unexpected(Error(Operation::kFromFd, target.error().value));
  state.view = object::ViewRef(*target->view);
  state.map = static_cast<map::Map*>(target->view);
  if (auto* hash = dynamic_cast<map::HashMap*>(state.map);
      hash != nullptr && !hash->has_fields() && hash->value_size() % 8 == 0)
    state.plain_hash = hash;
  state.readable = target->access != shm::Access::kWriteOnly;
  state.writable = target->access != shm::Access::kReadOnly;
  return {};
}

FastPath fast_path_of(const MapState& state) {
  FastPath fast;
  if (!state.readable) return fast;
  if (const auto* array = dynamic_cast<const map::ArrayMap*>(state.map);
      array != nullptr && !array->has_fields()) {
    const map::Map::InlineLookup way = array->gen_lookup();
    fast = {.values = way.base, .stride = way.stride, .max_entries = way.max_entries, .table = nullptr};
  } else if (state.plain_hash != nullptr) {
    fast.table = &state.plain_hash->table();
  }
  return fast;
}

bool hash_lookup(const void* table, const void* key, void* value) noexcept {
  const auto& hash = *static_cast<const ds::HashTable*>(table);
  if (hash.shape().evicts) return hash.lookup_and_keep(key, value);
  return hash.lookup(key, value);
}

std::byte* hash_find(const void* table, const void* key) noexcept {
  const auto& hash = *static_cast<const ds::HashTable*>(table);
  return hash.shape().evicts ? hash.find_and_keep(key) : hash.find(key);
}

std::size_t walk_directly(const MapState& state, BatchCursor& cursor, std::byte* keys, std::byte* values,
                          std::uint32_t count) {
  const ds::HashTable& table = state.plain_hash->table();
  std::uint32_t passed = 0;
  if (cursor.started) std::memcpy(&passed, cursor.bytes, sizeof passed);
  std::uint32_t at = passed - 1;  // 0 - 1 is kBegin
  const std::uint32_t done = table.next_many(at, keys, values, count);
  passed = at + 1;
  std::memcpy(cursor.bytes, &passed, sizeof passed);
  cursor.started = true;
  cursor.finished = done < count || !table.next(at, nullptr, nullptr);
  return done;
}

namespace {

[[gnu::noinline]] long update_staged(MapState& state, const void* key, const void* value,
                                     std::uint64_t flags) {
  map::Map& map = *state.map;
  const auto run = [&]() -> Result<void> {
    TRY(map.check_op_flags(flags, ~std::uint64_t{0}));
    Staged staged_key, staged_value;
    const std::byte* k = TRY(staged_key.stage(key, state.info.key_size));
    const std::byte* v = TRY(staged_value.stage(value, state.value_bytes));
    return map.update_elem_copy(k, v, flags);
  };
  return code_of(run());
}

[[gnu::noinline]] long erase_staged(MapState& state, const void* key) {
  const auto run = [&]() -> Result<void> {
    Staged staged;
    return state.map->delete_elem(TRY(staged.stage(key, state.info.key_size)));
  };
  return code_of(run());
}

}  // namespace

long update_directly(MapState& state, const void* key, const void* value, std::uint64_t flags) {
  if (state.map->is_frozen()) [[unlikely]]
    return -EPERM;
  if (state.plain_hash != nullptr && flags <= abi::element_flag::kExist) [[likely]]
    return code_of(state.plain_hash->update_elem_copy(static_cast<const std::byte*>(key),
                                                      static_cast<const std::byte*>(value), flags));
  return update_staged(state, key, value, flags);
}

long erase_directly(MapState& state, const void* key) {
  if (state.map->is_frozen()) [[unlikely]]
    return -EPERM;
  if (state.plain_hash != nullptr) [[likely]]
    return code_of(state.plain_hash->delete_elem(static_cast<const std::byte*>(key)));
  return erase_staged(state, key);
}

}  // namespace portolan::detail
