// SPDX-License-Identifier: Apache-2.0
// The bytes of XDP packets, wherever they lie: in the linear part, or in fragments behind it.
#pragma once
#include <cstdint>

#include "base/result.h"
#include "helper/packet.h"

namespace portolan::object {
class Runtime;
}

namespace portolan::helper {

inline std::uint32_t linear_bytes(const XdpBuff& xdp) {
  return static_cast<std::uint32_t>(xdp.data_end - xdp.data);
}
inline bool has_fragments(const XdpBuff& xdp) {
  return xdp.fragments != nullptr && xdp.fragments->count != 0;
}
// Of the whole packet (xdp_get_buff_len).
inline std::uint32_t length_of(const XdpBuff& xdp) {
  return linear_bytes(xdp) + (xdp.fragments != nullptr ? xdp.fragments->bytes : 0);
}

// Of the kernel's struct xdp_buff that lies at an address. ENOENT …, EFAULT: it does not.
Result<std::uint64_t> linear_bytes_at(object::Runtime& runtime, std::uint64_t xdp_buff);

inline constexpr std::uint32_t kMostXdpOffset = 0xffff, kMostXdpLength = 0xffff;  // that may be asked for

// Where these bytes lie in the linear part; nullptr: not all of them do.
inline std::byte* linear_pointer(const XdpBuff& xdp, std::uint32_t offset, std::uint32_t length) {
  const bool may_be_asked_for = offset <= kMostXdpOffset && length <= kMostXdpLength;
  return may_be_asked_for && offset + length <= linear_bytes(xdp) ? xdp.data + offset : nullptr;
}

// Where these bytes lie together; nullptr: they do not. EFAULT: beyond what may be asked for; EINVAL: beyond
// the packet.
Result<std::byte*> xdp_pointer(const XdpBuff& xdp, std::uint32_t offset, std::uint32_t length);

// As many of these bytes as the packet has (bpf_xdp_copy_buf). EFAULT: the other memory is not there.
Result<void> copy_xdp_bytes(const XdpBuff& xdp, std::uint32_t offset, std::byte* to, std::uint32_t length);

// All of them, or none: errors as xdp_pointer, and EFAULT.
Result<void> load_xdp_bytes(const XdpBuff& xdp, std::uint32_t offset, std::byte* to, std::uint32_t length);
Result<void> store_xdp_bytes(const XdpBuff& xdp, std::uint32_t offset, const std::byte* from,
                             std::uint32_t length);

}  // namespace portolan::helper
