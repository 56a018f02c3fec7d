// SPDX-License-Identifier: Apache-2.0
#include "abi/prog_flags.h"
#include "syscall/attach.h"

namespace portolan::syscall {
namespace {

using abi::LinkType;

// What the kinds of links ask of the program that they are to run instead of `old_program`. `expected`
// nullptr: any.
Result<void> check_update(const hook::Link& link, const verifier::Program& old_program,
                          const verifier::Program& program, const verifier::Program* expected) {
  if (expected != nullptr && expected->id() != old_program.id()) return fail(EPERM);
  const auto& before = old_program.attributes();
  const auto& after = program.attributes();
  if (link.attributes().type != LinkType::kTcx && before.type != after.type) return fail(EINVAL);
  if (link.attributes().type == LinkType::kXdp && before.expected_attach_type != after.expected_attach_type)
    return fail(EINVAL);
  return {};
}

// In a list of TCX programs each is there once, and all are of a type.
Result<void> check_list(const hook::Link& link, const verifier::Program& program, const hook::List& list) {
  if (link.attributes().type != LinkType::kTcx) return {};
  for (const hook::Member& member : list.members)
    if (member.program_id == program.id()) return fail(EEXIST);
  if (static_cast<abi::ProgType>(program.attributes().type) != abi::ProgType::kSchedCls) return fail(EINVAL);
  return {};
}

Result<long> update_iterator(const Call& call, hook::Link& link, const verifier::Program& program,
                             const verifier::Program* expected) {
  if (expected != nullptr && expected->id() != link.program_id()) return fail(EPERM);
  const auto& before = static_cast<const verifier::Program*>(
                           TRY(call.runtime.view_by_id(object::Kind::kProg, link.program_id())))
                           ->attributes();
  const auto& after = program.attributes();
  if (before.type != after.type || before.expected_attach_type != after.expected_attach_type ||
      before.attach_btf_id != after.attach_btf_id)
    return fail(EINVAL);
  TRY(link.replace_iterated(program.id()));
  return 0;
}

}  // namespace

Result<long> link_update(const Call& call) {
  const abi::LinkUpdateAttr& attr = call.attr.link_update;
  constexpr std::uint32_t kReplace = abi::attach_flag::kReplace;
  if ((attr.flags & ~kReplace) != 0) return fail(EINVAL);
  auto& link = static_cast<hook::Link&>(*TRY(call.target(attr.link_fd, object::Kind::kLink)).view);
  const verifier::Program& program = *TRY(program_of(call, attr.new_prog_fd));
  const verifier::Program* expected = nullptr;
  if ((attr.flags & kReplace) != 0)
    expected = TRY(program_of(call, attr.old_prog_fd));
  else if (attr.old_prog_fd != 0)
    return fail(EINVAL);

  const LinkType type = link.attributes().type;
  if (!hook::Link::is_changed(type)) return fail(EINVAL);
  if (type == LinkType::kNetfilter) return fail(EOPNOTSUPP);
  if (type == LinkType::kIter) return update_iterator(call, link, program, expected);
  if (type != LinkType::kNetns) (void)TRY(link.hook());  // a namespace is asked for last
  const auto& old_program =
      static_cast<verifier::Program&>(*TRY(call.runtime.view_by_id(object::Kind::kProg, link.program_id())));
  TRY(check_update(link, old_program, program, expected));
  const bool is_same = old_program.id() == program.id();
  if (is_same && (type == LinkType::kTcx || type == LinkType::kXdp)) return 0;
  const auto check_and_count = [&](hook::List& list) -> Result<void> {
    TRY(check_list(link, program, list));
    ++list.revision;
    return {};
  };
  TRY(link.replace_program(program.id(), check_and_count));
  return 0;
}

}  // namespace portolan::syscall
