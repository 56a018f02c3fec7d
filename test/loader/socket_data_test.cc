// SPDX-License-Identifier: Apache-2.0
// Programs that look at what sockets send and receive, run by a host.
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <algorithm>
#include <portolan/portolan.hpp>
#include <string>

namespace portolan {
namespace {

constexpr std::uint32_t kDrop = 0, kPass = 1;
constexpr std::uint32_t kEstablished = 1;

class SocketData : public ::testing::Test {
 protected:
  void SetUp() override {
    auto runtime = Runtime::create_private();
    ASSERT_TRUE(runtime) << runtime.error().message();
    auto object = Object::load(*runtime, OBJECTS "/sockets.bpf.o");
    ASSERT_TRUE(object) << object.error().message();
    object_.emplace(std::move(*object));
  }
  const Program& program(const char* name) const { return *object_->program(name); }
  // A packet with `text` in it, with room before and behind.
  Packet packet(std::string_view text, std::size_t behind = 8) {
    room_.assign(16 + text.size() + behind, std::byte{0xa5});
    std::ranges::copy(std::as_bytes(std::span(text)), room_.begin() + 16);
    return {.room = room_, .offset = 16, .size = text.size()};
  }
  static std::string text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  static std::string text_of(const Packet& packet) {
    return text_of(packet.room.subspan(packet.offset, packet.size));
  }
  static std::string text_of(const Message& message) {
    std::string text;
    for (std::size_t i = 0; i < message.piece_count; ++i) text += text_of(message.pieces[i].bytes);
    return text;
  }
  // What a program makes of one.
  template <class Data>
  std::uint32_t run(const char* name, Data& data, const Socket& socket) const {
    std::uint32_t result = ~0u;
    const auto ran = program(name).run({&data, 1}, {&result, 1}, socket);
    EXPECT_TRUE(ran) << ran.error().message();
    return result;
  }
  template <class Data>
  int error_of(const char* name, Data data, const Socket& socket = {}) const {
    std::uint32_t result = 0;
    const auto ran = program(name).run({&data, 1}, {&result, 1}, socket);
    return ran ? 0 : ran.error().code();
  }

