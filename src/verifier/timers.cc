// SPDX-License-Identifier: Apache-2.0
// Timers and work in map values, and the functions that they call: later, in no program's run.
#include <algorithm>

#include "verifier/walk.h"

namespace portolan::verifier {

// Where the map's bpf_timer, or bpf_wq, is, and nowhere else in a value.
Result<void> Walk::check_timer(unsigned number, map::FieldKind kind, CallMeta& meta) {
  const RegState& reg = state_.reg(number);
  const char* const what = kind == map::FieldKind::kTimer ? "bpf_timer" : "bpf_wq";
  if (!reg.bounds.is_constant())
    return refuse(EINVAL, "R{} doesn't have constant offset. {} has to be at the constant offset", number,
                  what);
  const map::MapSpec& spec = *reg.map;
  const map::ValueField* const field = spec.field(kind);
  if (spec.btf_id == 0) return refuse(EINVAL, "map '{}' has to have BTF in order to use {}", spec.name, what);
  if (field == nullptr) return refuse(EINVAL, "map '{}' has no valid {}", spec.name, what);
  const std::int64_t at = static_cast<std::int64_t>(reg.bounds.value()) + reg.off;
  if (at != field->offset)
    return refuse(EINVAL, "off {} doesn't point to 'struct {}' that is at {}", at, what, field->offset);
  meta.map = reg.map;
  meta.map_uid = reg.map_uid;
  return {};
}

// The map that is given with a timer is the one that it lies in; of inner maps, the same one of them.
Result<void> Walk::check_map_of_timer(const RegState& map, const char* what, const CallMeta& meta) {
  if (meta.map == map.map && meta.map_uid == map.map_uid) return {};
  return refuse(EINVAL, "{} pointer in R1 map_uid={} doesn't match map pointer in R2 map_uid={}", what,
                meta.map_uid, map.map_uid);
}

Result<void> Walk::check_work(unsigned number, CallMeta& meta) {
  const RegState& reg = state_.reg(number);
  if (reg.type != RegType::kMapValue || reg.maybe_null)
    return refuse(EINVAL, "arg#{} doesn't point to a map value", number - 1);
  return check_timer(number, map::FieldKind::kWorkQueue, meta);
}

// The kernel also takes a value of the map for the map, one that may be NULL, and any map without work: what
// it is given here is the map.
Result<void> Walk::check_map_of_work(unsigned number, const CallMeta& meta) {
  const RegState& reg = state_.reg(number);
  if (reg.type != RegType::kMap || reg.maybe_null)
    return refuse(EINVAL, "pointer in R{} isn't map pointer", number);
  return check_map_of_timer(reg, "workqueue", meta);
}

// Nothing of the state here comes into it: one walk for each function, caller and map is enough.
Result<void> Walk::enter_async_callback(const CallMeta& meta, Async caller) {
  Function& callback = structure_.functions[meta.callback];
  callback.is_async = true;
  if (callback.has_tail_call) return refuse(EFAULT, "verifier bug: subprog has tail_call and async cb");
  const AsyncCallback entry{meta.callback, caller, meta.map};
  if (std::ranges::find(facts_.async_callbacks, entry) != facts_.async_callbacks.end()) return {};
  facts_.async_callbacks.push_back(entry);
  if (pending_.size() >= kMostPending) return too_many_jumps(EFAULT);
  State inside;
  enter(inside, meta.callback, false);
  inside.frame().async = caller;
  const auto give = [&](unsigned number, RegType type) -> RegState& {
    RegState& reg = inside.reg(number);
    reg = RegState::pointer(type);
    reg.map = meta.map;
    return reg;
  };
  give(1, RegType::kMap);
  give(2, RegType::kMapKey);
  give(3, RegType::kMapValue).id = new_id();
  push(std::move(inside), callback.start);
  return {};
}

Result<void> Walk::leave_async_callback() {
  const RegState& result = state_.reg(0);
  if (!result.is_scalar())
    return refuse(EINVAL, "At async callback return the register R0 is not a known value ({})",
                  name_of(result.type));
  return check_result_range("At async callback return", 0, 0, 0);
}

}  // namespace portolan::verifier
