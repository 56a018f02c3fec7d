// SPDX-License-Identifier: Apache-2.0
// Packets as XDP programs see them, of one buffer.
#include "abi/prog_type.h"
#include "base/errno.h"
#include "helper/functions.h"
#include "helper/memory.h"
#include "helper/packet.h"

namespace portolan::helper::functions {
namespace {

constexpr std::ptrdiff_t kEthernetHeader = 14;
constexpr std::ptrdiff_t kMostMeta = 252;
constexpr U64 kXdpAborted = 0, kXdpRedirect = 4;
constexpr U64 kTcShot = 2, kTcRedirect = 7;
constexpr U64 kIngress = 1;                    // BPF_F_INGRESS
constexpr std::uint32_t kNeighbourBytes = 20;  // struct bpf_redir_neigh

// data - data_meta; negative where there is no room for metadata.
std::ptrdiff_t meta_bytes(const XdpBuff& xdp) { return xdp.data - xdp.data_meta; }
bool has_meta(const XdpBuff& xdp) { return meta_bytes(xdp) >= 0; }
// Where data and metadata may begin, and data may end, as distances from data_hard_start.
std::ptrdiff_t place(const XdpBuff& xdp, const std::byte* at) { return at - xdp.data_hard_start; }
std::ptrdiff_t last_place(const XdpBuff& xdp) {
  return static_cast<std::ptrdiff_t>(xdp.frame_sz) - std::ptrdiff_t{kSharedInfoBytes};
}

// 0, or the error.
int check_range(const XdpBuff& xdp, std::uint32_t offset, std::uint32_t length) {
  if (offset > 0xffff || length > 0xffff) return EFAULT;
  return offset + length > static_cast<U64>(xdp.data_end - xdp.data) ? EINVAL : 0;
}

}  // namespace

U64 xdp_get_buff_len(Run&, U64 context, U64, U64, U64, U64) {
  const auto& xdp = at<XdpBuff>(context);
  return static_cast<U64>(xdp.data_end - xdp.data);
}

U64 xdp_adjust_head(Run&, U64 context, U64 by, U64, U64, U64) {
  auto& xdp = at<XdpBuff>(context);
  const std::ptrdiff_t offset = static_cast<std::int32_t>(by);
  const std::ptrdiff_t meta = has_meta(xdp) ? meta_bytes(xdp) : 0;
  const std::ptrdiff_t data = place(xdp, xdp.data) + offset;
  if (data < std::ptrdiff_t{kXdpFrameBytes} + meta || data > place(xdp, xdp.data_end) - kEthernetHeader)
    return negative(EINVAL);
  if (meta != 0) std::memmove(xdp.data_meta + offset, xdp.data_meta, static_cast<std::size_t>(meta));
  xdp.data_meta += offset;
  xdp.data += offset;
  return 0;
}

U64 xdp_adjust_tail(Run&, U64 context, U64 by, U64, U64, U64) {
  auto& xdp = at<XdpBuff>(context);
  const std::ptrdiff_t offset = static_cast<std::int32_t>(by);
  const std::ptrdiff_t end = place(xdp, xdp.data_end) + offset;
  if (end > last_place(xdp) || end < place(xdp, xdp.data) + kEthernetHeader) return negative(EINVAL);
  if (offset > 0) std::memset(xdp.data_end, 0, static_cast<std::size_t>(offset));
  xdp.data_end += offset;
  return 0;
}

U64 xdp_adjust_meta(Run&, U64 context, U64 by, U64, U64, U64) {
  auto& xdp = at<XdpBuff>(context);
  if (!has_meta(xdp)) return negative(kEnotsupp);
  const std::ptrdiff_t offset = static_cast<std::int32_t>(by);
  const std::ptrdiff_t meta = place(xdp, xdp.data_meta) + offset;
  const std::ptrdiff_t bytes = place(xdp, xdp.data) - meta;
  if (meta < std::ptrdiff_t{kXdpFrameBytes} || bytes < 0) return negative(EINVAL);
  if (bytes % 4 != 0 || bytes > kMostMeta) return negative(EACCES);
  xdp.data_meta += offset;
  return 0;
}

U64 xdp_load_bytes(Run&, U64 context, U64 offset_arg, U64 to, U64 length_arg, U64) {
  const auto& xdp = at<XdpBuff>(context);
  const auto offset = static_cast<std::uint32_t>(offset_arg), length = static_cast<std::uint32_t>(length_arg);
  if (const int error = check_range(xdp, offset, length); error != 0) return negative(error);
  return portolan_fault_copy(pointer(to), xdp.data + offset, length) ? 0 : negative(EFAULT);
}

U64 xdp_store_bytes(Run&, U64 context, U64 offset_arg, U64 from, U64 length_arg, U64) {
  const auto& xdp = at<XdpBuff>(context);
  const auto offset = static_cast<std::uint32_t>(offset_arg), length = static_cast<std::uint32_t>(length_arg);
  if (const int error = check_range(xdp, offset, length); error != 0) return negative(error);
  return portolan_fault_copy(xdp.data + offset, pointer(from), length) ? 0 : negative(EFAULT);
}

// What a program asks for; whether there is such a device is found out by whoever acts on its verdict.
U64 redirect(Run& run, U64, U64 flags, U64, U64, U64) {
  if (run.program_type == static_cast<std::uint32_t>(abi::ProgType::kXdp))
    return flags != 0 ? kXdpAborted : kXdpRedirect;
  return (flags & ~kIngress) != 0 ? kTcShot : kTcRedirect;
}
U64 redirect_peer(Run&, U64, U64 flags, U64, U64, U64) { return flags != 0 ? kTcShot : kTcRedirect; }
U64 redirect_neigh(Run&, U64, U64, U64 size_arg, U64 flags, U64) {
  const auto size = static_cast<std::uint32_t>(size_arg);
  return (size != 0 && size < kNeighbourBytes) || flags != 0 ? kTcShot : kTcRedirect;
}

}  // namespace portolan::helper::functions
