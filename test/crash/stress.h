// SPDX-License-Identifier: Apache-2.0
// What the crash and churn tests share.
#pragma once
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <new>

#include "sync/atomic.h"
#include "sync/owner.h"

namespace portolan::stress {

// How often the loops of a test go round: `count`, times PORTOLAN_STRESS.
inline std::uint64_t rounds(std::uint64_t count) {
  const char* factor = std::getenv("PORTOLAN_STRESS");
  return factor == nullptr ? count : count * std::strtoull(factor, nullptr, 10);
}

// An object that processes share over fork.
template <class T>
class Shared {
 public:
  Shared()
      : object_(new(::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))
                    T()) {}
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() { ::munmap(object_, sizeof(T)); }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }

 private:
  T* object_;
};

// Who lives, kept by the test: whoever waits for a child says so here.
class Roll final : public sync::Liveness {
 public:
  static constexpr std::uint32_t kSlots = 64;
  bool alive(sync::Owner owner) const override {
    return owner.slot() >= kSlots || owner.incarnation() > dead_->up_to[owner.slot()].load_acquire();
  }
  void bury(std::uint32_t slot, std::uint32_t incarnation) { dead_->up_to[slot].store_release(incarnation); }
  sync::Actor actor(std::uint32_t slot, std::uint32_t incarnation, std::uint32_t thread) const {
    return {sync::Owner(slot, incarnation, thread), this};
  }

 private:
  struct Dead {
    sync::Atomic<std::uint32_t> up_to[kSlots];
  };
  Shared<Dead> dead_;
};

}  // namespace portolan::stress
