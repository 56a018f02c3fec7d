// SPDX-License-Identifier: Apache-2.0
// Sockets of the host's and their data, as programs see them.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace portolan {

// struct bpf_sock: what programs see of a socket. Addresses and the remote port are in network byte order.
struct Socket {
  std::uint32_t bound_dev_if = 0;  // in and out of SockEvent::kCreate and kRelease, as mark and priority
  std::uint32_t family = 0;        // AF_*
  std::uint32_t type = 0;          // SOCK_*
  std::uint32_t protocol = 0;      // IPPROTO_*
  std::uint32_t mark = 0;
  std::uint32_t priority = 0;
  std::uint32_t local_ip4 = 0;
  std::array<std::uint32_t, 4> local_ip6 = {};
  std::uint32_t local_port = 0;  // in the host's byte order
  std::uint16_t remote_port = 0;
  std::uint16_t padding = 0;
  std::uint32_t remote_ip4 = 0;
  std::array<std::uint32_t, 4> remote_ip6 = {};
  std::uint32_t state = 0;  // TCP_*
  std::int32_t rx_queue_mapping = -1;
  // The socket itself, on which programs at hooks of cgroups then act: bpf_setsockopt, bpf_getsockopt,
  // bpf_bind. -1: there is none that they could.
  int fd = -1;
};

// What a socket is to send, in pieces of the host's memory that follow one another. Programs of type sk_msg
// see the first of them, and ask for more; they may write what they see, and put bytes in and take bytes out
// anywhere.
struct Message {
  static constexpr std::size_t kMostPieces = 17;  // MAX_SKB_FRAGS
  struct Piece {
    std::span<std::byte> bytes = {};
    // As of sendfile(2): nobody writes it, and programs see none of it but a copy in `room`.
    bool is_shared = false;
  };
  std::array<Piece, kMostPieces> pieces = {};  // in and out: what programs have made lies in `room`
  std::size_t piece_count = 0;                 // likewise
  // Where programs put what they add, and what they want to see in one piece; afterwards what is left of it.
  // Where it does not suffice, the program is told ENOMEM.
  std::span<std::byte> room = {};
  std::uint32_t apply_bytes = 0;  // in and out: for how many bytes the verdict is; 0: for the message
  std::uint32_t cork_bytes = 0;   // in and out: the program wants to be run on no less
};

// A packet for one of the sockets that share an address (SO_REUSEPORT), and which have no socket for it yet.
struct ReuseportPacket {
  std::span<const std::byte> bytes = {};  // from its Ethernet header on
  std::size_t network_offset = 14;        // of its IP header
  std::size_t transport_offset = 34;      // of its TCP or UDP header, where programs see it from
  std::uint32_t hash = 0;                 // of its addresses and ports
  const Socket* migrating = nullptr;      // the socket that it was for, and which is being closed
};

}  // namespace portolan
