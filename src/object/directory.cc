// SPDX-License-Identifier: Apache-2.0
#include "object/directory.h"

#include <cstdint>
#include <cstring>

#include "base/bytes.h"
#include "sync/seam.h"

namespace portolan::object {
namespace {

constexpr int kDeepest = 32;

long address(const void* pointer) { return static_cast<long>(reinterpret_cast<std::intptr_t>(pointer)); }

Result<void> remove_below(int dir_fd, const std::string& path, int depth) {
  PORTOLAN_SEAM();
  auto unlinked = sys::unlinkat(dir_fd, path.c_str(), 0);
  if (unlinked || unlinked.error().value == ENOENT) return {};
  if (unlinked.error().value != EISDIR && unlinked.error().value != EPERM) return unlinked;
  if (depth == kDeepest) return fail(ELOOP);
  auto names = names_in(dir_fd, path.c_str());
  if (!names) return names.error().value == ENOENT ? Result<void>{} : fail(names.error());
  for (const std::string& name : *names) TRY(remove_below(dir_fd, path + "/" + name, depth + 1));
  PORTOLAN_SEAM();
  auto removed = sys::unlinkat(dir_fd, path.c_str(), AT_REMOVEDIR);
  if (!removed && removed.error().value != ENOENT) return removed;
  return {};
}

}  // namespace

Result<UniqueFd> open_directory(int dir_fd, const char* path) {
  return raised(UniqueFd(TRY(sys::openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW))));
}

Result<std::vector<std::string>> names_in(int dir_fd, const char* path) {
  const UniqueFd directory = TRY(open_directory(dir_fd, path));
  std::vector<std::string> names;
  // struct linux_dirent64: u64 inode, s64 offset, u16 record length, u8 type, name.
  constexpr std::size_t kLengthAt = 16, kNameAt = 19;
  alignas(8) char buffer[8192];
  for (;;) {
    const long size =
        TRY(sys::checked(sys::call(SYS_getdents64, directory.get(), address(buffer), sizeof buffer)));
    if (size == 0) return names;
    for (long at = 0; at < size;) {
      const char* name = buffer + at + kNameAt;
      if (std::strcmp(name, ".") != 0 && std::strcmp(name, "..") != 0) names.emplace_back(name);
      at += load_unaligned<std::uint16_t>(buffer + at + kLengthAt);
    }
  }
}

Result<void> remove_tree(int dir_fd, const std::string& path) { return remove_below(dir_fd, path, 0); }

}  // namespace portolan::object
