// SPDX-License-Identifier: Apache-2.0
#include "base/fault_copy.h"

#include <ucontext.h>

#include <atomic>
#include <mutex>

#include "base/sys.h"

extern "C" {
extern const char portolan_fault_begin[], portolan_fault_end[], portolan_fault_landing[];
extern const char portolan_fault_string_begin[], portolan_fault_string_end[], portolan_fault_string_landing[];
}

namespace portolan {
namespace {

struct sigaction previous_segv, previous_bus;
std::atomic<FindLanding> find_other_landing;

greg_t number(const char* label) { return static_cast<greg_t>(reinterpret_cast<std::intptr_t>(label)); }

void on_fault(int signal, siginfo_t* info, void* context) {
  if (fixup_fault(signal, info, context)) return;
  const struct sigaction& previous = signal == SIGBUS ? previous_bus : previous_segv;
  if ((previous.sa_flags & SA_SIGINFO) != 0) {
    previous.sa_sigaction(signal, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(signal);
  } else {
    // The instruction faults again with the default action in place, and the process dies of it as it would
    // have.
    ::sigaction(signal, &previous, nullptr);
  }
}

}  // namespace

bool fixup_fault(int, siginfo_t* info, void* context) {
  // kill(2) may send these signals too; only the kernel's own concern the instruction.
  if (info->si_code <= 0) return false;
  greg_t& rip = static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP];
  if (rip >= number(portolan_fault_begin) && rip < number(portolan_fault_end)) {
    rip = number(portolan_fault_landing);
    return true;
  }
  if (rip >= number(portolan_fault_string_begin) && rip < number(portolan_fault_string_end)) {
    rip = number(portolan_fault_string_landing);
    return true;
  }
  const FindLanding find = find_other_landing.load(std::memory_order_acquire);  // pairs with answer_faults_by
  const std::uintptr_t landing = find == nullptr ? 0 : find(static_cast<std::uintptr_t>(rip));
  if (landing == 0) return false;
  rip = static_cast<greg_t>(landing);
  return true;
}

void answer_faults_by(FindLanding find_landing) {
  find_other_landing.store(find_landing, std::memory_order_release);
}

void install_fault_handler() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action{};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    ::sigaction(SIGSEGV, &action, &previous_segv);
    ::sigaction(SIGBUS, &action, &previous_bus);
  });
}

}  // namespace portolan
