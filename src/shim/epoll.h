// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/epoll.h>

namespace portolan::shim {

// The fd is about to be closed, or to become another: what it watched, or was watched as, is forgotten.
void forget_watches(int fd);
// EPOLLIN if the epoll instance has a record to tell of, and nothing else may tell it; 0 also for all other
// fds.
unsigned epoll_has_records(int fd);
// Whether an epoll instance watches a ring buffer.
bool watches_rings(int fd);

}  // namespace portolan::shim
