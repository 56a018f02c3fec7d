// SPDX-License-Identifier: Apache-2.0
// Copies that survive bad pointers. The two routines (fault_copy.S), the accesses of fault_access.h and code
// that is made at run time (answer_faults_by) are the only instructions in this process whose SIGSEGV and
// SIGBUS are answered by a jump: the handler sees that the program counter is at one of them and goes on
// where it has failed. Everything else goes to whoever handled the signal before.
#pragma once
#include <signal.h>

#include <cstddef>
#include <cstdint>

namespace portolan {

// Installs the handler, chained before the ones now in place. Idempotent; called by whoever opens a runtime.
void install_fault_handler();

// True if the signal came from one of them and `context` was changed to go on elsewhere. The shim's own
// handler calls this first, and then the client's.
bool fixup_fault(int signal, siginfo_t* info, void* context);

// Other instructions that may fault: `find_landing` says where the run goes on after the one at an address;
// 0: that is none of them. It is called in a signal handler. One for
// the process.
using FindLanding = std::uintptr_t (*)(std::uintptr_t instruction);
void answer_faults_by(FindLanding find_landing);

// Copies `size` bytes; false if either side could not be touched (some bytes may have been written by then).
extern "C" [[nodiscard]] bool portolan_fault_copy(void* to, const void* from, std::size_t size) noexcept;
// Copies a NUL-terminated string of at most `size` bytes with its NUL. The length without NUL, -1 for a
// fault, `size` if there is no NUL in `size` bytes.
extern "C" [[nodiscard]] long portolan_fault_copy_string(char* to, const char* from,
                                                         std::size_t size) noexcept;

}  // namespace portolan
