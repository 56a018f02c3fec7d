// SPDX-License-Identifier: Apache-2.0
#include "cli/filter.h"

#include <fmt/core.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstddef>

namespace portolan::cli {
namespace {

constexpr unsigned kBpfI386 = 357;
constexpr unsigned kX32Bit = 0x4000'0000;

// bpf(2), by whatever of the three ways into an x86-64 kernel, gets `answer`.
Result<int> install(unsigned answer, unsigned flags) {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 3, 0),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kBpfI386, 3, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bpf, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, answer),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bpf | kX32Bit, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, answer),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{static_cast<unsigned short>(sizeof program / sizeof program[0]), program};
  const long result = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
  if (result < 0) return fail(errno);
  return static_cast<int>(result);
}

}  // namespace

Result<int> install_filter() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail(errno);
  if (auto listener = install(SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER); listener)
    return listener;
  // Somebody around us listens already (EBUSY), or an outer filter forbids it.
  if (auto silent = install(SECCOMP_RET_ERRNO | ENOSYS, 0); !silent) return fail(silent.error());
  return -1;
}

void RawCallWatch::answer_one() {
  seccomp_notif call{};
  if (::ioctl(listener_, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) return;
  const std::string exe = fmt::format("/proc/{}/exe", call.pid);
  struct ::stat status{};
  if (::stat(exe.c_str(), &status) == 0 && (status.st_dev != last_device_ || status.st_ino != last_inode_)) {
    last_device_ = status.st_dev;
    last_inode_ = status.st_ino;
    char name[PATH_MAX];
    const ssize_t length = ::readlink(exe.c_str(), name, sizeof name);
    fmt::print(stderr,
               "portolan run: {} (process {}) called bpf(2) by a bare system call, which the preload library "
               "cannot serve "
               "(a static program?): ENOSYS\n",
               std::string_view(name, length > 0 ? static_cast<std::size_t>(length) : 0), call.pid);
  }
  seccomp_notif_resp response{};
  response.id = call.id;
  response.error = -ENOSYS;
  ::ioctl(listener_, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

}  // namespace portolan::cli
