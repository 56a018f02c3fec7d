// SPDX-License-Identifier: Apache-2.0
// clang-format off
// A bounded hash table in memory that several processes write, any of which may be killed between two
// instructions, and that nobody needs a lock to read.
//
// Sources. Buckets of one cache line with short tags compared at once: Swiss tables and F14. An overflow mark
// that makes most misses one line: F14. Optimistic reads checked by a version: seqlocks, and MICA's lossless
// index. The rest, what makes it survive a kill, is this: the buckets are the only truth, everything else
// (free list, lanes, spill fields, states) can be computed from them, and each change of them is a single
// store.
//
// Layout (hash_layout.h)
//
//   header   shape, seed | free list: lock, head, count, handed_out, backed, leaks
//   lanes    2 … 32 lines:  lock 8 | count 4 | 13 element indices
//   buckets  one line each: lock 8 | 9 tags of 16 bits | spill 2 | 9 element indices of 32 bits
//   order    of tables that evict only: eviction_order.cc
//   slab     max_entries + lanes elements: generation 4 | key (or, up to 4 bytes, in the next word) | value,
//            8-aligned
//
//   A key's 64-bit hash gives its home bucket (upper half), its tag (lowest 16 bits, odd: 0 is a free slot)
//   and its spill bit (bits 16 to 18). When the home bucket is full it goes to the next one with a free slot,
//   circularly; the home's `spill` then has its bit, and a distance that reaches that bucket. A miss reads on
//   only if the bit is set: at 70 % full about one bucket in eight has spilled at all, so of a hundred misses
//   two touch a second line.
//
// Invariants
//   I1  A slot with a tag refers to a filled element, whose key has that tag, and which no other slot refers
//       to.
//   I2  No key is in two slots. A slot is at its key's home, or where the home's spill field leads.
//   I3  A slot in use is changed only under its key's *home* lock; a free slot is claimed only under the lock
//       of the bucket it is in. So whoever holds a home lock sees all its keys stand still, wherever they
//       lie.
//   I4  An element is filled only while it is in the hands of one lane, and free (low generation bits 0).
//       Each time it becomes free its generation goes up by 4. So the same generation, filled, twice: nothing
//       happened in between.
//   I5  Whoever adds, replaces or removes an element holds a lane all the while. So whoever holds all lanes
//       is alone.
//   I6  Each element is in a bucket, a lane or the free list, or was never handed out; or `leaks` is set, or
//       some lane is held by a dead owner. An empty lane implies such a leak.
//   I7  A lane keeps one element back: an insert needs two. Together with slab = max_entries + lanes: never
//       more than max_entries live, and as many as that whenever no element leaked. The one kept back is what
//       a replacement fills, so an update of an existing key works in a full table, without touching the free
//       list.
//
// Operations, and where they take effect
//   lookup   tags, then index, generation, key and value; then the index, the tag and the generation again,
//            in that order. If all are the same the element was in that slot, with a tag, at the moment when
//            the tag was read again (I4: the generation bounds that moment on both sides), and its bytes are
//            those that were filled in: that is the point. Any change: once more. A miss takes effect between
//            the loads of two slots: a key that was there all the time stays in its slot or is replaced in
//            it, and would have been seen.
//   find     the same, without the value; what is read through the pointer afterwards is the caller's
//            business.
//   insert   takes effect with the store of the tag. Before: element filled, index stored, home's spill field
//            widened.
//   replace  with the store of the index. Before: the new element filled. After: the old one is freed, to the
//            lane.
//   erase    with the store of 0 to the tag. After: spill recounted if the key was not at home; element
//            freed, to the lane.
//   in place under the home lock; each 8-byte word takes effect by itself.
//   evict    an insert that finds no free element makes one, in a table that evicts: it takes the victim's
//            home lock, with its own lane and no other bucket in hand, and does what erase does. In a full
//            table that comes before the key's home is locked, if a lookup misses the key; should it come
//            meanwhile, the element goes to the free list. Lanes of such a table keep one element only, so
//            that none is given up while others lie idle.
//   E2BIG    holding all lanes and the home lock: the key is absent, and there is no free element anywhere.
//   next     an element that is kSettled is there; one in doubt is looked up. A writer takes kSettled away
//            before it takes the element out and sets it after it put one in, so a kill leaves elements in
//            doubt, never wrong. A walk may miss or repeat only keys that are changed while it lasts, as in
//            the kernel.
//
// Order of locks: lanes by number; a home bucket; one bucket with a higher number (one with a lower number is
// only tried; if it is busy, the home is let go, the other waited for, and all begins anew); the free list.
//
// Progress. Readers write nothing and wait for nobody; they start again only when a writer got something done
// (the bound on that is for tampered regions). Writers block on a bucket, for as long as another one changes
// it; lanes are tried one after another, so as many writers as lanes do not meet there. A stopped owner makes
// others wait; a dead one is found out by RobustLock.
//
// Killed after …                  others see                        who repairs
//   lane taken                    nothing                           who next takes the lane: forgets what it held and
//                                                                   sets `leaks`
//   … element filled              nothing; walks look it up         as above, and the sweep
//   insert: spill widened         misses of that bit read on        who next locks the home bucket recounts it
//   … index stored                nothing: the slot is free         needs none: the slot is claimed anew
//   … tag stored                  the key; walks look it up         sweep settles it
//   replace: old in doubt         the old value                     needs none
//   … index stored                the new value                     sweep frees the old element
//   erase: tag cleared            no key                            home's next owner recounts; sweep frees the element
//   in place: some words          those words                       needs none
//   free list half changed        nothing                           who next locks it drops it and sets `leaks`
//   sweep half done               nothing                           lanes are found dead: forgotten, swept again
//
// The sweep (hash_reclaim.cc) runs with all lanes held, when an insert finds no element and `leaks` says that
// some may be nowhere, or when no lane has an element. It marks what buckets refer to and hands the rest out
// anew.
//
// One thing is less than perfect: a reader that stands still between two loads, while a writer is killed
// between the stores of index and tag and another one then claims that slot for the same key, may see the
// dead writer's value. It had not been acknowledged, and will not be seen again.
//
// Everything that is read from the region is bounded before it is used: indices by the slab, counts by the
// lane, distances by the number of buckets, restarts by kMaxRestarts. A hostile writer can make a table
// answer nonsense, not read or write beyond it.
// clang-format on
#include "ds/hash_table.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"

