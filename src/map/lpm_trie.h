// SPDX-License-Identifier: Apache-2.0
// LPM_TRIE: a key is a number of bits and as many bytes of data as the map's keys have (bpf_lpm_trie_key).
#pragma once
#include "ds/lpm_trie.h"
#include "map/family.h"

namespace portolan::map {

class LpmTrieMap final : public Map {
 public:
  LpmTrieMap(object::Mapped mapped, MapHeader* header);
  static Result<void> alloc_check(const MapSpec& spec, std::uint32_t numa_node);
  static Result<Layout> layout(const MapSpec& spec);
  static void format(const shm::Region& state, std::uint64_t offset, const MapSpec& spec);
  static Result<std::unique_ptr<Map>> attach(object::Mapped mapped, MapHeader* header);
  static Result<void> check_btf(const btf::Btf& btf, const btf::MapTypes& types,
                                const btf::CheckedTypes& checked, std::uint32_t max_entries);
  static constexpr CheckBtf kCheckBtf = check_btf;

  Result<void> get_next_key(const std::byte* key, std::byte* next_key) override;
  Result<void> lookup_elem_copy(const std::byte* key, std::byte* value, std::uint64_t flags) override;
  Result<void> update_elem_copy(const std::byte* key, const std::byte* value, std::uint64_t flags) override;
  Result<void> delete_elem(const std::byte* key) override;
  Result<void> lookup_batch(const BatchCall& call) override { return generic_lookup_batch(call); }
  Result<void> update_batch(const BatchCall& call) override { return generic_update_batch(call); }
  Result<void> delete_batch(const BatchCall& call) override { return generic_delete_batch(call); }
  std::byte* lookup_elem(const std::byte* key, std::uint32_t) override { return trie_.find(key); }
  Result<void> update_elem(const std::byte* key, const std::byte* value, std::uint64_t flags,
                           std::uint32_t) override {
    return update_elem_copy(key, value, flags);
  }
  InlineLookup gen_lookup() const override;
  std::uint64_t mem_usage() const override;
  KernelStruct kernel_struct() const override;
  void check(shm::Findings& findings) const override;

  const ds::LpmTrie& trie() const { return trie_; }

 private:
  ds::LpmTrie trie_;
};

}  // namespace portolan::map
