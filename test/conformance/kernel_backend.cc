// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>

#include "backend.h"
#include "base/bytes.h"
#include "base/sys.h"
#include "bpf_output_event.h"
#include "uapi.h"

namespace portolan::conformance {
namespace {

class Kernel final : public Backend {
 public:
  explicit Kernel(std::string mount_point)
      : mount_point_(std::move(mount_point)), pins_(mount_point_ + "/pins") {}
  ~Kernel() override {
    if (!cgroup_.empty())
      for (const char* below : {"/below/below", "/below", ""}) ::rmdir((cgroup_ + below).c_str());
    ::umount2(mount_point_.c_str(), MNT_DETACH);
    ::rmdir(mount_point_.c_str());
  }
  const char* name() const override { return "kernel"; }
  long bpf(unsigned command, void* attr, unsigned size) override {
    return sys::call(SYS_bpf, static_cast<long>(command), reinterpret_cast<long>(attr),
                     static_cast<long>(size));
  }
  void close(int fd) override { (void)sys::close(fd); }
  void unlink(const std::string& path) override { (void)sys::unlinkat(AT_FDCWD, path.c_str(), 0); }
  bool maps_memory() const override { return true; }
  long mmap(std::size_t length, int protection, int flags, int fd, std::size_t offset) override {
    return sys::call(SYS_mmap, 0, static_cast<long>(length), protection, flags, fd,
                     static_cast<long>(offset));
  }
  void munmap(void* address, std::size_t length) override { (void)sys::munmap(address, length); }
  long mprotect(void* address, std::size_t length, int protection) override {
    return sys::call(SYS_mprotect, reinterpret_cast<long>(address), static_cast<long>(length), protection);
  }
  long open_event(std::uint32_t cpu) override {
    perf_event_attr attr = bpf_output_event();
    return sys::call(SYS_perf_event_open, reinterpret_cast<long>(&attr), -1, static_cast<long>(cpu), -1,
                     PERF_FLAG_FD_CLOEXEC);
  }
  long map_event(int fd, std::size_t pages) override {
    return mmap((1 + pages) * kPageSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  }
  const std::string& pin_directory() const override { return pins_; }
  // A network namespace of this thread's own, which has a loopback device, and a cgroup of its own.
  const AttachPoints& attach_points() override {
    if (asked_) return points_;
    asked_ = true;
    if (::unshare(CLONE_NEWNET) != 0) return points_;
    points_.netns = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    cgroup_ = cgroup2_mount() + "/portolan-conformance-XXXXXX";
    if (::mkdtemp(cgroup_.data()) == nullptr) {
      cgroup_.clear();
      return points_;
    }
    points_.cgroup = ::open(cgroup_.c_str(), O_RDONLY | O_CLOEXEC);
    std::string below = cgroup_;
    for (int& cgroup : points_.cgroups_below) {
      below += "/below";
      (void)::mkdir(below.c_str(), 0700);
      cgroup = ::open(below.c_str(), O_RDONLY | O_CLOEXEC);
    }
    return points_;
  }

 private:
  static std::string cgroup2_mount() {
    std::ifstream mounts("/proc/self/mounts");
    for (std::string device, place, type, rest;
         mounts >> device >> place >> type && std::getline(mounts, rest);)
      if (type == "cgroup2") return place;
    return "/sys/fs/cgroup";
  }
  bool asked_ = false;
  AttachPoints points_;
  std::string cgroup_;
  std::string mount_point_;
  std::string pins_;
};

std::string sentence(const char* what, long error) {
  return std::string(what) + ": " + ::strerror(static_cast<int>(error));
}

}  // namespace

std::unique_ptr<Backend> open_kernel(std::string* why) {
  // By probe, not by uid: a container's root has none of this, and CAP_BPF alone would do.
  Attr probe;
  probe.set(create::kMapType, kArray)
      .set(create::kKeySize, 4)
      .set(create::kValueSize, 8)
      .set(create::kMaxEntries, 1);
  const long fd = sys::call(SYS_bpf, kMapCreate, reinterpret_cast<long>(probe.bytes.data()), kAttrSize);
  if (fd < 0) {
    *why = sentence("the kernel refuses bpf(BPF_MAP_CREATE)", -fd);
    return nullptr;
  }
  (void)sys::close(static_cast<int>(fd));
  if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    *why = sentence("no mount namespace of our own for a bpf file system", errno);
    return nullptr;
  }
  char directory[] = "/tmp/conformance-bpffs-XXXXXX";
  if (::mkdtemp(directory) == nullptr || ::mount("bpf", directory, "bpf", 0, nullptr) != 0) {
    *why = sentence("no bpf file system mounted in /tmp", errno);
    return nullptr;
  }
  auto kernel = std::make_unique<Kernel>(directory);
  if (::mkdir(kernel->pin_directory().c_str(), 0700) != 0) {
    *why = sentence("no directory in the bpf file system", errno);
    return nullptr;
  }
  return kernel;
}

}  // namespace portolan::conformance
