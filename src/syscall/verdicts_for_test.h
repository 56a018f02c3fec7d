// SPDX-License-Identifier: Apache-2.0
// Small programs, and what the verifier says of them: whether they pass, and the last line of its log where
// they do not. Both are what Linux 6.18 says, unless the test says otherwise.
#pragma once
#include <fmt/core.h>

#include "abi/insn.h"
#include "abi/prog_type.h"
#include "btf/blob_for_test.h"
#include "syscall/world_for_test.h"

namespace portolan::syscall::verdicts {

using enum abi::Command;
using Code = std::vector<abi::Insn>;

inline constexpr std::uint8_t r0 = 0, r1 = 1, r2 = 2, r3 = 3, r4 = 4, r5 = 5, r6 = 6, r7 = 7, r8 = 8, r9 = 9,
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
inline constexpr abi::Insn kExit{0x95, 0, 0, 0}, kRest{0, 0, 0, 0};
// A hash of 48 bytes, an array of four such, a ring that user space fills, an array of programs, or a ring
// that programs fill; and kRest.
constexpr abi::Insn map_of(std::uint8_t to) { return {0x18, regs(to, 1), 0, 0}; }
constexpr abi::Insn array_of(std::uint8_t to) { return {0x18, regs(to, 1), 0, 1}; }
constexpr abi::Insn user_ring_of(std::uint8_t to) { return {0x18, regs(to, 1), 0, 2}; }
constexpr abi::Insn programs_of(std::uint8_t to) { return {0x18, regs(to, 1), 0, 3}; }
constexpr abi::Insn ring_of(std::uint8_t to) { return {0x18, regs(to, 1), 0, 4}; }

inline constexpr std::int32_t kLookup = 1, kRandom = 7, kClassid = 17, kNetnsCookie = 122, kSkLookupTcp = 84,
                              kSkRelease = 86, kSkFullsock = 95, kTcpSock = 96, kListenerSock = 98,
                              kSkcToTcpSock = 137, kCurrentTaskBtf = 158, kLoop = 181, kLoadBytes = 26,
                              kTailCall = 12, kRingbufReserveDynptr = 198, kRingbufSubmitDynptr = 199,
                              kDynptrData = 203, kUserRingbufDrain = 209;
inline constexpr std::uint32_t kFilter = 1, kKprobe = 2, kTc = 3, kTracepoint = 5, kXdp = 6, kPerfEvent = 7,
                               kCgroupSkb = 8, kRawTracepoint = 17, kRawTracepointWritable = 24;

inline Code operator+(Code code, const Code& more) {
  code.insert(code.end(), more.begin(), more.end());
  return code;
}

// R0 = the value of key 0 (48 bytes), on paths where there is one.
inline Code looked_up() {
  return {put(r10, -8, 0), move(r2, r10), add(r2, -8),      map_of(r1),
          kRest,           ask(kLookup),  if_not(r0, 0, 1), kExit};
}
// R0 = sk_lookup_tcp(ctx in R1, …) of a tuple of zeros.
inline Code looked_for_socket() {
  return {put(r10, -16, 0), put(r10, -8, 0), move(r2, r10), add(r2, -16),
          mov(r3, 12),      mov(r4, 0),      mov(r5, 0),    ask(kSkLookupTcp)};
}
// R0 = the socket of the packet, not NULL.
inline Code packet_socket() { return {load(8, r0, r1, 168), if_not(r0, 0, 1), kExit}; }
inline Code packet_sock() {
  return {load(8, r1, r1, 168), if_not(r1, 0, 2), mov(r0, 0), kExit,
          ask(kSkFullsock),     if_not(r0, 0, 1), kExit};
}
inline const Code kZero{mov(r0, 0), kExit};

struct Verdict {
  const char* name;
  std::uint32_t type;
  Code code;
  int error;  // 0: it passes
  const char* last_line;
  std::vector<std::uint32_t> functions = {};  // where they start, for BTF: static ones that return int
  std::uint32_t global = 0;                   // one of them that is global
  abi::AttachType attach_type = {};           // expected_attach_type
};

class Verdicts : public World {
 protected:
  void expect(const Verdict& row) {
    SCOPED_TRACE(row.name);
    std::string text;
    const long result = load_program(row, 1, text);
    if (row.error == 0) {
      EXPECT_GE(result, 0) << text;
      return;
    }
    EXPECT_EQ(result, -row.error) << text;
    const std::size_t statistics = text.rfind("processed ");
    if (statistics != std::string::npos) text.resize(statistics);
    if (!text.empty() && text.back() == '\n') text.pop_back();
    EXPECT_EQ(text.substr(text.rfind('\n') + 1), row.last_line);
  }
  void expect(const std::vector<Verdict>& rows) {
    for (const Verdict& row : rows) expect(row);
  }
  // That it passes, and what the log says of the stack of each of its functions: "16+0".
  void expect_stack(const Verdict& row, const char* depths) {
    SCOPED_TRACE(row.name);
    std::string text;
    EXPECT_GE(load_program(row, 4, text), 0) << text;
    EXPECT_NE(text.find(fmt::format("\nstack depth {}\n", depths)), std::string::npos) << text;
  }

