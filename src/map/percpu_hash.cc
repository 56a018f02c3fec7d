// SPDX-License-Identifier: Apache-2.0
#include "map/percpu_hash.h"

#include "map/scratch.h"

namespace portolan::map {

using namespace abi::element_flag;
using ds::HashTable;

Result<void> PerCpuHashMap::alloc_check(const MapSpec& spec, std::uint32_t numa_node) {
  if (!flags_are_allowed(spec) || numa_node != kNoNumaNode) return fail(EINVAL);
  TRY(check_sizes(spec));
  if (round_up(spec.value_size, 8) > abi::kMaxPerCpuValueSize) return fail(E2BIG);
  return {};
}

void PerCpuHashMap::clear_all_fields(std::byte* value) const {
  for (std::uint32_t cpu = 0; cpu < spec().cpus; ++cpu) clear_fields(value + cpu * stride());
}

Result<void> PerCpuHashMap::lookup_elem_copy(const std::byte* key, std::byte* value, std::uint64_t flags) {
  if ((flags & kCpu) != 0) {
    Scratch room;
    std::byte* const all = TRY(room.take(table().shape().value_size));
    if (!table().lookup(key, all)) return fail(ENOENT);
    std::memcpy(value, all + (flags >> kCpuShift) * stride(), value_size());
    if (has_fields()) clear_fields(value);
    return {};
  }
  if (!table().lookup(key, value)) return fail(ENOENT);
  if (has_fields()) [[unlikely]]
    clear_all_fields(value);
  return {};
}

Result<ds::Insert> PerCpuHashMap::mode_of(std::uint64_t flags) const {
  const std::uint64_t most = knows_cpu_flags() ? std::uint64_t{kAllCpus} : std::uint64_t{kExist};
  const std::uint64_t bits = knows_cpu_flags() ? static_cast<std::uint32_t>(flags) : flags;
  if (bits > most || (bits & kLock) != 0) return fail(EINVAL);
  switch (bits & (kNoExist | kExist)) {
    case kAny:
      return ds::Insert::kAny;
    case kNoExist:
      return ds::Insert::kNoExist;
    case kExist:
      return ds::Insert::kExist;
    default:
      return fail(EINVAL);
  }
}

Result<void> PerCpuHashMap::update_elem_copy(const std::byte* key, const std::byte* value,
                                             std::uint64_t flags) {
  const ds::Insert mode = TRY(mode_of(flags));
  const auto write = [&](std::byte* at, bool) {
    if ((flags & kCpu) != 0) {
      sync::copy_to_shared(at + (flags >> kCpuShift) * stride(), value, value_size());
      return;
    }
    const std::uint64_t step = (flags & kAllCpus) != 0 ? 0 : stride();
    for (std::uint32_t cpu = 0; cpu < spec().cpus; ++cpu)
      sync::copy_to_shared(at + cpu * stride(), value + cpu * step, stride());
  };
  const Result<sync::Actor> actor = runtime().actor();  // used where it lies: a copy costs a stall
  if (!actor) return fail(actor.error());
  return mutable_table().update_in_place(*actor, key, mode, write);
}

std::byte* PerCpuHashMap::lookup_elem(const std::byte* key, std::uint32_t cpu) {
  return lookup_percpu_elem(key, cpu);
}

std::byte* PerCpuHashMap::lookup_percpu_elem(const std::byte* key, std::uint32_t cpu) {
  std::byte* const values = table().find(key);
  return values == nullptr ? nullptr : value_in(values, cpu);
}

// Of the CPU that the program runs on; the others' values of a new element are zeros.
Result<void> PerCpuHashMap::update_elem(const std::byte* key, const std::byte* value, std::uint64_t flags,
                                        std::uint32_t cpu) {
  const ds::Insert mode = TRY(mode_of(flags));
  if ((flags & kCpu) != 0) return update_elem_copy(key, value, flags);
  const auto write = [&](std::byte* at, bool) {
    sync::copy_to_shared(at + cpu * stride(), value, value_size());
  };
  const Result<sync::Actor> actor = runtime().actor();  // used where it lies: a copy costs a stall
  if (!actor) return fail(actor.error());
  return mutable_table().update_in_place(*actor, key, mode, write);
}

Result<std::uint64_t> PerCpuHashMap::for_each_callback(Visit visit, void* context, std::uint64_t flags,
                                                       std::uint32_t cpu) {
  if (flags != 0 || cpu >= spec().cpus) return fail(EINVAL);
  Scratch room;
  std::byte* const key = TRY(room.take(key_size()));
  std::uint64_t visited = 0;
  for (std::uint32_t cursor = HashTable::kBegin; table().next(cursor, key, nullptr);) {
    std::byte* const value = table().find(key);
    if (value == nullptr) continue;
    ++visited;
    if (!visit(context, key, value + cpu * stride())) break;
  }
  return visited;
}

std::byte* PerCpuHashMap::element_from(std::uint64_t& place, std::byte* key, std::byte* values) {
  const std::byte* const found = find_from(place, key);
  if (found == nullptr) return nullptr;
  sync::copy_from_shared(values, found, value_bytes());
  return values;
}

}  // namespace portolan::map
