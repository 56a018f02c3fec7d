// SPDX-License-Identifier: Apache-2.0
// Perf events: what programs write to them, and what they count.
#include <optional>

#include "abi/prog_type.h"
#include "helper/functions.h"
#include "helper/memory.h"
#include "helper/perf_sample.h"
#include "helper/struct_image.h"
#include "helper/xdp.h"
#include "map/perf_event_array.h"

namespace portolan::helper::functions {
namespace {

constexpr U64 kIndexMask = 0xffff'ffff, kCurrentCpu = kIndexMask;
constexpr U64 kContextBytes = 0xf'ffff'0000'0000;  // how much of the packet, in flags
constexpr unsigned kContextShift = 32;

Result<map::PerfEvent*> event_of(Run& run, U64 map_arg, U64 flags) {
  map::PerfEventArrayMap& map = *at<map::Map>(map_arg).perf_events();
  const U64 index = flags & kIndexMask;
  const auto number = static_cast<std::uint32_t>(index == kCurrentCpu ? run.cpu : index);
  if (number >= map.max_entries()) return fail(E2BIG);
  map::PerfEvent* const event = map.event_at(number);
  if (event == nullptr) return fail(ENOENT);
  return event;
}

// Of the packet that the program looks at, the linear part; nothing: it looks at none.
std::optional<ConstBytes> packet_of(const Run& run) {
  using enum abi::ProgType;
  switch (static_cast<abi::ProgType>(run.program_type)) {
    case kXdp: {
      const auto& xdp = *static_cast<const XdpBuff*>(run.context);
      return ConstBytes(xdp.data, xdp.data_end);
    }
    case kSocketFilter:
    case kSchedCls:
    case kSchedAct:
    case kCgroupSkb:
    case kLwtIn:
    case kLwtOut:
    case kLwtXmit:
    case kLwtSeg6local:
    case kSkSkb: {
      const auto& skb = *static_cast<const SkBuff*>(run.context);
      return ConstBytes(skb.data, skb.data_end);
    }
    default:
      return {};
  }
}

// The packet's first bytes; those that do not lie together are gathered in `room`. EFAULT: it has fewer.
Result<ConstBytes> first_bytes(const Run& run, ConstBytes linear, std::uint32_t length, map::Scratch& room) {
  if (length <= linear.size()) return linear.first(length);
  if (run.program_type != static_cast<std::uint32_t>(abi::ProgType::kXdp)) return fail(EFAULT);
  const auto& xdp = *static_cast<const XdpBuff*>(run.context);
  if (length > length_of(xdp)) return fail(EFAULT);
  std::byte* const gathered = TRY(room.take(length));
  TRY(copy_xdp_bytes(xdp, 0, gathered, length));
  return ConstBytes(gathered, length);
}

Result<map::PerfEventValue> value_of(Run& run, U64 map_arg, U64 flags) {
  if ((flags & ~kIndexMask) != 0) return fail(EINVAL);
  const map::PerfEvent* const event = TRY(event_of(run, map_arg, flags));
  if (!event->counts_on(run.cpu)) return fail(EINVAL);
  return event->value();
}

// The first bytes of memory that a struct of the kernel's says is its packet, of which it has `size`.
Result<ConstBytes> first_bytes_at(Result<U64> data, Result<U64> size, std::uint32_t length) {
  if (!data || !size || length > *size) return fail(EFAULT);
  return ConstBytes(bytes_at(*data), length);
}

// A record with the first bytes of a packet behind it, as many as the flags say: packet(length).
template <class Packet>
U64 output(Run& run, U64 map_arg, U64 flags, ConstBytes record, Packet&& packet) {
  if ((flags & ~(kIndexMask | kContextBytes)) != 0) return negative(EINVAL);
  const Result<ConstBytes> second =
      packet(static_cast<std::uint32_t>((flags & kContextBytes) >> kContextShift));
  if (!second) return negative(second.error().value);
  const auto event = event_of(run, map_arg, flags);
  if (!event) return negative(event.error().value);
  const auto put = (*event)->output(run.actor, run.cpu, record, *second);
  return put ? 0 : negative(put.error().value);
}

}  // namespace

U64 perf_event_output(Run& run, U64, U64 map_arg, U64 flags, U64 data, U64 size) {
  const std::optional<ConstBytes> packet = packet_of(run);
  if (!packet && (flags & kContextBytes) != 0) return negative(EINVAL);
  map::Scratch room;
  return output(run, map_arg, flags, {bytes_at(data), size}, [&](std::uint32_t length) {
    return first_bytes(run, packet.value_or(ConstBytes{}), length, room);
  });
}

U64 skb_output(Run& run, U64 skb, U64 map_arg, U64 flags, U64 data, U64 size) {
  return output(run, map_arg, flags, {bytes_at(data), size}, [&](std::uint32_t length) {
    return first_bytes_at(read_member(run.runtime, "sk_buff", "data", skb),
                          read_member(run.runtime, "sk_buff", "len", skb), length);
  });
}

U64 xdp_output(Run& run, U64 xdp, U64 map_arg, U64 flags, U64 data, U64 size) {
  return output(run, map_arg, flags, {bytes_at(data), size}, [&](std::uint32_t length) {
    return first_bytes_at(read_member(run.runtime, "xdp_buff", "data", xdp),
                          linear_bytes_at(run.runtime, xdp), length);
  });
}

U64 perf_event_read(Run& run, U64 map_arg, U64 flags, U64, U64, U64) {
  const auto value = value_of(run, map_arg, flags);
  return value ? value->counter : negative(value.error().value);
}

U64 perf_event_read_value(Run& run, U64 map_arg, U64 flags, U64 to, U64 size, U64) {
  const auto value = size == sizeof(map::PerfEventValue) ? value_of(run, map_arg, flags)
                                                         : Result<map::PerfEventValue>(fail(EINVAL));
  if (value && portolan_fault_copy(pointer(to), &*value, sizeof *value)) return 0;
  clear(to, size);
  return negative(value ? EFAULT : value.error().value);
}

U64 perf_prog_read_value(Run&, U64 context, U64 to, U64 size, U64, U64) {
  const map::PerfEventValue& value = at<PerfSample>(context).value;
  if (size == sizeof value && portolan_fault_copy(pointer(to), &value, sizeof value)) return 0;
  clear(to, size);
  return negative(size == sizeof value ? EFAULT : EINVAL);
}

}  // namespace portolan::helper::functions
