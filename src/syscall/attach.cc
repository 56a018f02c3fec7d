// SPDX-License-Identifier: Apache-2.0
#include "syscall/attach.h"

#include <fcntl.h>

#include "abi/prog_flags.h"
#include "base/sys.h"

namespace portolan::syscall {
namespace {

using A = abi::AttachType;
using P = abi::ProgType;
using namespace abi::attach_flag;

}  // namespace

Result<verifier::Program*> program_of(const Call& call, std::uint32_t fd) {
  return static_cast<verifier::Program*>(TRY(call.target(fd, object::Kind::kProg)).view);
}

Result<verifier::Program*> program_of(const Call& call, std::uint32_t fd, P type) {
  verifier::Program* const program = TRY(program_of(call, fd));
  if (static_cast<P>(program->attributes().type) != type) return fail(EINVAL);
  return program;
}

Result<void> check_attach_type(const verifier::Program& program, std::uint32_t attach_type) {
  const std::uint32_t expected = program.attributes().expected_attach_type;
  const auto type = static_cast<P>(program.attributes().type);
  const auto is = [attach_type](std::initializer_list<A> types) {
    for (A one : types)
      if (static_cast<std::uint32_t>(one) == attach_type) return true;
    return false;
  };
  const auto verdict = [](bool allowed) -> Result<void> {
    if (!allowed) return fail(EINVAL);
    return {};
  };
  switch (type) {
    case P::kCgroupSock:
    case P::kCgroupSockAddr:
    case P::kCgroupSockopt:
    case P::kSkLookup:
      return verdict(attach_type == expected);
    case P::kCgroupSkb:
      if (program.attributes().keeps_attach_type != 0 && attach_type != expected) return fail(EINVAL);
      return verdict(is({A::kCgroupInetIngress, A::kCgroupInetEgress}));
    case P::kExt:
      return {};
    case P::kNetfilter:
      return verdict(is({A::kNetfilter}));
    case P::kPerfEvent:
    case P::kTracepoint:
      return verdict(is({A::kPerfEvent}));
    case P::kKprobe:
      for (A one :
           {A::kTraceKprobeMulti, A::kTraceKprobeSession, A::kTraceUprobeMulti, A::kTraceUprobeSession})
        if (expected == static_cast<std::uint32_t>(one) && attach_type != expected) return fail(EINVAL);
      return verdict(is({A::kPerfEvent, A::kTraceKprobeMulti, A::kTraceKprobeSession, A::kTraceUprobeMulti,
                         A::kTraceUprobeSession}));
    case P::kSchedCls:
      return verdict(is({A::kTcxIngress, A::kTcxEgress, A::kNetkitPrimary, A::kNetkitPeer}));
    default: {
      const P wanted = program_type_of(attach_type);
      return verdict(wanted != P::kUnspec && wanted == type);
    }
  }
}

namespace {

// By the file's own name, which nobody can forge.
Result<hook::Key> key_of_file(const Call& call, std::uint32_t callers_fd, hook::Point point,
                              std::uint32_t attach_type) {
  const int fd = TRY(call.caller.resolve_fd(static_cast<int>(callers_fd)));
  struct ::stat status{};
  TRY(sys::fstat(fd, status));
  return hook::Key{point, attach_type, status.st_dev, status.st_ino, {}};
}

}  // namespace

Result<hook::Key> cgroup_key(const Call& call, std::uint32_t fd, std::uint32_t attach_type) {
  return key_of_file(call, fd, hook::Point::kCgroup, attach_type);
}
Result<hook::Key> netns_key(const Call& call, std::uint32_t fd, std::uint32_t attach_type) {
  return key_of_file(call, fd, hook::Point::kNetns, attach_type);
}
Result<hook::Key> own_netns_key(std::uint32_t attach_type) {
  struct ::stat status{};
  TRY(sys::fstatat(AT_FDCWD, "/proc/self/ns/net", status, 0));
  return hook::Key{hook::Point::kNetns, attach_type, status.st_dev, status.st_ino, {}};
}
hook::Key device_key(std::uint32_t ifindex, std::uint32_t attach_type) {
  return hook::of_device(ifindex, static_cast<A>(attach_type));
}

Result<hook::Hook*> hook_at(const Call& call, const hook::Key& key, int missing) {
  const Result<hook::Hook*> there = hook::Hook::find(call.runtime, key);
  if (!there) return fail(hook::Hook::is_place(call.runtime, key) ? EINVAL : missing);
  (*there)->settle_links();
  return there;
}

Result<hook::List> list_at(const Call& call, const hook::Key& key, int missing) {
  const Result<hook::Hook*> there = hook::Hook::find(call.runtime, key);
  if (!there && !hook::Hook::is_place(call.runtime, key)) return fail(missing);
  if (!there) return hook::List{};
  (*there)->settle_links();
  return (*there)->list();
}

namespace {

using object::Kind;

// A program or a link (BPF_F_LINK), by fd or by id (BPF_F_ID).
Result<object::View*> named(const Call& call, std::uint32_t id_or_fd, std::uint32_t flags) {
  const Kind kind = (flags & kLink) != 0 ? Kind::kLink : Kind::kProg;
  if ((flags & kId) != 0) return call.runtime.view_by_id(kind, id_or_fd);
  if (id_or_fd == 0) return fail(EINVAL);
  return TRY(call.target(id_or_fd, kind)).view;
}

hook::Pair pair_of(const object::View& view) {
  if (view.kind() == Kind::kProg) return {view.id(), 0};
  return {static_cast<const hook::Link&>(view).program_id(), view.id()};
}

// An anchor is a program of the same type. kUnspec: of any.
Result<void> look_up(const Call& call, std::uint32_t id_or_fd, std::uint32_t flags, P type,
                     hook::Pair* found) {
  *found = pair_of(*TRY(named(call, id_or_fd, flags)));
  const object::View* const program = TRY(call.runtime.view_by_id(Kind::kProg, found->program_id));
  const std::uint32_t its_type = static_cast<const verifier::Program*>(program)->attributes().type;
  if (type != P::kUnspec && static_cast<P>(its_type) != type) return fail(EINVAL);
  return {};
}

}  // namespace

hook::Anchor mprog_anchor(const Call& call, std::uint32_t id_or_fd, std::uint32_t flags, P type) {
  return [&call, id_or_fd, flags, type](hook::Pair* found) -> Result<void> {
    if ((flags & (kLink | kId)) == 0 && id_or_fd == 0) return {};
    return look_up(call, id_or_fd, flags, type, found);
  };
}

hook::Anchor cgroup_anchor(const Call& call, std::uint32_t id_or_fd, std::uint32_t flags, bool is_for_link) {
  return [&call, id_or_fd, flags, is_for_link](hook::Pair* found) -> Result<void> {
    if ((flags & (kLink | kId)) == 0 && id_or_fd == 0) return {};
    // Of the two, exactly one; links stand by links, programs by programs.
    if (((flags & kBefore) != 0) == ((flags & kAfter) != 0)) return fail(EINVAL);
    if (((flags & kLink) != 0) != is_for_link) return fail(EINVAL);
    return look_up(call, id_or_fd, flags, P::kUnspec, found);
  };
}

}  // namespace portolan::syscall
