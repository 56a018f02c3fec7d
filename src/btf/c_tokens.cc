// SPDX-License-Identifier: Apache-2.0
#include "btf/c_tokens.h"

#include <algorithm>

namespace portolan::btf {
namespace {

constexpr bool is_letter(char one) {
  return (one >= 'a' && one <= 'z') || (one >= 'A' && one <= 'Z') || (one >= '0' && one <= '9') || one == '_';
}

}  // namespace

CTokens::CTokens(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at + 1;
    if (text.substr(at).starts_with("//")) {
      at = std::min(text.find('\n', at), text.size());
      continue;
    }
    if (text[at] == ' ' || text[at] == '\n') {
      at = end;
      continue;
    }
    if (is_letter(text[at]))
      while (end < text.size() && is_letter(text[end])) ++end;
    tokens_.push_back(text.substr(at, end - at));
    at = end;
  }
}

bool is_word(std::string_view token) { return is_letter(token[0]); }

std::optional<Integer> take_integer(const CTokens& tokens, std::size_t& at) {
  using namespace abi::btf;
  struct {
    int of_unsigned = 0, of_long = 0, of_short = 0, of_char = 0, of_int = 0, of_bool = 0, of_signed = 0;
  } count;
  const std::size_t begin = at;
  for (; at < tokens.size(); ++at) {
    const std::string_view word = tokens[at];
    int* const counted = word == "unsigned" ? &count.of_unsigned
                         : word == "signed" ? &count.of_signed
                         : word == "long"   ? &count.of_long
                         : word == "short"  ? &count.of_short
                         : word == "char"   ? &count.of_char
                         : word == "int"    ? &count.of_int
                         : word == "_Bool"  ? &count.of_bool
                                            : nullptr;
    if (counted == nullptr) break;
    ++*counted;
  }
  if (at == begin) return {};
  const bool has_sign = count.of_unsigned == 0;
  if (count.of_bool != 0) return Integer{"_Bool", 1, kIntBool};
  if (count.of_char != 0) {
    if (!has_sign) return Integer{"unsigned char", 1, 0};
    return count.of_signed != 0 ? Integer{"signed char", 1, kIntSigned} : Integer{"char", 1, 0};
  }
  if (count.of_short != 0)
    return has_sign ? Integer{"short int", 2, kIntSigned} : Integer{"short unsigned int", 2, 0};
  if (count.of_long == 2)
    return has_sign ? Integer{"long long int", 8, kIntSigned} : Integer{"long long unsigned int", 8, 0};
  if (count.of_long == 1)
    return has_sign ? Integer{"long int", 8, kIntSigned} : Integer{"long unsigned int", 8, 0};
  return has_sign ? Integer{"int", 4, kIntSigned} : kUnsignedInt;
}

}  // namespace portolan::btf
