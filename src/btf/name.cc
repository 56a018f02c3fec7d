// SPDX-License-Identifier: Apache-2.0
#include "btf/name.h"

#include <cstddef>
#include <cstring>

namespace portolan::btf {
namespace {

constexpr std::size_t kMaxLength = 512;  // KSYM_NAME_LEN

bool is_letter(unsigned char c) {
  if (c >= 0xc0) return c != 0xd7 && c != 0xf7;  // all but the multiplication and division signs
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.';
}
bool is_digit(unsigned char c) { return c >= '0' && c <= '9'; }

template <class Taken>
bool all(const char* name, Taken taken) {
  const std::size_t length = strnlen(name, kMaxLength + 1);
  if (length == 0 || length > kMaxLength) return false;
  for (std::size_t i = 0; i < length; ++i)
    if (!taken(static_cast<unsigned char>(name[i]))) return false;
  return true;
}

}  // namespace

bool is_printable(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 0x20 && byte < 0x7f) || byte >= 0xa0;
}

bool is_identifier(const char* name) {
  return is_letter(static_cast<unsigned char>(*name)) &&
         all(name, [](unsigned char c) { return is_letter(c) || is_digit(c); });
}

bool is_section_name(const char* name) {
  return all(name, [](unsigned char c) { return is_printable(static_cast<char>(c)); });
}

}  // namespace portolan::btf
