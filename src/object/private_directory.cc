// SPDX-License-Identifier: Apache-2.0
// Private runtimes: a fresh directory, gone with its last process.
//
// Who has a runtime open holds flock(LOCK_SH) on its control file; who wants to take it away needs LOCK_EX,
// and looks then whether any handle is still held (by a process that has a map's fd, but not the runtime
// open). The control file goes first: an opener that had opened it before sees that it has no name any more.
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include <cstring>

#include "base/random.h"
#include "object/impl.h"

namespace portolan::object {
namespace {

constexpr std::uint64_t kLeastRoom = 16 << 20;
constexpr time_t kBeingMade_s = 60;

long address(const void* pointer) { return static_cast<long>(reinterpret_cast<std::intptr_t>(pointer)); }

std::string own_prefix() { return fmt::format("portolan-{}-", ::geteuid()); }

bool is_private_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return path.substr(slash == path.npos ? 0 : slash + 1).starts_with(own_prefix());
}

bool any_handle_held(int root) {
  const auto names = names_in(root, "objects");
  if (!names) return names.error().value != ENOENT;
  for (const std::string& name : *names) {
    const auto object = parse_object_name(name);
    if (!object) continue;
    const auto handle = shm::open_handle_unheld(
        root, object_path(object->kind, object->id, handle_name(object->kind)).c_str());
    if (!handle) {
      if (handle.error().value != ENOENT) return true;
      continue;
    }
    if (const auto held = shm::is_held(handle->get()); !held || *held) return true;
  }
  return false;
}

// EBUSY while anything lives in it.
Result<void> remove_if_dead(const std::string& directory) {
  struct ::stat status{};
  TRY(sys::fstatat(AT_FDCWD, directory.c_str(), status, AT_SYMLINK_NOFOLLOW));
  if (!S_ISDIR(status.st_mode)) return fail(ENOTDIR);
  if (status.st_uid != ::geteuid()) return fail(EPERM);
  UniqueFd control;
  {
    const UniqueFd root = TRY(open_directory(AT_FDCWD, directory.c_str()));
    if (auto opened = sys::openat(root.get(), "control", O_RDWR | O_CLOEXEC | O_NOFOLLOW)) {
      control.reset(*opened);
      if (sys::call(SYS_flock, control.get(), LOCK_EX | LOCK_NB) != 0) return fail(EBUSY);
      if (any_handle_held(root.get())) return fail(EBUSY);
      PORTOLAN_SEAM();
      TRY(sys::unlinkat(root.get(), "control", 0));
    } else if (opened.error().value != ENOENT) {
      return fail(opened.error());
    } else if (status.st_mtime + kBeingMade_s > ::time(nullptr)) {
      return fail(EBUSY);  // no control file yet: somebody may just be making it
    }
  }
  return remove_tree(AT_FDCWD, directory);
}

void clear_stale(const std::string& place) {
  const auto names = names_in(AT_FDCWD, place.c_str());
  if (!names) return;
  for (const std::string& name : *names)
    if (name.starts_with(own_prefix())) (void)remove_if_dead(place + "/" + name);
}

bool has_room(const std::string& place) {
  struct ::statfs file_system{};
  if (sys::call(SYS_statfs, address(place.c_str()), address(&file_system)) != 0) return false;
  return static_cast<std::uint64_t>(file_system.f_bavail) * static_cast<std::uint64_t>(file_system.f_bsize) >=
         kLeastRoom;
}

}  // namespace

Result<std::string> Runtime::make_private_directory(std::string* why) {
  std::vector<std::string> places;
  if (const char* runtime_dir = ::getenv("XDG_RUNTIME_DIR"); runtime_dir != nullptr && runtime_dir[0] == '/')
    places.emplace_back(runtime_dir);
  places.insert(places.end(), {"/dev/shm", "/tmp"});
  std::string reasons;
  int error = ENOENT;
  for (const std::string& place : places) {
    clear_stale(place);
    std::string reason;
    if (has_room(place)) {
      const std::string path = fmt::format("{}/{}{:016x}", place, own_prefix(), random_u64());
      auto made = sys::mkdirat(AT_FDCWD, path.c_str(), 0700);
      if (made) return path;
      error = made.error().value;
      reason = std::strerror(error);
    } else {
      struct ::stat status{};
      const bool there = sys::fstatat(AT_FDCWD, place.c_str(), status, 0).has_value();
      error = there ? ENOSPC : ENOENT;
      reason = there ? "less than 16 MiB free" : std::strerror(ENOENT);
    }
    reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : "; ", place, reason);
  }
  if (why != nullptr)
    *why = fmt::format(
        "no place for a private runtime ({}); name a directory with room, or set XDG_RUNTIME_DIR to one",
        reasons);
  return fail(error);
}

Result<void> Runtime::remove_private_directory(const std::string& directory) {
  std::string path = directory;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  if (!is_private_name(path)) return fail(EINVAL);
  return remove_if_dead(path);
}

}  // namespace portolan::object
