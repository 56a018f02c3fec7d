// SPDX-License-Identifier: Apache-2.0
// What BTF_LOAD tells the user, and how much of it fits the user's buffer: the kernel's verifier log.
#pragma once
#include <fmt/core.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace portolan::btf {

inline constexpr std::uint32_t kLogFixed = 8;  // BPF_LOG_FIXED: keep the beginning, not the end
inline constexpr std::uint32_t kLogMask = 15;  // levels 1 and 2, statistics, fixed

// Whether log_level, log_buf and log_size fit each other; EINVAL where not.
bool log_settings_are_valid(std::uint32_t level, bool has_buffer, std::uint32_t size);

class Log {
 public:
  // `size`: of the user's buffer. What will not fit there is counted but not kept.
  Log(std::uint32_t level, std::uint32_t size) : level_(level), size_(size) {}

  bool needed() const { return level_ != 0; }
  std::uint32_t level() const { return level_; }
  // A place in the text, and back to it: what was printed since is forgotten.
  std::uint64_t mark() const { return length_; }
  void rewind(std::uint64_t mark);

  template <class... Args>
  void print(fmt::format_string<Args...> format, Args&&... args) {
    if (!needed()) return;
    add(fmt::format(format, std::forward<Args>(args)...));
  }

  // What is to be copied to the beginning of the user's buffer, the NUL included; bytes after it stay as they
  // are. Empty if nothing was printed.
  std::string image() const;
  // log_true_size: what the whole text takes, its NUL included.
  std::uint32_t true_size() const;
  // ENOSPC is due: the buffer did not take all of it.
  bool truncated() const { return size_ != 0 && true_size() > size_; }

 private:
  void add(std::string_view piece);

  std::uint32_t level_;
  std::uint32_t size_;
  std::uint64_t length_ = 0;  // of all the text
  std::string kept_;          // fixed: its beginning; otherwise its end, and perhaps more
};

}  // namespace portolan::btf
