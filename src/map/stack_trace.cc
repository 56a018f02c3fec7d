// SPDX-License-Identifier: Apache-2.0
#include "map/stack_trace.h"

#include "abi/limits.h"
#include "abi/map_value.h"

namespace portolan::map {

using ds::StackTable;

namespace {

ds::StackTableShape shape_of(const MapSpec& spec) { return {spec.value_size, spec.max_entries}; }

std::uint32_t number_of(const std::byte* key) { return load_unaligned<std::uint32_t>(key); }

std::uint32_t frame_size(const MapSpec& spec) {
  return spec.has(abi::map_flag::kStackBuildId) ? sizeof(abi::StackBuildId) : sizeof(std::uint64_t);
}

}  // namespace

Result<void> StackTraceMap::alloc_check(const MapSpec& spec, std::uint32_t) {
  using namespace abi::map_flag;
  if ((spec.map_flags & ~(kNumaNode | kRdonly | kWronly | kStackBuildId)) != 0) return fail(EINVAL);
  const std::uint32_t frame = frame_size(spec);
  if (spec.max_entries == 0 || spec.key_size != sizeof(std::uint32_t) || spec.value_size < 8 ||
      spec.value_size % frame != 0 || spec.value_size / frame > abi::kMaxStackFrames)
    return fail(EINVAL);
  if (spec.max_entries > 1u << 31) return fail(E2BIG);
  return {};
}

Result<Layout> StackTraceMap::layout(const MapSpec& spec) {
  const auto sizes = StackTable::sizes(shape_of(spec));
  if (!sizes) return fail(ENOMEM);
  return Layout{sizes->total, sizes->reserved, 0};
}

void StackTraceMap::format(const shm::Region& state, std::uint64_t offset, const MapSpec& spec) {
  StackTable::format(state, offset, shape_of(spec));
}

Result<std::unique_ptr<Map>> StackTraceMap::attach(object::Mapped mapped, MapHeader* header) {
  const StackTable table = TRY(StackTable::attach(mapped.state, family_offset(mapped.payload_offset)));
  if (table.shape().value_size != header->spec.value_size ||
      table.shape().max_entries != header->spec.max_entries)
    return fail(EINVAL);
  return std::make_unique<StackTraceMap>(std::move(mapped), header);
}

StackTraceMap::StackTraceMap(object::Mapped mapped, MapHeader* header)
    : Map(std::move(mapped), header),
      table_(*StackTable::attach(
          const_cast<shm::Region&>(state()),  // the view's own, which reserves in it
          family_offset(static_cast<std::uint64_t>(payload().data() - state().base())))) {}

std::uint32_t StackTraceMap::most_frames() const { return value_size() / frame_size(spec()); }

Result<void> StackTraceMap::get_next_key(const std::byte* key, std::byte* next_key) {
  std::uint32_t from = 0;
  if (key != nullptr && table_.contains(number_of(key))) from = number_of(key) + 1;
  if (!table_.next(from, from)) return fail(ENOENT);
  std::memcpy(next_key, &from, sizeof from);
  return {};
}

Result<void> StackTraceMap::lookup_elem_copy(const std::byte* key, std::byte* value, std::uint64_t) {
  if (!table_.lookup(number_of(key), value)) return fail(ENOENT);
  return {};
}

Result<void> StackTraceMap::delete_elem(const std::byte* key) {
  if (number_of(key) >= table_.buckets()) return fail(E2BIG);
  return table_.erase(TRY(runtime().actor()), number_of(key));
}

Result<void> StackTraceMap::lookup_and_delete_elem(const std::byte* key, std::byte* value,
                                                   std::uint64_t flags) {
  TRY(lookup_elem_copy(key, value, flags));
  return table_.erase(TRY(runtime().actor()), number_of(key));
}

std::uint64_t StackTraceMap::mem_usage() const {
  const auto sizes = StackTable::sizes(table_.shape());
  return state().size() - (sizes ? sizes->total : 0) + table_.reserved_bytes();
}

void StackTraceMap::check(shm::Findings& findings) const {
  Map::check(findings);
  table_.check(where(), findings);
}

}  // namespace portolan::map
