// SPDX-License-Identifier: Apache-2.0
// Tristate numbers: of each bit it is known that it is 0, that it is 1, or nothing.
#pragma once
#include <cstdint>
#include <string>

namespace portolan::verifier {

struct Tnum {
  std::uint64_t value = 0;  // the bits known to be 1
  std::uint64_t mask = 0;   // the bits of which nothing is known; never one that is in value

  static constexpr Tnum constant(std::uint64_t value) { return {value, 0}; }
  static constexpr Tnum unknown() { return {0, ~std::uint64_t{0}}; }
  // All numbers from least to most, as tightly as bits can say it.
  static Tnum range(std::uint64_t least, std::uint64_t most);

  constexpr bool is_constant() const { return mask == 0; }
  constexpr bool contains(std::uint64_t number) const { return (number & ~mask) == value; }
  // Whether all numbers of `other` are among these.
  constexpr bool includes(Tnum other) const {
    return (other.mask & ~mask) == 0 && (other.value & ~mask) == value;
  }
  constexpr std::uint64_t most() const { return value | mask; }
  // The smallest of these numbers above that one; where there is none, the largest.
  std::uint64_t after(std::uint64_t number) const;
  constexpr bool is_aligned(std::uint64_t size) const { return ((value | mask) & (size - 1)) == 0; }
  constexpr Tnum low(unsigned bytes) const {
    const std::uint64_t kept = bytes >= 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (bytes * 8)) - 1;
    return {value & kept, mask & kept};
  }
  constexpr Tnum high32() const {
    return {value & ~std::uint64_t{0xffffffff}, mask & ~std::uint64_t{0xffffffff}};
  }
  friend constexpr bool operator==(Tnum, Tnum) = default;
};

Tnum operator+(Tnum a, Tnum b);
Tnum operator-(Tnum a, Tnum b);
Tnum operator*(Tnum a, Tnum b);
Tnum operator&(Tnum a, Tnum b);
Tnum operator|(Tnum a, Tnum b);
Tnum operator^(Tnum a, Tnum b);
constexpr Tnum shift_left(Tnum a, unsigned by) { return {a.value << by, a.mask << by}; }
constexpr Tnum shift_right(Tnum a, unsigned by) { return {a.value >> by, a.mask >> by}; }
Tnum shift_right_signed(Tnum a, unsigned by, unsigned bits);
// As the kernel's log has it: "(value; mask)", or the number itself.
std::string to_text(Tnum bits);
// The numbers in both, if there are any; otherwise something.
constexpr Tnum intersection(Tnum a, Tnum b) {
  const std::uint64_t mask = a.mask & b.mask;
  return {(a.value | b.value) & ~mask, mask};
}

}  // namespace portolan::verifier
