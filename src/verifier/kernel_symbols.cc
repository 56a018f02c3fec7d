// SPDX-License-Identifier: Apache-2.0
#include "verifier/kernel_symbols.h"

#include "isa/insn.h"
#include "verifier/kernel_types.h"
#include "verifier/refuse.h"

namespace portolan::verifier {

Result<void> resolve_kernel_symbols(UnverifiedProgram& program, btf::Log* log) {
  for (std::size_t at = 0; at < program.insns.size(); ++at) {
    abi::Insn& insn = program.insns[at];
    if (!isa::is_wide(insn)) continue;
    const abi::Insn& high = program.insns[++at];
    if (static_cast<abi::PseudoLoad>(insn.src()) != abi::PseudoLoad::kBtfId) continue;
    if (high.imm != 0) return refuse(log, EINVAL, "invalid module BTF object FD specified.");
    const auto types = kernel_types(program);
    if (!types)
      return refuse(log, EINVAL,
                    "kernel is missing BTF, make sure CONFIG_DEBUG_INFO_BTF=y is specified in Kconfig.");
    const btf::Type* const type = (*types)->type(static_cast<std::uint32_t>(insn.imm));
    if (type == nullptr) return refuse(log, ENOENT, "ldimm64 insn specifies invalid btf_id {}.", insn.imm);
    if (!btf::is(*type, btf::Kind::kVar) && !btf::is(*type, btf::Kind::kFunc))
      return refuse(log, EINVAL, "pseudo btf_id {} in ldimm64 isn't KIND_VAR or KIND_FUNC", insn.imm);
    insn.registers = static_cast<std::uint8_t>(insn.dst());
    // A program may ask whether a function is there; its number is as good as an address.
    const helper::Kfunc* const kfunc = helper::find_kfunc((*types)->name(*type));
    if (kfunc == nullptr || kfunc->function == nullptr) insn.imm = 0;
  }
  return {};
}

// As add_kfunc_call.
Result<void> resolve_kfuncs(const UnverifiedProgram& program, Facts& facts, btf::Log* log) {
  for (std::size_t at = 0; at < program.insns.size(); ++at) {
    const abi::Insn& insn = program.insns[at];
    if (insn.code != isa::kCallCode || insn.src() != static_cast<std::uint8_t>(abi::PseudoCall::kKfunc))
      continue;
    if (!program.gpl_compatible)
      return refuse(log, EINVAL, "cannot call kernel function from non-GPL compatible program");
    if (insn.imm == 0 && insn.off == 0) continue;
    if (insn.off < 0)
      return refuse(log, EINVAL, "negative offset disallowed for kernel module function call");
    if (insn.off > 0) return refuse(log, EPROTO, "kfunc offset > 0 without fd_array is invalid");
    const auto types = kernel_types(program);
    if (!types)
      return refuse(log, kEnotsupp, "calling kernel function is not supported without CONFIG_DEBUG_INFO_BTF");
    const btf::Type* const type = (*types)->type(static_cast<std::uint32_t>(insn.imm));
    if (type == nullptr || !btf::is(*type, btf::Kind::kFunc))
      return refuse(log, EINVAL, "kernel btf_id {} is not a function", insn.imm);
    facts.insns[at].kfunc = helper::find_kfunc((*types)->name(*type));
  }
  return {};
}

std::string kernel_function_name(const UnverifiedProgram& program, const abi::Insn& call) {
  const auto types = kernel_types(program);
  const btf::Type* const type =
      types && call.off == 0 ? (*types)->type(static_cast<std::uint32_t>(call.imm)) : nullptr;
  if (type == nullptr || !btf::is(*type, btf::Kind::kFunc)) return fmt::format("#{}", call.imm);
  return (*types)->name(*type);
}

}  // namespace portolan::verifier
