// SPDX-License-Identifier: Apache-2.0
// What lies in the region for a hash table. hash_table.cc says how it is used, and why it may be.
#pragma once
#include <emmintrin.h>

#include <cstddef>
#include <cstdint>

#include "sync/atomic.h"
#include "sync/robust_lock.h"

namespace portolan::ds {

#if defined(__SANITIZE_THREAD__)
#define PORTOLAN_DS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PORTOLAN_DS_TSAN 1
#endif
#endif

inline constexpr std::uint32_t kNoElement = 0xffff'ffff;
inline constexpr std::uint32_t kNoBucket = 0xffff'ffff;

inline constexpr unsigned kBucketSlots = 9;
struct alignas(64) Bucket {
  sync::RobustLock lock;
  sync::Atomic<std::uint16_t> tags[kBucketSlots];  // 0: the slot is free
  sync::Atomic<std::uint16_t> spill;  // where this bucket's keys went when it was full: see Spill
  sync::Atomic<std::uint32_t> elements[kBucketSlots];
};
static_assert(sizeof(Bucket) == 64);

// A writer holds a lane for the length of its operation, and keeps free elements in it between operations.
inline constexpr unsigned kLaneItems = 13;
inline constexpr unsigned kMaxLanes = 32;
struct alignas(64) Lane {
  sync::RobustLock lock;
  sync::Atomic<std::uint32_t> count;
  sync::Atomic<std::uint32_t> items[kLaneItems];
};
static_assert(sizeof(Lane) == 64);

struct alignas(64) HashHeader {
  std::uint64_t magic;
  std::uint64_t seed;
  std::uint32_t key_size;
  std::uint32_t value_size;
  std::uint32_t max_entries;
  std::uint32_t traits;                    // kPreallocated, kEvicts
  alignas(64) sync::RobustLock free_lock;  // guards the four below
  sync::Atomic<std::uint32_t> free_head;   // linked through Element::word
  sync::Atomic<std::uint32_t> free_count;  // elements in that list
  sync::Atomic<std::uint32_t>
      handed_out;  // elements below this were handed out before; those above are zero bytes
  sync::Atomic<std::uint32_t> backed;  // elements below this have memory reserved
  sync::Atomic<std::uint32_t> leaks;   // not 0: elements may be in no list, because their holder died
};
static_assert(sizeof(HashHeader) == 128);
inline constexpr std::uint32_t kPreallocated = 1, kEvicts = 2;
inline constexpr std::uint64_t kHashMagic = 0x32'4853'4148'4c54'50ull;  // "PTLHASH2"

// The head of an element; the key follows unless it has its place in `word`, then the value, 8-aligned.
struct Element {
  sync::Atomic<std::uint32_t> generation;  // (times recycled) << 2 | kSettled | kFilled
  sync::Atomic<std::uint32_t> word;  // in use: a key of at most 4 bytes; on the free list: the next element
};
static_assert(sizeof(Element) == 8);

// The states of an element: 0 = free, or being filled; kFilled = whole, and in doubt whether a bucket refers
// to it; kFilled | kSettled = a bucket refers to it. Zero bytes are a free element.
inline constexpr std::uint32_t kFilled = 1;
inline constexpr std::uint32_t kSettled = 2;
inline constexpr std::uint32_t kRecycled = 4;

// Bucket::spill. The keys of a bucket that were put elsewhere lie in the `distance` buckets after it, and
// each has set one of eight bits. Low byte: the bits; high byte: the distance, exactly up to 223 and then by
// powers of two.
struct Spill {
  static constexpr std::uint32_t kExact = 223;
  static std::uint32_t distance(std::uint16_t spill) {
    const std::uint32_t code = spill >> 8;
    return code <= kExact ? code : kExact << (code - kExact < 24 ? code - kExact : 24);
  }
  static std::uint16_t with(std::uint16_t spill, std::uint32_t distance, std::uint16_t bit) {
    std::uint32_t code = distance;
    if (distance > kExact)
      for (code = kExact + 1; (std::uint64_t{kExact} << (code - kExact)) < distance;) ++code;
    const std::uint32_t old_code = spill >> 8;
    return static_cast<std::uint16_t>((code > old_code ? code : old_code) << 8 | ((spill | bit) & 0xff));
  }
};

// The slots of a bucket with this tag: bit 2·slot of the result, and maybe the bit after it.
inline std::uint32_t match_tags(const Bucket& bucket, std::uint16_t tag) {
#ifdef PORTOLAN_DS_TSAN  // which does not see what inline assembly reads
  std::uint32_t matches = 0;
  for (unsigned slot = 0; slot < kBucketSlots; ++slot)
    if (bucket.tags[slot].load_acquire() == tag) matches |= 1u << (2 * slot);  // pairs with commit, remove
  return matches;
#else
  // One load of eight tags: on x86 each of them is read whole. Assembly, because C++ has no atomic load of 16
  // bytes that is one instruction. What must be read after it is read through what it finds; the spill field
  // may be read before or after.
  __m128i tags;
  __asm__ volatile("movdqu %1, %0" : "=x"(tags) : "m"(bucket.tags));
  // Not _mm_set1_epi16(): a tag that the compiler has put on the stack, as 2 bytes, would be loaded again as
  // 4, which waits until the store is in the cache.
  const __m128i wanted = _mm_shuffle_epi32(_mm_cvtsi32_si128(static_cast<int>(tag * 0x1'0001u)), 0);
  const __m128i equal = _mm_cmpeq_epi16(tags, wanted);
  const auto ninth =
      static_cast<std::uint32_t>(bucket.tags[8].load_acquire() == tag);  // pairs with commit, remove
  return static_cast<std::uint32_t>(_mm_movemask_epi8(equal)) | ninth << 16;
#endif
}
inline unsigned count_slots(std::uint32_t matches) {
  return static_cast<unsigned>(__builtin_popcount(matches & 0x15555));
}
inline unsigned first_slot(std::uint32_t matches) {
  return static_cast<unsigned>(__builtin_ctz(matches)) / 2;
}

}  // namespace portolan::ds
