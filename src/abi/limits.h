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

inline constexpr std::uint32_t kMaxInsns = 1'000'000;  // of one program, with every BPF capability
inline constexpr std::uint32_t kMaxStack = 512;        // bytes of a program's stack
inline constexpr std::uint32_t kMaxKeySizeInProgram =
    512;  // keys lie on that stack: hash types refuse longer ones (E2BIG)
inline constexpr std::uint32_t kMaxUsedMaps = 64;                // of one program
inline constexpr std::uint32_t kMaxLogSize = 0xffff'ffffu >> 2;  // a log buffer that is larger: EINVAL
inline constexpr std::uint32_t kMinLogSize = 128;                // smaller: EINVAL, up to v6.3

inline constexpr std::uint32_t kMaxBtfSize = 16u << 20;  // bytes of one BTF blob; larger: E2BIG
inline constexpr std::uint32_t kMaxPerCpuValueSize =
    32u << 10;  // bytes of one CPU's value: the per-CPU allocator's unit
inline constexpr std::uint32_t kMaxKmallocSize =
    4u << 20;  // bytes; KMALLOC_MAX_SIZE of x86-64: keys and values of hash types
inline constexpr std::uint32_t kMaxLpmData = 256;  // bytes of an LPM trie key without its prefix length
inline constexpr std::uint32_t kMaxTailCalls = 33;

}  // namespace portolan::abi
