// SPDX-License-Identifier: Apache-2.0
// Calls of functions of the kernel (kfuncs.def), as check_kfunc_call: each argument must be what its row
// says.
#include "helper/kfunc.h"

#include "verifier/kernel_symbols.h"
#include "verifier/walk.h"

namespace portolan::verifier {

using helper::Kfunc;
using helper::KfuncArg;
using helper::KfuncRet;

Result<void> Walk::call_kfunc(const abi::Insn& insn) {
  const Kfunc* const kfunc = facts_.insns[at_].kfunc;
  if (kfunc != nullptr && kfunc->function == nullptr)
    (void)refuse(0, "kernel function {} is not here: {}", kfunc->name, kfunc->note);
  if (kfunc == nullptr || kfunc->function == nullptr || !helper::is_available(*kfunc, program_.type))
    return refuse(EACCES, "calling kernel function {} is not allowed", kernel_function_name(insn));
  if (kfunc->might_sleep && !is_sleepable())
    return refuse(EACCES, "program must be sleepable to call sleepable kfunc {}", kfunc->name);
  CallMeta meta;
  TRY(check_kfunc_arguments(*kfunc, meta));
  TRY(check_sections(*kfunc));
  if (meta.given_back != 0) give_back(meta.given_back);
  clobber_caller_saved();
  set_kfunc_result(*kfunc, meta);
  if (kfunc->is_next) return give_next(meta);
  return {};
}

Result<void> Walk::check_kfunc_arguments(const Kfunc& kfunc, CallMeta& meta) {
  for (unsigned number = 1; number <= 5; ++number) {
    const helper::KfuncArgument& argument = kfunc.args[number - 1];
    if (argument.kind == KfuncArg::kNone) break;
    if (argument.kind == KfuncArg::kIgnored) continue;
    const RegState& reg = state_.reg(number);
    if (argument.kind == KfuncArg::kScalar) {
      if (!reg.is_scalar()) return refuse(EINVAL, "R{} is not a scalar", number);
      continue;
    }
    if (reg.is_null() || reg.maybe_null)
      return refuse(EACCES, "Possibly NULL pointer passed to trusted arg{}", number - 1);
    switch (argument.kind) {
      case KfuncArg::kIterator:
        TRY(check_iterator(number, kfunc, meta));
        break;
      case KfuncArg::kIrqFlags:
        TRY(check_irq_flags(number, kfunc));
        break;
      case KfuncArg::kNone:
      case KfuncArg::kScalar:
      case KfuncArg::kIgnored:
        break;
    }
  }
  return {};
}

void Walk::set_kfunc_result(const Kfunc& kfunc, const CallMeta& meta) {
  RegState& result = state_.reg(0);
  switch (kfunc.ret) {
    case KfuncRet::kVoid:
      result = RegState{};
      return;
    case KfuncRet::kInteger:
      result = RegState::unknown();
      return;
    case KfuncRet::kIntPointerOrNull:
      result = RegState::pointer(RegType::kMem);
      result.mem_size = 4;
      result.is_read_only = true;
      result.maybe_null = true;
      result.id = new_id();
      result.reference = meta.reference;
      return;
  }
}

}  // namespace portolan::verifier
