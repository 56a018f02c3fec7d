// SPDX-License-Identifier: Apache-2.0
// What the contexts of sk_msg, sk_reuseport and sock_ops programs stand for: helpers know more of it than
// programs see.
#pragma once
#include <span>

#include "abi/context.h"

namespace portolan::helper {

inline constexpr std::uint32_t kMostMessagePieces = 17;  // MAX_MSG_FRAGS

// struct sk_msg: data that is to be sent, in pieces that follow one another. None is empty. All of them, and
// `room`, are less than 4 GiB.
struct SkMsg {
  struct Piece {
    std::byte* data;
    std::uint32_t length;
    bool is_shared;  // with others: never written, and programs see a copy
  };

  abi::SkMsgMd seen;  // at the beginning: what programs see
  std::uint32_t apply_bytes;
  std::uint32_t cork_bytes;
  std::byte *room, *room_end;  // for pieces that helpers make
  std::uint32_t count;
  Piece pieces[kMostMessagePieces];
};

// What programs see when they begin, and whenever the pieces have changed: the first of them, and nothing of
// one that is shared.
void show_first_piece(SkMsg& message);

// A packet for one of several sockets, linear.
struct ReuseportPacket {
  abi::SkReuseportMd seen;  // at the beginning: what programs see
  const std::byte *mac_header, *network_header;
};

// What happens to a connection, with the TCP segment that it happens by, if there is one.
struct Connection {
  abi::SockOps seen;               // at the beginning: what programs see
  std::uint32_t option_room;       // for options of the header, behind skb_data_end if they are to be written
  std::span<const std::byte> syn;  // its TCP header, if it was kept
};

}  // namespace portolan::helper
