// SPDX-License-Identifier: Apache-2.0
// Hooks of control groups.
#include "api/cgroup_world_for_test.h"

namespace portolan::hook_test {
namespace {

TEST_F(CgroupHooks, a_new_socket_gets_its_mark_from_a_program_and_is_refused_by_another) {
  auto hook = Hook::cgroup_sock(*runtime_, directory_, SockEvent::kCreate);
  ASSERT_TRUE(hook) << hook.error().message();
  Socket socket{.family = AF_INET};
  EXPECT_EQ(hook->run(socket), 0);
  attach(ProgType::kCgroupSock, AttachType::kCgroupInetSockCreate,
         {set(2, 5), store32(1, 16, 2), set(0, 1), kExit});
  EXPECT_EQ(hook->run(socket), 0);
  EXPECT_EQ(socket.mark, 5u);
  // family == AF_INET
  attach(ProgType::kCgroupSock, AttachType::kCgroupInetSockCreate,
         {load32(2, 1, 4), set(0, 1), {0x15, regs(2), 1, AF_INET}, set(0, 0), kExit});
  EXPECT_EQ(hook->run(socket), 0);
  socket.family = AF_INET6;
  EXPECT_EQ(hook->run(socket), -EPERM);
}

TEST_F(CgroupHooks, a_program_that_refuses_may_say_with_what) {
  auto hook = Hook::cgroup_sock(*runtime_, directory_, SockEvent::kCreate);
  ASSERT_TRUE(hook);
  attach(ProgType::kCgroupSock, AttachType::kCgroupInetSockCreate,
         {set(1, -EACCES), call(187), set(0, 0), kExit});  // bpf_set_retval
  Socket socket;
  EXPECT_EQ(hook->run(socket), -EACCES);
  // Who comes after sees it, and may not be overruled by its own refusal.
  attach(ProgType::kCgroupSock, AttachType::kCgroupInetSockCreate, then_add_r0({call(186)}, 0));
  EXPECT_EQ(hook->run(socket), -EACCES);
  EXPECT_EQ(static_cast<std::int64_t>(sum()), -EACCES);
}

TEST_F(CgroupHooks, a_connection_goes_where_a_program_sends_it) {
  auto hook = Hook::cgroup_sock_addr(*runtime_, directory_, SockAddrEvent::kConnect4);
  ASSERT_TRUE(hook) << hook.error().message();
  // user_port = ctx->sk->protocol; user_ip4 = ctx->type
  attach(ProgType::kCgroupSockAddr, AttachType::kCgroupInet4Connect,
         {load64(2, 1, 64), load32(2, 2, 12), store32(1, 24, 2), load32(2, 1, 32), store32(1, 4, 2),
          set(0, 1), kExit});
  SocketAddress address{.family = AF_INET, .ip4 = 1, .port = 2};
  EXPECT_EQ(hook->run(address, {.family = AF_INET, .type = SOCK_STREAM, .protocol = 6}), 0);
  EXPECT_EQ(address.ip4, std::uint32_t{SOCK_STREAM});
  EXPECT_EQ(address.port, 6u);
}

TEST_F(CgroupHooks, a_port_has_16_bits_while_the_program_runs_too) {
  auto hook = Hook::cgroup_sock_addr(*runtime_, directory_, SockAddrEvent::kConnect4);
  ASSERT_TRUE(hook) << hook.error().message();
  // user_port = 0x50007; user_ip4 = user_port
  attach(ProgType::kCgroupSockAddr, AttachType::kCgroupInet4Connect,
         {set(2, 0x50007), store32(1, 24, 2), load32(2, 1, 24), store32(1, 4, 2), set(0, 1), kExit});
  SocketAddress address{.family = AF_INET, .ip4 = 1, .port = 2};
  EXPECT_EQ(hook->run(address, {.family = AF_INET, .type = SOCK_STREAM, .protocol = 6}), 0);
  EXPECT_EQ(address.ip4, 7u);
  EXPECT_EQ(address.port, 7u);
}

TEST_F(CgroupHooks, what_egress_programs_return_keeps_them_there) {
  auto ingress = Hook::cgroup_skb(*runtime_, directory_, SkbDirection::kIngress);
  ASSERT_TRUE(ingress);
  const auto target = static_cast<std::uint32_t>(directory_fd_);
  const long congested =
      client_->load(ProgType::kCgroupSkb, {set(0, 2), kExit}, AttachType::kCgroupInetEgress);
  ASSERT_GE(congested, 0);
  EXPECT_EQ(client_->attach(congested, {target, AttachType::kCgroupInetIngress}), -EINVAL);
  EXPECT_EQ(client_->link(congested, {target, AttachType::kCgroupInetIngress}), -EINVAL);
  const long plain = client_->load(ProgType::kCgroupSkb, {set(0, 1), kExit}, AttachType::kCgroupInetEgress);
  EXPECT_EQ(client_->attach(plain, {target, AttachType::kCgroupInetIngress}), 0);
}

TEST_F(CgroupHooks, what_bind_programs_return_tells_of_privileged_ports_too) {
  const std::pair<int, std::pair<int, bool>> cases[] = {
      {0, {-EPERM, true}}, {1, {0, true}}, {2, {-EPERM, false}}, {3, {0, false}}};
  auto hook = Hook::cgroup_sock_addr(*runtime_, directory_, SockAddrEvent::kBind4);
  ASSERT_TRUE(hook);
  for (const auto& [returned, expected] : cases) {
    const long program =
        client_->load(ProgType::kCgroupSockAddr, {set(0, returned), kExit}, AttachType::kCgroupInet4Bind);
    ASSERT_EQ(
        client_->attach(program, {static_cast<std::uint32_t>(directory_fd_), AttachType::kCgroupInet4Bind}),
        0);
    SocketAddress address;
    bool needs_capability = true;
    EXPECT_EQ(hook->run(address, {}, &needs_capability), expected.first) << returned;
    EXPECT_EQ(needs_capability, expected.second) << returned;
  }
}

TEST_F(CgroupHooks, a_program_is_attached_to_what_it_was_loaded_for) {
  auto hook = Hook::cgroup_sock_addr(*runtime_, directory_, SockAddrEvent::kBind4);
  ASSERT_TRUE(hook);
  const long program =
      client_->load(ProgType::kCgroupSockAddr, {set(0, 1), kExit}, AttachType::kCgroupInet4Connect);
  const auto target = static_cast<std::uint32_t>(directory_fd_);
  EXPECT_EQ(client_->attach(program, {target, AttachType::kCgroupInet4Bind}), -EINVAL);
  EXPECT_EQ(client_->link(program, {target, AttachType::kCgroupInet4Bind}), -EINVAL);
}

class Sysctls : public CgroupHooks {
 protected:
  // helper(ctx, stack - 16, room, flags); sum = R0 << 8 | first byte
  std::vector<Insn> asks(std::int32_t helper, std::int32_t room, std::int32_t flags = 0) const {
    return then_add_r0({{0x7a, regs(10), -16, 0},
                        {0x7a, regs(10), -8, 0},
                        copy(2, 10),
                        add(2, -16),
                        set(3, room),
                        set(4, flags),
                        call(helper),
                        {0x67, regs(0), 0, 8},
                        {0x71, regs(2, 10), -16, 0},
                        {0x4f, regs(0, 2), 0, 0}},
                       1);
  }
  std::int64_t answer(const std::vector<Insn>& insns, Sysctl sysctl) {
    auto hook = Hook::cgroup_sysctl(*runtime_, directory_);
    EXPECT_TRUE(hook);
    EXPECT_TRUE(sum_->update(0, 0));
    attach(ProgType::kCgroupSysctl, AttachType::kCgroupSysctl, insns);
    EXPECT_EQ(hook->run(sysctl), 0);
    return static_cast<std::int64_t>(sum());
  }
  static constexpr std::int32_t kName = 101, kCurrent = 102, kNew = 103, kSetNew = 104;
};

TEST_F(Sysctls, have_names) {
  EXPECT_EQ(answer(asks(kName, 16), {.name = "net/ipv4/mem"}), 12 << 8 | 'n');
  EXPECT_EQ(answer(asks(kName, 16, 1), {.name = "net/ipv4/mem"}), 3 << 8 | 'm');
  EXPECT_EQ(answer(asks(kName, 12), {.name = "net/ipv4/mem"}), -E2BIG * 256 | 'n');
  EXPECT_EQ(answer(asks(kName, 1), {.name = "net/ipv4/mem"}), -E2BIG * 256);
}

TEST_F(Sysctls, have_values) {
  EXPECT_EQ(answer(asks(kCurrent, 8), {.current = "600\n"}), 4 << 8 | '6');
  EXPECT_EQ(answer(asks(kCurrent, 5), {.current = "600\n"}), 4 << 8 | '6');
  EXPECT_EQ(answer(asks(kCurrent, 4), {.current = "600\n"}), -E2BIG * 256 | '6');
  EXPECT_EQ(answer(asks(kCurrent, 3), {.current = "600\n"}), -E2BIG * 256 | '6');
  EXPECT_EQ(answer(asks(kCurrent, 1), {.current = "600\n"}), -E2BIG * 256);
  EXPECT_EQ(answer(asks(kCurrent, 8), {}), -EINVAL * 256);
  std::string value = "7";
  EXPECT_EQ(answer(asks(kNew, 8), {.new_value = &value}), 1 << 8 | '7');
  EXPECT_EQ(answer(asks(kNew, 8), {.current = "600\n"}), -EINVAL * 256);
}

TEST_F(Sysctls, are_given_other_values_by_programs) {
  auto hook = Hook::cgroup_sysctl(*runtime_, directory_);
  ASSERT_TRUE(hook) << hook.error().message();
  // ctx->file_pos = 3; bpf_sysctl_set_new_value(ctx, "42", 2)
  attach(ProgType::kCgroupSysctl, AttachType::kCgroupSysctl,
         then_add_r0({set(2, 3),
                      store32(1, 4, 2),
                      {0x7a, regs(10), -8, '4' | '2' << 8},
                      copy(2, 10),
                      add(2, -8),
                      set(3, 2),
                      call(kSetNew)},
                     1));
  std::string value = "7";
  Sysctl sysctl{.new_value = &value};
  EXPECT_EQ(hook->run(sysctl), 0);
  EXPECT_EQ(value, "42");
  EXPECT_EQ(sysctl.position, 3u);
  EXPECT_EQ(sum(), 0u);
  sysctl.new_value = nullptr;
  EXPECT_EQ(hook->run(sysctl), 0);
  EXPECT_EQ(static_cast<std::int64_t>(sum()), -EINVAL);
  // Not of what is refused in the end.
  attach(ProgType::kCgroupSysctl, AttachType::kCgroupSysctl, {set(0, 0), kExit});
  value = "7";
  sysctl.new_value = &value;
  EXPECT_EQ(hook->run(sysctl), -EPERM);
  EXPECT_EQ(value, "7");
}

class Sockopts : public CgroupHooks {
 protected:
  // optlen = length; if there is a byte at optval[at], it becomes 9
  static std::vector<Insn> writes(std::int32_t length, std::int32_t at) {
    return {set(2, length), store32(1, 32, 2),        load64(2, 1, 8), load64(3, 1, 16),          copy(4, 2),
            add(4, at + 1), {0x2d, regs(4, 3), 2, 0}, set(5, 9),       {0x73, regs(4, 5), -1, 0}, set(0, 1),
            kExit};
  }
  static std::vector<std::byte> bytes(std::initializer_list<int> values) {
    std::vector<std::byte> bytes;
    for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
    return bytes;
  }
  void put(AttachType type, const std::vector<Insn>& insns) {
    const long program = client_->load(ProgType::kCgroupSockopt, insns, type);
    ASSERT_GE(program, 0);
    ASSERT_EQ(client_->attach(program, {static_cast<std::uint32_t>(directory_fd_), type}), 0);
  }
};

TEST_F(Sockopts, are_set_as_programs_want_it) {
  auto hook = Hook::cgroup_setsockopt(*runtime_, directory_);
  ASSERT_TRUE(hook) << hook.error().message();
  constexpr AttachType kSet = AttachType::kCgroupSetsockopt;
  SocketOption option{.level = 1, .name = 2, .value = bytes({1, 2})};
  // There is room for 16 bytes at least.
  put(kSet, writes(16, 15));
  EXPECT_EQ(hook->run(option, {}), 0);
  ASSERT_EQ(option.value.size(), 16u);
  EXPECT_EQ(option.value[1], std::byte{2});
  EXPECT_EQ(option.value[15], std::byte{9});
  put(kSet, writes(17, 0));
  EXPECT_EQ(hook->run(option, {}), -EFAULT);
  put(kSet, writes(-1, 0));
  EXPECT_EQ(hook->run(option, {}), 1);
  put(kSet, writes(0, 0));  // as the caller has it
  option.value = bytes({1, 2});
  EXPECT_EQ(hook->run(option, {}), 0);
  EXPECT_EQ(option.value, bytes({1, 2}));
  // level = optname
  put(kSet, {load32(2, 1, 28), store32(1, 24, 2), set(0, 1), kExit});
  EXPECT_EQ(hook->run(option, {}), 0);
  EXPECT_EQ(option.level, 2);
  // Programs see the first page of a long value, and have to say that they leave it alone.
  option.value.resize(5000);
  EXPECT_EQ(hook->run(option, {}), 0);
  EXPECT_EQ(option.value.size(), 5000u);
}

TEST_F(Sockopts, are_told_as_programs_want_it) {
  auto hook = Hook::cgroup_getsockopt(*runtime_, directory_);
  ASSERT_TRUE(hook) << hook.error().message();
  constexpr AttachType kGet = AttachType::kCgroupGetsockopt;
  SocketOption option{.level = 1, .name = 2, .value = bytes({1, 2})};
  EXPECT_EQ(hook->run(option, 4, -ENOPROTOOPT, {}), -ENOPROTOOPT);
  put(kGet, writes(3, 1));
  EXPECT_EQ(hook->run(option, 4, 0, {}), 0);
  EXPECT_EQ(option.value, bytes({1, 9, 0}));
  EXPECT_EQ(hook->run(option, 2, 0, {}), -EFAULT);  // longer than the caller has room
  EXPECT_EQ(hook->run(option, 4, -ENOPROTOOPT, {}), -ENOPROTOOPT);
  // retval = 0: the program knows the option.
  put(kGet, {set(2, 0), store32(1, 36, 2), set(2, 1), store32(1, 32, 2), set(0, 1), kExit});
  EXPECT_EQ(hook->run(option, 4, -ENOPROTOOPT, {}), 0);
  EXPECT_EQ(option.value, bytes({0}));
  put(kGet, {set(0, 0), kExit});
  EXPECT_EQ(hook->run(option, 4, 0, {}), -EPERM);
}

TEST_F(CgroupHooks, a_connection_s_events_get_replies) {
  auto hook = Hook::sock_ops(*runtime_, directory_);
  ASSERT_TRUE(hook) << hook.error().message();
  // reply = 7; sum += bpf_sock_ops_cb_flags_set(ctx, 0x103)
  attach(ProgType::kSockOps, AttachType::kCgroupSockOps,
         then_add_r0({set(2, 7), store32(1, 4, 2), set(2, 0x103), call(59)}, 1));
  SocketOps ops{.op = 4, .is_fullsock = 1};
  EXPECT_EQ(hook->run(ops, {}), 0);
  EXPECT_EQ(ops.arguments[0], 7u);
  EXPECT_EQ(ops.cb_flags, 3u);
  EXPECT_EQ(sum(), 0x100u);
  ops = {.op = 4};
  EXPECT_EQ(hook->run(ops, {}), 0);
  EXPECT_EQ(ops.cb_flags, 0u);
  EXPECT_EQ(static_cast<std::int64_t>(sum()), 0x100 - EINVAL);
  ops = {.op = 16, .is_fullsock = 1};  // of timestamps
  EXPECT_EQ(hook->run(ops, {}), 0);
  EXPECT_EQ(static_cast<std::int64_t>(sum()), 0x100 - EINVAL - EOPNOTSUPP);
}

// Two directories, one in the other, with hooks of a kind.
class NestedCgroups : public Hooks {
 protected:
  void SetUp() override {
    Hooks::SetUp();
    parent_ = directory_ + "/parent";
    child_ = parent_ + "/between/child";
    ASSERT_TRUE(std::filesystem::create_directories(child_));
    parent_fd_ = ::open(parent_.c_str(), O_RDONLY | O_DIRECTORY);
    child_fd_ = ::open(child_.c_str(), O_RDONLY | O_DIRECTORY);
  }
  void TearDown() override {
    ::close(parent_fd_);
    ::close(child_fd_);
    Hooks::TearDown();
  }
  SockHook declare(const std::string& directory) {
    auto hook = Hook::cgroup_sock(*runtime_, directory, SockEvent::kCreate);
    EXPECT_TRUE(hook) << hook.error().message();
    return std::move(*hook);
  }
  static constexpr AttachType kCreate = AttachType::kCgroupInetSockCreate;
  // priority = priority * 10 + digit
  long digit(std::int32_t digit) {
    const long program = client_->load(
        ProgType::kCgroupSock,
        {load32(2, 1, 20), {0x27, regs(2), 0, 10}, add(2, digit), store32(1, 20, 2), set(0, 1), kExit},
        kCreate);
    EXPECT_GE(program, 0);
    return program;
  }
  Client::Where at(int directory, std::uint32_t flags = abi::attach_flag::kAllowMulti) const {
    return {static_cast<std::uint32_t>(directory), kCreate, flags};
  }
  static std::uint32_t digits(const SockHook& hook) {
    Socket socket;
    EXPECT_EQ(hook.run(socket), 0);
    return socket.priority;
  }
  std::string parent_, child_;
  int parent_fd_ = -1, child_fd_ = -1;
};

TEST_F(NestedCgroups, programs_of_the_cgroup_come_before_those_above) {
  const SockHook parent = declare(parent_), child = declare(child_);
  ASSERT_EQ(client_->attach(digit(1), at(parent_fd_)), 0);
  EXPECT_EQ(digits(child), 1u);
  ASSERT_EQ(client_->attach(digit(2), at(child_fd_)), 0);
  EXPECT_EQ(digits(child), 21u);
  EXPECT_EQ(digits(parent), 1u);
  const std::uint32_t early = abi::attach_flag::kAllowMulti | abi::attach_flag::kPreorder;
  ASSERT_EQ(client_->attach(digit(3), at(child_fd_, early)), 0);
  const long link = client_->link(digit(4), at(parent_fd_, abi::attach_flag::kPreorder));
  ASSERT_GE(link, 0);
  EXPECT_EQ(digits(child), 4321u);
  ASSERT_EQ(client_->update(link, digit(5)), 0);
  EXPECT_EQ(digits(child), 5321u);
  ::close(static_cast<int>(link));
  EXPECT_EQ(client_->count_links(), 0);
  EXPECT_EQ(digits(child), 321u);
}

TEST_F(NestedCgroups, a_program_that_may_be_overridden_gives_way_to_the_nearest) {
  const SockHook parent = declare(parent_), child = declare(child_);
  const long lone = digit(1), mine = digit(2);
  ASSERT_EQ(client_->attach(lone, at(parent_fd_, 0)), 0);
  EXPECT_EQ(client_->attach(mine, at(child_fd_)), -EPERM);
  EXPECT_EQ(client_->link(mine, at(child_fd_, 0)), -EPERM);
  EXPECT_EQ(digits(child), 1u);
  ASSERT_EQ(client_->detach(lone, at(parent_fd_, 0)), 0);
  EXPECT_FALSE(child.is_attached());
  ASSERT_EQ(client_->attach(lone, at(parent_fd_, abi::attach_flag::kAllowOverride)), 0);
  ASSERT_EQ(client_->attach(mine, at(child_fd_, 0)), 0);
  EXPECT_EQ(digits(child), 2u);
  EXPECT_EQ(digits(parent), 1u);
  ASSERT_EQ(client_->detach(mine, at(child_fd_, 0)), 0);
  EXPECT_EQ(digits(child), 1u);
}

TEST_F(NestedCgroups, whoever_is_declared_later_counts_too) {
  std::optional<SockHook> parent = declare(parent_);
  ASSERT_EQ(client_->attach(digit(1), at(parent_fd_)), 0);
  const SockHook child = declare(child_);
  EXPECT_EQ(digits(child), 1u);
  const SockHook between = declare(parent_ + "/between");
  const int between_fd = ::open((parent_ + "/between").c_str(), O_RDONLY | O_DIRECTORY);
  ASSERT_EQ(client_->attach(digit(2), at(between_fd)), 0);
  EXPECT_EQ(digits(child), 21u);
  parent.reset();
  EXPECT_EQ(digits(child), 2u);
  ::close(between_fd);
}

TEST_F(NestedCgroups, the_host_notices_that_a_host_above_was_killed) {
  const SockHook child = declare(child_);
  const long program = digit(1);
  in_a_process_that_is_killed([&] {
    const auto runtime = Runtime::open(directory_);
    static auto parent = Hook::cgroup_sock(*runtime, parent_, SockEvent::kCreate);
    return parent.has_value() && Client(*runtime).attach(program, at(parent_fd_)) == 0;
  });
  EXPECT_TRUE(child.is_attached());
  Socket socket;
  while (child.is_attached()) EXPECT_EQ(child.run(socket), 0);
}

}  // namespace
}  // namespace portolan::hook_test
