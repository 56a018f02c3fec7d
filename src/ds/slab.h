// SPDX-License-Identifier: Apache-2.0
// Items of one size in a region: those that were given back, then those that were never used, whose memory is
// reserved in chunks. No lock of its own.
#pragma once
#include <algorithm>

#include "base/result.h"
#include "shm/region.h"
#include "sync/atomic.h"

namespace portolan::ds {

// What lies in the region besides the items. Zero bytes: none was ever used, and no memory is reserved.
struct SlabState {
  sync::Atomic<std::uint32_t> free_head;  // index + 1 of the first; 0: none
  sync::Atomic<std::uint32_t> handed_out;
  sync::Atomic<std::uint32_t> backed;
};

class Slab {
 public:
  struct Shape {
    std::uint64_t offset;  // of item 0 in the region
    std::uint32_t stride;  // bytes, a multiple of 8
    std::uint32_t limit;   // how many items there may be
    std::uint32_t link;    // where in a free item its 4-byte link is
  };
  Slab() = default;
  Slab(shm::Region& region, SlabState& state, const Shape& shape)
      : region_(&region), state_(&state), shape_(shape), base_(region.base() + shape.offset) {}

  std::byte* at(std::uint32_t index) const { return base_ + std::uint64_t{index} * shape_.stride; }
  // Whether there can be such an item: to be asked of whatever was read from the region.
  bool is_index(std::uint32_t index) const { return index < shape_.limit; }
  std::uint32_t handed_out() const { return std::min(state_->handed_out.load_acquire(), shape_.limit); }

  // ENOSPC: all are in use. ENOMEM.
  Result<std::uint32_t> take() const {
    if (const std::uint32_t head = state_->free_head.load_relaxed(); head != 0 && head <= shape_.limit) {
      state_->free_head.store_relaxed(link_of(head - 1).load_relaxed());
      return head - 1;
    }
    const std::uint32_t fresh = state_->handed_out.load_relaxed();
    if (fresh >= shape_.limit) return fail(ENOSPC);
    if (const std::uint32_t backed = state_->backed.load_relaxed(); fresh >= backed) {
      const std::uint32_t more = std::min(shape_.limit - fresh, chunk_after(fresh));
      TRY(region_->reserve(shape_.offset + std::uint64_t{fresh} * shape_.stride,
                           std::uint64_t{more} * shape_.stride));
      state_->backed.store_relaxed(fresh + more);
    }
    state_->handed_out.store_release(fresh + 1);  // pairs with handed_out
    return fresh;
  }
  bool has_free() const { return state_->free_head.load_relaxed() != 0 || handed_out() < shape_.limit; }
  void give_back(std::uint32_t index) const {
    link_of(index).store_relaxed(state_->free_head.load_relaxed());
    state_->free_head.store_relaxed(index + 1);
  }
  // Every item that `is_used(index)` denies is free again.
  template <class IsUsed>
  void rebuild(IsUsed&& is_used) const {
    state_->free_head.store_relaxed(0);
    for (std::uint32_t index = handed_out(); index-- > 0;)
      if (!is_used(index)) give_back(index);
  }
  // How many are in the free list; more than `limit`: it runs in circles.
  std::uint32_t count_free() const {
    std::uint32_t count = 0;
    for (std::uint32_t head = state_->free_head.load_relaxed(); head != 0 && head <= shape_.limit;
         head = link_of(head - 1).load_relaxed())
      if (++count > shape_.limit) break;
    return count;
  }
  std::uint64_t reserved_bytes() const {
    return std::uint64_t{std::min(state_->backed.load_relaxed(), shape_.limit)} * shape_.stride;
  }

 private:
  // How many items get memory at once: what is not used yet is little beside what is, or a page.
  std::uint32_t chunk_after(std::uint32_t used) const {
    const std::uint64_t bytes =
        std::clamp<std::uint64_t>(std::uint64_t{used} * shape_.stride / 16, 4096, 64 * 1024);
    return std::max(static_cast<std::uint32_t>(bytes / shape_.stride), 1u);
  }
  sync::Atomic<std::uint32_t>& link_of(std::uint32_t index) const {
    return *reinterpret_cast<sync::Atomic<std::uint32_t>*>(at(index) + shape_.link);
  }

  shm::Region* region_ = nullptr;
  SlabState* state_ = nullptr;
  Shape shape_{};
  std::byte* base_ = nullptr;
};

}  // namespace portolan::ds
