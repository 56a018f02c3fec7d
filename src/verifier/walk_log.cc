// SPDX-License-Identifier: Apache-2.0
// What the log shows of the walk: instructions, and what is known of registers and stack.
#include <algorithm>
#include <utility>

#include "base/bytes.h"
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

// Of one frame. Numbers at `precise` places are marked: they matter to what follows.
std::string Walk::text_of(const State& state, std::size_t frame_number, const Dependencies& precise,
                          Touched shown) const {
  const Frame& frame = state.frames[frame_number];
  const auto mark = [&](const RegState& reg, const Dependencies& place) {
    return reg.is_scalar() && !place.is_empty() && precise.includes(place) ? "P" : "";
  };
  std::string text = frame_number == 0 ? "" : fmt::format(" frame{}:", frame_number);
  for (unsigned number = 0; number < isa::kRegisters; ++number) {
    const RegState& reg = frame.regs[number];
    if (reg.type == RegType::kNotInit || (shown.registers >> number & 1) == 0) continue;
    text += fmt::format(" R{}={}{}", number, mark(reg, Dependencies::of_register(frame_number, number)),
                        to_text(reg, frame_number));
  }
  for (std::size_t slot = 0; slot < frame.stack.size(); ++slot) {
    const StackSlot& one = frame.stack[slot];
    if (one.bytes == std::array<Byte, 8>{} || (one.is_iterator() && one.spilled.off != 0)) continue;
    if ((shown.slots >> slot & 1) == 0) continue;
    text += fmt::format(" fp-{}={}{}", 8 * (slot + 1),
                        one.is_spill() ? mark(one.spilled, Dependencies::of_slot(frame_number, slot)) : "",
                        to_text(one, frame_number));
  }
  if (frame.is_callback) text += " cb";
  return text;
}

void Walk::log_insn() {
  if (!is_logged()) return;
  log_touched();
  const LogNames names(program_, facts_);
  const std::uint64_t begin = log_->mark();
  log_->print("{}: {}\n", at_, isa::disassemble(program_.insns, at_, &names));
  insn_end_ = log_->mark();
  insn_length_ = insn_end_ - begin;
}

// As print_insn_state: on the line of the instruction before, if nothing else has been said since.
void Walk::log_touched() {
  const Touched touched = std::exchange(touched_, {});
  if (touched.registers == 0 && touched.slots == 0) return;
  const std::string text = text_of(state_, state_.frames.size() - 1, {}, touched);
  if (log_->mark() != insn_end_) {
    log_->print("{}:{}\n", at_, text);
    return;
  }
  constexpr std::uint64_t kColumn = 40, kStep = 8;
  const std::uint64_t column = round_up(std::max(insn_length_ + kStep / 2, kColumn), kStep);
  log_->rewind(insn_end_ - 1);
  log_->print("{:{}};{}\n", "", column - insn_length_ - 1, text);
}

void Walk::log_path(std::uint32_t from, std::uint32_t to) {
  if ((log_level_ & 2) != 0) log_->print("\nfrom {} to {}:{}\n", from, to, text_of(state_, {}));
}

void Walk::log_call() {
  if (!is_logged()) return;
  const std::size_t callee = state_.frames.size() - 1;
  log_->print("caller:\n{}\ncallee:\n{}\n", text_of(state_, callee - 1, {}), text_of(state_, callee, {}));
}

void Walk::log_return(std::uint32_t to) {
  if (is_logged()) log_->print("returning from callee:\n{}\nto caller at {}:\n", text_of(state_, {}), to);
}

void Walk::log_caller(std::uint32_t from) {
  if (!is_logged()) return;
  log_->print("{}\n", text_of(state_, {}));
  log_path(from, at_);
}

}  // namespace portolan::verifier
