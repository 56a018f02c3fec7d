// SPDX-License-Identifier: Apache-2.0
// Calls of functions of the kernel (kfuncs.def), as check_kfunc_call: each argument must be what its row
// says.
#include "helper/kfunc.h"

#include "verifier/kernel_symbols.h"
#include "verifier/kernel_types.h"
#include "verifier/walk.h"

namespace portolan::verifier {

using helper::Kfunc;
using helper::KfuncArg;
using helper::KfuncId;
using helper::KfuncRet;

Result<Walk::Next> Walk::call_kfunc(const abi::Insn& insn) {
  const Kfunc* const kfunc = facts_.insns[at_].kfunc;
  if (kfunc != nullptr && kfunc->function == nullptr)
    (void)refuse(0, "kernel function {} is not here: {}", kfunc->name, kfunc->note);
  if (kfunc == nullptr || kfunc->function == nullptr ||
      !helper::is_available(*kfunc, program_.type, program_.expected_attach_type))
    return refuse(EACCES, "calling kernel function {} is not allowed", kernel_function_name(program_, insn));
  if (kfunc->might_sleep && !is_sleepable())
    return refuse(EACCES, "program must be sleepable to call sleepable kfunc {}", kfunc->name);
  CallMeta meta;
  TRY(check_kfunc_arguments(*kfunc, meta));
  if (kfunc->id == KfuncId::throw_) {
    TRY(throw_out());
    return Next::kEnd;
  }
  if (helper::takes_function(kfunc)) TRY(enter_async_callback(meta, Async::kWork));
  TRY(check_sections(*kfunc));
  if (meta.given_back != 0) give_back(meta.given_back);
  if (kfunc->ret == KfuncRet::kSliceOrNull && kfunc->writes && !may_write_packet(program_.type))
    return refuse(EINVAL, "the prog does not allow writes to packet data");
  if (kfunc->ret == KfuncRet::kUntrusted) TRY(check_cast(meta.size));
  clobber_caller_saved();
  set_kfunc_result(*kfunc, meta);
  if (kfunc->changes_packet) forget_packet_pointers();
  if (kfunc->is_next) TRY(give_next(meta));
  return Next::kFollow;
}

// The program ends, whatever functions are active: with what its exception callback returns for the number,
// or with the number itself.
Result<void> Walk::throw_out() {
  if (!structure_.has_exception_callback) TRY(check_result_of_program(1));
  return check_nothing_held("bpf_throw");
}

Result<void> Walk::check_kfunc_arguments(const Kfunc& kfunc, CallMeta& meta) {
  for (unsigned number = 1; number <= 5 && kfunc.args[number - 1].kind != KfuncArg::kNone; ++number)
    TRY(check_kfunc_argument(number, kfunc, meta));
  return {};
}

Result<void> Walk::check_kfunc_argument(unsigned number, const Kfunc& kfunc, CallMeta& meta) {
  const KfuncArg kind = kfunc.args[number - 1].kind;
  const RegState& reg = state_.reg(number);
  const bool is_number = kind == KfuncArg::kScalar || kind == KfuncArg::kConstant ||
                         kind == KfuncArg::kSize || kind == KfuncArg::kConstSize;
  if (kfunc.trusts && !is_number && (reg.is_null() || reg.maybe_null))
    return refuse(EACCES, "Possibly NULL pointer passed to trusted arg{}", number - 1);
  switch (kind) {
    case KfuncArg::kNone:
    case KfuncArg::kIgnored:
    case KfuncArg::kOwnProgram:
    case KfuncArg::kSize:  // with the memory before it
    case KfuncArg::kConstSize:
      return {};
    case KfuncArg::kScalar:
      if (!reg.is_scalar()) return refuse(EINVAL, "R{} is not a scalar", number);
      return {};
    case KfuncArg::kConstant:
      if (!reg.is_scalar()) return refuse(EINVAL, "R{} is not a scalar", number);
      if (!reg.bounds.is_constant()) return refuse(EINVAL, "R{} must be a known constant", number);
      depend_on(reg);
      meta.size = reg.bounds.value();
      return {};
    case KfuncArg::kCtx:
      if (program_.type == abi::ProgType::kNetfilter) return check_kfunc_packet(number);
      if (reg.type != RegType::kCtx)
        return refuse(EINVAL, "arg#{} expected pointer to ctx, but got {}", number - 1, type_text(reg));
      return check_fixed(reg, number);
    case KfuncArg::kMap:
      if (reg.type != RegType::kMap)
        return refuse(EINVAL, "arg#{} is {} expected pointer to map", number - 1, type_text(reg));
      return {};
    case KfuncArg::kWork:
      return check_work(number, meta);
    case KfuncArg::kMapOfWork:
      return check_map_of_work(number, meta);
    case KfuncArg::kFunc:
      if (reg.type != RegType::kFunc) return refuse(EINVAL, "arg{} expected pointer to func", number - 1);
      meta.callback = reg.mem_size;
      return {};
    case KfuncArg::kDynptr:
    case KfuncArg::kDynptrOut:
      return check_kfunc_dynptr(number, kfunc, meta);
    case KfuncArg::kMem:
    case KfuncArg::kMemOrNull:
      return check_kfunc_memory(number, kfunc, meta);
    case KfuncArg::kIterator:
      return check_iterator(number, kfunc, meta);
    case KfuncArg::kIrqFlags:
      return check_irq_flags(number, kfunc);
  }
  return {};
}

// A netfilter program's context is no socket buffer, but leads to one: where others give the former, it gives
// the latter (btf_is_projection_of).
Result<void> Walk::check_kfunc_packet(unsigned number) {
  const RegState& reg = state_.reg(number);
  if (reg.type != RegType::kKernelObject)
    return refuse(EINVAL, "arg#{} pointer type STRUCT __sk_buff must point to scalar, or struct with scalar",
                  number - 1);
  if (reg.trust != Trust::kTrusted) return refuse(EINVAL, "R{} must be referenced or trusted", number);
  const btf::Btf& types = *TRY(kernel_types(program_));
  const char* const given = types.name(*types.type(reg.mem_size));
  if (std::string_view(given) != "sk_buff")
    return refuse(EINVAL,
                  "kernel function bpf_dynptr_from_skb args#{} expected pointer to STRUCT __sk_buff but R{} "
                  "has a pointer to STRUCT {}",
                  number - 1, number, given);
  return {};
}

// As process_dynptr_func.
Result<void> Walk::check_kfunc_dynptr(unsigned number, const Kfunc& kfunc, CallMeta& meta) {
  const RegState& reg = state_.reg(number);
  if (reg.type != RegType::kStack && reg.type != RegType::kDynptr)
    return refuse(EINVAL, "arg#{} expected pointer to stack or const struct bpf_dynptr", number - 1);
  if (kfunc.args[number - 1].kind == KfuncArg::kDynptr)
    return check_dynptr(number, {helper::Arg::kDynptr}, meta);
  if (reg.type != RegType::kStack || !dynptr_at(number))
    return refuse(EINVAL, "Dynptr has to be an uninitialized dynptr");
  if (kfunc.id == KfuncId::dynptr_clone)
    return make_dynptr(number, static_cast<DynptrKind>(meta.dynptr.mem_size), meta.dynptr.reference);
  const DynptrKind kind = kfunc.id == KfuncId::dynptr_from_skb        ? DynptrKind::kSkb
                          : kfunc.id == KfuncId::dynptr_from_skb_meta ? DynptrKind::kSkbMeta
                                                                      : DynptrKind::kXdp;
  return make_dynptr(number, kind, 0);
}

// With its size, which the next register holds.
Result<void> Walk::check_kfunc_memory(unsigned number, const Kfunc& kfunc, CallMeta& meta) {
  const RegState size = state_.reg(number + 1);
  if (!size.is_scalar()) return refuse(EINVAL, "R{} is not a scalar", number + 1);
  if (kfunc.args[number - 1].kind == KfuncArg::kMem || !state_.reg(number).is_null()) {
    Result<void> checked = check_sized_memory(number + 1, true, Access::kRead, meta);
    if (checked) checked = check_sized_memory(number + 1, true, Access::kWrite, meta);
    if (!checked) {
      (void)refuse(0, "arg#{} arg#{} memory, len pair leads to invalid memory access", number - 1, number);
      return checked;
    }
  }
  if (kfunc.args[number].kind != KfuncArg::kConstSize) return {};
  if (!size.bounds.is_constant()) return refuse(EINVAL, "R{} must be a known constant", number + 1);
  depend_on(size);
  meta.size = size.bounds.value();
  return {};
}

// To a struct of the kernel's, or to bytes.
Result<void> Walk::check_cast(std::uint64_t id) {
  if (id == 0) return {};
  const btf::Btf& types = *TRY(kernel_types(program_));
  const btf::Type* const type =
      id > abi::btf::kMaxType ? nullptr : types.type(static_cast<std::uint32_t>(id));
  if (type == nullptr) return refuse(EINVAL, "Unknown type ID {} passed to kfunc bpf_rdonly_cast", id);
  if (!btf::is_aggregate(*type))
    return refuse(EINVAL, "kfunc bpf_rdonly_cast type ID argument must be of a struct or void");
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
    case KfuncRet::kUntrusted:
      result = RegState::pointer(RegType::kKernelObject);
      result.trust = Trust::kUntrusted;
      result.mem_size = static_cast<std::uint32_t>(meta.size);
      return;
    case KfuncRet::kSliceOrNull:
      result = RegState::pointer(RegType::kMem);
      result.mem_size = static_cast<std::uint32_t>(meta.size);
      result.is_read_only = !kfunc.writes;
      result.is_in_packet = is_of_skb(static_cast<DynptrKind>(meta.dynptr.mem_size)) ||
                            meta.dynptr.mem_size == static_cast<unsigned>(DynptrKind::kXdp);
      result.dynptr = meta.dynptr.id;
      result.reference = meta.dynptr.reference;  // the dynptr itself may be a callee's, and gone before it
      result.maybe_null = true;
      result.id = new_id();
      return;
    case KfuncRet::kIntPointerOrNull:
      result = RegState::pointer(RegType::kMem);
      result.mem_size = 4;
      result.is_read_only = true;
      result.maybe_null = true;
      result.id = new_id();
      result.reference = meta.reference;
      return;
    case KfuncRet::kWord:
      result = RegState::pointer(RegType::kMem);
      result.mem_size = 8;
      return;
  }
}

}  // namespace portolan::verifier
