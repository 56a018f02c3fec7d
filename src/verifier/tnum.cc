// SPDX-License-Identifier: Apache-2.0
// The arithmetic is that of Vishwanathan, Shachnai, Narayana and Nagarakatte, "Sound, Precise, and Fast
// Abstract Interpretation with Tristate Numbers" (CGO 2022), which the kernel uses too.
#include "verifier/tnum.h"

#include <fmt/format.h>

#include <bit>

namespace portolan::verifier {

Tnum Tnum::range(std::uint64_t least, std::uint64_t most) {
  const std::uint64_t differing = least ^ most;
  const int bits = 64 - std::countl_zero(differing);
  if (bits == 64) return unknown();
  const std::uint64_t mask = (std::uint64_t{1} << bits) - 1;
  return {least & ~mask, mask};
}

std::uint64_t Tnum::after(std::uint64_t number) const {
  if (number >= most()) return most();
  if (number < value) return value;
  // Below the highest known bit that the number has otherwise, all is as small as can be.
  const std::uint64_t wrong = (number ^ value) & ~mask;
  const std::uint64_t free_below = wrong == 0 ? 0 : ~std::uint64_t{0} >> std::countl_zero(wrong);
  const std::uint64_t kept = number & mask & ~free_below;
  if (wrong != 0 && (number & std::bit_floor(wrong)) == 0) return kept | value;
  // One more of the unknown bits, over all the known ones.
  return (((kept | ~mask | free_below) + 1) & mask & ~free_below) | value;
}

Tnum operator+(Tnum a, Tnum b) {
  const std::uint64_t masks = a.mask + b.mask, values = a.value + b.value;
  const std::uint64_t carries = (masks + values) ^ values;  // bits that a carry may reach
  const std::uint64_t mask = carries | a.mask | b.mask;
  return {values & ~mask, mask};
}

Tnum operator-(Tnum a, Tnum b) {
  const std::uint64_t difference = a.value - b.value;
  const std::uint64_t borrows = (difference + a.mask) ^ (difference - b.mask);
  const std::uint64_t mask = borrows | a.mask | b.mask;
  return {difference & ~mask, mask};
}

Tnum operator&(Tnum a, Tnum b) {
  const std::uint64_t ones = a.value & b.value;
  return {ones, (a.value | a.mask) & (b.value | b.mask) & ~ones};
}
Tnum operator|(Tnum a, Tnum b) {
  const std::uint64_t ones = a.value | b.value;
  return {ones, (a.mask | b.mask) & ~ones};
}
Tnum operator^(Tnum a, Tnum b) {
  const std::uint64_t mask = a.mask | b.mask;
  return {(a.value ^ b.value) & ~mask, mask};
}

// Long multiplication: what is certain is multiplied as numbers, what is not is added up as masks.
Tnum operator*(Tnum a, Tnum b) {
  const std::uint64_t certain = a.value * b.value;
  Tnum uncertain = Tnum::constant(0);
  while (a.value != 0 || a.mask != 0) {
    if ((a.value & 1) != 0)
      uncertain = uncertain + Tnum{0, b.mask};
    else if ((a.mask & 1) != 0)
      uncertain = uncertain + Tnum{0, b.value | b.mask};
    a = shift_right(a, 1);
    b = shift_left(b, 1);
  }
  return Tnum::constant(certain) + uncertain;
}

Tnum shift_right_signed(Tnum a, unsigned by, unsigned bits) {
  if (bits == 32)
    return {static_cast<std::uint32_t>(static_cast<std::int32_t>(a.value) >> by),
            static_cast<std::uint32_t>(static_cast<std::int32_t>(a.mask) >> by)};
  return {static_cast<std::uint64_t>(static_cast<std::int64_t>(a.value) >> by),
          static_cast<std::uint64_t>(static_cast<std::int64_t>(a.mask) >> by)};
}

std::string to_text(Tnum bits) {
  if (!bits.is_constant()) return fmt::format("({:#x}; {:#x})", bits.value, bits.mask);
  return bits.value <= 0xffff ? fmt::format("{}", bits.value) : fmt::format("{:#x}", bits.value);
}

}  // namespace portolan::verifier
