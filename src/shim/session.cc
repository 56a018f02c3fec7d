// SPDX-License-Identifier: Apache-2.0
#include "shim/session.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "base/sys.h"
#include "helper/kernel_btf.h"
#include "sync/call_epoch.h"
#include "syscall/dispatch.h"

namespace portolan::shim {
namespace {

sync::Atomic<object::Runtime*> opened;

// As they were when the process began: a client may clear its environment and is still one of ours.
const char* runtime_variable = nullptr;
const char* preload_variable = nullptr;
const char* types_variable = nullptr;
[[gnu::constructor]] void keep_environment() {
  runtime_variable = std::getenv("PORTOLAN_RUNTIME");
  preload_variable = std::getenv("LD_PRELOAD");
  types_variable = std::getenv("PORTOLAN_BTF");
}
thread_local bool opening = false;  // interposed calls that opening itself makes

void complain(const std::string& text) {
  const std::string line = "portolan: " + text + "\n";
  sys::call(SYS_write, 2, static_cast<long>(reinterpret_cast<std::intptr_t>(line.data())),
            static_cast<long>(line.size()));
}

object::Runtime* open_runtime() {
  std::string why;
  const char* named = runtime_directory();
  std::string directory = named == nullptr ? "" : named;
  if (directory.empty()) {
    auto made = object::Runtime::make_private_directory(&why);
    if (!made) return complain(why), nullptr;
    directory = *made;
    ::setenv("PORTOLAN_RUNTIME", directory.c_str(), 1);
    runtime_variable = ::strdup(directory.c_str());  // for the life of the process
  }
  auto made = object::Runtime::open(directory, {}, &why);
  if (!made) return complain(why), nullptr;
  guard_signals();
  syscall::prepare(**made);
  if (types_variable != nullptr && *types_variable != '\0' &&
      !helper::give_kernel_btf(**made, types_variable, &why))
    return complain(why), nullptr;
  return made->release();  // for the life of the process
}

}  // namespace

const char* runtime_directory() { return runtime_variable; }
const char* preload_libraries() { return preload_variable; }

object::Runtime* runtime_if_open() { return opened.load_acquire(); }  // pairs with runtime

object::Runtime* runtime() {
  if (object::Runtime* there = opened.load_acquire(); there != nullptr) [[likely]]
    return there;
  if (opening) return nullptr;
  static std::mutex mutex;
  static bool failed = false;
  std::lock_guard lock(mutex);
  if (object::Runtime* there = opened.load_acquire(); there != nullptr) return there;
  if (failed) return nullptr;
  opening = true;
  object::Runtime* fresh = open_runtime();
  opening = false;
  failed = fresh == nullptr;
  opened.store_release(fresh);  // pairs with runtime, runtime_if_open
  return fresh;
}

object::Runtime* runtime_of_given(int fd) {
  if (object::Runtime* const there = runtime_if_open(); there != nullptr) return there;
  struct ::stat file{}, directory{};
  if (runtime_directory() == nullptr || !sys::fstat(fd, file) || !S_ISREG(file.st_mode) ||
      file.st_size != 0 || !sys::fstatat(AT_FDCWD, runtime_directory(), directory, 0) ||
      file.st_dev != directory.st_dev)
    return nullptr;
  return runtime();
}

syscall::LocalCaller& caller() {
  static syscall::LocalCaller local;
  return local;
}

bool is_own_fd(int fd) {
  object::Runtime* runtime = runtime_if_open();
  if (runtime == nullptr) return false;
  const auto own = runtime->own_fds();
  return std::ranges::find(own, fd) != own.end();
}

Closing::Closing(int fd) {
  object::Runtime* runtime = runtime_if_open();
  if (runtime == nullptr) return;
  sync::CallEpoch epoch;
  if (auto target = runtime->target_of_any_fd(fd)) {
    was_handle_ = true;
    kind_ = target->view->kind();
    id_ = target->view->id();
  }
  runtime->forget_fd(fd);
}

void Closing::after_close() {
  if (was_handle_) runtime_if_open()->settle(kind_, id_);
}

namespace {

// Most paths have nothing to do with us, and must cost next to nothing.
bool may_be_on_bpffs(std::string_view whole, std::string_view directory) {
  if (!directory.empty() && whole.starts_with(directory)) return true;
  return whole.find("bpf") != whole.npos && whole.find("fs") != whole.npos;
}

std::string_view named_directory() {
  const char* named = runtime_directory();
  return named == nullptr ? std::string_view() : named;
}

}  // namespace

std::string on_bpffs(int dir_fd, const char* path) {
  if (path == nullptr || path[0] == '\0') return {};
  std::string whole;
  if (path[0] != '/') {
    // Only a process that stands on the bpffs, or beside it, or names a directory there, means it.
    if (named_directory().empty()) return {};
    char place[PATH_MAX];
    const std::string link =
        dir_fd == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/" + std::to_string(dir_fd);
    const auto size = sys::readlinkat(AT_FDCWD, link.c_str(), place, sizeof place);
    if (!size) return {};
    whole.assign(place, *size).append("/").append(path);
  } else {
    whole = path;
  }
  if (!may_be_on_bpffs(whole, named_directory())) return {};
  object::Runtime* there = runtime();
  if (there == nullptr) return {};
  return there->translate_bpffs_path(whole).value_or("");
}

std::string as_client_sees(std::string path) {
  const std::string own = std::string(named_directory()) + "/bpffs";
  if (own.size() > 6 && path.starts_with(own) && (path.size() == own.size() || path[own.size()] == '/'))
    path.replace(0, own.size(), "/sys/fs/bpf");
  return path;
}

}  // namespace portolan::shim
