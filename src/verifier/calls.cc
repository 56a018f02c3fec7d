// SPDX-License-Identifier: Apache-2.0
// Calls of helpers: which may be made, and what they leave behind.
#include <algorithm>

#include "isa/insn.h"
#include "verifier/helper_ids.h"
#include "verifier/map_helpers.h"
#include "verifier/walk.h"

namespace portolan::verifier {
namespace {

using helper::Arg;
using helper::Ret;

// Iterators of numbers are all that may be called under a lock.
bool counts_numbers(const helper::Kfunc* kfunc) {
  return kfunc != nullptr && kfunc->args[0].kind == helper::KfuncArg::kIterator &&
         kfunc->args[0].iterator == helper::IteratorKind::kNum;
}

// That a helper takes a socket for, if it is one.
const char* struct_of_result(std::uint32_t helper) {
  switch (helper) {
    case kSkcToTcp6Sock:
      return "tcp6_sock";
    case kSkcToTcpSock:
      return "tcp_sock";
    case kSkcToTcpTimewaitSock:
      return "tcp_timewait_sock";
    case kSkcToTcpRequestSock:
      return "tcp_request_sock";
    case kSkcToUdp6Sock:
      return "udp6_sock";
    case kSkcToUnixSock:
      return "unix_sock";
    case kSkcToMptcpSock:
      return "mptcp_sock";
    default:
      return nullptr;
  }
}

}  // namespace

Result<Walk::Next> Walk::call(const abi::Insn& insn) {
  const auto kind = static_cast<abi::PseudoCall>(insn.src());
  const bool unlocks = kind == abi::PseudoCall::kHelper && insn.imm == kSpinUnlock;
  const bool may_be_locked = kind == abi::PseudoCall::kKfunc && counts_numbers(facts_.insns[at_].kfunc);
  if (state_.lock.map != nullptr && kind != abi::PseudoCall::kSubprogram && !unlocks && !may_be_locked)
    return refuse(EINVAL, "function calls are not allowed while holding a lock");
  switch (kind) {
    case abi::PseudoCall::kSubprogram:
      return call_function(insn);
    case abi::PseudoCall::kHelper:
      TRY(call_helper(insn));
      return Next::kFollow;
    case abi::PseudoCall::kKfunc:
      if (insn.imm == 0) return Next::kFollow;  // see check_no_weak_kfuncs
      return call_kfunc(insn);
  }
  return refuse(EINVAL, "BPF_CALL uses reserved fields");
}

Result<void> Walk::call_helper(const abi::Insn& insn) {
  const auto id = static_cast<std::uint32_t>(insn.imm);
  const helper::Prototype* prototype = helper::find(id);
  if (prototype == nullptr) return refuse(EINVAL, "invalid func unknown#{}", insn.imm);
  if (!helper::is_available(*prototype, program_.type, program_.expected_attach_type))
    return refuse(EINVAL, "program of this type cannot use helper {}#{}", prototype->name, id);
  if (prototype->gpl_only && !program_.gpl_compatible)
    return refuse(EINVAL, "cannot call GPL-restricted function from non-GPL compatible program");
  if (prototype->might_sleep && !is_sleepable())
    return refuse(EINVAL, "helper call might sleep in a non-sleepable prog");
  if (prototype->function == nullptr)
    return refuse(EINVAL, "helper {}#{} is not supported: {}", prototype->name, id, prototype->note);
  if (!helper::takes_context_of(*prototype, program_.type))
    return refuse(EINVAL, "helper {}#{} is not supported in programs of this type", prototype->name, id);
  if (prototype->might_sleep)
    if (const char* section = open_section())
      return refuse(EINVAL, "sleepable helper {}#{} in {} region", prototype->name, id, section);

  CallMeta meta;
  meta.prototype = prototype;
  for (unsigned i = 0; i < 5; ++i)
    if (prototype->args[i].kind != Arg::kNone) TRY(check_argument(i + 1, prototype->args[i], meta));
  TRY(check_map_allows(meta));
  note_map(meta.map);
  switch (id) {
    case kSpinLock:
      TRY(spin_lock(1, true));
      break;
    case kSpinUnlock:
      TRY(spin_lock(1, false));
      break;
    case kForEachMapElem:
    case kLoop:
    case kUserRingbufDrain:
      TRY(enter_callback(meta));
      break;
    case kTimerSetCallback:
      TRY(enter_async_callback(meta, Async::kTimer));
      break;
    case kGetFuncIp:
      TRY(check_get_func_ip());
      break;
    case kTailCall:
      TRY(check_nothing_held("tail_call"));
      note_index(*meta.map);
      TRY(leave_by_tail_call());
      break;
    default:
      break;
  }
  if (meta.given_back != 0) give_back(meta.given_back);
  clobber_caller_saved();
  set_result(meta);
  // A tail call that comes back has done nothing.
  const bool writes_skb = id == kDynptrWrite && is_of_skb(static_cast<DynptrKind>(meta.dynptr.mem_size));
  if ((prototype->changes_pkt_data && id != kTailCall) || writes_skb) forget_packet_pointers();
  return {};
}

// Only where the program is attached to a function.
Result<void> Walk::check_get_func_ip() {
  if (program_.type == abi::ProgType::kKprobe) return {};
  const char* const name = "bpf_get_func_ip";
  if (program_.type != abi::ProgType::kTracing)
    return refuse(kEnotsupp, "func {}#{} not supported for program type {}", name, +kGetFuncIp,
                  static_cast<unsigned>(program_.type));
  switch (static_cast<abi::AttachType>(program_.expected_attach_type)) {
    case abi::AttachType::kTraceFentry:
    case abi::AttachType::kTraceFexit:
    case abi::AttachType::kModifyReturn:
      return {};
    default:
      return refuse(kEnotsupp, "func {}#{} supported only for fentry/fexit/fmod_ret programs", name,
                    +kGetFuncIp);
  }
}

// Of an inner map, what is known is not which one it is.
void Walk::note_map(const map::MapSpec* spec) {
  std::int32_t& noted = facts_.insns[at_].map;
  if (noted == InsnFacts::kSeveral) return;
  const auto found =
      std::ranges::find_if(facts_.maps, [spec](const map::Map* map) { return &map->spec() == spec; });
  const bool is_new = noted == InsnFacts::kNotSeen;
  const auto index = static_cast<std::int32_t>(found - facts_.maps.begin());
  noted = found != facts_.maps.end() && (is_new || noted == index) ? index : InsnFacts::kSeveral;
}

// One that is known decides where the call goes, so that it matters.
void Walk::note_index(const map::MapSpec& spec) {
  const RegState& index = state_.reg(3);
  std::int64_t& noted = facts_.insns[at_].index;
  if (!index.is_constant() || index.bounds.value() >= spec.max_entries) {
    noted = InsnFacts::kSeveral;
    return;
  }
  depend_on(index);
  const auto value = static_cast<std::int64_t>(index.bounds.value());
  noted = noted == InsnFacts::kNotSeen || noted == value ? value : InsnFacts::kSeveral;
}

Result<void> Walk::check_map_allows(const CallMeta& meta) {
  if (meta.map == nullptr) return {};
  const auto type = static_cast<abi::MapType>(meta.map->type);
  const std::uint32_t id = meta.prototype->id;
  if (id == kTailCall && type != abi::MapType::kProgArray)
    return refuse(EINVAL, "expected prog array map for tail call");
  if (!may_be_given(id, type))
    return refuse(EINVAL, "cannot pass map_type {} into func {}#{}", meta.map->type, meta.prototype->name,
                  id);
  const bool writes = id == kMapUpdate || id == kMapDelete || id == kMapPush || id == kMapPop;
  if (writes && meta.map->has(abi::map_flag::kRdonlyProg)) return refuse(EACCES, "write into map forbidden");
  return {};
}

// Whether there is a value for each key below max_entries. A map in another one may be smaller than that
// one's template says, but for plain arrays that do not allow it.
bool Walk::has_every_index(const map::MapSpec& spec) const {
  const auto type = static_cast<abi::MapType>(spec.type);
  if (type == abi::MapType::kArray) return !spec.has(abi::map_flag::kInnerMap);
  if (type != abi::MapType::kPerCpuArray) return false;
  return std::any_of(facts_.maps.begin(), facts_.maps.end(),
                     [&](const map::Map* map) { return &map->spec() == &spec; });
}

Result<void> Walk::spin_lock(unsigned number, bool takes) {
  const RegState& reg = state_.reg(number);
  const char* const name = takes ? "bpf_spin_lock" : "bpf_spin_unlock";
  if (!reg.bounds.is_constant())
    return refuse(EINVAL, "R{} doesn't have constant offset. bpf_spin_lock has to be at the constant offset",
                  number);
  const map::MapSpec& spec = *reg.map;
  const map::ValueField* lock = nullptr;
  for (std::uint32_t i = 0; i < spec.field_count; ++i)
    if (spec.fields[i].kind == map::FieldKind::kSpinLock) lock = &spec.fields[i];
  if (lock == nullptr) return refuse(EINVAL, "map '{}' has no valid bpf_spin_lock", spec.name);
  const std::int64_t at = static_cast<std::int64_t>(reg.bounds.value()) + reg.off;
  if (at != lock->offset)
    return refuse(EINVAL, "off {} doesn't point to 'struct bpf_spin_lock' that is at {}", at, lock->offset);
  if (takes) {
    if (state_.lock.map != nullptr) return refuse(EINVAL, "Locking two bpf_spin_locks are not allowed");
    state_.lock = {reg.map, reg.id};
    return {};
  }
  if (state_.lock.map == nullptr) return refuse(EINVAL, "{} without taking a lock", name);
  if (state_.lock != Lock{reg.map, reg.id}) return refuse(EINVAL, "{} of different lock", name);
  state_.lock = {};
  return {};
}

void Walk::set_result(const CallMeta& meta) {
  RegState& result = state_.reg(0);
  switch (meta.prototype->ret) {
    case Ret::kVoid:
      result = RegState{};
      return;
    case Ret::kMapValueOrNull:
    case Ret::kMapValue: {
      const map::MapSpec* const inner = inner_map(*meta.map);
      result = RegState::pointer(inner != nullptr ? RegType::kMap : RegType::kMapValue);
      result.map = inner != nullptr ? inner : meta.map;
      if (inner == nullptr) result.map_uid = meta.map_uid;
      result.maybe_null =
          meta.prototype->ret == Ret::kMapValueOrNull &&
          !(meta.prototype->id == kMapLookup && meta.key.has_value() && *meta.key < meta.map->max_entries);
      if (result.maybe_null || result.map->has_field(map::FieldKind::kSpinLock)) result.id = new_id();
      return;
    }
    case Ret::kMemOrNull:
      result = RegState::pointer(RegType::kMem);
      result.maybe_null = true;
      result.mem_size = static_cast<std::uint32_t>(meta.size);
      result.id = new_id();
      if (meta.dynptr.type == RegType::kDynptr) {
        result.dynptr = meta.dynptr.id;
        result.reference = meta.dynptr.reference;
        return;
      }
      result.is_record = true;
      acquire(result);
      return;
    case Ret::kTask: {
      // Where the kernel's types cannot be known, nothing is known of the result.
      const Result<RegState> task = kernel_object("task_struct");
      result = task ? *task : RegState::unknown();
      return;
    }
    case Ret::kSocketOrNull:
      return set_socket(RegType::kSocket, meta);
    case Ret::kSockCommonOrNull:
      return set_socket(RegType::kSockCommon, meta);
    case Ret::kTcpSockOrNull:
      return set_socket(RegType::kTcpSock, meta);
    case Ret::kOtherOrNull: {
      // None is ever given. What a program does with one counts all the same, where it can be known.
      const char* const name = struct_of_result(meta.prototype->id);
      const Result<RegState> object = name != nullptr ? kernel_object(name) : fail(ENOENT);
      result = object ? *object : RegState::number(0);
      if (!object) return;
      result.trust = Trust::kNone;
      result.maybe_null = true;
      result.id = new_id();
      if (meta.prototype->casts) result.reference = meta.reference;
      return;
    }
    case Ret::kInteger:
      break;
  }
  result = RegState::unknown();
  constexpr std::int64_t kMostErrno = 4095;
  switch (meta.prototype->id) {
    case kGetStack:
    case kGetTaskStack:
    case kProbeReadStr:
    case kProbeReadUserStr:
    case kProbeReadKernelStr:
      result.bounds.wide.smin = -kMostErrno;
      result.bounds.wide.smax = meta.most;
      result.bounds.sync();
      return;
    case kSmpProcessorId:
      result.bounds.wide = {0, program_.possible_cpus - 1, 0,
                            static_cast<std::int64_t>(program_.possible_cpus) - 1};
      result.bounds.sync();
      return;
    default:
      return;
  }
}

void Walk::forget_packet_pointers() {
  state_.for_each_reg([](RegState& reg) {
    if (reg.is_packet() || reg.is_in_packet) reg = RegState::unknown();
  });
}

}  // namespace portolan::verifier
