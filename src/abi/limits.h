// SPDX-License-Identifier: Apache-2.0
// Sizes and limits that a caller of bpf(2) can see, the kernel's internal ones included.
#pragma once
#include <cstddef>
#include <cstdint>

namespace portolan::abi {

inline constexpr std::size_t kObjNameLen = 16;   // BPF_OBJ_NAME_LEN, with the NUL
inline constexpr std::size_t kTagSize = 8;       // BPF_TAG_SIZE, of a program
inline constexpr std::size_t kBuildIdSize = 20;  // BPF_BUILD_ID_SIZE

inline constexpr std::uint64_t kBpfFsMagic = 0xcafe4a11;  // statfs(2) f_type of the bpffs

// An attr may be longer than the kernel's if the rest is zero bytes, but not than a page: E2BIG.
inline constexpr std::uint32_t kMaxAttrSize = 4096;

inline constexpr std::uint32_t kMaxInsns = 1'000'000;            // of one program, with every BPF capability
inline constexpr std::uint32_t kMaxStack = 512;                  // bytes; keys of a sockhash must fit (E2BIG)
inline constexpr std::uint32_t kMaxUsedMaps = 64;                // of one program
inline constexpr std::uint32_t kMaxLogSize = 0xffff'ffffu >> 2;  // a log buffer that is larger: EINVAL
inline constexpr std::uint32_t kMinLogSize = 128;                // smaller: EINVAL, up to v6.3

inline constexpr std::uint32_t kMaxBtfSize = 16u << 20;  // bytes of one BTF blob; larger: E2BIG
// One CPU's value, rounded up to 8 bytes: the per-CPU allocator's unit; larger: E2BIG.
inline constexpr std::uint32_t kMaxPerCpuValueSize = 32u << 10;
// Hash types: key and value together must be less than what kmalloc gives, without the kernel's own 48 bytes
// of an element (E2BIG). Arrays: a value must fit an int (E2BIG).
inline constexpr std::uint32_t kMaxHashElementSize = (4u << 20) - 48;
inline constexpr std::uint32_t kMaxKmallocSize = 4u << 20;  // of a value that the kernel allocates whole
inline constexpr std::uint32_t kMaxArrayValueSize = 0x7fff'ffff;
inline constexpr std::uint32_t kMaxLpmData = 256;  // bytes of an LPM trie key without its prefix length
inline constexpr std::uint32_t kMaxLpmValueSize = kMaxKmallocSize - 280;  // larger: EINVAL
inline constexpr std::uint32_t kMaxStackFrames = 127;  // kernel.perf_event_max_stack, as it is by default
inline constexpr std::uint32_t kMaxTailCalls = 33;

}  // namespace portolan::abi
