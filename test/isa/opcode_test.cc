// SPDX-License-Identifier: Apache-2.0
// All 256 opcodes with many fields, on both: which there are, which programs are accepted, and how the log
// names them.
#include <fmt/format.h>

#include "both.h"
#include "helper/helper.h"
#include "isa/disassemble.h"
#include "isa/operation.h"

namespace portolan::isa {
namespace {

constexpr std::uint8_t regs(unsigned to, unsigned from = 0) {
  return static_cast<std::uint8_t>(to | from << 4);
}

// R6 is the context, R3 and R0 numbers, R7 the stack; R1 to R5 are the tested instruction's to spoil.
constexpr std::size_t kPlace = 6;
std::vector<Insn> around(const Insn& insn) {
  std::vector<Insn> insns = {{0xbf, regs(6, 1), 0, 0},
                             {0xbf, regs(7, kFramePointer), 0, 0},
                             {0x61, regs(3, 6), 0, 0},
                             {0xb7, regs(0), 0, 0},
                             {0x7a, regs(kFramePointer), -8, 1},
                             {0x7a, regs(kFramePointer), -16, 1},
                             insn};
  if (is_wide(insn)) insns.push_back({0, 0, 0, 0});
  insns.insert(insns.end(), {{0xb7, regs(4), 0, 0}, {0xb7, regs(0), 0, 0}, {kExitCode, 0, 0, 0}});
  return insns;
}

// The kernel's line for the instruction at kPlace, without what is known of registers.
std::string line_of(const std::string& log) {
  const std::string start = fmt::format("\n{}: ", kPlace);
  const std::size_t at = log.find(start);
  if (at == std::string::npos) return "";
  std::string line = log.substr(at + start.size());
  line.resize(std::min(line.find('\n'), line.size()));
  line.resize(std::min(line.find(';'), line.size()));
  line.resize(line.find_last_not_of(' ') + 1);
  return line;
}

class HelperNames final : public Names {
 public:
  std::string call(const Insn& insn) const override {
    const helper::Prototype* found =
        insn.src() == 0 ? helper::find(static_cast<std::uint32_t>(insn.imm)) : nullptr;
    return found != nullptr ? found->name : insn.src() == 0 && insn.imm == 0 ? "bpf_unspec" : "";
  }
  std::string wide(const Insn&, const Insn&) const override { return ""; }
};

std::vector<Insn> variants(std::uint8_t code) {
  std::vector<Insn> all;
  const Insn probe{code, 0, 0, 0};
  const bool is_atomic = class_of(probe) == Class::kStx && mode_of(probe) == Mode::kAtomic;
  std::vector<std::int32_t> imms = {0, 1, 16, 64};
  if (is_atomic)
    imms = {0,    1,    0x10, 0x40, 0x41,  0x50,  0x51,  0xa0, 0xa1,
            0xe0, 0xe1, 0xf0, 0xf1, 0x100, 0x110, 0x101, 0x200};
  for (const unsigned to : {3u, 10u})
    for (const unsigned from : {0u, 1u, 7u})
      for (const int off : {0, 1, 8, 32, -1, -8})
        for (const std::int32_t imm : imms)
          all.push_back({code, regs(to, from), static_cast<std::int16_t>(off), imm});
  return all;
}

class Opcodes : public WithBoth {};

TEST_F(Opcodes, are_those_that_the_kernel_knows) {
  for (unsigned code = 0; code < 256; ++code) {
    std::string log;
    const long fd =
        kernel_.load(abi::ProgType::kSocketFilter, around({static_cast<std::uint8_t>(code), 0, 0, 0}), &log);
    if (fd >= 0) (void)sys::close(static_cast<int>(fd));
    // Of the class of plain loads the kernel looks at the mode first.
    const bool is_known = log.find("unknown opcode") == std::string::npos &&
                          log.find("BPF_LDX uses reserved fields") == std::string::npos;
    EXPECT_EQ(is_valid_opcode(static_cast<std::uint8_t>(code)), is_known)
        << fmt::format("{:02x}: {}", code, log);
  }
}

TEST_F(Opcodes, are_written_as_in_the_kernels_log) {
  const HelperNames names;
  for (unsigned code = 0; code < 256; ++code) {
    if (!is_valid_opcode(static_cast<std::uint8_t>(code))) continue;
    int different = 0;
    for (const Insn& insn : variants(static_cast<std::uint8_t>(code))) {
      const std::vector<Insn> insns = around(insn);
      std::string log;
      const long fd = kernel_.load(abi::ProgType::kSocketFilter, insns, &log);
      if (fd >= 0) (void)sys::close(static_cast<int>(fd));
      const std::string line = line_of(log);
      if (line.empty() || line[0] != '(') continue;  // refused before it was looked at
      if (different < 3 && disassemble(insns, kPlace, &names) != line) {
        ADD_FAILURE() << disassemble(insns, kPlace, &names) << "\n  for " << line;
        ++different;
      }
    }
  }
}

TEST_F(Opcodes, are_accepted_with_the_fields_that_the_kernel_accepts) {
  for (unsigned code = 0; code < 256; ++code) {
    for (const Insn& insn : variants(static_cast<std::uint8_t>(code))) {
      // Sign-extending loads of a context: Linux converts them, this library refuses them.
      if (class_of(insn) == Class::kLdx && mode_of(insn) == Mode::kMemSx &&
          (insn.src() == 1 || insn.src() == 6))
        continue;
      const std::vector<Insn> insns = around(insn);
      const auto accepts = [&insns](Side& side, std::string* log) {
        const long fd = side.load(abi::ProgType::kSocketFilter, insns, log);
        if (fd >= 0) (void)sys::close(static_cast<int>(fd));
        return fd >= 0;
      };
      if (accepts(kernel_, nullptr) == accepts(ours_, nullptr)) continue;
      std::string theirs, log;
      (void)accepts(kernel_, &theirs);
      (void)accepts(ours_, &log);
      ADD_FAILURE() << fmt::format("code {:02x} to r{} from r{} off {} imm {}\nhere: {}\nthere: {}", code,
                                   insn.dst(), insn.src(), insn.off, insn.imm, log, theirs);
      break;
    }
  }
}

}  // namespace
}  // namespace portolan::isa
