// SPDX-License-Identifier: Apache-2.0
#include "shm/region.h"

#include <sys/mman.h>

#include <utility>

#include "shm/huge_pages.h"
#include "shm/room.h"

namespace portolan::shm {
namespace {

// Allocates the pages behind a mapping whose file is closed.
Result<void> populate(std::byte* address, std::uint64_t length) {
  TRY(look_for_memory(length));
  populate_huge_pages(address, length);
  for (;;) {
    const auto populated = sys::madvise(address, length, MADV_POPULATE_WRITE);
    if (populated) return {};
    const int error = populated.error().value;
    if (error == EINTR) continue;
    return fail(error == EFAULT ? ENOMEM : error);  // EFAULT: a touch would have been a SIGBUS
  }
}

}  // namespace

Region::Region(Region&& other) noexcept
    : fd_(std::move(other.fd_)),
      base_(std::exchange(other.base_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

Region& Region::operator=(Region&& other) noexcept {
  Region old(std::move(*this));
  fd_ = std::move(other.fd_);
  base_ = std::exchange(other.base_, nullptr);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

Region::~Region() {
  if (base_ != nullptr) (void)sys::munmap(base_, size_);
}

Result<Region> Region::create(int dir_fd, const char* name, std::uint64_t size, std::uint64_t reserved,
                              mode_t mode) {
  if (size == 0 || size > kLargest) return fail(EINVAL);
  size = round_up(size, kPageSize);
  if (reserved > size) return fail(EINVAL);
  Region region;
  region.fd_ = raised(
      UniqueFd(TRY(sys::openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode))));
  const auto build = [&]() -> Result<void> {
    TRY(look_for_room(region.fd(), reserved, size));  // before the file grows: SIGXFSZ
    if (auto grown = sys::ftruncate(region.fd(), size); !grown)
      return fail(grown.error().value == EFBIG ? ENOMEM : grown.error().value);
    region.base_ = TRY(map_aligned(region.fd(), size));
    region.size_ = size;
    allocate_huge_pages(region.fd(), region.base_, reserved);
    if (reserved != 0) TRY(region.reserve(0, reserved));
    return {};
  };
  if (const auto built = build(); !built) {
    (void)sys::unlinkat(dir_fd, name, 0);
    return fail(built.error());
  }
  return region;
}

Result<Region> Region::open(int dir_fd, const char* name, std::uint64_t least) {
  Region region;
  // O_NONBLOCK: a FIFO of that name must not make us wait.
  region.fd_ = raised(UniqueFd(TRY(sys::openat(dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK))));
  struct ::stat status{};
  TRY(sys::fstat(region.fd(), status));
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (!S_ISREG(status.st_mode) || size == 0 || size < least || size > kLargest) return fail(EINVAL);
  region.base_ = TRY(map_aligned(region.fd(), size));
  region.size_ = size;
  return region;
}

Result<void> Region::reserve(std::uint64_t offset, std::uint64_t length) {
  if (offset > size_ || length > size_ - offset) return fail(EINVAL);
  if (length == 0) return {};
  const std::uint64_t from = offset & ~(kPageSize - 1), to = round_up(offset + length, kPageSize);
  if (fd_) return reserve_room(fd(), from, to - from, size_);
  return populate(base_ + from, to - from);
}

}  // namespace portolan::shm
