// SPDX-License-Identifier: Apache-2.0
// Helpers about checksums. Packets here never carry one that a device computed, or leave one to it.
#include "helper/checksum.h"

#include "base/errno.h"
#include "helper/functions.h"
#include "helper/memory.h"
#include "helper/skb.h"

namespace portolan::helper::functions {
namespace {

constexpr U64 kFieldMask = 0xf;  // BPF_F_HDR_FIELD_MASK
constexpr U64 kPseudoHeader = 1 << 4, kMarkMangled0 = 1 << 5, kMarkEnforce = 1 << 6, kIpv6 = 1 << 7;
constexpr std::uint16_t kMangled0 = 0xffff;
enum Level : U64 { kQuery, kIncrement, kDecrement, kReset };
constexpr std::uint32_t kMostLevel = 3;  // SKB_MAX_CSUM_LEVEL

// BPF_F_HDR_FIELD_MASK's sizes: the checksum with the change; EINVAL.
Result<std::uint16_t> replaced(std::uint16_t check, U64 from, U64 to, U64 size, bool narrow_pairs) {
  switch (size) {
    case 0:
      if (from != 0) return fail(EINVAL);
      return replaced_by_difference(check, static_cast<std::uint32_t>(to));
    case 2:
      if (narrow_pairs)
        return replaced_2(check, static_cast<std::uint16_t>(from), static_cast<std::uint16_t>(to));
      return replaced_4(check, static_cast<std::uint16_t>(from), static_cast<std::uint16_t>(to));
    case 4:
      return replaced_4(check, static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(to));
    default:
      return fail(EINVAL);
  }
}

// nullptr: no such place in the packet.
std::byte* checksum_at(SkBuff& skb, std::uint32_t offset) {
  if (offset > 0xffff || offset % 2 != 0 || offset + 2 > length_of(skb)) return nullptr;
  return skb.data + offset;
}

// 32-bit words of the program's memory, summed part by part. EFAULT.
Result<std::uint32_t> sum_at(U64 address, std::uint32_t size, std::uint32_t seed) {
  std::byte part[512];
  for (std::uint32_t done = 0; done < size;) {
    const std::uint32_t length =
        size - done < sizeof part ? size - done : static_cast<std::uint32_t>(sizeof part);
    if (!portolan_fault_copy(part, pointer(address + done), length)) return fail(EFAULT);
    seed = checksum_of({part, length}, seed);
    done += length;
  }
  return seed;
}

}  // namespace

U64 l3_csum_replace(Run&, U64 context, U64 offset, U64 from, U64 to, U64 flags) {
  if ((flags & ~kFieldMask) != 0) return negative(EINVAL);
  std::byte* const at_place = checksum_at(at<SkBuff>(context), static_cast<std::uint32_t>(offset));
  if (at_place == nullptr) return negative(EFAULT);
  std::uint16_t check;
  std::memcpy(&check, at_place, 2);
  const auto result = replaced(check, from, to, flags, true);
  if (!result) return negative(result.error().value);
  std::memcpy(at_place, &*result, 2);
  return 0;
}

U64 l4_csum_replace(Run&, U64 context, U64 offset, U64 from, U64 to, U64 flags) {
  if ((flags & ~(kFieldMask | kPseudoHeader | kMarkMangled0 | kMarkEnforce | kIpv6)) != 0)
    return negative(EINVAL);
  std::byte* const at_place = checksum_at(at<SkBuff>(context), static_cast<std::uint32_t>(offset));
  if (at_place == nullptr) return negative(EFAULT);
  const bool mangled_0 = (flags & kMarkMangled0) != 0;
  std::uint16_t check;
  std::memcpy(&check, at_place, 2);
  if (mangled_0 && (flags & kMarkEnforce) == 0 && check == 0) return 0;  // UDP without a checksum
  auto result = replaced(check, from, to, flags & kFieldMask, false);
  if (!result) return negative(result.error().value);
  if (mangled_0 && *result == 0) result = kMangled0;
  std::memcpy(at_place, &*result, 2);
  return 0;
}

U64 csum_diff(Run&, U64 from, U64 from_size_arg, U64 to, U64 to_size_arg, U64 seed_arg) {
  const auto from_size = static_cast<std::uint32_t>(from_size_arg),
             to_size = static_cast<std::uint32_t>(to_size_arg);
  const auto seed = static_cast<std::uint32_t>(seed_arg);
  if ((from_size | to_size) % 4 != 0) return negative(EINVAL);
  if (from_size == 0 && to_size == 0) return narrow_checksum(seed);
  const auto added = sum_at(to, to_size, to_size != 0 ? seed : 0);
  const auto removed = sum_at(from, from_size, to_size != 0 ? 0 : ~seed);
  if (!added || !removed) return negative(EFAULT);
  if (from_size == 0) return narrow_checksum(*added);
  if (to_size == 0) return narrow_checksum(~*removed);
  return narrow_checksum(subtract_checksums(*added, *removed));
}

U64 csum_update(Run&, U64, U64, U64, U64, U64) { return negative(kEnotsupp); }

U64 csum_level(Run&, U64 context, U64 level, U64, U64, U64) {
  auto& verified = at<SkBuff>(context).verified_checksums;
  switch (level) {
    case kQuery:
      return verified != 0 ? verified - 1 : negative(EACCES);
    case kIncrement:
      if (verified <= kMostLevel) ++verified;
      return 0;
    case kDecrement:
      if (verified != 0) --verified;
      return 0;
    case kReset:
      verified = 0;
      return 0;
    default:
      return negative(EINVAL);
  }
}

}  // namespace portolan::helper::functions
