// SPDX-License-Identifier: Apache-2.0
#include "verifier/kernel_symbols.h"

#include "isa/insn.h"
#include "map/kernel_btf.h"
#include "verifier/refuse.h"

namespace portolan::verifier {

Result<void> resolve_kernel_symbols(UnverifiedProgram& program, btf::Log* log) {
  for (std::size_t at = 0; at < program.insns.size(); ++at) {
    abi::Insn& insn = program.insns[at];
    if (!isa::is_wide(insn)) continue;
    const abi::Insn& high = program.insns[++at];
    if (static_cast<abi::PseudoLoad>(insn.src()) != abi::PseudoLoad::kBtfId) continue;
    if (high.imm != 0) return refuse(log, EINVAL, "invalid module BTF object FD specified.");
    const auto types = map::kernel_btf();
    if (!types)
      return refuse(log, EINVAL,
                    "kernel is missing BTF, make sure CONFIG_DEBUG_INFO_BTF=y is specified in Kconfig.");
    const btf::Type* const type = (*types)->type(static_cast<std::uint32_t>(insn.imm));
    if (type == nullptr) return refuse(log, ENOENT, "ldimm64 insn specifies invalid btf_id {}.", insn.imm);
    if (!btf::is(*type, btf::Kind::kVar) && !btf::is(*type, btf::Kind::kFunc))
      return refuse(log, EINVAL, "pseudo btf_id {} in ldimm64 isn't KIND_VAR or KIND_FUNC", insn.imm);
    insn.registers = static_cast<std::uint8_t>(insn.dst());
    insn.imm = 0;
  }
  return {};
}

std::string kernel_function_name(const abi::Insn& call) {
  const auto types = map::kernel_btf();
  const btf::Type* const type =
      types && call.off == 0 ? (*types)->type(static_cast<std::uint32_t>(call.imm)) : nullptr;
  if (type == nullptr || !btf::is(*type, btf::Kind::kFunc)) return fmt::format("#{}", call.imm);
  return (*types)->name(*type);
}

}  // namespace portolan::verifier
