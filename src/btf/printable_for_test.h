// SPDX-License-Identifier: Apache-2.0
// Types whose values the kernel shows the same way each time: no pointers but null ones.
#pragma once
#include "btf/blob_for_test.h"
#include "btf/kinds.h"

namespace portolan::btf {

struct Printable {
  std::vector<std::byte> blob;
  std::uint32_t key;
  std::vector<std::uint32_t> types;
};

inline Printable printable_types() {
  using namespace abi::btf;
  Blob blob;
  const auto i32 = blob.integer("int", 4, kIntSigned);
  const auto u32 = blob.integer("unsigned int", 4);
  const auto i64 = blob.integer("long", 8, kIntSigned);
  const auto u64 = blob.integer("unsigned long", 8);
  const auto i16 = blob.integer("short", 2, kIntSigned);
  const auto i8 = blob.integer("char", 1, kIntSigned);
  const auto u8 = blob.integer("unsigned char", 1);
  const auto flag = blob.integer("_Bool", 1, kIntBool);
  const auto wide = blob.integer("__int128", 16);
  const auto odd = blob.type(Kind::kInt, "odd", 0, 4, {3u << 16 | 17});
  const auto text = blob.array(i8, u32, 8);
  const auto bytes = blob.array(u8, u32, 4);
  const auto numbers = blob.array(i16, u32, 3);
  const auto matrix = blob.array(blob.array(i32, u32, 2), u32, 2);
  const auto small =
      blob.type(Kind::kEnum, "small", 3, 4,
                {blob.string("kZero"), 0, blob.string("kOne"), 1, blob.string("kMinus"), ~0u}, true);
  const auto plain = blob.type(Kind::kEnum, "plain", 1, 4, {blob.string("kFive"), 5});
  const auto large = blob.type(Kind::kEnum64, "large", 1, 8, {blob.string("kHuge"), 1, 1});
  const auto alias = blob.type(Kind::kTypedef, "number_t", 0, blob.type(Kind::kConst, "", 0, i64));
  const auto pair = blob.structure("pair", 8, {{"a", i32, 0}, {"b", u32, 32}});
  const auto either =
      blob.structure("either", 8, {{"i", i32, 0}, {"l", i64, 0}, {"p", pair, 0}}, false, Kind::kUnion);
  const auto bits = blob.structure(
      "bits", 16, {{"a", i32, 0, 3}, {"b", u32, 3, 13}, {"e", small, 16, 4}, {"c", alias, 64}}, true);
  const auto real = blob.type(Kind::kFloat, "double", 0, 8);
  const auto pairs = blob.array(pair, u32, 2);
  const auto lists =
      blob.structure("lists", 24, {{"text", text, 0}, {"n", numbers, 64}, {"x", i16, 112}, {"y", u64, 128}});
  const auto list_array = blob.array(lists, u32, 2);
  const auto empty = blob.structure("empty", 0, {});
  const auto outer = blob.structure("outer", 168,
                                    {{"pairs", pairs, 0},
                                     {"either", either, 128},
                                     {"", either, 192},
                                     {"bits", bits, 256},
                                     {"small", small, 384},
                                     {"plain", plain, 416},
                                     {"large", large, 448},
                                     {"wide", wide, 512},
                                     {"odd", odd, 640},
                                     {"bytes", bytes, 672},
                                     {"matrix", matrix, 704},
                                     {"real", real, 832},
                                     {"lists", list_array, 896},
                                     {"empty", empty, 1280},
                                     {"flag", flag, 1280},
                                     {"i8", i8, 1288},
                                     {"i16", i16, 1296}});
  const auto var = blob.type(Kind::kVar, "v", 0, pair, {1});
  const auto last = blob.type(Kind::kVar, "w", 0, alias, {0});
  const auto section = blob.type(Kind::kDatasec, ".data", 2, 24, {var, 0, 8, last, 16, 8});
  return {blob.bytes(), u32, {i32,  u32,    i64,   u64,     i16,    i8,         u8,    flag,   wide,
                              odd,  text,   bytes, numbers, matrix, small,      plain, large,  alias,
                              pair, either, bits,  pairs,   lists,  list_array, outer, section}};
}

}  // namespace portolan::btf
