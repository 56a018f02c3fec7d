// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include <algorithm>
#include <array>

#include "api/hook_world_for_test.h"

namespace portolan::hook_test {
namespace {

constexpr std::uint32_t kIpv4 = 2, kIpv6 = 10, kLocalIn = 1, kForward = 2;

class NetfilterHooks : public Hooks {
 protected:
  Expected<NetfilterHook> declare(NetfilterFamily family = NetfilterFamily::kIpv4) {
    return Hook::netfilter(*runtime_, "/proc/self/ns/net", family, NetfilterPlace::kLocalIn);
  }
  long returning(std::int32_t verdict) {
    return client_->load(ProgType::kNetfilter, {set(0, verdict), kExit}, AttachType::kNetfilter);
  }
  long link(long program, std::int32_t priority, std::uint32_t pf = kIpv4, std::uint32_t hooknum = kLocalIn,
            std::uint32_t flags = 0) const {
    abi::Attr attr{};
    attr.link_create.prog_fd = static_cast<std::uint32_t>(program);
    attr.link_create.attach_type = static_cast<std::uint32_t>(AttachType::kNetfilter);
    attr.link_create.netfilter = {pf, hooknum, priority, flags};
    return runtime_->bpf(static_cast<int>(Command::kLinkCreate), &attr, sizeof attr);
  }
};

// An IPv4 packet, or what an Ethernet type says.
struct Frame {
  explicit Frame(int type = 0x0800) {
    bytes[12] = static_cast<std::byte>(type >> 8);
    bytes[13] = static_cast<std::byte>(type);
    bytes[14] = std::byte{0x45};
    packet.room = bytes;
    packet.size = 64;
  }
  std::array<std::byte, 512> bytes{};
  Packet packet;
};

TEST_F(NetfilterHooks, the_first_that_drops_a_packet_ends_its_way) {
  auto hook = declare();
  ASSERT_TRUE(hook) << hook.error().message();
  Frame frame;
  EXPECT_EQ(hook->run(frame.packet), NetfilterHook::kAccept);
  const long counts = client_->load_adder(ProgType::kNetfilter, sum_->fd(), 1, 1, AttachType::kNetfilter);
  ASSERT_GE(counts, 0);
  ASSERT_GE(link(counts, 10), 0);
  EXPECT_EQ(hook->run(frame.packet), NetfilterHook::kAccept);
  EXPECT_EQ(sum(), 1u);
  ASSERT_GE(link(returning(0), 11), 0);
  EXPECT_EQ(hook->run(frame.packet), NetfilterHook::kDrop);
  EXPECT_EQ(sum(), 2u);
  const long first = link(returning(0), -11);
  ASSERT_GE(first, 0);
  EXPECT_EQ(hook->run(frame.packet), NetfilterHook::kDrop);
  EXPECT_EQ(sum(), 2u);
  EXPECT_EQ(client_->detach_link(first), 0);
  EXPECT_EQ(hook->run(frame.packet), NetfilterHook::kDrop);
  EXPECT_EQ(sum(), 3u);
}

TEST_F(NetfilterHooks, take_packets_of_their_family) {
  auto hook = declare();
  ASSERT_TRUE(hook);
  ASSERT_GE(link(returning(1), 0), 0);
  Frame ipv4, ipv6(0x86dd), arp(0x0806);
  EXPECT_EQ(hook->run(ipv4.packet), NetfilterHook::kAccept);
  EXPECT_EQ(hook->run(ipv6.packet), -EINVAL);
  EXPECT_EQ(hook->run(arp.packet), -EINVAL);
  ipv4.packet.size = 20;
  EXPECT_EQ(hook->run(ipv4.packet), -EINVAL);
}

TEST_F(NetfilterHooks, a_priority_is_there_once) {
  auto hook = declare();
  ASSERT_TRUE(hook);
  const long program = returning(1);
  const long first = link(program, -5, kIpv4, kLocalIn, 1);
  ASSERT_GE(first, 0);
  EXPECT_EQ(link(program, -5), -EBUSY);
  EXPECT_GE(link(program, -6), 0);
  const abi::LinkInfo info = client_->info(first);
  EXPECT_EQ(info.type, static_cast<std::uint32_t>(abi::LinkType::kNetfilter));
  EXPECT_EQ(info.netfilter.pf, kIpv4);
  EXPECT_EQ(info.netfilter.hooknum, kLocalIn);
  EXPECT_EQ(info.netfilter.priority, -5);
  EXPECT_EQ(info.netfilter.flags, 1u);
  EXPECT_EQ(client_->update(first, returning(0)), -EOPNOTSUPP);
  EXPECT_EQ(client_->detach_link(first), 0);
  EXPECT_EQ(client_->detach_link(first), 0);
  EXPECT_GE(link(program, -5), 0);
}

TEST_F(NetfilterHooks, what_nobody_declared_is_not_there) {
  auto hook = declare();
  ASSERT_TRUE(hook);
  EXPECT_EQ(link(returning(1), 0, kIpv6), -EINVAL);
  EXPECT_EQ(link(returning(1), 0, kIpv4, kForward), -EINVAL);
}

TEST_F(NetfilterHooks, programs_see_where_a_packet_comes_from) {
  auto hook = declare();
  ASSERT_TRUE(hook);
  // Drops what comes from nowhere: R1 = ctx->state->in. The pointers are the first members after two bytes.
  const long program = client_->load(ProgType::kNetfilter,
                                     {{0x79, regs(1, 1), 0, 0},
                                      {0x79, regs(1, 1), 8, 0},
                                      set(0, 1),
                                      {0x55, regs(1), 1, 0},
                                      set(0, 0),
                                      kExit},
                                     AttachType::kNetfilter);
  if (program == -ENOENT) GTEST_SKIP() << "no BTF of the kernel";
  ASSERT_GE(program, 0);
  ASSERT_GE(link(program, 0), 0);
  Frame frame;
  EXPECT_EQ(hook->run(frame.packet, 7), NetfilterHook::kAccept);
  EXPECT_EQ(hook->run(frame.packet, 0, 7), NetfilterHook::kDrop);
}

}  // namespace
}  // namespace portolan::hook_test
