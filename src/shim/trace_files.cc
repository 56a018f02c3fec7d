// SPDX-License-Identifier: Apache-2.0
#include "shim/trace_files.h"

#include <fcntl.h>

#include <string_view>

#include "helper/trace.h"
#include "shim/open_special.h"
#include "shim/session.h"

namespace portolan::shim {
namespace {

constexpr std::string_view kPlaces[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};

}  // namespace

const char* below_trace_directory(const char* path) {
  if (path == nullptr) return nullptr;
  for (const std::string_view place : kPlaces)
    if (std::string_view(path).starts_with(place)) return path + place.size();
  return nullptr;
}

bool is_trace_directory(const char* path) {
  const char* const rest = below_trace_directory(path);
  return rest != nullptr && (*rest == '\0' || std::string_view(rest) == "/");
}

int open_trace_pipe(const char* path, int flags) {
  const char* const rest = below_trace_directory(path);
  if (rest == nullptr || std::string_view(rest) != "/trace_pipe") return kNotSpecial;
  if ((flags & O_ACCMODE) != O_RDONLY) return -EACCES;
  object::Runtime* const there = runtime();
  if (there == nullptr) return -ENOENT;
  // Open for writing too: so it does not end when nobody writes, as the kernel's never does.
  auto pipe = helper::keep_trace_pipe(there->directory_fd());
  if (!pipe) return -pipe.error().value;
  const auto now = sys::fcntl(pipe->get(), F_GETFL, 0);
  if (!now) return -now.error().value;
  (void)sys::fcntl(pipe->get(), F_SETFL, (*now & ~O_NONBLOCK) | (flags & O_NONBLOCK));
  if ((flags & O_CLOEXEC) == 0) (void)sys::fcntl(pipe->get(), F_SETFD, 0);
  return pipe->release();
}

}  // namespace portolan::shim
