// SPDX-License-Identifier: Apache-2.0
#include "ds/hash_table.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"

namespace portolan::ds {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{1}
                                     << 46;  // what a process can address, with room to spare

struct Plan {
  std::uint32_t buckets, lanes, slab, chunk;
  std::uint32_t key_offset, value_offset;
  std::uint64_t stride;
  std::uint64_t lanes_offset, buckets_offset, elements_offset, total;
};

// Where everything lies, from the shape alone.
Result<Plan> plan_of(const HashTableShape& shape) {
  if (shape.key_size == 0 || shape.key_size > HashTable::kMaxKeySize || shape.value_size < 8 ||
      shape.value_size % 8 != 0 || shape.max_entries == 0)
    return fail(EINVAL);
  Plan plan{};
  // 9 slots · 0.7 = 6.3 entries a bucket when the map is full.
  plan.buckets = static_cast<std::uint32_t>((std::uint64_t{shape.max_entries} * 10 + 62) / 63);
  plan.lanes = std::bit_floor(std::clamp<std::uint32_t>(shape.max_entries / 64, 2, kMaxLanes));
  if (shape.max_entries > kNoElement - 2 * kMaxLanes) return fail(E2BIG);
  plan.slab = shape.max_entries + plan.lanes;
  plan.key_offset = shape.key_size <= 4 ? 4 : 8;
  plan.value_offset = static_cast<std::uint32_t>(round_up(plan.key_offset + shape.key_size, 8));
  plan.stride = std::uint64_t{plan.value_offset} + shape.value_size;
  plan.lanes_offset = sizeof(HashHeader);
  plan.buckets_offset = plan.lanes_offset + plan.lanes * sizeof(Lane);
  plan.elements_offset = plan.buckets_offset + plan.buckets * std::uint64_t{sizeof(Bucket)};
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
  header->preallocated = shape.preallocated;
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
  table.shape_ = {header->key_size, header->value_size, header->max_entries, header->preallocated != 0,
                  header->seed};
  const auto plan = plan_of(table.shape_);
  if (!plan || plan->total > region.size() - offset) return fail(EINVAL);
  table.function_ = HashFunction(table.shape_.seed);
  const std::uint32_t size = table.shape_.key_size;
  table.kind_ = size == 4    ? KeyKind::k4
                : size == 8  ? KeyKind::k8
                : size == 16 ? KeyKind::k16
                             : KeyKind::kOther;
  table.bucket_count_ = plan->buckets;
  table.lane_count_ = plan->lanes;
  table.slab_ = plan->slab;
  table.chunk_ = plan->chunk;
  table.stride_ = plan->stride;
  table.key_offset_ = plan->key_offset;
  table.value_offset_ = plan->value_offset;
  table.header_ = header;
  table.lanes_ = region.at<Lane>(offset + plan->lanes_offset, plan->lanes);
  table.buckets_ = region.at<Bucket>(offset + plan->buckets_offset, plan->buckets);
  table.elements_offset_ = offset + plan->elements_offset;
  table.elements_ = region.at<std::byte>(table.elements_offset_, plan->total - plan->elements_offset);
  table.region_ = &region;
  return table;
}

}  // namespace portolan::ds
