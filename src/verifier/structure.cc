// SPDX-License-Identifier: Apache-2.0
#include "verifier/structure.h"

#include <algorithm>
#include <set>

#include "helper/helper.h"
#include "isa/insn.h"
#include "verifier/refuse.h"
#include "verifier/rewrite.h"

namespace portolan::verifier {
namespace {

using isa::Class;
using isa::Jump;

bool is_jump(const abi::Insn& insn) {
  return isa::class_of(insn) == Class::kJmp || isa::class_of(insn) == Class::kJmp32;
}
bool is_exit(const abi::Insn& insn) { return insn.code == isa::kExitCode; }
bool is_call(const abi::Insn& insn) { return insn.code == isa::kCallCode; }
bool is_unconditional(const abi::Insn& insn) { return is_jump(insn) && isa::jump_of(insn) == Jump::kJa; }
bool is_ld_abs(const abi::Insn& insn) {
  return isa::class_of(insn) == Class::kLd &&
         (isa::mode_of(insn) == isa::Mode::kAbs || isa::mode_of(insn) == isa::Mode::kInd);
}
constexpr std::int32_t kTailCall = 12;

}  // namespace

bool calls_function(const abi::Insn& insn) {
  return is_call(insn) && insn.src() == static_cast<std::uint8_t>(abi::PseudoCall::kSubprogram);
}
bool loads_function(const abi::Insn& insn) {
  return isa::is_wide(insn) && insn.src() == static_cast<std::uint8_t>(abi::PseudoLoad::kFunc);
}
bool is_callback_call(const abi::Insn& insn) {
  if (!is_call(insn) || insn.src() != static_cast<std::uint8_t>(abi::PseudoCall::kHelper)) return false;
  const helper::Prototype* prototype = helper::find(static_cast<std::uint32_t>(insn.imm));
  if (prototype == nullptr) return false;
  for (const helper::Argument& argument : prototype->args)
    if (argument.kind == helper::Arg::kFunc) return true;
  return false;
}

std::uint32_t Structure::function_at(std::uint32_t insn) const {
  const auto after = std::upper_bound(functions.begin(), functions.end(), insn,
                                      [](std::uint32_t at, const Function& one) { return at < one.start; });
  return static_cast<std::uint32_t>(after - functions.begin() - 1);
}
std::int64_t Structure::function_that_starts_at(std::int64_t insn) const {
  for (std::size_t i = 0; i < functions.size(); ++i)
    if (functions[i].start == insn) return static_cast<std::int64_t>(i);
  return -1;
}

namespace {

// As bpf_find_exception_callback_insn_off: the function that a tag of the main program names. 0: none is
// named.
Result<std::int64_t> find_exception_callback(const UnverifiedProgram& program, btf::Log* log) {
  constexpr std::string_view kTag = "exception_callback:";
  if (program.func_info.empty()) return 0;
  const btf::Btf& btf = *program.btf;
  std::string_view name;
  for (std::uint32_t id = 1; id < btf.type_count(); ++id) {
    const btf::Type& type = *btf.type(id);
    if (!btf::is(type, btf::Kind::kDeclTag) || type.type != program.func_info[0].type_id ||
        btf.decl_tag(type).component_idx != -1 || !std::string_view(btf.name(type)).starts_with(kTag))
      continue;
    if (name.data() != nullptr)
      return refuse(log, EEXIST, "multiple exception callback tags for main subprog");
    name = std::string_view(btf.name(type)).substr(kTag.size());
  }
  if (name.data() == nullptr) return 0;
  const auto id = btf.find_by_name(name, btf::Kind::kFunc);
  if (!id) return refuse(log, EINVAL, "exception callback '{}' could not be found in BTF", name);
  if (abi::btf::vlen(*btf.type(*id)) != static_cast<std::uint32_t>(abi::btf::FuncLinkage::kGlobal))
    return refuse(log, EINVAL, "exception callback '{}' must have global linkage", name);
  for (const abi::FuncInfo& info : program.func_info) {
    if (info.type_id != *id) continue;
    if (info.insn_off == 0) return refuse(log, EINVAL, "invalid exception callback insn_off in func_info: 0");
    return info.insn_off;
  }
  return refuse(log, EINVAL, "exception callback type id not found in func_info");
}

// Where functions start: what is called, or has its address taken. Those that were found before it failed
// stay in `starts`.
Result<void> find_starts(const UnverifiedProgram& program, std::set<std::int64_t>& starts,
                         std::set<std::int64_t>& callbacks, btf::Log* log) {
  constexpr std::size_t kMostFunctions = 256;
  const auto count = static_cast<std::int64_t>(program.insns.size());
  // Encodings have not been looked at: second halves of wide instructions count like all others, here and
  // below.
  for (std::int64_t at = 0; at < count; ++at) {
    const abi::Insn& insn = program.insns[static_cast<std::size_t>(at)];
    if (!calls_function(insn) && !loads_function(insn)) continue;
    const std::int64_t target = target_of(insn, static_cast<std::size_t>(at));
    if (target < 0 || target >= count) return refuse(log, EINVAL, "call to invalid destination");
    if (!starts.contains(target) && starts.size() == kMostFunctions)
      return refuse(log, E2BIG, "too many subprograms");
    starts.insert(target);
    if (loads_function(insn)) callbacks.insert(target);
  }
  return {};
}

}  // namespace

Result<void> find_functions(const UnverifiedProgram& program, const Facts& facts, Structure& structure,
                            btf::Log* log) {
  const auto& insns = program.insns;
  std::set<std::int64_t> starts{0}, callbacks;
  Result<void> found = find_starts(program, starts, callbacks, log);
  std::int64_t exception_callback = 0;
  if (found) {
    const Result<std::int64_t> callback = find_exception_callback(program, log);
    if (!callback) found = std::unexpected(callback.error());
    exception_callback = callback.value_or(0);
  }
  if (exception_callback != 0) starts.insert(exception_callback);
  structure.has_exception_callback = exception_callback != 0;
  for (auto start = starts.begin(); start != starts.end(); ++start) {
    const auto next = std::next(start);
    Function function;
    function.start = static_cast<std::uint32_t>(*start);
    function.end = static_cast<std::uint32_t>(next == starts.end() ? insns.size() : *next);
    function.is_exception_callback = exception_callback != 0 && *start == exception_callback;
    function.is_callback = callbacks.contains(*start) || function.is_exception_callback;
    structure.functions.push_back(std::move(function));
  }
  TRY(found);
  for (Function& function : structure.functions) {
    for (std::uint32_t at = function.start; at < function.end; ++at) {
      const abi::Insn& insn = insns[at];
      function.has_ld_abs |= is_ld_abs(insn);
      if (is_call(insn) && insn.src() == 0) {
        function.has_tail_call |= insn.imm == kTailCall;
        const helper::Prototype* prototype = helper::find(static_cast<std::uint32_t>(insn.imm));
        function.changes_packet |= prototype != nullptr && prototype->changes_pkt_data;
        function.might_sleep |= prototype != nullptr && prototype->might_sleep;
      }
      const helper::Kfunc* const kfunc = facts.insns[at].kfunc;
      function.changes_packet |= kfunc != nullptr && kfunc->changes_packet;
      function.might_sleep |= kfunc != nullptr && kfunc->might_sleep;
      function.might_throw |= helper::throws(kfunc);
      const bool goes_on =
          is_jump(insn) && isa::jump_of(insn) != Jump::kCall && isa::jump_of(insn) != Jump::kExit;
      if (goes_on) {
        const std::int64_t target = target_of(insn, at);
        if (target < function.start || target >= function.end)
          return refuse(log, EINVAL, "jump out of range from insn {} to {}", at, target);
      }
    }
    const abi::Insn& last = insns[function.end - 1];
    if (!is_exit(last) && !is_unconditional(last))
      return refuse(log, EINVAL, "last insn is not an exit or jmp");
  }
  // What a function calls may move the packet, sleep or throw, too.
  for (bool changed = true; changed;) {
    changed = false;
    for (Function& function : structure.functions)
      for (std::uint32_t at = function.start; at < function.end; ++at) {
        const abi::Insn& insn = insns[at];
        if (!calls_function(insn) && !loads_function(insn)) continue;
        const auto number = static_cast<std::size_t>(structure.function_that_starts_at(target_of(insn, at)));
        const Function& callee = structure.functions[number];
        changed |= (callee.changes_packet && !function.changes_packet) ||
                   (callee.might_sleep && !function.might_sleep) ||
                   (callee.might_throw && !function.might_throw);
        function.changes_packet |= callee.changes_packet;
        function.might_sleep |= callee.might_sleep;
        function.might_throw |= callee.might_throw;
      }
  }
  for (Function& function : structure.functions)
    if (const btf::Type* type = function_at(program, function.start)) {
      function.name = program.btf->name(*type);
      function.is_global =
          function.start != 0 &&
          abi::btf::vlen(*type) == static_cast<std::uint32_t>(abi::btf::FuncLinkage::kGlobal);
    }
  if (structure.functions[0].name.empty()) structure.functions[0].name = program.name;
  return {};
}

Result<void> check_flow(const UnverifiedProgram& program, const Facts& facts, Structure& structure,
                        btf::Log* log) {
  const auto& insns = program.insns;
  std::vector<bool> reached(insns.size());
  structure.is_prune_point.assign(insns.size(), false);
  std::vector<std::uint32_t> pending{0};
  const auto reach = [&](std::int64_t at) {
    if (reached[static_cast<std::size_t>(at)]) return;
    reached[static_cast<std::size_t>(at)] = true;
    pending.push_back(static_cast<std::uint32_t>(at));
  };
  reached[0] = true;
  // Global functions that nothing calls are fine.
  for (const Function& function : structure.functions)
    if (function.is_global) reach(function.start);
  while (!pending.empty()) {
    const std::uint32_t at = pending.back();
    pending.pop_back();
    const abi::Insn& insn = insns[at];
    const std::int64_t target = target_of(insn, at);
    if (target >= 0) {
      if (!loads_function(insn)) structure.is_prune_point[static_cast<std::size_t>(target)] = true;
      reach(target);
    }
    if (is_exit(insn) || is_unconditional(insn)) continue;
    const std::int64_t next = at + (isa::is_wide(insn) ? 2 : 1);
    if (isa::is_wide(insn)) reached[at + 1] = true;
    if (next >= static_cast<std::int64_t>(insns.size()))
      return refuse(log, EINVAL, "jump out of range from insn {} to {}", at, next);
    // Where a jump leads is a place to meet, and behind a call; what follows a jump otherwise is not: only
    // this path comes there.
    if ((is_jump(insn) && !is_call(insn)) || calls_function(insn)) structure.is_prune_point[at] = true;
    if (is_call(insn)) structure.is_prune_point[static_cast<std::size_t>(next)] = true;
    const helper::Kfunc* const kfunc = facts.insns[at].kfunc;
    if (is_callback_call(insn) || helper::takes_function(kfunc) || (kfunc != nullptr && kfunc->is_next))
      structure.is_prune_point[at] = true;
    reach(next);
  }
  for (std::size_t at = 0; at < insns.size(); ++at) {
    if (!reached[at]) return refuse(log, EINVAL, "unreachable insn {}", at);
    if (isa::is_wide(insns[at]) && structure.is_prune_point[at + 1])
      return refuse(log, EINVAL, "jump into the middle of ldimm64 insn {}", at);
    if (isa::is_wide(insns[at])) ++at;
  }
  return {};
}

namespace {

// Which registers an instruction reads, and which it writes without reading, as bits.
struct Use {
  std::uint16_t reads = 0, writes = 0;
};
Use use_of(const abi::Insn& insn) {
  const auto bit = [](unsigned number) { return static_cast<std::uint16_t>(1u << number); };
  const std::uint16_t to = bit(insn.dst()), from = bit(insn.src());
  constexpr std::uint16_t kArguments = 0b111110, kCallerSaved = 0b111111;
  const auto both = [](unsigned a, unsigned b) { return static_cast<std::uint16_t>(a | b); };
  switch (isa::class_of(insn)) {
    case Class::kLd:
      if (is_ld_abs(insn))
        return {both(bit(6), isa::mode_of(insn) == isa::Mode::kInd ? from : 0), kCallerSaved};
      return {0, to};
    case Class::kLdx:
      return {from, to};
    case Class::kSt:
      return {to, 0};
    case Class::kStx:
      if (isa::mode_of(insn) != isa::Mode::kAtomic) return {both(to, from), 0};
      if (insn.imm == isa::atomic::kLoadAcquire) return {from, to};
      if (insn.imm == isa::atomic::kCompareExchange) return {static_cast<std::uint16_t>(to | from | 1), 0};
      return {both(to, from), 0};
    case Class::kAlu:
    case Class::kAlu64:
      if (isa::alu_of(insn) == isa::Alu::kMov) return {isa::by_register(insn) ? from : std::uint16_t{0}, to};
      if (isa::alu_of(insn) == isa::Alu::kEnd || isa::alu_of(insn) == isa::Alu::kNeg) return {to, 0};
      return {both(to, isa::by_register(insn) ? from : 0), 0};
    case Class::kJmp:
    case Class::kJmp32:
      switch (isa::jump_of(insn)) {
        case Jump::kJa:
        case Jump::kJcond:
          return {0, 0};
        case Jump::kExit:
          return {1, 0};
        case Jump::kCall:
          return {kArguments, kCallerSaved};
        default:
          return {both(to, isa::by_register(insn) ? from : 0), 0};
      }
  }
  return {0x7ff, 0};
}

std::uint16_t reads_of_call(const abi::Insn& insn, const helper::Kfunc* kfunc, std::uint16_t reads) {
  if (kfunc != nullptr) {
    std::uint16_t used = 0;
    for (unsigned i = 0; i < 5; ++i)
      if (kfunc->args[i].kind != helper::KfuncArg::kNone) used |= static_cast<std::uint16_t>(1u << (i + 1));
    return used;
  }
  if (!is_call(insn) || insn.src() != 0) return reads;
  const helper::Prototype* prototype = helper::find(static_cast<std::uint32_t>(insn.imm));
  if (prototype == nullptr) return reads;
  std::uint16_t used = 0;
  for (unsigned i = 0; i < 5; ++i)
    if (prototype->args[i].kind != helper::Arg::kNone) used |= static_cast<std::uint16_t>(1u << (i + 1));
  return used;
}

}  // namespace

void find_live_registers(const UnverifiedProgram& program, const Facts& facts, Structure& structure) {
  const auto& insns = program.insns;
  auto& live = structure.live_before;
  live.assign(insns.size(), 0);
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t at = insns.size(); at-- > 0;) {
      const abi::Insn& insn = insns[at];
      if (insn.code == 0) continue;  // the second half of a load
      std::uint16_t after = 0;
      if (!is_exit(insn)) {
        const std::size_t next = at + (isa::is_wide(insn) ? 2 : 1);
        if (!is_unconditional(insn) && next < insns.size()) after = live[next];
        const std::int64_t target = target_of(insn, at);
        if (target >= 0 && !calls_function(insn) && !loads_function(insn))
          after |= live[static_cast<std::size_t>(target)];
      }
      const Use use = use_of(insn);
      const std::uint16_t reads = reads_of_call(insn, facts.insns[at].kfunc, use.reads);
      const auto before = static_cast<std::uint16_t>(reads | (after & ~use.writes));
      if (before != live[at]) {
        live[at] = before;
        changed = true;
      }
    }
  }
}

}  // namespace portolan::verifier
