// SPDX-License-Identifier: Apache-2.0
// The words and signs of declarations in C, and its integers.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "abi/btf.h"

namespace portolan::btf {

// Words, numbers, and signs of one character each, without blanks and // comments.
class CTokens {
 public:
  explicit CTokens(std::string_view text);
  std::size_t size() const { return tokens_.size(); }
  std::string_view operator[](std::size_t at) const { return tokens_.at(at); }

 private:
  std::vector<std::string_view> tokens_;
};

bool is_word(std::string_view token);

struct Integer {
  std::string_view name;  // as BTF has it
  std::uint32_t size;     // bytes
  std::uint32_t encoding;
};
inline constexpr Integer kUnsignedInt{"unsigned int", 4, 0};

// The integer whose words begin at `at`, which then is behind them; nothing: none does.
std::optional<Integer> take_integer(const CTokens& tokens, std::size_t& at);

}  // namespace portolan::btf
