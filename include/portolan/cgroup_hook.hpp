// SPDX-License-Identifier: Apache-2.0
// Hooks of control groups: what the programs of a cgroup decide about sockets and sysctls of the host's. See
// Hook in hook.hpp for how they are declared.
//
// All programs run, and each has to allow the operation: its result is 0, or -EPERM, or the error that a
// program has set with bpf_set_retval().
#pragma once
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "portolan/hook.hpp"
#include "portolan/socket.hpp"

namespace portolan {

class SockHook : public Hook {
 public:
  // Programs may change bound_dev_if, mark and priority when a socket is created or released.
  int run(Socket& socket) const {
    if (!is_attached()) [[likely]]
      return 0;
    return run_attached(socket);
  }

 private:
  friend class Hook;
  using Hook::Hook;
  PORTOLAN_EXPORT int run_attached(Socket& socket) const;
};

// The address that a socket is to be bound or connected to, or that data goes to or comes from, or that the
// caller is told; programs may change it. Addresses and ports are in network byte order.
struct SocketAddress {
  std::uint32_t family = 0;  // AF_*
  std::uint32_t ip4 = 0;
  std::array<std::uint32_t, 4> ip6 = {};
  std::uint32_t port = 0;
  std::uint32_t source_ip4 = 0;  // sendmsg: where it is sent from
  std::array<std::uint32_t, 4> source_ip6 = {};
};

class SockAddrHook : public Hook {
 public:
  // `needs_capability`, of bind: false if a program says that the port may be a privileged one.
  int run(SocketAddress& address, const Socket& socket, bool* needs_capability = nullptr) const {
    if (!is_attached()) [[likely]]
      return 0;
    return run_attached(address, socket, needs_capability);
  }

 private:
  friend class Hook;
  using Hook::Hook;
  PORTOLAN_EXPORT int run_attached(SocketAddress& address, const Socket& socket,
                                   bool* needs_capability) const;
};

// A file below /proc/sys, or something like it, that is read or written.
struct Sysctl {
  std::string_view name = {};        // "net/ipv4/tcp_mem"
  std::string_view current = {};     // what the file has; at most 4096 bytes; empty: that cannot be found out
  std::string* new_value = nullptr;  // what is written, which programs may replace; nullptr: it is read
  std::uint32_t position = 0;        // in the file; in and out
};

class SysctlHook : public Hook {
 public:
  int run(Sysctl& sysctl) const {
    if (!is_attached()) [[likely]]
      return 0;
    return run_attached(sysctl);
  }

 private:
  friend class Hook;
  using Hook::Hook;
  PORTOLAN_EXPORT int run_attached(Sysctl& sysctl) const;
};

struct SocketOption {
  int level = 0;  // SOL_*
  int name = 0;   // SO_*
  std::vector<std::byte> value = {};
};

class SetsockoptHook : public Hook {
 public:
  // Before the option is set. 0: it is to be set, as it is now; 1: a program has seen to it. -EFAULT: a
  // program has made the value longer than there was room, of the larger of its size and 16 bytes.
  int run(SocketOption& option, const Socket& socket) const {
    if (!is_attached()) [[likely]]
      return 0;
    return run_attached(option, socket);
  }

 private:
  friend class Hook;
  using Hook::Hook;
  PORTOLAN_EXPORT int run_attached(SocketOption& option, const Socket& socket) const;
};

class GetsockoptHook : public Hook {
 public:
  // After the option was asked for, with the result `retval`: the value if that is 0. `room`: how many bytes
  // the caller has for it. What the caller is to be told: a result, and if that is not negative the value as
  // it is now. -EFAULT: a program has made it longer than `room`.
  int run(SocketOption& option, std::size_t room, int retval, const Socket& socket) const {
    if (!is_attached()) [[likely]]
      return retval;
    return run_attached(option, room, retval, socket);
  }

 private:
  friend class Hook;
  using Hook::Hook;
  PORTOLAN_EXPORT int run_attached(SocketOption& option, std::size_t room, int retval,
                                   const Socket& socket) const;
};

// struct bpf_sock_ops: what happens to a TCP connection. Addresses and the remote port are in network byte
// order.
struct SocketOps {
  std::uint32_t op = 0;                         // BPF_SOCK_OPS_*
  std::array<std::uint32_t, 4> arguments = {};  // the first is the programs' reply, too
  std::uint32_t family = 0;
  std::uint32_t remote_ip4 = 0;
  std::uint32_t local_ip4 = 0;
  std::array<std::uint32_t, 4> remote_ip6 = {};
  std::array<std::uint32_t, 4> local_ip6 = {};
  std::uint32_t remote_port = 0;
  std::uint32_t local_port = 0;  // in the host's byte order
  std::uint32_t is_fullsock = 0;
  std::uint32_t snd_cwnd = 0;
  std::uint32_t srtt_us = 0;
  std::uint32_t cb_flags = 0;  // BPF_SOCK_OPS_*_FLAG; in and out: bpf_sock_ops_cb_flags_set()
  std::uint32_t state = 0;
  std::uint32_t rtt_min = 0;
  std::uint32_t snd_ssthresh = 0;
  std::uint32_t rcv_nxt = 0;
  std::uint32_t snd_nxt = 0;
  std::uint32_t snd_una = 0;
  std::uint32_t mss_cache = 0;
  std::uint32_t ecn_flags = 0;
  std::uint32_t rate_delivered = 0;
  std::uint32_t rate_interval_us = 0;
  std::uint32_t packets_out = 0;
  std::uint32_t retrans_out = 0;
  std::uint32_t total_retrans = 0;
  std::uint32_t segs_in = 0;
  std::uint32_t data_segs_in = 0;
  std::uint32_t segs_out = 0;
  std::uint32_t data_segs_out = 0;
  std::uint32_t lost_out = 0;
  std::uint32_t sacked_out = 0;
  std::uint32_t sk_txhash = 0;  // in and out
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_acked = 0;
};

// A TCP segment that something happens by.
struct TcpSegment {
  std::span<std::byte> bytes = {};  // from its TCP header on
  std::size_t header_size = 0;      // how many of them programs see: the header, as far as it is written
  // In and out: how many bytes of options may be added. Of a header that is not written yet
  // (BPF_SOCK_OPS_HDR_OPT_LEN_CB) programs take as many as they will write, and the host rounds that up to 4;
  // behind this one (BPF_SOCK_OPS_WRITE_HDR_OPT_CB) they write them, and what they leave becomes
  // no-operations.
  std::uint32_t option_room = 0;
  std::span<const std::byte> syn = {};  // the TCP header of the connection's SYN, if it was kept
};

class SockOpsHook : public Hook {
 public:
  // The socket is the programs' if `is_fullsock` says so. -EINVAL of a segment that has not what it says.
  int run(SocketOps& ops, const Socket& socket, TcpSegment* segment = nullptr) const {
    if (!is_attached()) [[likely]]
      return 0;
    return run_attached(ops, socket, segment);
  }

 private:
  friend class Hook;
  using Hook::Hook;
  PORTOLAN_EXPORT int run_attached(SocketOps& ops, const Socket& socket, TcpSegment* segment) const;
};

}  // namespace portolan
