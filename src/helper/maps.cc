// SPDX-License-Identifier: Apache-2.0
// Elements of maps. What a map is not made for, the verifier refuses; the rest is the map's own answer.
#include "base/bytes.h"
#include "helper/functions.h"
#include "helper/memory.h"
#include "map/map.h"

namespace portolan::helper::functions {
namespace {

using map::Map;

U64 outcome(const Result<void>& result) { return result ? 0 : negative(result.error().value); }

const std::byte* bytes_of(const U64& word) { return reinterpret_cast<const std::byte*>(&word); }

U64 address_of(const std::byte* value) { return reinterpret_cast<std::uintptr_t>(value); }

}  // namespace

[[gnu::noinline]] static U64 lookup_staged(Run& run, Map& map, U64 key_arg) {
  Staged room;
  const auto key = room.take(key_arg, map.key_size());
  return key ? address_of(map.lookup_elem(*key, run.cpu)) : 0;
}

U64 map_lookup_elem(Run& run, U64 map_arg, U64 key_arg, U64, U64, U64) {
  Map& map = at<Map>(map_arg);
  U64 key;
  if (take_word(key_arg, map.key_size(), key)) [[likely]]
    return address_of(map.lookup_elem(bytes_of(key), run.cpu));
  return lookup_staged(run, map, key_arg);
}

U64 map_lookup_percpu_elem(Run&, U64 map_arg, U64 key_arg, U64 cpu, U64, U64) {
  Map& map = at<Map>(map_arg);
  Staged room;
  const auto key = room.take(key_arg, map.key_size());
  const auto number = static_cast<std::uint32_t>(cpu);
  return key && number < map.spec().cpus ? address_of(map.lookup_percpu_elem(*key, number)) : 0;
}

// By themselves, since their rooms are large.
[[gnu::noinline]] static U64 update_staged(Run& run, Map& map, U64 key_arg, U64 value_arg, U64 flags) {
  Staged key_room, value_room;
  const auto key = key_room.take(key_arg, map.key_size());
  if (!key) return negative(key.error().value);
  const auto value = value_room.take(value_arg, map.value_size());
  if (!value) return negative(value.error().value);
  return outcome(map.update_elem(*key, *value, flags, run.cpu));
}

[[gnu::noinline]] static U64 delete_staged(Map& map, U64 key_arg) {
  Staged room;
  const auto key = room.take(key_arg, map.key_size());
  return key ? outcome(map.delete_elem(*key)) : negative(key.error().value);
}

[[gnu::noinline]] static U64 push_staged(Map& map, U64 value_arg, U64 flags) {
  Staged room;
  const auto value = room.take(value_arg, map.value_size());
  return value ? outcome(map.push_elem(*value, flags)) : negative(value.error().value);
}

U64 map_update_elem(Run& run, U64 map_arg, U64 key_arg, U64 value_arg, U64 flags, U64) {
  Map& map = at<Map>(map_arg);
  U64 key, value;
  if (take_word(key_arg, map.key_size(), key) && take_word(value_arg, map.value_size(), value)) [[likely]]
    return outcome(map.update_elem(bytes_of(key), bytes_of(value), flags, run.cpu));
  return update_staged(run, map, key_arg, value_arg, flags);
}

U64 map_delete_elem(Run&, U64 map_arg, U64 key_arg, U64, U64, U64) {
  Map& map = at<Map>(map_arg);
  U64 key;
  if (take_word(key_arg, map.key_size(), key)) [[likely]]
    return outcome(map.delete_elem(bytes_of(key)));
  return delete_staged(map, key_arg);
}

U64 map_push_elem(Run&, U64 map_arg, U64 value_arg, U64 flags, U64, U64) {
  Map& map = at<Map>(map_arg);
  U64 value;
  if (take_word(value_arg, map.value_size(), value)) [[likely]]
    return outcome(map.push_elem(bytes_of(value), flags));
  return push_staged(map, value_arg, flags);
}

// Zeros where there is none. The memory counts as initialised afterwards in any case.
[[gnu::noinline]] static U64 take_long_value(Map& map, U64 value_arg, Result<void> (Map::*take)(std::byte*)) {
  Staged room;
  const auto value = room.room(map.value_size());
  if (!value) return negative(value.error().value);
  std::memset(*value, 0, round_up(map.value_size(), 8));
  const Result<void> taken = (map.*take)(*value);
  if (!portolan_fault_copy(mutable_bytes_at(value_arg), *value, map.value_size())) return negative(EFAULT);
  return outcome(taken);
}

static U64 take_value(Map& map, U64 value_arg, Result<void> (Map::*take)(std::byte*)) {
  U64 value = 0;
  if (map.value_size() != sizeof value) [[unlikely]]
    return take_long_value(map, value_arg, take);
  const Result<void> taken = (map.*take)(reinterpret_cast<std::byte*>(&value));
  return try_store(mutable_bytes_at(value_arg), value) ? outcome(taken) : negative(EFAULT);
}

U64 map_pop_elem(Run&, U64 map_arg, U64 value_arg, U64, U64, U64) {
  return take_value(at<Map>(map_arg), value_arg, &Map::pop_elem);
}

[[gnu::noinline]] static U64 peek_staged(Map& map, U64 value_arg) {
  Staged room;
  const auto value = room.take(value_arg, map.value_size());
  return value ? outcome(map.peek_elem(*value)) : negative(value.error().value);
}

U64 map_peek_elem(Run&, U64 map_arg, U64 value_arg, U64, U64, U64) {
  Map& map = at<Map>(map_arg);
  if (!map.peek_reads_value()) return take_value(map, value_arg, &Map::peek_elem);
  U64 value;
  if (take_word(value_arg, map.value_size(), value)) [[likely]]
    return outcome(map.peek_elem(reinterpret_cast<std::byte*>(&value)));
  return peek_staged(map, value_arg);
}

U64 map_sum_elem_count(Run&, U64 map_arg, U64, U64, U64, U64) {
  return at<map::Map>(map_arg).element_count();
}

}  // namespace portolan::helper::functions
