// SPDX-License-Identifier: Apache-2.0
// By the symbols of libc, which a preload library may replace. What stands behind them is not known here.
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backend.h"
#include "bpf_output_event.h"

namespace portolan::conformance {
namespace {

class Libc final : public Backend {
 public:
  ~Libc() override { ::rmdir(pins_.c_str()); }
  const char* name() const override { return "libc"; }
  long bpf(unsigned command, void* attr, unsigned size) override {
    const long result = ::syscall(SYS_bpf, command, attr, size);
    return result < 0 ? -errno : result;
  }
  void close(int fd) override { ::close(fd); }
  void unlink(const std::string& path) override { ::unlink(path.c_str()); }
  bool maps_memory() const override { return true; }
  long mmap(std::size_t length, int protection, int flags, int fd, std::size_t offset) override {
    void* const at = ::mmap(nullptr, length, protection, flags, fd, static_cast<off_t>(offset));
    return at == MAP_FAILED ? -errno : reinterpret_cast<long>(at);
  }
  void munmap(void* address, std::size_t length) override { ::munmap(address, length); }
  long mprotect(void* address, std::size_t length, int protection) override {
    return ::mprotect(address, length, protection) == 0 ? 0 : -errno;
  }
  long open_event(std::uint32_t cpu) override {
    perf_event_attr attr = bpf_output_event();
    const long fd = ::syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
    return fd < 0 ? -errno : fd;
  }
  const std::string& pin_directory() const override { return pins_; }

 private:
  std::string pins_ = "/sys/fs/bpf/conformance";
};

}  // namespace

std::unique_ptr<Backend> open_libc(std::string* why) {
  auto libc = std::make_unique<Libc>();
  if (::mkdir(libc->pin_directory().c_str(), 0700) != 0) {
    *why = "no directory " + libc->pin_directory() + ": " + ::strerror(errno);
    return nullptr;
  }
  return libc;
}

}  // namespace portolan::conformance
