// SPDX-License-Identifier: Apache-2.0
// Programs that read the kernel's struct of a map through a pointer to it: verdicts, as Linux 6.18 gives them
// unless the test says otherwise, and what is read there.
#include <fmt/format.h>

#include "syscall/kfuncs_for_test.h"

namespace portolan::syscall::verdicts {
namespace {

class MapStruct : public Kfuncs {
 protected:
  void SetUp() override {
    Kfuncs::SetUp();
    std::string why;
    ASSERT_TRUE(helper::give_kernel_btf(*runtime_, "builtin", &why)) << why;
    types_ = *helper::kernel_btf(*runtime_);
  }
  // Where the member of that struct of the kernel's is. What begins a map's struct is its struct bpf_map.
  std::int16_t offset_of(const char* owner, std::string_view member) const {
    const btf::Type& type = *types_->type(types_->find_by_name(owner, btf::Kind::kStruct).value_or(0));
    for (const abi::btf::Member& one : types_->members(type))
      if (types_->name(one.name_off) == member)
        return static_cast<std::int16_t>(btf::member_bit_offset(type, one) / 8);
    ADD_FAILURE() << member;
    return 0;
  }
  std::int16_t in_map(std::string_view member) const { return offset_of("bpf_map", member); }

  const btf::Btf* types_ = nullptr;
};

constexpr abi::Insn load_acquire(std::uint8_t to, std::uint8_t from, std::int16_t offset) {
  return {0xc3, regs(to, from), offset, 0x100};
}

TEST_F(MapStruct, only_what_is_in_it_is_read) {
  const std::int16_t type = in_map("map_type"), key_size = in_map("key_size");
  const auto beyond = [](const char* name) {
    return fmt::format("access beyond struct {} at off 4096 size 8", name);
  };
  const auto over_end =
      fmt::format("access beyond the end of member key_size (mend:{}) in struct bpf_map with off {} size 8",
                  key_size + 4, key_size);
  const std::string beyond_array = beyond("bpf_array"), beyond_hash = beyond("bpf_htab");
  const Code of_array{array_of(r1), kRest}, of_hash{map_of(r1), kRest};
  expect({
      {"a member", kTc, of_array + Code{load(4, r6, r1, type)} + kZero, 0, ""},
      {"with its sign", kTc, of_array + Code{{0x81, regs(r6, r1), type, 0}} + kZero, 0, ""},
      {"in order", kTc, of_array + Code{load_acquire(r6, r1, type)} + kZero, 0, ""},
      {"through a pointer that nothing was added to", kTc,
       of_array + Code{add(r1, 0), load(4, r6, r1, type)} + kZero, 0, ""},
      {"through one that was on the stack", kTc,
       of_array + Code{store(8, r10, -8, r1), load(8, r2, r10, -8), load(4, r6, r2, type)} + kZero, 0, ""},
      {"before it", kTc, of_array + Code{load(8, r6, r1, -8)} + kZero, EACCES,
       "R1 is bpf_array invalid negative access: off=-8"},
      {"behind it", kTc, of_array + Code{load(8, r6, r1, 4096)} + kZero, EACCES, beyond_array.c_str()},
      {"behind another", kTc, of_hash + Code{load(8, r6, r1, 4096)} + kZero, EACCES, beyond_hash.c_str()},
      {"more than a member", kTc, of_array + Code{load(8, r6, r1, key_size)} + kZero, EACCES,
       over_end.c_str()},
      {"a number is no pointer", kTc, of_array + Code{load(4, r6, r1, type), load(8, r6, r6, 0)} + kZero,
       EACCES, "R6 invalid mem access 'scalar'"},
      {"a store", kTc, of_array + Code{put(r1, 0, 0)} + kZero, EACCES,
       "only read from bpf_array is supported"},
      {"a store into another", kTc, of_hash + Code{put(r1, 0, 0)} + kZero, EACCES,
       "only read from bpf_htab is supported"},
      {"an atomic addition", kTc, of_array + Code{mov(r2, 1), {0xc3, regs(r1, r2), type, 0}} + kZero, EACCES,
       "only read from bpf_array is supported"},
  });
}

TEST_F(MapStruct, it_says_what_the_map_is_like) {
  const auto read = [&](const abi::Insn& map, unsigned bytes, std::int16_t offset) {
    return run({map, kRest, load(bytes, r0, r1, offset), kExit});
  };
  const std::int16_t own_of_array = offset_of("bpf_array", "elem_size");
  EXPECT_EQ(read(map_of(r1), 4, in_map("map_type")), 1u);
  EXPECT_EQ(read(map_of(r1), 4, in_map("key_size")), 8u);
  EXPECT_EQ(read(map_of(r1), 4, in_map("value_size")), 48u);
  EXPECT_EQ(read(map_of(r1), 4, offset_of("bpf_htab", "elem_size")), 104u);
  EXPECT_EQ(read(array_of(r1), 4, in_map("max_entries")), 4u);
  EXPECT_EQ(read(array_of(r1), 1, in_map("max_entries")), 4u);
  EXPECT_EQ(read(array_of(r1), 4, own_of_array), 48u);
  EXPECT_EQ(read(array_of(r1), 4, offset_of("bpf_array", "index_mask")), 3u);
  EXPECT_EQ(run({array_of(r1), kRest, load_acquire(r0, r1, own_of_array), kExit}), 48u);
  // The pointer stays one, where the load is not into its own register.
  EXPECT_EQ(run({array_of(r1), kRest, load(4, r6, r1, own_of_array), load(4, r1, r1, in_map("max_entries")),
                 move(r0, r6), sum(r0, r1), kExit}),
            52u);
}

TEST_F(MapStruct, of_two_maps_the_one_is_read_that_the_path_came_with) {
  const Code code{load(1, r6, r1, 0),
                  map_of(r1),
                  kRest,
                  if_equal(r6, 0, 2),
                  array_of(r1),
                  kRest,
                  load(4, r0, r1, in_map("value_size")),
                  load(4, r1, r1, in_map("key_size")),
                  sum(r0, r1),
                  kExit};
  std::vector<std::byte> context(64);
  EXPECT_EQ(run(code, context), 56u);
  context[0] = std::byte{1};
  EXPECT_EQ(run(code, context), 52u);
}

// Linux lets it pass, as the next.
TEST_F(MapStruct, that_of_a_map_which_lies_in_another_is_not_read) {
  const long inner = create({.type = abi::MapType::kArray, .value_size = 48, .max_entries = 4});
  abi::Attr made{};
  made.map_create.map_type = static_cast<std::uint32_t>(abi::MapType::kArrayOfMaps);
  made.map_create.key_size = made.map_create.value_size = 4;
  made.map_create.max_entries = 1;
  made.map_create.inner_map_fd = static_cast<std::uint32_t>(inner);
  const long outer = call(kMapCreate, made);
  ASSERT_GE(outer, 0);
  const auto verdict = [&](const Code& rest) {
    Code code = Code{put(r10, -8, 0),
                     move(r2, r10),
                     add(r2, -8),
                     {0x18, regs(r1, 1), 0, static_cast<std::int32_t>(outer)},
                     kRest} +
                rest;
    abi::Attr attr{};
    attr.prog_load.prog_type = kTc;
    attr.prog_load.insns = address(code.data());
    attr.prog_load.insn_cnt = static_cast<std::uint32_t>(code.size());
    attr.prog_load.license = address("GPL");
    return call(kProgLoad, attr);
  };
  const Code found{ask(kLookup), if_not(r0, 0, 1), kExit};
  EXPECT_GE(verdict(Code{load(4, r0, r1, in_map("max_entries"))} + kZero), 0);
  EXPECT_EQ(verdict(found + Code{load(4, r0, r0, in_map("max_entries"))} + kZero), -EACCES);
}

TEST_F(MapStruct, an_instruction_that_may_also_read_a_value_is_refused) {
  expect({{"a map or its value", kTc,
           looked_up() +
               Code{move(r6, r0), ask(kRandom), if_equal(r0, 0, 2), array_of(r6), kRest,
                    load(4, r6, r6, in_map("map_type"))} +
               kZero,
           EINVAL, "same insn cannot be used with different pointers"}});
}

}  // namespace
}  // namespace portolan::syscall::verdicts
