// SPDX-License-Identifier: Apache-2.0
// Whether each instruction is one of the instruction set's (version 4), with nothing in the fields that it
// does not use.
#include "verifier/encoding.h"

#include "isa/operation.h"
#include "verifier/refuse.h"

namespace portolan::verifier {
namespace {

using isa::Alu;
using isa::Class;
using isa::Jump;
using isa::Mode;
using isa::Size;

class Encoding {
 public:
  Encoding(const abi::Insn& insn, btf::Log* log) : insn_(insn), log_(log) {}

  // Whether there is such an instruction.
  Result<void> check_opcode(const abi::Insn* next) const {
    const Mode mode = isa::mode_of(insn_);
    if (isa::class_of(insn_) == Class::kLdx &&
        ((mode != Mode::kMem && mode != Mode::kMemSx) || insn_.imm != 0))
      return reserved("BPF_LDX");
    if (isa::is_wide(insn_)) return load_immediate(next);
    if (!isa::is_valid_opcode(insn_.code)) return unknown();
    return {};
  }
  // Whether the fields that it does not use are zero.
  Result<void> check_fields() const {
    TRY(check_unused_fields());
    if (insn_.dst() >= isa::kRegisters) return refuse(log_, EINVAL, "R{} is invalid", insn_.dst());
    if (!isa::is_wide(insn_) && insn_.src() >= isa::kRegisters)
      return refuse(log_, EINVAL, "R{} is invalid", insn_.src());
    return {};
  }

 private:
  Result<void> check_unused_fields() const {
    switch (isa::class_of(insn_)) {
      case Class::kLd:
        if (!isa::is_wide(insn_)) return load_packet();
        return insn_.off != 0 ? reserved("BPF_LD_IMM64") : Result<void>{};
      case Class::kLdx:
        return load();
      case Class::kSt:
        if (isa::mode_of(insn_) != Mode::kMem) return unknown();
        return insn_.src() != 0 ? reserved("BPF_ST") : Result<void>{};
      case Class::kStx:
        return store();
      case Class::kAlu:
      case Class::kAlu64:
        return alu();
      case Class::kJmp:
      case Class::kJmp32:
        return jump();
    }
    return unknown();
  }
  std::unexpected<Errno> unknown() const { return refuse(log_, EINVAL, "unknown opcode {:02x}", insn_.code); }
  std::unexpected<Errno> reserved(const char* what) const {
    return refuse(log_, EINVAL, "{} uses reserved fields", what);
  }

