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

// Types by which a global function says that it takes the context.
bool is_context_struct(const btf::Btf& btf, const btf::Type& type, abi::ProgType program) {
  const std::string_view name = btf.name(type);
  if (name.empty()) return false;
  struct Row {
    abi::ProgType program;
    std::string_view name;
  };
  using enum abi::ProgType;
  static constexpr Row kRows[] = {
      {kSocketFilter, "__sk_buff"},
      {kKprobe, "pt_regs"},
      {kKprobe, "user_pt_regs"},
      {kSchedCls, "__sk_buff"},
      {kSchedAct, "__sk_buff"},
      {kXdp, "xdp_md"},
      {kPerfEvent, "bpf_perf_event_data"},
      {kCgroupSkb, "__sk_buff"},
      {kCgroupSock, "bpf_sock"},
      {kLwtIn, "__sk_buff"},
      {kLwtOut, "__sk_buff"},
      {kLwtXmit, "__sk_buff"},
      {kSockOps, "bpf_sock_ops"},
      {kSkSkb, "__sk_buff"},
      {kCgroupDevice, "bpf_cgroup_dev_ctx"},
      {kSkMsg, "sk_msg_md"},
      {kRawTracepoint, "bpf_raw_tracepoint_args"},
      {kCgroupSockAddr, "bpf_sock_addr"},
      {kLwtSeg6local, "__sk_buff"},
      {kSkReuseport, "sk_reuseport_md"},
      {kFlowDissector, "__sk_buff"},
      {kCgroupSysctl, "bpf_sysctl"},
      {kRawTracepointWritable, "bpf_raw_tracepoint_args"},
      {kCgroupSockopt, "bpf_sockopt"},
      {kSkLookup, "bpf_sk_lookup"},
      {kNetfilter, "bpf_nf_ctx"},
  };
  return std::any_of(std::begin(kRows), std::end(kRows),
                     [&](const Row& row) { return row.program == program && row.name == name; });
}

enum class ArgumentKind : std::uint8_t { kNumber, kContext, kMemory, kDynptr, kUnknown };
struct ArgumentType {
  ArgumentKind kind = ArgumentKind::kUnknown;
  std::uint32_t size = 0;  // kMemory: bytes
  bool may_be_null = true;
};

// By tags of the argument ("arg:ctx", "arg:nonnull") and by its type.
ArgumentType argument_type(const btf::Btf& btf, std::uint32_t function_id, const abi::btf::Param& param,
                           std::size_t index, abi::ProgType program) {
  bool is_context = false, is_nonnull = false;
  for (std::uint32_t id = 1; id < btf.type_count(); ++id) {
    const btf::Type& type = *btf.type(id);
    if (abi::btf::kind(type) != abi::btf::Kind::kDeclTag || type.type != function_id) continue;
    if (btf.decl_tag(type).component_idx != static_cast<std::int32_t>(index)) continue;
    const std::string_view tag = btf.name(type);
    is_context |= tag == "arg:ctx";
    is_nonnull |= tag == "arg:nonnull";
    if (tag.starts_with("arg:") && !is_context && !is_nonnull) return {};
  }
  if (param.type == 0) return {};
  const btf::Type& type = *btf.type(btf.resolve(param.type));
  switch (abi::btf::kind(type)) {
    case abi::btf::Kind::kInt:
    case abi::btf::Kind::kEnum:
    case abi::btf::Kind::kEnum64:
      return type.size <= 8 ? ArgumentType{ArgumentKind::kNumber} : ArgumentType{};
    case abi::btf::Kind::kPtr: {
      if (is_context) return {ArgumentKind::kContext};
      if (type.type == 0) return {};
      const std::uint32_t target_id = btf.resolve(type.type);
      const btf::Type& target = *btf.type(target_id);
      if (is_context_struct(btf, target, program)) return {ArgumentKind::kContext};
      if (btf::is(target, btf::Kind::kStruct) && btf.name(target) == std::string_view("bpf_dynptr"))
        return {ArgumentKind::kDynptr};
      const Result<std::uint32_t> size = btf.size_of(target_id);
      if (!size || *size == 0) return {};
      return {ArgumentKind::kMemory, *size, !is_nonnull};
    }
    default:
      return {};
  }
}

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