  std::optional<Object> object_;
  std::vector<std::byte> room_;
};

constexpr Socket kTcp{.family = AF_INET,
                      .type = SOCK_STREAM,
                      .protocol = IPPROTO_TCP,
                      .local_port = 80,
                      .remote_port = 0x901f /* 8080 */,
                      .state = kEstablished};

TEST_F(SocketData, a_stream_parser_tells_how_long_a_message_is) {
  Packet some = packet(std::string_view("\0", 1)), more = packet(std::string_view("\1\2abc", 5));
  EXPECT_EQ(run("message_length", some, kTcp), 0u);
  EXPECT_EQ(run("message_length", more, kTcp), 2u + 0x102);
  EXPECT_EQ(text_of(more), "\1\2abc");
}

TEST_F(SocketData, a_stream_verdict_changes_what_came_in) {
  Packet data = packet(std::string_view("\0\3abc", 5));
  EXPECT_EQ(run("take_length_off", data, kTcp), kPass);
  EXPECT_EQ(text_of(data), "abc\3");
  EXPECT_EQ(data.priority, 80u);
  data = packet(std::string_view("\0\3abc", 5), 0);  // nothing can be put behind it
  EXPECT_EQ(run("take_length_off", data, kTcp), kDrop);
  data = packet(std::string_view("\0\3abc", 5), 1);
  EXPECT_EQ(run("take_length_off", data, kTcp), kPass);
  data = packet(std::string_view("\0\3abc", 5));
  Socket other = kTcp;
  other.remote_port = 0;
  EXPECT_EQ(run("take_length_off", data, other), kDrop);
}

TEST_F(SocketData, the_kernel_loads_the_same_programs) {
  const Runtime kernel = Runtime::kernel();
  if (!Array<std::uint64_t>::create(kernel, 1)) GTEST_SKIP() << "the kernel's bpf(2) is not to be had here";
  const auto object = Object::load(kernel, OBJECTS "/sockets.bpf.o");
  EXPECT_TRUE(object) << object.error().message();
}

TEST_F(SocketData, many_are_run_at_once) {
  std::vector<std::byte> room(200 * 8, std::byte{1});
  std::vector<Packet> data;
  for (std::size_t i = 0; i < 200; ++i)
    data.push_back({.room = std::span(room).subspan(i * 8, 8), .size = i % 2 + 1});
  std::vector<std::uint32_t> results(200);
  ASSERT_TRUE(program("message_length").run(data, results, kTcp));
  for (std::size_t i = 0; i < 200; ++i) EXPECT_EQ(results[i], i % 2 == 0 ? 0u : 2u + 0x101) << i;
}

class SentMessages : public SocketData {
 protected:
  Message message(std::initializer_list<std::string_view> pieces, std::size_t room) {
    texts_.assign(pieces.begin(), pieces.end());
    room_.assign(room, std::byte{0xa5});
    Message message{.room = room_};
    for (std::string& text : texts_)
      message.pieces[message.piece_count++].bytes = std::as_writable_bytes(std::span(text));
    return message;
  }
  std::vector<std::string> texts_;
};

TEST_F(SentMessages, get_a_header_in_a_piece_of_its_own) {
  Message one = message({"hello", " world"}, 16);
  EXPECT_EQ(run("put_length_on", one, kTcp), kPass);
  EXPECT_EQ(text_of(one), std::string("\0\13yello world", 13));
  EXPECT_EQ(one.piece_count, 3u);
  EXPECT_EQ(one.pieces[1].bytes.data(), static_cast<void*>(texts_[0].data()));  // where the host has it
  EXPECT_EQ(one.room.size(), 14u);
  EXPECT_EQ(one.apply_bytes, 0u);
}

TEST_F(SentMessages, that_lie_in_several_pieces_are_pulled_together) {
  Message one = message({"a", "", "bc", "def"}, 8);
  EXPECT_EQ(run("put_length_on", one, kTcp), kPass);
  EXPECT_EQ(text_of(one), std::string("\0\6ybcdef", 8));
  EXPECT_EQ(texts_[0], "a");
  EXPECT_EQ(one.piece_count, 2u);
  one = message({"a", "bcd"}, 3);  // too little room
  EXPECT_EQ(run("put_length_on", one, kTcp), kDrop);
  EXPECT_EQ(text_of(one), "abcd");
}

TEST_F(SentMessages, that_are_shared_are_not_written) {
  Message one = message({"abcdef"}, 8);
  one.pieces[0].is_shared = true;
  EXPECT_EQ(run("put_length_on", one, kTcp), kPass);
  EXPECT_EQ(text_of(one), std::string("\0\6ybcdef", 8));
  EXPECT_EQ(texts_[0], "abcdef");
}

TEST_F(SentMessages, wait_for_more_or_are_judged_in_part) {
  Message one = message({"abc"}, 0);
  EXPECT_EQ(run("put_length_on", one, kTcp), kPass);
  EXPECT_EQ(one.cork_bytes, 4u);
  const std::string text(1001, 'a');
  Message another = message({text}, 2);
  EXPECT_EQ(run("put_length_on", another, kTcp), kPass);
  EXPECT_EQ(another.apply_bytes, 1000u);
  EXPECT_EQ(another.cork_bytes, 0u);
}

TEST_F(SentMessages, are_dropped) {
  Message one = message({"abcx"}, 8);
  EXPECT_EQ(run("put_length_on", one, kTcp), kDrop);
  one = message({"abcd"}, 8);
  EXPECT_EQ(run("put_length_on", one, {}), kDrop);  // not of TCP
}

class ReuseportPackets : public SocketData {
 protected:
  // From an Ethernet header on: UDP over IPv4, of one byte.
  ReuseportPacket packet_to(std::uint16_t port, char byte) {
    room_.assign(14 + 20 + 9, std::byte{0});
    room_[14 + 9] = std::byte{IPPROTO_UDP};
    room_[14 + 20 + 2] = static_cast<std::byte>(port >> 8);
    room_[14 + 20 + 3] = static_cast<std::byte>(port & 0xff);
    room_.back() = static_cast<std::byte>(byte);
    return {.bytes = room_, .hash = 7};
  }
  const Socket udp_{.family = AF_INET, .type = SOCK_DGRAM, .protocol = IPPROTO_UDP, .local_port = 53};
};

TEST_F(ReuseportPackets, are_seen_from_their_transport_header_on) {
  const auto verdict = [&](const ReuseportPacket& packet, const Socket& socket) {
    return run("choose", packet, socket);
  };
  EXPECT_EQ(verdict(packet_to(53, 'a'), udp_), kPass);
  EXPECT_EQ(verdict(packet_to(54, 'a'), udp_), kDrop);
  EXPECT_EQ(verdict(packet_to(53, 'x'), udp_), kDrop);
  ReuseportPacket other = packet_to(53, 'a');
  other.hash = 8;
  EXPECT_EQ(verdict(other, udp_), kDrop);
  Socket bound = udp_;
  bound.local_ip4 = 0x0100007f;
  EXPECT_EQ(verdict(packet_to(53, 'a'), bound), kDrop);
  EXPECT_EQ(verdict(packet_to(53, 'a'), kTcp), kDrop);
  other.migrating = &udp_;
  EXPECT_EQ(verdict(other, udp_), kPass);
  other.migrating = &kTcp;
  EXPECT_EQ(verdict(other, udp_), kDrop);
}

TEST_F(SocketData, what_cannot_be_is_refused) {
  EXPECT_EQ(error_of("message_length", Packet{.room = {}, .offset = 0, .size = 1}), EINVAL);
  EXPECT_EQ(error_of("message_length", Packet{.room = {}, .offset = 1, .size = 0}), EINVAL);
  EXPECT_EQ(error_of("message_length", Message{}), EINVAL);  // of another type
  Message many;
  many.piece_count = Message::kMostPieces + 1;
  EXPECT_EQ(error_of("put_length_on", many), EINVAL);
  std::vector<std::byte> bytes(33);
  const auto error_of_packet = [&](const ReuseportPacket& packet) {
    std::uint32_t result = 0;
    const auto ran = program("choose").run({&packet, 1}, {&result, 1}, kTcp);
    return ran ? 0 : ran.error().code();
  };
  EXPECT_EQ(error_of_packet({.bytes = bytes}), EINVAL);
  EXPECT_EQ(error_of_packet({.bytes = bytes, .network_offset = 20, .transport_offset = 19}), EINVAL);
  EXPECT_EQ(error_of_packet({.bytes = bytes, .network_offset = 0, .transport_offset = 33}), 0);
  EXPECT_EQ(program("message_length").test_run({.data = bytes}).error().code(), 524);  // ENOTSUPP
  EXPECT_EQ(program("put_length_on").test_run({.data = bytes}).error().code(), 524);
  EXPECT_EQ(program("choose").test_run({.data = bytes}).error().code(), 524);
}

}  // namespace
}  // namespace portolan
