// SPDX-License-Identifier: Apache-2.0
#include "isa/disassemble.h"

#include <fmt/format.h>

namespace portolan::isa {
namespace {

const char* text_of(Alu operation, std::int16_t off) {
  const auto is = [&](Alu one, int its_off) {
    // Of the variants of an operation only the signed ones read otherwise; any other offset is the
    // verifier's.
    return operation == one && (off == 1 && (one == Alu::kDiv || one == Alu::kMod)) == (its_off == 1);
  };
#define ALU(name, op, its_off, text, ...) \
  if (is(Alu::op, its_off)) return text;
#include "isa/opcodes.def"
  return "?";
}

const char* extension(const Insn& insn) {
  if (alu_of(insn) != Alu::kMov) return "";
#define MOVSX(name, kind, its_off, from, text) \
  if (insn.off == its_off) return text;
#include "isa/opcodes.def"
  return "";
}

const char* text_of(Jump operation) {
#define JUMP(name, op, text, ...) \
  if (operation == Jump::op) return text;
#include "isa/opcodes.def"
  return "(null)";  // as the kernel has it, of a may_goto with a source that is not known
}

const char* text_of(Size size) {
#define SIZE(name, its_size, type, text) \
  if (size == Size::its_size) return text;
#include "isa/opcodes.def"
  return "?";
}
const char* signed_text_of(Size size) {
#define SIGNED_SIZE(name, its_size, type, text) \
  if (size == Size::its_size) return text;
#include "isa/opcodes.def"
  return "?";
}

std::string byte_order(const Insn& insn) {
  const char* const order = class_of(insn) == Class::kAlu64 ? "bswap" : by_register(insn) ? "be" : "le";
  return fmt::format("({:02x}) r{} = {}{} r{}", insn.code, insn.dst(), order, insn.imm, insn.dst());
}

std::string alu(const Insn& insn) {
  const bool is_wide = class_of(insn) == Class::kAlu64;
  const char kind = is_wide ? 'r' : 'w';
  const Alu operation = alu_of(insn);
  if (operation == Alu::kEnd) return byte_order(insn);
  if (operation == Alu::kNeg)
    return fmt::format("({:02x}) {}{} = -{}{}", insn.code, kind, insn.dst(), kind, insn.dst());
  if (is_wide && operation == Alu::kMov && by_register(insn) && insn.off == 1)
    return fmt::format("({:02x}) r{} = addr_space_cast(r{}, {}, {})", insn.code, insn.dst(), insn.src(),
                       static_cast<std::uint32_t>(insn.imm) >> 16, insn.imm & 0xffff);
  if (is_wide && operation == Alu::kMov && by_register(insn) && insn.off == -1)
    return fmt::format("({:02x}) r{} = &(void __percpu *)(r{})", insn.code, insn.dst(), insn.src());
  const char* const text = text_of(operation, insn.off);
  if (by_register(insn))
    return fmt::format("({:02x}) {}{} {} {}{}{}", insn.code, kind, insn.dst(), text, extension(insn), kind,
                       insn.src());
  return fmt::format("({:02x}) {}{} {} {}", insn.code, kind, insn.dst(), text, insn.imm);
}

std::string place(const char* type, unsigned base, std::int16_t off) {
  return fmt::format("({} *)(r{} {:+d})", type, base, off);
}

// "fetch_add" and the like print as calls, the others as assignments.
std::string atomic_operation(const Insn& insn) {
  const char* const type = text_of(size_of(insn));
  const std::string at = place(type, insn.dst(), insn.off);
  const char* const width = size_of(insn) == Size::kDouble ? "64" : "";
  if (insn.imm == atomic::kCompareExchange)
    return fmt::format("({:02x}) r0 = atomic{}_cmpxchg({}, r0, r{})", insn.code, width, at, insn.src());
  if (insn.imm == atomic::kLoadAcquire)
    return fmt::format("({:02x}) r{} = load_acquire({})", insn.code, insn.dst(),
                       place(type, insn.src(), insn.off));
  if (insn.imm == atomic::kStoreRelease)
    return fmt::format("({:02x}) store_release({}, r{})", insn.code, at, insn.src());
#define ATOMIC(name, its_imm, function, fetches, text)                                                \
  if (insn.imm == (its_imm)) {                                                                        \
    if (!fetches) return fmt::format("({:02x}) lock *{} {} r{}", insn.code, at, text, insn.src());    \
    return fmt::format("({:02x}) r{} = atomic{}_{}({}, r{})", insn.code, insn.src(), width, text, at, \
                       insn.src());                                                                   \
  }
#include "isa/opcodes.def"
  return fmt::format("BUG_{:02x}", insn.code);
}

std::string store(const Insn& insn) {
  const bool is_immediate = class_of(insn) == Class::kSt;
  if (mode_of(insn) == Mode::kMem) {
    const std::string at = place(text_of(size_of(insn)), insn.dst(), insn.off);
    if (is_immediate) return fmt::format("({:02x}) *{} = {}", insn.code, at, insn.imm);
    return fmt::format("({:02x}) *{} = r{}", insn.code, at, insn.src());
  }
  if (is_immediate) return fmt::format("BUG_st_{:02x}", insn.code);
  if (mode_of(insn) == Mode::kAtomic) return atomic_operation(insn);
  return fmt::format("BUG_{:02x}", insn.code);
}

std::string load(const Insn& insn) {
  const Mode mode = mode_of(insn);
  if (mode != Mode::kMem && mode != Mode::kMemSx) return fmt::format("BUG_ldx_{:02x}", insn.code);
  const char* const type = mode == Mode::kMem ? text_of(size_of(insn)) : signed_text_of(size_of(insn));
  return fmt::format("({:02x}) r{} = *{}", insn.code, insn.dst(), place(type, insn.src(), insn.off));
}

std::string load_special(std::span<const Insn> insns, std::size_t at, const Names* names) {
  const Insn& insn = insns[at];
  const char* const type = text_of(size_of(insn));
  if (mode_of(insn) == Mode::kAbs)
    return fmt::format("({:02x}) r0 = *({} *)skb[{}]", insn.code, type, insn.imm);
  if (mode_of(insn) == Mode::kInd)
    return fmt::format("({:02x}) r0 = *({} *)skb[r{} + {}]", insn.code, type, insn.src(), insn.imm);
  if (!is_wide(insn)) return fmt::format("BUG_ld_{:02x}", insn.code);
  const Insn high = at + 1 < insns.size() ? insns[at + 1] : Insn{};
  std::string what = names != nullptr ? names->wide(insn, high) : "";
  if (what.empty())
    what = fmt::format("{:#x}", static_cast<std::uint64_t>(static_cast<std::uint32_t>(high.imm)) << 32 |
                                    static_cast<std::uint32_t>(insn.imm));
  return fmt::format("({:02x}) r{} = {}", insn.code, insn.dst(), what);
}

std::string call(const Insn& insn, const Names* names) {
  std::string name = names != nullptr ? names->call(insn) : "";
  if (insn.src() == static_cast<std::uint8_t>(abi::PseudoCall::kSubprogram)) {
    if (name.empty()) name = fmt::format("{:+d}", insn.imm);
    return fmt::format("({:02x}) call pc{}", insn.code, name);
  }
  if (name.empty())
    name = insn.src() == static_cast<std::uint8_t>(abi::PseudoCall::kKfunc) ? "kernel-function" : "unknown";
  return fmt::format("({:02x}) call {}#{}", insn.code, name, insn.imm);
}

std::string jump(const Insn& insn, const Names* names) {
  const bool is_narrow = class_of(insn) == Class::kJmp32;
  if (jump_of(insn) == Jump::kCall) return call(insn, names);
  if (insn.code == 0x05) return fmt::format("({:02x}) goto pc{:+d}", insn.code, insn.off);
  if (insn.code == 0xe5 && insn.src() == 0)
    return fmt::format("({:02x}) may_goto pc{:+d}", insn.code, insn.off);
  if (insn.code == 0x06) return fmt::format("({:02x}) gotol pc{:+d}", insn.code, insn.imm);
  if (insn.code == kExitCode) return fmt::format("({:02x}) exit", insn.code);
  const char kind = is_narrow ? 'w' : 'r';
  const char* const text = text_of(jump_of(insn));
  if (by_register(insn))
    return fmt::format("({:02x}) if {}{} {} {}{} goto pc{:+d}", insn.code, kind, insn.dst(), text, kind,
                       insn.src(), insn.off);
  return fmt::format("({:02x}) if {}{} {} {:#x} goto pc{:+d}", insn.code, kind, insn.dst(), text,
                     static_cast<std::uint32_t>(insn.imm), insn.off);
}

}  // namespace

std::string disassemble(std::span<const Insn> insns, std::size_t at, const Names* names) {
  const Insn& insn = insns[at];
  switch (class_of(insn)) {
    case Class::kAlu:
    case Class::kAlu64:
      return alu(insn);
    case Class::kSt:
    case Class::kStx:
      return store(insn);
    case Class::kLdx:
      return load(insn);
    case Class::kLd:
      return load_special(insns, at, names);
    case Class::kJmp:
    case Class::kJmp32:
      return jump(insn, names);
  }
  return "";
}

}  // namespace portolan::isa
