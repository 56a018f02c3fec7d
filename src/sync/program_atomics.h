// SPDX-License-Identifier: Apache-2.0
// The memory accesses of eBPF programs: to any address that the verifier allows, aligned or not, while other
// threads and processes may access the same bytes. Plain loads and stores are whole, but order nothing, as on
// the kernel's CPUs; atomic operations are fully ordered.
#pragma once
#include <cstdint>

// UndefinedBehaviorSanitizer would want them aligned; the CPU does not.
#define PORTOLAN_ANY_ADDRESS __attribute__((always_inline, no_sanitize("alignment")))

namespace portolan::sync::program {

template <class T>
PORTOLAN_ANY_ADDRESS inline T load(const void* address) {
  return __atomic_load_n(static_cast<const T*>(address), __ATOMIC_RELAXED);
}
template <class T>
PORTOLAN_ANY_ADDRESS inline void store(void* address, T value) {
  __atomic_store_n(static_cast<T*>(address), value, __ATOMIC_RELAXED);
}
template <class T>
PORTOLAN_ANY_ADDRESS inline T load_acquire(const void* address) {
  return __atomic_load_n(static_cast<const T*>(address),
                         __ATOMIC_ACQUIRE);  // pairs with store_release, of programs
}
template <class T>
PORTOLAN_ANY_ADDRESS inline void store_release(void* address, T value) {
  __atomic_store_n(static_cast<T*>(address), value,
                   __ATOMIC_RELEASE);  // pairs with load_acquire, of programs
}

template <class T>
PORTOLAN_ANY_ADDRESS inline T fetch_add(void* address, T value) {
  return __atomic_fetch_add(static_cast<T*>(address), value, __ATOMIC_SEQ_CST);
}
template <class T>
PORTOLAN_ANY_ADDRESS inline T fetch_or(void* address, T value) {
  return __atomic_fetch_or(static_cast<T*>(address), value, __ATOMIC_SEQ_CST);
}
template <class T>
PORTOLAN_ANY_ADDRESS inline T fetch_and(void* address, T value) {
  return __atomic_fetch_and(static_cast<T*>(address), value, __ATOMIC_SEQ_CST);
}
template <class T>
PORTOLAN_ANY_ADDRESS inline T fetch_xor(void* address, T value) {
  return __atomic_fetch_xor(static_cast<T*>(address), value, __ATOMIC_SEQ_CST);
}
template <class T>
PORTOLAN_ANY_ADDRESS inline T exchange(void* address, T value) {
  return __atomic_exchange_n(static_cast<T*>(address), value, __ATOMIC_SEQ_CST);
}
// What was there, whether it was `expected` or not.
template <class T>
PORTOLAN_ANY_ADDRESS inline T compare_exchange(void* address, T expected, T desired) {
  __atomic_compare_exchange_n(static_cast<T*>(address), &expected, desired, false, __ATOMIC_SEQ_CST,
                              __ATOMIC_SEQ_CST);
  return expected;
}

}  // namespace portolan::sync::program

#undef PORTOLAN_ANY_ADDRESS