Result<void> Walk::set_global_arguments(State& state, const Function& function) {
  const std::uint32_t id = type_of_function_at(program_, function.start);
  const btf::Btf& btf = *program_.btf;
  TRY(check_returns_number(function, id));
  const auto parameters = btf.params(*btf.type(btf.type(id)->type));
  if (function.is_exception_callback &&
      (parameters.size() != 1 ||
       argument_type(btf, id, parameters[0], 0, program_.type).kind != ArgumentKind::kNumber))
    return refuse(EINVAL, "exception cb only supports single integer argument");
  if (parameters.size() > 5)
    return refuse(EINVAL, "Global function {}() with {} > 5 args. Buggy compiler.", function.name,
                  parameters.size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    RegState& reg = state.reg(static_cast<unsigned>(i + 1));
    const ArgumentType type = argument_type(btf, id, parameters[i], i, program_.type);
    switch (type.kind) {
      case ArgumentKind::kNumber:
        reg = RegState::unknown();
        break;
      case ArgumentKind::kContext:
        reg = RegState::pointer(RegType::kCtx);
        break;
      case ArgumentKind::kMemory:
        reg = RegState::pointer(RegType::kMem);
        reg.mem_size = type.size;
        reg.maybe_null = type.may_be_null;
        if (type.may_be_null) reg.id = new_id();
        break;
      case ArgumentKind::kDynptr:
        reg = RegState::pointer(RegType::kDynptr);
        reg.mem_size = static_cast<std::uint32_t>(DynptrKind::kSkb);  // of which the most must be minded
        reg.id = new_id();
        break;
      case ArgumentKind::kUnknown:
        return refuse(EINVAL, "Arg#{} type {} in {}() is not supported yet.", i,
                      parameters[i].type == 0 ? "VOID"
                      : abi::btf::kind(*btf.type(btf.resolve(parameters[i].type))) == abi::btf::Kind::kPtr
                          ? "PTR"
                          : "STRUCT",
                      function.name);
    }
  }
  return {};
}

Result<Walk::Next> Walk::call_function(const abi::Insn& insn) {
  const auto target = static_cast<std::uint32_t>(target_of(insn, at_));
  const std::uint32_t number = structure_.function_at(target);
  const Function& callee = structure_.functions[number];
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
  enter(state_, number, false);
  const Frame& caller = state_.frames[state_.frames.size() - 2];
  for (unsigned i = 1; i <= 5; ++i) state_.reg(i) = caller.regs[i];
  Frame& below = state_.frames[state_.frames.size() - 2];
  for (unsigned i = 0; i <= 5; ++i) below.regs[i] = RegState{};
  at_ = target;
  return Next::kJumped;
}

Result<void> Walk::check_returns_number(const Function& function, std::uint32_t id) {
  const btf::Btf& btf = *program_.btf;
  const btf::Type& prototype = *btf.type(btf.type(id)->type);
  if (prototype.type != 0) {
    const auto kind = abi::btf::kind(*btf.type(btf.resolve(prototype.type)));
    if (kind == abi::btf::Kind::kInt || kind == abi::btf::Kind::kEnum || kind == abi::btf::Kind::kEnum64)
      return {};
  }
  return refuse(EINVAL, "Global function {}() doesn't return scalar. Only those are supported.",
                function.name);
}

