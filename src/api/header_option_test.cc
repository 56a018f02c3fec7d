// SPDX-License-Identifier: Apache-2.0
// Programs of connections read and write options of TCP headers.
#include "api/cgroup_world_for_test.h"

namespace portolan::hook_test {
namespace {

constexpr std::int32_t kLoad = 142, kStore = 143, kReserve = 144, kGetsockopt = 57;
constexpr std::uint32_t kParses = 13, kMakesRoom = 14, kWrites = 15;  // BPF_SOCK_OPS_*_HDR_OPT*_CB
constexpr std::int32_t kOfSyn = 1;

class HeaderOptions : public CgroupHooks {
 protected:
  // A TCP header with these options, and `behind` bytes behind it.
  TcpSegment segment(std::initializer_list<int> options, std::size_t behind = 0) {
    bytes_.assign(20, std::byte{0xee});
    for (const int byte : options) bytes_.push_back(static_cast<std::byte>(byte));
    const std::size_t header = bytes_.size();
    bytes_.resize(header + behind, std::byte{0xee});
    return {.bytes = bytes_, .header_size = header};
  }
  // R0 = helper(ctx, { … }, size, flags)
  static std::vector<Insn> asks(std::int32_t helper, std::int32_t word, std::int32_t size,
                                std::int32_t flags = 0, std::int32_t next = 0) {
    return {{0x62, regs(10), -16, word},
            {0x62, regs(10), -12, next},
            {0x7a, regs(10), -8, 0},
            copy(2, 10),
            add(2, -16),
            set(3, size),
            set(4, flags),
            call(helper)};
  }
  static constexpr std::int32_t option(int kind, int size, int first = 0, int second = 0) {
    return kind | size << 8 | first << 16 | second << 24;
  }
  // What R0 is at the end of a program that sees the segment.
  std::int64_t at_event(std::uint32_t op, TcpSegment* segment, std::vector<Insn> insns, int returns = 1) {
    EXPECT_TRUE(sum_->update(0, 0));
    auto hook = Hook::sock_ops(*runtime_, directory_);
    EXPECT_TRUE(hook) << hook.error().message();
    attach(ProgType::kSockOps, AttachType::kCgroupSockOps, then_add_r0(std::move(insns), returns));
    SocketOps ops{.op = op, .is_fullsock = 1};
    EXPECT_EQ(hook->run(ops, {}, segment), returns == 1 ? 0 : -EPERM);
    return static_cast<std::int64_t>(sum());
  }
  std::int64_t load(TcpSegment segment, std::int32_t word, std::int32_t size, std::int32_t flags = 0) {
    return at_event(kParses, &segment, asks(kLoad, word, size, flags));
  }
  std::string header() const {
    return {reinterpret_cast<const char*>(bytes_.data()) + 20, bytes_.size() - 20};
  }

