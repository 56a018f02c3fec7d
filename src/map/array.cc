// SPDX-License-Identifier: Apache-2.0
#include "map/array.h"

#include <bit>

#include "base/fault_copy.h"
#include "map/scratch.h"
#include "map/sha256.h"

namespace portolan::map {

using namespace abi::element_flag;
using namespace abi::map_flag;

Result<void> ArrayBase::check_sizes(const MapSpec& spec) {
  if (spec.max_entries == 0 || spec.key_size != 4 || spec.value_size == 0 || !flags_are_allowed(spec))
    return fail(EINVAL);
  if (spec.value_size > abi::kMaxArrayValueSize) return fail(E2BIG);
  return {};
}

Result<void> ArrayBase::get_next_key(const std::byte* key, std::byte* next_key) {
  // An index that is not there starts anew.
  const std::uint32_t index = key == nullptr ? max_entries() : index_of(key);
  std::uint32_t next = 0;
  if (index < max_entries()) {
    if (index == max_entries() - 1) return fail(ENOENT);
    next = index + 1;
  }
  std::memcpy(next_key, &next, sizeof next);
  return {};
}

KernelStruct ArrayBase::kernel_struct() const {
  const std::uint64_t indices = std::bit_ceil(std::uint64_t{max_entries()});
  return {"bpf_array", {{"elem_size", round_up(value_size(), 8)}, {"index_mask", indices - 1}}};
}

Result<void> ArrayMap::alloc_check(const MapSpec& spec, std::uint32_t) { return check_sizes(spec); }

Result<Layout> ArrayMap::layout(const MapSpec& spec) {
  const auto size = ds::FlatArray::size({spec.value_size, spec.max_entries, 1});
  if (!size) return fail(ENOMEM);
  if (spec.has(kMmapable)) return Layout{0, 0, round_up(*size, kPageSize)};
  return Layout{*size, *size, 0};
}

Result<std::unique_ptr<Map>> ArrayMap::attach(object::Mapped mapped, MapHeader* header) {
  const MapSpec spec = header->spec;
  const std::uint64_t begin = family_offset(mapped.payload_offset);
  const Bytes values = spec.has(kMmapable) ? mapped.user_pages.bytes() : mapped.state.bytes().subspan(begin);
  const ds::FlatArray array = TRY(ds::FlatArray::attach(values, {spec.value_size, spec.max_entries, 1}));
  return std::make_unique<ArrayMap>(std::move(mapped), header, array);
}

inline Result<void> ArrayMap::read(const std::byte* at, std::byte* value) const {
  if (spec().has(kMmapable)) [[unlikely]] {
    if (!portolan_fault_copy(value, at, value_size())) return fail(EFAULT);
  } else {
    sync::copy_from_shared(value, at, value_size());
  }
  if (has_fields()) clear_fields(value);
  return {};
}

// Pages that are gone are found out before a lock or a part of a value is written there.
inline Result<void> ArrayMap::can_touch(const std::byte* at) const {
  std::byte first, last;
  if (!spec().has(kMmapable)) return {};
  if (!portolan_fault_copy(&first, at, 1) || !portolan_fault_copy(&last, at + array_.stride() - 1, 1))
    return fail(EFAULT);
  return {};
}

inline Result<void> ArrayMap::write(std::byte* at, const std::byte* value) const {
  if (has_fields()) [[unlikely]] {
    TRY(can_touch(at));
    copy_around_fields(at, value);
    free_fields(at);
  } else if (spec().has(kMmapable)) {
    if (!portolan_fault_copy(at, value, value_size())) return fail(EFAULT);
  } else {
    sync::copy_to_shared(at, value, value_size());
  }
  return {};
}

Result<void> ArrayMap::lookup_elem_copy(const std::byte* key, std::byte* value, std::uint64_t flags) {
  const std::uint32_t index = index_of(key);
  std::byte* at = array_.at(index);
  if (at == nullptr) return fail(ENOENT);
  if ((flags & kLock) == 0) [[likely]]
    return read(at, value);
  const sync::Actor actor = TRY(runtime().actor());
  TRY(can_touch(at));
  const sync::VcpuScope on_vcpu(runtime().vcpus(), actor);
  const sync::ValueLockGuard guard(lock_in(at), on_vcpu);
  return read(at, value);
}

Result<void> ArrayMap::update_elem_copy(const std::byte* key, const std::byte* value, std::uint64_t flags) {
  if ((flags & ~kLock) > kExist) return fail(EINVAL);
  const std::uint32_t index = index_of(key);
  std::byte* at = array_.at(index);
  if (at == nullptr) return fail(E2BIG);
  if ((flags & kNoExist) != 0) return fail(EEXIST);
  if ((flags & kLock) == 0) [[likely]]
    return write(at, value);
  if (!spec().has_field(FieldKind::kSpinLock)) return fail(EINVAL);
  const sync::Actor actor = TRY(runtime().actor());
  TRY(can_touch(at));
  const sync::VcpuScope on_vcpu(runtime().vcpus(), actor);
  const sync::ValueLockGuard guard(lock_in(at), on_vcpu);
  return write(at, value);
}

Result<void> ArrayMap::mmap(bool, std::uint64_t offset, std::uint64_t length) const {
  const std::uint64_t size = round_up(array_.stride() * max_entries(), kPageSize);
  if (!spec().has(kMmapable) || offset > size || length > size - offset) return fail(EINVAL);
  return {};
}

Result<void> ArrayMap::get_hash(std::byte* sha256) const {
  Sha256 hash;
  Scratch room;
  std::byte* const value = TRY(room.take(array_.stride()));
  std::memset(value, 0, array_.stride());
  for (std::uint32_t index = 0; index < max_entries(); ++index) {
    TRY(read(array_.at(index), value));
    hash.add({value, array_.stride()});
  }
  hash.finish(sha256);
  return {};
}

// Inner maps of one size may be looked up by generated code, unless each was made for any size.
bool ArrayMap::meta_equal(const MapSpec& meta) const {
  if (!Map::meta_equal(meta)) return false;
  return spec().has(kInnerMap) || max_entries() == meta.max_entries;
}

std::uint64_t ArrayMap::mem_usage() const { return state().size() + user_pages().size(); }

std::byte* ArrayMap::lookup_elem(const std::byte* key, std::uint32_t) { return array_.at(index_of(key)); }

Result<void> ArrayMap::update_elem(const std::byte* key, const std::byte* value, std::uint64_t flags,
                                   std::uint32_t) {
  return update_elem_copy(key, value, flags);
}

std::optional<std::uint64_t> ArrayMap::place_of(const std::byte* value) const {
  const auto offset = static_cast<std::uint64_t>(value - array_.base());
  if (offset % array_.stride() != 0 || offset / array_.stride() >= max_entries()) return {};
  return offset / array_.stride();
}

std::byte* ArrayMap::value_at(std::uint64_t place, std::byte* key) const {
  const auto index = static_cast<std::uint32_t>(place);
  std::memcpy(key, &index, sizeof index);
  return place < max_entries() ? array_.at(index) : nullptr;
}

Map::InlineLookup ArrayMap::gen_lookup() const {
  if (spec().has(kInnerMap)) return {};
  return {InlineLookup::Way::kArray, array_.base(), array_.stride(), 0, max_entries()};
}

Result<std::byte*> ArrayMap::direct_value_addr(std::uint32_t offset) const {
  if (max_entries() != 1) return fail(kEnotsupp);
  if (offset >= value_size()) return fail(EINVAL);
  return array_.base() + offset;
}

Result<std::uint32_t> ArrayMap::direct_value_meta(const std::byte* address) const {
  if (max_entries() != 1) return fail(kEnotsupp);
  const auto offset =
      reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(array_.base());
  if (offset >= array_.stride()) return fail(ENOENT);
  return static_cast<std::uint32_t>(offset);
}

Result<std::uint64_t> ArrayMap::for_each_callback(Visit visit, void* context, std::uint64_t flags,
                                                  std::uint32_t) {
  if (flags != 0) return fail(EINVAL);
  for (std::uint32_t index = 0; index < max_entries(); ++index)
    if (!visit(context, reinterpret_cast<const std::byte*>(&index), array_.at(index))) return index + 1;
  return max_entries();
}

std::byte* ArrayMap::element_from(std::uint64_t& place, std::byte* key, std::byte*) {
  if (place >= max_entries()) return nullptr;
  const auto index = static_cast<std::uint32_t>(place);
  std::memcpy(key, &index, sizeof index);
  return array_.at(index);
}

}  // namespace portolan::map
