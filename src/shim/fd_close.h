// SPDX-License-Identifier: Apache-2.0
#pragma once
namespace portolan::shim {

// The system calls by these names, on the client's behalf: own fds are not there for it, and the object
// behind a handle that goes is settled at once. Results as the kernel's, errors as -errno.
long close_fd(int fd);
long dup_onto(int fd, int onto, int flags, bool dup2_rules);
long close_fds(unsigned first, unsigned last, unsigned flags);

}  // namespace portolan::shim
