// SPDX-License-Identifier: Apache-2.0
// Hooks of control groups: what the host says of an operation as the context that programs see, and what they
// make of it as the kernel takes it (__cgroup_bpf_run_filter_*).
#include "portolan/cgroup_hook.hpp"

#include <algorithm>
#include <cstring>

#include "abi/context.h"
#include "api/hook_state.h"
#include "api/host_socket.h"
#include "helper/socket_data.h"
#include "helper/sysctl.h"

namespace portolan {

using A = abi::AttachType;

namespace detail {

int run_cgroup(HookState& state, void* context, std::int32_t& retval, int socket, std::uint32_t* flags) {
  constexpr std::int32_t kMostErrors = 4095;
  helper::Attachment attachment{.retval = &retval, .socket = socket};
  (void)state.hook.run([&](vm::Runner& runner, std::span<const hook::Hook::Attached> programs) {
    for (const auto& one : programs) {
      auto result = static_cast<std::uint32_t>(run_one(runner, one, context, attachment));
      if (flags != nullptr) {
        *flags |= result >> 1;
        result &= 1;
      }
      const bool is_error = retval < 0 && retval >= -kMostErrors;
      if (result == 0 && !is_error) retval = -EPERM;
    }
  });
  return retval;
}

}  // namespace detail

using detail::address_of;
using detail::sock_of;

int DeviceHook::run_attached(std::uint32_t access, std::uint32_t major, std::uint32_t minor) const {
  abi::CgroupDevice context{access, major, minor};
  std::int32_t retval = 0;
  return detail::run_cgroup(*state_, &context, retval);
}

int SockHook::run_attached(Socket& socket) const {
  abi::Sock context = sock_of(socket);
  std::int32_t retval = 0;
  detail::run_cgroup(*state_, &context, retval, socket.fd);
  socket.bound_dev_if = context.bound_dev_if;
  socket.mark = context.mark;
  socket.priority = context.priority;
  return retval;
}

int SockAddrHook::run_attached(SocketAddress& address, const Socket& socket, bool* needs_capability) const {
  const std::uint32_t attach_type = state_->hook.key().attach_type;
  const bool is_bind = attach_type == static_cast<std::uint32_t>(A::kCgroupInet4Bind) ||
                       attach_type == static_cast<std::uint32_t>(A::kCgroupInet6Bind);
  abi::Sock sock = sock_of(socket);
  abi::SockAddr context{};
  context.user_family = address.family;
  context.user_ip4 = address.ip4;
  std::ranges::copy(address.ip6, context.user_ip6);
  context.user_port = address.port;
  context.family = socket.family;
  context.type = socket.type;
  context.protocol = socket.protocol;
  context.msg_src_ip4 = address.source_ip4;
  std::ranges::copy(address.source_ip6, context.msg_src_ip6);
  context.sk = address_of(&sock);
  std::int32_t retval = 0;
  std::uint32_t flags = 0;
  detail::run_cgroup(*state_, &context, retval, socket.fd, is_bind ? &flags : nullptr);
  address.ip4 = context.user_ip4;
  std::ranges::copy(context.user_ip6, address.ip6.begin());
  address.port = static_cast<std::uint16_t>(context.user_port);
  address.source_ip4 = context.msg_src_ip4;
  std::ranges::copy(context.msg_src_ip6, address.source_ip6.begin());
  if (needs_capability != nullptr && (flags & 1) != 0) *needs_capability = false;
  return retval;
}

int SysctlHook::run_attached(Sysctl& sysctl) const {
  std::array<std::byte, helper::kMostSysctlBytes> room;
  const bool writes = sysctl.new_value != nullptr, has_new = writes && !sysctl.new_value->empty();
  helper::SysctlContext context{};
  context.seen = {writes, sysctl.position};
  context.name = sysctl.name;
  context.current = sysctl.current.substr(0, room.size());
  if (has_new) {
    context.new_value = room.data();
    context.new_size = static_cast<std::uint32_t>(std::min(sysctl.new_value->size(), room.size()));
    std::memcpy(room.data(), sysctl.new_value->data(), context.new_size);
  }
  std::int32_t retval = 0;
  detail::run_cgroup(*state_, &context, retval);
  sysctl.position = context.seen.file_pos;
  if (retval == 0 && context.is_replaced)
    sysctl.new_value->assign(reinterpret_cast<const char*>(room.data()), context.new_size);
  return retval;
}

namespace {

constexpr std::size_t kMostOptionBytes = 4096;  // that programs see

// The memory of an option's value, of which programs see the first page.
class OptionRoom {
 public:
  explicit OptionRoom(std::size_t size) : bytes_(std::min(size, kMostOptionBytes)) {}
  std::int32_t size() const { return static_cast<std::int32_t>(bytes_.size()); }
  void fill(std::span<const std::byte> value) {
    std::ranges::copy(value.first(std::min(value.size(), bytes_.size())), bytes_.begin());
  }
  abi::Sockopt context(const abi::Sock& sock, const SocketOption& option, std::size_t optlen) {
    return {address_of(&sock),
            address_of(bytes_.data()),
            address_of(bytes_.data() + bytes_.size()),
            option.level,
            option.name,
            static_cast<std::int32_t>(optlen),
            0};
  }
  void give(std::int32_t size, std::vector<std::byte>& value) const {
    value.assign(bytes_.begin(), bytes_.begin() + size);
  }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace

int SetsockoptHook::run_attached(SocketOption& option, const Socket& socket) const {
  constexpr std::size_t kLeastBytes = 16;
  const std::size_t size = option.value.size();
  if (size > INT32_MAX) return -EINVAL;
  const abi::Sock sock = sock_of(socket);
  OptionRoom room(std::max(size, kLeastBytes));
  room.fill(option.value);
  abi::Sockopt context = room.context(sock, option, size);
  std::int32_t retval = 0;
  if (detail::run_cgroup(*state_, &context, retval, socket.fd) != 0) return retval;
  if (context.optlen == -1) return 1;
  if (context.optlen > room.size() || context.optlen < -1)
    return size > kMostOptionBytes && context.optlen >= 0 ? 0 : -EFAULT;
  option.level = context.level;
  option.name = context.optname;
  if (context.optlen != 0) room.give(context.optlen, option.value);
  return 0;
}

int GetsockoptHook::run_attached(SocketOption& option, std::size_t most, int result,
                                 const Socket& socket) const {
  const std::size_t optlen = result == 0 ? option.value.size() : most;
  if (optlen > INT32_MAX || most > INT32_MAX) return -EINVAL;
  const abi::Sock sock = sock_of(socket);
  OptionRoom room(most);
  if (result == 0) room.fill(option.value);
  abi::Sockopt context = room.context(sock, option, optlen);
  context.retval = result;
  if (detail::run_cgroup(*state_, &context, context.retval, socket.fd) < 0) return context.retval;
  if (context.optlen > room.size() || context.optlen < 0)
    return optlen > kMostOptionBytes && context.optlen >= 0 ? result : -EFAULT;
  if (context.optlen != 0) room.give(context.optlen, option.value);
  return context.retval;
}

namespace {

constexpr std::uint32_t kWritesOptions = 15;  // BPF_SOCK_OPS_WRITE_HDR_OPT_CB

bool is_whole(const TcpSegment& segment, std::uint32_t op) {
  if (segment.header_size > segment.bytes.size() || segment.bytes.size() > UINT32_MAX) return false;
  return op != kWritesOptions || segment.option_room <= segment.bytes.size() - segment.header_size;
}

void show(const TcpSegment& segment, helper::Connection& connection) {
  constexpr std::size_t kTcpFlags = 13;  // a byte of the header
  connection.seen.skb_data = address_of(segment.bytes.data());
  connection.seen.skb_data_end = connection.seen.skb_data + segment.header_size;
  connection.seen.skb_len = static_cast<std::uint32_t>(segment.bytes.size());
  if (segment.bytes.size() > kTcpFlags)
    connection.seen.skb_tcp_flags = std::to_integer<std::uint32_t>(segment.bytes[kTcpFlags]);
  connection.option_room = segment.option_room;
  connection.syn = segment.syn;
}

// What programs have made of the room for options; nothing, if they have failed.
void take_back(TcpSegment& segment, std::uint32_t op, std::uint32_t left) {
  constexpr std::byte kNoOperation{1};
  if (op == kWritesOptions) {
    const std::size_t written = segment.option_room - left;
    std::ranges::fill(segment.bytes.subspan(segment.header_size + written, left), kNoOperation);
  }
  segment.option_room = left;
}

}  // namespace

int SockOpsHook::run_attached(SocketOps& ops, const Socket& socket, TcpSegment* segment) const {
  static_assert(offsetof(abi::SockOps, sk) == sizeof(SocketOps) &&
                offsetof(abi::SockOps, bpf_sock_ops_cb_flags) == offsetof(SocketOps, cb_flags) &&
                offsetof(abi::SockOps, bytes_acked) == offsetof(SocketOps, bytes_acked));
  if (segment != nullptr && !is_whole(*segment, ops.op)) return -EINVAL;
  abi::Sock sock = sock_of(socket);
  helper::Connection context{};
  std::memcpy(&context.seen, &ops, sizeof ops);
  context.seen.sk = ops.is_fullsock != 0 ? address_of(&sock) : 0;
  if (segment != nullptr) show(*segment, context);
  std::int32_t retval = 0;
  detail::run_cgroup(*state_, &context, retval, socket.fd);
  if (segment != nullptr)
    take_back(*segment, ops.op, retval == 0 ? context.option_room : segment->option_room);
  std::memcpy(static_cast<void*>(&ops), &context.seen, sizeof ops);
  return retval;
}

template <class Kind>
Expected<Kind> Hook::declare_at_cgroup(const Runtime& runtime, const std::string& directory,
                                       std::uint32_t attach_type) {
  auto state = detail::declare_cgroup(runtime, directory, attach_type);
  if (!state) return std::unexpected(state.error());
  return Kind(std::move(*state));
}

Expected<DeviceHook> Hook::cgroup_device(const Runtime& runtime, const std::string& directory) {
  return declare_at_cgroup<DeviceHook>(runtime, directory, static_cast<std::uint32_t>(A::kCgroupDevice));
}
Expected<SockHook> Hook::cgroup_sock(const Runtime& runtime, const std::string& directory, SockEvent event) {
  return declare_at_cgroup<SockHook>(runtime, directory, static_cast<std::uint32_t>(event));
}
Expected<SockAddrHook> Hook::cgroup_sock_addr(const Runtime& runtime, const std::string& directory,
                                              SockAddrEvent event) {
  return declare_at_cgroup<SockAddrHook>(runtime, directory, static_cast<std::uint32_t>(event));
}
Expected<SysctlHook> Hook::cgroup_sysctl(const Runtime& runtime, const std::string& directory) {
  return declare_at_cgroup<SysctlHook>(runtime, directory, static_cast<std::uint32_t>(A::kCgroupSysctl));
}
Expected<SetsockoptHook> Hook::cgroup_setsockopt(const Runtime& runtime, const std::string& directory) {
  return declare_at_cgroup<SetsockoptHook>(runtime, directory,
                                           static_cast<std::uint32_t>(A::kCgroupSetsockopt));
}
Expected<GetsockoptHook> Hook::cgroup_getsockopt(const Runtime& runtime, const std::string& directory) {
  return declare_at_cgroup<GetsockoptHook>(runtime, directory,
                                           static_cast<std::uint32_t>(A::kCgroupGetsockopt));
}
Expected<SockOpsHook> Hook::sock_ops(const Runtime& runtime, const std::string& directory) {
  return declare_at_cgroup<SockOpsHook>(runtime, directory, static_cast<std::uint32_t>(A::kCgroupSockOps));
}

}  // namespace portolan
