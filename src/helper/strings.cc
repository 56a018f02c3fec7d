// SPDX-License-Identifier: Apache-2.0
// Strings, by kfuncs: wherever they lie, each byte is read as probe reads are. No string is looked at beyond
// 65,536 bytes.
#include <optional>

#include "helper/functions.h"
#include "helper/memory.h"

namespace portolan::helper::functions {
namespace {

constexpr U64 kMost = 65536;

// The first page of addresses is nobody's.
constexpr U64 kFirstPage = 4096;
bool is_address(U64 string) { return string >= kFirstPage; }

// A string's characters by number, read a piece at a time.
class Characters {
 public:
  explicit Characters(U64 address) : address_(address) {}
  // nullopt: it cannot be read.
  std::optional<signed char> at(U64 index) {
    const U64 begin = (address_ + index) / kPiece * kPiece;
    if (begin != begin_) {
      if (!portolan_fault_copy(piece_, pointer(begin), kPiece)) return std::nullopt;
      begin_ = begin;
    }
    return piece_[address_ + index - begin];
  }

 private:
  static constexpr U64 kPiece = 64;  // lies in one page
  U64 address_;
  U64 begin_ = 1;
  signed char piece_[kPiece];
};

signed char lower(signed char c) {
  const auto letter = static_cast<unsigned char>(c);
  const bool is_upper =
      (letter >= 'A' && letter <= 'Z') || (letter >= 0xc0 && letter <= 0xde && letter != 0xd7);
  return is_upper ? static_cast<signed char>(letter + 32) : c;  // Latin-1
}

U64 compare(U64 first, U64 second, bool ignores_case) {
  if (!is_address(first) || !is_address(second)) return negative_int(ERANGE);
  Characters one(first), other(second);
  for (U64 i = 0; i < kMost; ++i) {
    auto a = one.at(i), b = other.at(i);
    if (!a || !b) return negative_int(EFAULT);
    if (ignores_case) {
      a = lower(*a);
      b = lower(*b);
    }
    if (*a != *b) return *a < *b ? negative_int(1) : 1;
    if (*a == 0) return 0;
  }
  return negative_int(E2BIG);
}

struct Found {
  int error;  // 0: none
  U64 at;     // the count that was given, where nothing was found
  signed char character;
};

// The first character of so many that is the wanted one, or the string's end.
Found find_end_or(signed char wanted, U64 string, U64 count) {
  if (!is_address(string)) return {ERANGE, 0, 0};
  Characters characters(string);
  for (U64 i = 0; i < kMost; ++i) {
    if (i == count) return {0, i, 0};
    const auto c = characters.at(i);
    if (!c) return {EFAULT, i, 0};
    if (*c == wanted || *c == 0) return {0, i, *c};
  }
  return {E2BIG, kMost, 0};
}

// The number of the first character of `text` that is (or is not) one of `set`, or of its end.
U64 span(U64 text, U64 set, bool of_others) {
  if (!is_address(text) || !is_address(set)) return negative_int(ERANGE);
  Characters characters(text), accepted(set);
  for (U64 i = 0; i < kMost; ++i) {
    const auto c = characters.at(i);
    if (!c) return negative_int(EFAULT);
    if (*c == 0) return i;
    U64 j = 0;
    std::optional<signed char> one;
    for (; j < kMost; ++j) {
      one = accepted.at(j);
      if (!one) return negative_int(EFAULT);
      if (*one == *c || *one == 0) break;
    }
    if (j == kMost) return negative_int(E2BIG);
    if ((*one != 0) == of_others) return i;
  }
  return negative_int(E2BIG);
}

}  // namespace

U64 strcmp(Run&, U64 first, U64 second, U64, U64, U64) { return compare(first, second, false); }
U64 strcasecmp(Run&, U64 first, U64 second, U64, U64, U64) { return compare(first, second, true); }

U64 strnchr(Run&, U64 string, U64 count, U64 wanted, U64, U64) {
  const auto found = find_end_or(static_cast<signed char>(wanted), string, count);
  if (found.error != 0) return negative_int(found.error);
  if (found.at == count) return negative_int(ENOENT);
  return found.character == static_cast<signed char>(wanted) ? found.at : negative_int(ENOENT);
}
U64 strchr(Run& run, U64 string, U64 wanted, U64, U64, U64) {
  return strnchr(run, string, kMost, wanted, 0, 0);
}

U64 strchrnul(Run&, U64 string, U64 wanted, U64, U64, U64) {
  const auto found = find_end_or(static_cast<signed char>(wanted), string, ~U64{0});
  return found.error != 0 ? negative_int(found.error) : found.at;
}

U64 strrchr(Run&, U64 string, U64 wanted, U64, U64, U64) {
  if (!is_address(string)) return negative_int(ERANGE);
  Characters characters(string);
  U64 last = negative_int(ENOENT);
  for (U64 i = 0; i < kMost; ++i) {
    const auto c = characters.at(i);
    if (!c) return negative_int(EFAULT);
    if (*c == static_cast<std::int32_t>(wanted)) last = i;  // an int, as the kernel has it
    if (*c == 0) return last;
  }
  return negative_int(E2BIG);
}

U64 strnlen(Run&, U64 string, U64 count, U64, U64, U64) {
  const auto found = find_end_or(0, string, count);
  return found.error != 0 ? negative_int(found.error) : found.at;
}
U64 strlen(Run& run, U64 string, U64, U64, U64, U64) { return strnlen(run, string, kMost, 0, 0, 0); }

U64 strspn(Run&, U64 text, U64 set, U64, U64, U64) { return span(text, set, false); }
U64 strcspn(Run&, U64 text, U64 set, U64, U64, U64) { return span(text, set, true); }

// One character of the second string is read beyond what fits: it may end there.
U64 strnstr(Run&, U64 text, U64 wanted, U64 length, U64, U64) {
  if (!is_address(text) || !is_address(wanted)) return negative_int(ERANGE);
  Characters characters(text), pattern(wanted);
  for (U64 i = 0; i < kMost; ++i) {
    U64 j = 0;
    for (; i + j <= length && j < kMost; ++j) {
      const auto b = pattern.at(j);
      if (!b) return negative_int(EFAULT);
      if (*b == 0) return i;
      if (i + j == length) break;
      const auto a = characters.at(i + j);
      if (!a) return negative_int(EFAULT);
      if (*a == 0) return negative_int(ENOENT);
      if (*a != *b) break;
    }
    if (j == kMost) return negative_int(E2BIG);
    if (i + j == length) return negative_int(ENOENT);
  }
  return negative_int(E2BIG);
}
U64 strstr(Run& run, U64 text, U64 wanted, U64, U64, U64) { return strnstr(run, text, wanted, kMost, 0, 0); }

}  // namespace portolan::helper::functions
