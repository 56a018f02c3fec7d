// SPDX-License-Identifier: Apache-2.0
#include "shim/open_special.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <mntent.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "base/sys.h"
#include "hook/iterator.h"
#include "map/map.h"
#include "shim/kernel_types.h"
#include "shim/probe_files.h"
#include "shim/session.h"
#include "shim/trace_files.h"
#include "sync/call_epoch.h"
#include "verifier/program.h"

namespace portolan::shim {
namespace {

long word(const void* pointer) { return static_cast<long>(reinterpret_cast<std::intptr_t>(pointer)); }

// The number N of /proc/self/<folder>N or /proc/<this process>/<folder>N; -1: another path.
int number_in(const char* path, std::string_view folder) {
  if (std::strncmp(path, "/proc/", 6) != 0) return -1;
  const char* at = path + 6;
  if (std::strncmp(at, "self/", 5) == 0) {
    at += 5;
  } else {
    char* end;
    if (std::strtol(at, &end, 10) != sys::getpid() || *end != '/') return -1;
    at = end + 1;
  }
  if (!std::string_view(at).starts_with(folder)) return -1;
  at += folder.size();
  char* end;
  const long number = std::strtol(at, &end, 10);
  return end == at || *end != '\0' ? -1 : static_cast<int>(number);
}

int open_fdinfo(int fd, const char* path) {
  object::Runtime* there = runtime_if_open();
  if (there == nullptr || !there->is_handle(fd)) return kNotSpecial;
  sync::CallEpoch epoch;
  auto target = there->target_of_any_fd(fd);
  if (!target) return kNotSpecial;
  const std::string text = contents(path);
  // The kernel's own lines, without those that speak of our lock on the handle.
  std::string kept;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    if (line.starts_with("flags:")) {
      // Handles are opened with flags that the kernel's own fds of maps do not have.
      const unsigned long flags = std::strtoul(line.c_str() + 6, nullptr, 8);
      line = fmt::format("flags:\t0{:o}", flags & ~(0100000ul | O_NOFOLLOW));
    }
    if (!line.starts_with("lock:")) kept += line + "\n";
    at = end + 1;
  }
  if (target->view->kind() == object::Kind::kMap)
    kept += static_cast<map::Map*>(target->view)->show_fdinfo();
  else if (target->view->kind() == object::Kind::kBtf)
    kept += fmt::format("btf_id:\t{}\n", target->view->id());
  else if (target->view->kind() == object::Kind::kProg)
    kept += static_cast<verifier::Program*>(target->view)->show_fdinfo();
  else if (target->view->kind() == object::Kind::kLink)
    kept += static_cast<hook::Link*>(target->view)->show_fdinfo();
  return file_with(kept);
}

// Each open of a pinned iterator goes through it from the beginning.
int open_iterator(const hook::Link& link, const std::string& there, int flags) {
  struct ::stat status{};
  if (auto found = sys::fstatat(AT_FDCWD, there.c_str(), status, 0); !found) return -found.error().value;
  auto fd = hook::Iterator::create(link, {status.st_dev, status.st_ino});
  if (!fd) return fd.error().value == EINVAL ? -EIO : -fd.error().value;
  if ((flags & O_CLOEXEC) == 0) (void)sys::fcntl(fd->get(), F_SETFD, 0);
  return fd->release();
}

constexpr const char kMountLine[] = "bpf /sys/fs/bpf bpf rw,nosuid,nodev,noexec,relatime,mode=700 0 0\n";

}  // namespace

std::string contents(const char* path) {
  std::string text;
  auto fd = sys::openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (!fd) return text;
  UniqueFd file(*fd);
  char buffer[8192];
  for (;;) {
    auto size = sys::pread(file.get(), buffer, sizeof buffer, text.size());
    if (!size || *size == 0) return text;
    text.append(buffer, *size);
  }
}

int file_with(const std::string& text) {
  const long fd = sys::call(SYS_memfd_create, word("portolan"), MFD_CLOEXEC);
  if (fd < 0) return static_cast<int>(fd);
  (void)sys::pwrite(static_cast<int>(fd), text.data(), text.size(), 0);
  return static_cast<int>(fd);
}

int open_pin(const std::string& there, int flags) {
  // Opens for writing, and then refuses each write with EINVAL; so does an epoll instance.
  if ((flags & O_ACCMODE) == O_WRONLY) {
    const int fd = open_pin(there, O_RDONLY);
    if (fd < 0) return fd;
    (void)sys::close(fd);
    return static_cast<int>(sys::call(SYS_epoll_create1, flags & O_CLOEXEC));
  }
  object::Runtime* runtime = shim::runtime();
  auto object = runtime->read_pin(AT_FDCWD, there.c_str());
  if (!object) return -object.error().value;
  if (object->first != object::Kind::kMap && object->first != object::Kind::kLink) return -EIO;
  sync::CallEpoch epoch;
  auto view = runtime->view_by_id(object->first, object->second);
  if (!view) return -view.error().value;
  if (object->first == object::Kind::kLink)
    return open_iterator(static_cast<hook::Link&>(**view), there, flags);
  auto text = static_cast<map::Map*>(*view)->seq_show();
  return text ? file_with(*text) : -EIO;
}

int open_special(const char* path, int flags) {
  if (path == nullptr || path[0] != '/') return kNotSpecial;
  if (const int file = open_probe_file(path); file != kNotSpecial) return file;
  if (std::strncmp(path, "/proc/", 6) == 0) {
    if (std::strcmp(path, "/proc/mounts") == 0 || std::strcmp(path, "/proc/self/mounts") == 0) {
      std::string text = contents(path);
      if (text.find(" /sys/fs/bpf bpf ") == text.npos) text += kMountLine;
      return file_with(text);
    }
    if (const int fd = number_in(path, "fd/"); fd >= 0) {
      object::Runtime* there = runtime_if_open();
      // An anonymous inode cannot be opened again.
      return there != nullptr && there->is_handle(fd) ? -ENXIO : kNotSpecial;
    }
    const int number = number_in(path, "fdinfo/");
    return number < 0 ? kNotSpecial : open_fdinfo(number, path);
  }
  if (const int types = open_kernel_types(path, flags); types != kNotSpecial) return types;
  return open_trace_pipe(path, flags);
}

}  // namespace portolan::shim
