// SPDX-License-Identifier: Apache-2.0
// Attaching: what each command asks of its arguments, and links from their creation to their end. Everything
// is attached in a network namespace and a cgroup of the test's own; no tracepoint of the kernel's is
// touched.
#include <fcntl.h>
#include <unistd.h>

#include "base/sys.h"
#include "cases.h"

namespace portolan::conformance {
namespace {

using namespace attach_type;

constexpr std::uint32_t kSchedCls = 3, kXdpProgram = 6, kCgroupSkb = 8, kRawTracepoint = 17,
                        kFlowDissectorProgram = 22, kSkLookupProgram = 30;
constexpr std::uint32_t kNoDevice = 4000;

class Attach : public Case {
 protected:
  void SetUp() override {
    Case::SetUp();
    if (IsSkipped()) return;
    if (backend().attach_points().netns < 0) GTEST_SKIP() << "no network namespace of our own";
  }
  const Backend::AttachPoints& points() { return backend().attach_points(); }
  int returning(std::uint32_t type, std::int32_t value, std::uint32_t attach_type = 0) {
    const long fd = load(type, Bytecode().set(0, value).exit().finish(),
                         [&](Attr& attr) { attr.set(load::kAttachType, attach_type); });
    EXPECT_GE(fd, 0) << result_text(fd);
    return static_cast<int>(fd);
  }
  Attr link_attr(int program, std::uint64_t target, std::uint32_t type, std::uint32_t flags = 0) {
    return Attr()
        .set(link::kProgFd, static_cast<std::uint64_t>(program))
        .set(link::kTarget, target)
        .set(link::kType, type)
        .set(link::kFlags, flags);
  }
  long create_link(int program, std::uint64_t target, std::uint32_t type, std::uint32_t flags = 0) {
    return keep(call(kLinkCreate, link_attr(program, target, type, flags), link::kSize));
  }
  long update_link(long link, int program, std::uint32_t flags = 0, int expected = 0) {
    return call(kLinkUpdate,
                Attr()
                    .set(link::kLinkFd, static_cast<std::uint64_t>(link))
                    .set(link::kNewProgFd, static_cast<std::uint64_t>(program))
                    .set(link::kUpdateFlags, flags)
                    .set(link::kOldProgFd, static_cast<std::uint64_t>(expected)),
                16);
  }
  long detach_link(long link) {
    return call(kLinkDetach, Attr().set(link::kLinkFd, static_cast<std::uint64_t>(link)), 4);
  }
  long attach(unsigned command, int program, std::uint64_t target, std::uint32_t type,
              std::uint32_t flags = 0, int replaced = 0, int relative = 0) {
    return call(command,
                Attr()
                    .set(attach::kTarget, target)
                    .set(attach::kProgFd, static_cast<std::uint64_t>(program))
                    .set(attach::kType, type)
                    .set(attach::kFlags, flags)
                    .set(attach::kReplaceFd, static_cast<std::uint64_t>(replaced))
                    .set(attach::kRelative, static_cast<std::uint64_t>(relative)),
                32);
  }
  struct Shown {
    long result;
    std::uint64_t count, flags, revision;
    std::uint32_t ids[4];
  };
  Shown ask(std::uint64_t target, std::uint32_t type, std::uint32_t room, std::uint32_t query_flags = 0) {
    Shown shown{};
    Attr attr;
    attr.set(query::kTarget, target).set(query::kType, type).set(query::kQueryFlags, query_flags);
    attr.set(query::kProgIds, reinterpret_cast<std::uint64_t>(shown.ids)).set(query::kCount, room);
    shown.result = call_back(kProgQuery, attr, 64);
    shown.count = attr.get(query::kCount);
    shown.flags = attr.get(query::kAttachFlags);
    shown.revision = attr.get(query::kRevision);
    return shown;
  }
  Data details_of(long link) {
    Data details(link::kInfoSize);
    EXPECT_ANSWER(0, info(static_cast<int>(link), &details));
    return details;
  }
  static std::uint32_t word(const Data& details, std::size_t offset) {
    return load_unaligned<std::uint32_t>(details.data() + offset);
  }
  int open(const char* path) { return keep(*sys::openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC)); }
};
ON_BOTH_BACKENDS(Attach);

TEST_P(Attach, raw_tracepoint_arguments) {
  const int program = returning(kRawTracepoint, 0), other = returning(kXdpProgram, 2);
  const int a_map = map({});
  const auto open_tracepoint = [&](int fd, const char* name) {
    return call(kRawTracepointOpen,
                Attr()
                    .set(tracepoint::kName, reinterpret_cast<std::uint64_t>(name))
                    .set(tracepoint::kProgFd, static_cast<std::uint64_t>(fd)),
                24);
  };
  EXPECT_ANSWER(-ENOENT, open_tracepoint(program, "no_such_tracepoint"));
  EXPECT_ANSWER(-ENOENT, open_tracepoint(program, ""));
  EXPECT_ANSWER(-EFAULT, open_tracepoint(program, nullptr));
  EXPECT_ANSWER(-EINVAL, open_tracepoint(other, "no_such_tracepoint"));
  EXPECT_ANSWER(-EINVAL, open_tracepoint(a_map, "no_such_tracepoint"));
  EXPECT_ANSWER(-EBADF, open_tracepoint(19000, "no_such_tracepoint"));
  Attr behind;
  behind.bytes[24] = std::byte{1};
  EXPECT_ANSWER(-EINVAL, call(kRawTracepointOpen, behind));
}

TEST_P(Attach, link_create_arguments) {
  const int xdp = returning(kXdpProgram, 2), tcx = returning(kSchedCls, -1),
            lookup = returning(kSkLookupProgram, 1, kSkLookup), skb = returning(kCgroupSkb, 1, kCgroupEgress),
            raw = returning(kRawTracepoint, 0), a_map = map({});
  const int file = open("/dev/null");
  EXPECT_ANSWER(-EBADF, create_link(19000, 1, kXdp));
  EXPECT_ANSWER(-EINVAL, create_link(a_map, 1, kXdp));
  EXPECT_ANSWER(-EINVAL, create_link(xdp, 1, kTcxIngress));
  EXPECT_ANSWER(-EINVAL, create_link(xdp, 1, 1000));
  EXPECT_ANSWER(-EINVAL, create_link(xdp, kNoDevice, kXdp));
  EXPECT_ANSWER(-EINVAL, create_link(raw, 1, kXdp));
  EXPECT_ANSWER(-ENODEV, create_link(tcx, kNoDevice, kTcxIngress));
  EXPECT_ANSWER(-ENODEV, create_link(tcx, kNoDevice, kTcxEgress, 0x80));
  EXPECT_ANSWER(-EINVAL, create_link(tcx, 1, kTcxIngress, 0x80));
  EXPECT_ANSWER(-EINVAL, create_link(tcx, 1, kXdp));
  EXPECT_ANSWER(-EBADF, create_link(skb, 19000, kCgroupEgress));
  EXPECT_ANSWER(-EBADF, create_link(skb, static_cast<std::uint64_t>(file), kCgroupEgress));
  EXPECT_ANSWER(-EINVAL, create_link(skb, 19000, kCgroupEgress, kAllowMulti));
  EXPECT_ANSWER(-EBADF, create_link(skb, 19000, kCgroupIngress));
  EXPECT_ANSWER(-EINVAL, create_link(skb, 19000, kCgroupDevice));
  EXPECT_ANSWER(-EBADF, create_link(lookup, 19000, kSkLookup));
  EXPECT_ANSWER(-EINVAL, create_link(lookup, static_cast<std::uint64_t>(file), kSkLookup));
  EXPECT_ANSWER(-EINVAL, create_link(lookup, 19000, kSkLookup, 1));
  Attr behind = link_attr(19000, 1, kXdp);
  behind.bytes[60] = std::byte{1};
  EXPECT_ANSWER(-EINVAL, call(kLinkCreate, behind));
}

TEST_P(Attach, an_xdp_link_from_its_creation_to_its_end) {
  const int program = returning(kXdpProgram, 2), other = returning(kXdpProgram, 1),
            tcx = returning(kSchedCls, -1);
  const std::uint32_t device = points().ifindex;
  EXPECT_ANSWER(-EINVAL, create_link(program, device, kXdp, 1 << 5));
  EXPECT_ANSWER(-EINVAL, create_link(program, device, kXdp, 1 << 1 | 1 << 2));
  EXPECT_ANSWER(-EINVAL, create_link(program, device, kXdp, 1 << 0));
  EXPECT_ANSWER(-EOPNOTSUPP, create_link(program, device, kXdp, 1 << 2));
  const long link = create_link(program, device, kXdp);
  ASSERT_GE(link, 0) << result_text(link);
  EXPECT_ANSWER(-EBUSY, create_link(other, device, kXdp));
  EXPECT_ANSWER(-EBUSY, create_link(program, device, kXdp, 1 << 1));
  EXPECT_ANSWER(-EEXIST, create_link(program, device, kXdp, 1 << 2));
  Data details = details_of(link);
  EXPECT_EQ(6u, word(details, 0));
  EXPECT_EQ(id(program), word(details, 8));
  EXPECT_EQ(device, word(details, 16));
  EXPECT_ANSWER(0, update_link(link, program));
  EXPECT_ANSWER(-EPERM, update_link(link, other, kReplace, other));
  EXPECT_ANSWER(-EINVAL, update_link(link, tcx));
  EXPECT_ANSWER(0, update_link(link, other, kReplace, program));
  EXPECT_EQ(id(other), word(details_of(link), 8));
  EXPECT_ANSWER(0, detach_link(link));
  EXPECT_ANSWER(0, detach_link(link));
  details = details_of(link);
  EXPECT_EQ(0u, word(details, 16));
  EXPECT_EQ(id(other), word(details, 8));
  EXPECT_ANSWER(-ENOLINK, update_link(link, program));
  EXPECT_ANSWER(-EINVAL, attach(kProgAttach, program, device, kXdp));
  EXPECT_ANSWER(-EINVAL, ask(device, kXdp, 4).result);
}

TEST_P(Attach, link_update_arguments) {
  const int program = returning(kXdpProgram, 2), other = returning(kXdpProgram, 1), a_map = map({});
  const long link = create_link(program, points().ifindex, kXdp);
  ASSERT_GE(link, 0);
  EXPECT_ANSWER(-EINVAL, update_link(link, other, 1));
  EXPECT_ANSWER(-EBADF, update_link(19000, other));
  EXPECT_ANSWER(-EINVAL, update_link(program, other));
  EXPECT_ANSWER(-EBADF, update_link(link, 19000));
  EXPECT_ANSWER(-EINVAL, update_link(link, a_map));
  EXPECT_ANSWER(-EINVAL, update_link(link, other, 0, program));
  EXPECT_ANSWER(-EBADF, update_link(link, other, kReplace, 19000));
  EXPECT_ANSWER(-EBADF, detach_link(19000));
  EXPECT_ANSWER(-EINVAL, detach_link(program));
}

TEST_P(Attach, links_have_ids_and_pins) {
  const int program = returning(kXdpProgram, 2);
  const long link = create_link(program, points().ifindex, kXdp);
  ASSERT_GE(link, 0);
  const std::uint32_t number = word(details_of(link), link::kInfoIdOffset);
  const auto by_id = [&](std::uint32_t wanted) {
    return keep(call(kLinkGetFdById, Attr().set(by_id::kId, wanted), 4));
  };
  EXPECT_ANSWER(-ENOENT, by_id(0));
  EXPECT_ANSWER(-ENOENT, by_id(number + 1000));
  const long second = by_id(number);
  ASSERT_GE(second, 0);
  EXPECT_EQ(number, word(details_of(second), link::kInfoIdOffset));
  Attr next;
  next.set(by_id::kId, number - 1);
  EXPECT_ANSWER(0, call_back(kLinkGetNextId, next, 8));
  EXPECT_EQ(number, next.get(by_id::kNextId));
  ASSERT_ANSWER(0, pin(static_cast<int>(link), pin_path("link")));
  backend().close(static_cast<int>(link));
  backend().close(static_cast<int>(second));
  const long third = get(pin_path("link"));
  ASSERT_GE(third, 0);
  EXPECT_EQ(number, word(details_of(third), link::kInfoIdOffset));
  EXPECT_ANSWER(-EBUSY, create_link(program, points().ifindex, kXdp));
  backend().unlink(pin_path("link"));
  backend().close(static_cast<int>(third));
  EXPECT_ANSWER(-ENOENT, by_id(number));
  EXPECT_GE(create_link(program, points().ifindex, kXdp), 0);
}

TEST_P(Attach, socket_lookup_in_a_namespace) {
  const int program = returning(kSkLookupProgram, 1, kSkLookup),
            other = returning(kSkLookupProgram, 0, kSkLookup), xdp = returning(kXdpProgram, 2);
  const auto netns = static_cast<std::uint64_t>(points().netns);
  EXPECT_EQ(0u, ask(netns, kSkLookup, 4).count);
  const long first = create_link(program, netns, kSkLookup), second = create_link(program, netns, kSkLookup);
  ASSERT_GE(first, 0) << result_text(first);
  ASSERT_GE(second, 0) << result_text(second);
  const Shown both = ask(netns, kSkLookup, 4);
  EXPECT_ANSWER(0, both.result);
  EXPECT_EQ(2u, both.count);
  EXPECT_EQ(id(program), both.ids[1]);
  const Shown one = ask(netns, kSkLookup, 1);
  EXPECT_ANSWER(-ENOSPC, one.result);
  EXPECT_EQ(2u, one.count);
  EXPECT_EQ(0u, one.ids[1]);
  EXPECT_ANSWER(-EINVAL, ask(netns, kSkLookup, 4, 1).result);
  EXPECT_ANSWER(-EINVAL, update_link(first, xdp));
  EXPECT_ANSWER(-EPERM, update_link(first, other, kReplace, other));
  EXPECT_ANSWER(0, update_link(first, other));
  EXPECT_EQ(id(other), ask(netns, kSkLookup, 4).ids[0]);
  EXPECT_EQ(5u, word(details_of(first), 0));
  EXPECT_NE(0u, word(details_of(first), 16));
  EXPECT_ANSWER(0, detach_link(first));
  EXPECT_EQ(0u, word(details_of(first), 16));
  EXPECT_ANSWER(-ENOLINK, update_link(first, program));
  EXPECT_ANSWER(-EPERM, update_link(first, program, kReplace, program));
  EXPECT_EQ(1u, ask(netns, kSkLookup, 4).count);
  EXPECT_ANSWER(-EINVAL, attach(kProgAttach, program, 0, kSkLookup));
}

TEST_P(Attach, one_flow_dissector_in_a_namespace) {
  const int program = returning(kFlowDissectorProgram, 0), other = returning(kFlowDissectorProgram, 1),
            xdp = returning(kXdpProgram, 2);
  const auto netns = static_cast<std::uint64_t>(points().netns);
  ASSERT_ANSWER(0, attach(kProgAttach, program, 0, kFlowDissector));
  EXPECT_ANSWER(-EINVAL, attach(kProgAttach, program, 0, kFlowDissector));
  EXPECT_ANSWER(-EINVAL, attach(kProgAttach, program, netns, kFlowDissector));
  EXPECT_ANSWER(-EINVAL, attach(kProgAttach, program, 0, kFlowDissector, kAllowMulti));
  EXPECT_ANSWER(-EINVAL, attach(kProgAttach, xdp, 0, kFlowDissector));
  EXPECT_ANSWER(-EEXIST, create_link(program, netns, kFlowDissector));
  EXPECT_ANSWER(0, attach(kProgAttach, other, 0, kFlowDissector));
  EXPECT_EQ(id(other), ask(netns, kFlowDissector, 4).ids[0]);
  EXPECT_ANSWER(-ENOENT, attach(kProgDetach, program, 0, kFlowDissector));
  EXPECT_ANSWER(0, attach(kProgDetach, other, 0, kFlowDissector));
  EXPECT_ANSWER(-ENOENT, attach(kProgDetach, other, 0, kFlowDissector));
  const long link = create_link(program, netns, kFlowDissector);
  ASSERT_GE(link, 0);
  EXPECT_ANSWER(-E2BIG, create_link(other, netns, kFlowDissector));
  EXPECT_ANSWER(-EEXIST, attach(kProgAttach, other, 0, kFlowDissector));
  EXPECT_ANSWER(-EINVAL, attach(kProgDetach, program, 0, kFlowDissector));
}

TEST_P(Attach, prog_attach_arguments) {
  const int tcx = returning(kSchedCls, -1), xdp = returning(kXdpProgram, 2),
            skb = returning(kCgroupSkb, 1, kCgroupEgress);
  const std::uint32_t device = points().ifindex;
  for (const unsigned command : {kProgAttach, kProgDetach}) {
    SCOPED_TRACE(command);
    EXPECT_ANSWER(-EINVAL, attach(command, tcx, device, 1000));
    EXPECT_ANSWER(-EINVAL, attach(command, tcx, device, kTraceFentry));
    EXPECT_ANSWER(-EINVAL, attach(command, tcx, device, kTcxIngress, kAllowMulti));
    EXPECT_ANSWER(-EBADF, attach(command, 19000, device, kTcxIngress));
    EXPECT_ANSWER(-EINVAL, attach(command, xdp, device, kTcxIngress));
    EXPECT_ANSWER(-ENODEV, attach(command, tcx, kNoDevice, kTcxIngress));
    EXPECT_ANSWER(-EBADF, attach(command, skb, 19000, kCgroupEgress));
    Attr behind;
    behind.bytes[32] = std::byte{1};
    EXPECT_ANSWER(-EINVAL, call(command, behind));
  }
  EXPECT_ANSWER(-EINVAL, attach(kProgAttach, skb, 19000, kCgroupEgress, 0x80));
  EXPECT_ANSWER(-EBADF, attach(kProgAttach, skb, 19000, kCgroupEgress, kAllowMulti | kAllowOverride));
  EXPECT_ANSWER(-EINVAL, attach(kProgDetach, skb, 19000, kCgroupEgress, kAllowMulti));
  EXPECT_ANSWER(-ENOENT, attach(kProgDetach, tcx, device, kTcxIngress));
  EXPECT_ANSWER(-ENOENT, attach(kProgDetach, 0, device, kTcxIngress));
  EXPECT_ANSWER(-EBADF, attach(kProgAttach, tcx, device, kTcxIngress, kReplace, 19000));
  EXPECT_ANSWER(-EINVAL, attach(kProgAttach, tcx, device, kTcxIngress, kReplace, xdp));
  EXPECT_ANSWER(-EBADF, attach(kProgAttach, tcx, device, kTcxIngress, kBefore, 0, 19000));
}

TEST_P(Attach, prog_query_arguments) {
  const int tcx = returning(kSchedCls, -1);
  const std::uint32_t device = points().ifindex;
  EXPECT_ANSWER(-EINVAL, ask(device, 1000, 4).result);
  EXPECT_ANSWER(-EINVAL, ask(device, kTcxIngress, 4, 2).result);
  EXPECT_ANSWER(-EINVAL, ask(device, kTcxIngress, 4, 1).result);
  EXPECT_ANSWER(-ENODEV, ask(kNoDevice, kTcxIngress, 4).result);
  EXPECT_ANSWER(-EBADF, ask(19000, kCgroupEgress, 4).result);
  EXPECT_ANSWER(-EBADF, ask(19000, kSkLookup, 4).result);
  const Shown none = ask(device, kTcxIngress, 4);
  EXPECT_ANSWER(0, none.result);
  EXPECT_EQ(1u, none.revision);
  ASSERT_ANSWER(0, attach(kProgAttach, tcx, device, kTcxIngress));
  const Shown no_room = ask(device, kTcxIngress, 0);
  EXPECT_ANSWER(0, no_room.result);
  EXPECT_EQ(1u, no_room.count);
  EXPECT_EQ(0u, no_room.ids[0]);
  EXPECT_EQ(2u, no_room.revision);
  EXPECT_ANSWER(0, attach(kProgDetach, tcx, device, kTcxIngress));
  EXPECT_EQ(1u, ask(device, kTcxIngress, 4).revision);
}

TEST_P(Attach, a_tcx_link_from_its_creation_to_its_end) {
  const int program = returning(kSchedCls, -1), other = returning(kSchedCls, 0),
            xdp = returning(kXdpProgram, 2);
  const std::uint32_t device = points().ifindex;
  const long link = create_link(program, device, kTcxEgress);
  ASSERT_GE(link, 0) << result_text(link);
  const Data details = details_of(link);
  EXPECT_EQ(11u, word(details, 0));
  EXPECT_EQ(device, word(details, 16));
  EXPECT_EQ(std::uint32_t{kTcxEgress}, word(details, 20));
  EXPECT_ANSWER(-EEXIST, create_link(program, device, kTcxEgress));
  EXPECT_ANSWER(0, update_link(link, program));
  EXPECT_ANSWER(-EINVAL, update_link(link, xdp));
  ASSERT_ANSWER(0, attach(kProgAttach, other, device, kTcxEgress));
  EXPECT_ANSWER(-EEXIST, update_link(link, other));
  EXPECT_ANSWER(0, attach(kProgDetach, other, device, kTcxEgress));
  EXPECT_ANSWER(0, update_link(link, other));
  EXPECT_ANSWER(0, detach_link(link));
  EXPECT_EQ(0u, word(details_of(link), 16));
  EXPECT_ANSWER(-ENOLINK, update_link(link, program));
}

TEST_P(Attach, a_cgroup_link_from_its_creation_to_its_end) {
  if (points().cgroup < 0) GTEST_SKIP() << "no cgroup of our own";
  const auto cgroup = static_cast<std::uint64_t>(points().cgroup);
  const int program = returning(kCgroupSkb, 1, kCgroupEgress),
            other = returning(kCgroupSkb, 0, kCgroupEgress), xdp = returning(kXdpProgram, 2);
  const long link = create_link(program, cgroup, kCgroupEgress);
  ASSERT_GE(link, 0) << result_text(link);
  EXPECT_EQ(3u, word(details_of(link), 0));
  EXPECT_NE(0u, word(details_of(link), 16));
  EXPECT_EQ(std::uint32_t{kCgroupEgress}, word(details_of(link), 24));
  const long again = create_link(program, cgroup, kCgroupEgress);
  EXPECT_GE(again, 0);
  EXPECT_ANSWER(-EPERM, attach(kProgAttach, other, cgroup, kCgroupEgress));
  EXPECT_ANSWER(-EPERM, update_link(link, other, kReplace, other));
  EXPECT_ANSWER(-EINVAL, update_link(link, xdp));
  EXPECT_ANSWER(0, update_link(link, other));
  const Shown shown = ask(cgroup, kCgroupEgress, 4);
  EXPECT_EQ(2u, shown.count);
  EXPECT_EQ(std::uint32_t{kAllowMulti}, shown.flags);
  EXPECT_EQ(id(other), shown.ids[0]);
  EXPECT_ANSWER(0, detach_link(link));
  EXPECT_EQ(0u, word(details_of(link), 16));
  EXPECT_ANSWER(-ENOLINK, update_link(link, program));
  EXPECT_EQ(1u, ask(cgroup, kCgroupEgress, 4, 1).count);
}

TEST_P(Attach, programs_of_cgroups_are_attached_to_what_they_were_loaded_for) {
  if (points().cgroup < 0) GTEST_SKIP() << "no cgroup of our own";
  const auto cgroup = static_cast<std::uint64_t>(points().cgroup);
  constexpr std::uint32_t kSock = 9, kSockOpsProgram = 13, kSockAddr = 18, kSysctlProgram = 23, kSockopt = 25;
  struct Kind {
    std::uint32_t program, attach, other;  // another attach type of the same programs, or of none
  };
  for (const Kind& kind :
       {Kind{kSock, kSockCreate, kPostBind4}, Kind{kSock, kPostBind4, kSockCreate},
        Kind{kSockAddr, kBind4, kConnect6}, Kind{kSockAddr, kConnect6, kBind4},
        Kind{kSockAddr, kRecvmsg4, kBind4}, Kind{kSockAddr, kConnectUnix, kConnect6},
        Kind{kSysctlProgram, kSysctl, kSockOps}, Kind{kSockopt, kGetsockopt, kSetsockopt},
        Kind{kSockopt, kSetsockopt, kGetsockopt}, Kind{kSockOpsProgram, kSockOps, kSysctl}}) {
    SCOPED_TRACE(kind.attach);
    const int program = returning(kind.program, 1, kind.attach);
    EXPECT_ANSWER(-EINVAL, attach(kProgAttach, program, cgroup, kind.other));
    EXPECT_ANSWER(-EINVAL, create_link(program, cgroup, kind.other));
    EXPECT_ANSWER(0, attach(kProgAttach, program, cgroup, kind.attach));
    const Shown shown = ask(cgroup, kind.attach, 4, 1);
    EXPECT_EQ(1u, shown.count);
    EXPECT_EQ(id(program), shown.ids[0]);
    EXPECT_ANSWER(0, attach(kProgDetach, program, cgroup, kind.attach));
    const long link = create_link(program, cgroup, kind.attach);
    EXPECT_GE(link, 0) << result_text(link);
    EXPECT_EQ(kind.attach, word(details_of(link), 24));
    EXPECT_ANSWER(0, detach_link(link));
    EXPECT_EQ(0u, ask(cgroup, kind.attach, 4).count);
  }
}

TEST_P(Attach, a_netfilter_link_from_its_creation_to_its_end) {
  constexpr std::uint32_t kNetfilterProgram = 32, kIpv4 = 2, kLocalOut = 3;
  const int program = returning(kNetfilterProgram, 1, kNetfilter), xdp = returning(kXdpProgram, 2);
  const auto link_at = [&](std::uint32_t pf, std::uint32_t hook, std::int32_t priority,
                           std::uint32_t netfilter_flags = 0, std::uint32_t flags = 0) {
    return keep(call(kLinkCreate,
                     link_attr(program, 0, kNetfilter, flags)
                         .set(link::kFamily, pf)
                         .set(link::kHook, hook)
                         .set(link::kPriority, static_cast<std::uint32_t>(priority))
                         .set(link::kNetfilterFlags, netfilter_flags),
                     link::kSize));
  };
  for (const std::uint32_t pf : {0u, 1u, 3u, 5u, 7u, 13u}) EXPECT_ANSWER(-EAFNOSUPPORT, link_at(pf, 0, 1));
  EXPECT_ANSWER(-EPROTO, link_at(kIpv4, 5, 1));
  EXPECT_ANSWER(-EPROTO, link_at(10, 42, INT32_MIN, 2));
  EXPECT_ANSWER(-EOPNOTSUPP, link_at(kIpv4, kLocalOut, INT32_MIN, 2));
  EXPECT_ANSWER(-ERANGE, link_at(kIpv4, kLocalOut, INT32_MIN));
  EXPECT_ANSWER(-ERANGE, link_at(kIpv4, kLocalOut, INT32_MAX));
  EXPECT_ANSWER(-ERANGE, link_at(kIpv4, kLocalOut, -400, 1));
  EXPECT_ANSWER(-EINVAL, link_at(0, 0, 0, 0, 1));
  EXPECT_ANSWER(-EINVAL, create_link(xdp, 0, kNetfilter));
  EXPECT_ANSWER(-EINVAL, create_link(program, 0, kXdp));
  const long link = link_at(kIpv4, kLocalOut, -7);
  ASSERT_GE(link, 0) << result_text(link);
  const Data details = details_of(link);
  EXPECT_EQ(10u, word(details, 0));
  EXPECT_EQ(kIpv4, word(details, 16));
  EXPECT_EQ(kLocalOut, word(details, 20));
  EXPECT_EQ(static_cast<std::uint32_t>(-7), word(details, 24));
  EXPECT_EQ(0u, word(details, 28));
  EXPECT_ANSWER(-EBUSY, link_at(kIpv4, kLocalOut, -7));
  EXPECT_GE(link_at(kIpv4, kLocalOut, -8), 0);
  EXPECT_ANSWER(-EOPNOTSUPP, update_link(link, program));
  EXPECT_ANSWER(-EOPNOTSUPP, update_link(link, xdp));
  EXPECT_ANSWER(0, detach_link(link));
  EXPECT_ANSWER(0, detach_link(link));
  EXPECT_EQ(kLocalOut, word(details_of(link), 20));
  EXPECT_ANSWER(-EOPNOTSUPP, update_link(link, program));
  EXPECT_GE(link_at(kIpv4, kLocalOut, -7), 0);
  EXPECT_ANSWER(-EINVAL, attach(kProgAttach, program, 0, kNetfilter));
}

TEST_P(Attach, task_fd_query_arguments) {
  const auto query = [&](std::uint64_t pid, std::uint64_t fd, std::uint32_t flags = 0) {
    return call(kTaskFdQuery,
                Attr().set(task_fd::kPid, pid).set(task_fd::kFd, fd).set(task_fd::kFlags, flags), 48);
  };
  const auto self = static_cast<std::uint64_t>(::getpid());
  const auto file = static_cast<std::uint64_t>(open("/dev/null"));
  const auto regular = static_cast<std::uint64_t>(open("/proc/self/exe"));
  EXPECT_ANSWER(-EINVAL, query(self, file, 1));
  EXPECT_ANSWER(-ENOENT, query(0, file));
  EXPECT_ANSWER(-ENOENT, query(0x7fffffff, file));
  EXPECT_ANSWER(-EBADF, query(self, 19000));
  EXPECT_ANSWER(-kEnotsupp, query(self, file));
  EXPECT_ANSWER(-kEnotsupp, query(self, regular));
  EXPECT_ANSWER(-kEnotsupp, query(self, static_cast<std::uint64_t>(map({}))));
  EXPECT_ANSWER(-kEnotsupp, query(self, static_cast<std::uint64_t>(returning(kXdpProgram, 2))));
  Attr behind;
  behind.bytes[48] = std::byte{1};
  EXPECT_ANSWER(-EINVAL, call(kTaskFdQuery, behind));
}

}  // namespace
}  // namespace portolan::conformance