  // What the call returned; `text`: its log.
  long load_program(const Verdict& row, std::uint32_t log_level, std::string& text) {
    const long map = create({.type = abi::MapType::kHash, .key_size = 8, .value_size = 48});
    const long array = create({.type = abi::MapType::kArray, .value_size = 48, .max_entries = 4});
    const long ring =
        create({.type = abi::MapType::kUserRingbuf, .key_size = 0, .value_size = 0, .max_entries = 4096});
    const long programs =
        create({.type = abi::MapType::kProgArray, .key_size = 4, .value_size = 4, .max_entries = 4});
    const long records =
        create({.type = abi::MapType::kRingbuf, .key_size = 0, .value_size = 0, .max_entries = 4096});
    const long maps[] = {map, array, ring, programs, records};
    for (const long one : maps) EXPECT_GE(one, 0);
    Code code = row.code;
    for (std::size_t i = 0; i < code.size(); ++i)
      if (code[i].code == 0x18 && code[i].src() == 1)
        code[i].imm = static_cast<std::int32_t>(maps[code[i].imm]);
    std::string log(1 << 20, '\0');
    abi::Attr attr{};
    attr.prog_load.prog_type = row.type;
    attr.prog_load.insns = address(code.data());
    attr.prog_load.insn_cnt = static_cast<std::uint32_t>(code.size());
    attr.prog_load.license = address("GPL");
    attr.prog_load.log_buf = address(log.data());
    attr.prog_load.log_size = static_cast<std::uint32_t>(log.size());
    attr.prog_load.log_level = log_level;
    attr.prog_load.expected_attach_type = static_cast<std::uint32_t>(row.attach_type);
    std::vector<abi::FuncInfo> functions;
    if (!row.functions.empty()) {
      btf::Blob blob;
      const std::uint32_t number = blob.integer("int", 4, 1);
      const std::uint32_t prototype = blob.type(btf::Blob::Kind::kFuncProto, "", 0, number);
      const std::uint32_t function = blob.type(btf::Blob::Kind::kFunc, "function", 0, prototype);
      const std::uint32_t global = blob.type(btf::Blob::Kind::kFunc, "global_function", 1, prototype);
      for (std::uint32_t start : row.functions)
        functions.push_back({start, start != 0 && start == row.global ? global : function});
      const std::vector<std::byte> bytes = blob.bytes();
      abi::Attr load{};
      load.btf_load.btf = address(bytes.data());
      load.btf_load.btf_size = static_cast<std::uint32_t>(bytes.size());
      const long fd = call(kBtfLoad, load);
      EXPECT_GE(fd, 0);
      attr.prog_load.prog_btf_fd = static_cast<std::uint32_t>(fd);
      attr.prog_load.func_info = address(functions.data());
      attr.prog_load.func_info_cnt = static_cast<std::uint32_t>(functions.size());
      attr.prog_load.func_info_rec_size = sizeof functions[0];
    }
    const long result = call(kProgLoad, attr);
    text = log.c_str();
    return result;
  }
};

}  // namespace portolan::syscall::verdicts
