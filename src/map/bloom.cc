// SPDX-License-Identifier: Apache-2.0
#include "map/bloom.h"

namespace portolan::map {

using ds::BloomFilter;
using namespace abi::element_flag;

namespace {

constexpr std::uint64_t kHashesMask = 0xf;  // of map_extra
constexpr std::uint32_t kUsualHashes = 5;

BloomFilter::Shape shape_of(const MapSpec& spec) {
  const auto hashes = static_cast<std::uint32_t>(spec.map_extra & kHashesMask);
  return {spec.value_size, spec.max_entries, hashes != 0 ? hashes : kUsualHashes,
          static_cast<std::uint32_t>(spec.seed)};
}

}  // namespace

Result<void> BloomMap::alloc_check(const MapSpec& spec, std::uint32_t) {
  if (spec.value_size > abi::kMaxKmallocSize) return fail(E2BIG);
  if (spec.key_size != 0 || spec.value_size == 0 || spec.max_entries == 0 || !flags_are_allowed(spec) ||
      (spec.map_extra & ~kHashesMask) != 0)
    return fail(EINVAL);
  return {};
}

Result<Layout> BloomMap::layout(const MapSpec& spec) {
  const std::uint64_t size = BloomFilter::size(shape_of(spec));
  return Layout{size, size, 0};
}

Result<std::unique_ptr<Map>> BloomMap::attach(object::Mapped mapped, MapHeader* header) {
  const Bytes bytes = mapped.state.bytes().subspan(family_offset(mapped.payload_offset));
  const BloomFilter filter = TRY(BloomFilter::attach(bytes, shape_of(header->spec)));
  return std::make_unique<BloomMap>(std::move(mapped), header, filter);
}

Result<void> BloomMap::check_btf(const btf::Btf& btf, const btf::MapTypes&, const btf::CheckedTypes& checked,
                                 std::uint32_t) {
  return btf.is_void(*checked.key) ? Result<void>{} : fail(EINVAL);
}

KernelStruct BloomMap::kernel_struct() const {
  const BloomFilter::Shape shape = shape_of(spec());
  return {"bpf_bloom_filter",
          {{"bitset_mask", BloomFilter::bits(shape) - 1}, {"nr_hash_funcs", shape.hashes}}};
}

Result<void> BloomMap::push_elem(const std::byte* value, std::uint64_t flags) {
  if (flags != kAny) return fail(EINVAL);
  filter_.add(value);
  return {};
}

Result<void> BloomMap::peek_elem(std::byte* value) {
  return filter_.has(value) ? Result<void>{} : fail(ENOENT);
}

}  // namespace portolan::map
