// SPDX-License-Identifier: Apache-2.0
// The only spelling of an atomic access in this project. Every method names its memory order; a release is
// labelled at its call site with the acquire it pairs with. Atomic<T> is an aligned T and nothing else, so it
// may lie in a region that other processes map.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "sync/seam.h"

namespace portolan::sync {

template <class T>
class Atomic {
  static_assert(std::atomic<T>::is_always_lock_free);

 public:
  constexpr Atomic() = default;
  constexpr explicit Atomic(T value) : value_(value) {}
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;

  T load_relaxed() const { return value_.load(std::memory_order_relaxed); }
  T load_acquire() const { return value_.load(std::memory_order_acquire); }
  T load_seq_cst() const { return value_.load(std::memory_order_seq_cst); }
  void store_relaxed(T value) {
    seam();
    value_.store(value, std::memory_order_relaxed);
  }
  void store_release(T value) {
    seam();
    value_.store(value, std::memory_order_release);
  }
  void store_seq_cst(T value) {
    seam();
    value_.store(value, std::memory_order_seq_cst);
  }
  // On failure `expected` is what was there.
  bool cas_acquire(T& expected, T desired) {
    seam();
    return value_.compare_exchange_strong(expected, desired, std::memory_order_acquire,
                                          std::memory_order_relaxed);
  }
  bool cas_release(T& expected, T desired) {
    seam();
    return value_.compare_exchange_strong(expected, desired, std::memory_order_release,
                                          std::memory_order_relaxed);
  }
  bool cas_acq_rel(T& expected, T desired) {
    seam();
    return value_.compare_exchange_strong(expected, desired, std::memory_order_acq_rel,
                                          std::memory_order_acquire);
  }
  T exchange_acq_rel(T value) {
    seam();
    return value_.exchange(value, std::memory_order_acq_rel);
  }
  T fetch_add_relaxed(T value) {
    seam();
    return value_.fetch_add(value, std::memory_order_relaxed);
  }
  T fetch_add_acq_rel(T value) {
    seam();
    return value_.fetch_add(value, std::memory_order_acq_rel);
  }
  T fetch_or_relaxed(T value) {
    seam();
    return value_.fetch_or(value, std::memory_order_relaxed);
  }
  T fetch_or_acq_rel(T value) {
    seam();
    return value_.fetch_or(value, std::memory_order_acq_rel);
  }
  T fetch_and_acq_rel(T value) {
    seam();
    return value_.fetch_and(value, std::memory_order_acq_rel);
  }

 private:
  std::atomic<T> value_{};
};

inline void fence_acquire() { std::atomic_thread_fence(std::memory_order_acquire); }
inline void fence_release() { std::atomic_thread_fence(std::memory_order_release); }
inline void fence_seq_cst() { std::atomic_thread_fence(std::memory_order_seq_cst); }
inline void spin_hint() { __builtin_ia32_pause(); }

// Copies between shared and private bytes while others may write the shared ones: every aligned 8-byte word
// of the shared side is read or written whole, by relaxed atomic accesses. The shared side must be 8-aligned.
void copy_from_shared(void* to, const void* shared_from, std::size_t size);
void copy_to_shared(void* shared_to, const void* from, std::size_t size);
// Compares `size` bytes of an 8-aligned shared side with private bytes, under the same rule.
bool equal_to_shared(const void* shared, const void* bytes, std::size_t size);

}  // namespace portolan::sync
