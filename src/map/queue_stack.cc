// SPDX-License-Identifier: Apache-2.0
#include "map/queue_stack.h"

namespace portolan::map {

using ds::BoundedRing;
using namespace abi::element_flag;

static BoundedRing::Shape shape_of(const MapSpec& spec) { return {spec.value_size, spec.max_entries}; }

Result<void> QueueStackMap::alloc_check(const MapSpec& spec, std::uint32_t) {
  if (spec.max_entries == 0 || spec.key_size != 0 || spec.value_size == 0 || !flags_are_allowed(spec))
    return fail(EINVAL);
  if (spec.value_size > abi::kMaxKmallocSize) return fail(E2BIG);
  return {};
}

Result<Layout> QueueStackMap::layout(const MapSpec& spec) {
  const auto size = BoundedRing::size(shape_of(spec));
  if (!size || *size > shm::Region::kLargest) return fail(ENOMEM);
  return Layout{*size, *size, 0};
}

Result<std::unique_ptr<Map>> QueueStackMap::attach_with(object::Mapped mapped, MapHeader* header,
                                                        BoundedRing::End end) {
  const Bytes bytes = mapped.state.bytes().subspan(family_offset(mapped.payload_offset));
  const BoundedRing ring = TRY(BoundedRing::attach(bytes, shape_of(header->spec)));
  return std::make_unique<QueueStackMap>(std::move(mapped), header, ring, end);
}

// The actor is used where it lies: a copy costs a stall.
Result<void> QueueStackMap::push_elem(const std::byte* value, std::uint64_t flags) {
  if (flags != kAny && flags != kExist) return fail(EINVAL);
  const Result<sync::Actor> actor = runtime().actor();
  if (!actor) return fail(actor.error());
  return ring_.push(*actor, value,
                    flags == kExist ? BoundedRing::WhenFull::kDropOldest : BoundedRing::WhenFull::kRefuse);
}

Result<void> QueueStackMap::pop_elem(std::byte* value) {
  const Result<sync::Actor> actor = runtime().actor();
  if (!actor) return fail(actor.error());
  return ring_.pop(*actor, value, end_);
}

Result<void> QueueStackMap::peek_elem(std::byte* value) {
  const Result<sync::Actor> actor = runtime().actor();
  if (!actor) return fail(actor.error());
  return ring_.peek(*actor, value, end_);
}

void QueueStackMap::check(shm::Findings& findings) const {
  Map::check(findings);
  ring_.check(where(), findings);
}

}  // namespace portolan::map
