// SPDX-License-Identifier: Apache-2.0
#include "loader/libbpf_object.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <mutex>

#include "base/sys.h"
#include "loader/libbpf.h"
#include "loader/libbpf_calls.h"

namespace portolan::loader {
namespace {

// What libbpf has to say in this thread.
thread_local std::string* text_now = nullptr;

constexpr std::size_t kMostText = 64 << 10;

int print(enum libbpf_print_level level, const char* format, va_list arguments) {
  if (text_now == nullptr || level == LIBBPF_DEBUG || text_now->size() > kMostText) return 0;
  char line[4096];
  const int length = ::vsnprintf(line, sizeof line, format, arguments);
  if (length > 0) text_now->append(line, std::min(static_cast<std::size_t>(length), sizeof line - 1));
  return 0;
}

class Turn {
 public:
  Turn(System& system, std::string* text) {
    static std::once_flag once;
    std::call_once(once, [] { libbpf_set_print(print); });
    system_now = &system;
    text_now = text;
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    system_now = nullptr;
    text_now = nullptr;
  }
};

struct Close {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};

// A descriptor of the caller's own: libbpf closes its with the object.
Result<int> copy_of(int fd) {
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return fail(errno);
  return copy;
}

Result<void> copy_fds(bpf_object* object, Loaded& loaded) {
  bpf_map* map = nullptr;
  while ((map = bpf_object__next_map(object, map)) != nullptr)
    if (const int fd = bpf_map__fd(map); fd >= 0)
      loaded.maps.push_back({bpf_map__name(map), TRY(copy_of(fd))});
  bpf_program* program = nullptr;
  while ((program = bpf_object__next_program(object, program)) != nullptr)
    if (const int fd = bpf_program__fd(program); fd >= 0)
      loaded.programs.push_back({bpf_program__name(program), bpf_program__section_name(program),
                                 static_cast<std::uint32_t>(bpf_program__type(program)), TRY(copy_of(fd))});
  return {};
}

Result<void> prepare(bpf_object* object, const LoadOptions& options) {
  bpf_map* map = nullptr;
  while (options.max_entries && (map = bpf_object__next_map(object, map)) != nullptr) {
    const std::uint32_t wanted = options.max_entries(bpf_map__name(map), bpf_map__max_entries(map));
    if (wanted == bpf_map__max_entries(map)) continue;
    if (const int error = bpf_map__set_max_entries(map, wanted); error != 0) return fail(-error);
  }
  bpf_program* program = nullptr;
  while (options.log_level != 0 && (program = bpf_object__next_program(object, program)) != nullptr)
    bpf_program__set_log_level(program, options.log_level);
  return {};
}

}  // namespace

Result<Loaded> load_with_libbpf(System& system, ConstBytes bytes, const LoadOptions& options,
                                std::string* why) {
  const Turn turn(system, why);
  bpf_object_open_opts open_options{};
  open_options.sz = sizeof open_options;
  if (!options.name.empty()) open_options.object_name = options.name.c_str();
  errno = 0;
  const std::unique_ptr<bpf_object, Close> object(
      bpf_object__open_mem(bytes.data(), bytes.size(), &open_options));
  if (object == nullptr) return fail(errno != 0 ? errno : EINVAL);
  TRY(prepare(object.get(), options));
  if (const int error = bpf_object__load(object.get()); error != 0) return fail(-error);
  why->clear();  // warnings of what has come out well
  Loaded loaded;
  if (const Result<void> copied = copy_fds(object.get(), loaded); !copied) {
    for (const auto& one : loaded.maps) system.close_fd(one.fd);
    for (const auto& one : loaded.programs) system.close_fd(one.fd);
    return fail(copied.error());
  }
  return loaded;
}

}  // namespace portolan::loader
