// SPDX-License-Identifier: Apache-2.0
// What a comparison says about its operands.
#include <algorithm>
#include <bit>

#include "verifier/bounds.h"

namespace portolan::verifier {
namespace {

using isa::Jump;

template <class U>
Range<U>& range_of(Bounds& bounds) {
  if constexpr (sizeof(U) == 8)
    return bounds.wide;
  else
    return bounds.narrow;
}
template <class U>
const Range<U>& range_of(const Bounds& bounds) {
  return range_of<U>(const_cast<Bounds&>(bounds));
}
template <class U>
Tnum bits_of(const Bounds& bounds) {
  return bounds.bits.low(sizeof(U));
}

template <class U>
int taken(Jump op, const Bounds& left, const Bounds& right) {
  const Range<U>&a = range_of<U>(left), &b = range_of<U>(right);
  const Tnum x = bits_of<U>(left), y = bits_of<U>(right);
  // `always` and `never` of a < b and a <= b.
  const auto less = [](auto amin, auto amax, auto bmin, auto bmax) {
    return amax < bmin ? 1 : amin >= bmax ? 0 : -1;
  };
  const auto less_or_equal = [](auto amin, auto amax, auto bmin, auto bmax) {
    return amax <= bmin ? 1 : amin > bmax ? 0 : -1;
  };
  const auto equal = [&] {
    if (x.is_constant() && y.is_constant()) return x.value == y.value ? 1 : 0;
    if (((x.value ^ y.value) & ~x.mask & ~y.mask) != 0) return 0;
    if (a.umin > b.umax || a.umax < b.umin || a.smin > b.smax || a.smax < b.smin) return 0;
    return -1;
  };
  const auto negated = [](int answer) { return answer < 0 ? -1 : 1 - answer; };
  switch (op) {
    case Jump::kJeq:
      return equal();
    case Jump::kJne:
      return negated(equal());
    case Jump::kJset:
      if (!x.is_constant() && !y.is_constant()) return -1;
      if ((x.value & y.value) != 0) return 1;
      return ((x.value | x.mask) & (y.value | y.mask)) == 0 ? 0 : -1;
    case Jump::kJlt:
      return less(a.umin, a.umax, b.umin, b.umax);
    case Jump::kJge:
      return negated(less(a.umin, a.umax, b.umin, b.umax));
    case Jump::kJle:
      return less_or_equal(a.umin, a.umax, b.umin, b.umax);
    case Jump::kJgt:
      return negated(less_or_equal(a.umin, a.umax, b.umin, b.umax));
    case Jump::kJslt:
      return less(a.smin, a.smax, b.smin, b.smax);
    case Jump::kJsge:
      return negated(less(a.smin, a.smax, b.smin, b.smax));
    case Jump::kJsle:
      return less_or_equal(a.smin, a.smax, b.smin, b.smax);
    case Jump::kJsgt:
      return negated(less_or_equal(a.smin, a.smax, b.smin, b.smax));
    default:
      return -1;
  }
}

Jump opposite(Jump op) {
  switch (op) {
    case Jump::kJeq:
      return Jump::kJne;
    case Jump::kJne:
      return Jump::kJeq;
    case Jump::kJgt:
      return Jump::kJle;
    case Jump::kJge:
      return Jump::kJlt;
    case Jump::kJlt:
      return Jump::kJge;
    case Jump::kJle:
      return Jump::kJgt;
    case Jump::kJsgt:
      return Jump::kJsle;
    case Jump::kJsge:
      return Jump::kJslt;
    case Jump::kJslt:
      return Jump::kJsge;
    case Jump::kJsle:
      return Jump::kJsgt;
    default:
      return op;
  }
}

// Both are the same number of this width.
template <class U>
void make_equal(Bounds& left, Bounds& right) {
  Range<U>&a = range_of<U>(left), &b = range_of<U>(right);
  a.umin = b.umin = std::max(a.umin, b.umin);
  a.umax = b.umax = std::min(a.umax, b.umax);
  a.smin = b.smin = std::max(a.smin, b.smin);
  a.smax = b.smax = std::min(a.smax, b.smax);
  const Tnum common = intersection(bits_of<U>(left), bits_of<U>(right));
  if constexpr (sizeof(U) == 8) {
    left.bits = right.bits = common;
  } else {
    left.bits = left.bits.high32() | common;
    right.bits = right.bits.high32() | common;
  }
}

// `one` is not `constant`: that counts where it is at an end of the range.
template <class U>
void exclude(Bounds& one, U constant) {
  using S = Range<U>::S;
  Range<U>& range = range_of<U>(one);
  if (range.umin == constant && range.umin != std::numeric_limits<U>::max()) ++range.umin;
  if (range.umax == constant && range.umax != 0) --range.umax;
  if (range.smin == static_cast<S>(constant) && range.smin != std::numeric_limits<S>::max()) ++range.smin;
  if (range.smax == static_cast<S>(constant) && range.smax != std::numeric_limits<S>::min()) --range.smax;
}

// a < b (or a <= b) for one pair of limits.
template <class T>
void order(T& amin, T& amax, T& bmin, T& bmax, bool or_equal) {
  if (or_equal) {
    amax = std::min(amax, bmax);
    bmin = std::max(bmin, amin);
    return;
  }
  // The callers know that a < b can be: neither end is at its limit then, or the result is empty.
  const T most = std::min(amax, bmax == std::numeric_limits<T>::min() ? bmax : static_cast<T>(bmax - 1));
  const T least = std::max(bmin, amin == std::numeric_limits<T>::max() ? amin : static_cast<T>(amin + 1));
  amax = most;
  bmin = least;
}

template <class U>
void learn_bits_set(Bounds& one, const Bounds& mask, bool any_set) {
  const Tnum known = bits_of<U>(mask);
  if (!known.is_constant()) return;
  if (any_set) {
    if (std::has_single_bit(known.value)) {
      one.bits.value |= known.value;
      one.bits.mask &= ~known.value;
    }
    return;
  }
  // As in the kernel, what remains is what the bits say.
  one.wide = {};
  one.narrow = {};
  one.bits.value &= ~known.value;
  one.bits.mask &= ~known.value;
}

template <class U>
void learn(Jump op, Bounds& left, Bounds& right) {
  Range<U>&a = range_of<U>(left), &b = range_of<U>(right);
  switch (op) {
    case Jump::kJeq:
      make_equal<U>(left, right);
      break;
    case Jump::kJne:
      if (bits_of<U>(right).is_constant()) exclude<U>(left, static_cast<U>(bits_of<U>(right).value));
      if (bits_of<U>(left).is_constant()) exclude<U>(right, static_cast<U>(bits_of<U>(left).value));
      break;
    case Jump::kJlt:
      order(a.umin, a.umax, b.umin, b.umax, false);
      break;
    case Jump::kJle:
      order(a.umin, a.umax, b.umin, b.umax, true);
      break;
    case Jump::kJgt:
      order(b.umin, b.umax, a.umin, a.umax, false);
      break;
    case Jump::kJge:
      order(b.umin, b.umax, a.umin, a.umax, true);
      break;
    case Jump::kJslt:
      order(a.smin, a.smax, b.smin, b.smax, false);
      break;
    case Jump::kJsle:
      order(a.smin, a.smax, b.smin, b.smax, true);
      break;
    case Jump::kJsgt:
      order(b.smin, b.smax, a.smin, a.smax, false);
      break;
    case Jump::kJsge:
      order(b.smin, b.smax, a.smin, a.smax, true);
      break;
    default:
      break;
  }
}

template <class U>
void refine_as(Jump op, bool is_taken, Bounds& left, Bounds& right) {
  if (op == Jump::kJset) {
    if (bits_of<U>(right).is_constant())
      learn_bits_set<U>(left, right, is_taken);
    else
      learn_bits_set<U>(right, left, is_taken);
    return;
  }
  learn<U>(is_taken ? op : opposite(op), left, right);
}

// No such number: a way that is never gone. As in the kernel, it is followed with what the bits say.
void settle(Bounds& bounds) {
  bounds.sync();
  const bool is_other = bounds.is_constant() && bounds != Bounds::constant(bounds.value());
  const bool is_narrow_other =
      bounds.is_narrow_constant() && bounds.narrow != Range<std::uint32_t>::constant(bounds.narrow_value());
  if (!bounds.is_empty() && !is_other && !is_narrow_other) return;
  bounds.wide = {};
  bounds.narrow = {};
  bounds.sync();
}

}  // namespace

int branch_taken(Jump op, bool is_wide, const Bounds& left, const Bounds& right) {
  return is_wide ? taken<std::uint64_t>(op, left, right) : taken<std::uint32_t>(op, left, right);
}

void refine(Jump op, bool is_wide, bool is_taken, Bounds& left, Bounds& right) {
  if (is_wide)
    refine_as<std::uint64_t>(op, is_taken, left, right);
  else
    refine_as<std::uint32_t>(op, is_taken, left, right);
  settle(left);
  settle(right);
}

}  // namespace portolan::verifier
