// SPDX-License-Identifier: Apache-2.0
// What programs do with dynptrs by kfuncs: parts of them, slices, and those of packets.
#include <algorithm>

#include "helper/dynptr.h"
#include "helper/functions.h"
#include "helper/memory.h"
#include "helper/netfilter.h"
#include "helper/program_sets.h"

namespace portolan::helper::functions {
namespace {

using Kind = Dynptr::Kind;

std::uint32_t low(U64 number) { return static_cast<std::uint32_t>(number); }
U64 result(int error) { return error == 0 ? 0 : negative_int(error); }
U64 result(U64 helper_result) { return low(helper_result); }

// Who may not write to the packet through pointers gets dynptrs that cannot be written to.
bool may_write_packet(std::uint32_t program_type) {
  return (programs::kTcLwtXmitSkSkb >> program_type & 1) != 0;
}

std::byte* slice(const Dynptr& dynptr, U64 offset, U64 size) {
  if (dynptr.data == nullptr || !dynptr.holds(low(offset), low(size))) return nullptr;
  return dynptr.bytes(low(offset), low(size));
}
std::byte* writable_slice(const Dynptr& dynptr, U64 offset, U64 size) {
  return dynptr.is_read_only() ? nullptr : slice(dynptr, offset, size);
}
U64 address_of(const std::byte* bytes) { return reinterpret_cast<std::uintptr_t>(bytes); }

// What does not lie together is copied to the program's buffer, if it gives one: of an XDP packet that has
// become too short, what is left. Other packets are linear.
U64 slice_or_copy(const Dynptr& dynptr, U64 offset, U64 buffer, U64 size) {
  if (const std::byte* const bytes = slice(dynptr, offset, size)) return address_of(bytes);
  if (buffer == 0 || dynptr.kind() != Kind::kXdp || !dynptr.holds(low(offset), low(size))) return 0;
  const auto copied =
      copy_xdp_bytes(dynptr.xdp(), dynptr.offset + low(offset), mutable_bytes_at(buffer), low(size));
  return copied ? buffer : 0;
}

// Memory that does not lie together, or is not there, is written and read by parts of this many bytes.
constexpr std::uint32_t kPart = 256;

// Overlapping pieces, either of which may be gone.
int move_bytes(std::byte* to, const std::byte* from, std::uint32_t size) {
  std::byte room[kPart];
  const bool is_upwards = to > from;
  for (std::uint32_t done = 0; done < size;) {
    const std::uint32_t part = std::min(size - done, kPart);
    const std::uint32_t at = is_upwards ? size - done - part : done;
    if (!portolan_fault_copy(room, from + at, part) || !portolan_fault_copy(to + at, room, part))
      return EFAULT;
    done += part;
  }
  return 0;
}

}  // namespace

U64 dynptr_adjust(Run&, U64 of, U64 begin, U64 end, U64, U64) {
  auto& dynptr = at<Dynptr>(of);
  if (dynptr.data == nullptr || low(begin) > low(end)) return negative_int(EINVAL);
  if (low(end) > dynptr.size()) return negative_int(ERANGE);
  dynptr.narrow(low(begin), low(end));
  return 0;
}

U64 dynptr_is_null(Run&, U64 of, U64, U64, U64, U64) { return at<Dynptr>(of).data == nullptr ? 1 : 0; }

U64 dynptr_is_rdonly(Run&, U64 of, U64, U64, U64, U64) {
  const auto& dynptr = at<Dynptr>(of);
  return dynptr.data != nullptr && dynptr.is_read_only() ? 1 : 0;
}

U64 dynptr_size(Run&, U64 of, U64, U64, U64, U64) {
  const auto& dynptr = at<Dynptr>(of);
  return dynptr.data == nullptr ? negative_int(EINVAL) : dynptr.size();
}

U64 dynptr_clone(Run&, U64 of, U64 to, U64, U64, U64) {
  const Dynptr dynptr = at<Dynptr>(of);
  at<Dynptr>(to) = dynptr.data == nullptr ? Dynptr{} : dynptr;
  return dynptr.data == nullptr ? negative_int(EINVAL) : 0;
}

U64 dynptr_slice(Run&, U64 of, U64 offset, U64 buffer, U64 size, U64) {
  return slice_or_copy(at<Dynptr>(of), offset, buffer, size);
}
U64 dynptr_slice_rdwr(Run&, U64 of, U64 offset, U64 buffer, U64 size, U64) {
  const auto& dynptr = at<Dynptr>(of);
  return dynptr.is_read_only() ? 0 : slice_or_copy(dynptr, offset, buffer, size);
}

U64 dynptr_copy(Run& run, U64 to, U64 to_offset, U64 from, U64 from_offset, U64 size) {
  const auto& target = at<Dynptr>(to);
  const auto& source = at<Dynptr>(from);
  const std::byte* const bytes = slice(source, from_offset, size);
  std::byte* const room = writable_slice(target, to_offset, size);
  if (bytes != nullptr && room != nullptr) return result(move_bytes(room, bytes, low(size)));
  if (bytes != nullptr) return result(dynptr_write(run, to, low(to_offset), address_of(bytes), size, 0));
  if (room != nullptr) return result(dynptr_read(run, address_of(room), size, from, low(from_offset), 0));
  if (!target.holds(low(to_offset), low(size)) || !source.holds(low(from_offset), low(size)))
    return negative_int(E2BIG);
  std::byte buffer[kPart];
  for (std::uint32_t done = 0, part; done < low(size); done += part) {
    part = std::min(low(size) - done, kPart);
    U64 error = dynptr_read(run, address_of(buffer), part, from, low(from_offset) + done, 0);
    if (error == 0) error = dynptr_write(run, to, low(to_offset) + done, address_of(buffer), part, 0);
    if (error != 0) return result(error);
  }
  return 0;
}

U64 dynptr_memset(Run& run, U64 of, U64 offset, U64 size, U64 value, U64) {
  const auto& dynptr = at<Dynptr>(of);
  if (dynptr.is_read_only()) return negative_int(EINVAL);
  if (!dynptr.holds(low(offset), low(size))) return negative_int(E2BIG);
  std::byte* const bytes = slice(dynptr, offset, size);
  std::byte buffer[kPart];
  std::memset(buffer, static_cast<int>(value & 0xff), sizeof buffer);
  for (std::uint32_t done = 0, part; done < low(size); done += part) {
    part = std::min(low(size) - done, kPart);
    const U64 error = bytes == nullptr
                          ? dynptr_write(run, of, low(offset) + done, address_of(buffer), part, 0)
                      : portolan_fault_copy(bytes + done, buffer, part) ? 0
                                                                        : negative(EFAULT);
    if (error != 0) return result(error);
  }
  return 0;
}

U64 dynptr_from_skb(Run& run, U64 context, U64 flags, U64 to, U64, U64) {
  auto& dynptr = at<Dynptr>(to);
  dynptr = {};
  if (flags != 0) return negative_int(EINVAL);
  const bool is_netfilter = run.program_type == static_cast<std::uint32_t>(abi::ProgType::kNetfilter);
  auto& skb = is_netfilter ? NetfilterContext::packet_of(run.context) : at<SkBuff>(context);
  dynptr = Dynptr::of(Kind::kSkb, &skb, static_cast<std::uint32_t>(skb.data_end - skb.data));
  if (!may_write_packet(run.program_type)) dynptr.set_read_only();
  return 0;
}

U64 dynptr_from_skb_meta(Run&, U64 context, U64 flags, U64 to, U64, U64) {
  auto& dynptr = at<Dynptr>(to);
  dynptr = {};
  if (flags != 0) return negative_int(EINVAL);
  auto& skb = at<SkBuff>(context);
  dynptr = Dynptr::of(Kind::kSkbMeta, &skb, static_cast<std::uint32_t>(skb.data - skb.data_meta));
  return 0;
}

U64 dynptr_from_xdp(Run&, U64 context, U64 flags, U64 to, U64, U64) {
  auto& dynptr = at<Dynptr>(to);
  dynptr = {};
  if (flags != 0) return negative_int(EINVAL);
  auto& xdp = at<XdpBuff>(context);
  dynptr = Dynptr::of(Kind::kXdp, &xdp, length_of(xdp));
  return 0;
}

}  // namespace portolan::helper::functions
