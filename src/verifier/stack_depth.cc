// SPDX-License-Identifier: Apache-2.0
// The kernel runs programs on its own small stack, which is why their chains of calls may need 512 bytes in
// all. Programs of tracing may come upon one another on one CPU, and so be deep in a stack that somebody
// else has filled: to each of their functions that needs 64 bytes or more the kernel's machine code gives a
// stack of its own, and these are not added up. Here every function has its frame on the stack of a thread,
// which has room for eight of 512 bytes; what passes is the kernel's to say.
#include "verifier/stack_depth.h"

#include <set>
#include <tuple>

#include "isa/insn.h"
#include "verifier/refuse.h"
#include "verifier/rewrite.h"

namespace portolan::verifier {
namespace {

constexpr std::uint32_t kUnit = 16, kMostBelowTailCall = 256, kLeastOfOwnStack = 64;

// As bpf_enable_priv_stack: the programs that nothing keeps from running inside of each other.
bool may_have_own_stacks(const UnverifiedProgram& program) {
  switch (program.type) {
    case abi::ProgType::kKprobe:
    case abi::ProgType::kTracepoint:
    case abi::ProgType::kPerfEvent:
    case abi::ProgType::kRawTracepoint:
      return true;
    case abi::ProgType::kTracing:
      return program.expected_attach_type != static_cast<std::uint32_t>(abi::AttachType::kTraceIter);
    default:
      return false;
  }
}

class Chains {
 public:
  Chains(const UnverifiedProgram& program, const Facts& facts, const Structure& structure, btf::Log* log)
      : program_(program),
        facts_(facts),
        functions_(structure.functions),
        log_(log),
        is_on_shared_stack_(functions_.size()) {}

  // Functions that are verified by themselves, or called back, are on the main program's chains; what timers
  // call, or what runs when something was thrown, has nothing below it. The main program comes last: what
  // one of the others needs, too, has no stack of its own, or it could be entered twice.
  Result<void> check() {
    bool have_own_stacks = may_have_own_stacks(program_);
    for (const Function& one : functions_) have_own_stacks &= !one.has_tail_call;
    for (std::size_t root = functions_.size(); root-- > 0;) {
      if (root != 0 && !is_entered_by_itself(functions_[root])) continue;
      gives_own_stacks_ = have_own_stacks && root == 0;
      TRY(follow(root));
    }
    return {};
  }

 private:
  struct Active {
    std::size_t function;
    std::uint32_t at;
    bool is_called_back;  // it, or what it is called by: below a helper, or by nobody
  };

  static bool is_entered_by_itself(const Function& one) { return one.is_async || one.is_exception_callback; }

  // What it adds to the depth of a chain.
  std::uint32_t bytes_of(std::size_t function) const {
    const auto bytes = static_cast<std::uint32_t>(round_up(functions_[function].stack_depth(), kUnit));
    const bool has_own = gives_own_stacks_ && !is_on_shared_stack_[function] && bytes >= kLeastOfOwnStack;
    return has_own ? 0 : bytes;
  }

  Result<void> follow(std::size_t root) {
    chain_.clear();
    visited_.clear();
    depth_ = 0;
    reaches_tail_call_ = false;
    TRY(enter(root, functions_[root].is_callback));
    while (!chain_.empty()) {
      if (TRY(go_deeper())) continue;
      TRY(check_left());
      depth_ -= bytes_of(chain_.back().function);
      chain_.pop_back();
    }
    return {};
  }

  Result<void> enter(std::size_t function, bool is_called_back) {
    const Function& entered = functions_[function];
    if (function != 0 && entered.has_tail_call && depth_ >= kMostBelowTailCall)
      return refuse(log_, EACCES,
                    "tail_calls are not allowed when call stack of previous frames is {} bytes. Too large",
                    depth_);
    if (!gives_own_stacks_) is_on_shared_stack_[function] = true;
    depth_ += bytes_of(function);
    chain_.push_back({function, entered.start, is_called_back});
    if (depth_ > isa::kStackBytes)
      return refuse(log_, EACCES, "combined stack size of {} calls is {}. Too large", chain_.size(), depth_);
    return {};
  }

  // Whether the deepest function leads to one more, which is entered then; else it has been looked through.
  Result<bool> go_deeper() {
    for (;;) {
      Active& active = chain_.back();
      if (active.at >= functions_[active.function].end) return false;
      const std::uint32_t at = active.at;
      const abi::Insn& insn = program_.insns[at];
      active.at += isa::is_wide(insn) ? 2 : 1;
      if (helper::throws(facts_.insns[at].kfunc) && active.is_called_back)
        return refuse(log_, EINVAL, "bpf_throw kfunc (insn {}) cannot be called from callback subprog {}", at,
                      active.function);
      if (!calls_function(insn) && !loads_function(insn)) continue;
      const std::size_t callee = function_that_starts_at(target_of(insn, at));
      if (is_entered_by_itself(functions_[callee]) && !calls_function(insn)) continue;
      if (functions_[callee].is_exception_callback)
        return refuse(log_, EINVAL, "insn {} cannot call exception cb directly", at);
      reaches_tail_call_ |= functions_[callee].has_tail_call;
      if (chain_.size() >= isa::kMaxFrames)
        return refuse(log_, E2BIG, "the call stack of {} frames is too deep !", isa::kMaxFrames);
      const bool is_called_back = active.is_called_back || functions_[callee].is_callback;
      if (!visited_.emplace(callee, depth_, chain_.size(), is_called_back).second) continue;
      TRY(enter(callee, is_called_back));
      return true;
    }
  }

  Result<void> check_left() const {
    if (!reaches_tail_call_ || chain_.size() == 1) return {};
    if (functions_[chain_.front().function].is_exception_callback)
      return refuse(log_, EINVAL, "cannot tail call within exception cb");
    return {};
  }

  std::size_t function_that_starts_at(std::int64_t insn) const {
    return static_cast<std::size_t>(
        std::ranges::lower_bound(functions_, insn, {}, [](const Function& one) { return one.start; }) -
        functions_.begin());
  }

  const UnverifiedProgram& program_;
  const Facts& facts_;
  const std::vector<Function>& functions_;
  btf::Log* log_;
  std::vector<bool> is_on_shared_stack_;
  bool gives_own_stacks_ = false;
  std::vector<Active> chain_;
  std::uint32_t depth_ = 0;
  bool reaches_tail_call_ = false;
  // Functions, and where they were entered: how deep, below how many others, and whether called back.
  std::set<std::tuple<std::size_t, std::uint32_t, std::size_t, bool>> visited_;
};

}  // namespace

Result<void> check_stack_depth(const UnverifiedProgram& program, const Facts& facts,
                               const Structure& structure, btf::Log* log) {
  return Chains(program, facts, structure, log).check();
}

}  // namespace portolan::verifier
