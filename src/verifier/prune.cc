// SPDX-License-Identifier: Apache-2.0
// When a path need not be followed: a state that allowed at least as much was at the same instruction before,
// and all that can follow from there has been looked at, or is being looked at and can only repeat itself.
//
// Numbers count wherever a register lives: a state covers another if each number of the other is within its
// bounds. Stack counts where some path from the old state has read it. While such paths are not finished, all
// of it counts; and whoever ends a path at an unfinished state has read everything, and depends on
// everything.
#include <algorithm>

#include "abi/prog_flags.h"
#include "verifier/walk.h"

namespace portolan::verifier {
namespace {

// Ids have no meaning but which registers share one: pairs of an old and a new id must stay pairs.
class IdPairs {
 public:
  bool match(std::uint32_t old_id, std::uint32_t new_id) {
    if ((old_id == 0) != (new_id == 0)) return false;
    if (old_id == 0) return true;
    for (const auto& [one, other] : pairs_) {
      if (one == old_id) return other == new_id;
      if (other == new_id) return false;
    }
    pairs_.emplace_back(old_id, new_id);
    return true;
  }
  // Of numbers: one that shares its id with nobody is like one without.
  bool match_numbers(std::uint32_t old_id, std::uint32_t new_id) {
    if (old_id == 0) return true;
    return match(old_id, new_id != 0 ? new_id : --single_);
  }

