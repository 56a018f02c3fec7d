// SPDX-License-Identifier: Apache-2.0
// The order of the checks is that of the kernel's bpf_check(), so that a program with two faults is refused
// for the same one.
#include "verifier/verifier.h"

#include <chrono>
#include <new>

#include "verifier/attach_target.h"
#include "verifier/encoding.h"
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

Result<VerifiedProgram> check(UnverifiedProgram program, MapSource& maps, btf::Log* log) {
  const auto began = std::chrono::steady_clock::now();
  TRY(check_btf_info_early(program, log));
  Facts facts;
  facts.insns.resize(program.insns.size());
  TRY(resolve_kfuncs(program, facts, log));
  Structure structure = TRY(find_functions(program, facts, log));
  TRY(check_btf_info(program, shapes_of(structure), log));
  TRY(check_opcodes(program.insns, log));
  TRY(resolve_maps(program, maps, facts, log));
  TRY(resolve_kernel_symbols(program, log));
  program.sha256 = nullptr;  // it was for the maps, and may not live as long as the program
  TRY(check_flow(program, facts, structure, log));
  const AttachTarget target = TRY(find_attach_target(program, structure.functions[0], log));
  program.target = nullptr;  // likewise
  find_live_registers(program, facts, structure);

  Walk walk(program, target, structure, facts, log);
  Result<void> walked = walk_all(structure, program.is_extension, walk, log);
  if (walked) walked = check_stack_depth(program, facts, structure, log);
  if (walked) walked = walk.check_frames();
  if (walked) walked = check_no_weak_kfuncs(program, facts, log);
  if (log != nullptr) {
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - began;
    if ((log->level() & 4) != 0) {
      std::string depths;
      for (const Function& one : structure.functions)
        depths += fmt::format("{}{}", depths.empty() ? "" : "+", one.stack_bytes);
      log->print("verification time {:.0f} usec\nstack depth {}\n", took.count(), depths);
    }
    log->print("{}", walk.statistics());
  }
  TRY(walked);
  facts.verified_insns = walk.insns_walked();
  for (const Function& one : structure.functions)
    facts.subprograms.push_back({one.start,
                                 one.end,
                                 one.stack_bytes,
                                 one.name,
                                 {},
                                 one.is_exception_callback,
                                 one.reads_unwritten_stack,
                                 one.has_other_arguments,
                                 one.changes_packet,
                                 one.might_sleep,
                                 one.arguments.value_or(std::vector<GlobalArgument>{})});
  for (const AsyncCallback& one : facts.async_callbacks)
    facts.subprograms[one.function].timers = timers_of(one, facts);
  return build_program(std::move(program), std::move(facts));
}

}  // namespace

Result<VerifiedProgram> verify(UnverifiedProgram program, MapSource& maps, btf::Log* log) {
  try {
    return check(std::move(program), maps, log);
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
}

}  // namespace portolan::verifier
