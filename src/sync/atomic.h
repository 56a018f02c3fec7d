// SPDX-License-Identifier: Apache-2.0
// The only spelling of an atomic access in this project. Every method names its memory order; a release is
// labelled at its call site with the acquire it pairs with. Atomic<T> is an aligned T and nothing else, so it
// may lie in a region that other processes map.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

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
  bool cas_seq_cst(T& expected, T desired) {
    seam();
    return value_.compare_exchange_strong(expected, desired, std::memory_order_seq_cst,
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

#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
// ThreadSanitizer does not model fences, and says so. What they order here are relaxed atomic accesses, which
// it never reports.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan"
#endif
inline void fence_acquire() { std::atomic_thread_fence(std::memory_order_acquire); }
inline void fence_release() { std::atomic_thread_fence(std::memory_order_release); }
inline void fence_seq_cst() { std::atomic_thread_fence(std::memory_order_seq_cst); }
// Keeps the compiler's order; the CPU's is seen to by whoever makes it pass a barrier (process_barrier.h).
inline void fence_compiler() { std::atomic_signal_fence(std::memory_order_seq_cst); }
#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
inline void spin_hint() { __builtin_ia32_pause(); }

namespace detail {
void copy_from_shared_long(void* to, const void* shared_from, std::size_t size);
void copy_to_shared_long(void* shared_to, const void* from, std::size_t size);
bool equal_to_shared_long(const void* shared, const void* bytes, std::size_t size);
using SharedWord = Atomic<std::uint64_t>;
using SharedHalf = Atomic<std::uint32_t>;
inline void load_half_from_shared(void* to, const void* shared_from) {
  const std::uint32_t half = static_cast<const SharedHalf*>(shared_from)->load_relaxed();
  std::memcpy(to, &half, 4);
}
inline void store_half_to_shared(void* shared_to, const void* from) {
  std::uint32_t half;
  std::memcpy(&half, from, 4);
  static_cast<SharedHalf*>(shared_to)->store_relaxed(half);
}
inline bool half_equals_shared(const void* shared, const void* bytes) {
  std::uint32_t half;
  std::memcpy(&half, bytes, 4);
  return static_cast<const SharedHalf*>(shared)->load_relaxed() == half;
}
}  // namespace detail

// Copies between shared and private bytes while others may write the shared ones: every aligned 8-byte word
// of the shared side is read or written whole, by relaxed atomic accesses. The shared side must be 8-aligned,
// and its storage a multiple of 8 bytes long: a tail of 4 bytes is one access; any other is read with its
// whole last word, and written with what the rest of that word held (so no two writers may share a word). The
// private side is touched for `size` bytes only, and may lie anywhere. Keys and values of 4 and 8 bytes are
// copied in place.
inline void copy_from_shared(void* to, const void* shared_from, std::size_t size) {
  if (size == 8) {
    const std::uint64_t word = static_cast<const detail::SharedWord*>(shared_from)->load_relaxed();
    std::memcpy(to, &word, 8);
  } else if (size == 4) {
    detail::load_half_from_shared(to, shared_from);
  } else {
    detail::copy_from_shared_long(to, shared_from, size);
  }
}
inline void copy_to_shared(void* shared_to, const void* from, std::size_t size) {
  if (size == 8) {
    std::uint64_t word;
    std::memcpy(&word, from, 8);
    static_cast<detail::SharedWord*>(shared_to)->store_relaxed(word);
  } else if (size == 4) {
    detail::store_half_to_shared(shared_to, from);
  } else {
    detail::copy_to_shared_long(shared_to, from, size);
  }
}
// Compares `size` bytes of a shared side with private bytes, under the same rule.
inline bool equal_to_shared(const void* shared, const void* bytes, std::size_t size) {
  if (size == 4) return detail::half_equals_shared(shared, bytes);
  if (size != 8) return detail::equal_to_shared_long(shared, bytes, size);
  std::uint64_t word;
  std::memcpy(&word, bytes, 8);
  return static_cast<const detail::SharedWord*>(shared)->load_relaxed() == word;
}

}  // namespace portolan::sync
