// SPDX-License-Identifier: Apache-2.0
// Programs at hooks of control groups act on the host's own sockets.
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cstring>

#include "api/cgroup_world_for_test.h"

namespace portolan::hook_test {
namespace {

constexpr std::int32_t kSet = 49, kGet = 57, kBind = 64, kCookie = 46;

class OwnSocket {
 public:
  explicit OwnSocket(int domain = AF_INET, int type = SOCK_STREAM)
      : fd_(::socket(domain, type | SOCK_CLOEXEC, 0)) {
    EXPECT_GE(fd_, 0);
  }
  OwnSocket(const OwnSocket&) = delete;
  OwnSocket& operator=(const OwnSocket&) = delete;
  ~OwnSocket() { ::close(fd_); }
  int fd() const { return fd_; }
  int get(int level, int name) const {
    int value = -1;
    socklen_t size = sizeof value;
    EXPECT_EQ(::getsockopt(fd_, level, name, &value, &size), 0);
    return value;
  }

 private:
  int fd_;
};

class HostSockets : public CgroupHooks {
 protected:
  static constexpr AttachType kConnect = AttachType::kCgroupInet4Connect;

  // R0 = helper(R1, level, name, stack - 16, size), where `word` lies at stack - 16
  static std::vector<Insn> asks(std::int32_t helper, int level, int name, std::int32_t size,
                                std::int32_t word = 0) {
    return {{0x7a, regs(10), -16, word},
            {0x7a, regs(10), -8, 0},
            set(2, level),
            set(3, name),
            copy(4, 10),
            add(4, -16),
            set(5, size),
            call(helper)};
  }
  // What a connect4 program with these instructions has in R0 at their end.
  std::int64_t at_connect(std::vector<Insn> insns, int fd) {
    EXPECT_TRUE(sum_->update(0, 0));
    auto hook = Hook::cgroup_sock_addr(*runtime_, directory_, SockAddrEvent::kConnect4);
    EXPECT_TRUE(hook) << hook.error().message();
    attach(ProgType::kCgroupSockAddr, kConnect, then_add_r0(std::move(insns), 1));
    SocketAddress address;
    EXPECT_EQ(hook->run(address, {.family = AF_INET, .fd = fd}), 0);
    return static_cast<std::int64_t>(sum());
  }
  std::int64_t set_at_connect(int fd, int level, int name, std::int32_t size, std::int32_t word) {
    return at_connect(asks(kSet, level, name, size, word), fd);
  }
  std::int64_t get_at_connect(int fd, int level, int name, std::int32_t size) {
    return at_connect(asks(kGet, level, name, size), fd);
  }
};

TEST_F(HostSockets, get_options_from_programs_that_see_a_connection) {
  const OwnSocket tcp, tcp6(AF_INET6);
  EXPECT_EQ(set_at_connect(tcp.fd(), SOL_SOCKET, SO_KEEPALIVE, 4, 1), 0);
  EXPECT_EQ(tcp.get(SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(set_at_connect(tcp.fd(), IPPROTO_TCP, TCP_KEEPIDLE, 4, 77), 0);
  EXPECT_EQ(tcp.get(IPPROTO_TCP, TCP_KEEPIDLE), 77);
  EXPECT_EQ(set_at_connect(tcp.fd(), IPPROTO_IP, IP_TOS, 4, 0x10), 0);
  EXPECT_EQ(tcp.get(IPPROTO_IP, IP_TOS), 0x10);
  EXPECT_EQ(set_at_connect(tcp6.fd(), IPPROTO_IPV6, IPV6_TCLASS, 4, 0x20), 0);
  EXPECT_EQ(tcp6.get(IPPROTO_IPV6, IPV6_TCLASS), 0x20);
  EXPECT_EQ(set_at_connect(tcp6.fd(), IPPROTO_IP, IP_TOS, 4, 0x10), 0);  // it may have an IPv4 peer
}

TEST_F(HostSockets, have_no_other_options_than_the_kernel_s_list_says) {
  const OwnSocket tcp, tcp6(AF_INET6), udp(AF_INET, SOCK_DGRAM), local(AF_UNIX);
  EXPECT_EQ(set_at_connect(tcp.fd(), SOL_SOCKET, SO_LINGER, 8, 1), -EINVAL);
  EXPECT_EQ(set_at_connect(tcp.fd(), SOL_SOCKET, SO_BROADCAST, 4, 1), -EINVAL);
  EXPECT_EQ(set_at_connect(tcp.fd(), SOL_SOCKET, SO_KEEPALIVE, 8, 1), -EINVAL);
  EXPECT_EQ(set_at_connect(tcp.fd(), SOL_SOCKET, SO_KEEPALIVE, 2, 1), -EINVAL);
  EXPECT_EQ(set_at_connect(tcp.fd(), IPPROTO_TCP, TCP_CORK, 4, 1), -EINVAL);
  EXPECT_EQ(set_at_connect(tcp.fd(), IPPROTO_TCP, 1001, 4, 1), -EINVAL);  // TCP_BPF_IW
  EXPECT_EQ(set_at_connect(tcp.fd(), IPPROTO_IP, IP_TTL, 4, 1), -EINVAL);
  EXPECT_EQ(set_at_connect(tcp.fd(), IPPROTO_IPV6, IPV6_TCLASS, 4, 1), -EINVAL);
  EXPECT_EQ(set_at_connect(tcp6.fd(), IPPROTO_IPV6, IPV6_UNICAST_HOPS, 4, 1), -EINVAL);
  EXPECT_EQ(set_at_connect(udp.fd(), IPPROTO_TCP, TCP_NODELAY, 4, 1), -EINVAL);
  EXPECT_EQ(set_at_connect(local.fd(), IPPROTO_IP, IP_TOS, 4, 1), -EINVAL);
  EXPECT_EQ(set_at_connect(tcp.fd(), IPPROTO_UDP, 1, 4, 1), -EINVAL);
  EXPECT_EQ(set_at_connect(tcp.fd(), IPPROTO_TCP, TCP_SAVED_SYN, 4, 1), -ENOPROTOOPT);
  EXPECT_EQ(get_at_connect(tcp.fd(), SOL_SOCKET, SO_BINDTODEVICE, 16), -EINVAL);
  EXPECT_EQ(get_at_connect(tcp.fd(), SOL_SOCKET, SO_ERROR, 4), -EINVAL);
  EXPECT_EQ(get_at_connect(tcp.fd(), IPPROTO_TCP, TCP_SAVED_SYN, 4), -EINVAL);
  // What the socket itself does not take.
  EXPECT_EQ(set_at_connect(tcp.fd(), IPPROTO_TCP, TCP_KEEPIDLE, 4, -1), -EINVAL);
}

TEST_F(HostSockets, that_the_host_does_not_give_have_none) {
  EXPECT_EQ(set_at_connect(-1, SOL_SOCKET, SO_KEEPALIVE, 4, 1), -EINVAL);
  EXPECT_EQ(get_at_connect(-1, SOL_SOCKET, SO_KEEPALIVE, 4), -EINVAL);
  EXPECT_EQ(at_connect({call(kCookie)}, -1), 0);
}

TEST_F(HostSockets, tell_programs_their_options) {
  const OwnSocket tcp;
  const int one = 1;
  ASSERT_EQ(::setsockopt(tcp.fd(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one), 0);
  std::vector<Insn> insns = asks(kGet, IPPROTO_TCP, TCP_NODELAY, 4, 77);
  insns.push_back({0x79, regs(0, 10), -16, 0});
  EXPECT_EQ(at_connect(insns, tcp.fd()), 1);
  insns = asks(kGet, IPPROTO_TCP, TCP_CORK, 4, 77);  // what cannot be told is zeros
  insns.push_back({0x79, regs(0, 10), -16, 0});
  EXPECT_EQ(at_connect(insns, tcp.fd()), 0);
}

TEST_F(HostSockets, have_a_congestion_control_by_name) {
  const OwnSocket tcp;
  constexpr std::int32_t kReno = 'r' | 'e' << 8 | 'n' << 16 | 'o' << 24, kCdg = 'c' | 'd' << 8 | 'g' << 16;
  EXPECT_EQ(set_at_connect(tcp.fd(), IPPROTO_TCP, TCP_CONGESTION, 16, kReno), 0);
  char name[16] = "";
  socklen_t size = sizeof name;
  ASSERT_EQ(::getsockopt(tcp.fd(), IPPROTO_TCP, TCP_CONGESTION, name, &size), 0);
  EXPECT_STREQ(name, "reno");
  EXPECT_EQ(set_at_connect(tcp.fd(), IPPROTO_TCP, TCP_CONGESTION, 16, kCdg), -524);  // ENOTSUPP
  EXPECT_EQ(set_at_connect(tcp.fd(), IPPROTO_TCP, TCP_CONGESTION, 4, kCdg + (1 << 24)), -ENOENT);
  EXPECT_EQ(set_at_connect(tcp.fd(), IPPROTO_TCP, TCP_CONGESTION, 1, kReno), -EINVAL);
  std::vector<Insn> insns = asks(kGet, IPPROTO_TCP, TCP_CONGESTION, 4);
  insns.push_back({0x61, regs(0, 10), -16, 0});
  EXPECT_EQ(at_connect(insns, tcp.fd()), kReno & 0xffffff);  // a name ends
}

TEST_F(HostSockets, are_bound_by_programs_that_see_a_connection) {
  // bpf_bind(ctx, &{AF_INET, port, address}, size)
  const auto binds = [](int family, std::uint16_t port, std::int32_t size) {
    return std::vector<Insn>{{0x7a, regs(10), -16, static_cast<std::int32_t>(family | htons(port) << 16)},
                             {0x62, regs(10), -12, static_cast<std::int32_t>(htonl(INADDR_LOOPBACK))},
                             {0x7a, regs(10), -8, 0},
                             copy(2, 10),
                             add(2, -16),
                             set(3, size),
                             call(kBind)};
  };
  const OwnSocket tcp, other;
  EXPECT_EQ(at_connect(binds(AF_INET, 0, 16), tcp.fd()), 0);
  sockaddr_in bound{};
  socklen_t size = sizeof bound;
  ASSERT_EQ(::getsockname(tcp.fd(), reinterpret_cast<sockaddr*>(&bound), &size), 0);
  EXPECT_EQ(bound.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  EXPECT_EQ(bound.sin_port, 0);  // which comes when it connects
  EXPECT_EQ(tcp.get(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT), 0);
  EXPECT_EQ(at_connect(binds(AF_INET, 0, 15), other.fd()), -EINVAL);
  EXPECT_EQ(at_connect(binds(AF_INET, 0, 1), other.fd()), -EINVAL);
  EXPECT_EQ(at_connect(binds(AF_INET6, 0, 16), other.fd()), -EINVAL);
  EXPECT_EQ(at_connect(binds(AF_UNIX, 0, 16), other.fd()), -EAFNOSUPPORT);
  EXPECT_EQ(at_connect(binds(AF_INET, 0, 16), -1), -EINVAL);
}

TEST_F(HostSockets, have_the_machine_s_cookie) {
  const OwnSocket tcp;
  std::uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  ASSERT_EQ(::getsockopt(tcp.fd(), SOL_SOCKET, SO_COOKIE, &cookie, &size), 0);
  EXPECT_EQ(static_cast<std::uint64_t>(at_connect({call(kCookie)}, tcp.fd())), cookie);
}

TEST_F(HostSockets, are_what_programs_of_setsockopt_have_in_their_context) {
  const OwnSocket tcp;
  auto hook = Hook::cgroup_setsockopt(*runtime_, directory_);
  ASSERT_TRUE(hook) << hook.error().message();
  std::vector<Insn> insns{load64(1, 1, 0)};  // ctx->sk
  for (const Insn& insn : asks(kSet, SOL_SOCKET, SO_PRIORITY, 4, 3)) insns.push_back(insn);
  attach(ProgType::kCgroupSockopt, AttachType::kCgroupSetsockopt, then_add_r0(insns, 1));
  SocketOption option{.level = SOL_SOCKET, .name = SO_PRIORITY, .value = std::vector<std::byte>(4)};
  EXPECT_EQ(hook->run(option, {.family = AF_INET, .fd = tcp.fd()}), 0);
  EXPECT_EQ(sum(), 0u);
  EXPECT_EQ(tcp.get(SOL_SOCKET, SO_PRIORITY), 3);
  EXPECT_EQ(hook->run(option, {.family = AF_INET}), 0);
  EXPECT_EQ(static_cast<std::int64_t>(sum()), -EINVAL);
}

class Connections : public HostSockets {
 protected:
  std::int64_t at_event(std::vector<Insn> insns, SocketOps& ops, int fd) {
    EXPECT_TRUE(sum_->update(0, 0));
    auto hook = Hook::sock_ops(*runtime_, directory_);
    EXPECT_TRUE(hook) << hook.error().message();
    attach(ProgType::kSockOps, AttachType::kCgroupSockOps, then_add_r0(std::move(insns), 1));
    EXPECT_EQ(hook->run(ops, {.family = AF_INET, .fd = fd}), 0);
    return static_cast<std::int64_t>(sum());
  }
};

TEST_F(Connections, have_options_once_they_are_whole_sockets) {
  const OwnSocket tcp;
  SocketOps ops{.op = 4, .is_fullsock = 1}, request{.op = 4}, timestamps{.op = 16, .is_fullsock = 1};
  const std::vector<Insn> sets = asks(kSet, IPPROTO_TCP, TCP_KEEPCNT, 4, 5),
                          gets = asks(kGet, IPPROTO_TCP, TCP_KEEPCNT, 4);
  EXPECT_EQ(at_event(sets, request, tcp.fd()), -EINVAL);
  EXPECT_EQ(at_event(sets, timestamps, tcp.fd()), -EOPNOTSUPP);
  EXPECT_EQ(at_event(gets, timestamps, tcp.fd()), -EOPNOTSUPP);
  EXPECT_NE(tcp.get(IPPROTO_TCP, TCP_KEEPCNT), 5);
  EXPECT_EQ(at_event(sets, ops, tcp.fd()), 0);
  EXPECT_EQ(tcp.get(IPPROTO_TCP, TCP_KEEPCNT), 5);
  EXPECT_EQ(at_event(asks(kGet, IPPROTO_TCP, 1005, 16), ops, tcp.fd()), -ENOENT);  // TCP_BPF_SYN
}

TEST_F(Connections, have_their_callbacks_flags_as_an_option) {
  constexpr int kFlags = 1008;  // TCP_BPF_SOCK_OPS_CB_FLAGS
  SocketOps ops{.op = 4, .is_fullsock = 1};
  EXPECT_EQ(at_event(asks(kSet, IPPROTO_TCP, kFlags, 4, 0x80), ops, -1), -EINVAL);
  EXPECT_EQ(at_event(asks(kSet, IPPROTO_TCP, kFlags, 8, 3), ops, -1), -EINVAL);
  EXPECT_EQ(at_event(asks(kSet, IPPROTO_TCP, kFlags, 4, 3), ops, -1), 0);
  EXPECT_EQ(ops.cb_flags, 3u);
  std::vector<Insn> insns = asks(kGet, IPPROTO_TCP, kFlags, 4);
  insns.push_back({0x61, regs(0, 10), -16, 0});
  EXPECT_EQ(at_event(insns, ops, -1), 3);
}

// A connection over the loopback.
TEST_F(Connections, have_a_syn_that_was_saved) {
  const OwnSocket listener, client;
  const int one = 1;
  ASSERT_EQ(::setsockopt(listener.fd(), IPPROTO_TCP, TCP_SAVE_SYN, &one, sizeof one), 0);
  sockaddr_in address{
      .sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(::bind(listener.fd(), generic, size), 0);
  ASSERT_EQ(::listen(listener.fd(), 1), 0);
  ASSERT_EQ(::getsockname(listener.fd(), generic, &size), 0);
  ASSERT_EQ(::connect(client.fd(), generic, size), 0);
  const int accepted = ::accept(listener.fd(), nullptr, nullptr);
  ASSERT_GE(accepted, 0);
  SocketOps ops{.op = 5, .is_fullsock = 1};
  std::vector<Insn> insns = asks(kGet, IPPROTO_TCP, TCP_SAVED_SYN, 8);
  insns.push_back({0x71, regs(0, 10), -16, 0});
  EXPECT_EQ(at_event(insns, ops, accepted), 0x45);                                         // an IPv4 header
  EXPECT_EQ(at_event(asks(kGet, IPPROTO_TCP, TCP_SAVED_SYN, 8), ops, accepted), -EINVAL);  // no more
  ::close(accepted);
}

}  // namespace
}  // namespace portolan::hook_test
