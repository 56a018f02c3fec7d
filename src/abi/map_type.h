// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

namespace portolan::abi {

// enum bpf_map_type. Which kernel brought which, and what is supported here: map/map_types.def.
enum class MapType : std::uint32_t {
  kUnspec = 0,
  kHash = 1,
  kArray = 2,
  kProgArray = 3,
  kPerfEventArray = 4,
  kPerCpuHash = 5,
  kPerCpuArray = 6,
  kStackTrace = 7,
  kCgroupArray = 8,
  kLruHash = 9,
  kLruPerCpuHash = 10,
  kLpmTrie = 11,
  kArrayOfMaps = 12,
  kHashOfMaps = 13,
  kDevmap = 14,
  kSockmap = 15,
  kCpumap = 16,
  kXskmap = 17,
  kSockhash = 18,
  kCgroupStorage = 19,  // deprecated there in favour of kCgrpStorage
  kReuseportSockarray = 20,
  kPerCpuCgroupStorage = 21,  // deprecated there too
  kQueue = 22,
  kStack = 23,
  kSkStorage = 24,
  kDevmapHash = 25,
  kStructOps = 26,
  kRingbuf = 27,
  kInodeStorage = 28,
  kTaskStorage = 29,
  kBloomFilter = 30,
  kUserRingbuf = 31,
  kCgrpStorage = 32,
  kArena = 33,
  kInsnArray = 34,
  kRhash = 35,
};

inline constexpr std::uint32_t kMapTypeEnd = 36;  // one past the newest

}  // namespace portolan::abi