 private:
  std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs_;
  std::uint32_t single_ = 0;
};

bool covers(const RegState& old, const RegState& now, bool is_precise, IdPairs& ids) {
  if (old.type == RegType::kNotInit) return true;
  if (old.type != now.type || old.maybe_null != now.maybe_null) return false;
  switch (old.type) {
    case RegType::kScalar:
      if (!is_precise) return true;
      return old.sum_bits == now.sum_bits && old.off == now.off && old.bounds.includes(now.bounds) &&
             ids.match_numbers(old.id, now.id);
    case RegType::kMapValue:
    case RegType::kMapKey:
    case RegType::kMem:
      return old.off == now.off && old.map == now.map && old.mem_size == now.mem_size &&
             old.is_direct == now.is_direct && old.is_read_only == now.is_read_only &&
             old.is_record == now.is_record && old.is_in_packet == now.is_in_packet &&
             old.bounds.includes(now.bounds) && ids.match(old.id, now.id) &&
             ids.match(old.reference, now.reference) && old.dynptr == now.dynptr &&
             ids.match(old.map_uid, now.map_uid);
    case RegType::kDynptr:
      return old.off == now.off && old.mem_size == now.mem_size && old.is_read_only == now.is_read_only &&
             old.bounds == now.bounds && ids.match(old.id, now.id) && ids.match(old.reference, now.reference);
    case RegType::kIterator:  // not how often: else no loop would come to an end
      return old.off == now.off && old.mem_size == now.mem_size && old.is_drained == now.is_drained &&
             ids.match(old.reference, now.reference);
    case RegType::kPacket:
    case RegType::kPacketMeta:
      if (old.range < 0 || now.range < 0 ? old.range != now.range : old.range > now.range) return false;
      return old.off == now.off && old.bounds.includes(now.bounds) && ids.match(old.id, now.id);
    default:
      return old.off == now.off && old.map == now.map && old.mem_size == now.mem_size &&
             old.trust == now.trust && old.is_read_only == now.is_read_only && old.frame == now.frame &&
             old.bounds == now.bounds && ids.match(old.id, now.id) &&
             ids.match(old.reference, now.reference) && ids.match(old.map_uid, now.map_uid);
  }
}

// What can be read from a byte of stack that is no spilled register: a number of eight unknown bits, or zero.
bool covers(const StackSlot& old, const StackSlot& now, bool is_precise, IdPairs& ids) {
  if (old.is_opaque() || now.is_opaque())
    return old.bytes == now.bytes && covers(old.spilled, now.spilled, true, ids);
  if (old.is_spill() &&
      (is_precise || !old.spilled.is_scalar() || (now.is_spill() && now.spilled.is_pointer()))) {
    // Bytes that are no spilled register are a number of its own, that may be any.
    static const RegState kAnyNumber = RegState::unknown();
    const bool is_whole =
        now.is_spill() && (old.spilled_bytes() == now.spilled_bytes() || now.spilled.is_pointer());
    if (!covers(old.spilled, is_whole ? now.spilled : kAnyNumber, is_precise, ids)) return false;
  }
  for (unsigned i = 0; i < 8; ++i) {
    // Anything at all may be read as an unknown number.
    if (old.bytes[i] == Byte::kInvalid || old.bytes[i] == Byte::kMisc || old.bytes[i] == Byte::kSpill)
      continue;
    const bool is_zero =
        now.bytes[i] == Byte::kZero || (now.bytes[i] == Byte::kSpill && now.spilled.is_null());
    if (!is_zero) return false;
  }
  return true;
}

// `precise`: places whose numbers count; those that are not followed always do.
struct Precision {
  bool all;
  Dependencies places;
  bool counts(const Dependencies& place) const { return all || place.is_empty() || places.includes(place); }
};

// `read`: slots whose contents count, as bits.
bool covers(const Frame& old, const Frame& now, std::size_t frame, std::uint16_t live, std::uint64_t read,
            const Precision& precise, IdPairs& ids) {
  if (old.rounds_begun > now.rounds_begun) return false;
  if (old.callsite != now.callsite || old.subprogram != now.subprogram ||
      old.is_callback != now.is_callback || old.is_async != now.is_async)
    return false;
  for (unsigned number = 0; number < isa::kRegisters; ++number) {
    if ((live >> number & 1) == 0) continue;
    if (!covers(old.regs[number], now.regs[number], precise.counts(Dependencies::of_register(frame, number)),
                ids))
      return false;
  }
  static const StackSlot kUntouched;
  for (std::size_t slot = 0; slot < std::max(old.stack.size(), now.stack.size()); ++slot) {
    const StackSlot& one = slot < old.stack.size() ? old.stack[slot] : kUntouched;
    const StackSlot& other = slot < now.stack.size() ? now.stack[slot] : kUntouched;
    // What is opaque counts even if it is only overwritten.
    if ((read >> slot & 1) == 0 && !one.is_opaque() && !other.is_opaque()) continue;
    if (!covers(one, other, precise.counts(Dependencies::of_slot(frame, slot)), ids)) return false;
  }
  return true;
}

bool covers(const Sections& old, const Sections& now, IdPairs& ids) {
  const auto same_id = [&](const Reference& a, const Reference& b) { return ids.match(a.id, b.id); };
  return old.rcu == now.rcu && old.preempt == now.preempt && std::ranges::equal(old.irqs, now.irqs, same_id);
}

// Where the old state had bytes of zero and this one a number that is zero, that number matters: the old one
// has none there that anything could depend on.
Dependencies numbers_behind_zeros(const State& old, const State& now) {
  Dependencies from;
  for (std::size_t i = 0; i < old.frames.size(); ++i) {
    const std::vector<StackSlot>&was = old.frames[i].stack, &is = now.frames[i].stack;
    for (std::size_t slot = 0; slot < std::min(was.size(), is.size()); ++slot)
      if (is[slot].is_spill() && is[slot].spilled.is_scalar() &&
          std::ranges::find(was[slot].bytes, Byte::kZero) != was[slot].bytes.end())
        from |= is[slot].spilled.from;
  }
  return from;
}

bool is_same(const StackSlot& a, const StackSlot& b) {
  return a.bytes == b.bytes && (!(a.is_spill() || a.is_opaque()) || a.spilled == b.spilled);
}
// Exactly the same: nothing has changed since the last time.
bool is_same(const State& a, const State& b, std::uint16_t live) {
  if (a.frames.size() != b.frames.size() || a.lock != b.lock || a.references != b.references ||
      a.sections != b.sections || a.may_goto_depth != b.may_goto_depth ||
      a.callback_rounds != b.callback_rounds)
    return false;
  for (std::size_t i = 0; i < a.frames.size(); ++i) {
    const Frame &old = a.frames[i], &now = b.frames[i];
    if (old.callsite != now.callsite || old.stack.size() != now.stack.size() || old.is_async != now.is_async)
      return false;
    const bool is_innermost = i + 1 == a.frames.size();
    for (unsigned number = 0; number < isa::kRegisters; ++number)
      if ((!is_innermost || (live >> number & 1) != 0) && old.regs[number] != now.regs[number]) return false;
    for (std::size_t slot = 0; slot < old.stack.size(); ++slot)
      if (!is_same(old.stack[slot], now.stack[slot])) return false;
  }
  return true;
}

}  // namespace

Result<bool> Walk::was_seen() {
  const abi::Insn& insn = program_.insns[at_];
  const bool calls_back = is_callback_call(insn), iterates = gives_next(at_);
  const bool may_go = isa::class_of(insn) == isa::Class::kJmp && isa::jump_of(insn) == isa::Jump::kJcond;
  const auto live_in = [&](const State& state, std::size_t frame) {
    constexpr std::uint16_t kFramePointer = 1u << isa::kFramePointer;
    if (frame + 1 == state.frames.size())
      return static_cast<std::uint16_t>(structure_.live_before[at_] | kFramePointer);
    const std::uint32_t callsite = state.frames[frame + 1].callsite;
    return static_cast<std::uint16_t>(structure_.live_before[callsite] |
                                      structure_.live_before[callsite + 1] | kFramePointer);
  };
  using Slots = decltype(Checkpoint::read);
  const auto covers_now = [&](const State& old, const Slots& read, const Precision& precise) {
    if (old.frames.size() != state_.frames.size()) return false;
    IdPairs ids;
    if (old.lock.map != state_.lock.map) return false;
    if (old.lock.map != nullptr && !ids.match(old.lock.id, state_.lock.id)) return false;
    if (!covers(old.sections, state_.sections, ids)) return false;
    if (old.references.size() != state_.references.size()) return false;
    for (std::size_t i = 0; i < old.references.size(); ++i)
      if (!ids.match(old.references[i].id, state_.references[i].id) ||
          old.references[i].callbacks != state_.references[i].callbacks)
        return false;
    for (std::size_t i = 0; i < old.frames.size(); ++i)
      if (!covers(old.frames[i], state_.frames[i], i, live_in(state_, i), read[i], precise, ids))
        return false;
    return true;
  };

  const bool is_forced = calls_back || may_go || iterates;
  const std::uint32_t jumps = jumps_walked_ - jumps_at_checkpoint_,
                      insns = insns_walked_ - insns_at_checkpoint_;
  const bool keeps_all = is_forced || (program_.flags & abi::prog_flag::kTestStateFreq) != 0;
  bool is_kept = keeps_all || (jumps >= 2 && insns >= 8);
  auto& list = checkpoints_[at_];
  for (std::size_t i = 0; i < list.size(); ++i) {
    Checkpoint& old = *list[i];
    // Those of other calls of this function are a list of their own.
    if (old.state.frame().callsite != state_.frame().callsite) continue;
    if (old.branches != 0) {
      // What follows from it is still being looked at. Callbacks, iterators and may_goto end by themselves,
      // however often they come by; any other loop must make headway.
      const bool comes_back = (calls_back && old.state.callback_rounds != state_.callback_rounds) ||
                              (may_go && old.state.may_goto_depth != state_.may_goto_depth) ||
                              (iterates && has_next_to_give(1));
      Slots all;
      all.fill(~std::uint64_t{0});
      if (comes_back && covers_now(old.state, all, {true, {}})) {
        ++old.hits;
        depend_on_what_mattered(old, true);
        return true;
      }
      if (!iterates && is_same(old.state, state_, live_in(state_, state_.frames.size() - 1)))
        return refuse(EINVAL, "infinite loop detected at insn {}\ncur state:{}\nold state:{}", at_,
                      text_of(state_, {}), text_of(old.state, old.precise));
      // The rounds of a loop differ: few of them are worth keeping.
      if (!keeps_all && jumps < 20 && insns < 100) is_kept = false;
    } else if (covers_now(old.state, old.read, {false, old.precise})) {
      ++old.hits;
      depend_on_what_mattered(old, false);
      return true;
    }
    // What never helps only costs time.
    if (is_kept) ++old.misses;
    const std::uint32_t patience = is_forced && old.branches != 0 ? 64 : 3;
    if (old.misses > old.hits * patience + patience) {
      old.is_listed = false;
      if (old.branches != 0) retired_.emplace(&old, std::move(list[i]));
      list.erase(list.begin() + static_cast<std::ptrdiff_t>(i));
      --states_now_;
      --i;
    }
  }

  if (!is_kept) return false;
  jumps_at_checkpoint_ = jumps_walked_;
  insns_at_checkpoint_ = insns_walked_;
  auto checkpoint = std::make_unique<Checkpoint>();
  checkpoint->state = state_;
  checkpoint->insn = at_;
  start_from_checkpoint(*checkpoint);
  list.push_back(std::move(checkpoint));
  ++total_states_;
  peak_states_ = std::max(peak_states_, ++states_now_);
  most_states_of_insn_ = std::max(most_states_of_insn_, static_cast<std::uint32_t>(list.size()));
  return false;
}

void Walk::depend_on(Dependencies places, Dependencies Checkpoint::* set) {
  for (Checkpoint* one = state_.parent; one != nullptr && !places.is_empty(); one = one->state.parent) {
    const Dependencies fresh = places.without(one->*set);
    one->*set |= fresh;
    places = {};
    one->state.for_each_place([&](const RegState& reg, const Dependencies& place) {
      if (reg.is_scalar() && !place.is_empty() && fresh.includes(place)) places |= reg.from;
    });
  }
}

// The path ends here because `old` covers it: what mattered to the paths from there matters to this one.
// While they are not finished, that may be everything.
void Walk::depend_on_what_mattered(const Checkpoint& old, bool on_everything) {
  Dependencies precise, used;
  state_.for_each_place([&](const RegState& reg, const Dependencies& place) {
    if (!reg.is_scalar()) return;
    if (on_everything || place.is_empty() || old.precise.includes(place)) precise |= reg.from;
    if (!place.is_empty() && old.used.includes(place)) used |= reg.from;
  });
  precise |= numbers_behind_zeros(old.state, state_);
  depend_on(precise, &Checkpoint::precise);
  depend_on(used, &Checkpoint::used);
  for (std::size_t i = 0; i < state_.frames.size(); ++i)
    read_slots(i, on_everything ? ~std::uint64_t{0} : old.read[i]);
}

// Up to the checkpoints before which they were overwritten, or their frame was not there.
void Walk::read_slots(std::size_t frame, std::uint64_t slots) {
  slots &= ~state_.frames[frame].written;
  for (Checkpoint* one = state_.parent; one != nullptr && frame < one->state.frames.size();
       one = one->state.parent) {
    slots &= ~one->read[frame];
    if (slots == 0) return;
    one->read[frame] |= slots;
    slots &= ~one->state.frames[frame].written;
  }
}

void Walk::read_slots(const RegState& reg, std::int64_t least, std::int64_t end) {
  std::uint64_t slots = 0;
  for (std::int64_t at = least; at < end && at < 0; ++at)
    slots |= std::uint64_t{1} << (static_cast<std::uint64_t>(-at - 1) / 8);
  read_slots(reg.frame, slots);
}

// From now on numbers come from this checkpoint. Places that are not followed count from the start.
void Walk::start_from_checkpoint(Checkpoint& checkpoint) {
  Dependencies unfollowed;
  state_.for_each_place([&](RegState& reg, const Dependencies& place) {
    if (!reg.is_scalar()) return;
    if (place.is_empty()) unfollowed |= reg.from;
    reg.from = place;
  });
  depend_on(unfollowed);
  for (Frame& frame : state_.frames) frame.written = 0;
  state_.parent = &checkpoint;
}

// Numbers that have changed since the last time round, and on which nothing has depended so far, may be
// anything: so the rounds come to an end. (What is seen to matter later is compared as it is.)
void Walk::widen_from_last_visit(State& state, std::uint32_t insn, const Checkpoint* from) {
  const auto is_same_place = [&](const Checkpoint& one) {
    return one.insn == insn &&
           std::ranges::equal(one.state.frames, state.frames, {}, &Frame::callsite, &Frame::callsite);
  };
  const Checkpoint* last = from;
  while (last != nullptr && !is_same_place(*last)) last = last->state.parent;
  if (last == nullptr) return;
  const auto widen = [&](const RegState& old, RegState& now, const Dependencies& place) {
    if (!old.is_scalar() || !now.is_scalar() || old.bounds == now.bounds) return;
    if (!place.is_empty() && last->used.includes(place)) return;
    now = RegState::unknown();
  };
  for (std::size_t i = 0; i < state.frames.size(); ++i) {
    const Frame& old = last->state.frames[i];
    Frame& now = state.frames[i];
    for (unsigned number = 0; number < isa::kRegisters; ++number)
      widen(old.regs[number], now.regs[number], Dependencies::of_register(i, number));
    for (std::size_t slot = 0; slot < std::min(old.stack.size(), now.stack.size()); ++slot)
      if (old.stack[slot].is_spill() && now.stack[slot].is_spill()) {
        const unsigned bytes = now.stack[slot].spilled_bytes();
        widen(old.stack[slot].spilled, now.stack[slot].spilled, Dependencies::of_slot(i, slot));
        if (bytes < 8 && now.stack[slot].spilled == RegState::unknown())
          for (Byte& byte : now.stack[slot].bytes)
            if (byte == Byte::kSpill) byte = Byte::kMisc;
      }
  }
}

}  // namespace portolan::verifier
