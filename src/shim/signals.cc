// SPDX-License-Identifier: Apache-2.0
// A client's signal handlers. SIGSEGV and SIGBUS stay ours, because copies through a client's bad pointers
// end in them: the client's handler is remembered, reported back, and called for what is not ours. Other
// handlers must not run in the middle of a call on a map (their own calls would find half a mutation): they
// are put off until the call is over.
//
// How: what the kernel knows as the handler of a signal is deliver(). If the thread is inside a call, it
// notes signal and siginfo and returns; the call's end sends them again to the thread (rt_tgsigqueueinfo),
// with nothing in the way then.
#include <dlfcn.h>
#include <signal.h>
#include <unistd.h>

#include <cstring>
#include <iterator>

#include "base/fault_copy.h"
#include "base/sys.h"
#include "shim/path.h"
#include "sync/call_epoch.h"

namespace portolan::shim {
namespace {

constexpr int kSignals = 65;

using SigactionFunction = int (*)(int, const struct sigaction*, struct sigaction*);
SigactionFunction real_sigaction() {
  static auto* real = reinterpret_cast<SigactionFunction>(::dlsym(RTLD_NEXT, "sigaction"));
  return real;
}

// What the client asked for, where the kernel knows deliver() instead. Written by sigaction, read by
// handlers: two copies, of which `current` says the one that is whole.
struct Asked {
  sync::Atomic<std::uint32_t> current;  // 0: the client's own is in place; else 1 + index
  struct sigaction copies[2];
};
Asked asked[kSignals];

struct PutOff {
  siginfo_t info[16];
  unsigned count;
};
thread_local constinit PutOff put_off __attribute__((tls_model("initial-exec"))) = {};

bool is_fault(int signal) { return signal == SIGSEGV || signal == SIGBUS; }
bool never_waits(int signal) {
  return is_fault(signal) || signal == SIGILL || signal == SIGFPE || signal == SIGTRAP || signal == SIGSYS;
}
bool is_function(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) != 0 ||
         (action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN);
}

void resend() {
  for (unsigned i = 0; i < put_off.count; ++i) {
    siginfo_t info = put_off.info[i];
    // Only a process's own thread may be sent a siginfo that says it came from the kernel or from another.
    sys::call(SYS_rt_tgsigqueueinfo, sys::getpid(), sys::gettid(), info.si_signo, word(&info));
  }
  put_off.count = 0;
  sync::this_thread_epoch->signals_put_off.store_relaxed(0);
}

void put_off_signal(const siginfo_t& info) {
  if (put_off.count < std::size(put_off.info)) put_off.info[put_off.count++] = info;
  sync::this_thread_epoch->signals_put_off.store_relaxed(1);
}

void call_client(int signal, siginfo_t* info, void* context) {
  Asked& slot = asked[signal];
  const std::uint32_t current = slot.current.load_acquire();  // pairs with remember
  if (current == 0) return;
  const struct sigaction action = slot.copies[current - 1];
  if (is_function(action)) {
    if ((action.sa_flags & static_cast<int>(SA_RESETHAND)) != 0)
      slot.copies[current - 1].sa_handler = SIG_DFL;
    if ((action.sa_flags & SA_SIGINFO) != 0)
      action.sa_sigaction(signal, info, context);
    else
      action.sa_handler(signal);
    return;
  }
  if (action.sa_handler == SIG_IGN && info->si_code <= 0) return;
  // The default: the instruction faults again with it in place; what somebody sent is sent once more.
  struct sigaction plain{};
  plain.sa_handler = SIG_DFL;
  real_sigaction()(signal, &plain, nullptr);
  if (info->si_code <= 0) sys::call(SYS_tgkill, sys::getpid(), sys::gettid(), signal);
}

void deliver(int signal, siginfo_t* info, void* context) {
  const int saved = errno;
  if (is_fault(signal) && fixup_fault(signal, info, context)) return;
  if (!never_waits(signal) && sync::CallEpoch::inside())
    put_off_signal(*info);
  else
    call_client(signal, info, context);
  errno = saved;
}

void remember(int signal, const struct sigaction& action) {
  Asked& slot = asked[signal];
  const std::uint32_t next = slot.current.load_relaxed() == 1 ? 2 : 1;
  slot.copies[next - 1] = action;
  slot.current.store_release(next);  // pairs with call_client
}

int set_action(int signal, const struct sigaction* action, struct sigaction* old) {
  if (signal <= 0 || signal >= kSignals) return real_sigaction()(signal, action, old);
  struct sigaction before{};
  const std::uint32_t current = asked[signal].current.load_acquire();  // pairs with remember
  if (current != 0) before = asked[signal].copies[current - 1];
  int result = 0;
  struct sigaction kernels{};
  if (action == nullptr) {
    result = real_sigaction()(signal, nullptr, &kernels);
  } else if (is_function(*action) || (is_fault(signal) && current != 0)) {
    const struct sigaction wanted = *action;
    remember(signal, wanted);
    struct sigaction ours = wanted;
    ours.sa_sigaction = deliver;
    ours.sa_flags |= SA_SIGINFO;
    if (is_fault(signal))
      ours.sa_flags = (ours.sa_flags | SA_NODEFER | SA_ONSTACK) & ~static_cast<int>(SA_RESETHAND);
    // A fault in a handler must reach us still.
    sigdelset(&ours.sa_mask, SIGSEGV);
    sigdelset(&ours.sa_mask, SIGBUS);
    result = real_sigaction()(signal, &ours, &kernels);
  } else {
    result = real_sigaction()(signal, action, &kernels);
    if (result == 0) asked[signal].current.store_release(0);  // pairs with call_client
  }
  if (result == 0 && old != nullptr) *old = current != 0 ? before : kernels;
  return result;
}

}  // namespace

