// SPDX-License-Identifier: Apache-2.0
// Whether what a program says of its own type is so of a type of the kernel's.
#pragma once
#include "btf/core_spec.h"

namespace portolan::btf {

class CoreMatch {
 public:
  // For one relocation. Both live longer.
  CoreMatch(const Btf& local, const Btf& target) : local_(local), target_(target) {}

  // `found` becomes `spec` in the terms of the target's type `id`, or as much of it as is there. EINVAL,
  // E2BIG.
  Result<bool> find(const CoreSpec& spec, std::uint32_t id, CoreSpec& found);

 private:
  struct Pair {
    std::uint32_t local, target;  // ids of types
  };
  // Types can be nested so that there are more ways through them than anybody can follow: E2BIG.
  Result<void> take_step();

  // --- core_match.cc
  Result<bool> find_enumerator(const CoreSpec& spec, std::uint32_t id, CoreSpec& found);
  Result<bool> find_field(const CoreSpec& spec, std::uint32_t id, CoreSpec& found);
  Result<bool> find_member(const CoreAccessor& wanted, std::uint32_t& id, CoreSpec& found);
  Result<bool> find_element(const CoreAccessor& wanted, std::uint32_t& id, CoreSpec& found);
  bool fields_are_compatible(Pair pair) const;

  // --- core_types.cc
  Pair resolve(Pair pair) const { return {local_.resolve(pair.local), target_.resolve(pair.target)}; }
  bool kinds_are_compatible(Pair pair) const;
  bool names_match(std::uint32_t local_offset, std::uint32_t target_offset) const;
  Result<bool> types_are_compatible(Pair pair, int level);
  Result<bool> parameters_are_compatible(Pair pair, int level);
  Result<bool> types_match(Pair pair, bool behind_pointer, int level);
  Result<bool> enums_match(Pair pair);
  Result<bool> members_match(Pair pair, bool behind_pointer, int level);
  Result<bool> parameters_match(Pair pair, bool behind_pointer, int level);
  bool matches_behind_pointer(Pair pair) const;

  const Btf& local_;
  const Btf& target_;
  std::uint32_t steps_ = 0;
};

}  // namespace portolan::btf
