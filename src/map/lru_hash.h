// SPDX-License-Identifier: Apache-2.0
// LRU_HASH, LRU_PERCPU_HASH: hashes that give up a key for a new one when they are full.
#pragma once
#include "map/percpu_hash.h"

namespace portolan::map {

// The kernel keeps elements apart for each CPU with BPF_F_NO_COMMON_LRU, and so has as many for each. Here
// all CPUs share them, but the size that people see is the kernel's.
void round_up_to_cpus(MapSpec& spec);

// T: HashMap or PerCpuHashMap.
template <class T>
class LruHash : public T {
 public:
  using T::T;
  static Result<void> alloc_check(const MapSpec& spec, std::uint32_t numa_node) {
    if (!flags_are_allowed(spec)) return fail(EINVAL);
    if (spec.has(abi::map_flag::kNoPrealloc)) return fail(kEnotsupp);
    if (spec.has(abi::map_flag::kNoCommonLru) && numa_node != kNoNumaNode) return fail(EINVAL);
    return T::alloc_check(spec, numa_node);
  }
  static void normalize(MapSpec& spec) {
    if (spec.has(abi::map_flag::kNoCommonLru)) round_up_to_cpus(spec);
  }
  static ds::HashTableShape shape(const MapSpec& spec) {
    ds::HashTableShape shape = T::shape(spec);
    shape.evicts = true;
    return shape;
  }
};

class LruHashMap : public LruHash<HashMap> {
 public:
  using LruHash::LruHash;
  std::byte* lookup_elem(const std::byte* key, std::uint32_t cpu) override;
  InlineLookup gen_lookup() const override { return find_by_word<HashMap, true>(); }
};

class LruPerCpuHashMap : public LruHash<PerCpuHashMap> {
 public:
  using LruHash::LruHash;
  std::byte* lookup_percpu_elem(const std::byte* key, std::uint32_t cpu) override;
  InlineLookup gen_lookup() const override { return find_by_word<PerCpuHashMap, true>(); }
};

}  // namespace portolan::map
