// SPDX-License-Identifier: Apache-2.0
// clang-format off
// A hash table without chains, whose buckets' numbers are what its users keep.
//
// Source        the kernel's stack map: a trace's number is its hash, cut to the number of buckets.
//
// Layout        header: shape | version, lock, elements' slab | buckets: index + 1 of an element each |
//               elements: hash 4 | size 4 | link of the free list 4 | unused 4 | bytes
//
// Invariants    I1 an element in a bucket is complete, and in no other bucket; I2 one that no bucket holds keeps
//               its bytes until `version` has grown.
//
// Linearization put: the store of the bucket. erase: the same, of 0. lookup, next: the load of the bucket, if
//               `version` did not change until all was read.
//
// Progress      Readers write nothing; writers wait for one another. RobustLock finds out who died.
//
// Crash table   killed …                        others see          who repairs
//               element taken, filled           nothing             who next takes the lock: elements that no
//               bucket stored                   the new trace       bucket holds are free again
//               … old element given back        the new trace       the same
// clang-format on
#include "ds/stack_table.h"

#include <fmt/core.h>

#include <bit>
#include <vector>

namespace portolan::ds {

Result<StackTable::Plan> StackTable::plan_of(const StackTableShape& shape) {
  if (shape.value_size < 8 || shape.value_size % 8 != 0 || shape.max_entries == 0 ||
      shape.max_entries > 1u << 31)
    return fail(EINVAL);
  Plan plan{};
  plan.buckets = std::bit_ceil(shape.max_entries);
  plan.buckets_offset = sizeof(Header);
  const std::uint64_t stride = sizeof(Element) + std::uint64_t{shape.value_size};
  if (stride > UINT32_MAX) return fail(E2BIG);
  plan.elements = {plan.buckets_offset + round_up(std::uint64_t{plan.buckets} * 4, 8),
                   static_cast<std::uint32_t>(stride), shape.max_entries, offsetof(Element, link)};
  if (std::uint64_t{shape.max_entries} * stride > shm::Region::kLargest - plan.elements.offset)
    return fail(E2BIG);
  plan.total = plan.elements.offset + shape.max_entries * stride;
  return plan;
}

Result<StackTable::Sizes> StackTable::sizes(const StackTableShape& shape) {
  const Plan plan = TRY(plan_of(shape));
  return Sizes{plan.total, plan.elements.offset};
}

void StackTable::format(const shm::Region& region, std::uint64_t offset, const StackTableShape& shape) {
  auto* header = region.at<Header>(offset);
  header->value_size = shape.value_size;
  header->max_entries = shape.max_entries;
  header->magic = kMagic;  // whoever publishes the region publishes this
}

Result<StackTable> StackTable::attach(shm::Region& region, std::uint64_t offset) {
  auto* header = region.at<Header>(offset);
  if (header == nullptr || header->magic != kMagic) return fail(EINVAL);
  StackTable table;
  table.shape_ = {header->value_size, header->max_entries};
  Plan plan = TRY(plan_of(table.shape_));
  if (plan.total > region.size() - offset) return fail(EINVAL);
  plan.elements.offset += offset;
  table.header_ = header;
  table.bucket_count_ = plan.buckets;
  table.buckets_ = region.at<sync::Atomic<std::uint32_t>>(offset + plan.buckets_offset, plan.buckets);
  table.elements_ = Slab(region, header->elements, plan.elements);
  return table;
}

StackTable::Element* StackTable::element_in(std::uint32_t word) const {
  if (word == 0 || !elements_.is_index(word - 1)) return nullptr;
  return reinterpret_cast<Element*>(elements_.at(word - 1));
}

Result<std::uint32_t> StackTable::put(const sync::Actor& actor, const Trace& trace, const Rules& rules) {
  const std::uint32_t number = trace.hash & (bucket_count_ - 1);
  auto& bucket = buckets_[number];
  const sync::RobustGuard guard(header_->lock, actor, [&] { repair(); });
  const std::uint32_t word = bucket.load_relaxed();
  if (Element* const old = element_in(word); old != nullptr) {
    const bool same_hash = old->hash.load_relaxed() == trace.hash;
    if (same_hash && rules.by_hash_only) return number;
    if (rules.needs_room && !elements_.has_free()) return fail(ENOMEM);
    if (same_hash && old->size.load_relaxed() == trace.size &&
        sync::equal_to_shared(bytes_of(old), trace.bytes, trace.size))
      return number;
    if (!rules.may_replace) return fail(EEXIST);
  }
  const Result<std::uint32_t> index = elements_.take();
  if (!index) return fail(ENOMEM);
  auto* const fresh = reinterpret_cast<Element*>(elements_.at(*index));
  fresh->hash.store_relaxed(trace.hash);
  fresh->size.store_relaxed(trace.size);
  sync::copy_to_shared(bytes_of(fresh), trace.bytes, trace.size);
  bucket.store_release(*index + 1);  // pairs with lookup
  if (element_in(word) != nullptr) {
    header_->version.advance();
    elements_.give_back(word - 1);
  }
  return number;
}

bool StackTable::lookup(std::uint32_t number, void* value) const {
  if (number >= bucket_count_) return false;
  bool found = false;
  return header_->version.unchanged([&] {
    Element* const at = element_in(buckets_[number].load_acquire());  // pairs with put
    found = at != nullptr;
    if (!found) return;
    std::uint32_t size = at->size.load_relaxed();
    if (size > shape_.value_size) size = 0;
    sync::copy_from_shared(value, bytes_of(at), size);
    std::memset(static_cast<std::byte*>(value) + size, 0, shape_.value_size - size);
  }) && found;
}

Result<void> StackTable::erase(const sync::Actor& actor, std::uint32_t number) {
  if (number >= bucket_count_) return fail(ENOENT);
  const sync::RobustGuard guard(header_->lock, actor, [&] { repair(); });
  const std::uint32_t word = buckets_[number].load_relaxed();
  if (element_in(word) == nullptr) return fail(ENOENT);
  buckets_[number].store_release(0);  // pairs with lookup
  header_->version.advance();
  elements_.give_back(word - 1);
  return {};
}

bool StackTable::next(std::uint32_t number, std::uint32_t& found) const {
  for (; number < bucket_count_; ++number)
    if (contains(number)) {
      found = number;
      return true;
    }
  return false;
}

void StackTable::repair() {
  header_->version.advance();
  std::vector<bool> used(elements_.handed_out());
  for (std::uint32_t number = 0; number < bucket_count_; ++number) {
    const std::uint32_t word = buckets_[number].load_relaxed();
    if (word == 0) continue;
    if (word - 1 >= used.size() || used[word - 1])
      buckets_[number].store_release(0);  // only in a tampered region; pairs with lookup
    else
      used[word - 1] = true;
  }
  elements_.rebuild([&](std::uint32_t index) { return used[index]; });
}

std::uint64_t StackTable::reserved_bytes() const {
  return sizeof(Header) + std::uint64_t{bucket_count_} * 4 + elements_.reserved_bytes();
}

void StackTable::check(const std::string& where, shm::Findings& findings) const {
  if (!header_->lock.owner().is_nobody()) return findings.note(where, "is locked");
  std::vector<bool> used(elements_.handed_out());
  std::uint32_t count = 0;
  for (std::uint32_t number = 0; number < bucket_count_; ++number) {
    const std::uint32_t word = buckets_[number].load_relaxed();
    if (word == 0) continue;
    if (word - 1 >= used.size() || used[word - 1]) {
      findings.corrupt(where, fmt::format("trace {} is nowhere, or another's too", number));
      continue;
    }
    used[word - 1] = true;
    ++count;
    Element& at = *element_in(word);
    if ((at.hash.load_relaxed() & (bucket_count_ - 1)) != number ||
        at.size.load_relaxed() > shape_.value_size)
      findings.corrupt(where, fmt::format("trace {} does not belong there", number));
  }
  if (count + elements_.count_free() != elements_.handed_out())
    findings.corrupt(where, "elements are nowhere, and nobody knows");
}

}  // namespace portolan::ds
