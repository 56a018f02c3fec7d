// SPDX-License-Identifier: Apache-2.0
// CO-RE: what a program was compiled to know of the kernel's types, worked out again by those that there are.
// The types of both sides come from outside.
#pragma once
#include <unordered_map>

#include "btf/core_spec.h"

namespace portolan::btf {

class CoreMatch;

// What becomes of the instruction.
struct CoreResult {
  std::uint64_t expected = 0;  // what it was compiled with
  std::uint64_t value = 0;
  bool poison = false;                        // there is no such thing: it must not be reached
  bool is_certain = true;                     // what it was compiled with is `expected`
  std::uint32_t expected_size = 0, size = 0;  // bytes of the field that it loads or stores; 0: not known
  bool changes_meaning = false;               // a load or store of the new size would be of another value
};

// Of one program.
class CoreRelocator {
 public:
  // `local`: the program's types. All live longer; `log` may be null.
  CoreRelocator(const Btf& local, const Btf& kernel, Log* log) : local_(local), kernel_(kernel), log_(log) {}

  // The one of number `index`. EINVAL: it says nothing that can be understood, or what it says is ambiguous;
  // E2BIG.
  Result<CoreResult> resolve(const abi::CoreRelo& relo, std::uint32_t index);

 private:
  using Candidates = std::vector<std::uint32_t>;  // ids of types
  Result<const Candidates*> candidates(std::uint32_t type_id);
  Result<CoreSpec> parse(const abi::CoreRelo& relo, std::uint32_t index);
  Result<bool> find(CoreMatch& match, const CoreSpec& spec, std::uint32_t candidate, std::size_t number,
                    std::uint32_t index, CoreSpec& found);

  const Btf& local_;
  const Btf& kernel_;
  Log* log_;
  std::unordered_map<std::uint32_t, Candidates> candidates_;  // by the program's type
};

}  // namespace portolan::btf
