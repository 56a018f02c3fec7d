// SPDX-License-Identifier: Apache-2.0
#include "map/rhash.h"

#include "map/scratch.h"

namespace portolan::map {

using namespace abi::element_flag;
using ds::HashTable;

namespace {

constexpr std::uint64_t kMostOfHint = UINT16_MAX;  // map_extra: how many elements to begin with
constexpr std::uint32_t kMostOfKey = UINT16_MAX;

}  // namespace

// The hint is checked, and what it asks for is so from the beginning: the buckets are there.
Result<void> RhashMap::alloc_check(const MapSpec& spec, std::uint32_t) {
  using namespace abi::map_flag;
  if (!spec.has(kNoPrealloc) || spec.has(kZeroSeed)) return fail(EINVAL);
  if (spec.key_size > kMostOfKey) return fail(E2BIG);
  if (spec.map_extra >> 32 != 0) return fail(EINVAL);
  if (spec.map_extra > kMostOfHint) return fail(E2BIG);
  if (spec.map_extra > spec.max_entries) return fail(EINVAL);
  return check_sizes(spec);
}

Result<void> RhashMap::update_elem_copy(const std::byte* key, const std::byte* value, std::uint64_t flags) {
  TRY(check_update_flags(flags));
  const sync::Actor actor = TRY(runtime().actor());
  if (!has_fields()) return update_in_place(actor, key, value, flags);
  Scratch room;
  std::byte* const cleared = TRY(room.take(value_size()));
  std::memcpy(cleared, value, round_up(value_size(), 8));
  clear_fields(cleared);
  TRY(update_in_place(actor, key, cleared, flags));
  if (std::byte* const there = table().find(key); there != nullptr && (flags & kLock) == 0)
    free_fields(there);
  return {};
}

Result<void> RhashMap::key_batch(const BatchCall& call, bool take) {
  const abi::BatchAttr& attr = call.attr;
  TRY(check_op_flags(attr.elem_flags, kLock));
  if (attr.flags != 0) return fail(EINVAL);
  if (attr.count == 0) return {};
  TRY(call.put_count(0));
  Scratch first, second;
  std::byte* const key = TRY(first.take(key_size()));
  std::byte* const value = TRY(second.take(table().shape().value_size));
  std::uint32_t cursor = HashTable::kBegin;
  if (attr.in_batch != 0) {
    TRY(call.memory.copy_in(key, attr.in_batch, key_size()));
    cursor = table().cursor_of(key);
    if (cursor == HashTable::kBegin) return fail(EAGAIN);  // whoever took it away broke the walk
    --cursor;                                              // it is the first of this batch
  }
  std::uint32_t done = 0;
  bool more = table().next(cursor, key, nullptr);
  for (; more && done < attr.count; more = table().next(cursor, key, nullptr)) {
    const Result<void> found =
        take ? lookup_and_delete_elem(key, value, 0) : lookup_elem_copy(key, value, attr.elem_flags);
    if (!found) continue;  // somebody else took it
    TRY(call.memory.copy_out(attr.keys + std::uint64_t{done} * key_size(), key, key_size()));
    TRY(call.memory.copy_out(attr.values + std::uint64_t{done} * value_size(), value, value_size()));
    ++done;
  }
  if (done == 0) return fail(ENOENT);
  TRY(call.put_count(done));
  if (!more) return fail(ENOENT);
  return call.memory.copy_out(attr.out_batch, key, key_size());
}

}  // namespace portolan::map
