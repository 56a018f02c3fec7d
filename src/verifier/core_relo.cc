// SPDX-License-Identifier: Apache-2.0
#include "verifier/core_relo.h"

#include <optional>
#include <utility>

#include "btf/core_relo.h"
#include "isa/insn.h"
#include "isa/operation.h"
#include "verifier/kernel_types.h"

namespace portolan::verifier {
namespace {

constexpr std::uint32_t kInsnBytes = sizeof(abi::Insn);
constexpr std::int32_t kBadRelocation = 0xbad2310;  // as libbpf and the kernel have it: its log explains it

// Puts what was found out into one instruction.
class Patch {
 public:
  Patch(std::vector<abi::Insn>& insns, std::uint32_t at, std::uint32_t index, const btf::CoreResult& result,
        btf::Log* log)
      : insns_(insns), insn_(insns[at]), at_(at), index_(index), result_(result), log_(log) {}

  Result<void> apply() {
    if (result_.poison) {
      poison();
      return {};
    }
    switch (isa::class_of(insn_)) {
      case isa::Class::kAlu:
      case isa::Class::kAlu64:
        return immediate();
      case isa::Class::kLdx:
      case isa::Class::kSt:
      case isa::Class::kStx:
        return offset();
      case isa::Class::kLd:
        return wide_immediate();
      default:
        say("trying to relocate unrecognized insn #{}, code:{:#x}, src:{:#x}, dst:{:#x}, off:{:#x}, "
            "imm:{:#x}",
            at_, insn_.code, insn_.src(), insn_.dst(), static_cast<std::uint32_t>(insn_.off),
            static_cast<std::uint32_t>(insn_.imm));
        return fail(EINVAL);
    }
  }

 private:
  template <class... Args>
  void say(fmt::format_string<Args...> format, Args&&... args) {
    if (log_ != nullptr)
      log_->print("prog '': relo #{}: {}\n", index_, fmt::format(format, std::forward<Args>(args)...));
  }

  void poison() {
    // The second half first: as an instruction it would be an unknown one.
    if (isa::is_wide(insn_) && at_ + 1 < insns_.size()) poison(at_ + 1);
    poison(at_);
  }
  void poison(std::uint32_t at) {
    say("substituting insn #{} w/ invalid insn", at);
    insns_[at] = {isa::kCallCode, 0, 0, kBadRelocation};
  }

  Result<void> immediate() {
    if (isa::by_register(insn_)) return fail(EINVAL);
    const auto value = static_cast<std::uint64_t>(std::int64_t{insn_.imm});
    const auto shown = static_cast<std::uint32_t>(insn_.imm);
    TRY(check_expected(value, shown, "ALU/ALU64"));
    insn_.imm = static_cast<std::int32_t>(result_.value);
    say("patched insn #{} (ALU/ALU64) imm {} -> {}", at_, value, result_.value);
    return {};
  }

  Result<void> offset() {
    const auto value = static_cast<std::uint64_t>(std::int64_t{insn_.off});
    const auto shown = static_cast<std::uint32_t>(std::int32_t{insn_.off});
    TRY(check_expected(value, shown, "LDX/ST/STX"));
    if (result_.value > INT16_MAX) {
      say("insn #{} (LDX/ST/STX) value too big: {}", at_, result_.value);
      return fail(ERANGE);
    }
    if (result_.changes_meaning) {
      say("insn #{} (LDX/ST/STX) accesses field incorrectly. Make sure you are accessing pointers, unsigned "
          "integers, or fields of matching type and size.",
          at_);
      poison();
      return {};
    }
    insn_.off = static_cast<std::int16_t>(result_.value);
    say("patched insn #{} (LDX/ST/STX) off {} -> {}", at_, value, result_.value);
    return result_.size == result_.expected_size ? Result<void>{} : size();
  }

  Result<void> size() {
    const std::uint32_t bytes = isa::bytes_of(isa::size_of(insn_));
    if (bytes != result_.expected_size) {
      say("insn #{} (LDX/ST/STX) unexpected mem size: got {}, exp {}", at_, bytes, result_.expected_size);
      return fail(EINVAL);
    }
    for (const isa::Size one : {isa::Size::kByte, isa::Size::kHalf, isa::Size::kWord, isa::Size::kDouble}) {
      if (isa::bytes_of(one) != result_.size) continue;
      insn_.code =
          static_cast<std::uint8_t>(static_cast<unsigned>(isa::mode_of(insn_)) | static_cast<unsigned>(one) |
                                    static_cast<unsigned>(isa::class_of(insn_)));
      say("patched insn #{} (LDX/ST/STX) mem_sz {} -> {}", at_, result_.expected_size, result_.size);
      return {};
    }
    say("insn #{} (LDX/ST/STX) invalid new mem size: {}", at_, result_.size);
    return fail(EINVAL);
  }

  Result<void> wide_immediate() {
    constexpr abi::Insn kNothing{};
    const abi::Insn* const second = at_ + 1 < insns_.size() ? &insns_[at_ + 1] : nullptr;
    if (!isa::is_wide(insn_) || insn_.src() != 0 || insn_.off != 0 || second == nullptr ||
        second->code != kNothing.code || second->registers != kNothing.registers ||
        second->off != kNothing.off) {
      say("insn #{} (LDIMM64) has unexpected form", at_);
      return fail(EINVAL);
    }
    const std::uint64_t value =
        std::uint64_t{static_cast<std::uint32_t>(second->imm)} << 32 | static_cast<std::uint32_t>(insn_.imm);
    TRY(check_expected(value, value, "LDIMM64"));
    insn_.imm = static_cast<std::int32_t>(result_.value);
    insns_[at_ + 1].imm = static_cast<std::int32_t>(result_.value >> 32);
    say("patched insn #{} (LDIMM64) imm64 {} -> {}", at_, value, result_.value);
    return {};
  }

  Result<void> check_expected(std::uint64_t value, std::uint64_t shown, const char* what) {
    if (!result_.is_certain || value == result_.expected) return {};
    say("unexpected insn #{} ({}) value: got {}, exp {} -> {}", at_, what, shown, result_.expected,
        result_.value);
    return fail(EINVAL);
  }

  std::vector<abi::Insn>& insns_;
  abi::Insn& insn_;
  std::uint32_t at_, index_;
  const btf::CoreResult& result_;
  btf::Log* log_;
};

}  // namespace

Result<void> apply_core_relos(UnverifiedProgram& program, btf::Log* log) {
  CoreReloSource* const source = std::exchange(program.core_relos, nullptr);
  if (source == nullptr) return {};
  std::optional<btf::CoreRelocator> relocator;
  for (std::uint32_t index = 0;; ++index) {
    const std::optional<abi::CoreRelo> relo = TRY(source->next(log));
    if (!relo) return {};
    const std::uint32_t at = relo->insn_off / kInsnBytes;
    if (relo->insn_off % kInsnBytes != 0 || at >= program.insns.size()) {
      if (log != nullptr)
        log->print("Invalid core_relo[{}].insn_off:{} prog->len:{}\n", index, relo->insn_off,
                   program.insns.size());
      return fail(EINVAL);
    }
    if (!relocator) relocator.emplace(*program.btf, *TRY(kernel_types(program)), log);
    const btf::CoreResult result = TRY(relocator->resolve(*relo, index));
    TRY(Patch(program.insns, at, index, result, log).apply());
  }
}

}  // namespace portolan::verifier
