// SPDX-License-Identifier: Apache-2.0
#include "verifier/walk.h"

#include "isa/insn.h"
#include "verifier/encoding.h"

namespace portolan::verifier {

using isa::Class;

constexpr std::uint32_t kMostInsns = 1'000'000;

Walk::Walk(const UnverifiedProgram& program, const AttachTarget& target, Structure& structure, Facts& facts,
           btf::Log* log)
    : program_(program),
      target_(target),
      structure_(structure),
      facts_(facts),
      log_(log),
      log_level_(log == nullptr ? 0 : log->level()),
      checkpoints_(program.insns.size()),
      called_(structure.functions.size()),
      deepest_(structure.functions.size()) {}

std::string to_text(const Statistics& all) {
  return fmt::format(
      "processed {} insns (limit {}) max_states_per_insn {} total_states {} peak_states {} mark_read 0",
      all.insns, kMostInsns, all.most_states_of_insn, all.total_states, all.peak_states);
}

Result<void> Walk::run(std::uint32_t function) {
  for (auto& list : checkpoints_) list.clear();
  retired_.clear();
  back_edges_.clear();
  in_loops_.clear();
  pending_.clear();
  states_now_ = 0;
  insns_at_checkpoint_ = insns_walked_;
  jumps_at_checkpoint_ = jumps_walked_;
  root_ = function;
  TRY(start(function));
  touched_ = Touched::all();
  do {
    TRY(follow_path());
    finish_path(state_.parent);
  } while (pop());
  // What went well is of no interest, unless every path is wanted; nor is what came before.
  if (log_ != nullptr && (log_level_ & 2) == 0) log_->rewind(0);
  return {};
}

Result<void> Walk::start(std::uint32_t function) {
  state_ = State{};
  enter(state_, function, false);
  at_ = structure_.functions[function].start;
  // An extension is given what the function is that it takes the place of.
  if (function != 0 || program_.is_extension) return set_global_arguments(state_, function);
  Function& main = structure_.functions[0];
  main.has_other_arguments = !is_main_by_type();
  if (!main.has_other_arguments) main.arguments = {{GlobalArg::kContext}};
  state_.reg(1) = RegState::pointer(RegType::kCtx);
  return {};
}

Result<void> Walk::follow_path() {
  for (;;) {
    if (at_ >= program_.insns.size())
      return refuse(EFAULT, "invalid insn idx {} insn_cnt {}", at_, program_.insns.size());
    if (++insns_walked_ > kMostInsns)
      return refuse(E2BIG, "BPF program is too large. Processed {} insn", insns_walked_);
    if (structure_.is_prune_point[at_]) {
      if (TRY(was_seen())) return {};
    }
    const abi::Insn& insn = program_.insns[at_];
    log_insn();
    if (!facts_.insns[at_].seen) TRY(check_fields(insn, log_));
    facts_.insns[at_].seen = true;
    const std::uint32_t before = at_;
    const Next next = TRY(step());
    if (next == Next::kEnd) return {};
    if (next == Next::kFollow) at_ = before + (isa::is_wide(insn) ? 2 : 1);
  }
}

Result<Walk::Next> Walk::step() {
  const abi::Insn& insn = program_.insns[at_];
  switch (isa::class_of(insn)) {
    case Class::kAlu:
    case Class::kAlu64:
      TRY(alu(insn));
      return Next::kFollow;
    case Class::kLdx:
      TRY(load(insn));
      return Next::kFollow;
    case Class::kStx:
      if (isa::mode_of(insn) == isa::Mode::kAtomic)
        TRY(atomic(insn));
      else
        TRY(store(insn));
      return Next::kFollow;
    case Class::kSt:
      TRY(store(insn));
      return Next::kFollow;
    case Class::kLd:
      if (isa::is_wide(insn)) {
        TRY(load_immediate(insn));
        facts_.insns[at_ + 1].seen = true;
      } else {
        TRY(load_packet(insn));
      }
      return Next::kFollow;
    case Class::kJmp:
    case Class::kJmp32:
      ++jumps_walked_;
      switch (isa::jump_of(insn)) {
        case isa::Jump::kCall:
          return call(insn);
        case isa::Jump::kExit:
          return leave_function();
        case isa::Jump::kJcond:
          return may_goto(insn);
        default:
          return jump(insn);
      }
  }
  return refuse(EINVAL, "unknown insn class {}", insn.code & 7);
}

void Walk::push(State state, std::uint32_t insn) {
  if (state.parent != nullptr) ++state.parent->branches;
  pending_.push_back({std::move(state), insn, at_, log_ == nullptr ? 0 : log_->mark()});
}

bool Walk::pop() {
  if (pending_.empty()) return false;
  Pending& pending = pending_.back();
  state_ = std::move(pending.state);
  at_ = pending.insn;
  const std::uint32_t from = pending.from;
  if (log_ != nullptr && (log_level_ & 2) == 0) log_->rewind(pending.log_length);
  pending_.pop_back();
  log_path(from, at_);
  touched_ = Touched::all();
  return true;
}

// The path that came by `parent` has ended: whatever has no other unfinished path below it is complete.
void Walk::finish_path(Checkpoint* parent) {
  while (parent != nullptr && --parent->branches == 0) {
    Checkpoint* const next = parent->state.parent;
    settle_loops(*parent);
    if (!parent->is_listed && parent->loop == nullptr) retired_.erase(parent);
    parent = next;
  }
}

}  // namespace portolan::verifier
