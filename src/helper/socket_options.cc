// SPDX-License-Identifier: Apache-2.0
// The socket behind a run at a cgroup's hook, where the host has given its own: what programs may ask of it
// and change. What may be named, and how long a value is, are the kernel's rules for bpf_getsockopt(),
// bpf_setsockopt() and bpf_bind(); the rest is the machine's to decide, by the system calls of the same
// names.
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "abi/context.h"
#include "abi/prog_type.h"
#include "base/errno.h"
#include "base/sys.h"
#include "helper/functions.h"
#include "helper/memory.h"
#include "helper/socket_data.h"

namespace portolan::helper::functions {
namespace {

constexpr int kTcpRtoMaxMs = 44;                                      // TCP_RTO_MAX_MS
constexpr int kBpfSyn = 1005, kBpfSynMac = 1007, kBpfCbFlags = 1008;  // TCP_BPF_*
constexpr std::uint32_t kAllCbFlags = 0x7f;                           // BPF_SOCK_OPS_ALL_CB_FLAGS
constexpr std::uint32_t kLastOfTcp = 15;                              // BPF_SOCK_OPS_WRITE_HDR_OPT_CB
constexpr std::uint32_t kNumberBytes = 4;
constexpr std::uint32_t kMostSavedSyn = 512;    // more than all the headers of a SYN
constexpr std::uint32_t kCongestionBytes = 16;  // TCP_CA_NAME_MAX

// What is asked for, as the program says it.
struct Option {
  Option(U64 its_level, U64 its_name, U64 its_size)
      : level(static_cast<int>(its_level)),
        name(static_cast<int>(its_name)),
        size(static_cast<std::uint32_t>(its_size)) {}
  bool is(int its_level, int its_name) const { return level == its_level && name == its_name; }
  int level, name;
  std::uint32_t size;
};

bool is_number(const Option& option) {
  constexpr int kOfSockets[] = {SO_REUSEADDR, SO_SNDBUF,          SO_RCVBUF,       SO_KEEPALIVE,
                                SO_PRIORITY,  SO_REUSEPORT,       SO_RCVLOWAT,     SO_MARK,
                                SO_TXREHASH,  SO_MAX_PACING_RATE, SO_BINDTOIFINDEX};
  constexpr int kOfTcp[] = {TCP_NODELAY,   TCP_MAXSEG,        TCP_KEEPIDLE,
                            TCP_KEEPINTVL, TCP_KEEPCNT,       TCP_SYNCNT,
                            TCP_SAVE_SYN,  TCP_WINDOW_CLAMP,  TCP_THIN_LINEAR_TIMEOUTS,
                            kTcpRtoMaxMs,  TCP_NOTSENT_LOWAT, TCP_USER_TIMEOUT};
  switch (option.level) {
    case SOL_SOCKET:
      return std::ranges::find(kOfSockets, option.name) != std::end(kOfSockets);
    case SOL_TCP:
      return std::ranges::find(kOfTcp, option.name) != std::end(kOfTcp);
    case SOL_IP:
      return option.name == IP_TOS;
    case SOL_IPV6:
      return option.name == IPV6_TCLASS || option.name == IPV6_AUTOFLOWLABEL;
    default:
      return false;
  }
}

// A number that the socket says of itself; -1: it does not.
int ask(int fd, int level, int name) {
  int value = -1;
  std::uint32_t size = sizeof value;
  return sys::getsockopt(fd, level, name, &value, size) ? value : -1;
}

// Whether it is a socket that has options of that level.
bool has_level(int fd, int level) {
  switch (level) {
    case SOL_SOCKET:
      return true;
    case SOL_TCP:
      return ask(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP;
    case SOL_IPV6:
      return ask(fd, SOL_SOCKET, SO_DOMAIN) == AF_INET6;
    case SOL_IP: {
      const int domain = ask(fd, SOL_SOCKET, SO_DOMAIN);
      if (domain != AF_INET6) return domain == AF_INET;
      return ask(fd, SOL_SOCKET, SO_TYPE) != SOCK_RAW && ask(fd, SOL_IPV6, IPV6_V6ONLY) == 0;
    }
    default:
      return false;
  }
}

bool is_sock_ops(const Run& run) {
  return run.program_type == static_cast<std::uint32_t>(abi::ProgType::kSockOps);
}

// The host's; -1: it has given none, or the connection has no whole socket yet.
int socket_of(const Run& run, U64 context) {
  if (run.attachment == nullptr || (is_sock_ops(run) && at<abi::SockOps>(context).sk == 0)) return -1;
  return run.attachment->socket;
}

// An option that the machine does not have, for it is of programs: their callbacks. 0, or the error.
int set_cb_flags(abi::SockOps& ops, U64 value, std::uint32_t size) {
  std::uint32_t flags = 0;
  if (ops.sk == 0 || size != kNumberBytes) return EINVAL;
  if (!portolan_fault_copy(&flags, bytes_at(value), sizeof flags)) return EFAULT;
  if ((flags & ~kAllCbFlags) != 0) return EINVAL;
  ops.bpf_sock_ops_cb_flags = flags;
  return 0;
}

int set(int fd, const Option& option, U64 value) {
  if (fd < 0 || !has_level(fd, option.level)) return EINVAL;
  if (is_number(option)) {
    if (option.size != kNumberBytes) return EINVAL;
  } else if (option.is(SOL_TCP, TCP_CONGESTION)) {
    if (option.size < 2) return EINVAL;
  } else if (!option.is(SOL_SOCKET, SO_BINDTODEVICE) && !option.is(SOL_TCP, TCP_SAVED_SYN)) {
    return EINVAL;
  }
  static_assert(IFNAMSIZ == kCongestionBytes);  // both are names of at most 15 bytes
  std::array<char, kCongestionBytes> bytes{};
  const std::uint32_t size = std::min<std::uint32_t>(option.size, bytes.size() - 1);
  if (!portolan_fault_copy(bytes.data(), bytes_at(value), size)) return EFAULT;
  if (option.is(SOL_TCP, TCP_CONGESTION) && std::string_view(bytes.data()) == "cdg") return kEnotsupp;
  const auto done = sys::setsockopt(fd, option.level, option.name, bytes.data(), size);
  return done ? 0 : done.error().value;
}

using Value = std::array<std::byte, kMostSavedSyn>;

// A SYN can be asked for once only: first how long it is, which is the socket's answer to no room.
int get_saved_syn(int fd, std::uint32_t size, Value& value) {
  std::uint32_t length = 0;
  (void)sys::getsockopt(fd, SOL_TCP, TCP_SAVED_SYN, value.data(), length);
  if (size == 0 || size > length || length > value.size()) return EINVAL;
  return sys::getsockopt(fd, SOL_TCP, TCP_SAVED_SYN, value.data(), length) ? 0 : EINVAL;
}

// `length`: of the value that there is.
int get(int fd, const Option& option, Value& value, std::uint32_t& length) {
  if (fd < 0 || !has_level(fd, option.level)) return EINVAL;
  length = option.size;
  if (option.is(SOL_TCP, TCP_SAVED_SYN)) return get_saved_syn(fd, option.size, value);
  if (option.is(SOL_TCP, TCP_CONGESTION)) {
    if (option.size < 2) return EINVAL;
    length = std::min(option.size - 1, kCongestionBytes);  // a zero stands behind it
  } else if (!is_number(option) || option.size != kNumberBytes) {
    return EINVAL;
  }
  const auto done = sys::getsockopt(fd, option.level, option.name, value.data(), length);
  return done ? 0 : done.error().value;
}

// While one lives, the socket gets its address bound, and no port yet.
class WithoutPort {
 public:
  explicit WithoutPort(int fd) : fd_(fd), before_(ask(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT)) { put(1); }
  WithoutPort(const WithoutPort&) = delete;
  WithoutPort& operator=(const WithoutPort&) = delete;
  ~WithoutPort() { put(before_); }

 private:
  void put(int value) const {
    (void)sys::setsockopt(fd_, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &value, sizeof value);
  }
  int fd_, before_;
};

int bind_socket(int fd, const void* address, std::uint32_t size) {
  if (fd < 0) return EINVAL;
  const auto done = sys::bind(fd, address, size);
  return done ? 0 : done.error().value;
}

// A value, and zeros behind it. False: there is no such memory.
bool give(U64 to, std::uint32_t room, std::span<const std::byte> value) {
  if (!portolan_fault_copy(mutable_bytes_at(to), value.data(), value.size())) return false;
  clear(to + value.size(), room - value.size());
  return true;
}

// Of the SYN that the host has kept: its TCP header; what is before that is not known.
U64 get_syn(const Connection& connection, const Option& option, U64 to) {
  if (connection.seen.op > kLastOfTcp) return negative(EOPNOTSUPP);
  const std::span<const std::byte> syn =
      option.name == kBpfSyn ? connection.syn : std::span<const std::byte>();
  if (!give(to, option.size, syn.first(std::min<std::size_t>(syn.size(), option.size))))
    return negative(EFAULT);
  if (syn.empty()) return negative(ENOENT);
  return syn.size() > option.size ? negative(ENOSPC) : syn.size();
}

U64 result_of(int error) { return error == 0 ? 0 : negative(error); }

}  // namespace

U64 setsockopt(Run& run, U64 context, U64 level, U64 name, U64 value, U64 size) {
  const Option option(level, name, size);
  if (is_sock_ops(run)) {
    auto& ops = at<abi::SockOps>(context);
    if (ops.op > kLastOfTcp) return negative(EOPNOTSUPP);
    if (option.is(SOL_TCP, kBpfCbFlags)) return result_of(set_cb_flags(ops, value, option.size));
  }
  return result_of(set(socket_of(run, context), option, value));
}

U64 getsockopt(Run& run, U64 context, U64 level, U64 name, U64 to, U64 size) {
  const Option option(level, name, size);
  if (is_sock_ops(run) && option.level == SOL_TCP && option.name >= kBpfSyn && option.name <= kBpfSynMac)
    return get_syn(at<Connection>(context), option, to);
  Value value;
  std::uint32_t length = 0;
  const auto got = [&]() -> int {
    if (is_sock_ops(run)) {
      const auto& ops = at<abi::SockOps>(context);
      if (ops.op > kLastOfTcp) return EOPNOTSUPP;
      if (option.is(SOL_TCP, kBpfCbFlags)) {
        if (ops.sk == 0 || option.size != kNumberBytes) return EINVAL;
        std::memcpy(value.data(), &ops.bpf_sock_ops_cb_flags, length = kNumberBytes);
        return 0;
      }
    }
    return get(socket_of(run, context), option, value, length);
  };
  const int error = got();
  const std::uint32_t given = error == 0 ? std::min(length, option.size) : 0;
  return give(to, option.size, {value.data(), given}) ? result_of(error) : negative(EFAULT);
}

U64 bind(Run& run, U64 context, U64 address, U64 size_arg, U64, U64) {
  constexpr std::uint32_t kLeastIpv6 = 24;  // SIN6_LEN_RFC2133
  const auto size = static_cast<std::uint32_t>(size_arg);
  sockaddr_in6 bytes{};  // of IPv4 as much as of IPv6: the family and the port lie where they do
  static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
  if (size < sizeof bytes.sin6_family) return negative(EINVAL);
  const std::uint32_t copied = std::min<std::uint32_t>(size, sizeof bytes);
  if (!portolan_fault_copy(&bytes, bytes_at(address), copied)) return negative(EFAULT);
  const bool is_ipv4 = bytes.sin6_family == AF_INET;
  if (!is_ipv4 && bytes.sin6_family != AF_INET6) return negative(EAFNOSUPPORT);
  if (size < (is_ipv4 ? sizeof(sockaddr_in) : kLeastIpv6)) return negative(EINVAL);
  const int fd = socket_of(run, context);
  if (bytes.sin6_port != 0) return result_of(bind_socket(fd, &bytes, copied));
  const WithoutPort without(fd);
  return result_of(bind_socket(fd, &bytes, copied));
}

// What is not known of them, it gives back.
U64 sock_ops_cb_flags_set(Run&, U64 context, U64 flags, U64, U64, U64) {
  auto& ops = at<abi::SockOps>(context);
  if (ops.op > kLastOfTcp) return negative(EOPNOTSUPP);
  if (ops.is_fullsock == 0) return negative(EINVAL);
  ops.bpf_sock_ops_cb_flags = static_cast<std::uint32_t>(flags) & kAllCbFlags;
  return static_cast<U64>(std::int64_t{static_cast<std::int32_t>(flags & ~U64{kAllCbFlags})});
}

U64 get_socket_cookie(Run& run, U64, U64, U64, U64, U64) {
  U64 cookie = 0;
  std::uint32_t size = sizeof cookie;
  if (run.attachment == nullptr || run.attachment->socket < 0 ||
      !sys::getsockopt(run.attachment->socket, SOL_SOCKET, SO_COOKIE, &cookie, size))
    return 0;
  return cookie;
}

}  // namespace portolan::helper::functions
