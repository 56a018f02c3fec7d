// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>

#include "base/fault_copy.h"
#include "helper/struct_image.h"
#include "helper/xdp.h"

namespace portolan::helper {
namespace {

Result<void> check_range(const XdpBuff& xdp, std::uint32_t offset, std::uint32_t length) {
  if (offset > kMostXdpOffset || length > kMostXdpLength) return fail(EFAULT);
  if (offset + length > length_of(xdp)) return fail(EINVAL);
  return {};
}

// visit(bytes in the packet, how many of the range come before them, how many these are), piece by piece, as
// long as it returns true; whether it always did. What is beyond the packet is passed over.
template <class Visit>
bool for_each_piece(const XdpBuff& xdp, std::uint32_t offset, std::uint32_t length, Visit&& visit) {
  std::uint32_t done = 0;
  // False: that was the last one.
  const auto piece = [&](std::byte* begin, std::uint32_t size, bool& goes_on) {
    if (offset >= size) {
      offset -= size;
      return true;
    }
    const std::uint32_t part = std::min(length - done, size - offset);
    goes_on = visit(begin + offset, done, part);
    offset = 0;
    done += part;
    return goes_on && done != length;
  };
  bool goes_on = true;
  if (!piece(xdp.data, linear_bytes(xdp), goes_on) || !has_fragments(xdp)) return goes_on;
  for (std::uint32_t i = 0; i < xdp.fragments->count; ++i) {
    const XdpFragment& fragment = xdp.fragments->of[i];
    if (!piece(fragment.data(), fragment.size, goes_on)) break;
  }
  return goes_on;
}

}  // namespace

Result<std::uint64_t> linear_bytes_at(object::Runtime& runtime, std::uint64_t xdp_buff) {
  const std::uint64_t begin = TRY(read_member(runtime, "xdp_buff", "data", xdp_buff));
  const std::uint64_t end = TRY(read_member(runtime, "xdp_buff", "data_end", xdp_buff));
  return end > begin ? end - begin : 0;
}

Result<std::byte*> xdp_pointer(const XdpBuff& xdp, std::uint32_t offset, std::uint32_t length) {
  if (std::byte* const bytes = linear_pointer(xdp, offset, length)) return bytes;
  TRY(check_range(xdp, offset, length));
  if (offset < linear_bytes(xdp)) return nullptr;
  offset -= linear_bytes(xdp);
  for (std::uint32_t i = 0; i < xdp.fragments->count; ++i) {
    const XdpFragment& fragment = xdp.fragments->of[i];
    if (offset < fragment.size) return offset + length <= fragment.size ? fragment.data() + offset : nullptr;
    offset -= fragment.size;
  }
  return xdp.data_end;  // no bytes, behind the last
}

Result<void> copy_xdp_bytes(const XdpBuff& xdp, std::uint32_t offset, std::byte* to, std::uint32_t length) {
  const bool copied = for_each_piece(xdp, offset, length,
                                     [to](const std::byte* bytes, std::uint32_t done, std::uint32_t size) {
                                       return portolan_fault_copy(to + done, bytes, size);
                                     });
  if (!copied) return fail(EFAULT);
  return {};
}

Result<void> load_xdp_bytes(const XdpBuff& xdp, std::uint32_t offset, std::byte* to, std::uint32_t length) {
  TRY(check_range(xdp, offset, length));
  return copy_xdp_bytes(xdp, offset, to, length);
}

Result<void> store_xdp_bytes(const XdpBuff& xdp, std::uint32_t offset, const std::byte* from,
                             std::uint32_t length) {
  TRY(check_range(xdp, offset, length));
  const bool copied =
      for_each_piece(xdp, offset, length, [from](std::byte* bytes, std::uint32_t done, std::uint32_t size) {
        return portolan_fault_copy(bytes, from + done, size);
      });
  if (!copied) return fail(EFAULT);
  return {};
}

}  // namespace portolan::helper