namespace portolan::ds {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{1}
                                     << 46;  // what a process can address, with room to spare

constexpr std::uint64_t kSmall = 512 * 1024;

struct Plan {
  std::uint32_t buckets, lanes, slab, chunk;
  std::uint32_t key_offset, value_offset;
  std::uint64_t stride;
  std::uint64_t lanes_offset, buckets_offset, order_offset, elements_offset, total;
};

// Each lane has a hand of its own; it keeps one element back.
EvictionOrder::Shape order_shape(const Plan& plan) { return {plan.slab, plan.lanes, plan.lanes}; }

// Where everything lies, from the shape alone.
Result<Plan> plan_of(const HashTableShape& shape) {
  if (shape.key_size == 0 || shape.key_size > HashTable::kMaxKeySize || shape.value_size < 8 ||
      shape.value_size % 8 != 0 || shape.max_entries == 0 || (shape.evicts && !shape.preallocated))
    return fail(EINVAL);
  Plan plan{};
  // Entries of ten buckets when the map is full: of 90 slots 70 %; or 62 % where keys come and go while it
  // is, since each that leaves a bucket which is not its home has that home counted anew.
  const std::uint64_t entries_of_ten = shape.evicts ? 56 : 63;
  plan.buckets = static_cast<std::uint32_t>((std::uint64_t{shape.max_entries} * 10 + entries_of_ten - 1) /
                                            entries_of_ten);
  plan.lanes = std::bit_floor(std::clamp<std::uint32_t>(shape.max_entries / 64, 2, kMaxLanes));
  if (shape.max_entries > kNoElement - 2 * kMaxLanes) return fail(E2BIG);
  plan.slab = shape.max_entries + plan.lanes;
  plan.key_offset = shape.key_size <= 4 ? 4 : 8;
  plan.value_offset = static_cast<std::uint32_t>(round_up(plan.key_offset + shape.key_size, 8));
  plan.stride = std::uint64_t{plan.value_offset} + shape.value_size;
  plan.lanes_offset = sizeof(HashHeader);
  plan.buckets_offset = plan.lanes_offset + plan.lanes * sizeof(Lane);
  plan.order_offset = plan.buckets_offset + plan.buckets * std::uint64_t{sizeof(Bucket)};
  plan.elements_offset = plan.order_offset + (shape.evicts ? EvictionOrder::size(order_shape(plan)) : 0);
  if (plan.stride > (kMostBytes - plan.elements_offset) / plan.slab) return fail(E2BIG);
  plan.total = plan.elements_offset + plan.slab * plan.stride;
  plan.chunk = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(64 * 1024 / plan.stride, 1, plan.slab));
  return plan;
}

}  // namespace

