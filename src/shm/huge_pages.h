// SPDX-License-Identifier: Apache-2.0
// Large tables in large pages: at random places of a table that no cache holds, most of the time goes into
// finding the page.
#pragma once
#include <cstdint>

#include "base/result.h"

namespace portolan::shm {

inline constexpr std::uint64_t kHugePageSize = std::uint64_t{2} << 20;

// Maps `size` bytes of the file, shared and writable, where the file's huge pages can be mapped as such.
Result<std::byte*> map_aligned(int fd, std::uint64_t size);

// Allocates huge pages behind as much of the mapping's first `length` bytes as whole ones cover, where the
// file system is one in memory and the kernel has some. Whatever stays without pages is the caller's to
// reserve. There must be room for `length` bytes.
void allocate_huge_pages(int fd, std::byte* mapping, std::uint64_t length);

// The same for the whole ones within a mapping whose file is closed. There must be room for them.
void populate_huge_pages(std::byte* mapping, std::uint64_t length);

}  // namespace portolan::shm
