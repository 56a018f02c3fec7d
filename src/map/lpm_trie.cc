// SPDX-License-Identifier: Apache-2.0
#include "map/lpm_trie.h"

#include "abi/limits.h"
#include "map/modes.h"

namespace portolan::map {

using ds::LpmTrie;

namespace {

constexpr std::uint32_t kLengthBytes = sizeof(std::uint32_t);  // before a key's data

ds::LpmTrieShape shape_of(const MapSpec& spec) {
  return {spec.key_size - kLengthBytes, static_cast<std::uint32_t>(round_up(spec.value_size, 8)),
          spec.max_entries};
}

}  // namespace

Result<void> LpmTrieMap::alloc_check(const MapSpec& spec, std::uint32_t) {
  if (!flags_are_allowed(spec) || !spec.has(abi::map_flag::kNoPrealloc) || spec.max_entries == 0 ||
      spec.key_size < kLengthBytes + 1 || spec.key_size > kLengthBytes + LpmTrie::kMaxDataSize ||
      spec.value_size < 1 || spec.value_size > abi::kMaxLpmValueSize)
    return fail(EINVAL);
  return {};
}

Result<Layout> LpmTrieMap::layout(const MapSpec& spec) {
  const auto sizes = LpmTrie::sizes(shape_of(spec));
  if (!sizes) return fail(sizes.error().value == E2BIG ? ENOMEM : sizes.error().value);
  return Layout{sizes->total, sizes->reserved, 0};
}

void LpmTrieMap::format(const shm::Region& state, std::uint64_t offset, const MapSpec& spec) {
  LpmTrie::format(state, offset, shape_of(spec));
}

Result<std::unique_ptr<Map>> LpmTrieMap::attach(object::Mapped mapped, MapHeader* header) {
  const LpmTrie trie = TRY(LpmTrie::attach(mapped.state, family_offset(mapped.payload_offset)));
  const ds::LpmTrieShape wanted = shape_of(header->spec), found = trie.shape();
  if (found.data_size != wanted.data_size || found.value_size != wanted.value_size ||
      found.max_entries != wanted.max_entries)
    return fail(EINVAL);
  return std::make_unique<LpmTrieMap>(std::move(mapped), header);
}

LpmTrieMap::LpmTrieMap(object::Mapped mapped, MapHeader* header)
    : Map(std::move(mapped), header),
      trie_(*LpmTrie::attach(const_cast<shm::Region&>(state()),  // the view's own, which reserves in it
                             family_offset(static_cast<std::uint64_t>(payload().data() - state().base())))) {}

Result<void> LpmTrieMap::check_btf(const btf::Btf&, const btf::MapTypes&, const btf::CheckedTypes& checked,
                                   std::uint32_t) {
  return btf::is(*checked.key, btf::Kind::kStruct) ? Result<void>{} : fail(EINVAL);
}

KernelStruct LpmTrieMap::kernel_struct() const {
  const std::uint64_t data_size = key_size() - sizeof(std::uint32_t);
  return {"lpm_trie", {{"data_size", data_size}, {"max_prefixlen", data_size * 8}}};
}

Result<void> LpmTrieMap::get_next_key(const std::byte* key, std::byte* next_key) {
  if (!trie_.next(key, next_key)) return fail(ENOENT);
  return {};
}

Result<void> LpmTrieMap::lookup_elem_copy(const std::byte* key, std::byte* value, std::uint64_t) {
  if (!trie_.lookup(key, value)) return fail(ENOENT);
  return {};
}

Result<void> LpmTrieMap::update_elem_copy(const std::byte* key, const std::byte* value, std::uint64_t flags) {
  if (flags > abi::element_flag::kExist) return fail(EINVAL);
  return trie_.update(TRY(runtime().actor()), key, value, insert_mode(flags));
}

Result<void> LpmTrieMap::delete_elem(const std::byte* key) {
  return trie_.erase(TRY(runtime().actor()), key);
}

Map::InlineLookup LpmTrieMap::gen_lookup() const {
  InlineLookup lookup;
  if (key_size() != sizeof(std::uint64_t)) return lookup;
  lookup.way = InlineLookup::Way::kWordKey;
  lookup.find = [](Map& map, std::uint64_t key, std::uint32_t) {
    return static_cast<const LpmTrieMap&>(map).trie_.find(reinterpret_cast<const std::byte*>(&key));
  };
  return lookup;
}

std::uint64_t LpmTrieMap::mem_usage() const {
  const auto sizes = LpmTrie::sizes(trie_.shape());
  return state().size() - (sizes ? sizes->total : 0) + trie_.reserved_bytes();
}

void LpmTrieMap::check(shm::Findings& findings) const {
  Map::check(findings);
  trie_.check(where(), findings);
}

}  // namespace portolan::map
