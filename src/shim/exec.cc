// SPDX-License-Identifier: Apache-2.0
// A client that gives its child an environment of its own keeps the child under Portolan all the same.
#include <dlfcn.h>
#include <spawn.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "shim/session.h"

namespace portolan::shim {
namespace {

const char* find(char* const* environment, const char* name) {
  const std::size_t length = std::strlen(name);
  for (; environment != nullptr && *environment != nullptr; ++environment)
    if (std::strncmp(*environment, name, length) == 0 && (*environment)[length] == '=') return *environment;
  return nullptr;
}

// `environment` with what it lacks of ours. Kept by the object.
class Environment {
 public:
  explicit Environment(char* const* environment) : environment_(environment) {
    const std::pair<const char*, const char*> ours[] = {{"LD_PRELOAD", preload_libraries()},
                                                        {"PORTOLAN_RUNTIME", runtime_directory()}};
    for (const auto& [name, value] : ours)
      if (value != nullptr && find(environment, name) == nullptr)
        added_.push_back(std::string(name) + "=" + value);
    if (added_.empty()) return;
    for (char* const* at = environment; at != nullptr && *at != nullptr; ++at) all_.push_back(*at);
    for (std::string& entry : added_) all_.push_back(entry.data());
    all_.push_back(nullptr);
  }
  char* const* get() const { return added_.empty() ? environment_ : all_.data(); }

 private:
  char* const* environment_;
  std::vector<std::string> added_;
  std::vector<char*> all_;
};

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace
}  // namespace portolan::shim

using namespace portolan::shim;

PORTOLAN_SHIM_EXPORT int execve(const char* path, char* const* arguments, char* const* environment) noexcept {
  return next<int(const char*, char* const*, char* const*)>("execve")(path, arguments,
                                                                      Environment(environment).get());
}
PORTOLAN_SHIM_EXPORT int execvpe(const char* file, char* const* arguments,
                                 char* const* environment) noexcept {
  return next<int(const char*, char* const*, char* const*)>("execvpe")(file, arguments,
                                                                       Environment(environment).get());
}
PORTOLAN_SHIM_EXPORT int fexecve(int fd, char* const* arguments, char* const* environment) noexcept {
  return next<int(int, char* const*, char* const*)>("fexecve")(fd, arguments, Environment(environment).get());
}
PORTOLAN_SHIM_EXPORT int posix_spawn(pid_t* pid, const char* path, const posix_spawn_file_actions_t* actions,
                                     const posix_spawnattr_t* attributes, char* const* arguments,
                                     char* const* environment) noexcept {
  return next<int(pid_t*, const char*, const posix_spawn_file_actions_t*, const posix_spawnattr_t*,
                  char* const*, char* const*)>("posix_spawn")(pid, path, actions, attributes, arguments,
                                                              Environment(environment).get());
}
PORTOLAN_SHIM_EXPORT int posix_spawnp(pid_t* pid, const char* file, const posix_spawn_file_actions_t* actions,
                                      const posix_spawnattr_t* attributes, char* const* arguments,
                                      char* const* environment) noexcept {
  return next<int(pid_t*, const char*, const posix_spawn_file_actions_t*, const posix_spawnattr_t*,
                  char* const*, char* const*)>("posix_spawnp")(pid, file, actions, attributes, arguments,
                                                               Environment(environment).get());
}

PORTOLAN_SHIM_EXPORT int execv(const char* path, char* const* arguments) noexcept {
  return ::execve(path, arguments, environ);
}
PORTOLAN_SHIM_EXPORT int execvp(const char* file, char* const* arguments) noexcept {
  return ::execvpe(file, arguments, environ);
}

namespace {

// The variadic forms' arguments up to their null pointer; behind it, `rest` stands.
std::vector<char*> listed(const char* first, va_list& rest) {
  std::vector<char*> all{const_cast<char*>(first)};
  while (all.back() != nullptr) all.push_back(va_arg(rest, char*));
  return all;
}

}  // namespace

PORTOLAN_SHIM_EXPORT int execl(const char* path, const char* first, ...) noexcept {
  va_list rest;
  va_start(rest, first);
  const std::vector<char*> all = listed(first, rest);
  va_end(rest);
  return ::execve(path, all.data(), environ);
}
PORTOLAN_SHIM_EXPORT int execlp(const char* file, const char* first, ...) noexcept {
  va_list rest;
  va_start(rest, first);
  const std::vector<char*> all = listed(first, rest);
  va_end(rest);
  return ::execvpe(file, all.data(), environ);
}
PORTOLAN_SHIM_EXPORT int execle(const char* path, const char* first, ...) noexcept {
  va_list rest;
  va_start(rest, first);
  const std::vector<char*> all = listed(first, rest);
  char* const* environment = va_arg(rest, char* const*);
  va_end(rest);
  return ::execve(path, all.data(), environment);
}
