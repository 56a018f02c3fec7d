// SPDX-License-Identifier: Apache-2.0
// Whoever answers bpf(2): the machine's kernel, or a Portolan runtime in this process.
#pragma once
#include <sys/mman.h>

#include <memory>
#include <string>

#include "base/errno.h"

namespace portolan::conformance {

class Backend {
 public:
  virtual ~Backend() = default;
  virtual const char* name() const = 0;
  // The system call: a value, or -errno.
  virtual long bpf(unsigned command, void* attr, unsigned size) = 0;
  virtual void close(int fd) = 0;
  virtual void unlink(const std::string& path) = 0;
  // mmap and munmap of map fds, as mmap(2) answers them: an address, or -errno. Only where this is so.
  virtual bool maps_memory() const { return false; }
  virtual long mmap(std::size_t, int, int, int, std::size_t) { return -kEnotsupp; }
  virtual void munmap(void*, std::size_t) {}
  virtual long mprotect(void*, std::size_t, int) { return -kEnotsupp; }
  // The pages of a ring; its fd can be mapped even where mmap(2) is not the backend's.
  virtual long map_ring(std::size_t length, int protection, int fd, std::size_t offset) {
    return mmap(length, protection, MAP_SHARED, fd, offset);
  }
  // perf_event_open(2) of an event of one CPU that programs write to; and its ring, of `pages` besides the
  // first.
  virtual long open_event(std::uint32_t) { return -kEnotsupp; }
  virtual long map_event(int, std::size_t) { return -kEnotsupp; }
  // Where programs may be attached without harm: a device's number, a network namespace, and a cgroup without
  // processes; -1: there is none here. Made when they are first asked for.
  struct AttachPoints {
    std::uint32_t ifindex = 1;
    int cgroup = -1;
    int cgroups_below[2] = {-1, -1};  // of that one: a cgroup, and one of its own
    int netns = -1;
  };
  virtual const AttachPoints& attach_points() {
    static const AttachPoints none;
    return none;
  }
  // An empty directory of this backend's bpf file system, for pins; without a '/' at its end.
  virtual const std::string& pin_directory() const = 0;
};

// nullptr when this machine does not let us, and then *why says what is missing. The kernel's backend moves
// the process into a mount namespace of its own, where it mounts a bpf file system: nothing is left behind.
std::unique_ptr<Backend> open_kernel(std::string* why);
std::unique_ptr<Backend> open_portolan(std::string* why);
// Whoever answers libc's syscall(): the kernel, or the preload library under `portolan run`. Pins go below
// /sys/fs/bpf.
std::unique_ptr<Backend> open_libc(std::string* why);

}  // namespace portolan::conformance
