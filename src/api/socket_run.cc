// SPDX-License-Identifier: Apache-2.0
// Runs of programs on what sockets of the host's send and receive.
#include "api/host_socket.h"
#include "api/program_run.h"
#include "helper/socket_data.h"

namespace portolan {
namespace {

using P = abi::ProgType;
using detail::address_of;

constexpr std::uint32_t kAfInet6 = 10;

// The Ethernet type of what a socket receives, in network byte order.
std::uint32_t protocol_of(const Socket& socket) {
  constexpr std::uint32_t kIpv4 = 0x0008, kIpv6 = 0xdd86;
  return socket.family == kAfInet6 ? kIpv6 : kIpv4;
}

// --- sk_skb: the headers lie before the data, out of reach
template <class Run>
Result<void> run_on_data(Packet& data, const Socket& socket, abi::Sock& sock, std::uint32_t* result,
                         Run& run) {
  if (data.offset > data.room.size() || data.size > data.room.size() - data.offset ||
      data.room.size() > UINT32_MAX)
    return fail(EINVAL);
  helper::SkBuff skb{};
  skb.head = skb.mac_header = skb.network_header = data.room.data();
  skb.end = skb.head + data.room.size();
  skb.data_end = skb.head + data.offset + data.size;
  helper::set_begin(skb, skb.head + data.offset);
  skb.sk = &sock;
  skb.protocol = protocol_of(socket);
  skb.queue_mapping = data.rx_queue;
  skb.priority = data.priority;
  detail::show_addresses(socket, skb);
  *result = run(&skb);
  data.priority = skb.priority;
  detail::take_back(data, skb.data, skb.data_end);
  return {};
}

// --- sk_msg
Result<void> take_pieces(const Message& from, helper::SkMsg& message) {
  static_assert(Message::kMostPieces == helper::kMostMessagePieces);
  if (from.piece_count > from.pieces.size()) return fail(EINVAL);
  std::uint64_t size = 0;
  message.count = 0;
  for (const Message::Piece& piece : std::span(from.pieces).first(from.piece_count)) {
    if (piece.bytes.empty()) continue;
    size += piece.bytes.size();
    if (size > UINT32_MAX) return fail(EINVAL);
    message.pieces[message.count++] = {piece.bytes.data(), static_cast<std::uint32_t>(piece.bytes.size()),
                                       piece.is_shared};
  }
  if (size + from.room.size() > UINT32_MAX) return fail(EINVAL);
  message.seen.size = static_cast<std::uint32_t>(size);
  message.room = from.room.data();
  message.room_end = message.room + from.room.size();
  return {};
}

void give_pieces(const helper::SkMsg& message, Message& to) {
  for (std::uint32_t i = 0; i < message.count; ++i) {
    const helper::SkMsg::Piece& piece = message.pieces[i];
    to.pieces[i] = {{piece.data, piece.length}, piece.is_shared};
  }
  to.piece_count = message.count;
  to.room = {message.room, message.room_end};
}

template <class Run>
Result<void> run_on_message(Message& message, const Socket& socket, const abi::Sock& sock,
                            std::uint32_t* result, Run& run) {
  helper::SkMsg seen;
  seen.seen = {};
  TRY(take_pieces(message, seen));
  seen.apply_bytes = message.apply_bytes;
  seen.cork_bytes = message.cork_bytes;
  seen.seen.sk = address_of(&sock);
  detail::show_addresses(socket, seen.seen);
  helper::show_first_piece(seen);
  *result = run(&seen);
  give_pieces(seen, message);
  message.apply_bytes = seen.apply_bytes;
  message.cork_bytes = seen.cork_bytes;
  return {};
}

// --- sk_reuseport
bool is_bound_to_any(const Socket& socket) {
  if (socket.family != kAfInet6) return socket.local_ip4 == 0;
  return std::ranges::all_of(socket.local_ip6, [](std::uint32_t word) { return word == 0; });
}

template <class Run>
Result<void> run_on_packet(const ReuseportPacket& packet, const Socket& socket, const abi::Sock& sock,
                           std::uint32_t* result, Run& run) {
  if (packet.network_offset > packet.transport_offset || packet.transport_offset > packet.bytes.size() ||
      packet.bytes.size() > UINT32_MAX)
    return fail(EINVAL);
  const std::byte *const begin = packet.bytes.data(), *const end = begin + packet.bytes.size();
  const abi::Sock migrating = packet.migrating != nullptr ? detail::sock_of(*packet.migrating) : abi::Sock{};
  helper::ReuseportPacket seen{};
  seen.mac_header = begin;
  seen.network_header = begin + packet.network_offset;
  seen.seen.data = address_of(begin + packet.transport_offset);
  seen.seen.data_end = address_of(end);
  seen.seen.len = static_cast<std::uint32_t>(packet.bytes.size() - packet.transport_offset);
  seen.seen.eth_protocol = protocol_of(socket);
  seen.seen.ip_protocol = socket.protocol;
  seen.seen.bind_inany = is_bound_to_any(socket) ? 1 : 0;
  seen.seen.hash = packet.hash;
  seen.seen.sk = address_of(&sock);
  seen.seen.migrating_sk = packet.migrating != nullptr ? address_of(&migrating) : 0;
  *result = run(&seen);
  return {};
}

}  // namespace

Expected<void> Program::run(std::span<Packet> data, std::span<std::uint32_t> results,
                            const Socket& socket) const {
  abi::Sock sock = detail::sock_of(socket);
  const auto one = [&](std::size_t i, auto& run) {
    return run_on_data(data[i], socket, sock, &results[i], run);
  };
  return detail::run_each(runtime_, fd_, type_ == static_cast<std::uint32_t>(P::kSkSkb), data.size(), results,
                          one);
}

Expected<void> Program::run(std::span<Message> messages, std::span<std::uint32_t> results,
                            const Socket& socket) const {
  const abi::Sock sock = detail::sock_of(socket);
  const auto one = [&](std::size_t i, auto& run) {
    return run_on_message(messages[i], socket, sock, &results[i], run);
  };
  return detail::run_each(runtime_, fd_, type_ == static_cast<std::uint32_t>(P::kSkMsg), messages.size(),
                          results, one);
}

Expected<void> Program::run(std::span<const ReuseportPacket> packets, std::span<std::uint32_t> results,
                            const Socket& socket) const {
  const abi::Sock sock = detail::sock_of(socket);
  const auto one = [&](std::size_t i, auto& run) {
    return run_on_packet(packets[i], socket, sock, &results[i], run);
  };
  return detail::run_each(runtime_, fd_, type_ == static_cast<std::uint32_t>(P::kSkReuseport), packets.size(),
                          results, one);
}

}  // namespace portolan
