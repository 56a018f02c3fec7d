// SPDX-License-Identifier: Apache-2.0
#include "verifier/map_helpers.h"

#include <iterator>

namespace portolan::verifier {
namespace {

using enum abi::MapType;

// A type of map that goes with few helpers, or a helper that goes with few types of maps.
enum Strict : std::uint8_t { kType = 1, kHelper = 2, kBoth = 3 };
struct Pair {
  abi::MapType type;
  std::uint32_t helper;
  Strict strict;
};

// A type that is strict takes none but the helpers beside it here, and a helper that is strict no other type.
constexpr Pair kPairs[] = {
    {kProgArray, 12, kBoth},        // tail_call
    {kPerfEventArray, 22, kBoth},   // perf_event_read
    {kPerfEventArray, 25, kBoth},   // perf_event_output
    {kPerfEventArray, 55, kBoth},   // perf_event_read_value
    {kPerfEventArray, 111, kBoth},  // skb_output
    {kPerfEventArray, 121, kBoth},  // xdp_output
    {kStackTrace, 27, kBoth},       // get_stackid
    {kCgroupArray, 33, kBoth},      // skb_under_cgroup
    {kCgroupArray, 37, kBoth},      // current_task_under_cgroup
    {kCgroupStorage, 81, kBoth},    // get_local_storage
    {kPerCpuCgroupStorage, 81, kBoth},
    {kDevmap, 51, kBoth},  // redirect_map
    {kDevmap, 1, kType},   // map_lookup_elem
    {kDevmapHash, 51, kBoth},
    {kDevmapHash, 1, kType},
    {kCpumap, 51, kBoth},
    {kXskmap, 51, kBoth},
    {kXskmap, 1, kType},
    {kArrayOfMaps, 1, kType},
    {kHashOfMaps, 1, kType},
    {kQueue, 87, kBoth},  // map_push_elem
    {kQueue, 88, kBoth},  // map_pop_elem
    {kQueue, 89, kBoth},  // map_peek_elem
    {kStack, 87, kBoth},
    {kStack, 88, kBoth},
    {kStack, 89, kBoth},
    {kBloomFilter, 87, kBoth},
    {kBloomFilter, 89, kBoth},
    {kRingbuf, 130, kBoth},       // ringbuf_output
    {kRingbuf, 131, kBoth},       // ringbuf_reserve
    {kRingbuf, 134, kBoth},       // ringbuf_query
    {kRingbuf, 198, kBoth},       // ringbuf_reserve_dynptr
    {kUserRingbuf, 209, kBoth},   // user_ringbuf_drain
    {kPerCpuHash, 195, kHelper},  // map_lookup_percpu_elem
    {kPerCpuArray, 195, kHelper},
    {kLruPerCpuHash, 195, kHelper},
};

}  // namespace

bool may_be_given(std::uint32_t helper, abi::MapType type) {
  bool type_is_strict = false, helper_is_strict = false;
  for (const Pair& pair : kPairs) {
    if (pair.type == type && pair.helper == helper) return true;
    type_is_strict |= pair.type == type && (pair.strict & kType) != 0;
    helper_is_strict |= pair.helper == helper && (pair.strict & kHelper) != 0;
  }
  return !type_is_strict && !helper_is_strict;
}

}  // namespace portolan::verifier
