// SPDX-License-Identifier: Apache-2.0
// The control group of the process that runs the program: that of the machine's own hierarchy, as far as the
// process can see it. Its id is the inode of its directory.
#include <sys/vfs.h>

#include <string>
#include <string_view>

#include "base/sys.h"
#include "base/unique_fd.h"
#include "helper/functions.h"

namespace portolan::helper::functions {
namespace {

constexpr long kCgroup2Magic = 0x6367'7270;  // CGROUP2_SUPER_MAGIC

// "0::/user.slice/…" of /proc/self/cgroup; nothing: there is no such hierarchy.
std::string own_path() {
  const auto fd = sys::openat(AT_FDCWD, "/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
  if (!fd) return {};
  const UniqueFd file(*fd);
  char text[8192];
  const auto length = sys::pread(file.get(), text, sizeof text, 0);
  if (!length) return {};
  const std::string_view lines(text, *length);
  const std::size_t begin = lines.starts_with("0::") ? 0 : lines.find("\n0::");
  if (begin == lines.npos) return {};
  const std::size_t path = lines.find("0::", begin) + 3;
  return std::string(lines.substr(path, lines.find('\n', path) - path));
}

// 0: it cannot be found.
U64 id_of(const std::string& path) {
  for (const char* root : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
    struct ::statfs system{};
    if (sys::call(SYS_statfs, static_cast<long>(reinterpret_cast<std::intptr_t>(root)),
                  static_cast<long>(reinterpret_cast<std::intptr_t>(&system))) != 0 ||
        system.f_type != kCgroup2Magic)
      continue;
    struct ::stat directory{};
    if (sys::fstatat(AT_FDCWD, (root + path).c_str(), directory, 0)) return directory.st_ino;
  }
  return 0;
}

}  // namespace

U64 get_current_cgroup_id(Run&, U64, U64, U64, U64, U64) {
  const std::string path = own_path();
  return path.empty() ? 0 : id_of(path);
}

// Level 0 is the root, as the process sees it.
U64 get_current_ancestor_cgroup_id(Run&, U64 level_arg, U64, U64, U64, U64) {
  const std::string path = own_path();
  auto level = static_cast<std::int32_t>(level_arg);
  if (path.empty() || level < 0) return 0;
  if (path == "/") return level == 0 ? id_of(path) : 0;
  std::size_t end = 0;
  for (; level > 0; --level) {
    if (end == path.size()) return 0;
    end = path.find('/', end + 1);
    if (end == path.npos) end = path.size();
  }
  return id_of(end == 0 ? "/" : path.substr(0, end));
}

// No packet has a socket, which would have one.
U64 skb_cgroup_id(Run&, U64, U64, U64, U64, U64) { return 0; }
U64 skb_ancestor_cgroup_id(Run&, U64, U64, U64, U64, U64) { return 0; }
U64 sk_cgroup_id(Run&, U64, U64, U64, U64, U64) { return 0; }
U64 sk_ancestor_cgroup_id(Run&, U64, U64, U64, U64, U64) { return 0; }

}  // namespace portolan::helper::functions
