// SPDX-License-Identifier: Apache-2.0
// RHASH: a hash whose values are written over in place, and whose memory comes with its elements.
#pragma once
#include "map/hash.h"

namespace portolan::map {

class RhashMap : public HashMap {
 public:
  using HashMap::HashMap;
  static Result<void> alloc_check(const MapSpec& spec, std::uint32_t numa_node);

  Result<void> update_elem_copy(const std::byte* key, const std::byte* value, std::uint64_t flags) override;
  Result<void> lookup_batch(const BatchCall& call) override { return key_batch(call, false); }
  Result<void> lookup_and_delete_batch(const BatchCall& call) override { return key_batch(call, true); }
  KernelStruct kernel_struct() const override { return {}; }

 private:
  // in_batch and out_batch hold the key that comes first.
  Result<void> key_batch(const BatchCall& call, bool take);
};

}  // namespace portolan::map
