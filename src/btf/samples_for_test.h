// SPDX-License-Identifier: Apache-2.0
// Valid blobs that together have every kind of type and every special field.
#pragma once
#include "btf/blob_for_test.h"
#include "btf/kinds.h"

namespace portolan::btf {

inline std::vector<std::byte> sample_of_all_kinds() {
  Blob blob;
  const auto i32 = blob.integer("int", 4, abi::btf::kIntSigned);
  const auto u8 = blob.integer("char", 1, abi::btf::kIntChar);
  const auto u64 = blob.integer("unsigned long", 8);
  blob.integer("_Bool", 1, abi::btf::kIntBool);
  const auto wide = blob.integer("__int128", 16);
  const auto pointer = blob.type(Kind::kPtr, "", 0, i32);
  const auto fwd = blob.type(Kind::kFwd, "later", 0, 0);
  const auto fwd_pointer = blob.type(Kind::kPtr, "", 0, fwd);
  const auto text = blob.array(u8, i32, 16);
  const auto inner = blob.structure("inner", 16, {{"a", i32, 0}, {"p", pointer, 64}});
  const auto both = blob.structure("both", 8, {{"i", i32, 0}, {"l", u64, 0}}, false, Kind::kUnion);
  const auto small = blob.type(Kind::kEnum, "small", 2, 4, {blob.string("kOne"), 1, blob.string("kTwo"), 2});
  const auto large = blob.type(Kind::kEnum64, "large", 1, 8, {blob.string("kHuge"), 7, 9});
  const auto real = blob.type(Kind::kFloat, "double", 0, 8);
  const auto alias = blob.type(Kind::kTypedef, "alias_t", 0, i32);
  const auto constant = blob.type(Kind::kConst, "", 0, alias);
  const auto qualified = blob.type(Kind::kVolatile, "", 0, constant);
  const auto restricted = blob.type(Kind::kRestrict, "", 0, fwd_pointer);
  const auto tagged = blob.type(Kind::kTypeTag, "user", 0, constant);
  const auto tagged_pointer = blob.type(Kind::kPtr, "", 0, tagged);
  const auto matrix = blob.array(blob.array(i32, i32, 3), i32, 2);
  const auto outer = blob.structure("outer", 144,
                                    {{"text", text, 0},
                                     {"in", inner, 128},
                                     {"both", both, 256},
                                     {"e", small, 320},
                                     {"q", qualified, 352},
                                     {"l", large, 384},
                                     {"d", real, 448},
                                     {"w", wide, 512},
                                     {"r", restricted, 640},
                                     {"t", tagged_pointer, 704},
                                     {"m", matrix, 768}});
  blob.structure("bits", 8, {{"a", i32, 0, 3}, {"b", i32, 3, 13}, {"e", small, 16, 2}, {"c", alias, 32}},
                 true);
  const auto proto =
      blob.type(Kind::kFuncProto, "", 3, i32, {blob.string("x"), i32, blob.string("y"), pointer, 0, 0});
  const auto func =
      blob.type(Kind::kFunc, "f", static_cast<std::uint32_t>(abi::btf::FuncLinkage::kGlobal), proto);
  const auto var = blob.type(Kind::kVar, "v", 0, outer, {1});
  const auto other = blob.type(Kind::kVar, "w", 0, qualified, {0});
  blob.type(Kind::kDatasec, ".data", 2, 160, {var, 0, 144, other, 144, 4});
  blob.decl_tag("about f", func);
  blob.decl_tag("about x", func, 0);
  blob.decl_tag("about p", inner, 1);
  blob.decl_tag("about alias", alias);
  return blob.bytes();
}

inline std::vector<std::byte> sample_of_special_fields() {
  Blob blob;
  const auto u32 = blob.integer("unsigned int", 4);
  const auto u64 = blob.integer("unsigned long", 8);
  const auto pair = blob.array(u64, u32, 2);
  const auto lock = blob.structure("bpf_spin_lock", 4, {{"val", u32, 0}});
  const auto timer = blob.structure("bpf_timer", 16, {{"opaque", pair, 0}});
  const auto head = blob.structure("bpf_list_head", 16, {{"opaque", pair, 0}});
  const auto node = blob.structure("bpf_list_node", 24, {{"opaque", blob.array(u64, u32, 3), 0}});
  const auto root = blob.structure("bpf_rb_root", 16, {{"opaque", pair, 0}});
  const auto rb_node = blob.structure("bpf_rb_node", 32, {{"opaque", blob.array(u64, u32, 4), 0}});
  const auto count = blob.structure("bpf_refcount", 4, {{"opaque", u32, 0}});
  const auto work = blob.structure("bpf_wq", 16, {{"opaque", pair, 0}});
  const auto object = blob.structure(
      "portolan_object", 72, {{"n", node, 0}, {"r", rb_node, 192}, {"c", count, 448}, {"x", u64, 512}});
  const auto tag = blob.type(Kind::kTypeTag, "kptr", 0, object);
  const auto kptr = blob.type(Kind::kPtr, "", 0, tag);
  const auto holder = blob.structure("portolan_value", 104,
                                     {{"lock", lock, 0},
                                      {"timer", timer, 64},
                                      {"head", head, 192},
                                      {"root", root, 320},
                                      {"kptrs", blob.array(kptr, u32, 2), 448},
                                      {"work", work, 576},
                                      {"x", u64, 704}});
  blob.decl_tag("contains:portolan_object:n", holder, 2);
  blob.decl_tag("contains:portolan_object:r", holder, 3);
  blob.structure("portolan_nest", 16,
                 {{"k", blob.structure("", 8, {{"kptr", kptr, 0}}), 0}, {"kk", kptr, 64}});
  blob.type(Kind::kDatasec, ".bss", 1, 104, {blob.type(Kind::kVar, "global", 0, holder, {1}), 0, 104});
  return blob.bytes();
}

inline std::vector<std::vector<std::byte>> sample_blobs() {
  return {sample_of_all_kinds(), sample_of_special_fields()};
}

}  // namespace portolan::btf
