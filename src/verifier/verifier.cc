// SPDX-License-Identifier: Apache-2.0
// The order of the checks is that of the kernel's bpf_check(), so that a program with two faults is refused
// for the same one.
#include "verifier/verifier.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <new>

#include "verifier/attach_target.h"
#include "verifier/core_relo.h"
#include "verifier/encoding.h"
#include "verifier/fastcall.h"
#include "verifier/kernel_symbols.h"
#include "verifier/map_references.h"
#include "verifier/stack_depth.h"
#include "verifier/walk.h"

namespace portolan::verifier {
namespace {

std::vector<SubprogramShape> shapes_of(const Structure& structure) {
  std::vector<SubprogramShape> shapes;
  for (const Function& one : structure.functions)
    shapes.push_back({one.start, one.has_ld_abs, one.has_tail_call});
  return shapes;
}

// The main program first; then global functions, once something calls them.
Result<void> walk_all(const Structure& structure, bool is_extension, Walk& walk, btf::Log* log) {
  std::vector<bool> done(structure.functions.size());
  for (bool found = true; found;) {
    found = false;
    for (std::uint32_t i = 0; i < structure.functions.size(); ++i) {
      if (done[i] || (i != 0 && !walk.is_called(i) && !structure.functions[i].is_exception_callback))
        continue;
      done[i] = found = true;
      if ((i != 0 || is_extension) && log != nullptr)
        log->print("Validating {}() func#{}...\n", structure.functions[i].name, i);
      TRY(walk.run(i));
      if (i != 0 && log != nullptr)
        log->print("Func#{} ('{}') is safe for any args that match its prototype\n", i,
                   structure.functions[i].name);
    }
  }
  return {};
}

// No path comes to a function of the kernel that was weak and is not there.
Result<void> check_no_weak_kfuncs(const UnverifiedProgram& program, const Facts& facts, btf::Log* log) {
  for (std::size_t at = 0; at < program.insns.size(); ++at) {
    const abi::Insn& insn = program.insns[at];
    if (facts.insns[at].seen && insn.code == isa::kCallCode &&
        insn.src() == static_cast<std::uint8_t>(abi::PseudoCall::kKfunc) && insn.imm == 0)
      return refuse(log, EINVAL, "invalid kernel function call not eliminated in verifier pass");
  }
  return {};
}

std::vector<TimersOf> timers_of(const AsyncCallback& callback, const Facts& facts) {
  std::vector<TimersOf> timers;
  for (const AsyncCallback& one : facts.async_callbacks) {
    if (one.function != callback.function) continue;
    for (std::uint32_t i = 0; i < facts.maps.size(); ++i) {
      if (&facts.maps[i]->spec() == one.map) timers.push_back({i, false});
      if (facts.maps[i]->inner_spec() == one.map) timers.push_back({i, true});
    }
  }
  return timers;
}

class Check {
 public:
  Check(UnverifiedProgram program, MapSource& maps, btf::Log* log)
      : program_(std::move(program)), maps_(maps), log_(log) {}

  // The log ends with figures, whatever comes of the program.
  Result<VerifiedProgram> run() {
    const auto began = std::chrono::steady_clock::now();
    facts_.insns.resize(program_.insns.size());
    Result<void> checked = check_shape();
    if (checked) checked = check_paths();
    Result<VerifiedProgram> made =
        checked ? build() : Result<VerifiedProgram>(std::unexpected(checked.error()));
    if (log_ != nullptr) log_figures(std::chrono::steady_clock::now() - began, made);
    return made;
  }

 private:
  Result<void> check_shape() {
    TRY(check_btf_info_early(program_, log_));
    structure_.functions = {Function{}};
    TRY(resolve_kfuncs(program_, facts_, log_));
    structure_.functions.clear();
    TRY(find_functions(program_, facts_, structure_, log_));
    TRY(check_btf_info(program_, shapes_of(structure_), log_));
    TRY(apply_core_relos(program_, log_));
    if (!program_.is_loaded) facts_.digest = digest_of(program_.insns);
    TRY(check_opcodes(program_.insns, log_));
    TRY(resolve_maps(program_, maps_, facts_, log_));
    TRY(resolve_kernel_symbols(program_, log_));
    return check_flow(program_, facts_, structure_, log_);
  }

  Result<void> check_paths() {
    const AttachTarget target = TRY(find_attach_target(program_, structure_.functions[0], log_));
    program_.target = nullptr;  // likewise
    find_live_registers(program_, facts_, structure_);
    find_fastcalls(program_, facts_, structure_);
    Walk walk(program_, target, structure_, facts_, log_);
    const Result<void> walked = walk_all(structure_, program_.is_extension, walk, log_);
    statistics_ = walk.statistics();
    throws_ = std::ranges::any_of(facts_.insns,
                                  [](const InsnFacts& one) { return one.seen && helper::throws(one.kfunc); });
    TRY(walked);
    leave_out_spills(facts_, structure_);
    TRY(check_stack_depth(program_, facts_, structure_, log_));
    TRY(walk.check_frames());
    facts_.verified_insns = statistics_.insns;
    return check_no_weak_kfuncs(program_, facts_, log_);
  }

  Result<VerifiedProgram> build() {
    for (const Function& one : structure_.functions)
      facts_.subprograms.push_back({one.start,
                                    one.end,
                                    one.stack_bytes,
                                    one.name,
                                    {},
                                    one.is_exception_callback,
                                    one.reads_unwritten_stack,
                                    one.has_other_arguments,
                                    one.changes_packet,
                                    one.might_sleep,
                                    one.arguments.value_or(std::vector<GlobalArgument>{}),
                                    one.stack_depth()});
    for (const AsyncCallback& one : facts_.async_callbacks)
      facts_.subprograms[one.function].timers = timers_of(one, facts_);
    return build_program(std::move(program_), std::move(facts_));
  }

  void log_figures(std::chrono::duration<double, std::micro> took, const Result<VerifiedProgram>& made) {
    std::vector<std::uint32_t> depths;
    if (made) {
      for (const Subprogram& one : made->subprograms()) depths.push_back(one.stack_depth);
      // The kernel's own callback for what is thrown.
      if (throws_ && !structure_.has_exception_callback) depths.push_back(0);
    } else {
      for (const Function& one : structure_.functions) depths.push_back(one.stack_depth());
    }
    if ((log_->level() & 4) != 0)
      log_->print("verification time {:.0f} usec\nstack depth {}\n", took.count(), fmt::join(depths, "+"));
    log_->print("{}\n", to_text(statistics_));
  }

  UnverifiedProgram program_;
  MapSource& maps_;
  btf::Log* log_;
  Facts facts_;
  Structure structure_;
  Statistics statistics_;
  bool throws_ = false;  // on some path
};

}  // namespace

Result<VerifiedProgram> verify(UnverifiedProgram program, MapSource& maps, btf::Log* log) {
  try {
    return Check(std::move(program), maps, log).run();
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
}

}  // namespace portolan::verifier
