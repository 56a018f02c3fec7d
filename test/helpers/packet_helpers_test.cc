// SPDX-License-Identifier: Apache-2.0
// Random sequences of calls on packets: what they return, what they leave of the packet, and what the context
// says then, here and on the kernel.
#include <random>

#include "helper/skb.h"
#include "helper/world_for_test.h"
#include "helpers/kernel.h"

namespace portolan::helper {
namespace {

using abi::ProgType;
using Bytes = std::vector<std::byte>;

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t below(std::uint64_t end) { return engine_() % end; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  template <class T>
  T of(std::initializer_list<T> choices) {
    return choices.begin()[below(choices.size())];
  }
  std::uint64_t any() { return one_in(4) ? of<std::uint64_t>({0, 1, 0xffff, ~0ull, 1ull << 63}) : engine_(); }
  // Mostly small, now and then beyond every limit.
  std::int64_t distance() {
    if (one_in(12)) return of<std::int64_t>({4096, -4096, 65536, INT32_MAX, INT32_MIN, 16064, 15000});
    return static_cast<std::int64_t>(below(80)) - 40;
  }

 private:
  std::mt19937_64 engine_;
};

Operand context() { return {Operand::kContext, 0}; }
Operand buffer() { return {Operand::kBuffer, 0}; }
Operand scalar(std::uint64_t value) { return {Operand::kScalar, value}; }

Bytes ethernet(Dice& dice) {
  Bytes packet(dice.of<std::size_t>({64, 64, 60 + dice.below(40), 128, 1000}));
  for (std::byte& byte : packet) byte = static_cast<std::byte>(dice.below(256));
  const std::uint16_t type =
      dice.of<std::uint16_t>({0x0800, 0x0800, 0x86dd, 0x86dd, 0x8100, 0x88a8, 0x0806, 0x0100});
  const std::uint16_t inner = dice.of<std::uint16_t>({0x0800, 0x8100, 0x86dd, 0x0030});
  const auto put = [&](std::size_t at, std::uint16_t value) {
    const std::uint16_t swapped = swap16(value);
    std::memcpy(packet.data() + at, &swapped, 2);
  };
  put(12, type);
  if (is_vlan(type)) put(16, inner);
  if (type == 0x0800) packet[14] = std::byte{0x45};
  if (type == 0x86dd) packet[14] = std::byte{0x60};
  if (dice.one_in(2)) std::memset(packet.data(), 0, 6);  // to this host
  return packet;
}

std::uint64_t offset_into(Dice& dice, const Bytes& packet) {
  if (dice.one_in(10))
    return dice.of<std::uint64_t>({0xffff, 0x10000, 0x7fffffff, 0xffffffff, packet.size()});
  return dice.below(packet.size() + 8) & (dice.one_in(3) ? ~0ull : ~1ull);
}

// Shared by both kinds.
Call csum_diff(Dice& dice) {
  return {28, {buffer(), scalar(4 * dice.below(5)), buffer(), scalar(4 * dice.below(5)), scalar(dice.any())}};
}

constexpr std::uint32_t kCheckMtu = 163;

// The word of the buffer is any number, or the packet's own length is asked for.
Call check_mtu(Dice& dice) {
  return {kCheckMtu,
          {context(), scalar(dice.of<std::uint64_t>({0, 1, 1, 9999})), buffer(),
           scalar(static_cast<std::uint64_t>(dice.one_in(2) ? dice.distance() : std::int64_t{0})),
           scalar(dice.below(3))}};
}

Call xdp_call(Dice& dice, const Bytes& packet) {
  const auto by = static_cast<std::uint64_t>(dice.distance());
  switch (dice.below(9)) {
    case 0:
      return {44, {context(), scalar(by)}};
    case 1:
      return {54, {context(), scalar(dice.one_in(3) ? by : by & ~3ull)}};
    case 2:
      return {65, {context(), scalar(by)}};
    case 3:
      return {188, {context()}};
    case 4:
      return {189, {context(), scalar(offset_into(dice, packet)), buffer(), scalar(1 + dice.below(16))}};
    case 5:
      return {190, {context(), scalar(offset_into(dice, packet)), buffer(), scalar(1 + dice.below(16))}};
    case 6:
      return {23, {scalar(1), scalar(dice.below(3))}};
    case 7:
      return check_mtu(dice);
    default:
      return csum_diff(dice);
  }
}

std::uint64_t adjust_flags(Dice& dice) {
  if (dice.one_in(2)) return 0;
  std::uint64_t flags = 0;
  for (std::uint64_t n = dice.below(3); n-- > 0;) flags |= 1ull << dice.below(10);
  if (dice.one_in(4)) flags |= dice.below(40) << 56;
  return flags;
}

Call skb_call(Dice& dice, const Bytes& packet) {
  const auto by = static_cast<std::uint64_t>(dice.distance());
  const std::uint64_t field = dice.of<std::uint64_t>({0, 2, 4, 2, 4, 3, 8});
  const std::uint64_t from = field == 0 && !dice.one_in(4) ? 0 : dice.any();
  const std::uint64_t pseudo = dice.below(16) << 4;
  switch (dice.below(23)) {
    case 0:
      return {9,
              {context(), scalar(offset_into(dice, packet)), buffer(), scalar(1 + dice.below(16)),
               scalar(dice.below(5))}};
    case 1:
      return {26, {context(), scalar(offset_into(dice, packet)), buffer(), scalar(1 + dice.below(16))}};
    case 2:
      return {68,
              {context(), scalar(offset_into(dice, packet)), buffer(), scalar(1 + dice.below(16)),
               scalar(dice.below(3))}};
    case 3:
      return {
          10,
          {context(), scalar(offset_into(dice, packet)), scalar(from), scalar(dice.any()), scalar(field)}};
    case 4:
      return {11,
              {context(), scalar(offset_into(dice, packet)), scalar(from), scalar(dice.any()),
               scalar(field | pseudo)}};
    case 5:
      return {
          18,
          {context(), scalar(dice.of<std::uint64_t>({0x0081, 0xa888, 0x1234})), scalar(dice.below(65536))}};
    case 6:
      return {19, {context()}};
    case 7:
      return {31,
              {context(), scalar(dice.of<std::uint64_t>({0x0008, 0xdd86, 0x1234})), scalar(dice.one_in(8))}};
    case 8:
      return {32, {context(), scalar(dice.below(6))}};
    case 9:
      return {38, {context(), scalar(packet.size() + by), scalar(dice.one_in(8))}};
    case 10:
      return {43, {context(), scalar(dice.one_in(3) ? by : dice.below(60)), scalar(dice.one_in(8))}};
    case 11:
      return {39, {context(), scalar(offset_into(dice, packet))}};
    case 12:
      return {40, {context(), scalar(dice.any())}};
    case 13:
      return {135, {context(), scalar(dice.below(5))}};
    case 14:
      return {48, {context(), scalar(dice.any())}};
    case 15:
      return {41, {context()}};
    case 16:
      return {192, {context(), scalar(dice.below(2) * dice.any()), scalar(dice.below(4))}};
    case 17:
      return {97, {context()}};
    case 18:
    case 19:
      return {50, {context(), scalar(by), scalar(dice.below(3)), scalar(adjust_flags(dice))}};
    case 20:
      return check_mtu(dice);
    case 21:
      return dice.one_in(2) ? Call{66,
                                   {context(), scalar(dice.below(2)), buffer(), scalar(1 + dice.below(16)),
                                    scalar(dice.below(2))}}
                            : Call{13, {context(), scalar(9999), scalar(dice.below(4))}};
    default:
      return dice.one_in(2) ? csum_diff(dice) : Call{23, {scalar(1), scalar(dice.below(3))}};
  }
}

std::string describe(const Call& call) {
  std::string text = std::string(find(call.helper)->name) + "(";
  for (const Operand& operand : call.operands)
    text += operand.kind == Operand::kContext  ? "ctx, "
            : operand.kind == Operand::kBuffer ? "buffer, "
            : operand.kind == Operand::kScalar
                ? std::to_string(static_cast<std::int64_t>(operand.value)) + ", "
                : "";
  return text + ")";
}

constexpr std::uint32_t kChangeTail = 38;

bool makes_room(const std::vector<Call>& calls) {
  for (const Call& call : calls)
    if (call.helper == 43 || call.helper == 50 || call.helper == 31 || call.helper == 18) return true;
  return false;
}

class PacketHelpers : public testing::Test {
 protected:
  void SetUp() override {
    if (!kernel_.is_there()) GTEST_SKIP() << "bpf(2) of the kernel is not to be had here";
  }

