// SPDX-License-Identifier: Apache-2.0
// When a path need not be followed: a state that allowed at least as much was at the same instruction before,
// and all that can follow from there has been looked at, or is being looked at and can only repeat itself.
//
// Numbers count where some path from the old state depended on them: there a state covers another if the
// number of the other is within its bounds. Stack counts where some such path has read it. While not all of
// these paths have been followed, everything counts (see marks.cc).
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
      old.is_callback != now.is_callback || old.async != now.async)
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

// The same, but for the names of ids.
bool is_same(const RegState& a, RegState b, IdPairs& ids) {
  if (!ids.match(a.id, b.id) || !ids.match(a.reference, b.reference) || !ids.match(a.dynptr, b.dynptr) ||
      !ids.match(a.map_uid, b.map_uid))
    return false;
  b.id = a.id;
  b.reference = a.reference;
  b.dynptr = a.dynptr;
  b.map_uid = a.map_uid;
  return a == b;
}
bool is_same(const StackSlot& a, const StackSlot& b, IdPairs& ids) {
  return a.bytes == b.bytes && (!(a.is_spill() || a.is_opaque()) || is_same(a.spilled, b.spilled, ids));
}
// Nothing has changed since the last time.
bool is_same(const State& a, const State& b, std::uint16_t live) {
  IdPairs ids;
  if (a.frames.size() != b.frames.size() || a.lock.map != b.lock.map || !ids.match(a.lock.id, b.lock.id) ||
      !covers(a.sections, b.sections, ids) || a.may_goto_depth != b.may_goto_depth ||
      a.callback_rounds != b.callback_rounds)
    return false;
  const auto same_reference = [&](const Reference& one, const Reference& other) {
    return one.callbacks == other.callbacks && ids.match(one.id, other.id);
  };
  if (!std::ranges::equal(a.references, b.references, same_reference)) return false;
  for (std::size_t i = 0; i < a.frames.size(); ++i) {
    const Frame &old = a.frames[i], &now = b.frames[i];
    if (old.callsite != now.callsite || old.stack.size() != now.stack.size() || old.async != now.async)
      return false;
    const bool is_innermost = i + 1 == a.frames.size();
    for (unsigned number = 0; number < isa::kRegisters; ++number)
      if ((!is_innermost || (live >> number & 1) != 0) && !is_same(old.regs[number], now.regs[number], ids))
        return false;
    for (std::size_t slot = 0; slot < old.stack.size(); ++slot)
      if (!is_same(old.stack[slot], now.stack[slot], ids)) return false;
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
  Slots everything;
  everything.fill(~std::uint64_t{0});
  for (std::size_t i = list.size(); i-- > 0;) {  // the newest is the most like this one
    Checkpoint& old = *list[i];
    // Those of other calls of this function are a list of their own.
    if (old.state.frame().callsite != state_.frame().callsite) continue;
    if (old.branches != 0) {
      // What follows from it is still being looked at. A loop must make headway, unless it ends by itself:
      // callbacks, iterators and may_goto do, however often they come by.
      if (is_same(old.state, state_, live_in(state_, state_.frames.size() - 1)))
        return refuse(EINVAL, "infinite loop detected at insn {}\ncur state:{}\nold state:{}", at_,
                      text_of(state_, {}), text_of(old.state, old.precise));
      const bool comes_back = (calls_back && old.state.callback_rounds != state_.callback_rounds) ||
                              (may_go && old.state.may_goto_depth != state_.may_goto_depth) ||
                              (iterates && has_next_to_give(1));
      if (comes_back && may_end_at(old) && covers_now(old.state, everything, {true, {}})) {
        ++old.hits;
        note_unwritten(old.state, everything);
        end_path_at(old);
        return true;
      }
      // The rounds of a loop differ: few of them are worth keeping.
      if (!keeps_all && jumps < 20 && insns < 100) is_kept = false;
    } else if (old.loop == nullptr ? covers_now(old.state, old.read, {false, old.precise})
                                   : may_end_at(old) && covers_now(old.state, everything, {true, {}})) {
      ++old.hits;
      note_unwritten(old.state, old.loop == nullptr ? old.read : everything);
      end_path_at(old);
      return true;
    }
    // What never helps only costs time.
    if (is_kept) ++old.misses;
    const std::uint32_t patience = is_forced && old.branches != 0 ? 64 : 3;
    if (old.misses > old.hits * patience + patience) {
      old.is_listed = false;
      if (old.branches != 0 || old.loop != nullptr) retired_.emplace(&old, std::move(list[i]));
      list.erase(list.begin() + static_cast<std::ptrdiff_t>(i));
      --states_now_;
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
    if (!place.is_empty() && last->precise.includes(place)) return;
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
