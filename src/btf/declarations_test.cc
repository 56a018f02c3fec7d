// SPDX-License-Identifier: Apache-2.0
#include "btf/declarations.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>

namespace portolan::btf {
namespace {

Btf parsed(const std::vector<std::byte>& blob) {
  Log log(1, 1 << 16);
  auto btf = Btf::parse(blob, &log);
  if (!btf) {
    ADD_FAILURE() << log.image();
    std::abort();
  }
  return std::move(*btf);
}
Btf declared(std::string_view text) { return parsed(types_declared(text)); }

std::uint32_t id_of(const Btf& btf, std::string_view name, Kind kind) {
  const auto id = btf.find_by_name(name, kind);
  EXPECT_TRUE(id) << name;
  return id.value_or(0);
}

struct Place {
  std::uint32_t offset, bits;
  friend bool operator==(const Place&, const Place&) = default;
};
Place place_of(const Btf& btf, const char* owner, std::string_view member) {
  const Type& type = *btf.type(id_of(btf, owner, Kind::kStruct));
  for (const abi::btf::Member& one : btf.members(type))
    if (btf.name(one.name_off) == member)
      return {member_bit_offset(type, one), member_bitfield_size(type, one)};
  ADD_FAILURE() << member;
  return {};
}

struct Mixed {
  char a;
  struct {
    unsigned long long b;
    char c[3];
  } inner;
  union {
    short d[5];
    void* e;
  } f;
  bool g, *h;
};
struct Bits {
  unsigned char a : 4, b : 4;
  unsigned short c : 3, d : 9;
  unsigned int e : 20;
  char f;
};

TEST(Declarations, structs_lie_as_the_compiler_lays_them_out) {
  const Btf btf = declared(
      "struct Mixed { char a; struct { unsigned long long b; char c[3]; }; union { short d[5]; void *e; } f; "
      "_Bool g, *h; };"
      "struct Bits { unsigned char a : 4, b : 4; unsigned short c : 3, d : 9; unsigned e : 20; char f; };");
  EXPECT_EQ(btf.size_of(id_of(btf, "Mixed", Kind::kStruct)), sizeof(Mixed));
  EXPECT_EQ(place_of(btf, "Mixed", ""), (Place{offsetof(Mixed, inner) * 8, 0}));
  EXPECT_EQ(place_of(btf, "Mixed", "f"), (Place{offsetof(Mixed, f) * 8, 0}));
  EXPECT_EQ(place_of(btf, "Mixed", "g"), (Place{offsetof(Mixed, g) * 8, 0}));
  EXPECT_EQ(place_of(btf, "Mixed", "h"), (Place{offsetof(Mixed, h) * 8, 0}));
  EXPECT_EQ(btf.size_of(id_of(btf, "Bits", Kind::kStruct)), sizeof(Bits));
  EXPECT_EQ(place_of(btf, "Bits", "b"), (Place{4, 4}));
  EXPECT_EQ(place_of(btf, "Bits", "c"), (Place{8, 3}));
  EXPECT_EQ(place_of(btf, "Bits", "d"), (Place{16, 9}));  // it does not fit what is left of two bytes
  EXPECT_EQ(place_of(btf, "Bits", "e"), (Place{32, 20}));
  EXPECT_EQ(place_of(btf, "Bits", "f"), (Place{offsetof(Bits, f) * 8, 0}));
}

TEST(Declarations, types_are_there_before_and_after_their_place) {
  const Btf btf = declared(
      "struct a { struct b *next; struct c *unknown; struct a *self; }; struct b { struct a first; };");
  const Type& a = *btf.type(id_of(btf, "a", Kind::kStruct));
  const auto target = [&](std::size_t member) { return btf.type(btf.members(a)[member].type)->type; };
  EXPECT_EQ(target(0), id_of(btf, "b", Kind::kStruct));
  EXPECT_EQ(target(1), id_of(btf, "c", Kind::kFwd));
  EXPECT_EQ(btf.type(target(2)), &a);
}

TEST(Declarations, enumerators_count_on_from_what_they_are_given) {
  const Btf btf = declared("enum e { A, B, C = 7, D, E = -3 };");
  std::vector<std::int32_t> values;
  for (const abi::btf::Enum& one : btf.enums(*btf.type(id_of(btf, "e", Kind::kEnum))))
    values.push_back(one.val);
  EXPECT_EQ(values, (std::vector<std::int32_t>{0, 1, 7, 8, -3}));
}

TEST(Declarations, functions_have_prototypes_and_kfuncs_a_tag) {
  const Btf btf = declared(
      "typedef unsigned int u32; void nothing(void);"
      "__bpf_kfunc const char *f(const u32 *from, int (*each)(void *ctx, int *), long n__sz);");
  const Type& nothing = *btf.type(btf.type(id_of(btf, "nothing", Kind::kFunc))->type);
  EXPECT_EQ(nothing.type, 0u);
  EXPECT_TRUE(btf.params(nothing).empty());
  const std::uint32_t f = id_of(btf, "f", Kind::kFunc);
  const auto parameters = btf.params(*btf.type(btf.type(f)->type));
  ASSERT_EQ(parameters.size(), 3u);
  EXPECT_STREQ(btf.name(parameters[2].name_off), "n__sz");
  const Type& pointer = *btf.type(parameters[0].type);
  ASSERT_TRUE(is(pointer, Kind::kPtr));
  const Type& qualified = *btf.type(pointer.type);
  ASSERT_TRUE(is(qualified, Kind::kConst));
  EXPECT_STREQ(btf.name(*btf.type(qualified.type)), "u32");
  const Type& callback = *btf.type(btf.type(parameters[1].type)->type);
  ASSERT_TRUE(is(callback, Kind::kFuncProto));
  EXPECT_EQ(btf.params(callback).size(), 2u);
  const std::uint32_t tag = id_of(btf, "bpf_kfunc", Kind::kDeclTag);
  EXPECT_EQ(btf.type(tag)->type, f);
  EXPECT_EQ(btf.decl_tag(*btf.type(tag)).component_idx, -1);
}

TEST(Declarations, ids_of_the_base_stay_and_only_what_it_lacks_comes_behind_them) {
  constexpr std::string_view kOld =
      "typedef int pid_t; struct known { pid_t id; long more; }; int old(struct known *k);";
  const std::vector<std::byte> blob = types_declared(kOld);
  const Btf base = parsed(blob);
  EXPECT_EQ(types_completed(base, kOld), blob);

  const Btf both = parsed(types_completed(base,
                                          "struct known { char other; }; int young(struct known *k); struct "
                                          "holder { char a; struct known k; };"));
  EXPECT_TRUE(std::ranges::equal(both.type_section().first(base.type_section().size()), base.type_section()));
  EXPECT_TRUE(
      std::ranges::equal(both.string_section().first(base.string_section().size()), base.string_section()));
  const std::uint32_t young = id_of(both, "young", Kind::kFunc);
  EXPECT_GE(young, base.type_count());
  const auto parameters = both.params(*both.type(both.type(young)->type));
  ASSERT_EQ(parameters.size(), 1u);
  EXPECT_EQ(both.type(parameters[0].type)->type, id_of(base, "known", Kind::kStruct));
  EXPECT_EQ(place_of(both, "holder", "k"), (Place{64, 0}));
  EXPECT_EQ(both.size_of(id_of(both, "holder", Kind::kStruct)), 24u);
}

}  // namespace
}  // namespace portolan::btf
