// SPDX-License-Identifier: Apache-2.0
// The BPF_F_* flags of maps and of paths, one namespace per field that takes them.
#pragma once
#include <cstdint>

namespace portolan::abi {

// map_create.map_flags; kRdonly and kWronly also in obj.file_flags and id.open_flags.
namespace map_flag {
inline constexpr std::uint32_t kNoPrealloc = 1u << 0;
inline constexpr std::uint32_t kNoCommonLru = 1u << 1;
inline constexpr std::uint32_t kNumaNode = 1u << 2;
inline constexpr std::uint32_t kRdonly = 1u << 3;  // the fd: no writing through bpf(2)
inline constexpr std::uint32_t kWronly = 1u << 4;  // the fd: no reading through bpf(2)
inline constexpr std::uint32_t kStackBuildId = 1u << 5;
inline constexpr std::uint32_t kZeroSeed = 1u << 6;
inline constexpr std::uint32_t kRdonlyProg = 1u << 7;  // the map: no writing by programs
inline constexpr std::uint32_t kWronlyProg = 1u << 8;  // the map: no reading by programs
inline constexpr std::uint32_t kClone = 1u << 9;
inline constexpr std::uint32_t kMmapable = 1u << 10;
inline constexpr std::uint32_t kPreserveElems = 1u << 11;
inline constexpr std::uint32_t kInnerMap = 1u << 12;
inline constexpr std::uint32_t kLink = 1u << 13;
inline constexpr std::uint32_t kVtypeBtfObjFd = 1u << 15;  // value_type_btf_obj_fd counts
inline constexpr std::uint32_t kTokenFd = 1u << 16;        // map_token_fd counts
inline constexpr std::uint32_t kSegvOnFault = 1u << 17;
inline constexpr std::uint32_t kNoUserConv = 1u << 18;
inline constexpr std::uint32_t kRbOverwrite = 1u << 19;
}  // namespace map_flag

// elem.flags and batch.elem_flags. The first three are a choice, the others are bits.
namespace element_flag {
inline constexpr std::uint64_t kAny = 0;
inline constexpr std::uint64_t kNoExist = 1;
inline constexpr std::uint64_t kExist = 2;
inline constexpr std::uint64_t kLock = 4;  // copy under the value's bpf_spin_lock
inline constexpr std::uint64_t kCpu = 8;  // per-CPU maps: one CPU's value; its number is in the upper 32 bits
inline constexpr std::uint64_t kAllCpus = 16;  // per-CPU maps: one value for every CPU
inline constexpr unsigned kCpuShift = 32;
}  // namespace element_flag

// Of bpf_get_stackid and bpf_get_stack.
namespace stack_flag {
inline constexpr std::uint64_t kSkipMask = 0xff;  // how many frames are left out
inline constexpr std::uint64_t kUserStack = 1u << 8;
inline constexpr std::uint64_t kFastStackCmp = 1u << 9;
inline constexpr std::uint64_t kReuseStackid = 1u << 10;
inline constexpr std::uint64_t kUserBuildId = 1u << 11;
}  // namespace stack_flag

// Of bpf_ringbuf_output, submit and discard; and what bpf_ringbuf_query is asked for.
namespace ring_flag {
inline constexpr std::uint64_t kNoWakeup = 1;
inline constexpr std::uint64_t kForceWakeup = 2;
}  // namespace ring_flag
enum class RingQuery : std::uint64_t { kAvailable = 0, kSize = 1, kConsumer = 2, kProducer = 3 };

// obj.file_flags, besides map_flag::kRdonly and kWronly.
namespace path_flag {
inline constexpr std::uint32_t kPathFd = 1u << 14;  // path_fd counts
}  // namespace path_flag

// prog_flags and btf_flags spell "a token fd is given" with the same bit as map_flags.
inline constexpr std::uint32_t kTokenFdFlag = map_flag::kTokenFd;

}  // namespace portolan::abi
