// SPDX-License-Identifier: Apache-2.0
// What is known of a number in a register: its bits, and its range as each of the four integers it may be
// read as.
#pragma once
#include <limits>
#include <string>
#include <type_traits>

#include "isa/insn.h"
#include "verifier/tnum.h"

namespace portolan::verifier {

template <class U>
struct Range {
  using S = std::make_signed_t<U>;
  U umin = 0, umax = std::numeric_limits<U>::max();
  S smin = std::numeric_limits<S>::min(), smax = std::numeric_limits<S>::max();

  static constexpr Range constant(U value) {
    return {value, value, static_cast<S>(value), static_cast<S>(value)};
  }
  constexpr bool is_empty() const { return umin > umax || smin > smax; }
  constexpr bool includes(const Range& other) const {
    return umin <= other.umin && umax >= other.umax && smin <= other.smin && smax >= other.smax;
  }
  void forget_signed() {
    smin = std::numeric_limits<S>::min();
    smax = std::numeric_limits<S>::max();
  }
  void forget_unsigned() {
    umin = 0;
    umax = std::numeric_limits<U>::max();
  }
  friend constexpr bool operator==(const Range&, const Range&) = default;
};

struct Bounds {
  Tnum bits = Tnum::unknown();
  Range<std::uint64_t> wide;
  Range<std::uint32_t> narrow;  // of the low half

  static Bounds constant(std::uint64_t value) {
    return {Tnum::constant(value), Range<std::uint64_t>::constant(value),
            Range<std::uint32_t>::constant(static_cast<std::uint32_t>(value))};
  }
  bool is_constant() const { return bits.is_constant(); }
  std::uint64_t value() const { return bits.value; }
  // The low 32 bits.
  bool is_narrow_constant() const { return bits.low(4).is_constant(); }
  std::uint32_t narrow_value() const { return static_cast<std::uint32_t>(bits.value); }
  bool includes(const Bounds& other) const {
    return bits.includes(other.bits) && wide.includes(other.wide) && narrow.includes(other.narrow);
  }
  // No number at all: the path that led here cannot be taken.
  bool is_empty() const { return wide.is_empty() || narrow.is_empty(); }
  // Lets each part tell the others what it knows.
  void sync();
  void cut_off(unsigned bytes);  // to so many low ones, as the kernel's coerce_reg_to_size
  void zero_extend();            // only the low half counts: `wide` follows from `narrow`
  friend bool operator==(const Bounds&, const Bounds&) = default;
};

// dst = dst OP src. `is_wide`: on 64 bits; otherwise on the low 32, the upper ones become 0. What the kernel
// does not know of a result (quotients, remainders, shifts by unknown amounts) is not known here either.
void compute(isa::Alu op, bool is_wide, Bounds& dst, const Bounds& src);
// dst = its bytes in the order that the instruction says, an Alu::kEnd. `swaps`: they are reversed; the
// others go.
void reorder_bytes(unsigned bytes, bool swaps, Bounds& dst);
// dst = the low `from_bits` of src with their sign, on 64 or 32 bits.
void sign_extend(Bounds& dst, const Bounds& src, unsigned from_bits, bool is_wide);

// 1: always, 0: never, -1: it depends.
int branch_taken(isa::Jump op, bool is_wide, const Bounds& left, const Bounds& right);
// What is known where the branch was taken, or not.
void refine(isa::Jump op, bool is_wide, bool taken, Bounds& left, Bounds& right);

// As the kernel's log shows a number of which not all is known: "scalar(…)" without the word:
// "smin=0,smax=…".
std::string to_text(const Bounds& bounds);

}  // namespace portolan::verifier