  Result<void> load_immediate(const abi::Insn* next) const {
    if (next == nullptr || next->code != 0 || next->registers != 0 || next->off != 0)
      return refuse(log_, EINVAL, "invalid bpf_ld_imm64 insn");
    const auto pseudo = static_cast<abi::PseudoLoad>(insn_.src());
    const bool has_no_offset = pseudo == abi::PseudoLoad::kMapFd || pseudo == abi::PseudoLoad::kMapIdx;
    if (pseudo > abi::PseudoLoad::kMapIdxValue || (has_no_offset && next->imm != 0))
      return refuse(log_, EINVAL, "unrecognized bpf_ld_imm64 insn");
    return {};
  }
  Result<void> load_packet() const {
    const Mode mode = isa::mode_of(insn_);
    if ((mode != Mode::kAbs && mode != Mode::kInd) || isa::size_of(insn_) == Size::kDouble) return unknown();
    if (insn_.dst() != 0 || insn_.off != 0 || (mode == Mode::kAbs && insn_.src() != 0))
      return reserved("BPF_LD_[ABS|IND]");
    return {};
  }
  Result<void> load() const {
    const Mode mode = isa::mode_of(insn_);
    if (mode != Mode::kMem && !(mode == Mode::kMemSx && isa::size_of(insn_) != Size::kDouble))
      return unknown();
    return {};
  }
  Result<void> store() const {
    const Mode mode = isa::mode_of(insn_);
    if (mode == Mode::kMem) return insn_.imm != 0 ? reserved("BPF_STX") : Result<void>{};
    if (mode != Mode::kAtomic) return unknown();
    const Size size = isa::size_of(insn_);
    const bool is_narrow = size == Size::kByte || size == Size::kHalf;
    switch (insn_.imm) {
      case isa::atomic::kLoadAcquire:
      case isa::atomic::kStoreRelease:
        return {};
      case isa::atomic::kAdd:
      case isa::atomic::kOr:
      case isa::atomic::kAnd:
      case isa::atomic::kXor:
      case isa::atomic::kAdd | isa::atomic::kFetch:
      case isa::atomic::kOr | isa::atomic::kFetch:
      case isa::atomic::kAnd | isa::atomic::kFetch:
      case isa::atomic::kXor | isa::atomic::kFetch:
      case isa::atomic::kExchange:
      case isa::atomic::kCompareExchange:
        if (is_narrow) return refuse(log_, EINVAL, "invalid atomic operand size");
        return {};
      default:
        return refuse(log_, EINVAL, "BPF_ATOMIC uses invalid atomic opcode {:02x}", insn_.imm);
    }
  }
  Result<void> alu() const {
    const Alu op = isa::alu_of(insn_);
    const bool is_wide = isa::class_of(insn_) == Class::kAlu64, by_register = isa::by_register(insn_);
    switch (op) {
      case Alu::kEnd:
        if (insn_.src() != 0 || insn_.off != 0 || (insn_.imm != 16 && insn_.imm != 32 && insn_.imm != 64) ||
            (is_wide && by_register))
          return reserved("BPF_END");
        return {};
      case Alu::kNeg:
        if (by_register || insn_.src() != 0 || insn_.off != 0 || insn_.imm != 0) return reserved("BPF_NEG");
        return {};
      case Alu::kMov:
        if (by_register) {
          const bool extends = insn_.off == 8 || insn_.off == 16 || (is_wide && insn_.off == 32);
          if (insn_.imm != 0 || (insn_.off != 0 && !extends)) return reserved("BPF_MOV");
        } else if (insn_.src() != 0 || insn_.off != 0) {
          return reserved("BPF_MOV");
        }
        return {};
      default: {
        if (op > Alu::kEnd) return refuse(log_, EINVAL, "unknown opcode {:02x}", insn_.code);
        const bool may_be_signed = op == Alu::kDiv || op == Alu::kMod;
        const bool off_is_fine = insn_.off == 0 || (insn_.off == 1 && may_be_signed);
        if (!off_is_fine || (by_register ? insn_.imm != 0 : insn_.src() != 0)) return reserved("BPF_ALU");
        return {};
      }
    }
  }
  Result<void> jump() const {
    const bool is_narrow = isa::class_of(insn_) == Class::kJmp32, by_register = isa::by_register(insn_);
    switch (isa::jump_of(insn_)) {
      case Jump::kCall:
        if (is_narrow || by_register) return unknown();
        if (insn_.dst() != 0 || insn_.src() > 2) return reserved("BPF_CALL");
        if (insn_.off != 0 && static_cast<abi::PseudoCall>(insn_.src()) != abi::PseudoCall::kKfunc)
          return reserved("BPF_CALL");
        return {};
      case Jump::kExit:
        if (is_narrow || by_register) return unknown();
        if (insn_.imm != 0 || insn_.registers != 0) return reserved("BPF_EXIT");
        return {};
      case Jump::kJa:
        if (by_register) return unknown();
        if (insn_.registers != 0 || (is_narrow ? insn_.off != 0 : insn_.imm != 0)) return reserved("BPF_JA");
        return {};
      case Jump::kJcond:
        if (is_narrow || by_register) return unknown();
        if (insn_.registers != 0 || insn_.imm != 0)
          return refuse(log_, EINVAL, "invalid may_goto imm {}", insn_.imm);
        return {};
      default:
        if (isa::jump_of(insn_) > Jump::kJcond) return unknown();
        if (by_register ? insn_.imm != 0 : insn_.src() != 0) return reserved("BPF_JMP/JMP32");
        return {};
    }
  }

  const abi::Insn& insn_;
  btf::Log* log_;
};

}  // namespace

Result<void> check_opcodes(std::span<const abi::Insn> insns, btf::Log* log) {
  for (std::size_t at = 0; at < insns.size(); ++at) {
    TRY(Encoding(insns[at], log).check_opcode(at + 1 < insns.size() ? &insns[at + 1] : nullptr));
    if (isa::is_wide(insns[at])) ++at;
  }
  return {};
}

Result<void> check_fields(const abi::Insn& insn, btf::Log* log) { return Encoding(insn, log).check_fields(); }

}  // namespace portolan::verifier
