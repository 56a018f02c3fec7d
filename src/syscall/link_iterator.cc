// SPDX-License-Identifier: Apache-2.0
#include "abi/prog_flags.h"
#include "hook/iterated.h"
#include "syscall/new_link.h"

namespace portolan::syscall {
namespace {

Result<abi::IterLinkInfo> iter_info_in(const Call& call) {
  const abi::link_create::Iter& attr = call.attr.link_create.iter;
  abi::IterLinkInfo info{};
  if ((attr.iter_info == 0) != (attr.iter_info_len == 0)) return fail(EINVAL);
  if (attr.iter_info == 0) return info;
  TRY(check_tail_is_zero(call.caller, attr.iter_info, sizeof info, attr.iter_info_len));
  TRY(call.caller.copy_in(&info, attr.iter_info, std::min<std::size_t>(sizeof info, attr.iter_info_len)));
  return info;
}

}  // namespace

Result<long> link_iterator(const Call& call, verifier::Program& program) {
  const abi::LinkCreateAttr& attr = call.attr.link_create;
  if (attr.target_fd != 0 || attr.flags != 0) return fail(EINVAL);
  const abi::IterLinkInfo info = TRY(iter_info_in(call));
  const std::string_view target = hook::iterated_by(program);
  if (target.empty()) return fail(ENOENT);
  // None of these targets is one that may sleep between two objects.
  if ((program.attributes().flags & abi::prog_flag::kSleepable) != 0) return fail(EINVAL);
  hook::Link::Attributes attributes;
  attributes.type = abi::LinkType::kIter;
  attributes.attach_type = attr.attach_type;
  attributes.key = hook::named(hook::Point::kIterator, attr.attach_type, target);
  if (target == "bpf_map_elem") {
    if (info.map.map_fd == 0) return fail(EBADF);
    const map::Map& map = *TRY(map_of(call, info.map.map_fd)).map;
    TRY(hook::check_iterated_map(map, program.attributes().buffer_bytes));
    attributes.map_id = map.id();
  }
  auto published = TRY(hook::Link::publish(call.runtime, attributes, program.id()));
  return TRY(call.caller.install_fd(std::move(published.fd)));
}

}  // namespace portolan::syscall
