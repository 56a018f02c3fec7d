// SPDX-License-Identifier: Apache-2.0
// Ring buffers. Which memory is a reserved record, the verifier knows; which record it is, the run.
#include <algorithm>

#include "abi/map_flags.h"
#include "helper/functions.h"
#include "helper/memory.h"
#include "helper/records.h"
#include "map/ring_buffer.h"

namespace portolan::helper {

using map::RingBufferMap;

// The verifier has seen to it that it is one.
static RingBufferMap& ring_at(std::uint64_t map_arg) {
  return static_cast<RingBufferMap&>(at<map::Map>(map_arg));
}

[[gnu::noinline]] static void keep(Run& run, const Run::Reserved& one) { run.more_reserved.push_back(one); }

[[gnu::noinline]] static void end_one_of_more(Run& run, const std::byte* bytes, bool discard,
                                              std::uint64_t flags) {
  const auto one = std::ranges::find(run.more_reserved, bytes,
                                     [](const Run::Reserved& each) { return each.record.bytes; });
  if (one == run.more_reserved.end()) return;
  one->ring->commit(one->record, discard, flags);
  run.more_reserved.erase(one);
}

std::byte* reserve_record(Run& run, std::uint64_t map_arg, std::uint64_t size) {
  RingBufferMap& map = ring_at(map_arg);
  const auto record = map.ring().reserve(run.actor, size);
  if (!record) return nullptr;
  if (run.reserved.ring == nullptr) [[likely]]
    run.reserved = {&map, *record};
  else
    keep(run, {&map, *record});
  return record->bytes;
}

void end_record(Run& run, const std::byte* bytes, bool discard, std::uint64_t flags) {
  if (run.reserved.ring == nullptr || run.reserved.record.bytes != bytes)
    return end_one_of_more(run, bytes, discard, flags);
  RingBufferMap& ring = *run.reserved.ring;
  run.reserved.ring = nullptr;
  ring.commit(run.reserved.record, discard, flags);
}

namespace functions {

U64 ringbuf_reserve(Run& run, U64 map_arg, U64 size, U64 flags, U64, U64) {
  if (flags != 0) return 0;
  return reinterpret_cast<std::uintptr_t>(reserve_record(run, map_arg, size));
}

U64 ringbuf_submit(Run& run, U64 sample, U64 flags, U64, U64, U64) {
  end_record(run, bytes_at(sample), false, flags);
  return 0;
}

U64 ringbuf_discard(Run& run, U64 sample, U64 flags, U64, U64, U64) {
  end_record(run, bytes_at(sample), true, flags);
  return 0;
}

U64 ringbuf_output(Run& run, U64 map_arg, U64 data, U64 size, U64 flags, U64) {
  if ((flags & ~(abi::ring_flag::kNoWakeup | abi::ring_flag::kForceWakeup)) != 0) return negative(EINVAL);
  RingBufferMap& map = ring_at(map_arg);
  const auto record = map.ring().reserve(run.actor, size);
  if (!record) return negative(EAGAIN);
  // Bytes that cannot be read, or written, leave zeros: the record is there.
  (void)!portolan_fault_copy(record->bytes, bytes_at(data), size);
  map.commit(*record, false, flags);
  return 0;
}

U64 ringbuf_query(Run&, U64 map_arg, U64 what, U64, U64, U64) {
  const ds::RecordRing& ring = ring_at(map_arg).ring();
  switch (static_cast<abi::RingQuery>(what)) {
    case abi::RingQuery::kAvailable:
      return ring.available();
    case abi::RingQuery::kSize:
      return ring.size();
    case abi::RingQuery::kConsumer:
      return ring.consumer_position();
    case abi::RingQuery::kProducer:
      return ring.producer_position();
  }
  return 0;
}

}  // namespace functions
}  // namespace portolan::helper
