// SPDX-License-Identifier: Apache-2.0
#include "verifier/bounds.h"

#include <fmt/format.h>

#include <algorithm>

namespace portolan::verifier {
namespace {

// What the known bits say about the range.
template <class U>
void learn_from_bits(Range<U>& range, Tnum bits) {
  using S = Range<U>::S;
  constexpr U sign = U{1} << (sizeof(U) * 8 - 1);
  const U value = static_cast<U>(bits.value), mask = static_cast<U>(bits.mask);
  range.smin = std::max(range.smin, static_cast<S>(value | (mask & sign)));
  range.smax = std::min(range.smax, static_cast<S>(value | (mask & ~sign)));
  range.umin = std::max(range.umin, value);
  range.umax = std::min(range.umax, static_cast<U>(value | mask));
}

// Where range and bits have one number in common, it is that. As the kernel's, this takes it for granted that
// they have any.
void learn_only_number(Bounds& bounds) {
  const auto& [umin, umax, smin, smax] = bounds.wide;
  const Tnum bits = bounds.bits;
  const std::uint64_t next = bits.after(umin), most = bits.most();
  if (bits.contains(umin)) {
    if (next > umax) bounds = Bounds::constant(umin);
  } else if (next == most || (next <= umax && bits.after(next) > umax)) {
    bounds = Bounds::constant(next);
  }
}

// Signed and unsigned ranges are the same numbers where neither crosses from the largest to the smallest.
// Where both do, they are arcs of one circle that may meet at either end: if they meet at one end only, what
// is there is the range.
template <class U>
void learn_from_each_other(Range<U>& range) {
  using S = Range<U>::S;
  if (static_cast<U>(range.smin) <= static_cast<U>(range.smax)) {
    range.umin = std::max(range.umin, static_cast<U>(range.smin));
    range.umax = std::min(range.umax, static_cast<U>(range.smax));
  }
  if (static_cast<S>(range.umin) <= static_cast<S>(range.umax)) {
    range.smin = std::max(range.smin, static_cast<S>(range.umin));
    range.smax = std::min(range.smax, static_cast<S>(range.umax));
  } else if (range.umax < static_cast<U>(range.smin)) {  // from umin up to smax
    range.smin = static_cast<S>(range.umin);
    range.umax = std::min(range.umax, static_cast<U>(range.smax));
  } else if (static_cast<U>(range.smax) < range.umin) {  // from smin up to umax
    range.smax = static_cast<S>(range.umax);
    range.umin = std::max(range.umin, static_cast<U>(range.smin));
  }
}

void learn_narrow_from_wide(Range<std::uint32_t>& narrow, const Range<std::uint64_t>& wide) {
  const auto learn = [&](std::uint64_t least, std::uint64_t most) {
    if (least >> 32 != most >> 32) return;
    const auto low = static_cast<std::uint32_t>(least), high = static_cast<std::uint32_t>(most);
    narrow.umin = std::max(narrow.umin, low);
    narrow.umax = std::min(narrow.umax, high);
    if (static_cast<std::int32_t>(low) <= static_cast<std::int32_t>(high)) {
      narrow.smin = std::max(narrow.smin, static_cast<std::int32_t>(low));
      narrow.smax = std::min(narrow.smax, static_cast<std::int32_t>(high));
    }
  };
  learn(wide.umin, wide.umax);
  learn(static_cast<std::uint64_t>(wide.smin), static_cast<std::uint64_t>(wide.smax));
  // From a little below a multiple of 2^32 to a little above it.
  const auto low = static_cast<std::int32_t>(wide.smin), high = static_cast<std::int32_t>(wide.smax);
  if (static_cast<std::uint32_t>(wide.smin >> 32) + 1 == static_cast<std::uint32_t>(wide.smax >> 32) &&
      low < 0 && high >= 0) {
    narrow.smin = std::max(narrow.smin, low);
    narrow.smax = std::min(narrow.smax, high);
  }
}

void learn_wide_from_narrow(Bounds& bounds) {
  constexpr std::uint64_t upper = ~std::uint64_t{0xffffffff};
  Range<std::uint64_t>& wide = bounds.wide;
  const Range<std::uint32_t>& narrow = bounds.narrow;
  wide.umin = std::max(wide.umin, (wide.umin & upper) | narrow.umin);
  wide.umax = std::min(wide.umax, (wide.umax & upper) | narrow.umax);
  const auto with_low = [](std::int64_t high, std::uint32_t low) {
    return static_cast<std::int64_t>((static_cast<std::uint64_t>(high) & upper) | low);
  };
  wide.smin = std::max(wide.smin, with_low(wide.smin, narrow.umin));
  wide.smax = std::min(wide.smax, with_low(wide.smax, narrow.umax));
  if (narrow.smin >= 0 && wide.smin >= std::numeric_limits<std::int32_t>::min() &&
      wide.smax <= std::numeric_limits<std::int32_t>::max()) {
    // The kernel puts these in the place of what it knew, which may have been more.
    wide.smin = narrow.smin;
    wide.smax = narrow.smax;
    wide.umin = static_cast<std::uint64_t>(wide.smin);
    wide.umax = static_cast<std::uint64_t>(wide.smax);
    bounds.bits = intersection(bounds.bits, Tnum::range(wide.umin, wide.umax));
  }
}

}  // namespace

void Bounds::sync() {
  learn_from_bits(wide, bits);
  learn_from_bits(narrow, bits.low(4));
  learn_only_number(*this);
  for (int pass = 0; pass < 3; ++pass) {
    learn_narrow_from_wide(narrow, wide);
    learn_from_each_other(narrow);
    learn_from_each_other(wide);
    learn_wide_from_narrow(*this);
  }
  const Tnum by_range = intersection(bits, Tnum::range(wide.umin, wide.umax));
  const Tnum low = intersection(by_range.low(4), Tnum::range(narrow.umin, narrow.umax));
  bits = by_range.high32() | low;
  learn_from_bits(wide, bits);
  learn_from_bits(narrow, bits.low(4));
  learn_only_number(*this);
}

void Bounds::cut_off(unsigned bytes) {
  const std::uint64_t kept = (std::uint64_t{1} << (bytes * 8)) - 1;
  auto& [umin, umax, smin, smax] = wide;
  const bool is_one_stretch = (umin & ~kept) == (umax & ~kept);
  umin = is_one_stretch ? umin & kept : 0;
  umax = is_one_stretch ? umax & kept : kept;
  smin = static_cast<std::int64_t>(umin);
  smax = static_cast<std::int64_t>(umax);
  if (bytes < 4) narrow = {};
  bits = bits.low(bytes);
  sync();
}

void Bounds::zero_extend() {
  bits = bits.low(4);
  wide = {narrow.umin, narrow.umax, std::int64_t{0}, std::int64_t{std::numeric_limits<std::uint32_t>::max()}};
  wide.smin = static_cast<std::int64_t>(wide.umin);
  wide.smax = static_cast<std::int64_t>(wide.umax);
  sync();
}

// Each value is named once: "smin=umin=…" where several bounds are the same; what the type allows anyway is
// left out.
std::string to_text(const Bounds& bounds) {
  struct Part {
    const char* name;
    std::int64_t value;
    bool is_left_out, is_signed;
  };
  constexpr std::int64_t s32_min = std::numeric_limits<std::int32_t>::min();
  constexpr std::int64_t s32_max = std::numeric_limits<std::int32_t>::max();
  const auto& [umin, umax, smin, smax] = bounds.wide;
  const auto& low = bounds.narrow;
  const Part parts[] = {
      {"smin", smin, smin == std::numeric_limits<std::int64_t>::min(), true},
      {"smax", smax, smax == std::numeric_limits<std::int64_t>::max(), true},
      {"umin", static_cast<std::int64_t>(umin), umin == 0, false},
      {"umax", static_cast<std::int64_t>(umax), umax == std::numeric_limits<std::uint64_t>::max(), false},
      {"smin32", low.smin, low.smin == s32_min, true},
      {"smax32", low.smax, low.smax == s32_max, true},
      {"umin32", low.umin, low.umin == 0, false},
      {"umax32", low.umax, low.umax == std::numeric_limits<std::uint32_t>::max(), false},
  };
  std::string text;
  bool done[std::size(parts)] = {};
  const auto same = [](const Part& a, const Part& b) {
    return a.value == b.value && (a.is_signed == b.is_signed || a.value >= 0);
  };
  for (std::size_t i = 0; i < std::size(parts); ++i) {
    if (parts[i].is_left_out || done[i]) continue;
    if (!text.empty()) text += ',';
    text += parts[i].name;
    for (std::size_t j = i + 1; j < std::size(parts); ++j) {
      if (parts[j].is_left_out || done[j] || !same(parts[i], parts[j])) continue;
      done[j] = true;
      text += '=';
      text += parts[j].name;
    }
    const std::int64_t value = parts[i].value;
    const bool is_small = value >= -65536 && value <= 65535;
    const bool is_narrow = std::string_view(parts[i].name).ends_with("32");
    const auto in_hex = is_narrow ? static_cast<std::uint32_t>(value) : static_cast<std::uint64_t>(value);
    text += is_small && (parts[i].is_signed || value >= 0) ? fmt::format("={}", value)
                                                           : fmt::format("={:#x}", in_hex);
  }
  if (bounds.bits != Tnum::unknown()) {
    if (!text.empty()) text += ',';
    text += fmt::format("var_off=({:#x}; {:#x})", bounds.bits.value, bounds.bits.mask);
  }
  return text;
}

}  // namespace portolan::verifier