Result<void> Walk::call_global(const Function& callee, std::uint32_t number) {
  const std::uint32_t id = type_of_function_at(program_, callee.start);
  const btf::Btf& btf = *program_.btf;
  if (!check_returns_number(callee, id))
    return refuse(EINVAL, "Caller passes invalid args into func#{} ('{}')", number, callee.name);
  const auto parameters = btf.params(*btf.type(btf.type(id)->type));
  if (callee.might_throw) TRY(check_nothing_held("bpf_throw"));
  CallMeta meta;
  for (std::size_t i = 0; i < std::min<std::size_t>(parameters.size(), 5); ++i) {
    const auto reg_number = static_cast<unsigned>(i + 1);
    const ArgumentType type = argument_type(btf, id, parameters[i], i, program_.type);
    const Result<void> readable = check_readable(reg_number);
    Result<void> checked = readable;
    const RegState reg = state_.reg(reg_number);
    if (readable) switch (type.kind) {
        case ArgumentKind::kNumber:
          if (!reg.is_scalar()) checked = refuse(EINVAL, "R{} is not a scalar", reg_number);
          break;
        case ArgumentKind::kContext:
          if (reg.type != RegType::kCtx)
            checked = refuse(EINVAL, "R{} expects pointer to ctx", reg_number);
          else
            checked = check_fixed(reg, reg_number);
          break;
        case ArgumentKind::kMemory: {
          if (type.may_be_null && reg.is_null()) {
            depend_on(reg);
            break;
          }
          if (!type.may_be_null && reg.maybe_null) {
            checked = refuse(EINVAL, "arg#{} is expected to be non-NULL", i);
            break;
          }
          // NULL or that many bytes, which the function may read and write.
          RegState& now = state_.reg(reg_number);
          now.maybe_null = false;
          checked = check_memory(reg_number, type.size, Access::kRead, false, meta);
          if (checked) checked = check_memory(reg_number, type.size, Access::kWrite, false, meta);
          break;
        }
        case ArgumentKind::kDynptr:
          if (reg.type == RegType::kStack || reg.type == RegType::kDynptr)
            checked = check_dynptr(reg_number, {helper::Arg::kDynptr}, meta);
          else
            checked = refuse(EINVAL, "arg#{} expected pointer to stack or const struct bpf_dynptr", i);
          break;
        case ArgumentKind::kUnknown:
          checked = refuse(EINVAL, "Arg#{} of {}() is of a type that is not supported", i, callee.name);
          break;
      }
    if (!checked) {
      const int error = type.kind == ArgumentKind::kContext ? checked.error().value : EINVAL;
      return refuse(error, "Caller passes invalid args into func#{} ('{}')", number, callee.name);
    }
  }
  called_[number] = true;
  std::uint32_t& frames = global_calls_[{root_, number}];
  frames = std::max(frames, static_cast<std::uint32_t>(state_.frames.size()));
  if (callee.changes_packet) forget_packet_pointers();
  clobber_caller_saved();
  state_.reg(0) = RegState::unknown();
  return {};
}

// The callback may be called any number of times, that of bpf_loop as often as it says: here once more, with
// the state to come back to; what follows the call here is the path on which it is called no more.
Result<void> Walk::enter_callback(const CallMeta& meta) {
  Frame& here = state_.frame();
  const std::uint32_t rounds_begun = here.rounds_begun;
  here.rounds_begun = 0;
  if (meta.prototype->id == kLoop) {
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
  const std::uint32_t callsite = leaving.callsite;
  if (leaving.is_callback) {
    if (!result.is_scalar()) return refuse(EACCES, "R0 not a scalar value");
    TRY(check_result_range("At callback return", 0, 0, 1));
    if (state_.lock.map != nullptr) return refuse(EINVAL, "callback must not return with a lock held");
    TRY(check_given_back("BPF_EXIT instruction in callback"));
    state_.frames.pop_back();
    at_ = callsite;
    widen_from_last_visit(state_, callsite, state_.parent);
    return Next::kJumped;
  }
  state_.frames.pop_back();
  state_.reg(0) = result;
  at_ = callsite + 1;
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
  if (state_.frame().is_async) return leave_async_callback();
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
  return check_result_range("At program exit", number, range.least, range.most);
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
