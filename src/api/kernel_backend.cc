// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "api/backend.h"
#include "base/sys.h"

namespace portolan::detail {
namespace {

// Counts a list like "0-3,8" of /sys/devices/system/cpu/possible.
std::uint32_t count_possible_cpus() {
  std::FILE* file = std::fopen("/sys/devices/system/cpu/possible", "re");
  if (file == nullptr) return 1;
  std::uint32_t count = 0;
  unsigned first = 0;
  while (std::fscanf(file, "%u", &first) == 1) {
    unsigned last = first;
    int next = std::fgetc(file);
    if (next == '-' && std::fscanf(file, "%u", &last) == 1) next = std::fgetc(file);
    count += last - first + 1;
    if (next != ',') break;
  }
  std::fclose(file);
  return count == 0 ? 1 : count;
}

class KernelBackend final : public Backend {
 public:
  // By the instruction itself: a preloaded libportolan-preload.so must not take the call.
  long bpf(int command, void* attr, std::uint32_t size) override {
    return sys::call(SYS_bpf, command, static_cast<long>(reinterpret_cast<std::intptr_t>(attr)),
                     static_cast<long>(size));
  }
  void close_fd(int fd) override { (void)sys::close(fd); }
  std::string directory() const override { return {}; }
  std::uint32_t possible_cpus() const override { return possible_cpus_; }

 private:
  std::uint32_t possible_cpus_ = count_possible_cpus();
};

}  // namespace

std::shared_ptr<Backend> kernel_backend() {
  static const std::shared_ptr<Backend> backend = std::make_shared<KernelBackend>();
  return backend;
}

}  // namespace portolan::detail