Result<HashTable::Sizes> HashTable::sizes(const HashTableShape& shape) {
  const Plan plan = TRY(plan_of(shape));
  return Sizes{plan.total, shape.preallocated ? plan.total : plan.elements_offset + plan.lanes * plan.stride};
}

void HashTable::format(const shm::Region& region, std::uint64_t offset, const HashTableShape& shape) {
  const auto plan = plan_of(shape);
  PORTOLAN_ASSERT(plan && offset % alignof(Bucket) == 0 && offset <= region.size() &&
                  plan->total <= region.size() - offset);
  auto* header = region.at<HashHeader>(offset);
  header->seed = shape.seed;
  header->key_size = shape.key_size;
  header->value_size = shape.value_size;
  header->max_entries = shape.max_entries;
  header->traits = (shape.preallocated ? kPreallocated : 0) | (shape.evicts ? kEvicts : 0);
  header->free_head.store_relaxed(kNoElement);
  header->handed_out.store_relaxed(plan->lanes);
  header->backed.store_relaxed(shape.preallocated ? plan->slab : plan->lanes);
  auto* lanes = region.at<Lane>(offset + plan->lanes_offset, plan->lanes);
  for (std::uint32_t lane = 0; lane < plan->lanes; ++lane) {
    lanes[lane].items[0].store_relaxed(lane);
    lanes[lane].count.store_relaxed(1);
  }
  header->magic = kHashMagic;  // whoever publishes the region publishes this
}

Result<HashTable> HashTable::attach(shm::Region& region, std::uint64_t offset) {
  auto* header = region.at<HashHeader>(offset);
  if (header == nullptr || header->magic != kHashMagic) return fail(EINVAL);
  HashTable table;
  table.shape_ = {header->key_size,    header->value_size,
                  header->max_entries, (header->traits & kPreallocated) != 0,
                  header->seed,        (header->traits & kEvicts) != 0};
  const auto plan = plan_of(table.shape_);
  if (!plan || plan->total > region.size() - offset) return fail(EINVAL);
  table.function_ = HashFunction(table.shape_.seed);
  const std::uint32_t size = table.shape_.key_size;
  table.kind_ = size == 8 && table.shape_.value_size == 8 ? KeyKind::kWords
                : size == 4                               ? KeyKind::k4
                : size == 8                               ? KeyKind::k8
                : size == 16                              ? KeyKind::k16
                                                          : KeyKind::kOther;
  table.bucket_count_ = plan->buckets;
  table.lane_count_ = plan->lanes;
  table.slab_ = plan->slab;
  table.chunk_ = plan->chunk;
  table.stride_ = plan->stride;
  table.is_small_ = plan->total <= kSmall;
  table.key_offset_ = plan->key_offset;
  table.value_offset_ = plan->value_offset;
  table.header_ = header;
  table.lanes_ = region.at<Lane>(offset + plan->lanes_offset, plan->lanes);
  table.buckets_ = region.at<Bucket>(offset + plan->buckets_offset, plan->buckets);
  if (table.shape_.evicts) {
    const EvictionOrder::Shape order = order_shape(*plan);
    const std::uint64_t bytes = EvictionOrder::size(order);
    table.order_ = TRY(
        EvictionOrder::attach(Bytes(region.at<std::byte>(offset + plan->order_offset, bytes), bytes), order));
  }
  table.elements_offset_ = offset + plan->elements_offset;
  table.elements_ = region.at<std::byte>(table.elements_offset_, plan->total - plan->elements_offset);
  table.region_ = &region;
  return table;
}

}  // namespace portolan::ds
