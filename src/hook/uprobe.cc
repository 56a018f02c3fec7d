// SPDX-License-Identifier: Apache-2.0
#include "hook/uprobe.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <climits>
#include <cstdlib>

#include "base/sys.h"

namespace portolan::hook {

Result<ProbedFile> probed_file(const char* path) {
  const UniqueFd fd(TRY(sys::openat(AT_FDCWD, path, O_PATH | O_CLOEXEC)));
  struct ::stat status{};
  TRY(sys::fstat(fd.get(), status));
  char own[PATH_MAX];
  const std::string at = fmt::format("/proc/self/fd/{}", fd.get());
  const std::size_t length = TRY(sys::readlinkat(AT_FDCWD, at.c_str(), own, sizeof own));
  return ProbedFile{status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size),
                    S_ISREG(status.st_mode), std::string(own, length)};
}

Result<void> check_uprobe(const ProbedFile& file, std::uint64_t offset, std::uint64_t counter_offset) {
  // To the kernel both are numbers with a sign.
  const bool is_beyond = static_cast<std::int64_t>(offset) > static_cast<std::int64_t>(file.size);
  if (is_beyond || counter_offset != 0) return fail(EINVAL);
  return {};
}

Result<std::uint32_t> process_of_thread(std::uint32_t thread) {
  const auto fd = sys::openat(AT_FDCWD, fmt::format("/proc/{}/status", thread).c_str(), O_RDONLY | O_CLOEXEC);
  if (!fd) return fail(ESRCH);
  const UniqueFd file(*fd);
  char text[4096];
  const auto size = sys::pread(file.get(), text, sizeof text, 0);
  const std::string_view status(text, size ? *size : 0);
  constexpr std::string_view kLine = "\nTgid:\t";
  const std::size_t line = status.find(kLine);
  if (line == status.npos) return fail(ESRCH);
  return static_cast<std::uint32_t>(std::strtoul(status.data() + line + kLine.size(), nullptr, 10));
}

}  // namespace portolan::hook
