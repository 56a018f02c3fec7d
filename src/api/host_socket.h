// SPDX-License-Identifier: Apache-2.0
// Sockets of the host's as programs see them.
#pragma once
#include <cstring>

#include "abi/context.h"
#include "portolan/socket.hpp"

namespace portolan::detail {

inline abi::Sock sock_of(const Socket& socket) {
  static_assert(offsetof(Socket, fd) == sizeof(abi::Sock) &&
                offsetof(abi::Sock, src_port) == offsetof(Socket, local_port) &&
                offsetof(abi::Sock, rx_queue_mapping) == offsetof(Socket, rx_queue_mapping));
  abi::Sock sock;
  std::memcpy(&sock, &socket, sizeof sock);
  return sock;
}

// The socket's addresses where a context has them: of a remote port the two bytes as they lie in a header,
// and zeros before them.
template <class Context>
void show_addresses(const Socket& socket, Context& context) {
  context.family = socket.family;
  context.remote_ip4 = socket.remote_ip4;
  context.local_ip4 = socket.local_ip4;
  std::memcpy(context.remote_ip6, socket.remote_ip6.data(), sizeof context.remote_ip6);
  std::memcpy(context.local_ip6, socket.local_ip6.data(), sizeof context.local_ip6);
  context.remote_port = std::uint32_t{socket.remote_port} << 16;
  context.local_port = socket.local_port;
}

inline std::uint64_t address_of(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

}  // namespace portolan::detail
