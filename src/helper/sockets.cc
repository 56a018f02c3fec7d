// SPDX-License-Identifier: Apache-2.0
// Sockets: packets have none here, and none is found. What takes one is never called.
#include <sys/socket.h>
#include <unistd.h>

#include "helper/functions.h"
#include "helper/memory.h"

namespace portolan::helper::functions {

U64 sk_lookup_tcp(Run&, U64, U64, U64, U64, U64) { return 0; }
U64 sk_lookup_udp(Run&, U64, U64, U64, U64, U64) { return 0; }
U64 skc_lookup_tcp(Run&, U64, U64, U64, U64, U64) { return 0; }
U64 sk_fullsock(Run&, U64, U64, U64, U64, U64) { return 0; }
U64 tcp_sock(Run&, U64, U64, U64, U64, U64) { return 0; }
U64 get_listener_sock(Run&, U64, U64, U64, U64, U64) { return 0; }
U64 tcp_check_syncookie(Run&, U64, U64, U64, U64, U64) { return negative(EINVAL); }
U64 tcp_gen_syncookie(Run&, U64, U64, U64, U64, U64) { return negative(EINVAL); }
U64 skc_to_tcp6_sock(Run&, U64, U64, U64, U64, U64) { return 0; }
U64 skc_to_tcp_sock(Run&, U64, U64, U64, U64, U64) { return 0; }
U64 skc_to_tcp_timewait_sock(Run&, U64, U64, U64, U64, U64) { return 0; }
U64 skc_to_tcp_request_sock(Run&, U64, U64, U64, U64, U64) { return 0; }
U64 skc_to_udp6_sock(Run&, U64, U64, U64, U64, U64) { return 0; }
U64 skc_to_unix_sock(Run&, U64, U64, U64, U64, U64) { return 0; }
U64 skc_to_mptcp_sock(Run&, U64, U64, U64, U64, U64) { return 0; }
U64 sk_release(Run&, U64, U64, U64, U64, U64) { return 0; }

// Of the network namespace that the process was in at the first call.
U64 get_netns_cookie(Run&, U64, U64, U64, U64, U64) {
  static const U64 cookie = [] {
    U64 value = 0;
    socklen_t size = sizeof value;
    const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return value;
    if (::getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &value, &size) != 0) value = 0;
    ::close(fd);
    return value;
  }();
  return cookie;
}

}  // namespace portolan::helper::functions
