// SPDX-License-Identifier: Apache-2.0
// A path that a client gives, as the kernel is to be given it.
#pragma once
#include <fcntl.h>

#include <cstdint>
#include <string>

#include "base/sys.h"
#include "shim/session.h"

namespace portolan::shim {

inline long word(const void* pointer) { return static_cast<long>(reinterpret_cast<std::intptr_t>(pointer)); }
inline int int_result(long result) { return static_cast<int>(libc_result(result)); }

class Path {
 public:
  Path(int dir_fd, const char* path)
      : there_(shim::on_bpffs(dir_fd, path)), path_(there_.empty() ? path : there_.c_str()) {}
  explicit Path(const char* path) : Path(AT_FDCWD, path) {}
  Path(const Path&) = delete;
  Path& operator=(const Path&) = delete;

  bool on_bpffs() const { return !there_.empty(); }
  // The bpffs keeps names with dots to itself: EPERM.
  bool refused() const {
    if (there_.empty()) return false;
    const std::size_t root = there_.find("/bpffs");
    return there_.find('.', root == there_.npos ? 0 : root) != there_.npos;
  }
  const char* c_str() const { return path_; }
  long word() const { return shim::word(path_); }

 private:
  std::string there_;
  const char* path_;
};

// The system call, unless the bpffs refuses one of its paths.
template <class... Words>
long call_with(const Path& path, long number, Words... words) {
  return path.refused() ? -EPERM : sys::call(number, static_cast<long>(words)...);
}

}  // namespace portolan::shim
