// SPDX-License-Identifier: Apache-2.0
// Relocations of a program's types by "the kernel's", which are made for each test. What Linux makes of them,
// log and all, is in test/conformance/core_cases.cc.
#include "btf/core_relo.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "btf/blob_for_test.h"

namespace portolan::btf {
namespace {

using enum abi::CoreReloKind;
using Make = std::function<std::uint32_t(Blob&)>;  // the id of the type that it is about

Btf parsed(const Blob& blob) {
  auto btf = Btf::parse(blob.bytes());
  EXPECT_TRUE(btf);
  return std::move(*btf);
}

struct Answer {
  Result<CoreResult> result;
  std::string log;
};
Answer resolve(const Btf& local, const Btf& kernel, const abi::CoreRelo& relo) {
  Log log(1, 1 << 16);
  auto result = CoreRelocator(local, kernel, &log).resolve(relo, 0);
  std::string text = log.image();
  while (!text.empty() && (text.back() == '\0' || text.back() == '\n')) text.pop_back();
  return {result, text.substr(text.rfind('\n') + 1)};
}
Answer resolve(const Make& local, const Make& kernel, const char* access, abi::CoreReloKind kind) {
  Blob mine, theirs;
  const std::uint32_t type = local(mine);
  const std::uint32_t access_off = mine.string(access);
  kernel(theirs);
  const Btf local_btf = parsed(mine), kernel_btf = parsed(theirs);
  return resolve(local_btf, kernel_btf, {0, type, access_off, static_cast<std::uint32_t>(kind)});
}

std::uint32_t word(Blob& blob) { return blob.integer("unsigned int", 4); }
// struct pair { first at `first`, second at `second` }, in bits
Make pair(std::string_view name, std::uint32_t first, std::uint32_t second) {
  return [=](Blob& blob) {
    const std::uint32_t type = word(blob);
    return blob.structure(name, 64, {{"first", type, first}, {"second", type, second}});
  };
}
Make nothing() {
  return [](Blob& blob) { return word(blob); };
}

TEST(CoreRelo, a_field_is_found_by_its_name_wherever_it_lies) {
  const Answer answer = resolve(pair("pair", 0, 32), pair("pair", 32, 64), "0:1", kFieldByteOffset);
  ASSERT_TRUE(answer.result);
  EXPECT_EQ(answer.result->expected, 4u);
  EXPECT_EQ(answer.result->value, 8u);
  EXPECT_FALSE(answer.result->poison);
  EXPECT_EQ(answer.log,
            "prog '': relo #0: matching candidate #0 <byte_off> [2] STRUCT pair.second (0:1 @ offset 8)");
}

TEST(CoreRelo, a_flavor_has_the_name_before_its_last_three_underscores) {
  const struct {
    const char *local, *kernel;
    bool is_found;
  } rows[] = {{"pair___mine", "pair", true},
              {"pair", "pair___2", true},
              {"pair___a___b", "pair___a", false},
              {"pair___a___b", "pair___a___c", true},
              {"pair____a", "pair", false},
              {"pair___", "pair", false},
              {"pair__a", "pair", false},
              {"pai", "pair", false},
              {"pairs", "pair", false}};
  for (const auto& row : rows) {
    SCOPED_TRACE(row.local);
    const Answer answer = resolve(pair(row.local, 0, 32), pair(row.kernel, 0, 64), "0:1", kFieldByteOffset);
    ASSERT_TRUE(answer.result);
    EXPECT_EQ(answer.result->poison, !row.is_found);
  }
}

TEST(CoreRelo, what_is_not_there_does_not_exist_and_poisons_what_needs_it) {
  const auto of_nothing = [](abi::CoreReloKind kind, const char* access) {
    return *resolve(pair("pair", 0, 32), nothing(), access, kind).result;
  };
  for (const auto kind : {kFieldByteOffset, kFieldByteSize, kFieldSigned, kFieldLshiftU64, kFieldRshiftU64})
    EXPECT_TRUE(of_nothing(kind, "0:1").poison);
  for (const auto kind : {kTypeExists, kTypeSize, kTypeMatches, kTypeIdTarget}) {
    EXPECT_FALSE(of_nothing(kind, "0").poison);
    EXPECT_EQ(of_nothing(kind, "0").value, 0u);
  }
  EXPECT_FALSE(of_nothing(kFieldExists, "0:1").poison);
  EXPECT_EQ(of_nothing(kFieldExists, "0:1").value, 0u);
  EXPECT_EQ(of_nothing(kFieldExists, "0:1").expected, 1u);
}

TEST(CoreRelo, candidates_must_agree) {
  const auto two = [](std::uint32_t first, std::uint32_t second) -> Make {
    return [=](Blob& blob) {
      pair("pair", 0, first)(blob);
      return pair("pair___2", 0, second)(blob);
    };
  };
  EXPECT_EQ(resolve(pair("pair", 0, 32), two(64, 64), "0:1", kFieldByteOffset).result->value, 8u);
  const Answer offsets = resolve(pair("pair", 0, 32), two(64, 96), "0:1", kFieldByteOffset);
  EXPECT_EQ(offsets.result.error().value, EINVAL);
  EXPECT_EQ(offsets.log, "prog '': relo #0: field offset ambiguity: 96 != 64");
  const Answer ids = resolve(pair("pair", 0, 32), two(64, 64), "0", kTypeIdTarget);
  EXPECT_EQ(ids.result.error().value, EINVAL);
  EXPECT_EQ(ids.log, "prog '': relo #0: relocation decision ambiguity: success 4 != success 2");
}

TEST(CoreRelo, members_are_looked_for_in_those_without_a_name) {
  const Make kernel = [](Blob& blob) {
    const std::uint32_t type = word(blob);
    const std::uint32_t inner = blob.structure("", 8, {{"other", type, 0}, {"second", type, 32}});
    return blob.structure("pair", 16, {{"first", type, 0}, {"", inner, 64}});
  };
  const Answer answer = resolve(pair("pair", 0, 32), kernel, "0:1", kFieldByteOffset);
  EXPECT_EQ(answer.result->value, 12u);
  EXPECT_EQ(answer.log,
            "prog '': relo #0: matching candidate #0 <byte_off> [3] STRUCT pair.second (0:1:1 @ offset 12)");
}

// A struct whose field `field` has the type that `make` makes.
Make with(Make make) {
  return [=](Blob& blob) { return blob.structure("it", 64, {{"field", make(blob), 0}}); };
}
Make integer(std::uint32_t size, std::uint32_t encoding = 0) {
  return [=](Blob& blob) { return blob.integer("number", size, encoding); };
}
Make pointer() {
  return [](Blob& blob) { return blob.type(Kind::kPtr, "", 0, 0); };
}
Make array(Make element, std::uint32_t count) {
  return [=](Blob& blob) {
    const std::uint32_t index = word(blob);
    return blob.array(element(blob), index, count);
  };
}
Make enumeration(std::string_view name, bool is_signed = false) {
  return [=](Blob& blob) {
    return blob.type(Kind::kEnum, name, 1, 4, {blob.string("ONE"), static_cast<std::uint32_t>(-1)},
                     is_signed);
  };
}

TEST(CoreRelo, fields_of_other_kinds_are_not_the_same_field) {
  const struct {
    const char* what;
    Make local, kernel;
    bool is_found;
  } rows[] = {{"numbers of other sizes", integer(4), integer(8, 1), true},
              {"a number and a pointer", integer(8), pointer(), false},
              {"pointers", pointer(), pointer(), true},
              {"arrays of other lengths", array(integer(1), 4), array(integer(2), 9), true},
              {"arrays of other things", array(integer(8), 4), array(pointer(), 4), false},
              {"enums of one name", enumeration("e"), enumeration("e___2"), true},
              {"enums of other names", enumeration("e"), enumeration("f"), false},
              {"an enum without a name", enumeration(""), enumeration("f"), true},
              {"structs", pair("a", 0, 32), pair("b", 0, 32), true}};
  for (const auto& row : rows) {
    SCOPED_TRACE(row.what);
    const Answer answer = resolve(with(row.local), with(row.kernel), "0:0", kFieldExists);
    ASSERT_TRUE(answer.result);
    EXPECT_EQ(answer.result->value, row.is_found ? 1u : 0u);
  }
}

TEST(CoreRelo, loads_change_their_size_only_where_the_value_stays_the_same) {
  const struct {
    const char* what;
    Make local, kernel;
    std::uint32_t expected_size, size;
    bool changes_meaning;
  } rows[] = {{"unsigned", integer(4), integer(8), 4, 8, false},
              {"signed", integer(4, 1), integer(8, 1), 4, 8, true},
              {"signed here", integer(4, 1), integer(8), 4, 8, true},
              {"signed of one size", integer(4, 1), integer(4), 4, 4, false},
              {"elements of arrays", array(integer(4), 2), array(integer(4), 7), 4, 4, false},
              {"elements of other sizes", array(integer(4), 2), array(integer(8), 2), 4, 8, true}};
  for (const auto& row : rows) {
    SCOPED_TRACE(row.what);
    const CoreResult result = *resolve(with(row.local), with(row.kernel), "0:0", kFieldByteOffset).result;
    EXPECT_EQ(result.expected_size, row.expected_size);
    EXPECT_EQ(result.size, row.size);
    EXPECT_EQ(result.changes_meaning, row.changes_meaning);
  }
}

TEST(CoreRelo, signs_and_sizes_are_the_kernels) {
  EXPECT_EQ(resolve(with(integer(4)), with(integer(8, 1)), "0:0", kFieldSigned).result->value, 1u);
  EXPECT_EQ(resolve(with(integer(4)), with(integer(8, 1)), "0:0", kFieldByteSize).result->value, 8u);
  EXPECT_EQ(resolve(with(integer(4)), with(integer(8)), "0:0", kFieldLshiftU64).result->value, 0u);
  EXPECT_EQ(resolve(with(integer(4)), with(integer(2)), "0:0", kFieldRshiftU64).result->value, 48u);
  EXPECT_EQ(resolve(with(enumeration("")), with(enumeration("", true)), "0:0", kFieldSigned).result->value,
            1u);
}

TEST(CoreRelo, bit_fields_are_loaded_by_the_fewest_bytes_that_hold_them) {
  const auto bits = [](std::uint32_t size, std::uint32_t offset, std::uint32_t width) -> Make {
    return [=](Blob& blob) {
      return blob.structure("it", 32, {{"field", blob.integer("u", size), offset, width}}, true);
    };
  };
  const auto value = [](const Make& kernel, abi::CoreReloKind kind) {
    return resolve(with(integer(4)), kernel, "0:0", kind).result->value;
  };
  EXPECT_EQ(value(bits(4, 37, 3), kFieldByteOffset), 4u);
  EXPECT_EQ(value(bits(4, 37, 3), kFieldByteSize), 4u);
  EXPECT_EQ(value(bits(4, 37, 3), kFieldLshiftU64), 64u - 8);
  EXPECT_EQ(value(bits(4, 37, 3), kFieldRshiftU64), 61u);
  EXPECT_EQ(value(bits(1, 12, 8), kFieldByteSize), 4u);  // the bytes 1 and 2
  const Answer answer = resolve(with(integer(4)), bits(1, 60, 8), "0:0", kFieldByteOffset);
  EXPECT_EQ(answer.result.error().value, E2BIG);
  EXPECT_EQ(answer.log, "prog '': relo 0 at insn #0 can't be satisfied for bitfield");
}

TEST(CoreRelo, any_index_is_in_an_array_without_length_at_the_end) {
  const auto ends_in = [](std::uint32_t count) -> Make {
    return [=](Blob& blob) {
      const std::uint32_t type = word(blob);
      return blob.structure("it", 64, {{"length", type, 0}, {"items", blob.array(type, type, count), 64}});
    };
  };
  EXPECT_EQ(resolve(ends_in(0), ends_in(0), "0:1:5", kFieldByteOffset).result->value, 28u);
  EXPECT_EQ(resolve(ends_in(6), ends_in(0), "0:1:5", kFieldByteOffset).result->value, 28u);
  EXPECT_TRUE(resolve(ends_in(6), ends_in(5), "0:1:5", kFieldByteOffset).result->poison);
  EXPECT_FALSE(resolve(ends_in(5), ends_in(6), "0:1:5", kFieldByteOffset).result);
}

TEST(CoreRelo, enumerators_are_found_by_name_and_may_be_wider_than_a_word) {
  const Make local = [](Blob& blob) {
    return blob.type(Kind::kEnum64, "e", 2, 8,
                     {blob.string("A"), 1, 0, blob.string("B___mine"), 0xfffffff9, 0xffffffff}, true);
  };
  const Make kernel = [](Blob& blob) {
    return blob.type(Kind::kEnum64, "e", 2, 8, {blob.string("B"), 7, 1, blob.string("C"), 3, 0});
  };
  const CoreResult result = *resolve(local, kernel, "1", kEnumvalValue).result;
  EXPECT_EQ(result.expected, static_cast<std::uint64_t>(-7));
  EXPECT_EQ(result.value, (std::uint64_t{1} << 32) + 7);
  EXPECT_EQ(resolve(local, kernel, "1", kEnumvalExists).result->value, 1u);
  EXPECT_EQ(resolve(local, kernel, "0", kEnumvalExists).result->value, 0u);
  EXPECT_TRUE(resolve(local, kernel, "0", kEnumvalValue).result->poison);
  EXPECT_FALSE(resolve(local, kernel, "2", kEnumvalValue).result);
}

TEST(CoreRelo, types_match_if_the_kernels_has_all_of_the_programs) {
  const Make one = [](Blob& blob) { return blob.structure("pair", 64, {{"second", word(blob), 0}}); };
  EXPECT_EQ(resolve(one, pair("pair", 0, 32), "0", kTypeMatches).result->value, 1u);
  EXPECT_EQ(resolve(pair("pair", 0, 32), one, "0", kTypeMatches).result->value, 0u);
  EXPECT_EQ(resolve(pair("pair", 0, 32), one, "0", kTypeExists).result->value, 1u);
  const auto callback = [](std::uint32_t parameters) -> Make {
    return [=](Blob& blob) {
      const std::uint32_t type = word(blob);
      const std::uint32_t function = parameters == 1
                                         ? blob.type(Kind::kFuncProto, "", 1, type, {0, type})
                                         : blob.type(Kind::kFuncProto, "", 2, type, {0, type, 0, type});
      return blob.type(Kind::kTypedef, "callback", 0, blob.type(Kind::kPtr, "", 0, function));
    };
  };
  for (const auto kind : {kTypeExists, kTypeMatches}) {
    EXPECT_EQ(resolve(callback(1), callback(1), "0", kind).result->value, 1u);
    EXPECT_EQ(resolve(callback(1), callback(2), "0", kind).result->value, 0u);
  }
}

TEST(CoreRelo, structs_in_structs_in_structs_cannot_be_matched) {
  const Make deep = [](Blob& blob) {
    const std::uint32_t innermost = blob.structure("c", 4, {{"x", word(blob), 0}});
    const std::uint32_t inner = blob.structure("b", 4, {{"c", innermost, 0}});
    return blob.structure("a", 4, {{"b", inner, 0}});
  };
  const Answer answer = resolve(deep, deep, "0", kTypeMatches);
  EXPECT_EQ(answer.result.error().value, EINVAL);
  EXPECT_EQ(answer.log, "prog '': relo #0: error matching candidate #0 <type_matches> [4] STRUCT a: -22");
}

TEST(CoreRelo, nests_with_more_ways_through_them_than_can_be_followed_are_given_up) {
  const Make nest = [](Blob& blob) {
    std::uint32_t type = blob.structure("", 4, {{"x", word(blob), 0}}, false, Kind::kUnion);
    for (int i = 0; i < 28; ++i)
      type = blob.structure("", 4, {{"", type, 0}, {"", type, 0}}, false, Kind::kUnion);
    return blob.structure("pair", 64, {{"", type, 0}});
  };
  const Answer answer = resolve(pair("pair", 0, 32), nest, "0:1", kFieldByteOffset);
  EXPECT_EQ(answer.result.error().value, E2BIG);
}

TEST(CoreRelo, arrays_are_followed_at_most_as_deep_as_the_kernel_goes) {
  std::string access = "0";
  for (int i = 0; i < 64; ++i) access += ":0";
  const Answer answer = resolve(pair("pair", 0, 32), nothing(), access.c_str(), kFieldByteOffset);
  EXPECT_EQ(answer.result.error().value, EINVAL);
  EXPECT_TRUE(answer.log.ends_with("failed: -7")) << answer.log;
}

// Whatever passes as BTF, on both sides: an answer, and nothing else happens.
TEST(CoreRelo, survives_all_types_that_there_can_be) {
  std::mt19937 random(1);
  const auto dice = [&](std::size_t sides) { return static_cast<std::uint32_t>(random() % sides); };
  const char* const accesses[] = {"0", "0:0", "0:1", "1:0:0", "0:2:1:0", "0:1:1"};
  std::uint32_t resolved = 0;
  for (int round = 0; round < 3000; ++round) {
    std::optional<Btf> sides[2];
    std::uint32_t access_off[std::size(accesses)] = {};
    for (auto& side : sides) {
      Blob blob;
      std::uint32_t count = word(blob);
      const auto any = [&] { return dice(count + 1); };
      const char* const names[] = {"a", "a___b", "b", ""};
      const auto name = [&] { return names[dice(4)]; };
      while (count < 12) {
        switch (dice(10)) {
          case 0:
            count = blob.integer("a", 1u << dice(4), dice(2));
            break;
          case 1:
            count = blob.type(Kind::kPtr, "", 0, any());
            break;
          case 2:
            count = blob.array(1 + dice(count), 1, dice(3));
            break;
          case 3:
            count = blob.type(Kind::kTypedef, "a", 0, any());
            break;
          case 4:
            count = enumeration(name(), dice(2) != 0)(blob);
            break;
          case 5:
            count = blob.type(Kind::kFwd, "a", 0, 0, {}, dice(2) != 0);
            break;
          case 6:
            count = blob.type(Kind::kFuncProto, "", 1, any(), {0, 1 + dice(count)});
            break;
          case 7:
            count = blob.type(Kind::kConst, "", 0, any());
            break;
          default:
            count = blob.structure(
                name(), 1 << 20, {{name(), 1 + dice(count), 32}, {"x", 1 + dice(count), 64 * (1 + dice(9))}},
                false, dice(2) != 0 ? Kind::kStruct : Kind::kUnion);
        }
      }
      for (std::size_t i = 0; i < std::size(accesses); ++i) access_off[i] = blob.string(accesses[i]);
      if (auto btf = Btf::parse(blob.bytes())) side.emplace(std::move(*btf));
    }
    if (!sides[0] || !sides[1]) continue;
    for (std::uint32_t type = 0; type <= sides[0]->type_count(); ++type)
      for (std::uint32_t kind = 0; kind <= abi::kCoreReloKindEnd; ++kind)
        if (resolve(*sides[0], *sides[1], {0, type, access_off[dice(std::size(accesses))], kind}).result)
          ++resolved;
  }
  EXPECT_GT(resolved, 0u);
}

}  // namespace
}  // namespace portolan::btf
