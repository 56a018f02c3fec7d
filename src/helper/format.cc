// SPDX-License-Identifier: Apache-2.0
#include "helper/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "base/fault_copy.h"

namespace portolan::helper {
namespace {

constexpr std::uint32_t kRoom = 512;  // MAX_BPRINTF_BIN_ARGS: what the kernel has for the arguments
constexpr std::uint32_t kMostWidth = 1 << 15;

bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }
bool is_space(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 9 && byte <= 13) || byte == ' ' || byte == 0xa0;
}
bool is_print(char c) { return c >= 0x20 && c < 0x7f; }
// The kernel's isalnum() and ispunct(), of Latin-1.
bool is_alphanumeric(char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (byte >= 0x80) return byte >= 0xc0 && byte != 0xd7 && byte != 0xf7;
  return (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z');
}
bool is_punctuation(char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (byte >= 0x80) return (byte >= 0xa1 && byte <= 0xbf) || byte == 0xd7 || byte == 0xf7;
  return is_print(c) && c != ' ' && !is_alphanumeric(c);
}
bool ends_word(char c) { return c == 0 || is_space(c) || is_punctuation(c); }

// One conversion, up to its letter.
struct Conversion {
  bool left = false, plus = false, space = false, zero = false;
  std::uint32_t width = 0;
};

class Formatter {
 public:
  // `only_checks`: the arguments count, but are not looked at.
  Formatter(const char* format, std::span<const std::uint64_t> arguments, bool only_checks)
      : at_(format), arguments_(arguments), only_checks_(only_checks) {}

  Result<std::string> run() {
    for (; *at_ != 0; ++at_) {
      // Bytes above ASCII are plain text, so that UTF-8 passes.
      if (is_ascii(*at_) && !is_print(*at_) && !is_space(*at_)) return fail(EINVAL);
      if (*at_ != '%') {
        text_ += *at_;
      } else if (at_[1] == '%') {
        text_ += *at_++;
      } else {
        TRY(convert());
      }
    }
    return std::move(text_);
  }

 private:
  Result<void> convert() {
    if (used_ >= arguments_.size()) return fail(EINVAL);
    ++at_;
    const Conversion how = read_flags();
    const std::uint64_t value = arguments_[used_++];
    switch (*at_) {
      case 'p':
        TRY(pointer(how, value));
        while (is_alphanumeric(at_[1]))
          ++at_;  // as the kernel, which looks for more letters of its own there
        return {};
      case 's':
        return string(how, value);
      case 'c': {
        TRY(take(1));
        pad(how, std::string(1, static_cast<char>(value)));
        return {};
      }
      default:
        return integer(how, value);
    }
  }

  Conversion read_flags() {
    Conversion how;
    for (;; ++at_) {
      if (*at_ == '0')
        how.zero = true;
      else if (*at_ == '+')
        how.plus = true;
      else if (*at_ == '-')
        how.left = true;
      else if (*at_ == ' ')
        how.space = true;
      else
        break;
    }
    for (; *at_ >= '0' && *at_ <= '9'; ++at_)
      if (how.width < kMostWidth) how.width = how.width * 10 + static_cast<std::uint32_t>(*at_ - '0');
    if (how.width > kMostWidth) how.width = kMostWidth;
    return how;
  }

  // Room that the kernel takes for an argument; numbers lie at multiples of 4.
  Result<void> take(std::uint32_t bytes) {
    if (only_checks_) return {};
    if (kRoom - room_used_ < bytes) return fail(ENOSPC);
    room_used_ += bytes;
    return {};
  }
  Result<void> take_number(std::uint32_t bytes) {
    room_used_ = static_cast<std::uint32_t>(round_up(room_used_, 4));
    return take(bytes);
  }

  void pad(const Conversion& how, const std::string& part) {
    const std::size_t missing = how.width > part.size() ? how.width - part.size() : 0;
    if (!how.left) text_.append(missing, ' ');
    text_ += part;
    if (how.left) text_.append(missing, ' ');
  }

  void number(const Conversion& how, const std::string& sign, const std::string& digits) {
    const std::size_t length = sign.size() + digits.size();
    if (how.zero && !how.left && how.width > length)
      text_ += sign + std::string(how.width - length, '0') + digits;
    else
      pad(how, sign + digits);
  }

  Result<void> integer(const Conversion& how, std::uint64_t value) {
    std::uint32_t bytes = 4;
    for (int i = 0; i < 2 && *at_ == 'l'; ++i, ++at_) bytes = 8;
    const char letter = *at_;
    if (letter == 0 || std::strchr("iduxX", letter) == nullptr) return fail(EINVAL);
    TRY(take_number(bytes));
    if (bytes == 4) value = static_cast<std::uint32_t>(value);
    std::string sign;
    if (letter == 'i' || letter == 'd') {
      if (bytes == 4) value = static_cast<std::uint64_t>(std::int64_t{static_cast<std::int32_t>(value)});
      const bool negative = static_cast<std::int64_t>(value) < 0;
      if (negative) value = 0 - value;
      sign = negative ? "-" : how.plus ? "+" : how.space ? " " : "";
    }
    number(how, sign,
           letter == 'x'   ? fmt::format("{:x}", value)
           : letter == 'X' ? fmt::format("{:X}", value)
                           : fmt::format("{}", value));
    return {};
  }

  Result<void> string(const Conversion& how, std::uint64_t address) {
    if (!ends_word(at_[1])) return fail(EINVAL);
    if (only_checks_) return {};
    const std::uint32_t room = kRoom - room_used_;
    if (room == 0) return fail(ENOSPC);
    char copy[kRoom];
    const auto* from = reinterpret_cast<const char*>(static_cast<std::uintptr_t>(address));
    const long length = portolan_fault_copy_string(copy, from, room);
    const auto kept = length < 0 ? 0u : length < room ? static_cast<std::uint32_t>(length) : room - 1;
    room_used_ += kept + 1;
    pad(how, std::string(copy, kept));
    return {};
  }

  // What the kernel formats before the rest (%pks, %pI4, %pB …) knows no width.
  Result<void> pointer(const Conversion& how, std::uint64_t value) {
    const char kind = at_[1];
    if (!ends_word(kind)) {
      if ((kind == 'k' || kind == 'u') && at_[2] == 's') {
        at_ += 2;
        return string({}, value);
      }
      if ((kind == 'i' || kind == 'I') && (at_[2] == '4' || at_[2] == '6')) {
        at_ += 2;
        return ip_address(value, kind == 'i', *at_ == '4');
      }
      if (std::strchr("KxsSB", kind) == nullptr) return fail(EINVAL);
      ++at_;
    }
    if (kind == 'B') {
      const std::string symbol = fmt::format("{:#x}", value);
      TRY(take(static_cast<std::uint32_t>(symbol.size()) + 1));
      text_ += symbol;
      return {};
    }
    TRY(take_number(8));
    if (kind == 's' || kind == 'S') {  // there are no symbols
      pad(how, fmt::format("{:#x}", value));
      return {};
    }
    Conversion with_width = how;
    if (how.width == 0) {
      with_width.width = 16;
      with_width.zero = true;
    }
    number(with_width, "", fmt::format("{:x}", value));
    return {};
  }

  Result<void> ip_address(std::uint64_t address, bool bare, bool is_v4) {
    if (only_checks_) return {};
    unsigned char bytes[16];
    const std::size_t size = is_v4 ? 4 : 16;
    if (kRoom - room_used_ < size) return fail(ENOSPC);
    const auto* from = reinterpret_cast<const void*>(static_cast<std::uintptr_t>(address));
    if (!portolan_fault_copy(bytes, from, size)) std::memset(bytes, 0, sizeof bytes);
    std::string text;
    if (is_v4) {
      for (std::size_t i = 0; i < 4; ++i)
        text +=
            fmt::format(bare ? fmt::runtime("{}{:03}") : fmt::runtime("{}{}"), i == 0 ? "" : ".", bytes[i]);
    } else {
      for (std::size_t i = 0; i < 16; i += 2)
        text += fmt::format("{}{:02x}{:02x}", i == 0 || bare ? "" : ":", bytes[i], bytes[i + 1]);
    }
    room_used_ = static_cast<std::uint32_t>(std::min<std::size_t>(kRoom, room_used_ + text.size() + 1));
    text_ += text;
    return {};
  }

  const char* at_;
  std::span<const std::uint64_t> arguments_;
  bool only_checks_;
  std::size_t used_ = 0;
  std::uint32_t room_used_ = 0;
  std::string text_;
};

}  // namespace

Result<std::string> format_text(const char* format, std::span<const std::uint64_t> arguments) {
  return Formatter(format, arguments, false).run();
}

Result<void> check_format(const char* format, std::uint32_t arguments) {
  static constexpr std::uint64_t none[kMostArguments] = {};
  if (arguments > kMostArguments) return fail(EINVAL);
  TRY(Formatter(format, {none, arguments}, true).run());
  return {};
}

}  // namespace portolan::helper
