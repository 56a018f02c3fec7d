// SPDX-License-Identifier: Apache-2.0
#include "abi/insn.h"
#include "abi/prog_flags.h"
#include "base/sys.h"
#include "btf/blob_for_test.h"
#include "syscall/world_for_test.h"

namespace portolan::syscall {
namespace {

using enum abi::Command;

class ProgLoad : public World {
 protected:
  long load(const std::vector<abi::Insn>& insns, abi::Attr attr = {}) {
    attr.prog_load.prog_type = 1;
    attr.prog_load.insns = address(insns.data());
    attr.prog_load.insn_cnt = static_cast<std::uint32_t>(insns.size());
    attr.prog_load.license = address("GPL");
    return call(kProgLoad, attr);
  }
};
constexpr abi::Insn kZero{0xb7, 0, 0, 0}, kExit{0x95, 0, 0, 0};

TEST_F(ProgLoad, a_probe_of_two_instructions_has_the_kernels_tag) {
  abi::Attr attr{};
  std::memcpy(attr.prog_load.prog_name, "probe", 6);
  const long fd = load({kZero, kExit}, attr);
  ASSERT_GE(fd, 0);
  abi::ProgInfo info{};
  abi::Attr ask{};
  ask.info = {static_cast<std::uint32_t>(fd), sizeof info, address(&info)};
  ASSERT_EQ(call(kObjGetInfoByFd, ask), 0);
  EXPECT_EQ(info.type, 1u);
  constexpr std::uint8_t tag[] = {0x59, 0xf4, 0xa9, 0x31, 0x74, 0x4d, 0xcd, 0xc6};  // as Linux 6.18 says
  EXPECT_EQ(std::memcmp(info.tag, tag, sizeof tag), 0);
  EXPECT_STREQ(info.name, "probe");
  EXPECT_EQ(info.xlated_prog_len, 16u);
  EXPECT_EQ(info.verified_insns, 2u);
  EXPECT_NE(info.load_time, 0u);
}

TEST_F(ProgLoad, what_could_do_harm_is_rejected_with_a_reason) {
  const struct {
    std::vector<abi::Insn> insns;
    long expected;
    const char* reason;
  } rows[] = {{{kExit}, -EACCES, "R0 !read_ok"},
              {{kZero}, -EINVAL, "last insn is not an exit or jmp"},
              {{kZero, kExit, kExit}, -EINVAL, "unreachable insn 2"},
              {{kZero, {0x05, 0, -2, 0}, kExit}, -EINVAL, "unreachable insn 2"},
              {{kZero, {0x05, 0, -1, 0}}, -EINVAL, "infinite loop detected"},
              {{{0x79, 0x10, 0, 0}, kExit}, -EACCES, "invalid bpf_context access off=0 size=8"},
              {{{0x79, 0xa0, 0, 0}, kExit}, -EACCES, "invalid read from stack R10 off=0 size=8"},
              {{{0x79, 0x10, 0, 0}, kExit}, -EACCES, "invalid bpf_context access"},
              {{{0xb7, 0x0a, 0, 0}, kExit}, -EACCES, "frame pointer is read only"},
              {{{0xb7, 0x0f, 0, 0}, kExit}, -EINVAL, "R15 is invalid"},
              {{kZero, {0x37, 0, 0, 0}, kExit}, -EINVAL, "div by zero"},
              {{kZero, {0x67, 0, 0, 64}, kExit}, -EINVAL, "invalid shift 64"},
              {{kZero, {0x85, 0, 0, 9999}, kExit}, -EINVAL, "invalid func unknown#9999"}};
  for (const auto& row : rows) {
    SCOPED_TRACE(row.reason);
    char log[2048] = "";
    abi::Attr attr{};
    attr.prog_load.log_buf = address(log);
    attr.prog_load.log_size = sizeof log;
    attr.prog_load.log_level = 1;
    EXPECT_EQ(load(row.insns, attr), row.expected);
    EXPECT_NE(std::string(log).find(row.reason), std::string::npos) << log;
  }
}

TEST_F(ProgLoad, a_log_that_does_not_fit_is_enospc_and_keeps_its_end) {
  char log[8] = "";
  abi::Attr attr{};
  attr.prog_load.log_buf = address(log);
  attr.prog_load.log_size = sizeof log;
  attr.prog_load.log_level = 1;
  EXPECT_EQ(load({kZero, kExit}, attr), -ENOSPC);
  EXPECT_STREQ(log, "read 0\n");
}

TEST_F(ProgLoad, a_bound_map_lives_as_long_as_the_program_and_is_among_its_ids) {
  const long program = load({kZero, kExit}), map = create({});
  ASSERT_GE(program, 0);
  ASSERT_GE(map, 0);
  abi::Attr bind{};
  bind.prog_bind_map = {static_cast<std::uint32_t>(program), static_cast<std::uint32_t>(map), 0};
  EXPECT_EQ(call(kProgBindMap, bind), 0);
  EXPECT_EQ(call(kProgBindMap, bind), 0);  // once more changes nothing
  bind.prog_bind_map.flags = 1;
  EXPECT_EQ(call(kProgBindMap, bind), -EINVAL);
  std::uint32_t ids[4] = {};
  abi::ProgInfo info{};
  info.nr_map_ids = 4;
  info.map_ids = address(ids);
  abi::Attr ask{};
  ask.info = {static_cast<std::uint32_t>(program), sizeof info, address(&info)};
  ASSERT_EQ(call(kObjGetInfoByFd, ask), 0);
  EXPECT_EQ(info.nr_map_ids, 1u);
  EXPECT_NE(ids[0], 0u);
}

// What a function has left on the stack is not there for the next one.
TEST_F(ProgLoad, stack_that_a_function_has_not_written_holds_zeros) {
  using abi::Insn;
  const Insn call_f{0x85, 0x10, 0, 0}, kZeroR0{0xb7, 0, 0, 0}, kOne{0xb7, 1, 0, 1}, kNone{0xb7, 1, 0, 0};
  const Insn put{0x7a, 10, -8, 4711}, get{0x79, 0xa0, -8, 0};
  struct {
    const char* name;
    std::vector<Insn> rest;  // of the main program, after a function has filled its stack, and another one
  } const rows[] = {
      {"never", {kOne, call_f, kExit, get, kExit}},
      {"on another path", {kNone, call_f, kExit, {0x15, 1, 1, 0}, put, get, kExit}},
      {"where paths meet",
       {kNone, call_f, kExit, {0x15, 1, 1, 0}, put, {0x05, 0, 0, 0}, {0xbf, 0x11, 0, 0}, get, kExit}},
      {"in part", {kNone, call_f, kExit, {0x62, 10, -8, 0}, get, kExit}},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    // main: f(); R0 = g(…); exit. f fills 512 bytes.
    std::vector<Insn> code{call_f};
    code.insert(code.end(), row.rest.begin(), row.rest.end());
    const auto f = static_cast<std::int32_t>(code.size());
    for (std::int16_t at = -512; at < 0; at = static_cast<std::int16_t>(at + 8))
      code.push_back({0x7a, 10, at, 4711});
    code.insert(code.end(), {kZeroR0, kExit});
    code[0].imm = f - 1;
    code[2].imm = 1;
    for (std::uint32_t flags : {0u, abi::prog_flag::kTestStateFreq}) {
      abi::Attr attr{};
      attr.prog_load.prog_flags = flags;
      const long program = load(code, attr);
      ASSERT_GE(program, 0);
      abi::Attr run{};
      const std::byte packet[14] = {};
      run.test.prog_fd = static_cast<std::uint32_t>(program);
      run.test.data_in = address(packet);
      run.test.data_size_in = sizeof packet;
      ASSERT_EQ(call(kProgTestRun, run), 0);
      EXPECT_EQ(run.test.retval, 0u);
    }
  }
}

// A global function knows of its argument only how many bytes it has.
TEST_F(ProgLoad, a_global_function_may_be_given_pages_that_are_cut_short_later) {
  const long map =
      create({.type = abi::MapType::kArray, .max_entries = 1, .flags = abi::map_flag::kMmapable});
  ASSERT_GE(map, 0);
  btf::Blob blob;
  const std::uint32_t number = blob.integer("int", 4, 1), wide = blob.integer("long", 8, 1);
  const std::uint32_t pointer = blob.type(btf::Blob::Kind::kPtr, "", 0, wide);
  const std::uint32_t takes_nothing = blob.type(btf::Blob::Kind::kFuncProto, "", 0, number);
  const std::uint32_t takes_pointer =
      blob.type(btf::Blob::Kind::kFuncProto, "", 1, number, {blob.string("value"), pointer});
  const auto global = static_cast<std::uint32_t>(abi::btf::FuncLinkage::kGlobal);
  const abi::FuncInfo functions[] = {{0, blob.type(btf::Blob::Kind::kFunc, "main", global, takes_nothing)},
                                     {4, blob.type(btf::Blob::Kind::kFunc, "read", global, takes_pointer)}};
  const std::vector<std::byte> bytes = blob.bytes();
  abi::Attr types{};
  types.btf_load.btf = address(bytes.data());
  types.btf_load.btf_size = static_cast<std::uint32_t>(bytes.size());
  const long types_fd = call(kBtfLoad, types);
  ASSERT_GE(types_fd, 0);
  abi::Attr attr{};
  attr.prog_load.prog_btf_fd = static_cast<std::uint32_t>(types_fd);
  attr.prog_load.func_info = address(functions);
  attr.prog_load.func_info_cnt = 2;
  attr.prog_load.func_info_rec_size = sizeof functions[0];
  const long program = load({{0x18, 0x21, 0, static_cast<std::int32_t>(map)},
                             {0, 0, 0, 0},
                             {0x85, 0x10, 0, 1},
                             kExit,
                             {0xb7, 0, 0, 7},
                             {0x15, 1, 1, 0},
                             {0x79, 0x10, 0, 0},  // R0 = *R1
                             kExit},
                            attr);
  ASSERT_GE(program, 0);
  ASSERT_TRUE(sys::ftruncate(static_cast<int>(map), 0));
  abi::Attr run{};
  const std::byte packet[14] = {};
  run.test.prog_fd = static_cast<std::uint32_t>(program);
  run.test.data_in = address(packet);
  run.test.data_size_in = sizeof packet;
  ASSERT_EQ(call(kProgTestRun, run), 0);
  EXPECT_EQ(run.test.retval, 0u);
}

}  // namespace
}  // namespace portolan::syscall
