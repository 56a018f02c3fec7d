// SPDX-License-Identifier: Apache-2.0
#include "hook/function_rules.h"

#include <algorithm>

#include "map/map.h"
#include "vm/prepare.h"

namespace portolan::hook {
namespace {

constexpr std::size_t kMostFunctionMembers = 38;  // BPF_MAX_TRAMP_LINKS

bool fits_in(const verifier::BufferBytes& one, const verifier::BufferBytes& other) {
  return one.read_only <= other.read_only && one.read_write <= other.read_write &&
         one.tracepoint <= other.tracepoint;
}

// An extension reaches no farther into what the target is given without a size: as much as that needs is
// what whoever runs it has looked for.
Result<void> check_reach(const verifier::ProgramAttributes& program,
                         const verifier::ProgramAttributes& target) {
  if (program.max_context_offset > target.max_context_offset &&
      verifier::most_context_bytes(static_cast<abi::ProgType>(target.type)) != 0)
    return fail(EINVAL);
  if (!fits_in(program.buffer_bytes, target.buffer_bytes)) return fail(EINVAL);
  return {};
}

// Whether tail calls lead to the program.
Result<bool> is_in_program_array(object::Runtime& runtime, std::uint32_t program_id) {
  std::uint32_t id = 0;
  for (;;) {
    const auto next = runtime.next_id(object::Kind::kMap, id);
    if (!next) return false;
    id = *next;
    const auto view = runtime.view_by_id(object::Kind::kMap, id);
    if (!view || !static_cast<map::Map*>(*view)->contains_programs()) continue;
    for (const object::Edge& edge : TRY(runtime.edges_of(**view)))
      if (edge.kind == object::Kind::kProg && edge.id == program_id) return true;
  }
}

Result<verifier::Program*> target_of(const Key& key, object::Runtime& runtime) {
  const auto id = static_cast<std::uint32_t>(key.device);
  return static_cast<verifier::Program*>(TRY(runtime.view_by_id(object::Kind::kProg, id)));
}

}  // namespace

Result<Key> key_of_function(verifier::Program& target, std::uint32_t type_id) {
  const vm::Executable* const executable = TRY(vm::executable_of(target));
  const std::int64_t function = verifier::function_of_type(executable->functions(), type_id);
  if (function < 0 || type_id == 0) return fail(EINVAL);
  return of_function(target.id(), static_cast<std::uint32_t>(function), type_id);
}

Result<void> check_function(const Key& key, verifier::Program& program) {
  verifier::Program& target = *TRY(target_of(key, program.runtime()));
  TRY(vm::executable_of(target));
  TRY(vm::executable_of(program));
  const verifier::TargetProgram known = TRY(target.as_target());
  const verifier::ProgramAttributes& own = program.attributes();
  if (program.is_extension()) {
    if (own.target_type != static_cast<std::uint32_t>(known.type) ||
        own.target_attach_type != known.expected_attach_type)
      return fail(EINVAL);
    TRY(check_reach(own, target.attributes()));
  } else if (own.target_id != target.id() || own.attach_btf_id != type_id_of(key)) {
    return fail(EINVAL);
  }
  const verifier::Attacher attacher = TRY(program.as_attacher());
  TRY(verifier::find_program_target(attacher, known, type_id_of(key), nullptr));
  return {};
}

Result<void> add_to_program(List& list, Pair added, verifier::Program& program, verifier::Program& target) {
  object::Runtime& runtime = program.runtime();
  for (const Member& member : list.members) {
    const auto view = runtime.view_by_id(object::Kind::kProg, member.program_id);
    if (view && static_cast<verifier::Program*>(*view)->is_extension()) return fail(EBUSY);
  }
  if (program.is_extension()) {
    if (!list.members.empty() || TRY(is_in_program_array(runtime, target.id()))) return fail(EBUSY);
  }
  if (list.members.size() >= kMostFunctionMembers) return fail(E2BIG);
  for (const Member& member : list.members)
    if (member.program_id == added.program_id) return fail(EBUSY);
  list.members.insert(list.members.begin(), {added.program_id, added.link_id, 0, kNoPlace});  // newest first
  return {};
}

}  // namespace portolan::hook
