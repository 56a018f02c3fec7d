// SPDX-License-Identifier: Apache-2.0
// The BTF of generated programs: a main function and a static one of four numbers.
#pragma once
#include "btf_blob.h"

namespace portolan::conformance {

struct FuncInfo {
  std::uint32_t insn, type;
};
inline constexpr std::uint32_t kMainFunction = 4, kStaticFunction = 6;
inline std::vector<std::byte> program_types() {
  BtfBlob blob;
  blob.add_int("int", 4, true).add_int("u64", 8);
  const std::uint32_t name = blob.add_name("x");
  constexpr std::uint32_t kFunc = 12u << 24, kFuncProto = 13u << 24, kGlobal = 1;
  blob.add_raw({0, kFuncProto | 1, 1, name, 2});
  blob.add_raw({blob.add_name("main_program"), kFunc | kGlobal, 3});
  blob.add_raw({0, kFuncProto | 4, 2, name, 2, name, 2, name, 2, name, 2});
  blob.add_raw({blob.add_name("callback"), kFunc, 5});
  return blob.bytes();
}

}  // namespace portolan::conformance
