// SPDX-License-Identifier: Apache-2.0
#include "shm/region.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statfs.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace portolan::shm {
namespace {

std::string read_small_file(const std::string& path) {
  auto fd = sys::openat(AT_FDCWD, path.c_str(), O_RDONLY | O_CLOEXEC);
  if (!fd) return {};
  UniqueFd file(*fd);
  char buffer[4096];
  auto size = sys::pread(file.get(), buffer, sizeof buffer, 0);
  return size ? std::string(buffer, *size) : std::string();
}

// A number in a cgroup file; nothing when there is none ("max") or it cannot be read.
std::uint64_t number_in(const std::string& path, std::uint64_t otherwise) {
  const std::string text = read_small_file(path);
  if (text.empty() || text[0] < '0' || text[0] > '9') return otherwise;
  return std::strtoull(text.c_str(), nullptr, 10);
}

constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};

std::uint64_t headroom(const std::string& folder, const char* limit, const char* usage) {
  const std::uint64_t most = number_in(folder + limit, kUnlimited);
  if (most == kUnlimited) return kUnlimited;
  const std::uint64_t used = number_in(folder + usage, 0);
  return used < most ? most - used : 0;
}

// The least memory that any cgroup of this process, or an ancestor of it, still gives.
std::uint64_t cgroup_headroom() {
  std::uint64_t least = kUnlimited;
  const std::string text = read_small_file("/proc/self/cgroup");
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line(text.data() + at, end - at);
    at = end + 1;
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const bool unified = controllers.empty();
    if (!unified && controllers.find("memory") == controllers.npos) continue;
    for (std::string path(line.substr(second + 1));;
         path.resize(path.rfind('/') == path.npos ? 0 : path.rfind('/'))) {
      const std::string tail = path + "/";
      least = std::min(least, unified ? headroom("/sys/fs/cgroup" + tail, "memory.max", "memory.current")
                                      : headroom("/sys/fs/cgroup/memory" + tail, "memory.limit_in_bytes",
                                                 "memory.usage_in_bytes"));
      if (path.empty() || path == "/") break;
    }
  }
  return least;
}

}  // namespace

Result<void> look_for_room(int fd, std::uint64_t bytes, std::uint64_t file_size) {
  struct ::rlimit limit{};
  if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && file_size > limit.rlim_cur)
    return fail(ENOMEM);
  struct ::statfs file_system{};
  if (sys::call(SYS_fstatfs, fd, static_cast<long>(reinterpret_cast<std::intptr_t>(&file_system))) == 0 &&
      file_system.f_blocks != 0 &&
      bytes / static_cast<std::uint64_t>(file_system.f_bsize) >=
          static_cast<std::uint64_t>(file_system.f_bavail))
    return fail(ENOMEM);
  // Small reservations do not pay for the walk over the cgroups.
  if (bytes >= (1u << 20) && bytes > cgroup_headroom()) return fail(ENOMEM);
  return {};
}

Region::Region(Region&& other) noexcept
    : fd_(std::move(other.fd_)),
      base_(std::exchange(other.base_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

Region& Region::operator=(Region&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(base_, other.base_);
  std::swap(size_, other.size_);
  return *this;
}

Region::~Region() {
  if (base_ != nullptr) (void)sys::munmap(base_, size_);
}

Result<Region> Region::create(int dir_fd, const char* name, std::uint64_t size, std::uint64_t reserved,
                              mode_t mode) {
  size = round_up(size, kPageSize);
  Region region;
  region.fd_ = raised(UniqueFd(TRY(sys::openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode))));
  auto build = [&]() -> Result<void> {
    TRY(look_for_room(region.fd(), reserved, size));
    if (auto grown = sys::ftruncate(region.fd(), size); !grown)
      return fail(grown.error().value == EFBIG ? ENOMEM : grown.error().value);
    region.base_ = static_cast<std::byte*>(
        TRY(sys::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, region.fd(), 0)));
    region.size_ = size;
    if (reserved != 0) TRY(region.reserve(0, reserved));
    return {};
  };
  if (auto built = build(); !built) {
    (void)sys::unlinkat(dir_fd, name, 0);
    return fail(built.error());
  }
  return region;
}

Result<Region> Region::open(int dir_fd, const char* name, std::uint64_t least) {
  Region region;
  region.fd_ = raised(UniqueFd(TRY(sys::openat(dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW))));
  struct ::stat status{};
  TRY(sys::fstat(region.fd(), status));
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (!S_ISREG(status.st_mode) || size == 0 || size < least) return fail(EINVAL);
  region.base_ = static_cast<std::byte*>(
      TRY(sys::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, region.fd(), 0)));
  region.size_ = size;
  return region;
}

Result<void> Region::reserve(std::uint64_t offset, std::uint64_t length) {
  if (offset > size_ || length > size_ - offset) return fail(EINVAL);
  const std::uint64_t from = offset & ~(kPageSize - 1), to = round_up(offset + length, kPageSize);
  if (fd_) TRY(look_for_room(fd(), to - from, size_));
  for (;;) {
    auto reserved = fd_ ? sys::fallocate(fd(), 0, from, to - from)
                        : sys::madvise(base_ + from, to - from, MADV_POPULATE_WRITE);
    if (reserved) return {};
    switch (const int error = reserved.error().value; error) {
      case EINTR:
        continue;
      case ENOSPC:
      case EFBIG:
      case EDQUOT:
      case EFAULT:
        return fail(ENOMEM);
      default:
        return fail(error);
    }
  }
}

}  // namespace portolan::shm
