// SPDX-License-Identifier: Apache-2.0
// Dynptrs, and the ring buffers that have to do with them.
#include "helper/dynptr.h"

#include "abi/map_flags.h"
#include "helper/functions.h"
#include "helper/memory.h"
#include "helper/records.h"
#include "map/user_ring.h"

namespace portolan::helper::functions {
namespace {

// Numbers of bytes are 32 bits wide.
std::uint32_t low(U64 number) { return static_cast<std::uint32_t>(number); }

U64 copy_bytes(std::byte* to, const std::byte* from, std::uint32_t size) {
  // Bytes may lie in pages that somebody has cut off; then there is nothing to copy.
  return portolan_fault_copy(to, from, size) ? 0 : negative(EFAULT);
}
U64 result(const Result<void>& done) { return done ? 0 : negative(done.error().value); }

}  // namespace

U64 dynptr_from_mem(Run&, U64 data, U64 size, U64 flags, U64 to, U64) {
  auto& dynptr = at<Dynptr>(to);
  dynptr = {};
  if (low(size) > Dynptr::kMost) return negative(E2BIG);
  if (flags != 0) return negative(EINVAL);
  dynptr = Dynptr::of(Dynptr::Kind::kMemory, pointer(data), low(size));
  return 0;
}

U64 dynptr_read(Run&, U64 to, U64 size, U64 from, U64 offset, U64 flags) {
  const auto& dynptr = at<Dynptr>(from);
  if (dynptr.data == nullptr || flags != 0) return negative(EINVAL);
  if (!dynptr.holds(low(offset), low(size))) return negative(E2BIG);
  if (dynptr.kind() == Dynptr::Kind::kXdp)
    return result(load_xdp_bytes(dynptr.xdp(), dynptr.offset + low(offset), mutable_bytes_at(to), low(size)));
  const std::byte* const bytes = dynptr.bytes(low(offset), low(size));
  if (bytes == nullptr) {
    clear(to, low(size));
    return negative(EFAULT);
  }
  return copy_bytes(mutable_bytes_at(to), bytes, low(size));
}

U64 dynptr_write(Run& run, U64 to, U64 offset, U64 from, U64 size, U64 flags) {
  const auto& dynptr = at<Dynptr>(to);
  if (dynptr.data == nullptr || dynptr.is_read_only()) return negative(EINVAL);
  if (!dynptr.holds(low(offset), low(size))) return negative(E2BIG);
  if (dynptr.kind() == Dynptr::Kind::kSkb)
    return skb_store_bytes(run, reinterpret_cast<std::uintptr_t>(dynptr.data),
                           U64{dynptr.offset} + low(offset), from, size, flags);
  if (flags != 0) return negative(EINVAL);
  if (dynptr.kind() == Dynptr::Kind::kXdp)
    return result(store_xdp_bytes(dynptr.xdp(), dynptr.offset + low(offset), bytes_at(from), low(size)));
  return copy_bytes(dynptr.bytes(low(offset), low(size)), bytes_at(from), low(size));
}

U64 dynptr_data(Run&, U64 from, U64 offset, U64 size, U64, U64) {
  const auto& dynptr = at<Dynptr>(from);
  // A packet may move: it is looked at by slices.
  if (dynptr.kind() != Dynptr::Kind::kMemory || dynptr.data == nullptr || dynptr.is_read_only()) return 0;
  if (!dynptr.holds(low(offset), low(size))) return 0;
  return reinterpret_cast<std::uintptr_t>(dynptr.bytes(low(offset), low(size)));
}

U64 ringbuf_reserve_dynptr(Run& run, U64 map_arg, U64 size, U64 flags, U64 to, U64) {
  auto& dynptr = at<Dynptr>(to);
  dynptr = {};
  if (flags != 0) return negative(EINVAL);
  if (low(size) > Dynptr::kMost) return negative(E2BIG);
  std::byte* const record = reserve_record(run, map_arg, low(size));
  if (record == nullptr) return negative(EINVAL);
  dynptr = Dynptr::of(Dynptr::Kind::kMemory, record, low(size));
  return 0;
}

U64 ringbuf_submit_dynptr(Run& run, U64 from, U64 flags, U64, U64, U64) {
  auto& dynptr = at<Dynptr>(from);
  if (dynptr.data != nullptr) end_record(run, static_cast<std::byte*>(dynptr.data), false, flags);
  dynptr = {};
  return 0;
}

U64 ringbuf_discard_dynptr(Run& run, U64 from, U64 flags, U64, U64, U64) {
  auto& dynptr = at<Dynptr>(from);
  if (dynptr.data != nullptr) end_record(run, static_cast<std::byte*>(dynptr.data), true, flags);
  dynptr = {};
  return 0;
}

U64 user_ringbuf_drain(Run& run, U64 map_arg, U64 function, U64 context, U64 flags, U64) {
  if ((flags & ~(abi::ring_flag::kNoWakeup | abi::ring_flag::kForceWakeup)) != 0) return negative(EINVAL);
  struct Visitor {
    Run& run;
    U64 function, context;
  } visitor{run, function, context};
  const auto visit = [](void* opaque, std::byte* bytes, std::uint32_t size) {
    const Visitor& to = *static_cast<Visitor*>(opaque);
    Dynptr record = Dynptr::of(Dynptr::Kind::kMemory, bytes, size);
    return to.run.program->call_back(to.function, reinterpret_cast<std::uintptr_t>(&record), to.context, 0, 0,
                                     0) == 0;
  };
  const auto seen = at<map::Map>(map_arg).user_ring()->drain(visit, &visitor, flags);
  return seen ? *seen : negative(seen.error().value);
}

}  // namespace portolan::helper::functions
