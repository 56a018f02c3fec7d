// SPDX-License-Identifier: Apache-2.0
// The C entry.
#include "portolan/portolan.h"

#include <cerrno>
#include <cstring>

#include "api/backend.h"
#include "portolan/export.hpp"

struct portolan_runtime {
  std::shared_ptr<portolan::detail::Backend> backend;
  std::string directory;
};

extern "C" {

PORTOLAN_EXPORT portolan_runtime* portolan_open(const char* directory, char* why, unsigned long why_size) {
  std::string sentence;
  auto backend = portolan::detail::open_portolan_backend(directory == nullptr ? "" : directory, &sentence);
  if (!backend) {
    if (why != nullptr && why_size != 0) {
      const std::size_t length = std::min<std::size_t>(sentence.size(), why_size - 1);
      std::memcpy(why, sentence.data(), length);
      why[length] = '\0';
    }
    errno = backend.error().value;
    return nullptr;
  }
  std::string place = (*backend)->directory();
  return new portolan_runtime{std::move(*backend), std::move(place)};
}

PORTOLAN_EXPORT void portolan_close(portolan_runtime* runtime) { delete runtime; }

PORTOLAN_EXPORT const char* portolan_directory(const portolan_runtime* runtime) {
  return runtime->directory.c_str();
}

PORTOLAN_EXPORT long portolan_bpf(portolan_runtime* runtime, int command, void* attr, unsigned int size) {
  const long result = runtime->backend->bpf(command, attr, size);
  if (result >= 0) return result;
  errno = static_cast<int>(-result);
  return -1;
}

PORTOLAN_EXPORT int portolan_close_fd(portolan_runtime* runtime, int fd) {
  if (auto flags = portolan::sys::fcntl(fd, F_GETFD, 0); !flags) {
    errno = flags.error().value;
    return -1;
  }
  runtime->backend->close_fd(fd);
  return 0;
}

}  // extern "C"
