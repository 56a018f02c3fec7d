// SPDX-License-Identifier: Apache-2.0
#include "shm/huge_pages.h"

#include <linux/magic.h>
#include <linux/mman.h>
#include <sys/mman.h>
#include <sys/vfs.h>

#include "base/bytes.h"
#include "base/sys.h"

namespace portolan::shm {
namespace {

bool is_in_memory(int fd) {
  struct ::statfs file_system{};
  const long asked =
      sys::call(SYS_fstatfs, fd, static_cast<long>(reinterpret_cast<std::intptr_t>(&file_system)));
  return asked == 0 && file_system.f_type == TMPFS_MAGIC;
}

}  // namespace

Result<std::byte*> map_aligned(int fd, std::uint64_t size) {
  constexpr int kProtection = PROT_READ | PROT_WRITE;
  if (size < kHugePageSize) {
    return static_cast<std::byte*>(TRY(sys::mmap(nullptr, size, kProtection, MAP_SHARED, fd, 0)));
  }
  // Addresses enough for an aligned mapping; what is left of them before and behind it is given back.
  const std::uint64_t length = round_up(size, kPageSize), room = length + kHugePageSize;
  auto* const from = static_cast<std::byte*>(
      TRY(sys::mmap(nullptr, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)));
  auto* const to =
      reinterpret_cast<std::byte*>(round_up(reinterpret_cast<std::uintptr_t>(from), kHugePageSize));
  const auto mapped = sys::mmap(to, size, kProtection, MAP_SHARED | MAP_FIXED, fd, 0);
  if (!mapped) {
    (void)sys::munmap(from, room);
    return fail(mapped.error());
  }
  if (to != from) (void)sys::munmap(from, static_cast<std::uint64_t>(to - from));
  if (to + length != from + room)
    (void)sys::munmap(to + length, static_cast<std::uint64_t>(from + room - (to + length)));
  return to;
}

void allocate_huge_pages(int fd, std::byte* mapping, std::uint64_t length) {
  length -= length % kHugePageSize;
  if (length == 0 || !is_in_memory(fd)) return;
  // The kernel makes a huge page of a range that has one small page at least, and clears the rest of it: less
  // work than so many small pages.
  for (std::uint64_t at = 0; at < length; at += kHugePageSize)
    if (!sys::fallocate(fd, 0, at, kPageSize)) return;
  (void)sys::madvise(mapping, length, MADV_COLLAPSE);
}

// Where the file is not in memory, collapsing fails, and a page here and there was allocated early.
void populate_huge_pages(std::byte* mapping, std::uint64_t length) {
  const std::uint64_t before = -reinterpret_cast<std::uintptr_t>(mapping) % kHugePageSize;
  if (length < before + kHugePageSize) return;
  std::byte* const from = mapping + before;
  const std::uint64_t whole = (length - before) / kHugePageSize * kHugePageSize;
  for (std::uint64_t at = 0; at < whole; at += kHugePageSize)
    if (!sys::madvise(from + at, kPageSize, MADV_POPULATE_WRITE)) return;
  (void)sys::madvise(from, whole, MADV_COLLAPSE);
}

}  // namespace portolan::shm
