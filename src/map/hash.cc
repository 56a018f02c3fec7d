// SPDX-License-Identifier: Apache-2.0
#include "map/hash.h"

#include <bit>
#include <optional>

#include "map/modes.h"
#include "map/scratch.h"

namespace portolan::map {

using namespace abi::element_flag;
using namespace abi::map_flag;
using ds::HashTable;

namespace {

// The kernel's limit of buckets, which are as many as the next power of two.
constexpr std::uint32_t kMostEntries = 1u << 27;
// struct htab_elem of the kernel, which key and value follow.
constexpr std::uint64_t kKernelElementBytes = 48;

}  // namespace

HashBase::HashBase(object::Mapped mapped, MapHeader* header)
    : Map(std::move(mapped), header),
      table_(
          *HashTable::attach(const_cast<shm::Region&>(state()),  // the view's own, which reserves in it
                             family_offset(static_cast<std::uint64_t>(payload().data() - state().base())))) {}

Result<void> HashBase::check_sizes(const MapSpec& spec) {
  if (!flags_are_allowed(spec)) return fail(EINVAL);
  if (spec.max_entries == 0 || spec.key_size == 0 || spec.value_size == 0) return fail(EINVAL);
  if (std::uint64_t{spec.key_size} + spec.value_size >= abi::kMaxHashElementSize) return fail(E2BIG);
  return {};
}

ds::HashTableShape HashBase::shape_of(const MapSpec& spec, std::uint64_t value_bytes) {
  return {spec.key_size, static_cast<std::uint32_t>(value_bytes), spec.max_entries, !spec.has(kNoPrealloc),
          spec.seed};
}

Result<Layout> HashBase::layout_of(const MapSpec& spec, const ds::HashTableShape& shape) {
  if (spec.max_entries > kMostEntries) return fail(E2BIG);
  const auto sizes = HashTable::sizes(shape);
  if (!sizes) return fail(sizes.error().value == E2BIG ? ENOMEM : sizes.error().value);
  return Layout{sizes->total, sizes->reserved, 0};
}

Result<void> HashBase::attachable(object::Mapped& mapped, const ds::HashTableShape& shape) {
  const HashTable table = TRY(HashTable::attach(mapped.state, family_offset(mapped.payload_offset)));
  const ds::HashTableShape& found = table.shape();
  if (found.key_size != shape.key_size || found.value_size != shape.value_size ||
      found.max_entries != shape.max_entries || found.evicts != shape.evicts)
    return fail(EINVAL);
  return {};
}

KernelStruct HashBase::kernel_struct() const {
  const std::uint64_t value_bytes = is_per_cpu() ? sizeof(void*) : round_up(value_size(), 8);
  return {"bpf_htab",
          {{"n_buckets", std::bit_ceil(max_entries())},
           {"elem_size", kKernelElementBytes + round_up(key_size(), 8) + value_bytes}}};
}

Result<void> HashBase::get_next_key(const std::byte* key, std::byte* next_key) {
  std::uint32_t cursor = key == nullptr ? HashTable::kBegin : table_.cursor_of(key);
  if (!table_.next(cursor, next_key, nullptr)) return fail(ENOENT);
  return {};
}

Result<void> HashBase::delete_elem(const std::byte* key) {
  const Result<sync::Actor> actor = runtime().actor();  // used where it lies: a copy costs a stall
  if (!actor) return fail(actor.error());
  return erase(*actor, key, nullptr);
}

Result<void> HashBase::lookup_and_delete_elem(const std::byte* key, std::byte* value, std::uint64_t) {
  const sync::Actor actor = TRY(runtime().actor());
  TRY(erase(actor, key, value));
  if (has_fields()) clear_all_fields(value);
  return {};
}

Result<void> HashBase::walk_batch(const BatchCall& call, bool take) {
  const abi::BatchAttr& attr = call.attr;
  if (!knows_cpu_flags() && (attr.elem_flags & ~kLock) != 0) return fail(EINVAL);
  TRY(check_op_flags(attr.elem_flags, take ? kLock : kLock | kCpu));
  if (attr.flags != 0) return fail(EINVAL);
  if (attr.count == 0) return {};
  TRY(call.put_count(0));
  std::uint32_t passed = 0;
  if (attr.in_batch != 0) TRY(call.memory.copy_in(&passed, attr.in_batch, sizeof passed));
  Scratch first, second;
  std::byte* const key = TRY(first.take(key_size()));
  std::byte* const value = TRY(second.take(table_.shape().value_size));
  const std::uint64_t value_length = value_bytes(attr.elem_flags);
  const sync::Actor actor = TRY(runtime().actor());
  // Where one CPU's value is asked for, it lies among the others.
  const std::uint64_t value_offset =
      (attr.elem_flags & kCpu) != 0 ? (attr.elem_flags >> kCpuShift) * round_up(value_size(), 8) : 0;
  std::uint32_t cursor = passed - 1, done = 0;  // 0 - 1 is kBegin
  bool more = true;
  while (done < attr.count) {
    more = table_.next(cursor, key, take ? nullptr : value);
    if (!more) break;
    if (take && !erase(actor, key, value)) continue;  // somebody else took it
    if (has_fields()) clear_all_fields(value);
    TRY(call.memory.copy_out(attr.keys + std::uint64_t{done} * key_size(), key, key_size()));
    TRY(call.memory.copy_out(attr.values + done * value_length, value + value_offset, value_length));
    ++done;
  }
  passed = cursor + 1;
  // The last elements are the end, as the kernel's last bucket is.
  if (more) more = table_.next(cursor, nullptr, nullptr);
  TRY(call.memory.copy_out(attr.out_batch, &passed, sizeof passed));
  TRY(call.put_count(done));
  if (!more) return fail(ENOENT);
  return {};
}

std::byte* HashBase::find_from(std::uint64_t& place, std::byte* key) const {
  if (place > UINT32_MAX) return nullptr;
  std::uint32_t cursor = static_cast<std::uint32_t>(place) - 1;  // 0 - 1 is kBegin
  while (table_.next(cursor, nullptr, nullptr)) {
    std::byte* const value = table_.value_at(cursor, key);
    if (value == nullptr) continue;  // it has just gone
    place = cursor;
    return value;
  }
  return nullptr;
}

std::uint64_t HashBase::mem_usage() const {
  const auto sizes = HashTable::sizes(table_.shape());
  if (!sizes) return state().size();
  const std::uint64_t before = state().size() - sizes->total;
  if (table_.shape().preallocated) return before + sizes->reserved;
  const std::uint64_t element = 8 + round_up(key_size(), 8) + table_.shape().value_size;
  return before + sizes->reserved + table_.count() * element;
}

void HashBase::check(shm::Findings& findings) const {
  Map::check(findings);
  table_.check(where(), findings);
}

Result<void> HashMap::alloc_check(const MapSpec& spec, std::uint32_t) { return check_sizes(spec); }

Result<void> HashMap::lookup_elem_copy(const std::byte* key, std::byte* value, std::uint64_t flags) {
  if ((flags & kLock) == 0) [[likely]] {
    if (!table().lookup(key, value)) return fail(ENOENT);
  } else {
    // Under the bucket's lock too, as updates with BPF_F_LOCK are: the element stays this key's.
    const sync::Actor actor = TRY(runtime().actor());
    const sync::VcpuScope on_vcpu(runtime().vcpus(), actor);
    const auto copy = [&](std::byte* at, bool) {
      const sync::ValueLockGuard guard(lock_in(at), on_vcpu);
      sync::copy_from_shared(value, at, value_size());
    };
    TRY(mutable_table().update_in_place(actor, key, ds::Insert::kExist, copy));
  }
  if (has_fields()) [[unlikely]]
    clear_fields(value);
  return {};
}

Result<void> HashMap::check_update_flags(std::uint64_t flags) const {
  if ((flags & ~kLock) > kExist) return fail(EINVAL);
  if ((flags & kLock) != 0 && !spec().has_field(FieldKind::kSpinLock)) return fail(EINVAL);
  return {};
}

Result<void> HashMap::update_elem_copy(const std::byte* key, const std::byte* value, std::uint64_t flags) {
  if (flags > kExist) [[unlikely]]
    TRY(check_update_flags(flags));
  const Result<sync::Actor> actor = runtime().actor();
  if (!actor) return fail(actor.error());
  if (!has_fields()) [[likely]]
    return mutable_table().update(*actor, key, value, insert_mode(flags));
  return update_without_fields(*actor, key, value, flags);
}

// What lies in the kernel's fields does not come from the caller. By itself, since its room is large.
[[gnu::noinline]] Result<void> HashMap::update_without_fields(const sync::Actor& actor, const std::byte* key,
                                                              const std::byte* value, std::uint64_t flags) {
  Scratch room;
  std::byte* const cleared = TRY(room.take(value_size()));
  std::memcpy(cleared, value, round_up(value_size(), 8));
  clear_fields(cleared);
  if ((flags & kLock) != 0) return update_in_place(actor, key, cleared, flags);
  if (!has_timers()) return mutable_table().update(actor, key, cleared, insert_mode(flags));
  // What the fields of the old value named ends with it. Should another update come between, it ends when its
  // time comes: it is no longer what lies there.
  std::byte* const before = table().find(key);
  Scratch old_room;
  std::byte* const old = TRY(old_room.take(value_size()));
  if (before != nullptr) sync::copy_from_shared(old, before, value_size());
  TRY(mutable_table().update(actor, key, cleared, insert_mode(flags)));
  if (before != nullptr) free_fields(old);
  return {};
}

Result<void> HashMap::erase(const sync::Actor& actor, const std::byte* key, std::byte* value) {
  if (!has_timers()) [[likely]]
    return HashBase::erase(actor, key, value);
  Scratch room;
  std::byte* const taken = value != nullptr ? value : TRY(room.take(value_size()));
  TRY(HashBase::erase(actor, key, taken));
  free_fields(taken);
  return {};
}

Result<void> HashMap::update_in_place(const sync::Actor& actor, const std::byte* key, const std::byte* value,
                                      std::uint64_t flags) {
  std::optional<sync::VcpuScope> on_vcpu;
  if ((flags & kLock) != 0) on_vcpu.emplace(runtime().vcpus(), actor);
  const auto copy = [&](std::byte* at, bool fresh) {
    if (fresh) return sync::copy_to_shared(at, value, value_size());
    if (!on_vcpu) return copy_around_fields(at, value);
    const sync::ValueLockGuard guard(lock_in(at), *on_vcpu);
    copy_around_fields(at, value);
  };
  return mutable_table().update_in_place(actor, key, insert_mode(flags), copy);
}

std::byte* HashMap::lookup_elem(const std::byte* key, std::uint32_t) { return table().find(key); }

Result<void> HashMap::update_elem(const std::byte* key, const std::byte* value, std::uint64_t flags,
                                  std::uint32_t) {
  return update_elem_copy(key, value, flags);
}

Result<std::uint64_t> HashMap::for_each_callback(Visit visit, void* context, std::uint64_t flags,
                                                 std::uint32_t) {
  if (flags != 0) return fail(EINVAL);
  Scratch room;
  std::byte* const key = TRY(room.take(key_size()));
  std::uint64_t visited = 0;
  for (std::uint32_t cursor = HashTable::kBegin; table().next(cursor, key, nullptr);) {
    std::byte* const value = table().find(key);
    if (value == nullptr) continue;
    ++visited;
    if (!visit(context, key, value)) break;
  }
  return visited;
}

}  // namespace portolan::map
