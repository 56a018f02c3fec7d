// SPDX-License-Identifier: Apache-2.0
// What mattered: of each checkpoint, on which numbers the paths from there depend, and which slots they read.
// A later state is compared with it in these places only.
//
// A path may end at a checkpoint of which not all is known yet: in a loop, at one that is being followed, or
// at one from which some path ended so. It is compared in every place then. What follows from it becomes
// known only when the head of the loop, the outermost checkpoint that is waited for, has been followed to the
// end: so these ends are kept as back edges, and then carried back again and again, until nothing is added.
// Until then the checkpoints on the way from the head have `loop`. (As the kernel's propagate_backedges; its
// loops are the components of the program's graph, ours those of the walk.)
//
// The walk goes deep first: a checkpoint that is being followed has come before whatever is followed now, but
// for functions that timers call, whose walk has a root of its own.
#include <span>

#include "verifier/walk.h"

namespace portolan::verifier {
namespace {

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

// The checkpoint that this one, of a loop, waits for.
Checkpoint* head_of(Checkpoint& one) {
  Checkpoint* head = &one;
  while (head->branches == 0) head = head->loop;
  return head;
}

bool read_slots(Checkpoint* from, std::size_t frame, std::uint64_t slots) {
  bool is_new = false;
  for (Checkpoint* one = from; one != nullptr && frame < one->state.frames.size(); one = one->state.parent) {
    slots &= ~one->read[frame];
    if (slots == 0) break;
    is_new = true;
    one->read[frame] |= slots;
    slots &= ~one->state.frames[frame].written;
  }
  return is_new;
}

bool depend_on(Checkpoint* from, Dependencies places) {
  bool is_new = false;
  for (Checkpoint* one = from; one != nullptr && !places.is_empty(); one = one->state.parent) {
    const Dependencies fresh = places.without(one->precise);
    is_new |= !fresh.is_empty();
    one->precise |= fresh;
    places = {};
    one->state.for_each_place([&](const RegState& reg, const Dependencies& place) {
      if (reg.is_scalar() && !place.is_empty() && fresh.includes(place)) places |= reg.from;
    });
  }
  return is_new;
}

// What mattered where the path ended mattered to the path; or everything did. Whether that is news.
bool carry_back(const PathEnd& end, bool everything = false) {
  Dependencies precise = end.certain;
  for (const auto& [place, from] : end.numbers)
    if (everything || end.at->precise.includes(place)) precise |= from;
  bool is_new = depend_on(end.parent, precise);
  for (std::size_t i = 0; i < end.written.size(); ++i) {
    const std::uint64_t read = everything ? ~std::uint64_t{0} : end.at->read[i];
    is_new |= read_slots(end.parent, i, read & ~end.written[i]);
  }
  return is_new;
}

PathEnd end_of(State& state, Checkpoint& at) {
  PathEnd end{&at, state.parent, numbers_behind_zeros(at.state, state), {}, {}};
  state.for_each_place([&](const RegState& reg, const Dependencies& place) {
    if (!reg.is_scalar() || reg.from.is_empty()) return;
    if (place.is_empty())
      end.certain |= reg.from;
    else
      end.numbers.emplace_back(place, reg.from);
  });
  for (const Frame& frame : state.frames) end.written.push_back(frame.written);
  return end;
}

}  // namespace

void Walk::depend_on(const Dependencies& places) { verifier::depend_on(state_.parent, places); }

// Up to the checkpoints before which they were overwritten, or their frame was not there.
void Walk::read_slots(std::size_t frame, std::uint64_t slots) {
  verifier::read_slots(state_.parent, frame, slots & ~state_.frames[frame].written);
}

void Walk::read_slots(const RegState& reg, std::int64_t least, std::int64_t end) {
  note_unwritten(reg, least, end);
  std::uint64_t slots = 0;
  for (std::int64_t at = least; at < end && at < 0; ++at)
    slots |= std::uint64_t{1} << (static_cast<std::uint64_t>(-at - 1) / 8);
  read_slots(reg.frame, slots);
}

// That these bytes are read, or count as written from now on though they may not be.
void Walk::note_unwritten(const RegState& reg, std::int64_t least, std::int64_t end) {
  const Frame& frame = frame_of(reg);
  for (std::int64_t at = least; at < end && at < 0; ++at) {
    const auto above = static_cast<std::size_t>(-at - 1);
    if (above / 8 >= frame.stack.size() || frame.stack[above / 8].bytes[7 - above % 8] == Byte::kInvalid)
      structure_.functions[frame.subprogram].reads_unwritten_stack = true;
  }
}

// The path ends where another one went on, which had written what this one has not, and may read it.
void Walk::note_unwritten(const State& old, const std::array<std::uint64_t, isa::kMaxFrames>& read) {
  static const StackSlot kUntouched;
  for (std::size_t i = 0; i < old.frames.size(); ++i) {
    const std::vector<StackSlot>&was = old.frames[i].stack, &is = state_.frames[i].stack;
    for (std::size_t slot = 0; slot < was.size(); ++slot) {
      if ((read[i] >> slot & 1) == 0) continue;
      const StackSlot& now = slot < is.size() ? is[slot] : kUntouched;
      for (std::size_t byte = 0; byte < 8; ++byte)
        if (was[slot].bytes[byte] != Byte::kInvalid && now.bytes[byte] == Byte::kInvalid)
          structure_.functions[state_.frames[i].subprogram].reads_unwritten_stack = true;
    }
  }
}

// From now on numbers come from this checkpoint. Places that are not followed count from the start.
void Walk::start_from_checkpoint(Checkpoint& checkpoint) {
  checkpoint.root = state_.parent == nullptr ? &checkpoint : state_.parent->root;
  checkpoint.depth = state_.parent == nullptr ? 0 : state_.parent->depth + 1;
  checkpoint.first_back_edge = back_edges_.size();
  checkpoint.first_in_loop = in_loops_.size();
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

// Whether this path has come by what the checkpoint, of a loop, waits for.
bool Walk::may_end_at(Checkpoint& old) const {
  return state_.parent != nullptr && head_of(old)->root == state_.parent->root;
}

void Walk::end_path_at(Checkpoint& old) {
  PathEnd end = end_of(state_, old);
  carry_back(end);
  if (old.branches == 0 && old.loop == nullptr) return;
  Checkpoint* const head = head_of(old);
  for (Checkpoint* one = state_.parent; one != head; one = one->state.parent) {
    if (one->loop != nullptr && one->loop->depth <= head->depth) break;
    if (one->loop == nullptr) in_loops_.push_back(one);
    one->loop = head;
  }
  back_edges_.push_back(std::move(end));
}

// All paths from this checkpoint have been followed. Where none of them waits for one before it, all is
// known.
void Walk::settle_loops(const Checkpoint& head) {
  if (head.loop != nullptr || back_edges_.size() == head.first_back_edge) return;
  const std::span edges = std::span(back_edges_).subspan(head.first_back_edge);
  // The rounds end by themselves, but there may be as many as there are edges.
  constexpr unsigned kMostRounds = 64;
  bool is_new = true;
  for (unsigned round = 0; is_new && round <= kMostRounds; ++round) {
    is_new = false;
    for (const PathEnd& edge : edges) is_new |= carry_back(edge, round == kMostRounds);
  }
  back_edges_.resize(head.first_back_edge);
  for (Checkpoint* one : std::span(in_loops_).subspan(head.first_in_loop)) {
    one->loop = nullptr;
    if (!one->is_listed) retired_.erase(one);
  }
  in_loops_.resize(head.first_in_loop);
}

}  // namespace portolan::verifier