void guard_signals() {
  sync::set_put_off_signal_hook(resend);
  for (const int signal : {SIGSEGV, SIGBUS}) {
    if (asked[signal].current.load_acquire() != 0) continue;  // pairs with remember
    struct sigaction now{};
    real_sigaction()(signal, nullptr, &now);
    remember(signal, now);
    set_action(signal, &now, nullptr);
  }
}

}  // namespace portolan::shim

using namespace portolan::shim;

PORTOLAN_SHIM_EXPORT int sigaction(int signal, const struct sigaction* action,
                                   struct sigaction* old) noexcept {
  return set_action(signal, action, old);
}

namespace {

sighandler_t set_handler(int signal, sighandler_t handler, int flags) {
  struct sigaction action{}, old{};
  action.sa_handler = handler;
  action.sa_flags = flags;
  return set_action(signal, &action, &old) == 0 ? old.sa_handler : SIG_ERR;
}

// Blocked, a fault would kill the process where it should return EFAULT.
int change_mask(const char* name, int how, const sigset_t* set, sigset_t* old) {
  using Function = int (*)(int, const sigset_t*, sigset_t*);
  auto* real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
  if (set == nullptr || how == SIG_UNBLOCK || portolan::shim::runtime_if_open() == nullptr)
    return real(how, set, old);
  sigset_t kept = *set;
  sigdelset(&kept, SIGSEGV);
  sigdelset(&kept, SIGBUS);
  return real(how, &kept, old);
}

}  // namespace

PORTOLAN_SHIM_EXPORT sighandler_t signal(int number, sighandler_t handler) noexcept {
  return set_handler(number, handler, SA_RESTART);
}
PORTOLAN_SHIM_EXPORT sighandler_t bsd_signal(int number, sighandler_t handler) noexcept {
  return set_handler(number, handler, SA_RESTART);
}
PORTOLAN_SHIM_EXPORT sighandler_t sysv_signal(int number, sighandler_t handler) noexcept {
  return set_handler(number, handler, static_cast<int>(SA_RESETHAND | SA_NODEFER));
}
PORTOLAN_SHIM_EXPORT int sigprocmask(int how, const sigset_t* set, sigset_t* old) noexcept {
  return change_mask("sigprocmask", how, set, old);
}
PORTOLAN_SHIM_EXPORT int pthread_sigmask(int how, const sigset_t* set, sigset_t* old) noexcept {
  return change_mask("pthread_sigmask", how, set, old);
}
