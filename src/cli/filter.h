// SPDX-License-Identifier: Apache-2.0
// A seccomp filter that keeps bpf(2) from the machine's kernel.
#pragma once
#include <sys/types.h>

#include "base/result.h"

namespace portolan::cli {

// Installs the filter in this process, for it and all its descendants (this sets no_new_privs). The fd of a
// listener that is told of each call, or -1 where one cannot be had: such calls then simply get ENOSYS.
Result<int> install_filter();

// Answers the calls that reach the listener with ENOSYS, and names each program once on standard error, until
// the listener's processes are gone.
class RawCallWatch {
 public:
  explicit RawCallWatch(int listener) : listener_(listener) {}
  int fd() const { return listener_; }
  void answer_one();

 private:
  int listener_;
  dev_t last_device_ = 0;
  ino_t last_inode_ = 0;
};

}  // namespace portolan::cli
