// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "portolan/error.hpp"

namespace portolan {

namespace detail {
class Backend;
}

struct RuntimeOptions {
  // A file with the BTF of a kernel: what programs find in /sys/kernel/btf/vmlinux, are relocated to and call
  // functions of. "builtin": Portolan's own types, on every machine the same. Empty: $PORTOLAN_BTF, or else
  // those of this machine's kernel, or else Portolan's own. What a runtime has it keeps.
  std::string kernel_btf = {};
};

// Where maps live: a Portolan runtime (a directory in which maps are files), or the BPF subsystem of the
// machine's own kernel. The same code runs on both. Copies are cheap and name the same runtime; maps keep it
// alive. Thread-safe.
class Runtime {
 public:
  // The runtime in `directory`, made if it is not there; every process that opens it shares its maps. Errors:
  // EACCES, ENOSPC … of the directory; EINVAL when what lies there is no runtime, or one of another layout;
  // those of kernel_btf: EINVAL when it is no BTF, EEXIST when the runtime has other types already.
  PORTOLAN_EXPORT static Expected<Runtime> open(const std::string& directory,
                                                const RuntimeOptions& options = {});
  // A fresh runtime in $XDG_RUNTIME_DIR, /dev/shm or /tmp, removed with the last process that has it open.
  PORTOLAN_EXPORT static Expected<Runtime> create_private(const RuntimeOptions& options = {});
  // This machine's kernel, by bpf(2). Never fails itself: what the kernel does not permit fails when a map is
  // made (EPERM), with its errno.
  PORTOLAN_EXPORT static Runtime kernel();

  // The directory; empty for the kernel.
  PORTOLAN_EXPORT std::string directory() const;
  PORTOLAN_EXPORT bool is_kernel() const;
  // CPUs that per-CPU maps have values for, as libbpf_num_possible_cpus() counts them.
  PORTOLAN_EXPORT std::uint32_t possible_cpus() const;
  // bpf(2) itself: `attr` points to `size` bytes of union bpf_attr. What the system call returns, errors as
  // -errno.
  PORTOLAN_EXPORT long bpf(int command, void* attr, std::uint32_t size) const;

  const std::shared_ptr<detail::Backend>& backend() const { return backend_; }

 private:
  explicit Runtime(std::shared_ptr<detail::Backend> backend) : backend_(std::move(backend)) {}
  std::shared_ptr<detail::Backend> backend_;
};

}  // namespace portolan
