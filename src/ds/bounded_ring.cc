// SPDX-License-Identifier: Apache-2.0
// A queue or stack in shared memory, of which any writer may die at any instruction.
//
//   lock: RobustLock | extent: first:32 | count:32 | value 0 | value 1 | … | value max_entries
//                                                    '-----' stride = value_size rounded up to 8
//
// The values that are there are the `count` slots from `first` on, around the end. There is one slot more
// than values may be there, so that the slot behind the newest is always free to be written.
//
// Invariants
//   first ≤ max_entries and count ≤ max_entries, also in between.
//   Whoever holds `lock` is the only one who writes slots or `extent`.
//
// Linearization: every change is one store of `extent`: push fills the free slot and stores {first, count+1},
// or {first+1, count} where it drops the oldest; pop copies a value out and stores {first+1, count-1} or
// {first, count-1}. A peek reads under the lock. Operations block while another holds the lock; one whose
// owner has died is taken over.
//
// Crash table: killed …                 others see                 who repairs
//   with the lock, before the store     nothing of the operation   nobody needs to: the next push overwrites
//                                                                  the slot
//   with the lock, after the store      the whole operation        the next one only takes the lock over
#include "ds/bounded_ring.h"

namespace portolan::ds {
namespace {

constexpr std::uint64_t kValuesAt = 64;

// A death leaves nothing half done.
constexpr auto kNothingToRepair = [] {};

}  // namespace

Result<std::uint64_t> BoundedRing::size(const Shape& shape) {
  if (shape.value_size == 0 || shape.max_entries == 0) return fail(EINVAL);
  return kValuesAt + round_up(shape.value_size, 8) * (std::uint64_t{shape.max_entries} + 1);
}

Result<BoundedRing> BoundedRing::attach(Bytes bytes, const Shape& shape) {
  const std::uint64_t needed = TRY(size(shape));
  if (bytes.size() < needed || reinterpret_cast<std::uintptr_t>(bytes.data()) % 8 != 0) return fail(EINVAL);
  return BoundedRing(bytes, shape);
}

BoundedRing::BoundedRing(Bytes bytes, const Shape& shape)
    : header_(reinterpret_cast<Header*>(bytes.data())),
      values_(bytes.data() + kValuesAt),
      stride_(round_up(shape.value_size, 8)),
      slots_(shape.max_entries + 1) {}

// Somebody else may have written nonsense there: it leads to wrong values, never outside.
inline BoundedRing::Extent BoundedRing::extent() const {
  const std::uint64_t word = header_->extent.load_relaxed();
  const auto first = static_cast<std::uint32_t>(word >> 32), count = static_cast<std::uint32_t>(word);
  return {first < slots_ ? first : 0, count < slots_ ? count : slots_ - 1};
}

void BoundedRing::commit(Extent extent) {
  // Pairs with the load of the next owner of the lock; release, so that a death behind it finds the value.
  header_->extent.store_release(std::uint64_t{extent.first} << 32 | extent.count);
}

std::byte* BoundedRing::slot(const Extent& extent, std::uint32_t number) const {
  const std::uint64_t at = std::uint64_t{extent.first} + number;
  return values_ + stride_ * (at < slots_ ? at : at - slots_);
}

Result<void> BoundedRing::push(const sync::Actor& actor, const std::byte* value, WhenFull when_full) {
  const sync::RobustGuard guard(header_->lock, actor, kNothingToRepair);
  Extent now = extent();
  const bool is_full = now.count == slots_ - 1;
  if (is_full && when_full == WhenFull::kRefuse) return fail(E2BIG);
  sync::copy_to_shared(slot(now, now.count), value, stride_);
  if (is_full)
    now.first = now.first + 1 < slots_ ? now.first + 1 : 0;
  else
    ++now.count;
  commit(now);
  return {};
}

inline Result<void> BoundedRing::read(std::byte* value, End end, Extent& now) const {
  now = extent();
  if (now.count == 0) return fail(ENOENT);
  sync::copy_from_shared(value, slot(now, end == End::kOldest ? 0 : now.count - 1), stride_);
  return {};
}

Result<void> BoundedRing::pop(const sync::Actor& actor, std::byte* value, End end) {
  const sync::RobustGuard guard(header_->lock, actor, kNothingToRepair);
  Extent now;
  TRY(read(value, end, now));
  if (end == End::kOldest) now.first = now.first + 1 < slots_ ? now.first + 1 : 0;
  --now.count;
  commit(now);
  return {};
}

Result<void> BoundedRing::peek(const sync::Actor& actor, std::byte* value, End end) {
  const sync::RobustGuard guard(header_->lock, actor, kNothingToRepair);
  Extent now;
  return read(value, end, now);
}

std::uint32_t BoundedRing::count() const { return extent().count; }

void BoundedRing::check(const std::string& where, shm::Findings& findings) const {
  const std::uint64_t word = header_->extent.load_relaxed();
  if (word >> 32 >= slots_ || static_cast<std::uint32_t>(word) >= slots_)
    findings.corrupt(where, "its first value or number of values is out of range");
}

}  // namespace portolan::ds
