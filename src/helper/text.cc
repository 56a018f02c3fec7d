// SPDX-License-Identifier: Apache-2.0
// Numbers in text, and comparing text.
#include "helper/functions.h"
#include "helper/memory.h"

namespace portolan::helper::functions {
namespace {

constexpr U64 kBaseMask = 0x1f;
constexpr std::uint32_t kMostDigits = 63;  // what the kernel looks at, after blanks and sign

// The bytes of a program's text, one by one, each read once.
class Reader {
 public:
  Reader(U64 address, std::uint32_t size) : address_(address), size_(size) {}
  std::uint32_t position() const { return position_; }
  bool at_end() const { return position_ == size_; }
  // -1: there is none, or it cannot be read.
  int peek() {
    if (position_ == size_) return -1;
    if (position_ == loaded_) {
      const std::uint32_t rest = size_ - position_;
      const std::uint32_t part = rest < sizeof window_ ? rest : static_cast<std::uint32_t>(sizeof window_);
      if (!portolan_fault_copy(window_, pointer(address_ + position_), part)) return -1;
      begin_ = position_;
      loaded_ = position_ + part;
    }
    return window_[position_ - begin_];
  }
  void pass() { ++position_; }

 private:
  U64 address_;
  std::uint32_t size_;
  std::uint32_t position_ = 0, begin_ = 0, loaded_ = 0;
  unsigned char window_[64];
};

// The kernel's isspace(): Latin-1, with its no-break space.
bool is_space(int c) { return (c >= 9 && c <= 13) || c == ' ' || c == 0xa0; }

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : 99;
}

struct Number {
  int error = 0;
  std::uint32_t consumed = 0;
  bool is_negative = false;
  U64 magnitude = 0;
};

Number parse(U64 address, std::uint32_t size, U64 flags) {
  Number number;
  int base = static_cast<int>(flags & kBaseMask);
  if ((base != 0 && base != 8 && base != 10 && base != 16) || (flags & ~kBaseMask) != 0)
    return {.error = EINVAL};
  Reader reader(address, size);
  while (is_space(reader.peek())) reader.pass();
  number.is_negative = reader.peek() == '-';
  if (number.is_negative) reader.pass();
  number.consumed = reader.position();
  if (reader.at_end()) return {.error = EINVAL};
  char text[kMostDigits + 1] = {};
  for (std::uint32_t i = 0; i < kMostDigits; ++i, reader.pass()) {
    const int c = reader.peek();
    if (c < 0) break;
    text[i] = static_cast<char>(c);
  }
  const bool looks_hexadecimal = text[0] == '0' && (text[1] | 0x20) == 'x';
  if (base == 0) base = looks_hexadecimal && digit(text[2]) < 16 ? 16 : text[0] == '0' ? 8 : 10;
  const char* const digits = base == 16 && looks_hexadecimal ? text + 2 : text;
  const char* next = digits;
  bool overflows = false;
  for (; digit(*next) < base; ++next) {
    overflows |= __builtin_mul_overflow(number.magnitude, static_cast<U64>(base), &number.magnitude);
    overflows |= __builtin_add_overflow(number.magnitude, static_cast<U64>(digit(*next)), &number.magnitude);
  }
  if (overflows) return {.error = ERANGE};
  if (next == digits) return {.error = EINVAL};
  number.consumed += static_cast<std::uint32_t>(next - text);
  return number;
}

U64 store(U64 to, U64 value) {
  return portolan_fault_copy(pointer(to), &value, sizeof value) ? 0 : negative(EFAULT);
}

}  // namespace

U64 strtol(Run&, U64 text, U64 size, U64 flags, U64 to, U64) {
  store(to, 0);
  const Number number = parse(text, static_cast<std::uint32_t>(size), flags);
  if (number.error != 0) return negative(number.error);
  const U64 value = number.is_negative ? 0 - number.magnitude : number.magnitude;
  const auto as_signed = static_cast<std::int64_t>(value);
  if (number.is_negative ? as_signed > 0 : as_signed < 0) return negative(ERANGE);
  store(to, value);
  return number.consumed;
}

U64 strtoul(Run&, U64 text, U64 size, U64 flags, U64 to, U64) {
  store(to, 0);
  const Number number = parse(text, static_cast<std::uint32_t>(size), flags);
  if (number.error != 0) return negative(number.error);
  if (number.is_negative) return negative(EINVAL);
  store(to, number.magnitude);
  return number.consumed;
}

U64 strncmp(Run&, U64 first, U64 size, U64 second, U64, U64) {
  Reader left(first, static_cast<std::uint32_t>(size));
  const auto* right =
      static_cast<const unsigned char*>(pointer(second));  // ends with a NUL: the verifier knows it
  for (; !left.at_end(); left.pass(), ++right) {
    const int c = left.peek();
    if (c < 0) return negative(EFAULT);
    if (c != *right) return c < *right ? ~U64{0} : 1;
    if (c == 0) break;
  }
  return 0;
}

}  // namespace portolan::helper::functions
