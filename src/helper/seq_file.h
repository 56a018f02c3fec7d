// SPDX-License-Identifier: Apache-2.0
// What a program of an iterator writes to: struct seq_file.
#pragma once
#include <string>
#include <string_view>

namespace portolan::helper {

class SeqFile {
 public:
  static constexpr std::size_t kRoom = 8 * 4096;  // of what one read(2) collects, and one object shows
  std::string_view text() const { return text_; }
  bool has_overflowed() const { return has_overflowed_; }
  // False, and nothing of it is there: it has no room; nor has anything that comes after.
  bool write(std::string_view more) {
    has_overflowed_ |= text_.size() + more.size() >= kRoom;
    if (!has_overflowed_) text_ += more;
    return !has_overflowed_;
  }
  // Forgets all but the first `size` bytes, and that there was no room.
  void cut(std::size_t size) {
    text_.resize(size);
    has_overflowed_ = false;
  }

 private:
  std::string text_;
  bool has_overflowed_ = false;
};

}  // namespace portolan::helper
