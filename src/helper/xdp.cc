// SPDX-License-Identifier: Apache-2.0
// Packets as XDP programs see them: how long they are, and where they begin and end.
#include "helper/xdp.h"

#include <algorithm>

#include "abi/prog_type.h"
#include "base/errno.h"
#include "helper/functions.h"
#include "helper/memory.h"

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

U64 result(const Result<void>& done) { return done ? 0 : negative(done.error().value); }

// A packet with fragments grows by zeros in the last one's page.
U64 grow_fragments(XdpFragments& fragments, std::uint32_t by) {
  XdpFragment& last = fragments.of[fragments.count - 1];
  if (by > XdpFragments::kPageBytes - last.offset - last.size) return negative(EINVAL);
  std::memset(last.data() + last.size, 0, by);
  last.size += by;
  fragments.bytes += by;
  return 0;
}

// Fragments go that are taken away whole, and the linear part shrinks when none is left.
U64 shrink_from_end(XdpBuff& xdp, std::uint32_t by) {
  XdpFragments& fragments = *xdp.fragments;
  if (U64{by} + kEthernetHeader > length_of(xdp)) return negative(EINVAL);
  while (by != 0 && fragments.count != 0) {
    XdpFragment& last = fragments.of[fragments.count - 1];
    const std::uint32_t part = std::min(by, last.size);
    last.size -= part;
    fragments.bytes -= part;
    by -= part;
    if (last.size == 0) --fragments.count;
  }
  xdp.data_end -= by;
  return 0;
}

U64 adjust_fragments(XdpBuff& xdp, std::int32_t by) {
  if (by == INT32_MIN) return 0;  // the number of bytes to take away is not an int
  return by < 0 ? shrink_from_end(xdp, 0u - static_cast<std::uint32_t>(by))
                : grow_fragments(*xdp.fragments, static_cast<std::uint32_t>(by));
}

// The first bytes of the fragments become the last of the linear part, behind which there is room for them.
void pull_from_fragments(XdpBuff& xdp, std::uint32_t bytes) {
  XdpFragments& fragments = *xdp.fragments;
  std::uint32_t emptied = 0;
  fragments.bytes -= bytes;
  while (bytes != 0) {
    XdpFragment& first = fragments.of[emptied];
    const std::uint32_t part = std::min(bytes, first.size);
    std::memcpy(xdp.data_end, first.data(), part);
    xdp.data_end += part;
    first.offset += part;
    first.size -= part;
    bytes -= part;
    if (first.size == 0) ++emptied;
  }
  std::copy(fragments.of + emptied, fragments.of + fragments.count, fragments.of);
  fragments.count -= emptied;
}

}  // namespace

U64 xdp_get_buff_len(Run& run, U64 context, U64, U64, U64, U64) {
  if (run.program_type == static_cast<std::uint32_t>(abi::ProgType::kXdp))
    return length_of(at<XdpBuff>(context));
  return linear_bytes_at(run.runtime, context).value_or(0);
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
  if (has_fragments(xdp)) return adjust_fragments(xdp, static_cast<std::int32_t>(by));
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

// The packet's first bytes come to lie together; what is before them moves to the front where it has to.
U64 xdp_pull_data(Run&, U64 context, U64 length_arg, U64, U64, U64) {
  auto& xdp = at<XdpBuff>(context);
  const auto length = static_cast<std::uint32_t>(length_arg);
  const std::uint32_t linear = linear_bytes(xdp);
  if (length <= linear) return 0;
  if (length > length_of(xdp)) return negative_int(EINVAL);
  std::byte* const begin = has_meta(xdp) ? xdp.data_meta : xdp.data;
  const std::ptrdiff_t front = place(xdp, begin) - std::ptrdiff_t{kXdpFrameBytes};
  const std::ptrdiff_t back = last_place(xdp) - place(xdp, xdp.data_end);
  const std::ptrdiff_t missing = std::ptrdiff_t{length - linear} - back;
  if (missing > front) return negative_int(EINVAL);
  if (missing > 0) {
    std::memmove(begin - missing, begin, static_cast<std::size_t>(xdp.data_end - begin));
    xdp.data_meta -= missing;
    xdp.data -= missing;
    xdp.data_end -= missing;
  }
  pull_from_fragments(xdp, length - linear);
  return 0;
}

U64 xdp_load_bytes(Run&, U64 context, U64 offset_arg, U64 to, U64 length_arg, U64) {
  const auto& xdp = at<XdpBuff>(context);
  const auto offset = static_cast<std::uint32_t>(offset_arg), length = static_cast<std::uint32_t>(length_arg);
  if (const std::byte* const bytes = linear_pointer(xdp, offset, length))
    return portolan_fault_copy(pointer(to), bytes, length) ? 0 : negative(EFAULT);
  return result(load_xdp_bytes(xdp, offset, mutable_bytes_at(to), length));
}

U64 xdp_store_bytes(Run&, U64 context, U64 offset_arg, U64 from, U64 length_arg, U64) {
  const auto& xdp = at<XdpBuff>(context);
  const auto offset = static_cast<std::uint32_t>(offset_arg), length = static_cast<std::uint32_t>(length_arg);
  if (std::byte* const bytes = linear_pointer(xdp, offset, length))
    return portolan_fault_copy(bytes, pointer(from), length) ? 0 : negative(EFAULT);
  return result(store_xdp_bytes(xdp, offset, bytes_at(from), length));
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
