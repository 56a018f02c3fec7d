// SPDX-License-Identifier: Apache-2.0
// What this process has to do with Portolan: its runtime, opened when it is first needed.
#pragma once
#include <cerrno>

#include "object/runtime.h"
#include "syscall/caller.h"

#define PORTOLAN_SHIM_EXPORT extern "C" __attribute__((visibility("default")))

namespace portolan::shim {

// The runtime of $PORTOLAN_RUNTIME, or a private one of this process and its children. nullptr, with a
// message on standard error the first time, if it cannot be opened.
object::Runtime* runtime();
// The same, but nullptr where nobody has needed it yet.
object::Runtime* runtime_if_open();
// That of an fd which may be a handle that this process was given, where nobody has needed a runtime yet: of
// an empty file beside those of the runtime. nullptr: it is none.
object::Runtime* runtime_of_given(int fd);
// $PORTOLAN_RUNTIME and $LD_PRELOAD as they were when the process began; may be null.
const char* runtime_directory();
const char* preload_libraries();
syscall::LocalCaller& caller();

// From a raw result to libc's way: -1 with errno.
inline long libc_result(long result) {
  if (result < 0 && result >= -4095) {
    errno = static_cast<int>(-result);
    return -1;
  }
  return result;
}

// signals.cc: from now on faults are looked at by us first, and handlers wait for the end of calls.
void guard_signals();

// True if fd is one of the runtime's own, which a client must not close.
bool is_own_fd(int fd);
// The client's fd is about to be closed or replaced: what it stood for is settled by after_close().
class Closing {
 public:
  explicit Closing(int fd);
  void after_close();

 private:
  bool was_handle_ = false;
  object::Kind kind_{};
  std::uint32_t id_ = 0;
};

// The path below the runtime's directory that stands for `path` on the bpffs; empty: it is not on the bpffs.
std::string on_bpffs(int dir_fd, const char* path);
// The way back.
std::string as_client_sees(std::string path);

}  // namespace portolan::shim
