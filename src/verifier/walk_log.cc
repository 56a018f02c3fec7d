// SPDX-License-Identifier: Apache-2.0
// What the log shows of the walk: instructions, and what is known of registers and stack.
#include "isa/disassemble.h"
#include "verifier/kernel_symbols.h"
#include "verifier/walk.h"

namespace portolan::verifier {
namespace {

// Helpers by name, maps and functions as addresses that mean nothing.
class LogNames final : public isa::Names {
 public:
  LogNames(const UnverifiedProgram& program, const Facts& facts) : program_(program), facts_(facts) {}
  std::string call(const abi::Insn& insn) const override {
    const auto kind = static_cast<abi::PseudoCall>(insn.src());
    if (kind == abi::PseudoCall::kSubprogram) return fmt::format("{:+d}", insn.imm);
    if (kind == abi::PseudoCall::kKfunc) return insn.imm == 0 ? "" : kernel_function_name(program_, insn);
    const helper::Prototype* prototype = helper::find(static_cast<std::uint32_t>(insn.imm));
    return prototype == nullptr ? "unknown" : prototype->name;
  }
  std::string wide(const abi::Insn& low, const abi::Insn& high) const override {
    const auto pseudo = static_cast<abi::PseudoLoad>(low.src());
    if (pseudo != abi::PseudoLoad::kMapIdx && pseudo != abi::PseudoLoad::kMapIdxValue) return {};
    const map::Map& map = *facts_.maps[static_cast<std::size_t>(low.imm)];
    return fmt::format("0x{:x}", static_cast<std::uint64_t>(map.id()) + static_cast<std::uint32_t>(high.imm));
  }

 private:
  const UnverifiedProgram& program_;
  const Facts& facts_;
};

}  // namespace

namespace {

char letter_of(Byte byte) {
  switch (byte) {
    case Byte::kInvalid:
      return '?';
    case Byte::kSpill:
      return 'r';
    case Byte::kMisc:
      return 'm';
    case Byte::kZero:
      return '0';
    case Byte::kDynptr:
      return 'd';
    case Byte::kIterator:
      return 'i';
    case Byte::kIrqFlags:
      return 'f';
  }
  return '?';
}

std::string to_text(const StackSlot& slot, std::size_t frame) {
  if (slot.is_spill() && slot.spilled_bytes() == 8) return to_text(slot.spilled, frame);
  if (slot.is_iterator()) {
    const RegState& known = slot.spilled;
    return fmt::format("iter_{}(ref_id={},state={},depth={})",
                       helper::name_of(static_cast<helper::IteratorKind>(known.mem_size)), known.reference,
                       known.is_drained ? "drained" : "active", known.range);
  }
  std::string text;
  for (Byte byte : slot.bytes) text.insert(text.begin(), letter_of(byte));
  return text;
}

}  // namespace

// Of the innermost frame. Numbers at `precise` places are marked: they matter to what follows.
std::string Walk::text_of(const State& state, const Dependencies& precise) const {
  const std::size_t frame_number = state.frames.size() - 1;
  const Frame& frame = state.frame();
  const auto mark = [&](const RegState& reg, const Dependencies& place) {
    return reg.is_scalar() && !place.is_empty() && precise.includes(place) ? "P" : "";
  };
  std::string text = frame_number == 0 ? "" : fmt::format(" frame{}:", frame_number);
  for (unsigned number = 0; number < isa::kRegisters; ++number) {
    const RegState& reg = frame.regs[number];
    if (reg.type == RegType::kNotInit) continue;
    text += fmt::format(" R{}={}{}", number, mark(reg, Dependencies::of_register(frame_number, number)),
                        to_text(reg, frame_number));
  }
  for (std::size_t slot = 0; slot < frame.stack.size(); ++slot) {
    const StackSlot& one = frame.stack[slot];
    if (one.bytes == std::array<Byte, 8>{} || (one.is_iterator() && one.spilled.off != 0)) continue;
    text += fmt::format(" fp-{}={}{}", 8 * (slot + 1),
                        one.is_spill() ? mark(one.spilled, Dependencies::of_slot(frame_number, slot)) : "",
                        to_text(one, frame_number));
  }
  if (frame.is_callback) text += " cb";
  return text;
}

void Walk::log_insn() {
  if ((log_level_ & 3) == 0) return;
  const LogNames names(program_, facts_);
  log_->print("{}: {}\n", at_, isa::disassemble(program_.insns, at_, &names));
}

void Walk::log_state() {
  if ((log_level_ & 3) == 0) return;
  log_->print("{}:{}\n", at_, text_of(state_, {}));
}

void Walk::log_path(std::uint32_t from, std::uint32_t to) {
  if ((log_level_ & 3) == 0) return;
  log_->print("\nfrom {} to {}:{}\n", from, to, text_of(state_, {}));
}

}  // namespace portolan::verifier
