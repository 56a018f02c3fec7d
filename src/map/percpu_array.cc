// SPDX-License-Identifier: Apache-2.0
#include "map/percpu_array.h"

namespace portolan::map {

using namespace abi::element_flag;

namespace {

ds::FlatArray::Shape shape_of(const MapSpec& spec) {
  // Whole words: the bytes up to the next multiple of 8 are stored, and given back.
  return {static_cast<std::uint32_t>(round_up(spec.value_size, 8)), spec.max_entries, spec.cpus};
}

}  // namespace

Result<void> PerCpuArrayMap::alloc_check(const MapSpec& spec, std::uint32_t numa_node) {
  if (numa_node != kNoNumaNode) return fail(EINVAL);
  TRY(check_sizes(spec));
  if (round_up(spec.value_size, 8) > abi::kMaxPerCpuValueSize) return fail(E2BIG);
  return {};
}

Result<Layout> PerCpuArrayMap::layout(const MapSpec& spec) {
  const auto size = ds::FlatArray::size(shape_of(spec));
  if (!size) return fail(ENOMEM);
  return Layout{*size, *size, 0};
}

Result<std::unique_ptr<Map>> PerCpuArrayMap::attach(object::Mapped mapped, MapHeader* header) {
  const Bytes values = mapped.state.bytes().subspan(family_offset(mapped.payload_offset));
  const ds::FlatArray array = TRY(ds::FlatArray::attach(values, shape_of(header->spec)));
  return std::make_unique<PerCpuArrayMap>(std::move(mapped), header, array);
}

Result<void> PerCpuArrayMap::lookup_elem_copy(const std::byte* key, std::byte* value, std::uint64_t flags) {
  const std::uint32_t index = index_of(key);
  if (index >= max_entries()) return fail(ENOENT);
  if ((flags & kCpu) != 0) {
    sync::copy_from_shared(value, array_.at(index, static_cast<std::uint32_t>(flags >> kCpuShift)),
                           value_size());
    if (has_fields()) clear_fields(value);
    return {};
  }
  for (std::uint32_t cpu = 0; cpu < spec().cpus; ++cpu) {
    array_.read(index, value + cpu * array_.stride(), cpu);
    if (has_fields()) clear_fields(value + cpu * array_.stride());
  }
  return {};
}

Result<std::uint32_t> PerCpuArrayMap::index_for_update(const std::byte* key, std::uint64_t flags) const {
  const std::uint64_t most = knows_cpu_flags() ? std::uint64_t{kAllCpus} : std::uint64_t{kExist};
  const std::uint64_t bits = knows_cpu_flags() ? static_cast<std::uint32_t>(flags) : flags;
  if (bits > most || (bits & kLock) != 0) return fail(EINVAL);
  const std::uint32_t index = index_of(key);
  if (index >= max_entries()) return fail(E2BIG);
  if ((flags & kNoExist) != 0) return fail(EEXIST);
  return index;
}

Result<void> PerCpuArrayMap::update_elem_copy(const std::byte* key, const std::byte* value,
                                              std::uint64_t flags) {
  const std::uint32_t index = TRY(index_for_update(key, flags));
  if ((flags & kCpu) != 0) {
    sync::copy_to_shared(array_.at(index, static_cast<std::uint32_t>(flags >> kCpuShift)), value,
                         value_size());
    return {};
  }
  const std::uint64_t step = (flags & kAllCpus) != 0 ? 0 : array_.stride();
  for (std::uint32_t cpu = 0; cpu < spec().cpus; ++cpu) array_.write(index, value + cpu * step, cpu);
  return {};
}

std::byte* PerCpuArrayMap::lookup_elem(const std::byte* key, std::uint32_t cpu) {
  return array_.at(index_of(key), cpu);
}
std::byte* PerCpuArrayMap::lookup_percpu_elem(const std::byte* key, std::uint32_t cpu) {
  return array_.at(index_of(key), cpu);
}

Result<void> PerCpuArrayMap::update_elem(const std::byte* key, const std::byte* value, std::uint64_t flags,
                                         std::uint32_t cpu) {
  if ((flags & ~kLock) > kExist) return fail(EINVAL);
  std::byte* const at = array_.at(index_of(key), cpu);
  if (at == nullptr) return fail(E2BIG);
  if ((flags & kNoExist) != 0) return fail(EEXIST);
  if ((flags & kLock) != 0) return fail(EINVAL);  // such values have none
  sync::copy_to_shared(at, value, value_size());
  return {};
}

Map::InlineLookup PerCpuArrayMap::gen_lookup() const {
  return {InlineLookup::Way::kPerCpuArray, array_.base(), array_.stride(), array_.block(), max_entries()};
}

Result<std::uint64_t> PerCpuArrayMap::for_each_callback(Visit visit, void* context, std::uint64_t flags,
                                                        std::uint32_t cpu) {
  if (flags != 0) return fail(EINVAL);
  for (std::uint32_t index = 0; index < max_entries(); ++index)
    if (!visit(context, reinterpret_cast<const std::byte*>(&index), array_.at(index, cpu))) return index + 1;
  return max_entries();
}

std::byte* PerCpuArrayMap::element_from(std::uint64_t& place, std::byte* key, std::byte* values) {
  if (place >= max_entries()) return nullptr;
  const auto index = static_cast<std::uint32_t>(place);
  std::memcpy(key, &index, sizeof index);
  const std::uint64_t stride = round_up(value_size(), 8);
  for (std::uint32_t cpu = 0; cpu < spec().cpus; ++cpu)
    sync::copy_from_shared(values + cpu * stride, array_.at(index, cpu), value_size());
  return values;
}

}  // namespace portolan::map
