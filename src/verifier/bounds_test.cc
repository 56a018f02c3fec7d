// SPDX-License-Identifier: Apache-2.0
// Soundness by example: whatever numbers go in, the result is among those that the bounds allow.
#include "verifier/bounds.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

namespace portolan::verifier {
namespace {

using isa::Alu;
using isa::Jump;

class Random {
 public:
  std::uint64_t bits() { return engine_(); }
  // Numbers near the ends of every width.
  std::uint64_t edge() {
    static constexpr std::uint64_t kEdges[] = {0,
                                               1,
                                               2,
                                               0x7f,
                                               0x80,
                                               0xff,
                                               0x7fff,
                                               0x8000,
                                               0xffff,
                                               0x7fffffff,
                                               0x80000000,
                                               0xffffffff,
                                               0x100000000,
                                               0x7fffffffffffffff,
                                               0x8000000000000000,
                                               ~0ull};
    switch (engine_() % 4) {
      case 0:
        return engine_();
      case 1:
        return engine_() % 64;
      default:
        return kEdges[engine_() % std::size(kEdges)] + engine_() % 5 - 2;
    }
  }
  // Bounds with a few of the numbers that they allow: those first, then bounds around them.
  Bounds around(std::array<std::uint64_t, 3>& members) {
    const std::uint64_t base = edge();
    for (auto& one : members) switch (engine_() % 4) {
        case 0:
          one = base;
          break;
        case 1:
          one = edge();
          break;
        default:
          one = base + engine_() % 300;
          break;
      }
    Bounds bounds;
    Tnum bits = Tnum::constant(members[0]);
    Range<std::uint64_t> wide = Range<std::uint64_t>::constant(members[0]);
    auto narrow = Range<std::uint32_t>::constant(static_cast<std::uint32_t>(members[0]));
    for (std::uint64_t one : members) {
      const std::uint64_t differing = (one ^ bits.value) | bits.mask;
      bits = {bits.value & ~differing, differing};
      widen(wide, one);
      widen(narrow, static_cast<std::uint32_t>(one));
    }
    if (engine_() % 3) bounds.bits = bits;
    if (engine_() % 3) bounds.wide = wide;
    if (engine_() % 3) bounds.narrow = narrow;
    if (engine_() % 4) bounds.sync();
    return bounds;
  }

