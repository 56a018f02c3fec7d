// SPDX-License-Identifier: Apache-2.0
// Functions of the program: static ones are followed into at each call, global ones are verified by
// themselves for any arguments of their types, callbacks are followed into as often as it changes anything.
#include <algorithm>

#include "isa/insn.h"
#include "verifier/helper_ids.h"
#include "verifier/rewrite.h"
#include "verifier/walk.h"

namespace portolan::verifier {
namespace {

std::uint32_t type_of_function_at(const UnverifiedProgram& program, std::uint32_t insn) {
  for (const abi::FuncInfo& info : program.func_info)
    if (info.insn_off == insn) return info.type_id;
  return 0;
}

}  // namespace

void Walk::enter(State& state, std::uint32_t function, bool is_callback) {
  Frame frame;
  frame.callsite = at_;
  frame.subprogram = function;
  frame.is_callback = is_callback;
  frame.regs[isa::kFramePointer] = RegState::pointer(RegType::kStack);
  frame.regs[isa::kFramePointer].frame = static_cast<std::uint8_t>(state.frames.size());
  state.frames.push_back(std::move(frame));
  deepest_[root_] = std::max(deepest_[root_], static_cast<std::uint32_t>(state.frames.size()));
}

// Itself, and all that it calls.
std::uint32_t Walk::frames_below(std::uint32_t function) const {
  std::uint32_t most = deepest_[function];
  for (const auto& [call, frames] : global_calls_)
    if (call.first == function) most = std::max(most, frames + frames_below(call.second));
  return most;
}

// A callback may be called deeper than where it is named, which is where check_stack_depth has it.
Result<void> Walk::check_frames() {
  const std::uint32_t frames = frames_below(0);
  if (frames <= isa::kMaxFrames) return {};
  return refuse(E2BIG, "the call stack of {} frames is too deep !", frames);
}

// Found once, and then the same at each call.
Result<std::span<const GlobalArgument>> Walk::arguments_of(std::uint32_t function) {
  Function& one = structure_.functions[function];
  if (!one.arguments)
    one.arguments =
        TRY(arguments_of_global(program_, type_of_function_at(program_, one.start), one.name, log_));
  return *one.arguments;
}

Result<void> Walk::set_global_arguments(State& state, std::uint32_t function) {
  const std::span<const GlobalArgument> arguments = TRY(arguments_of(function));
  if (structure_.functions[function].is_exception_callback &&
      (arguments.size() != 1 || arguments[0].kind != GlobalArg::kNumber))
    return refuse(EINVAL, "exception cb only supports single integer argument");
  for (std::size_t i = 0; i < arguments.size(); ++i)
    state.reg(static_cast<unsigned>(i + 1)) = given(arguments[i]);
  return {};
}

// What the function knows of it.
RegState Walk::given(const GlobalArgument& argument) {
  RegState reg = RegState::unknown();
  switch (argument.kind) {
    case GlobalArg::kNumber:
      return reg;
    case GlobalArg::kContext:
      return RegState::pointer(RegType::kCtx);
    case GlobalArg::kMemory:
      reg = RegState::pointer(RegType::kMem);
      reg.mem_size = argument.size;
      break;
    case GlobalArg::kDynptr:
      reg = RegState::pointer(RegType::kDynptr);
      reg.mem_size = static_cast<std::uint32_t>(DynptrKind::kSkb);  // of which the most must be minded
      break;
    case GlobalArg::kTrusted:
    case GlobalArg::kUntrusted:
      reg = RegState::pointer(RegType::kKernelObject);
      reg.trust = argument.kind == GlobalArg::kTrusted ? Trust::kTrusted : Trust::kUntrusted;
      reg.mem_size = argument.type;
      break;
  }
  reg.maybe_null = argument.may_be_null;
  if (reg.maybe_null || reg.type != RegType::kMem) reg.id = new_id();
  return reg;
}

// By its type, the main program takes the context and nothing else, and returns a number. Nobody is told
// where it does not: it only cannot be replaced then.
bool Walk::is_main_by_type() const {
  const std::uint32_t id = type_of_function_at(program_, 0);
  if (id == 0) return false;
  const auto arguments = arguments_of_global(program_, id, {}, nullptr);
  return arguments && arguments->size() == 1 && (*arguments)[0].kind == GlobalArg::kContext;
}

// Whether this call gives a static function what its type says (btf_check_func_arg_match). Compilers leave
// arguments out where they see all calls.
bool Walk::fits_type(const Function& callee) const {
  const std::uint32_t id = type_of_function_at(program_, callee.start);
  if (id == 0) return false;
  const auto arguments = arguments_of_global(program_, id, {}, nullptr);
  if (!arguments) return false;
  for (std::size_t i = 0; i < arguments->size(); ++i) {
    const RegState& reg = state_.frame().regs[i + 1];
    const GlobalArg kind = (*arguments)[i].kind;
    const bool is_context =
        reg.type == RegType::kCtx && reg.off == 0 && reg.bounds.is_constant() && reg.bounds.value() == 0;
    if (!(kind == GlobalArg::kNumber && reg.is_scalar()) && !(kind == GlobalArg::kContext && is_context))
      return false;
  }
  return true;
}

Result<Walk::Next> Walk::call_function(const abi::Insn& insn) {
  const auto target = static_cast<std::uint32_t>(target_of(insn, at_));
  const std::uint32_t number = structure_.function_at(target);
  Function& callee = structure_.functions[number];
  if (callee.is_global) {
    if (state_.lock.map != nullptr)
      return refuse(
          EINVAL, "global function calls are not allowed while holding a lock,\nuse static function instead");
    if (callee.might_sleep && (open_section() != nullptr || !is_sleepable()))
      return refuse(
          EINVAL,
          "global functions that may sleep are not allowed in non-sleepable context,\n"
          "i.e., in a RCU/IRQ/preempt-disabled section, or in\na non-sleepable BPF program context");
    TRY(call_global(callee, number));
    return Next::kFollow;
  }
  if (state_.frames.size() >= isa::kMaxFrames)
    return refuse(E2BIG, "the call stack of {} frames is too deep", state_.frames.size() + 1);
  if (!callee.has_other_arguments) callee.has_other_arguments = !fits_type(callee);
  enter(state_, number, false);
  const Frame& caller = state_.frames[state_.frames.size() - 2];
  for (unsigned i = 1; i <= 5; ++i) state_.reg(i) = caller.regs[i];
  Frame& below = state_.frames[state_.frames.size() - 2];
  for (unsigned i = 0; i <= 5; ++i) below.regs[i] = RegState{};
  log_call();
  touched_ = Touched::all();
  at_ = target;
  return Next::kJumped;
}

Result<void> Walk::call_global(const Function& callee, std::uint32_t number) {
  if (callee.might_throw) TRY(check_nothing_held("bpf_throw"));
  if (const Result<void> checked = check_global_arguments(number); !checked)
    return refuse(checked.error().value, "Caller passes invalid args into func#{} ('{}')", number,
                  callee.name);
  called_[number] = true;
  std::uint32_t& frames = global_calls_[{root_, number}];
  frames = std::max(frames, static_cast<std::uint32_t>(state_.frames.size()));
  if (callee.changes_packet) forget_packet_pointers();
  clobber_caller_saved();
  state_.reg(0) = RegState::unknown();
  return {};
}

// As btf_check_func_arg_match.
Result<void> Walk::check_global_arguments(std::uint32_t function) {
  unsigned number = 0;
  for (const GlobalArgument& argument : TRY(arguments_of(function)))
    TRY(check_global_argument(++number, argument));
  return {};
}

Result<void> Walk::check_global_argument(unsigned number, const GlobalArgument& argument) {
  TRY(check_readable(number));
  const RegState reg = state_.reg(number);
  CallMeta meta;
  switch (argument.kind) {
    case GlobalArg::kNumber:
      if (!reg.is_scalar()) return refuse(EINVAL, "R{} is not a scalar", number);
      return {};
    case GlobalArg::kContext:
      if (reg.type != RegType::kCtx) return refuse(EINVAL, "arg#{} expects pointer to ctx", number - 1);
      return check_fixed(reg, number);
    case GlobalArg::kMemory: {
      if (argument.may_be_null && reg.is_null()) {
        depend_on(reg);
        return {};
      }
      if (!argument.may_be_null && reg.maybe_null)
        return refuse(EINVAL, "arg#{} is expected to be non-NULL", number - 1);
      // NULL or that many bytes, which the function may read and write.
      state_.reg(number).maybe_null = false;
      const bool fits = check_memory(number, argument.size, Access::kRead, false, meta) &&
                        check_memory(number, argument.size, Access::kWrite, false, meta);
      if (!fits) return fail(EINVAL);
      return {};
    }
    case GlobalArg::kDynptr:
      if (reg.type != RegType::kStack && reg.type != RegType::kDynptr)
        return refuse(EINVAL, "arg#{} expected pointer to stack or const struct bpf_dynptr", number - 1);
      return check_dynptr(number, {helper::Arg::kDynptr}, meta);
    case GlobalArg::kTrusted:
      if (argument.may_be_null && reg.is_null()) {
        depend_on(reg);
        return {};
      }
      return check_trusted(number, argument.type, argument.may_be_null);
    case GlobalArg::kUntrusted:
      return {};  // reads of it are carried out as the kernel's probe reads are
  }
  return {};
}

// As update_loop_inline_state: the kernel's code has the loop in it, and three words of stack for it, where
// always the same function is called back, and no flags are given.
void Walk::note_loop(std::uint32_t callback) {
  const RegState& flags = state_.reg(4);
  if (flags.is_null()) depend_on(flags);
  std::int32_t& noted = facts_.insns[at_].loop;
  const auto called = static_cast<std::int32_t>(callback);
  const bool is_same = noted == InsnFacts::kNotSeen || noted == called;
  noted = is_same && flags.is_null() ? called : InsnFacts::kSeveral;
}

// The callback may be called any number of times, that of bpf_loop as often as it says: here once more, with
// the state to come back to; what follows the call here is the path on which it is called no more.
Result<void> Walk::enter_callback(const CallMeta& meta) {
  Frame& here = state_.frame();
  const std::uint32_t rounds_begun = here.rounds_begun;
  here.rounds_begun = 0;
  if (meta.prototype->id == kLoop) {
    note_loop(meta.callback);
    depend_on(here.regs[1]);
    if (rounds_begun >= here.regs[1].bounds.wide.umax) return {};
  }
  if (state_.frames.size() >= isa::kMaxFrames)
    return refuse(E2BIG, "the call stack of {} frames is too deep", state_.frames.size() + 1);
  if (pending_.size() >= kMostPending || state_.callback_rounds >= kMostPending)
    return too_many_jumps(ENOMEM);
  State inside = state_;
  ++inside.callback_rounds;
  if (meta.prototype->id == kLoop) inside.frame().rounds_begun = rounds_begun + 1;
  enter(inside, meta.callback, true);
  const Frame& caller = state_.frame();
  if (meta.prototype->id == kForEachMapElem) {
    RegState& map = inside.reg(1);
    map = RegState::pointer(RegType::kMap);
    map.map = meta.map;
    RegState& key = inside.reg(2);
    key = RegState::pointer(RegType::kMapKey);
    key.map = meta.map;
    RegState& value = inside.reg(3);
    value = RegState::pointer(RegType::kMapValue);
    value.map = meta.map;
    value.id = new_id();
    inside.reg(4) = caller.regs[3];
  } else if (meta.prototype->id == kUserRingbufDrain) {
    RegState& record = inside.reg(1);
    record = RegState::pointer(RegType::kDynptr);
    record.mem_size = static_cast<std::uint32_t>(DynptrKind::kLocal);
    record.id = new_id();
    inside.reg(2) = caller.regs[3];
  } else {
    inside.reg(1) = RegState::unknown();
    inside.reg(2) = caller.regs[3];
  }
  push(std::move(inside), structure_.functions[meta.callback].start);
  return {};
}

Result<Walk::Next> Walk::leave_function() {
  if (state_.frames.size() == 1) {
    TRY(leave_program());
    return Next::kEnd;
  }
  const RegState result = state_.reg(0);
  const Frame& leaving = state_.frame();
  if (result.type == RegType::kNotInit && leaving.is_callback) return refuse(EACCES, "R0 !read_ok");
  if (result.type == RegType::kStack) return refuse(EINVAL, "cannot return stack pointer to the caller");
  const std::uint32_t callsite = leaving.callsite, from = at_;
  if (leaving.is_callback) {
    if (!result.is_scalar()) return refuse(EACCES, "R0 not a scalar value");
    TRY(check_result_range("At callback return", 0, 0, 1));
    if (state_.lock.map != nullptr) return refuse(EINVAL, "callback must not return with a lock held");
    TRY(check_given_back("BPF_EXIT instruction in main prog"));  // the kernel's words here, too
    log_return(callsite);
    state_.frames.pop_back();
    at_ = callsite;
    log_caller(from);
    widen_from_last_visit(state_, callsite, state_.parent);
    return Next::kJumped;
  }
  log_return(callsite + 1);
  state_.frames.pop_back();
  state_.reg(0) = result;
  at_ = callsite + 1;
  log_caller(from);
  return Next::kJumped;
}

// A path on which the instruction does not go on but ends the function, with that result.
Result<void> Walk::leave_early(const RegState& result, bool forgets_packet) {
  if (state_.frames.size() == 1) return {};
  if (pending_.size() >= kMostPending) return too_many_jumps(ENOMEM);
  State here = state_;
  const std::uint32_t at = at_;
  clobber_caller_saved();
  state_.reg(0) = result;
  if (forgets_packet) forget_packet_pointers();
  TRY(leave_function());
  push(std::move(state_), at_);
  state_ = std::move(here);
  at_ = at;
  return {};
}

// The function ends with whatever the other program returns, after it has done to the packet what it liked.
Result<void> Walk::leave_by_tail_call() {
  // What the other program returns is no result of a callback. The kernel's words; it does not expect this
  // either.
  if (state_.frame().is_callback) return refuse(EFAULT, "verifier bug: callback unexpected regs 1");
  return leave_early(RegState::unknown(), true);
}

Result<void> Walk::leave_program() {
  if (state_.lock.map != nullptr)
    return refuse(EINVAL, "BPF_EXIT instruction in {} cannot be used inside bpf_spin_lock-ed region",
                  root_ == 0 ? "main prog" : "subprog");
  TRY(check_nothing_held("BPF_EXIT instruction in main prog"));
  TRY(check_readable(0));
  if (state_.frame().async != Async::kNo) return leave_async_callback();
  if (root_ == 0 || structure_.functions[root_].is_exception_callback) return check_result_of_program(0);
  const RegState& result = state_.reg(0);
  if (!result.is_scalar())
    return refuse(EINVAL, "At subprogram exit the register R0 is not a scalar value ({})",
                  name_of(result.type));
  return {};
}

// The register holds what the program ends with.
Result<void> Walk::check_result_of_program(unsigned number) {
  const RegState& result = state_.reg(number);
  ReturnRange range = return_range(program_.type, program_.expected_attach_type);
  if (program_.type == abi::ProgType::kLsm) {
    const auto of_hook = lsm_return_range(program_, target_);
    if (!of_hook) return {};
    range = *of_hook;
  }
  if (range.any) return {};
  if (!result.is_scalar())
    return refuse(EINVAL, "At program exit the register R{} is not a known value ({})", number,
                  type_text(result));
  TRY(check_result_range("At program exit", number, range.least, range.most));
  // Numbers that only egress knows.
  constexpr Tnum kCongestion{2, 1};
  const bool is_egress = program_.type == abi::ProgType::kCgroupSkb && range.most == 3;
  if (is_egress && kCongestion.includes(result.bounds.bits)) facts_.keeps_attach_type = true;
  return {};
}

Result<void> Walk::check_result_range(const char* when, unsigned number, std::int64_t least,
                                      std::int64_t most) {
  const RegState& result = state_.reg(number);
  depend_on(result);
  const auto& [umin, umax, smin, smax] = result.bounds.wide;
  if (smin >= least && smax <= most) return {};
  std::string known;
  if (smin > std::numeric_limits<std::int64_t>::min()) known += fmt::format(" smin={}", smin);
  if (smax < std::numeric_limits<std::int64_t>::max()) known += fmt::format(" smax={}", smax);
  if (known.empty()) known = " unknown scalar value";
  return refuse(EINVAL, "{} the register R{} has{} should have been in [{}, {}]", when, number, known, least,
                most);
}

}  // namespace portolan::verifier
