// SPDX-License-Identifier: Apache-2.0
#include "helper/functions.h"
#include "helper/memory.h"
#include "sync/value_lock.h"

namespace portolan::helper::functions {

U64 spin_lock(Run& run, U64 lock, U64, U64, U64, U64) {
  std::uint32_t word;
  if (!portolan_fault_copy(&word, pointer(lock), sizeof word)) return 0;  // there is nothing left to guard
  at<sync::ValueLock>(lock).lock(run.runtime.vcpus(), run.cpu, run.actor);
  return 0;
}
U64 spin_unlock(Run& run, U64 lock, U64, U64, U64, U64) {
  std::uint32_t word;
  if (!portolan_fault_copy(&word, pointer(lock), sizeof word)) return 0;
  at<sync::ValueLock>(lock).unlock(run.runtime.vcpus(), run.cpu);
  return 0;
}

}  // namespace portolan::helper::functions