 private:
  template <class U>
  static void widen(Range<U>& range, U one) {
    using S = Range<U>::S;
    range = {std::min(range.umin, one), std::max(range.umax, one), std::min(range.smin, static_cast<S>(one)),
             std::max(range.smax, static_cast<S>(one))};
  }
  std::mt19937_64 engine_{1};
};

bool contains(const Bounds& bounds, std::uint64_t number) {
  const auto low = static_cast<std::uint32_t>(number);
  return bounds.bits.contains(number) && bounds.wide.includes(Range<std::uint64_t>::constant(number)) &&
         bounds.narrow.includes(Range<std::uint32_t>::constant(low));
}

template <class U>
U result(Alu op, U a, U b) {
  using S = std::make_signed_t<U>;
  const U by = b & (sizeof(U) * 8 - 1);
  switch (op) {
    case Alu::kAdd:
      return a + b;
    case Alu::kSub:
      return a - b;
    case Alu::kMul:
      return a * b;
    case Alu::kDiv:
      return b == 0 ? 0 : a / b;
    case Alu::kMod:
      return b == 0 ? a : a % b;
    case Alu::kOr:
      return a | b;
    case Alu::kAnd:
      return a & b;
    case Alu::kXor:
      return a ^ b;
    case Alu::kLsh:
      return static_cast<U>(a << by);
    case Alu::kRsh:
      return a >> by;
    case Alu::kArsh:
      return static_cast<U>(static_cast<S>(a) >> by);
    default:
      return 0;
  }
}
template <class U>
bool holds(Jump op, U a, U b) {
  using S = std::make_signed_t<U>;
  const S x = static_cast<S>(a), y = static_cast<S>(b);
  switch (op) {
    case Jump::kJeq:
      return a == b;
    case Jump::kJne:
      return a != b;
    case Jump::kJset:
      return (a & b) != 0;
    case Jump::kJgt:
      return a > b;
    case Jump::kJge:
      return a >= b;
    case Jump::kJlt:
      return a < b;
    case Jump::kJle:
      return a <= b;
    case Jump::kJsgt:
      return x > y;
    case Jump::kJsge:
      return x >= y;
    case Jump::kJslt:
      return x < y;
    default:
      return x <= y;
  }
}

constexpr int kCases = 300'000;

TEST(Bounds, contain_the_results_of_all_arithmetic_on_what_they_contain) {
  constexpr Alu kOps[] = {Alu::kAdd, Alu::kSub, Alu::kMul, Alu::kDiv, Alu::kMod, Alu::kOr,
                          Alu::kAnd, Alu::kXor, Alu::kLsh, Alu::kRsh, Alu::kArsh};
  Random random;
  for (int i = 0; i < kCases; ++i) {
    std::array<std::uint64_t, 3> left, right;
    const Bounds a = random.around(left);
    Bounds b = random.around(right);
    if (random.bits() % 2) {
      right.fill(right[0] % 70);
      b = Bounds::constant(right[0]);
    }
    const Alu op = kOps[random.bits() % std::size(kOps)];
    const bool is_wide = random.bits() % 2;
    Bounds after = a;
    compute(op, is_wide, after, b);
    for (std::uint64_t x : left)
      for (std::uint64_t y : right) {
        const std::uint64_t number =
            is_wide ? result<std::uint64_t>(op, x, y)
                    : result<std::uint32_t>(op, static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(y));
        ASSERT_TRUE(contains(after, number))
            << i << ": " << std::hex << x << " op " << static_cast<int>(op) << " " << y << " = " << number
            << " not in " << to_text(after) << " from " << to_text(a) << " and " << to_text(b);
      }
  }
}

TEST(Bounds, contain_sign_extended_numbers) {
  Random random;
  for (int i = 0; i < kCases; ++i) {
    std::array<std::uint64_t, 3> members;
    const Bounds from = random.around(members);
    const unsigned bits = 8u << random.bits() % 3;
    const bool is_wide = bits == 32 || random.bits() % 2;
    Bounds after;
    sign_extend(after, from, bits, is_wide);
    for (std::uint64_t one : members) {
      std::uint64_t number =
          static_cast<std::uint64_t>(static_cast<std::int64_t>(one << (64 - bits)) >> (64 - bits));
      if (!is_wide) number = static_cast<std::uint32_t>(number);
      ASSERT_TRUE(contains(after, number)) << std::hex << one << " by " << bits << ": " << to_text(after);
    }
  }
}

TEST(Bounds, keep_what_a_branch_leaves_and_never_foretell_it_wrongly) {
  constexpr Jump kOps[] = {Jump::kJeq, Jump::kJne,  Jump::kJset, Jump::kJgt,  Jump::kJge, Jump::kJlt,
                           Jump::kJle, Jump::kJsgt, Jump::kJsge, Jump::kJslt, Jump::kJsle};
  Random random;
  for (int i = 0; i < kCases; ++i) {
    std::array<std::uint64_t, 3> left, right;
    const Bounds a = random.around(left), b = random.around(right);
    const Jump op = kOps[random.bits() % std::size(kOps)];
    const bool is_wide = random.bits() % 2;
    const int foretold = branch_taken(op, is_wide, a, b);
    for (std::uint64_t x : left)
      for (std::uint64_t y : right) {
        const bool taken = is_wide ? holds<std::uint64_t>(op, x, y)
                                   : holds(op, static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(y));
        if (foretold >= 0) {
          ASSERT_EQ(foretold == 1, taken) << std::hex << x << " op " << static_cast<int>(op) << " " << y;
        }
        Bounds a2 = a, b2 = b;
        refine(op, is_wide, taken, a2, b2);
        ASSERT_TRUE(contains(a2, x) && contains(b2, y))
            << std::hex << x << " op " << static_cast<int>(op) << " " << y << " taken " << taken << ": "
            << to_text(a) << " becomes " << to_text(a2) << ", " << to_text(b) << " becomes " << to_text(b2);
      }
  }
}

TEST(Bounds, are_shown_as_the_kernel_shows_them) {
  EXPECT_EQ(to_text(Bounds{}), "");
  Bounds byte;
  byte.bits = {0, 0xff};
  byte.sync();
  EXPECT_EQ(to_text(byte), "smin=smin32=0,smax=umax=smax32=umax32=255,var_off=(0x0; 0xff)");
}

TEST(Tnum, a_range_is_as_tight_as_bits_can_say) {
  EXPECT_EQ(Tnum::range(4, 7), (Tnum{4, 3}));
  EXPECT_EQ(Tnum::range(5, 5), Tnum::constant(5));
  EXPECT_EQ(Tnum::range(0, ~0ull), Tnum::unknown());
}

TEST(Tnum, the_number_after_another_is_the_next_one_that_it_allows) {
  for (std::uint64_t mask = 0; mask < 64; ++mask)
    for (std::uint64_t value = 0; value < 64; ++value) {
      if ((value & mask) != 0) continue;
      const Tnum bits{value, mask};
      for (std::uint64_t number = 0; number < 64; ++number) {
        std::uint64_t next = number + 1;
        while (next < 64 && !bits.contains(next)) ++next;
        ASSERT_EQ(bits.after(number), next < 64 ? next : bits.most())
            << value << ' ' << mask << ' ' << number;
      }
    }
  EXPECT_EQ((Tnum{0, ~0ull}.after(~0ull - 1)), ~0ull);
  EXPECT_EQ((Tnum{1ull << 63, 1}.after(5)), 1ull << 63);
}

}  // namespace
}  // namespace portolan::verifier
