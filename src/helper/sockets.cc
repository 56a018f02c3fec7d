// SPDX-License-Identifier: Apache-2.0
// Sockets: packets have none here, and none is found. What takes one is never called.
#include <sys/socket.h>
#include <unistd.h>

#include "abi/context.h"
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

// What is not known of them, it gives back.
U64 sock_ops_cb_flags_set(Run&, U64 context, U64 flags, U64, U64, U64) {
  constexpr std::uint32_t kLastOfTcp = 15;  // BPF_SOCK_OPS_WRITE_HDR_OPT_CB
  constexpr std::uint32_t kAll = 0x7f;      // BPF_SOCK_OPS_ALL_CB_FLAGS
  auto& ops = at<abi::SockOps>(context);
  if (ops.op > kLastOfTcp) return negative(EOPNOTSUPP);
  if (ops.is_fullsock == 0) return negative(EINVAL);
  ops.bpf_sock_ops_cb_flags = static_cast<std::uint32_t>(flags) & kAll;
  return static_cast<U64>(std::int64_t{static_cast<std::int32_t>(flags & ~U64{kAll})});
}

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
