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

// What fault_access.h writes down.
struct Entry {
  std::int32_t access, landing;  // distances from where they stand
};

}  // namespace
}  // namespace portolan

extern "C" {
// The linker's names for where that section begins and ends.
extern const portolan::Entry __start_portolan_fault_entries[] __attribute__((visibility("hidden")));
extern const portolan::Entry __stop_portolan_fault_entries[] __attribute__((visibility("hidden")));
}
// So that there is one: an entry about nothing.
__asm__(".pushsection portolan_fault_entries,\"a\"\n.balign 4\n.long 0, 0\n.popsection");

namespace portolan {
namespace {

struct sigaction previous_segv, previous_bus;
std::atomic<FindLanding> find_other_landing;

template <class T>
greg_t number(const T* label) {
  return static_cast<greg_t>(reinterpret_cast<std::intptr_t>(label));
}

// Where to go on after a fault of the instruction at `rip`; 0: nowhere.
greg_t landing_of(greg_t rip) {
  for (const Entry* entry = __start_portolan_fault_entries; entry != __stop_portolan_fault_entries; ++entry)
    if (rip == number(&entry->access) + entry->access) return number(&entry->landing) + entry->landing;
  return 0;
}

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
  greg_t landing = landing_of(rip);
  if (const FindLanding find =
          find_other_landing.load(std::memory_order_acquire);  // pairs with answer_faults_by
      landing == 0 && find != nullptr)
    landing = static_cast<greg_t>(find(static_cast<std::uintptr_t>(rip)));
  if (landing == 0) return false;
  rip = landing;
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
