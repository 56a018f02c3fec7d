// SPDX-License-Identifier: Apache-2.0
#include "btf/log.h"

#include <algorithm>

#include "abi/limits.h"

namespace portolan::btf {
namespace {

// The kernel formats each piece in a buffer of 1,024 bytes, NUL included, and drops what is longer.
constexpr std::size_t kMaxPiece = 1023;
// Rather than move the text with each piece, let it grow so much beyond what is needed.
constexpr std::size_t kSlack = 64 << 10;

}  // namespace

bool log_settings_are_valid(std::uint32_t level, bool has_buffer, std::uint32_t size) {
  if (has_buffer != (size != 0)) return false;
  if (has_buffer && level == 0) return false;
  return (level & ~kLogMask) == 0 && size <= abi::kMaxLogSize;
}

void Log::add(std::string_view piece) {
  // A NUL inside would end the kernel's text as well.
  piece = piece.substr(0, std::min({piece.find('\0'), piece.size(), kMaxPiece}));
  length_ += piece.size();
  if ((level_ & kLogFixed) != 0) {
    kept_.append(piece.substr(0, size_ - std::min<std::size_t>(size_, kept_.size())));
    return;
  }
  kept_.append(piece);
  if (kept_.size() > std::size_t{size_} + kSlack) kept_.erase(0, kept_.size() - size_);
}

void Log::rewind(std::uint64_t mark) {
  const bool keeps_beginning = (level_ & kLogFixed) != 0;
  const std::uint64_t dropped = std::min<std::uint64_t>(length_ - mark, kept_.size());
  kept_.resize(keeps_beginning ? std::min<std::uint64_t>(mark, kept_.size()) : kept_.size() - dropped);
  length_ = mark;
}

std::string Log::image() const {
  if (size_ == 0 || length_ == 0) return {};
  std::string bytes = (level_ & kLogFixed) != 0 ? kept_.substr(0, size_ - 1) : kept_;
  bytes.push_back('\0');
  if (bytes.size() > size_) bytes.erase(0, bytes.size() - size_);
  return bytes;
}

std::uint32_t Log::true_size() const { return length_ == 0 ? 0 : static_cast<std::uint32_t>(length_ + 1); }

}  // namespace portolan::btf
