// SPDX-License-Identifier: Apache-2.0
// Packets, without a kernel to ask: what must hold whatever a program asks for. The answers themselves are
// compared by test/helpers.
#include <random>

#include "helper/dynptr.h"
#include "helper/functions.h"
#include "helper/skb.h"
#include "helper/world_for_test.h"

namespace portolan::helper {
namespace {

constexpr std::size_t kFrame = 4096;
constexpr std::size_t kGuard = 64;  // around the frame; nobody may write there
constexpr std::byte kUntouched{0xa5};

class Frame {
 public:
  Frame() : bytes_(kFrame + 2 * kGuard, kUntouched) { std::memset(begin(), 1, kFrame); }
  std::byte* begin() { return bytes_.data() + kGuard; }
  std::byte* end() { return begin() + kFrame; }
  bool is_intact() const {
    for (std::size_t i = 0; i < kGuard; ++i)
      if (bytes_[i] != kUntouched || bytes_[bytes_.size() - 1 - i] != kUntouched) return false;
    return true;
  }

 private:
  std::vector<std::byte> bytes_;
};

class Packets : public testing::Test {
 protected:
  std::uint64_t any() {
    switch (dice_() % 6) {
      case 0:
        return dice_();
      case 1:
        return 0 - dice_() % 5000;
      default:
        return dice_() % 5000;
    }
  }
  std::mt19937_64 dice_{7};
  WorldForTest world_;
  std::uint64_t buffer_[64] = {};
};

const char* const kXdpHelpers[] = {"xdp_adjust_head", "xdp_adjust_tail", "xdp_adjust_meta",
                                   "xdp_get_buff_len"};

TEST_F(Packets, of_xdp_stay_in_their_frame) {
  for (int round = 0; round < 20'000; ++round) {
    Frame frame;
    XdpBuff xdp{frame.begin() + 256,
                frame.begin() + 256 + 14 + dice_() % 2000,
                frame.begin() + 256,
                frame.begin(),
                nullptr,
                nullptr,
                kFrame,
                0};
    for (int i = 0; i < 8; ++i) {
      if (dice_() % 3 == 0) {
        const char* const name = dice_() % 2 == 0 ? "xdp_load_bytes" : "xdp_store_bytes";
        world_.call_from(abi::ProgType::kXdp, name, &xdp, any(), buffer_, 1 + dice_() % sizeof buffer_);
      } else {
        world_.call_from(abi::ProgType::kXdp, kXdpHelpers[dice_() % 4], &xdp, any());
      }
      ASSERT_LE(frame.begin() + kXdpFrameBytes, xdp.data_meta);
      ASSERT_LE(xdp.data_meta, xdp.data);
      ASSERT_LE(xdp.data + 14, xdp.data_end);
      ASSERT_LE(xdp.data_end, frame.end() - kSharedInfoBytes);
    }
    ASSERT_TRUE(frame.is_intact());
  }
}

TEST_F(Packets, of_several_pieces_stay_in_them) {
  constexpr std::uint32_t kPage = XdpFragments::kPageBytes;
  for (int round = 0; round < 5'000; ++round) {
    Frame frame, page[2];
    XdpFragments fragments{};
    for (Frame& one : page) {
      fragments.of[fragments.count++] = {one.begin(), 0, 1 + static_cast<std::uint32_t>(dice_() % kPage)};
      fragments.bytes += fragments.of[fragments.count - 1].size;
    }
    XdpBuff xdp{};
    xdp.data_hard_start = frame.begin();
    xdp.data = xdp.data_meta = frame.begin() + 256;
    xdp.data_end = xdp.data + 14 + dice_() % 2000;
    xdp.frame_sz = kFrame;
    xdp.fragments = &fragments;
    helper::Run run = world_.run(abi::ProgType::kXdp);
    for (int i = 0; i < 8; ++i) {
      switch (dice_() % 4) {
        case 0:
          functions::xdp_pull_data(run, reinterpret_cast<std::uintptr_t>(&xdp), any(), 0, 0, 0);
          break;
        case 1:
          world_.call_from(abi::ProgType::kXdp, "xdp_load_bytes", &xdp, any(), buffer_,
                           1 + dice_() % sizeof buffer_);
          break;
        case 2:
          world_.call_from(abi::ProgType::kXdp, "xdp_store_bytes", &xdp, any(), buffer_,
                           1 + dice_() % sizeof buffer_);
          break;
        default:
          world_.call_from(abi::ProgType::kXdp, kXdpHelpers[dice_() % 4], &xdp, any());
      }
      ASSERT_LE(frame.begin() + kXdpFrameBytes, xdp.data_meta);
      ASSERT_LE(xdp.data_meta, xdp.data);
      ASSERT_LE(xdp.data, xdp.data_end);
      ASSERT_LE(xdp.data_end, frame.end() - kSharedInfoBytes);
      std::uint32_t bytes = 0;
      for (std::uint32_t n = 0; n < fragments.count; ++n) {
        const XdpFragment& one = fragments.of[n];
        ASSERT_NE(0u, one.size);
        ASSERT_LE(one.offset + one.size, kPage);
        bytes += one.size;
      }
      ASSERT_EQ(bytes, fragments.bytes);
    }
    ASSERT_TRUE(frame.is_intact() && page[0].is_intact() && page[1].is_intact());
  }
}

TEST_F(Packets, that_are_longer_than_a_dynptr_can_say_are_seen_by_their_first_bytes) {
  SkBuff skb{};
  const Dynptr dynptr = Dynptr::of(Dynptr::Kind::kSkb, &skb, 0x3000'0000);
  EXPECT_EQ(Dynptr::Kind::kSkb, dynptr.kind());
  EXPECT_EQ(Dynptr::kMost, dynptr.size());
}

TEST_F(Packets, without_metadata_have_none) {
  Frame frame;
  XdpBuff xdp{frame.begin() + 256,
              frame.begin() + 356,
              frame.begin() + 257,
              frame.begin(),
              nullptr,
              nullptr,
              kFrame,
              0};
  EXPECT_EQ(world_.call_from(abi::ProgType::kXdp, "xdp_adjust_meta", &xdp, -4), -kEnotsupp);
  EXPECT_EQ(world_.call_from(abi::ProgType::kXdp, "xdp_adjust_head", &xdp, -16), 0);
  EXPECT_EQ(xdp.data_meta, xdp.data + 1);
}

struct SkbCall {
  const char* name;
  int buffer;  // the argument that is memory, with its size behind; 0: none
};
const SkbCall kSkbCalls[] = {
    {"skb_store_bytes", 3},  {"skb_load_bytes", 3},   {"skb_load_bytes_relative", 3},
    {"l3_csum_replace", 0},  {"l4_csum_replace", 0},  {"skb_vlan_push", 0},
    {"skb_vlan_pop", 0},     {"skb_change_proto", 0}, {"skb_change_tail", 0},
    {"skb_change_head", 0},  {"skb_adjust_room", 0},  {"skb_adjust_room", 0},
    {"skb_pull_data", 0},    {"skb_ecn_set_ce", 0},   {"get_hash_recalc", 0},
    {"set_hash_invalid", 0},
};

TEST_F(Packets, of_the_stack_stay_in_their_room) {
  const std::uint16_t types[] = {kProtocolIpv4, kProtocolIpv6, kProtocolVlan, 0x0806};
  for (int round = 0; round < 20'000; ++round) {
    Frame frame;
    const std::size_t headroom_bytes = dice_() % 600, size = 14 + dice_() % 100;
    SkBuff skb{};
    skb.head = frame.begin();
    skb.end = frame.end() - (dice_() % 2 == 0 ? kFrame - headroom_bytes - size : 0);  // no room, or much
    skb.data = skb.data_meta = skb.mac_header = frame.begin() + headroom_bytes;
    skb.data_end = skb.data + size;
    skb.network_header = skb.data + 14;
    skb.len = static_cast<std::uint32_t>(size);
    set_protocol(skb, types[dice_() % 4]);
    for (int i = 0; i < 10; ++i) {
      const SkbCall& one = kSkbCalls[dice_() % std::size(kSkbCalls)];
      std::uint64_t words[4] = {any(), any(), dice_() % 4, dice_() % 3 == 0 ? dice_() % 512 : 0};
      if (std::string(one.name) == "skb_change_proto") words[0] = swap16(types[dice_() % 2]), words[1] = 0;
      if (std::string(one.name) == "skb_adjust_room")
        words[1] = dice_() % 2, words[2] = dice_() % 4 == 0 ? 1u << dice_() % 9 : 0;
      if (std::string(one.name) == "skb_change_tail" || std::string(one.name) == "skb_change_head")
        words[1] = 0;
      if (one.buffer == 3) {
        words[1] = reinterpret_cast<std::uintptr_t>(buffer_);
        words[2] = 1 + dice_() % sizeof buffer_;
      }
      world_.call_from(abi::ProgType::kSchedCls, one.name, &skb, words[0], words[1], words[2], words[3]);
      ASSERT_LE(skb.head, skb.data) << one.name;
      ASSERT_LE(skb.data, skb.data_end) << one.name;
      ASSERT_LE(skb.data_end, skb.end) << one.name;
      ASSERT_LE(skb.data, skb.network_header) << one.name;
      ASSERT_LE(skb.network_header, skb.data_end) << one.name;
      ASSERT_EQ(skb.mac_header, skb.data) << one.name;
      ASSERT_EQ(skb.len, length_of(skb)) << one.name;
    }
    ASSERT_TRUE(frame.is_intact());
    for (std::byte* at = skb.end; at < frame.end(); ++at) ASSERT_EQ(*at, std::byte{1});
  }
}

TEST_F(Packets, keep_what_is_said_of_their_tunnel) {
  SkBuff skb{};
  const auto call = [&](const char* name, void* memory, std::uint64_t size, std::uint64_t flags) {
    return static_cast<std::int64_t>(world_.call_from(
        abi::ProgType::kSchedCls, name, &skb, reinterpret_cast<std::uintptr_t>(memory), size, flags, 0));
  };
  struct Key {  // struct bpf_tunnel_key
    std::uint32_t id = 7, remote[4] = {1, 2, 3, 4};
    std::uint8_t tos = 5, ttl = 6;
    std::uint16_t flags = 0;
    std::uint32_t label = 0, local[4] = {8, 9, 10, 11};
  } said, found;
  constexpr std::uint64_t kIpv6 = 1, kNoSuchFlag = 1 << 7;
  EXPECT_EQ(-EINVAL, call("skb_get_tunnel_key", &found, sizeof found, 0));
  EXPECT_EQ(0u, found.id);
  EXPECT_EQ(-EINVAL, call("skb_set_tunnel_key", &said, sizeof said, kNoSuchFlag));
  ASSERT_EQ(0, call("skb_set_tunnel_key", &said, sizeof said, kIpv6));
  EXPECT_EQ(-EPROTO, call("skb_get_tunnel_key", &found, sizeof found, 0));
  ASSERT_EQ(0, call("skb_get_tunnel_key", &found, sizeof found, kIpv6));
  EXPECT_EQ(7u, found.id);
  EXPECT_EQ(8u, found.remote[0]);  // of a packet from there: its source
  EXPECT_EQ(4u, found.local[3]);

  std::uint32_t options[64] = {1, 2, 3};
  EXPECT_EQ(-ENOENT, call("skb_get_tunnel_opt", options, sizeof options, 0));
  options[0] = 1;
  EXPECT_EQ(-EINVAL, call("skb_set_tunnel_opt", options, 3, 0));
  EXPECT_EQ(-ENOMEM, call("skb_set_tunnel_opt", options, sizeof options, 0));
  ASSERT_EQ(0, call("skb_set_tunnel_opt", options, 252, 0));
  options[0] = options[63] = 9;
  EXPECT_EQ(252, call("skb_get_tunnel_opt", options, sizeof options, 0));
  EXPECT_EQ(1u, options[0]);
  EXPECT_EQ(0u, options[63]);
  EXPECT_EQ(-ENOMEM, call("skb_get_tunnel_opt", options, 8, 0));
}

}  // namespace
}  // namespace portolan::helper