  template <class Context, class Fields>
  void call_all(ProgType type, Context& here, const std::vector<Call>& calls, const Fields& fields,
                std::vector<Outcome>& outcomes) {
    helper::Run run = world_.run(type);
    run.context = &here;
    for (const Call& call : calls) {
      Outcome outcome{};
      std::memcpy(outcome.buffer, call.buffer, sizeof outcome.buffer);
      std::uint64_t words[5] = {};
      for (int i = 0; i < 5; ++i)
        words[i] = call.operands[i].kind == Operand::kContext ? reinterpret_cast<std::uintptr_t>(&here)
                   : call.operands[i].kind == Operand::kBuffer
                       ? reinterpret_cast<std::uintptr_t>(outcome.buffer)
                       : call.operands[i].value;
      outcome.result = find(call.helper)->function(run, words[0], words[1], words[2], words[3], words[4]);
      fields(here, outcome.fields);
      outcomes.push_back(outcome);
    }
  }

  static void compare(std::uint64_t seed, const std::vector<Call>& calls, const std::vector<Outcome>& kernel,
                      const std::vector<Outcome>& here, const Bytes& kernel_packet, const Bytes& packet) {
    std::string before;
    for (std::size_t i = 0; i < calls.size(); ++i) {
      before +=
          "\n  " + describe(calls[i]) + " = " + std::to_string(static_cast<std::int64_t>(kernel[i].result));
      const std::string where = "seed " + std::to_string(seed) + ", the last of" + before;
      ASSERT_EQ(static_cast<std::int64_t>(here[i].result), static_cast<std::int64_t>(kernel[i].result))
          << where;
      ASSERT_EQ(0, std::memcmp(here[i].buffer, kernel[i].buffer, sizeof here[i].buffer)) << where;
      for (int f = 0; f < 6; ++f)
        ASSERT_EQ(here[i].fields[f], kernel[i].fields[f]) << where << ", field " << f;
    }
    ASSERT_EQ(packet.size(), kernel_packet.size()) << "seed " << seed;
    for (std::size_t i = 0; i < packet.size(); ++i)
      ASSERT_EQ(packet[i], kernel_packet[i]) << "seed " << seed << ", byte " << i;
  }

