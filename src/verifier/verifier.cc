// SPDX-License-Identifier: Apache-2.0
#include "verifier/verifier.h"

#include "verifier/facts.h"

#include <fmt/format.h>

#include <optional>

namespace portolan::verifier {
namespace {

// What of an opcode says what it does.
constexpr std::uint8_t kClassMask = 0x07, kAlu = 0x04, kAlu64 = 0x07, kJmp = 0x05;
constexpr std::uint8_t kOperationMask = 0xf0, kSourceRegister = 0x08;
constexpr std::uint8_t kDiv = 0x30, kLeft = 0x60, kRight = 0x70, kNegate = 0x80, kMod = 0x90, kMove = 0xb0,
                       kArithmeticRight = 0xc0, kEnd = 0xd0, kExit = 0x90;
constexpr unsigned kRegisters = 11, kContextRegister = 1, kFramePointer = 10;

// One pass over a straight line: which registers hold a number, which a pointer, which nothing.
class StraightLine {
 public:
  explicit StraightLine(std::string* log) : log_(log) {
    registers_[kContextRegister] = Holds::kPointer;
    registers_[kFramePointer] = Holds::kPointer;
  }

  // True after `exit`.
  Result<bool> step(std::size_t at, const abi::Insn& insn) {
    at_ = at;
    switch (insn.code & kClassMask) {
      case kAlu:
      case kAlu64:
        TRY(alu(insn));
        return false;
      case kJmp:
        if ((insn.code & kOperationMask) == kExit) {
          TRY(exit(insn));
          return true;
        }
        break;
      default:
        break;
    }
    return say(
        EINVAL,
        fmt::format("opcode {:02x} is not supported by this verifier: only arithmetic on registers and exit",
                    insn.code));
  }

 private:
  enum class Holds : std::uint8_t { kNothing, kNumber, kPointer };

  std::unexpected<Errno> say(int error, const std::string& why) {
    if (log_ != nullptr) *log_ += fmt::format("{}: {}\n", at_, why);
    return fail(error);
  }

  Result<void> readable(unsigned number) {
    if (number >= kRegisters) return say(EINVAL, fmt::format("R{} is invalid", number));
    if (registers_[number] == Holds::kNothing) return say(EACCES, fmt::format("R{} !read_ok", number));
    return {};
  }
  Result<void> writable(unsigned number) {
    if (number >= kRegisters) return say(EINVAL, fmt::format("R{} is invalid", number));
    if (number == kFramePointer) return say(EACCES, "frame pointer is read only");
    return {};
  }

  Result<void> alu(const abi::Insn& insn) {
    const std::uint8_t operation = insn.code & kOperationMask;
    const bool wide = (insn.code & kClassMask) == kAlu64, by_register = (insn.code & kSourceRegister) != 0;
    const unsigned to = insn.dst(), from = insn.src();
    if (operation == kEnd) return swap(insn, wide);
    if (operation > kArithmeticRight)
      return say(EINVAL, fmt::format("invalid BPF_ALU opcode {:x}", operation));
    if (operation == kNegate) {
      if (by_register || from != 0 || insn.off != 0 || insn.imm != 0)
        return say(EINVAL, "BPF_NEG uses reserved fields");
      TRY(readable(to));
    } else {
      if (insn.off != 0) return say(EINVAL, "BPF_ALU uses reserved fields");
      if (by_register ? insn.imm != 0 : from != 0) return say(EINVAL, "BPF_ALU uses reserved fields");
      if (by_register) TRY(readable(from));
      if (operation != kMove) TRY(readable(to));
    }
    TRY(writable(to));
    if (!by_register) TRY(constant(operation, wide, insn.imm));
    if (operation == kMove) {
      const Holds held = by_register ? registers_[from] : Holds::kNumber;
      if (held == Holds::kPointer && !wide)
        return say(EACCES, fmt::format("R{} partial copy of pointer", from));
      registers_[to] = held;
      return {};
    }
    if (registers_[to] == Holds::kPointer || (by_register && registers_[from] == Holds::kPointer))
      return say(EINVAL, "arithmetic on pointers is not supported by this verifier");
    return {};
  }

  Result<void> constant(std::uint8_t operation, bool wide, std::int32_t imm) {
    if ((operation == kDiv || operation == kMod) && imm == 0) return say(EINVAL, "div by zero");
    const bool shifts = operation == kLeft || operation == kRight || operation == kArithmeticRight;
    if (shifts && (imm < 0 || imm >= (wide ? 64 : 32)))
      return say(EINVAL, fmt::format("invalid shift {}", imm));
    return {};
  }

  Result<void> swap(const abi::Insn& insn, bool wide) {
    if (insn.src() != 0 || insn.off != 0 || (insn.imm != 16 && insn.imm != 32 && insn.imm != 64) ||
        (wide && (insn.code & kSourceRegister) != 0))
      return say(EINVAL, "BPF_END uses reserved fields");
    TRY(readable(insn.dst()));
    TRY(writable(insn.dst()));
    if (registers_[insn.dst()] == Holds::kPointer)
      return say(EACCES, fmt::format("R{} pointer arithmetic prohibited", insn.dst()));
    return {};
  }

  Result<void> exit(const abi::Insn& insn) {
    if (insn.code != (kJmp | kExit) || insn.imm != 0 || insn.src() != 0 || insn.dst() != 0 || insn.off != 0)
      return say(EINVAL, "BPF_EXIT uses reserved fields");
    TRY(readable(0));
    if (registers_[0] == Holds::kPointer) return say(EACCES, "R0 leaks addr as return value");
    return {};
  }

  Holds registers_[kRegisters] = {};
  std::string* log_;
  std::size_t at_ = 0;
};

}  // namespace

Result<VerifiedProgram> verify(UnverifiedProgram program, MapSource&, btf::Log* log) {
  std::string text;
  StraightLine line(&text);
  const auto say = [&](std::string_view what) {
    if (log != nullptr) log->print("{}{}", text, what);
  };
  const std::size_t count = program.insns.size();
  for (std::size_t at = 0; at < count; ++at) {
    const auto ended = line.step(at, program.insns[at]);
    if (!ended) {
      say("");
      return fail(ended.error());
    }
    if (!*ended) continue;
    if (at + 1 != count) {
      say(fmt::format("unreachable insn {}\n", at + 1));
      return fail(EINVAL);
    }
    say(fmt::format("processed {} insns\n", count));
    Facts facts;
    facts.insns.resize(count);
    for (InsnFacts& one : facts.insns) one.seen = true;
    facts.subprograms.push_back({0, static_cast<std::uint32_t>(count), 0, program.name});
    facts.verified_insns = static_cast<std::uint32_t>(count);
    return build_program(std::move(program), std::move(facts));
  }
  say("last insn is not an exit or jmp\n");
  return fail(EINVAL);
}

}  // namespace portolan::verifier