  std::vector<std::byte> bytes_;
};

TEST_F(HeaderOptions, are_found_by_their_kind) {
  const TcpSegment packet = segment({1, 2, 4, 5, 0xb4, 1, 253, 6, 0xab, 0xcd, 7, 8, 253, 4, 0xab, 0xce});
  EXPECT_EQ(load(packet, option(2, 0), 4), 4);
  EXPECT_EQ(load(packet, option(2, 0), 2), -ENOSPC);
  EXPECT_EQ(load(packet, option(3, 0), 4), -ENOMSG);
  EXPECT_EQ(load(packet, option(253, 4, 0xab, 0xce), 4), 4);
  EXPECT_EQ(load(packet, option(253, 4, 0xab, 0xcd), 8), 6);
  EXPECT_EQ(load(packet, option(253, 4, 0xab, 0xcf), 8), -ENOMSG);
  std::vector<Insn> insns = asks(kLoad, option(2, 0), 4);
  insns.push_back({0x71, regs(0, 10), -13, 0});
  TcpSegment same = packet;
  EXPECT_EQ(at_event(kParses, &same, insns), 0xb4);
}

TEST_F(HeaderOptions, are_asked_for_as_the_kernel_wants_it) {
  const TcpSegment packet = segment({2, 4, 5, 0xb4});
  EXPECT_EQ(load(packet, option(2, 0), 1), -EINVAL);
  EXPECT_EQ(load(packet, option(2, 0), 4, 2), -EINVAL);
  EXPECT_EQ(load(packet, option(2, 4), 4), -EINVAL);  // only experiments have a size
  EXPECT_EQ(load(packet, option(2, 5), 4), -EINVAL);
  EXPECT_EQ(load(packet, option(0, 0), 4), -EINVAL);
  EXPECT_EQ(load(packet, option(1, 0), 4), -EINVAL);
  EXPECT_EQ(load(packet, option(254, 3), 4), -EINVAL);
  EXPECT_EQ(load(packet, option(254, 6), 4), -EINVAL);
  EXPECT_EQ(at_event(kParses, nullptr, asks(kLoad, option(2, 0), 4)), -EPERM);
  TcpSegment same = packet;
  EXPECT_EQ(at_event(kMakesRoom, &same, asks(kLoad, option(2, 0), 4)), -EPERM);
}

TEST_F(HeaderOptions, end_where_the_header_is_broken_or_says_so) {
  EXPECT_EQ(load(segment({3, 1, 2, 4}), option(2, 0), 4), -EFAULT);
  EXPECT_EQ(load(segment({3}), option(2, 0), 4), -EFAULT);
  EXPECT_EQ(load(segment({3, 4, 0}), option(2, 0), 4), -EFAULT);
  EXPECT_EQ(load(segment({0, 2, 4, 5, 0xb4}), option(2, 0), 4), -ENOMSG);
  EXPECT_EQ(load(segment({}), option(2, 0), 4), -ENOMSG);
  TcpSegment cut = segment({2, 4, 5, 0xb4});
  cut.header_size = 3;
  EXPECT_EQ(load(cut, option(2, 0), 4), -ENOMSG);
}

TEST_F(HeaderOptions, of_a_syn_that_was_kept_are_found_too) {
  TcpSegment packet = segment({});
  EXPECT_EQ(load(packet, option(2, 0), 4, kOfSyn), -ENOENT);
  std::vector<std::byte> syn(24, std::byte{0});
  syn[20] = std::byte{3};
  syn[21] = std::byte{3};
  packet.syn = syn;
  EXPECT_EQ(load(packet, option(3, 0), 4, kOfSyn), 3);
  EXPECT_EQ(load(packet, option(2, 0), 4, kOfSyn), -ENOMSG);
  // bpf_getsockopt(ctx, SOL_TCP, TCP_BPF_SYN, stack - 24, size)
  const auto asks_syn = [](std::int32_t name, std::int32_t size) {
    return std::vector<Insn>{set(2, 6),   set(3, name), copy(4, 10),
                             add(4, -24), set(5, size), call(kGetsockopt)};
  };
  EXPECT_EQ(at_event(kParses, &packet, asks_syn(1005, 24)), 24);
  EXPECT_EQ(at_event(kParses, &packet, asks_syn(1005, 23)), -ENOSPC);
  EXPECT_EQ(at_event(kParses, &packet, asks_syn(1006, 24)), -ENOENT);
}

TEST_F(HeaderOptions, get_room_before_they_are_written) {
  TcpSegment packet{.option_room = 10};
  const auto reserve = [](std::int32_t size, std::int32_t flags = 0) {
    return std::vector<Insn>{set(2, size), set(3, flags), call(kReserve)};
  };
  EXPECT_EQ(at_event(kMakesRoom, &packet, reserve(4)), 0);
  EXPECT_EQ(packet.option_room, 6u);
  EXPECT_EQ(at_event(kMakesRoom, &packet, reserve(7)), -ENOSPC);
  EXPECT_EQ(at_event(kMakesRoom, &packet, reserve(1)), -EINVAL);
  EXPECT_EQ(at_event(kMakesRoom, &packet, reserve(2, 1)), -EINVAL);
  EXPECT_EQ(at_event(kWrites, nullptr, reserve(2)), -EPERM);
  EXPECT_EQ(at_event(kMakesRoom, &packet, reserve(4), 0), 0);  // refused in the end
  EXPECT_EQ(packet.option_room, 6u);
}

TEST_F(HeaderOptions, are_written_behind_those_that_are_there) {
  TcpSegment packet = segment({1, 1}, 8);
  packet.option_room = 6;
  EXPECT_EQ(at_event(kWrites, &packet, asks(kStore, option(253, 4, 'a', 'b'), 4)), 0);
  EXPECT_EQ(packet.option_room, 2u);
  EXPECT_EQ(header(),
            "\1\1\375\4ab\1\1\356\356");  // no-operations in what is left of the room, and nothing behind it
  packet = segment({1, 1}, 8);
  packet.option_room = 6;
  EXPECT_EQ(at_event(kWrites, &packet, asks(kStore, option(253, 4, 'a', 'b'), 4), 0),
            0);  // refused in the end
  EXPECT_EQ(packet.option_room, 6u);
  EXPECT_EQ(header(), "\1\1\1\1\1\1\1\1\356\356");
}

TEST_F(HeaderOptions, are_written_once_and_where_there_is_room) {
  const auto store = [&](TcpSegment packet, std::int32_t word, std::int32_t size, std::uint32_t room = 6,
                         std::int32_t flags = 0) {
    packet.option_room = room;
    return at_event(kWrites, &packet, asks(kStore, word, size, flags));
  };
  EXPECT_EQ(store(segment({}, 8), option(7, 4), 4), 0);
  EXPECT_EQ(store(segment({7, 2}, 8), option(7, 4), 4), -EEXIST);
  EXPECT_EQ(store(segment({253, 4, 'a', 'b'}, 8), option(253, 4, 'a', 'b'), 4), -EEXIST);
  EXPECT_EQ(store(segment({253, 4, 'a', 'c'}, 8), option(253, 4, 'a', 'b'), 4), 0);
  EXPECT_EQ(store(segment({0}, 8), option(7, 4), 4), -ENOSPC);
  EXPECT_EQ(store(segment({7, 1}, 8), option(7, 4), 4), -EFAULT);
  EXPECT_EQ(store(segment({}, 8), option(7, 4), 4, 3), -ENOSPC);
  EXPECT_EQ(store(segment({}, 8), option(7, 5), 4), -EINVAL);
  EXPECT_EQ(store(segment({}, 8), option(7, 4), 1), -EINVAL);
  EXPECT_EQ(store(segment({}, 8), option(7, 4), 4, 6, 1), -EINVAL);
  EXPECT_EQ(store(segment({}, 8), option(1, 4), 4), -EINVAL);
  EXPECT_EQ(store(segment({}, 8), option(254, 3), 4), -EINVAL);
  TcpSegment packet = segment({}, 8);
  packet.option_room = 6;
  EXPECT_EQ(at_event(kParses, &packet, asks(kStore, option(7, 4), 4)), -EPERM);
}

TEST_F(HeaderOptions, of_a_segment_that_cannot_be_are_seen_by_nobody) {
  auto hook = Hook::sock_ops(*runtime_, directory_);
  attach(ProgType::kSockOps, AttachType::kCgroupSockOps, {set(0, 1), kExit});
  SocketOps ops{.op = kWrites, .is_fullsock = 1};
  TcpSegment packet = segment({}, 8);
  packet.option_room = 9;
  EXPECT_EQ(hook->run(ops, {}, &packet), -EINVAL);
  packet.option_room = 8;
  EXPECT_EQ(hook->run(ops, {}, &packet), 0);
  packet.header_size = 29;
  EXPECT_EQ(hook->run(ops, {}, &packet), -EINVAL);
}

TEST_F(HeaderOptions, stand_in_the_header_that_programs_see) {
  TcpSegment packet = segment({2, 4, 5, 0xb4}, 100);
  bytes_[13] = std::byte{0x12};  // SYN and ACK
  // R0 = ctx->skb_len << 16 | ctx->skb_tcp_flags << 8 | last byte of the header
  EXPECT_EQ(at_event(kParses, &packet,
                     {load32(2, 1, 208),
                      {0x67, regs(2), 0, 16},
                      load32(3, 1, 212),
                      {0x67, regs(3), 0, 8},
                      {0x4f, regs(2, 3), 0, 0},
                      load64(4, 1, 192),
                      load64(5, 1, 200),
                      set(0, 0),
                      copy(3, 4),
                      add(3, 24),
                      {0x2d, regs(3, 5), 2, 0},
                      {0x71, regs(0, 4), 23, 0},
                      {0x4f, regs(0, 2), 0, 0}}),
            124 << 16 | 0x12 << 8 | 0xb4);
}

}  // namespace
}  // namespace portolan::hook_test