  KernelForTest kernel_;
  WorldForTest world_;
};

TEST_F(PacketHelpers, of_xdp) {
  for (std::uint64_t seed = 1; seed <= 3000 && !HasFatalFailure(); ++seed) {
    Dice dice(seed);
    const Bytes packet = ethernet(dice);
    std::vector<Call> calls;
    for (std::uint64_t n = 1 + dice.below(10); n-- > 0;) {
      calls.push_back(xdp_call(dice, packet));
      for (std::uint64_t& word : calls.back().buffer) word = dice.any();
      if (calls.back().helper == kCheckMtu && dice.one_in(2)) calls.back().buffer[0] = 0;
    }
    // xdp_md: data 0, data_end 4, data_meta 8
    Bytes kernel_packet = packet;
    std::vector<Outcome> kernel, here;
    std::string log;
    ASSERT_TRUE(kernel_.run(ProgType::kXdp, calls, {{4, 0}, {0, 8}}, kernel_packet, kernel, log)) << log;
    alignas(8) std::byte page[4096] = {};
    std::memcpy(page + 256, packet.data(), packet.size());
    XdpBuff xdp{page + 256, page + 256 + packet.size(), page + 256, page, nullptr, nullptr, 4096, 0};
    call_all(
        ProgType::kXdp, xdp, calls,
        [](const XdpBuff& now, std::uint32_t* fields) {
          fields[0] = static_cast<std::uint32_t>(now.data_end - now.data);
          fields[1] = static_cast<std::uint32_t>(now.data - now.data_meta);
        },
        here);
    compare(seed, calls, kernel, here, kernel_packet, Bytes(xdp.data_meta, xdp.data_end));
  }
}

SkBuff skb_of(std::vector<std::byte>& room, const Bytes& packet) {
  constexpr std::size_t kHeadroom = 1 << 17;
  room.assign(kHeadroom + (1 << 17), std::byte{});
  std::memcpy(room.data() + kHeadroom, packet.data(), packet.size());
  SkBuff skb{};
  skb.data = skb.data_meta = skb.mac_header = room.data() + kHeadroom;
  skb.data_end = skb.data + packet.size();
  skb.head = room.data();
  skb.end = room.data() + room.size();
  skb.network_header = skb.data + 14;
  skb.len = static_cast<std::uint32_t>(packet.size());
  std::uint16_t type;
  std::memcpy(&type, packet.data() + 12, 2);
  skb.protocol = swap16(type) >= 0x0600 ? type : swap16(0x0004);
  static constexpr std::byte zeros[6] = {};
  const bool to_us = std::memcmp(packet.data(), zeros, 6) == 0;
  skb.pkt_type = to_us ? 0 : (std::to_integer<int>(packet[0]) & 1) != 0 ? 2 : 3;
  return skb;
}

class SkbHelpers : public PacketHelpers, public testing::WithParamInterface<ProgType> {};

TEST_P(SkbHelpers, of_the_network_stack) {
  const ProgType type = GetParam();
  const bool has_link_layer = type == ProgType::kSchedCls;
  for (std::uint64_t seed = 1; seed <= (has_link_layer ? 6000 : 2000) && !HasFatalFailure(); ++seed) {
    Dice dice(seed);
    const Bytes packet = ethernet(dice);
    std::vector<Call> calls;
    for (std::uint64_t n = 1 + dice.below(8); n-- > 0;) {
      Call call = skb_call(dice, packet);
      while (!is_available(*find(call.helper), type, 0)) call = skb_call(dice, packet);
      calls.push_back(call);
      // When the kernel makes room at the head, it moves a transport header that nobody has set, and takes
      // that for the least length afterwards.
      const bool is_tail = calls.back().helper == kChangeTail;
      if (is_tail && makes_room(calls)) calls.back().operands[1].value = dice.below(2) * 5000;
      for (std::uint64_t& word : calls.back().buffer) word = dice.any();
      if (calls.back().helper == kCheckMtu && dice.one_in(2)) calls.back().buffer[0] = 0;
    }
    // __sk_buff: len 0, pkt_type 4, protocol 16, vlan_present 20, vlan_tci 24, hash 68
    Bytes kernel_packet = packet;
    std::vector<Outcome> kernel, here;
    std::string log;
    ASSERT_TRUE(kernel_.run(type, calls, {{0}, {4}, {16}, {20}, {24}, {68}}, kernel_packet, kernel, log))
        << "seed " << seed << log;
    std::vector<std::byte> room;
    SkBuff skb = skb_of(room, packet);
    if (!has_link_layer) move_begin(skb, kEthernetHeader);
    call_all(
        type, skb, calls,
        [](const SkBuff& now, std::uint32_t* fields) {
          fields[0] = now.len;
          fields[1] = now.pkt_type;
          fields[2] = now.protocol;
          fields[3] = now.vlan_present;
          fields[4] = now.vlan_tci;
          fields[5] = now.hash;
        },
        here);
    Bytes left(skb.data, skb.data_end);
    if (!has_link_layer) left.insert(left.begin(), kEthernetHeader, std::byte{});
    compare(seed, calls, kernel, here, kernel_packet, left);
  }
}
INSTANTIATE_TEST_SUITE_P(Types, SkbHelpers,
                         testing::Values(ProgType::kSchedCls, ProgType::kLwtXmit, ProgType::kLwtIn,
                                         ProgType::kCgroupSkb, ProgType::kSocketFilter),
                         [](const auto& of) { return "type_" + std::to_string(static_cast<int>(of.param)); });

}  // namespace
}  // namespace portolan::helper
