// SPDX-License-Identifier: Apache-2.0
// Hooks of this program, with programs that are attached to them as any client of bpf(2) does it.
#include <fcntl.h>
#include <unistd.h>

#include <thread>

#include "api/hook_world_for_test.h"

namespace portolan::hook_test {
namespace {

TEST_F(Hooks, a_tracepoint_runs_what_is_attached_and_no_more_once_the_link_is_closed) {
  auto hook = Hook::raw_tracepoint(*runtime_, "request");
  ASSERT_TRUE(hook) << hook.error().message();
  hook->run(1, 2);
  EXPECT_FALSE(hook->is_attached());
  const long program = load_adder(ProgType::kRawTracepoint, 1);
  ASSERT_GE(program, 0);
  EXPECT_EQ(client_->open_tracepoint(program, "reply"), -ENOENT);
  const long link = client_->open_tracepoint(program, "request");
  ASSERT_GE(link, 0);
  EXPECT_TRUE(hook->is_attached());
  hook->run(1, 2);
  EXPECT_EQ(sum(), 1u);
  const long again = client_->open_tracepoint(program, "request");  // the same program, twice
  ASSERT_GE(again, 0);
  hook->run(1, 2);
  EXPECT_EQ(sum(), 3u);
  ::close(static_cast<int>(link));
  EXPECT_EQ(client_->count_links(), 1);
  hook->run(1, 2);
  EXPECT_EQ(sum(), 4u);
  ::close(static_cast<int>(again));
  EXPECT_EQ(client_->count_links(), 0);
  EXPECT_FALSE(hook->is_attached());
}

TEST_F(Hooks, programs_see_the_arguments_and_zeros_behind_them) {
  auto hook = Hook::raw_tracepoint(*runtime_, "request");
  ASSERT_TRUE(hook);
  // sum += argument[1] + argument[11]
  const long program = client_->load(ProgType::kRawTracepoint, {{0x79, regs(2, 1), 8, 0},
                                                                {0x79, regs(3, 1), 88, 0},
                                                                {0x0f, regs(2, 3), 0, 0},
                                                                {0x18, regs(1, 2), 0, sum_->fd()},
                                                                {0, 0, 0, 0},
                                                                {0xdb, regs(1, 2), 0, 0},
                                                                set(0, 0),
                                                                kExit});
  ASSERT_GE(program, 0);
  ASSERT_GE(client_->open_tracepoint(program, "request"), 0);
  hook->run(7, 40, "text");
  EXPECT_EQ(sum(), 40u);
}

TEST_F(Hooks, links_come_loose_when_the_hook_goes) {
  std::optional<PacketHook> hook;
  hook.emplace(*Hook::tcx(*runtime_, 3, TcxDirection::kIngress));
  const long program = load_adder(ProgType::kSchedCls, 1);
  const long link = client_->link(program, {3, AttachType::kTcxIngress});
  ASSERT_GE(link, 0);
  EXPECT_EQ(client_->info(link).tcx.ifindex, 3u);
  hook.reset();
  EXPECT_EQ(client_->info(link).tcx.ifindex, 0u);
  EXPECT_EQ(client_->update(link, program), -ENOLINK);
  EXPECT_EQ(client_->detach_link(link), 0);
  EXPECT_EQ(client_->link(program, {3, AttachType::kTcxIngress}), -ENODEV);
}

class Frame {
 public:
  Frame() {
    packet.room = room_;
    packet.offset = 256;
    packet.size = 64;
  }
  Packet packet;

