// SPDX-License-Identifier: Apache-2.0
// Arithmetic on what is known of numbers. Wherever a result could wrap around, the range says nothing.
#include <algorithm>
#include <bit>

#include "verifier/bounds.h"

namespace portolan::verifier {
namespace {

using isa::Alu;

template <class U>
struct Arithmetic {
  using S = Range<U>::S;
  using R = Range<U>;
  static constexpr unsigned kBits = sizeof(U) * 8;

  static void add(R& a, const R& b) {
    const bool below = __builtin_add_overflow(a.smin, b.smin, &a.smin);
    const bool above = __builtin_add_overflow(a.smax, b.smax, &a.smax);
    if (below || above) a.forget_signed();
    // If both ends wrap around, everything between them does.
    const bool low = __builtin_add_overflow(a.umin, b.umin, &a.umin);
    const bool high = __builtin_add_overflow(a.umax, b.umax, &a.umax);
    if (low != high) a.forget_unsigned();
  }
  static void subtract(R& a, const R& b) {
    const bool below = __builtin_sub_overflow(a.smin, b.smax, &a.smin);
    const bool above = __builtin_sub_overflow(a.smax, b.smin, &a.smax);
    if (below || above) a.forget_signed();
    const bool low = __builtin_sub_overflow(a.umin, b.umax, &a.umin);
    const bool high = __builtin_sub_overflow(a.umax, b.umin, &a.umax);
    if (low != high) a.forget_unsigned();
  }
  static void multiply(R& a, const R& b) {
    S products[4];
    const S lefts[] = {a.smin, a.smax}, rights[] = {b.smin, b.smax};
    bool overflows = false;
    for (int i = 0; i < 4; ++i)
      if (__builtin_mul_overflow(lefts[i / 2], rights[i % 2], &products[i])) overflows = true;
    if (overflows) {
      a.forget_signed();
    } else {
      a.smin = *std::min_element(products, products + 4);
      a.smax = *std::max_element(products, products + 4);
    }
    const bool high = __builtin_mul_overflow(a.umax, b.umax, &a.umax);
    const bool low = __builtin_mul_overflow(a.umin, b.umin, &a.umin);
    if (high || low) a.forget_unsigned();
  }
  // The unsigned range of a bitwise result has been found; it is the signed one too if it does not cross.
  static void follow_unsigned(R& a) {
    if (static_cast<S>(a.umin) <= static_cast<S>(a.umax)) {
      a.smin = static_cast<S>(a.umin);
      a.smax = static_cast<S>(a.umax);
    } else {
      a.forget_signed();
    }
  }
  static void bit_and(R& a, const R& b, Tnum bits) {
    a.umin = static_cast<U>(bits.value);
    a.umax = std::min(a.umax, b.umax);
    follow_unsigned(a);
  }
  static void bit_or(R& a, const R& b, Tnum bits) {
    a.umin = std::max(a.umin, b.umin);
    a.umax = static_cast<U>(bits.most());
    follow_unsigned(a);
  }
  static void bit_xor(R& a, const R&, Tnum bits) {
    a.umin = static_cast<U>(bits.value);
    a.umax = static_cast<U>(bits.most());
    follow_unsigned(a);
  }
  static void shift_left(R& a, unsigned by) {
    a.forget_signed();
    if (by != 0 && a.umax > U{1} << (kBits - 1 - by)) {
      a.forget_unsigned();
    } else {
      a.umin = static_cast<U>(a.umin << by);
      a.umax = static_cast<U>(a.umax << by);
    }
  }
  static void shift_right(R& a, unsigned by) {
    a.forget_signed();
    a.umin = static_cast<U>(a.umin >> by);
    a.umax = static_cast<U>(a.umax >> by);
  }
  static void shift_right_signed(R& a, unsigned by) {
    a.smin = static_cast<S>(a.smin >> by);
    a.smax = static_cast<S>(a.smax >> by);
    a.forget_unsigned();
  }
};

using Wide = Arithmetic<std::uint64_t>;
using Narrow = Arithmetic<std::uint32_t>;

// Both halves of the knowledge at once; the caller syncs.
void compute_plain(Alu op, Bounds& a, const Bounds& b) {
  switch (op) {
    case Alu::kAdd:
      Narrow::add(a.narrow, b.narrow);
      Wide::add(a.wide, b.wide);
      a.bits = a.bits + b.bits;
      break;
    case Alu::kSub:
      Narrow::subtract(a.narrow, b.narrow);
      Wide::subtract(a.wide, b.wide);
      a.bits = a.bits - b.bits;
      break;
    case Alu::kMul:
      Narrow::multiply(a.narrow, b.narrow);
      Wide::multiply(a.wide, b.wide);
      a.bits = a.bits * b.bits;
      break;
    case Alu::kAnd:
      a.bits = a.bits & b.bits;
      Narrow::bit_and(a.narrow, b.narrow, a.bits.low(4));
      Wide::bit_and(a.wide, b.wide, a.bits);
      break;
    case Alu::kOr:
      a.bits = a.bits | b.bits;
      Narrow::bit_or(a.narrow, b.narrow, a.bits.low(4));
      Wide::bit_or(a.wide, b.wide, a.bits);
      break;
    case Alu::kXor:
      a.bits = a.bits ^ b.bits;
      Narrow::bit_xor(a.narrow, b.narrow, a.bits.low(4));
      Wide::bit_xor(a.wide, b.wide, a.bits);
      break;
    default:
      a = Bounds{};
      break;
  }
}

void shift(Alu op, bool is_wide, Bounds& a, unsigned by) {
  if (is_wide) {
    // The low half mixes with the high one; sync() finds what can be known of it. Where it becomes the high
    // one, its signed range comes along: a common way to extend the sign begins so.
    const Range<std::uint32_t> low = a.narrow;
    a.narrow = {};
    switch (op) {
      case Alu::kLsh:
        Wide::shift_left(a.wide, by);
        if (by == 32) {
          a.wide.smin = std::int64_t{low.smin} * (std::int64_t{1} << 32);
          a.wide.smax = std::int64_t{low.smax} * (std::int64_t{1} << 32);
        }
        a.bits = shift_left(a.bits, by);
        break;
      case Alu::kRsh:
        Wide::shift_right(a.wide, by);
        a.bits = shift_right(a.bits, by);
        break;
      default:
        Wide::shift_right_signed(a.wide, by);
        a.bits = shift_right_signed(a.bits, by, 64);
        break;
    }
    return;
  }
  a.bits = a.bits.low(4);
  switch (op) {
    case Alu::kLsh:
      Narrow::shift_left(a.narrow, by);
      a.bits = shift_left(a.bits, by).low(4);
      break;
    case Alu::kRsh:
      Narrow::shift_right(a.narrow, by);
      a.bits = shift_right(a.bits, by);
      break;
    default:
      Narrow::shift_right_signed(a.narrow, by);
      a.bits = shift_right_signed(a.bits, by, 32);
      break;
  }
}

bool is_shift(Alu op) { return op == Alu::kLsh || op == Alu::kRsh || op == Alu::kArsh; }

}  // namespace

namespace {

// What the kernel does not work out; of such a result it forgets even that its upper half is zero.
bool is_unknown(Alu op, bool is_wide, const Bounds& src) {
  switch (op) {
    case Alu::kAdd:
    case Alu::kSub:
    case Alu::kMul:
    case Alu::kAnd:
    case Alu::kOr:
    case Alu::kXor:
      return false;
    default:
      break;
  }
  if (!is_shift(op)) return true;
  const bool is_known = is_wide ? src.is_constant() : src.is_narrow_constant();
  return !is_known || (is_wide ? src.value() >= 64 : src.narrow_value() >= 32);
}

}  // namespace

void compute(Alu op, bool is_wide, Bounds& dst, const Bounds& src) {
  if (is_unknown(op, is_wide, src)) {
    dst = Bounds{};
    return;
  }
  if (is_shift(op))
    shift(op, is_wide, dst, static_cast<unsigned>(is_wide ? src.value() : src.narrow_value()));
  else
    compute_plain(op, dst, src);
  if (is_wide)
    dst.sync();
  else
    dst.zero_extend();
}

namespace {

// As the kernel's coerce_reg_to_size_sx and coerce_subreg_to_size_sx: by the signed range alone, where the
// upper bits are the same all over it.
template <class U>
Range<U> sign_extended(const Range<U>& range, unsigned from_bits, Tnum& bits) {
  using S = Range<U>::S;
  const unsigned above = sizeof(U) * 8 - from_bits;
  const auto extended = [above](S value) {
    return static_cast<S>(static_cast<S>(static_cast<U>(value) << above) >> above);
  };
  const bool is_one_stretch =
      static_cast<U>(range.smin) >> from_bits == static_cast<U>(range.smax) >> from_bits;
  const S one = extended(range.smin), other = extended(range.smax);
  if (is_one_stretch && (one < 0) == (other < 0)) {
    const auto [least, most] = std::minmax(one, other);
    bits = Tnum::range(static_cast<std::uint64_t>(std::int64_t{least}),
                       static_cast<std::uint64_t>(std::int64_t{most}));
    return {static_cast<U>(least), static_cast<U>(most), least, most};
  }
  Range<U> any;
  any.smin = static_cast<S>(~U{0} << (from_bits - 1));
  any.smax = static_cast<S>(~any.smin);
  return any;
}

}  // namespace

void reorder_bytes(unsigned bytes, bool swaps, Bounds& dst) {
  if (swaps) {
    const auto swapped = [bytes](std::uint64_t number) { return std::byteswap(number) >> (64 - 8 * bytes); };
    const Tnum bits{swapped(dst.bits.value), swapped(dst.bits.mask)};
    dst = Bounds{};
    dst.bits = bits;
    dst.sync();
  }
  if (bytes < 8) dst.cut_off(bytes);
}

void sign_extend(Bounds& dst, const Bounds& src, unsigned from_bits, bool is_wide) {
  Bounds result;
  if (src.is_constant()) {
    const auto value = static_cast<std::uint64_t>(
        static_cast<std::int64_t>(src.value() << (64 - from_bits)) >> (64 - from_bits));
    result = Bounds::constant(is_wide ? value : static_cast<std::uint32_t>(value));
  } else if (is_wide) {
    result.wide = sign_extended(src.wide, from_bits, result.bits);
    result.sync();
  } else {
    result.narrow = sign_extended(src.narrow, from_bits, result.bits);
    result.zero_extend();
  }
  dst = result;
}

}  // namespace portolan::verifier
