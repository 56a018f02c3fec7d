// SPDX-License-Identifier: Apache-2.0
// What the time is, and what runs the program: the thread, as the kernel's current task, and its vCPU.
#include <sched.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/sys.h"
#include "helper/functions.h"
#include "helper/memory.h"
#include "sync/process_generation.h"

namespace portolan::helper::functions {
namespace {

constexpr std::uint64_t kTicksPerSecond = 250;  // CONFIG_HZ of the distributions' kernels
// Where the kernel's count of ticks starts: five minutes before its low half overflows.
constexpr std::uint64_t kFirstTick = static_cast<std::uint32_t>(-300 * static_cast<int>(kTicksPerSecond));

// A device number as the kernel keeps it.
std::uint64_t kernel_dev(::dev_t device) {
  return std::uint64_t{gnu_dev_major(device)} << 20 | gnu_dev_minor(device);
}

std::uint64_t next_random() {  // xorshift64*: of each thread its own
  static thread_local constinit std::uint64_t state __attribute__((tls_model("initial-exec"))) = 0;
  while (state == 0) state = random_u64();
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545'f491'4f6c'dd1dull;
}

}  // namespace

U64 ktime_get_ns(Run&, U64, U64, U64, U64, U64) { return monotonic_ns(); }
U64 ktime_get_boot_ns(Run&, U64, U64, U64, U64, U64) { return boottime_ns(); }
U64 ktime_get_coarse_ns(Run&, U64, U64, U64, U64, U64) { return coarse_ns(); }
U64 ktime_get_tai_ns(Run&, U64, U64, U64, U64, U64) {
  timespec time;
  ::clock_gettime(CLOCK_TAI, &time);
  return static_cast<U64>(time.tv_sec) * 1'000'000'000 + static_cast<U64>(time.tv_nsec);
}
U64 jiffies64(Run&, U64, U64, U64, U64, U64) {
  return kFirstTick + monotonic_ns() / (1'000'000'000 / kTicksPerSecond);
}

U64 get_prandom_u32(Run&, U64, U64, U64, U64, U64) { return next_random() >> 32; }
U64 get_smp_processor_id(Run& run, U64, U64, U64, U64, U64) { return run.cpu; }
U64 get_numa_node_id(Run&, U64, U64, U64, U64, U64) {
  unsigned cpu = 0, node = 0;
  return ::getcpu(&cpu, &node) == 0 ? node : 0;
}

U64 get_current_pid_tgid(Run&, U64, U64, U64, U64, U64) {
  // Asked once by each thread of each process.
  static thread_local constinit struct {
    U64 generation, ids;
  } known __attribute__((tls_model("initial-exec"))) = {};
  const U64 generation = sync::process_generation();
  if (known.generation != generation)
    known = {generation, static_cast<U64>(sys::getpid()) << 32 | static_cast<std::uint32_t>(sys::gettid())};
  return known.ids;
}
// Where the kernel keeps its own, but never what a process can read: a number for the thread, and no more.
U64 get_current_task(Run& run, U64, U64, U64, U64, U64) {
  constexpr U64 kKernelMemory = 0xffff'8880'0000'0000, kTaskBytes = 1 << 14;
  return kKernelMemory + static_cast<std::uint32_t>(get_current_pid_tgid(run, 0, 0, 0, 0, 0)) * kTaskBytes;
}
U64 get_current_task_btf(Run& run, U64, U64, U64, U64, U64) { return get_current_task(run, 0, 0, 0, 0, 0); }
U64 get_current_uid_gid(Run&, U64, U64, U64, U64, U64) {
  return static_cast<U64>(sys::call(SYS_getgid)) << 32 | static_cast<std::uint32_t>(sys::call(SYS_getuid));
}
U64 get_current_comm(Run&, U64 to, U64 size, U64, U64, U64) {
  char comm[16] = {};
  sys::call(SYS_prctl, PR_GET_NAME, reinterpret_cast<long>(comm));
  const auto room = static_cast<std::uint32_t>(size);
  const std::uint32_t length = room < sizeof comm ? room : static_cast<std::uint32_t>(sizeof comm);
  comm[length - 1] = 0;
  clear(to, room);
  return portolan_fault_copy(pointer(to), comm, length) ? 0 : negative(EFAULT);
}
U64 get_ns_current_pid_tgid(Run&, U64 device, U64 inode, U64 to, U64 size, U64) {
  struct {
    std::uint32_t pid, tgid;
  } info{static_cast<std::uint32_t>(sys::gettid()), static_cast<std::uint32_t>(sys::getpid())};
  struct ::stat here{};
  const bool known = static_cast<std::uint32_t>(size) == sizeof info &&
                     sys::fstatat(AT_FDCWD, "/proc/self/ns/pid", here, 0).has_value() &&
                     device == kernel_dev(here.st_dev) && inode == here.st_ino;
  if (known && portolan_fault_copy(pointer(to), &info, sizeof info)) return 0;
  clear(to, static_cast<std::uint32_t>(size));
  return negative(EINVAL);
}

// As kill(2) says it, to whoever runs the program; 0 only asks.
U64 send_signal(Run&, U64 signal, U64, U64, U64, U64) {
  return static_cast<U64>(sys::call(SYS_kill, sys::getpid(), static_cast<std::int32_t>(signal)));
}
U64 send_signal_thread(Run&, U64 signal, U64, U64, U64, U64) {
  return static_cast<U64>(
      sys::call(SYS_tgkill, sys::getpid(), sys::gettid(), static_cast<std::int32_t>(signal)));
}

U64 get_branch_snapshot(Run&, U64, U64, U64 flags, U64, U64) {
  return flags != 0 ? negative(EINVAL) : negative(ENOENT);
}

// There are no control groups, routes or sockets here; these are the kernel's answers where it has none.
U64 get_cgroup_classid(Run&, U64, U64, U64, U64, U64) { return 0; }
U64 skb_cgroup_classid(Run&, U64, U64, U64, U64, U64) { return 0; }
U64 get_route_realm(Run&, U64, U64, U64, U64, U64) { return 0; }
U64 get_socket_uid(Run&, U64, U64, U64, U64, U64) { return 65534; }  // overflowuid

}  // namespace portolan::helper::functions