 private:
  std::array<std::byte, 2048> room_{};
};

TEST_F(Hooks, tcx_programs_run_in_order_until_one_decides) {
  auto hook = Hook::tcx(*runtime_, 3, TcxDirection::kIngress);
  ASSERT_TRUE(hook);
  Frame frame;
  EXPECT_EQ(hook->run(frame.packet), -1);
  const long next = load_adder(ProgType::kSchedCls, 1, -1), drop = load_adder(ProgType::kSchedCls, 10, 2),
             last = load_adder(ProgType::kSchedCls, 100, 0);
  const Client::Where at{3, AttachType::kTcxIngress};
  ASSERT_EQ(client_->attach(last, at), 0);
  EXPECT_EQ(client_->attach(last, at), -EEXIST);
  ASSERT_GE(client_->link(drop, {3, AttachType::kTcxIngress, abi::attach_flag::kBefore}), 0);
  EXPECT_EQ(client_->attach(next, {3, AttachType::kTcxIngress, abi::attach_flag::kBefore,
                                   static_cast<std::uint32_t>(drop), 2}),
            -ESTALE);
  ASSERT_EQ(client_->attach(next, {3, AttachType::kTcxIngress, abi::attach_flag::kBefore,
                                   static_cast<std::uint32_t>(drop), 3}),
            0);
  EXPECT_EQ(hook->run(frame.packet), 2);
  EXPECT_EQ(sum(), 11u);
  EXPECT_EQ(client_->detach(drop, at), -EBUSY);  // attached by a link
  ASSERT_EQ(client_->detach(next, at), 0);
  EXPECT_EQ(hook->run(frame.packet), 2);
  EXPECT_EQ(sum(), 21u);
}

TEST_F(Hooks, xdp_has_one_program_which_may_move_the_packet) {
  auto hook = Hook::xdp(*runtime_, 5);
  ASSERT_TRUE(hook);
  // bpf_xdp_adjust_head(ctx, -4); XDP_TX
  const long program = client_->load(ProgType::kXdp, {set(2, -4), {0x85, 0, 0, 44}, set(0, 3), kExit});
  ASSERT_GE(program, 0);
  EXPECT_EQ(client_->link(program, {6, AttachType::kXdp}), -EINVAL);
  const long link = client_->link(program, {5, AttachType::kXdp});
  ASSERT_GE(link, 0);
  EXPECT_EQ(client_->link(program, {5, AttachType::kXdp}), -EBUSY);
  Frame frames[100];
  std::vector<Packet> packets;
  for (Frame& frame : frames) packets.push_back(frame.packet);
  packets[7].size = 13;  // shorter than its header
  std::vector<int> verdicts(packets.size());
  hook->run(packets, verdicts);
  EXPECT_EQ(verdicts[7], -EINVAL);
  EXPECT_EQ(verdicts[99], 3);
  EXPECT_EQ(packets[99].offset, 252u);
  EXPECT_EQ(packets[99].size, 68u);
  const long other = client_->load(ProgType::kXdp, {set(0, 1), kExit});
  ASSERT_EQ(client_->update(link, other), 0);
  EXPECT_EQ(hook->run(packets[0]), 1);
  ASSERT_EQ(client_->detach_link(link), 0);
  EXPECT_EQ(hook->run(packets[0]), 2);
}

TEST_F(Hooks, every_cgroup_program_must_let_a_packet_pass) {
  auto hook = Hook::cgroup_skb(*runtime_, directory_, SkbDirection::kEgress);
  ASSERT_TRUE(hook) << hook.error().message();
  const int cgroup = ::open(directory_.c_str(), O_RDONLY | O_DIRECTORY), other = ::open("/", O_RDONLY);
  const Client::Where at{static_cast<std::uint32_t>(cgroup), AttachType::kCgroupInetEgress,
                         abi::attach_flag::kAllowMulti};
  const long passes = load_adder(ProgType::kCgroupSkb, 1, 1), stops = load_adder(ProgType::kCgroupSkb, 10, 0);
  EXPECT_EQ(client_->attach(passes, {static_cast<std::uint32_t>(other), AttachType::kCgroupInetEgress}),
            -EBADF);
  Frame frame;
  ASSERT_EQ(client_->attach(passes, at), 0);
  EXPECT_EQ(hook->run(frame.packet), 0);
  ASSERT_EQ(client_->attach(stops, at), 0);
  EXPECT_EQ(hook->run(frame.packet), -EPERM);
  EXPECT_EQ(sum(), 12u);
  ASSERT_EQ(client_->detach(stops, {at.target, at.type}), 0);
  EXPECT_EQ(hook->run(frame.packet), 0);
  ::close(cgroup);
  ::close(other);
}

TEST_F(Hooks, cgroup_programs_do_not_see_each_other_s_cb) {
  auto hook = Hook::cgroup_skb(*runtime_, directory_, SkbDirection::kIngress);
  ASSERT_TRUE(hook);
  const int cgroup = ::open(directory_.c_str(), O_RDONLY | O_DIRECTORY);
  const Client::Where at{static_cast<std::uint32_t>(cgroup), AttachType::kCgroupInetIngress,
                         abi::attach_flag::kAllowMulti};
  // sum += ++skb->cb[0]; return 1
  const std::vector<Insn> insns = {{0x61, regs(2, 1), 48, 0},
                                   {0x07, regs(2), 0, 1},
                                   {0x63, regs(1, 2), 48, 0},
                                   {0x18, regs(1, 2), 0, sum_->fd()},
                                   {0, 0, 0, 0},
                                   {0xdb, regs(1, 2), 0, 0},
                                   set(0, 1),
                                   kExit};
  for (int i = 0; i < 2; ++i) ASSERT_EQ(client_->attach(client_->load(ProgType::kCgroupSkb, insns), at), 0);
  Frame frame;
  EXPECT_EQ(hook->run(frame.packet), 0);
  EXPECT_EQ(sum(), 2u);
  ::close(cgroup);
}

TEST_F(Hooks, egress_programs_of_a_cgroup_may_ask_for_a_notice_of_congestion) {
  auto hook = Hook::cgroup_skb(*runtime_, directory_, SkbDirection::kEgress);
  ASSERT_TRUE(hook);
  const int cgroup = ::open(directory_.c_str(), O_RDONLY | O_DIRECTORY);
  constexpr int kDrop = 1, kCongested = 2;
  const std::pair<int, int> cases[] = {{0, -EPERM}, {1, 0}, {2, kDrop}, {3, kCongested}};
  for (const auto& [returned, verdict] : cases) {
    const long program =
        client_->load(ProgType::kCgroupSkb, {set(0, returned), kExit}, AttachType::kCgroupInetEgress);
    ASSERT_EQ(client_->attach(program, {static_cast<std::uint32_t>(cgroup), AttachType::kCgroupInetEgress}),
              0);
    Frame frame;
    EXPECT_EQ(hook->run(frame.packet), verdict) << returned;
  }
  ::close(cgroup);
}

TEST_F(Hooks, a_cgroup_s_devices_are_guarded) {
  auto hook = Hook::cgroup_device(*runtime_, directory_);
  ASSERT_TRUE(hook);
  const int cgroup = ::open(directory_.c_str(), O_RDONLY | O_DIRECTORY);
  // Whether the major number is 7.
  const long program =
      client_->load(ProgType::kCgroupDevice,
                    {{0x61, regs(2, 1), 4, 0}, set(0, 1), {0x15, regs(2), 1, 7}, set(0, 0), kExit});
  ASSERT_GE(program, 0);
  EXPECT_EQ(hook->run(2 << 16 | 1, 8, 0), 0);
  ASSERT_EQ(client_->attach(program, {static_cast<std::uint32_t>(cgroup), AttachType::kCgroupDevice}), 0);
  EXPECT_EQ(hook->run(2 << 16 | 1, 8, 0), -EPERM);
  EXPECT_EQ(hook->run(2 << 16 | 1, 7, 0), 0);
  ::close(cgroup);
}

TEST_F(Hooks, two_processes_that_declare_a_hook_have_the_same) {
  auto mine = Hook::raw_tracepoint(*runtime_, "request");
  auto same = Hook::raw_tracepoint(*Runtime::open(directory_), "request");
  ASSERT_TRUE(mine && same);
  ASSERT_GE(client_->open_tracepoint(load_adder(ProgType::kRawTracepoint, 1), "request"), 0);
  mine->run();
  same->run();
  EXPECT_EQ(sum(), 2u);
}

TEST_F(Hooks, the_host_notices_that_a_link_s_owner_was_killed) {
  auto hook = Hook::raw_tracepoint(*runtime_, "request");
  ASSERT_TRUE(hook);
  in_a_process_that_is_killed([&] {
    const auto runtime = Runtime::open(directory_);
    const Client client(*runtime);
    return client.open_tracepoint(client.load_adder(ProgType::kRawTracepoint, sum_->fd(), 1, 0), "request") >=
           0;
  });
  EXPECT_TRUE(hook->is_attached());
  while (hook->is_attached()) hook->run();
  EXPECT_GT(sum(), 0u);
  EXPECT_EQ(client_->count_links(), 0);
}

TEST_F(Hooks, a_killed_host_s_hook_is_there_no_more) {
  in_a_process_that_is_killed([&] {
    const auto runtime = Runtime::open(directory_);
    static auto hook = Hook::raw_tracepoint(*runtime, "request");
    return hook.has_value();
  });
  EXPECT_EQ(client_->open_tracepoint(load_adder(ProgType::kRawTracepoint, 1), "request"), -ENOENT);
}

TEST_F(Hooks, a_detached_program_does_not_run_any_more) {
  auto hook = Hook::tcx(*runtime_, 3, TcxDirection::kEgress);
  ASSERT_TRUE(hook);
  const long program = load_adder(ProgType::kSchedCls, 1, -1);
  const Client::Where at{3, AttachType::kTcxEgress};
  std::vector<std::jthread> threads;
  for (int i = 0; i < 2; ++i)
    threads.emplace_back([&](const std::stop_token& stop) {
      Frame frame;
      while (!stop.stop_requested()) hook->run(frame.packet);
    });
  for (int round = 0; round < 200; ++round) {
    ASSERT_EQ(client_->attach(program, at), 0);
    const long link = client_->link(load_adder(ProgType::kSchedCls, 1, -1), at);
    ASSERT_GE(link, 0);
    if (round % 2 == 0) {
      EXPECT_EQ(client_->detach_link(link), 0);
    }
    ::close(static_cast<int>(link));
    EXPECT_EQ(client_->count_links(), 0);
    ASSERT_EQ(client_->detach(program, at), 0);
    const std::uint64_t before = sum();
    std::this_thread::yield();
    EXPECT_EQ(sum(), before);
  }
}

TEST_F(Hooks, a_program_asks_for_the_cookie_of_the_link_that_runs_it) {
  auto hook = Hook::raw_tracepoint(*runtime_, "request");
  ASSERT_TRUE(hook);
  // sum += bpf_get_attach_cookie(ctx)
  const long program = client_->load(ProgType::kRawTracepoint, {{0x85, 0, 0, 174},
                                                                {0x18, regs(1, 2), 0, sum_->fd()},
                                                                {0, 0, 0, 0},
                                                                {0xdb, regs(1, 0), 0, 0},
                                                                set(0, 0),
                                                                kExit});
  ASSERT_GE(program, 0);
  const long link = client_->open_tracepoint(program, "request", 40);
  ASSERT_GE(link, 0);
  EXPECT_EQ(client_->info(link).raw_tracepoint.cookie, 40u);
  ASSERT_GE(client_->open_tracepoint(program, "request", 2), 0);
  hook->run();
  EXPECT_EQ(sum(), 42u);
}

TEST_F(Hooks, a_namespace_s_lookups_pass_unless_a_program_drops_them) {
  auto hook = Hook::sk_lookup(*runtime_, "/proc/self/ns/net");
  ASSERT_TRUE(hook) << hook.error().message();
  const int netns = ::open("/proc/self/ns/net", O_RDONLY);
  const Client::Where at{static_cast<std::uint32_t>(netns), AttachType::kSkLookup};
  EXPECT_EQ(hook->run({}), 1);
  const long passes = client_->load(ProgType::kSkLookup, {set(0, 1), kExit}, AttachType::kSkLookup);
  const long drops = client_->load(ProgType::kSkLookup, {set(0, 0), kExit}, AttachType::kSkLookup);
  ASSERT_GE(client_->link(passes, at), 0);
  EXPECT_EQ(hook->run({}), 1);
  const long link = client_->link(drops, at);
  ASSERT_GE(link, 0);
  EXPECT_EQ(hook->run({}), 0);
  ASSERT_EQ(client_->update(link, passes), 0);
  EXPECT_EQ(hook->run({}), 1);
  ::close(netns);
}

TEST_F(Hooks, a_flow_dissector_says_where_headers_are) {
  auto hook = Hook::flow_dissector(*runtime_, "/proc/self/ns/net");
  ASSERT_TRUE(hook) << hook.error().message();
  Frame frame;
  std::array<std::byte, sizeof(std::uint16_t) * 2> offsets{};
  EXPECT_EQ(hook->run(frame.packet, offsets), 129);
  // keys->thoff = 34; BPF_OK
  const long program = client_->load(ProgType::kFlowDissector,
                                     {{0x79, regs(1, 1), 144, 0}, {0x6a, regs(1), 2, 34}, set(0, 0), kExit});
  ASSERT_GE(program, 0);
  ASSERT_EQ(client_->attach(program, {0, AttachType::kFlowDissector}), 0);
  EXPECT_EQ(hook->run(frame.packet, offsets), 0);
  EXPECT_EQ(offsets[0], std::byte{14});
  EXPECT_EQ(offsets[2], std::byte{34});
}

TEST_F(Hooks, in_a_burst_runs_are_as_ever) {
  auto hook = Hook::raw_tracepoint(*runtime_, "request");
  ASSERT_TRUE(hook);
  ASSERT_GE(client_->open_tracepoint(load_adder(ProgType::kRawTracepoint, 1), "request"), 0);
  {
    auto burst = Burst::begin(*runtime_);
    ASSERT_TRUE(burst);
    for (int i = 0; i < 10; ++i) hook->run(i);
  }
  hook->run();
  EXPECT_EQ(sum(), 11u);
}

// What a signal handler runs, in the middle of a run on the same thread.
const Tracepoint* run_by_handler = nullptr;

TEST_F(Hooks, a_run_in_a_signal_handler_takes_nothing_from_the_one_it_interrupts) {
  auto outer = Hook::raw_tracepoint(*runtime_, "outer"), inner = Hook::raw_tracepoint(*runtime_, "inner");
  ASSERT_TRUE(outer && inner);
  // bpf_send_signal_thread(how); sum += bpf_get_attach_cookie(ctx)
  const auto signals = [&](std::int32_t how) {
    return client_->load(ProgType::kRawTracepoint, {{0xbf, regs(6, 1), 0, 0},
                                                    set(1, how),
                                                    {0x85, 0, 0, 117},
                                                    {0xbf, regs(1, 6), 0, 0},
                                                    {0x85, 0, 0, 174},
                                                    {0x18, regs(1, 2), 0, sum_->fd()},
                                                    {0, 0, 0, 0},
                                                    {0xdb, regs(1, 0), 0, 0},
                                                    set(0, 0),
                                                    kExit});
  };
  ASSERT_GE(client_->open_tracepoint(signals(SIGUSR1), "outer", 40), 0);
  ASSERT_GE(client_->open_tracepoint(signals(0), "inner", 2), 0);
  inner->run();  // a handler may allocate nothing, as the first run does
  run_by_handler = &*inner;
  struct ::sigaction handler{}, before{};
  handler.sa_handler = [](int) {
    const int error = errno;
    run_by_handler->run();
    errno = error;
  };
  ASSERT_EQ(::sigaction(SIGUSR1, &handler, &before), 0);
  {
    const auto burst = Burst::begin(*runtime_);
    outer->run();
  }
  outer->run();
  ::sigaction(SIGUSR1, &before, nullptr);
  EXPECT_EQ(sum(), 86u);
}

TEST_F(Hooks, runs_are_counted_while_anybody_has_statistics_on) {
  auto hook = Hook::raw_tracepoint(*runtime_, "request");
  ASSERT_TRUE(hook);
  const long program = load_adder(ProgType::kRawTracepoint, 1);
  ASSERT_GE(client_->open_tracepoint(program, "request"), 0);
  hook->run();
  EXPECT_EQ(client_->program_info(program).run_cnt, 0u);
  const int statistics = static_cast<int>(client_->switch_statistics_on());
  ASSERT_GE(statistics, 0);
  hook->run();
  hook->run();
  EXPECT_EQ(client_->program_info(program).run_cnt, 2u);
  EXPECT_GT(client_->program_info(program).run_time_ns, 0u);
  ::close(statistics);
  std::uint64_t before;
  do {  // off is noticed at the next tick
    before = client_->program_info(program).run_cnt;
    hook->run();
  } while (client_->program_info(program).run_cnt != before);
  const std::uint64_t counted = client_->program_info(program).run_cnt;
  in_a_process_that_is_killed([&] { return client_->switch_statistics_on() >= 0; });
  hook->run();
  EXPECT_EQ(client_->program_info(program).run_cnt, counted);
  EXPECT_GE(client_->switch_statistics_on(), 0);
  hook->run();
  EXPECT_EQ(client_->program_info(program).run_cnt, counted + 1);
}

TEST_F(Hooks, the_kernel_s_hooks_are_not_declared) {
  const auto hook = Hook::xdp(Runtime::kernel(), 1);
  ASSERT_FALSE(hook);
  EXPECT_EQ(hook.error().code(), EOPNOTSUPP);
}

}  // namespace
}  // namespace portolan::hook_test
