// SPDX-License-Identifier: Apache-2.0
#include "shm/room.h"

#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "base/sys.h"
#include "base/unique_fd.h"

namespace portolan::shm {
namespace {

// Below this nobody looks into cgroups: it costs some tens of microseconds.
constexpr std::uint64_t kSmall = 1u << 20;
constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};

std::string read_small_file(const std::string& path) {
  auto opened = sys::openat(AT_FDCWD, path.c_str(), O_RDONLY | O_CLOEXEC);
  if (!opened) return {};
  const UniqueFd file(*opened);
  std::string text;
  char buffer[4096];
  while (text.size() < 65536) {
    auto size = sys::pread(file.get(), buffer, sizeof buffer, text.size());
    if (!size || *size == 0) break;
    text.append(buffer, *size);
  }
  return text;
}

std::optional<std::uint64_t> leading_number(std::string_view text) {
  while (!text.empty() && text[0] == ' ') text.remove_prefix(1);
  if (text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;
  return std::strtoull(std::string(text.substr(0, 20)).c_str(), nullptr, 10);
}

// The number after `name` at the start of a line, 0 when there is none.
std::uint64_t field(std::string_view text, std::string_view name) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    if (line.starts_with(name)) return leading_number(line.substr(name.size())).value_or(0);
    at = end + 1;
  }
  return 0;
}

struct MemoryFiles {
  const char *root, *limit, *usage, *inactive_file, *active_file;
};
constexpr MemoryFiles kVersion1{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
                                "total_inactive_file ", "total_active_file "};
constexpr MemoryFiles kVersion2{"/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file ",
                                "active_file "};

// What one cgroup still gives. Its page cache is not in the way: the kernel drops that first.
std::uint64_t headroom(const std::string& folder, const MemoryFiles& files) {
  const auto most = leading_number(read_small_file(folder + files.limit));  // "max": none
  const auto used = leading_number(read_small_file(folder + files.usage));
  if (!most || !used) return kUnlimited;
  const std::string stat = read_small_file(folder + "memory.stat");
  const std::uint64_t reclaimable = field(stat, files.inactive_file) + field(stat, files.active_file);
  const std::uint64_t needed = *used > reclaimable ? *used - reclaimable : 0;
  return needed < *most ? *most - needed : 0;
}

// The least that this process's cgroups and their ancestors still give.
std::uint64_t cgroup_headroom() {
  std::uint64_t least = kUnlimited;
  const std::string text = read_small_file("/proc/self/cgroup");
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line(text.data() + at, end - at);  // "4:memory:/a/b", in version 2 "0::/a/b"
    at = end + 1;
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == line.npos || second == line.npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    if (!controllers.empty() && controllers.find("memory") == controllers.npos) continue;
    const MemoryFiles& files = controllers.empty() ? kVersion2 : kVersion1;
    for (std::string path(line.substr(second + 1));; path.resize(path.rfind('/'))) {
      if (path == "/") path.clear();
      least = std::min(least, headroom(files.root + path + "/", files));
      if (path.rfind('/') == path.npos) break;
    }
  }
  return least;
}

std::uint64_t machine_headroom() {
  const std::string text = read_small_file("/proc/meminfo");
  if (text.empty()) return kUnlimited;
  return (field(text, "MemAvailable:") + field(text, "SwapFree:")) * 1024;
}

}  // namespace

Result<void> look_for_memory(std::uint64_t bytes) {
  if (bytes >= kSmall && (bytes > machine_headroom() || bytes > cgroup_headroom())) return fail(ENOMEM);
  return {};
}

Result<void> look_for_room(int fd, std::uint64_t bytes, std::uint64_t file_size) {
  struct ::rlimit limit{};
  if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && file_size > limit.rlim_cur)
    return fail(ENOMEM);
  struct ::statfs file_system{};
  TRY(sys::checked(
      sys::call(SYS_fstatfs, fd, static_cast<long>(reinterpret_cast<std::intptr_t>(&file_system)))));
  const auto block = static_cast<std::uint64_t>(file_system.f_bsize);
  const bool bounded = file_system.f_blocks != 0;  // tmpfs may be mounted without a size
  if (bounded && bytes / block + (bytes % block != 0) > static_cast<std::uint64_t>(file_system.f_bavail))
    return fail(ENOMEM);
  if (file_system.f_type != TMPFS_MAGIC && file_system.f_type != RAMFS_MAGIC) return {};
  return look_for_memory(bytes);
}

Result<void> reserve_room(int fd, std::uint64_t offset, std::uint64_t length, std::uint64_t file_size) {
  TRY(look_for_room(fd, length, file_size));
  for (;;) {
    const auto reserved = sys::fallocate(fd, 0, offset, length);
    if (reserved) return {};
    const int error = reserved.error().value;
    if (error == EINTR) continue;
    return fail(error == ENOSPC || error == EFBIG || error == EDQUOT ? ENOMEM : error);
  }
}

}  // namespace portolan::shm
