// SPDX-License-Identifier: Apache-2.0
// The BPF_F_* flags of programs and of their attaching, one namespace per field that takes them.
#pragma once
#include <cstdint>

namespace portolan::abi {

// prog_load.prog_flags
namespace prog_flag {
inline constexpr std::uint32_t kStrictAlignment = 1u << 0;
inline constexpr std::uint32_t kAnyAlignment = 1u << 1;
inline constexpr std::uint32_t kTestRndHi32 = 1u << 2;
inline constexpr std::uint32_t kTestStateFreq = 1u << 3;
inline constexpr std::uint32_t kSleepable = 1u << 4;
inline constexpr std::uint32_t kXdpHasFrags = 1u << 5;
inline constexpr std::uint32_t kXdpDevBoundOnly = 1u << 6;
inline constexpr std::uint32_t kTestRegInvariants = 1u << 7;
inline constexpr std::uint32_t kTokenFd = 1u << 16;  // prog_token_fd counts
}  // namespace prog_flag

// attach.attach_flags, link_create.flags and the like
namespace attach_flag {
inline constexpr std::uint32_t kAllowOverride = 1u << 0;
inline constexpr std::uint32_t kAllowMulti = 1u << 1;
inline constexpr std::uint32_t kReplace = 1u << 2;
inline constexpr std::uint32_t kBefore = 1u << 3;
inline constexpr std::uint32_t kAfter = 1u << 4;
inline constexpr std::uint32_t kId = 1u << 5;
inline constexpr std::uint32_t kPreorder = 1u << 6;
inline constexpr std::uint32_t kLink = 1u << 13;
}  // namespace attach_flag

// flags of single attach types in link_create
namespace link_flag {
inline constexpr std::uint32_t kKprobeMultiReturn = 1u << 0;
inline constexpr std::uint32_t kUprobeMultiReturn = 1u << 0;
inline constexpr std::uint32_t kUprobeMultiPathFd = 1u << 1;
inline constexpr std::uint32_t kNetfilterIpDefrag = 1u << 0;
}  // namespace link_flag

// query.query_flags
namespace query_flag {
inline constexpr std::uint32_t kEffective = 1u << 0;
}  // namespace query_flag

// test.flags
namespace test_flag {
inline constexpr std::uint32_t kRunOnCpu = 1u << 0;
inline constexpr std::uint32_t kXdpLiveFrames = 1u << 1;
inline constexpr std::uint32_t kSkbChecksumComplete = 1u << 2;
}  // namespace test_flag

// prog_stream_read.stream_id
enum class StreamId : std::uint32_t { kStdout = 1, kStderr = 2 };

}  // namespace portolan::abi
