// SPDX-License-Identifier: Apache-2.0
// What programs the verifier lets pass, and the last line of its log where it does not: those of Linux 6.18.
#include "abi/insn.h"
#include "btf/blob_for_test.h"
#include "syscall/world_for_test.h"

namespace portolan::syscall {
namespace {

using enum abi::Command;
using Code = std::vector<abi::Insn>;

constexpr std::uint8_t r0 = 0, r1 = 1, r2 = 2, r3 = 3, r4 = 4, r5 = 5, r6 = 6, r7 = 7, r8 = 8, r9 = 9,
                       r10 = 10;
constexpr std::uint8_t regs(unsigned to, unsigned from) { return static_cast<std::uint8_t>(to | from << 4); }
constexpr abi::Insn mov(std::uint8_t to, std::int32_t value) { return {0xb7, to, 0, value}; }
constexpr abi::Insn move(std::uint8_t to, std::uint8_t from) { return {0xbf, regs(to, from), 0, 0}; }
constexpr abi::Insn add(std::uint8_t to, std::int32_t value) { return {0x07, to, 0, value}; }
constexpr abi::Insn sum(std::uint8_t to, std::uint8_t from) { return {0x0f, regs(to, from), 0, 0}; }
constexpr abi::Insn bit_and(std::uint8_t to, std::int32_t value) { return {0x57, to, 0, value}; }
constexpr abi::Insn shl(std::uint8_t to, std::int32_t by) { return {0x67, to, 0, by}; }
constexpr abi::Insn sar(std::uint8_t to, std::int32_t by) { return {0xc7, to, 0, by}; }
constexpr abi::Insn load(unsigned bytes, std::uint8_t to, std::uint8_t from, std::int16_t offset) {
  const std::uint8_t size = bytes == 8 ? 0x18 : bytes == 4 ? 0x00 : bytes == 2 ? 0x08 : 0x10;
  return {static_cast<std::uint8_t>(0x61 | size), regs(to, from), offset, 0};
}
constexpr abi::Insn store(unsigned bytes, std::uint8_t to, std::int16_t offset, std::uint8_t from) {
  const std::uint8_t size = bytes == 8 ? 0x18 : bytes == 4 ? 0x00 : bytes == 2 ? 0x08 : 0x10;
  return {static_cast<std::uint8_t>(0x63 | size), regs(to, from), offset, 0};
}
constexpr abi::Insn put(std::uint8_t to, std::int16_t offset, std::int32_t value) {
  return {0x7a, to, offset, value};
}
constexpr abi::Insn jump(std::int16_t by) { return {0x05, 0, by, 0}; }
constexpr abi::Insn if_equal(std::uint8_t left, std::int32_t right, std::int16_t by) {
  return {0x15, left, by, right};
}
constexpr abi::Insn if_not(std::uint8_t left, std::int32_t right, std::int16_t by) {
  return {0x55, left, by, right};
}
constexpr abi::Insn if_above(std::uint8_t left, std::int32_t right, std::int16_t by) {
  return {0x25, left, by, right};
}
constexpr abi::Insn ask(std::int32_t helper) { return {0x85, 0, 0, helper}; }
constexpr abi::Insn call_function(std::int32_t by) { return {0x85, 0x10, 0, by}; }
constexpr abi::Insn kExit{0x95, 0, 0, 0}, kRest{0, 0, 0, 0};
// A hash of 48 bytes, or an array of four such; and kRest.
constexpr abi::Insn map_of(std::uint8_t to) { return {0x18, regs(to, 1), 0, 0}; }
constexpr abi::Insn array_of(std::uint8_t to) { return {0x18, regs(to, 1), 0, 1}; }

constexpr std::int32_t kLookup = 1, kRandom = 7, kClassid = 17, kNetnsCookie = 122, kSkLookupTcp = 84,
                       kSkRelease = 86, kSkFullsock = 95, kTcpSock = 96, kListenerSock = 98, kLoop = 181,
                       kLoadBytes = 26, kTailCall = 12;
constexpr std::uint32_t kFilter = 1, kTc = 3, kXdp = 6, kCgroupSkb = 8;

Code operator+(Code code, const Code& more) {
  code.insert(code.end(), more.begin(), more.end());
  return code;
}

// R0 = the value of key 0 (48 bytes), on paths where there is one.
Code looked_up() {
  return {put(r10, -8, 0), move(r2, r10), add(r2, -8),      map_of(r1),
          kRest,           ask(kLookup),  if_not(r0, 0, 1), kExit};
}
// R0 = sk_lookup_tcp(ctx in R1, …) of a tuple of zeros.
Code looked_for_socket() {
  return {put(r10, -16, 0), put(r10, -8, 0), move(r2, r10), add(r2, -16),
          mov(r3, 12),      mov(r4, 0),      mov(r5, 0),    ask(kSkLookupTcp)};
}
// R0 = the socket of the packet, not NULL.
Code packet_socket() { return {load(8, r0, r1, 168), if_not(r0, 0, 1), kExit}; }
Code packet_sock() {
  return {load(8, r1, r1, 168), if_not(r1, 0, 2), mov(r0, 0), kExit,
          ask(kSkFullsock),     if_not(r0, 0, 1), kExit};
}
const Code kZero{mov(r0, 0), kExit};

struct Verdict {
  const char* name;
  std::uint32_t type;
  Code code;
  int error;  // 0: it passes
  const char* last_line;
  std::vector<std::uint32_t> functions = {};  // where they start, for BTF: static ones that return int
};

class Verdicts : public World {
 protected:
  void expect(const Verdict& row) {
    SCOPED_TRACE(row.name);
    const long map = create({.type = abi::MapType::kHash, .key_size = 8, .value_size = 48});
    const long array = create({.type = abi::MapType::kArray, .value_size = 48, .max_entries = 4});
    ASSERT_GE(map, 0);
    ASSERT_GE(array, 0);
    Code code = row.code;
    for (std::size_t i = 0; i < code.size(); ++i)
      if (code[i].code == 0x18 && code[i].src() == 1)
        code[i].imm = static_cast<std::int32_t>(code[i].imm == 0 ? map : array);
    std::string log(1 << 20, '\0');
    abi::Attr attr{};
    attr.prog_load.prog_type = row.type;
    attr.prog_load.insns = address(code.data());
    attr.prog_load.insn_cnt = static_cast<std::uint32_t>(code.size());
    attr.prog_load.license = address("GPL");
    attr.prog_load.log_buf = address(log.data());
    attr.prog_load.log_size = static_cast<std::uint32_t>(log.size());
    attr.prog_load.log_level = 1;
    std::vector<abi::FuncInfo> functions;
    if (!row.functions.empty()) {
      btf::Blob blob;
      const std::uint32_t number = blob.integer("int", 4, 1);
      const std::uint32_t prototype = blob.type(btf::Blob::Kind::kFuncProto, "", 0, number);
      const std::uint32_t function = blob.type(btf::Blob::Kind::kFunc, "function", 0, prototype);
      for (std::uint32_t start : row.functions) functions.push_back({start, function});
      const std::vector<std::byte> bytes = blob.bytes();
      abi::Attr load{};
      load.btf_load.btf = address(bytes.data());
      load.btf_load.btf_size = static_cast<std::uint32_t>(bytes.size());
      const long fd = call(kBtfLoad, load);
      ASSERT_GE(fd, 0);
      attr.prog_load.prog_btf_fd = static_cast<std::uint32_t>(fd);
      attr.prog_load.func_info = address(functions.data());
      attr.prog_load.func_info_cnt = static_cast<std::uint32_t>(functions.size());
      attr.prog_load.func_info_rec_size = sizeof functions[0];
    }
    const long result = call(kProgLoad, attr);
    if (row.error == 0) {
      EXPECT_GE(result, 0) << log.c_str();
      return;
    }
    EXPECT_EQ(result, -row.error) << log.c_str();
    std::string text = log.c_str();
    const std::size_t statistics = text.rfind("processed ");
    if (statistics != std::string::npos) text.resize(statistics);
    if (!text.empty() && text.back() == '\n') text.pop_back();
    EXPECT_EQ(text.substr(text.rfind('\n') + 1), row.last_line);
  }
  void expect(const std::vector<Verdict>& rows) {
    for (const Verdict& row : rows) expect(row);
  }
};

TEST_F(Verdicts, the_shape_of_a_program_is_looked_at_before_its_encoding) {
  expect({
      {"junk that does not end", kFilter, {{0xff, 0, 0, 0}}, EINVAL, "last insn is not an exit or jmp"},
      {"junk", kFilter, {{0xff, 0, 0, 0}, kExit}, EINVAL, "unknown opcode ff"},
      {"a call of a register", kFilter, {{0x8d, 0, 0, -2}, kExit}, EINVAL, "unknown opcode 8d"},
      {"a load in no mode", kFilter, {{0x01, 0, 0, 0}, kExit}, EINVAL, "BPF_LDX uses reserved fields"},
      {"bad fields and bad registers",
       kFilter,
       {{0x7f, 0xff, -1, -1}, kExit},
       EINVAL,
       "BPF_ALU uses reserved fields"},
      {"a call into half an instruction",
       kFilter,
       {call_function(2), kExit, {0x18, 0, 0, 0}, {0x85, 0x10, 0, 0}, kExit},
       EINVAL,
       "last insn is not an exit or jmp"},
      {"half an instruction that calls",
       kFilter,
       {{0x18, 0, 0, 0}, {0x85, 0x10, 0, 0}, kExit, kExit},
       EINVAL,
       "last insn is not an exit or jmp"},
      {"half an instruction", kFilter, {{0x18, 0, 0, 0}}, EINVAL, "last insn is not an exit or jmp"},
  });
}

TEST_F(Verdicts, stack_is_512_bytes_and_aligned) {
  expect({
      {"beyond its end",
       kFilter,
       {load(8, r0, r10, -520), kExit},
       EACCES,
       "invalid read from stack R10 off=-520 size=8"},
      {"at the frame pointer",
       kFilter,
       {store(8, r10, 0, r10), kExit},
       EACCES,
       "invalid write to stack R10 off=0 size=8"},
      {"crooked",
       kFilter,
       {load(8, r0, r10, -12), kExit},
       EACCES,
       "misaligned stack access off 0+0+-12 size 8"},
      {"a helper over the frame pointer",
       kTc,
       {mov(r2, 0), move(r3, r10), add(r3, -4), mov(r4, 8), ask(kLoadBytes), mov(r0, 0), kExit},
       EINVAL,
       "invalid write to stack R3 off=-4 size=8"},
      {"a helper below the stack",
       kTc,
       {mov(r2, 0), move(r3, r10), add(r3, -513), mov(r4, 8), ask(kLoadBytes), mov(r0, 0), kExit},
       EACCES,
       "invalid write to stack R3 off=-513 size=8"},
      {"half a pointer",
       kFilter,
       {store(4, r10, -8, r1), mov(r0, 0), kExit},
       EACCES,
       "invalid size of register spill"},
      {"a pointer read by half",
       kFilter,
       {store(8, r10, -8, r1), load(4, r0, r10, -8), kExit},
       EACCES,
       "invalid size of register fill"},
      {"its pointer in a caller's frame",
       kFilter,
       {move(r1, r10), add(r1, -8), call_function(1), kExit, store(8, r1, 0, r10), mov(r0, 0), kExit},
       EINVAL,
       "cannot spill pointers to stack into stack frame of the caller"},
      {"the context in a caller's frame",
       kFilter,
       {move(r2, r10), add(r2, -8), call_function(1), kExit, store(8, r2, 0, r1), mov(r0, 0), kExit},
       0,
       ""},
      {"a returned pointer",
       kFilter,
       {call_function(1), kExit, move(r0, r10), kExit},
       EINVAL,
       "cannot return stack pointer to the caller"},
  });
}

TEST_F(Verdicts, calls_end_somewhere) {
  Code nine;
  for (int i = 0; i < 8; ++i) nine = nine + Code{call_function(1), kExit};
  expect({
      {"nine frames", kFilter, nine + kZero, E2BIG, "the call stack of 9 frames is too deep"},
      {"600 bytes in two",
       kFilter,
       {put(r10, -304, 0), call_function(1), kExit, put(r10, -296, 0), mov(r0, 0), kExit},
       EACCES,
       "combined stack size of 2 calls is 608. Too large"},
      {"frames without stack count nothing",
       kFilter,
       {call_function(1), kExit, put(r10, -256, 0), call_function(1), kExit, put(r10, -256, 0), mov(r0, 0),
        kExit},
       0,
       ""},
      {"a function that calls itself until it does not",
       kFilter,
       {mov(r1, 0), call_function(1), kExit, move(r6, r1), if_above(r6, 1, 3), add(r1, 1), call_function(-4),
        jump(1), mov(r0, 0), kExit},
       E2BIG,
       "the call stack of 8 frames is too deep !"},
  });
}

TEST_F(Verdicts, a_load_beyond_the_packet_ends_its_function_with_zero) {
  // The function returns 1 where it comes to its end; the caller reads R9, which nobody wrote, where it is 0.
  const Code program{call_function(4), if_not(r0, 0, 1), move(r0, r9), mov(r0, 0), kExit,
                     move(r6, r1),     {0x20, 0, 0, 0},  mov(r0, 1),   kExit};
  expect({
      {"in a function without BTF", kFilter, program, EINVAL,
       "LD_ABS is not allowed in subprogs without BTF"},
      {"in one that returns int", kFilter, program, EACCES, "R9 !read_ok", {0, 5}},
  });
}

TEST_F(Verdicts, bpf_loop_calls_back_as_often_as_it_is_told) {
  // Each round adds 1 to what lies in the caller's frame, where R6 will be moved by as much.
  const auto program = [](std::int32_t rounds) {
    return looked_up() + Code{move(r6, r0),
                              put(r10, -16, 0),
                              mov(r1, rounds),
                              {0x18, regs(r2, 4), 0, 10},
                              kRest,
                              move(r3, r10),
                              add(r3, -16),
                              mov(r4, 0),
                              ask(kLoop),
                              load(8, r1, r10, -16),
                              sum(r6, r1),
                              load(1, r0, r6, 0),
                              mov(r0, 0),
                              kExit,
                              // the callback
                              load(8, r1, r2, 0),
                              add(r1, 1),
                              store(8, r2, 0, r1),
                              mov(r0, 0),
                              kExit};
  };
  expect({
      {"47 times", kFilter, program(47), 0, "", {0, 22}},
      {"48 times",
       kFilter,
       program(48),
       EACCES,
       "R6 min value is outside of the allowed memory range",
       {0, 22}},
  });
}

TEST_F(Verdicts, numbers_that_change_from_round_to_round_come_to_rest) {
  // As many rounds as a random number says, each of which adds to what nothing depends on.
  expect(Verdict{"a sum",
                 kFilter,
                 {put(r10, -16, 0),
                  ask(kRandom),
                  move(r1, r0),
                  {0x18, regs(r2, 4), 0, 7},
                  kRest,
                  move(r3, r10),
                  add(r3, -16),
                  mov(r4, 0),
                  ask(kLoop),
                  load(8, r0, r10, -16),
                  kExit,
                  // the callback
                  load(8, r1, r2, 0),
                  add(r1, 3),
                  store(8, r2, 0, r1),
                  mov(r0, 0),
                  kExit},
                 0,
                 "",
                 {0, 11}});
}

TEST_F(Verdicts, a_callback_that_is_never_called_may_be_named) {
  expect(Verdict{"before another one",
                 kFilter,
                 {{0x18, regs(r2, 4), 0, 9},
                  kRest,
                  mov(r1, 1),
                  {0x18, regs(r2, 4), 0, 8},
                  kRest,
                  mov(r3, 0),
                  mov(r4, 0),
                  ask(kLoop),
                  mov(r0, 0),
                  kExit,
                  mov(r0, 1),
                  kExit,
                  mov(r0, 1),
                  kExit},
                 0,
                 "",
                 {0, 10, 12}});
  const auto at_the_end = [](std::int32_t rounds) -> Code {
    return {mov(r1, rounds), {0x18, regs(r2, 4), 0, 6},
            kRest,           mov(r3, 0),
            mov(r4, 0),      ask(kLoop),
            mov(r0, 0),      kExit,
            mov(r0, 0),      kExit};
  };
  expect({{"alone", kFilter, at_the_end(0), 0, "", {0, 8}},
          {"and called", kFilter, at_the_end(1), 0, "", {0, 8}}});
}

TEST_F(Verdicts, numbers_that_are_one_learn_from_each_other) {
  const Code number{move(r6, r0), ask(kRandom)};
  expect({
      {"a copy on the stack", kFilter,
       looked_up() + number +
           Code{store(8, r10, -16, r0), if_above(r0, 40, 3), load(8, r1, r10, -16), sum(r6, r1),
                load(1, r0, r6, 0), mov(r0, 0), kExit},
       0, ""},
      {"a narrow copy of a narrow number", kFilter,
       looked_up() + number +
           Code{bit_and(r0, 0xff), store(1, r10, -16, r0), if_above(r0, 40, 3), load(1, r1, r10, -16),
                sum(r6, r1), load(1, r0, r6, 0), mov(r0, 0), kExit},
       0, ""},
      {"a narrow copy of a wide number", kFilter,
       looked_up() + number +
           Code{bit_and(r0, 0xfff), store(1, r10, -16, r0), if_above(r0, 40, 3), load(1, r1, r10, -16),
                sum(r6, r1), load(1, r0, r6, 0), mov(r0, 0), kExit},
       EACCES, "R6 max value is outside of the allowed memory range"},
      {"a sum with a constant", kFilter,
       looked_up() + number +
           Code{move(r1, r0), add(r1, 8), if_above(r0, 39, 2), sum(r6, r1), load(1, r0, r6, 0), mov(r0, 0),
                kExit},
       0, ""},
      {"a sum that is one too large", kFilter,
       looked_up() + number +
           Code{move(r1, r0), add(r1, 8), if_above(r0, 40, 2), sum(r6, r1), load(1, r0, r6, 0), mov(r0, 0),
                kExit},
       EACCES, "R6 max value is outside of the allowed memory range"},
      {"a sum of a sum", kFilter,
       looked_up() + number +
           Code{move(r1, r0), add(r1, 4), add(r1, 4), if_above(r0, 39, 2), sum(r6, r1), load(1, r0, r6, 0),
                mov(r0, 0), kExit},
       EINVAL, "math between map_value pointer and register with unbounded min value is not allowed"},
      {"shifts that extend the sign", kFilter,
       looked_up() + number +
           Code{{0x66, r0, 6, 40},
                {0xc6, r0, 5, 0},
                shl(r0, 32),
                sar(r0, 32),
                sum(r6, r0),
                load(1, r0, r6, 0),
                jump(0),
                mov(r0, 0),
                kExit},
       0, ""},
      {"a range that is cut at both ends of the sign",
       kFilter,
       // u> 2 and s< 2 leave negative numbers only: the last jump is always taken.
       {ask(kRandom),
        {0xa5, r0, 3, 3},
        {0x65, r0, 2, 1},
        {0xc5, r0, 1, 0},
        load(8, r0, r9, 0),
        mov(r0, 0),
        kExit},
       0,
       ""},
  });
}

TEST_F(Verdicts, a_pointer_beyond_the_packet_stays_there_until_it_steps_back) {
  const Code packet{load(4, r2, r1, 0), load(4, r3, r1, 4), add(r2, 8)};
  expect({
      {"twice the same question", kXdp,
       packet + Code{{0x2d, regs(r2, r3), 2, 0},
                     mov(r0, 1),
                     kExit,
                     {0x2d, regs(r2, r3), 1, 0},
                     load(8, r0, r9, 0),
                     mov(r0, 0),
                     kExit},
       0, ""},
      {"a read there", kXdp,
       packet + Code{{0x2d, regs(r2, r3), 2, 0}, mov(r0, 1), kExit, load(1, r0, r2, -8), mov(r0, 0), kExit},
       EINVAL, "R2 offset is outside of the packet"},
      {"back again", kXdp,
       packet + Code{{0x2d, regs(r2, r3), 2, 0},
                     mov(r0, 1),
                     kExit,
                     add(r2, -4),
                     {0x2d, regs(r2, r3), 1, 0},
                     load(8, r0, r9, 0),
                     mov(r0, 0),
                     kExit},
       EACCES, "R9 !read_ok"},
  });
}

TEST_F(Verdicts, an_array_has_a_value_for_each_key_that_is_small_enough) {
  const auto program = [](std::int32_t bytes, std::int32_t key) -> Code {
    const abi::Insn put_key = bytes == 8 ? put(r10, -8, key) : abi::Insn{0x62, r10, -8, key};
    return {put_key,      move(r2, r10),       add(r2, -8), array_of(r1), kRest,
            ask(kLookup), load(8, r0, r0, 40), mov(r0, 0),  kExit};
  };
  const auto chosen = [](std::int32_t key, std::int32_t other) -> Code {
    return {ask(kRandom),   mov(r1, key),          if_equal(r0, 0, 1),
            mov(r1, other), store(4, r10, -8, r1), move(r2, r10),
            add(r2, -8),    array_of(r1),          kRest,
            ask(kLookup),   load(8, r0, r0, 40),   mov(r0, 0),
            kExit};
  };
  constexpr const char* kMayBeNull = "R0 invalid mem access 'map_value_or_null'";
  expect({
      {"the first", kFilter, program(4, 0), 0, ""},
      {"the last", kFilter, program(4, 3), 0, ""},
      {"one beyond", kFilter, program(4, 4), EACCES, kMayBeNull},
      {"zero of more bytes", kFilter, program(8, 0), EACCES, kMayBeNull},
      {"another number of more bytes", kFilter, program(8, 1), EACCES, kMayBeNull},
      {"one of two", kFilter, chosen(1, 2), 0, ""},
      {"one of two, one of which is beyond", kFilter, chosen(1, 5), EACCES, kMayBeNull},
  });
}

TEST_F(Verdicts, sockets_are_given_back_and_read_by_field) {
  const Code release{move(r1, r0), ask(kSkRelease)};
  expect({
      {"found and kept", kTc, looked_for_socket() + kZero, EINVAL,
       "BPF_EXIT instruction in main prog would lead to reference leak"},
      {"given back unseen", kTc, looked_for_socket() + release + kZero, EACCES,
       "R1 type=sock_or_null expected=sock_common, sock, tcp_sock, xdp_sock, ptr_, trusted_ptr_"},
      {"given back", kTc, looked_for_socket() + Code{if_equal(r0, 0, 2)} + release + kZero, 0, ""},
      {"given back twice", kTc,
       looked_for_socket() + Code{move(r6, r0), if_equal(r0, 0, 4)} + release +
           Code{move(r1, r6), ask(kSkRelease)} + kZero,
       EACCES, "R1 type=scalar expected=sock_common, sock, tcp_sock, xdp_sock, ptr_, trusted_ptr_"},
      {"read after that", kTc,
       looked_for_socket() + Code{if_not(r0, 0, 1), kExit, move(r6, r0)} + release +
           Code{load(4, r0, r6, 4)} + kZero,
       EACCES, "R6 invalid mem access 'scalar'"},
      {"a cast ends with what it is", kTc,
       looked_for_socket() +
           Code{if_not(r0, 0, 1), kExit, move(r6, r0), move(r1, r0), ask(kTcpSock), if_not(r0, 0, 3),
                move(r1, r6), ask(kSkRelease), kExit, move(r7, r0), move(r1, r6), ask(kSkRelease),
                load(4, r0, r7, 0)} +
           kZero,
       EACCES, "R7 invalid mem access 'scalar'"},
      {"a listener does not", kTc,
       looked_for_socket() +
           Code{if_not(r0, 0, 1), kExit, move(r6, r0), move(r1, r0), ask(kListenerSock), if_not(r0, 0, 3),
                move(r1, r6), ask(kSkRelease), kExit, move(r7, r0), move(r1, r6), ask(kSkRelease),
                load(4, r0, r7, 4)} +
           kZero,
       0, ""},
      {"not ours to give back", kTc, packet_sock() + release + kZero, EINVAL,
       "R1 must be referenced when passed to release function"},
      {"moved", kTc, looked_for_socket() + Code{add(r0, 8)} + kZero, EACCES,
       "R0 pointer arithmetic on sock_or_null prohibited, null-check it first"},
      {"the packet's, unseen", kCgroupSkb, Code{load(8, r1, r1, 168), load(4, r0, r1, 4)} + kZero, EACCES,
       "R1 invalid mem access 'sock_common_or_null'"},
      {"a field of all sockets", kCgroupSkb, packet_socket() + Code{load(4, r0, r0, 4)} + kZero, 0, ""},
      {"a field of some", kCgroupSkb, packet_socket() + Code{load(4, r0, r0, 8)} + kZero, EACCES,
       "R0 invalid sock_common access off=8 size=4"},
      {"that field, of a full one", kCgroupSkb, packet_sock() + Code{load(1, r0, r0, 8)} + kZero, 0, ""},
      {"its second byte", kCgroupSkb, packet_sock() + Code{load(1, r0, r0, 9)} + kZero, EACCES,
       "R0 invalid sock access off=9 size=1"},
      {"the padding of the port", kCgroupSkb, packet_sock() + Code{load(2, r0, r0, 50)} + kZero, EACCES,
       "R0 invalid sock access off=50 size=2"},
      {"beyond the last field", kCgroupSkb, packet_sock() + Code{load(4, r0, r0, 80)} + kZero, EACCES,
       "R0 invalid sock access off=80 size=4"},
      {"written", kCgroupSkb, packet_sock() + Code{store(4, r0, 4, r0)} + kZero, EACCES,
       "R0 cannot write into sock"},
      {"one of two", kTc,
       Code{move(r6, r1)} + packet_sock() +
           Code{load(8, r1, r6, 168),
                if_equal(r1, 0, 4),
                ask(kSkFullsock),
                {0x5d, regs(r0, r0), 2, 0},
                if_equal(r0, 0, 1),
                load(4, r0, r0, 4)} +
           kZero,
       0, ""},
  });
}

TEST_F(Verdicts, helpers_get_what_they_ask_for) {
  expect({
      {"the class of a tc program's context", kTc, {ask(kClassid), kExit}, 0, ""},
      {"of none", kTc, {mov(r1, 1), ask(kClassid), kExit}, EACCES, "R1 type=scalar expected=ctx"},
      {"of another type's process", kXdp, {mov(r1, 1), ask(kClassid), kExit}, 0, ""},
      {"a cookie of no context", kTc, {mov(r1, 0), ask(kNetnsCookie), mov(r0, 0), kExit}, 0, ""},
      {"a cookie of a number",
       kTc,
       {mov(r1, 1), ask(kNetnsCookie), mov(r0, 0), kExit},
       EACCES,
       "R1 type=scalar expected=ctx"},
      {"a hash to tail call into",
       kTc,
       {map_of(r2), kRest, mov(r3, 0), ask(kTailCall), mov(r0, 0), kExit},
       EINVAL,
       "expected prog array map for tail call"},
      {"the context as memory",
       kTc,
       {move(r3, r1), mov(r2, 0), mov(r4, 8), ask(kLoadBytes), mov(r0, 0), kExit},
       EACCES,
       "R3 type=ctx expected=fp, pkt, pkt_meta, map_key, map_value, mem, ringbuf_mem, buf, trusted_ptr_"},
  });
}

TEST_F(Verdicts, one_instruction_goes_through_one_kind_of_pointer) {
  expect(Verdict{"a socket or the context",
                 kCgroupSkb,
                 {move(r6, r1), load(8, r2, r1, 168), if_not(r2, 0, 1), move(r2, r6), load(4, r0, r2, 0),
                  mov(r0, 0), kExit},
                 EINVAL,
                 "same insn cannot be used with different pointers"});
}

TEST_F(Verdicts, functions_of_the_kernel_may_stand_where_no_path_comes) {
  constexpr abi::Insn kfunc{0x85, 0x20, 0, 0};
  expect({
      {"behind a jump", kFilter, {mov(r0, 0), if_equal(r0, 0, 1), kfunc, kExit}, 0, ""},
      {"on the way",
       kFilter,
       {mov(r0, 0), kfunc, kExit},
       EINVAL,
       "invalid kernel function call not eliminated in verifier pass"},
  });
}

TEST_F(Verdicts, what_cgroup_programs_return_is_64_bits_wide) {
  expect({
      {"an unknown number",
       kCgroupSkb,
       {ask(kRandom), kExit},
       EINVAL,
       "At program exit the register R0 has unknown scalar value should have been in [0, 1]"},
      {"above 32 bits",
       kCgroupSkb,
       {ask(kRandom), {0x77, r0, 0, 63}, shl(r0, 32), kExit},
       EINVAL,
       "At program exit the register R0 has smin=0 smax=4294967296 should have been in [0, 1]"},
  });
}

TEST_F(Verdicts, endless_loops_show_what_does_not_change) {
  expect(Verdict{
      "two jumps", kFilter, {mov(r0, 0), jump(0), jump(-2)}, EINVAL, "old state: R0=0 R1=ctx() R10=fp0"});
}

TEST_F(Verdicts, stack_that_nobody_reads_keeps_no_paths_apart) {
  // Each jump skips a store to one of 8 slots: 2^40 paths, unless they meet.
  Code code{move(r8, r1)};
  for (int i = 0; i < 40; ++i)
    code = code + Code{ask(kRandom), if_equal(r0, i, 2), move(r1, r10),
                       store(8, r1, static_cast<std::int16_t>(-8 * (i % 8 + 1)), r8)};
  expect({{"none is read", kFilter, code + kZero, 0, ""},
          {"one is", kFilter, code + Code{load(8, r1, r10, -8), load(4, r0, r1, 0)} + kZero, EACCES,
           "R1 invalid mem access 'scalar'"}});
}

}  // namespace
}  // namespace portolan::syscall
