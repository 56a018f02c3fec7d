// SPDX-License-Identifier: Apache-2.0
#include "sync/seam.h"

#ifdef PORTOLAN_SEAMS
#include <atomic>

#include "base/sys.h"

namespace portolan::sync {
namespace {
std::atomic<std::uint64_t> passed{0}, kill_at{0};
std::atomic<void (*)()> seam_hook{nullptr};
}  // namespace

void seam() {
  if (auto hook = seam_hook.load(std::memory_order_relaxed)) return hook();
  const std::uint64_t count = passed.fetch_add(1, std::memory_order_relaxed) + 1;
  if (count == kill_at.load(std::memory_order_relaxed)) sys::kill_self();
}
void kill_at_seam(std::uint64_t count) {
  passed.store(0, std::memory_order_relaxed);
  kill_at.store(count, std::memory_order_relaxed);
}
std::uint64_t seams_passed() { return passed.load(std::memory_order_relaxed); }
void set_seam_hook(void (*hook)()) { seam_hook.store(hook, std::memory_order_relaxed); }

}  // namespace portolan::sync
#endif
