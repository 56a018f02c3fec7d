// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

namespace portolan::abi {

// enum bpf_cmd: the first argument of bpf(2).
enum class Command : int {
  kMapCreate = 0,
  kMapLookupElem = 1,
  kMapUpdateElem = 2,
  kMapDeleteElem = 3,
  kMapGetNextKey = 4,
  kProgLoad = 5,
  kObjPin = 6,
  kObjGet = 7,
  kProgAttach = 8,
  kProgDetach = 9,
  kProgTestRun = 10,
  kProgGetNextId = 11,
  kMapGetNextId = 12,
  kProgGetFdById = 13,
  kMapGetFdById = 14,
  kObjGetInfoByFd = 15,
  kProgQuery = 16,
  kRawTracepointOpen = 17,
  kBtfLoad = 18,
  kBtfGetFdById = 19,
  kTaskFdQuery = 20,
  kMapLookupAndDeleteElem = 21,
  kMapFreeze = 22,
  kBtfGetNextId = 23,
  kMapLookupBatch = 24,
  kMapLookupAndDeleteBatch = 25,
  kMapUpdateBatch = 26,
  kMapDeleteBatch = 27,
  kLinkCreate = 28,
  kLinkUpdate = 29,
  kLinkGetFdById = 30,
  kLinkGetNextId = 31,
  kEnableStats = 32,
  kIterCreate = 33,
  kLinkDetach = 34,
  kProgBindMap = 35,
  kTokenCreate = 36,
  kProgStreamReadByFd = 37,
  kProgAssocStructOps = 38,
};

inline constexpr int kCommandEnd = 39;  // one past the newest

// Set in the command (BPF_COMMON_ATTRS): a fourth and fifth argument of bpf(2) carry a CommonAttr and its
// size. A kernel that does not know the bit answers EINVAL, as for any command out of range.
inline constexpr int kCommonAttrsBit = 1 << 16;

// struct bpf_common_attr
struct CommonAttr {
  alignas(8) std::uint64_t log_buf;
  std::uint32_t log_size;
  std::uint32_t log_level;
  std::uint32_t log_true_size;  // out
};
static_assert(sizeof(CommonAttr) == 24 && alignof(CommonAttr) == 8);

// enum bpf_stats_type, of kEnableStats
enum class StatsType : std::uint32_t { kRunTime = 0 };

}  // namespace portolan::abi
