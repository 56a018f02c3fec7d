// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/uio.h>

#include "hook/iterator.h"

namespace portolan::shim {

// Inside a CallEpoch; nullptr: the fd is of none.
hook::Iterator* iterator_behind(int fd);
// read(2) and readv(2): as many bytes, or -errno.
long read_iterator(hook::Iterator& iterator, void* to, std::size_t size);
long read_iterator(hook::Iterator& iterator, const struct iovec* list, int count);

}  // namespace portolan::shim
