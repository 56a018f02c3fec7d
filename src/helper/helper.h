// SPDX-License-Identifier: Apache-2.0
// The helpers that programs may call: prototypes for the verifier, functions for whoever executes programs.
// helpers.def names each once.
#pragma once
#include <cstdint>

#include "abi/prog_type.h"
#include "helper/run.h"

namespace portolan::helper {

// What a helper wants in a register.
enum class Arg : std::uint8_t {
  kNone,         // not an argument
  kAnything,     // any initialised register
  kConstMapPtr,  // a map, known when the program is loaded
  kMapKey,       // key_size initialised bytes of the map that came before
  kMapValue,     // value_size bytes of that map
  kMem,          // bytes: as many as the following argument says, or fixed_size
  kConstSize,    // the size of the memory argument before it, > 0
  kConstSizeOrZero,
  kAllocSize,    // a constant: the size of the memory that is returned
  kReserved,     // memory that was reserved in a ring buffer
  kCtx,          // the program's context
  kCtxOfTc,      // the context, where the program is one of tc; others give nothing
  kSocket,       // a socket of any kind
  kBtfSocket,    // likewise, or one of the kernel's own structs
  kCtxOrSocket,  // of cgroup_sockopt programs kBtfSocket, of others kCtx
  kSpinLock,     // a bpf_spin_lock in a map value
  kTimer,        // a bpf_timer in a map value
  kFunc,         // a function of the program, as a callback
  kStackOrNull,  // a pointer to the stack, or NULL (callback contexts)
  kConstStr,     // a NUL-terminated string in a read-only map
  kDynptr,
  kSeqFile,  // what an iterator's program writes to
  kTask,     // a task of the kernel's
  kSkBuff,   // the kernel's struct sk_buff
  kXdpBuff,  // an XDP packet: the context, or, for other programs, the kernel's struct xdp_buff
  kOther,    // pointers that only a kernel can give: no register here ever holds one
};
// How; combined with |.
namespace arg_flag {
inline constexpr std::uint8_t kOrNull = 1;  // or NULL
inline constexpr std::uint8_t kUninit =
    2;  // written by the helper: need not be initialised (then it is after)
inline constexpr std::uint8_t kWrites = 4;     // written by the helper
inline constexpr std::uint8_t kAligned = 8;    // to its size
inline constexpr std::uint8_t kFixed = 16;     // kMem of fixed_size bytes, no size argument
inline constexpr std::uint8_t kReleases = 32;  // what the program was given is given back by the call
}  // namespace arg_flag
struct Argument {
  Arg kind = Arg::kNone;
  std::uint8_t flags = 0;
  std::uint16_t fixed_size = 0;  // bytes, with kFixed
};

enum class Ret : std::uint8_t {
  kInteger,
  kVoid,
  kMapValueOrNull,
  kMapValue,
  kSocketOrNull,
  kSockCommonOrNull,
  kTcpSockOrNull,
  kMemOrNull,   // as many bytes as the constant size argument, of a dynptr or to be given back
  kTask,        // the thread's struct task_struct, of the kernel's BTF
  kOtherOrNull  // pointers that only a kernel can give: always NULL here
};

// Every helper has this shape, as in the kernel: five registers in, r0 out.
using Function = std::uint64_t (*)(Run& run, std::uint64_t a, std::uint64_t b, std::uint64_t c,
                                   std::uint64_t d, std::uint64_t e);

struct Prototype {
  std::uint32_t id = 0;
  const char* name = nullptr;   // "bpf_map_lookup_elem"
  Function function = nullptr;  // nullptr: not to be had here, `note` says why
  Ret ret = Ret::kInteger;
  Argument args[5] = {};
  std::uint64_t programs = 0;     // a set of program_sets.h
  bool gpl_only = false;          // only for programs with a GPL-compatible licence
  bool pkt_access = false;        // memory arguments may lie in the packet
  bool changes_pkt_data = false;  // pointers into the packet are gone after the call
  bool acquires = false;          // what it returns must be given back
  bool casts = false;             // what it returns is its argument, as another type
  bool might_sleep = false;  // only for sleepable programs: "helper call might sleep in a non-sleepable prog"
  const char* note = "";
};

inline constexpr std::uint32_t kHelperEnd = 212;  // one past the newest of Linux 6.18

// nullptr: there is no such number (0 is none either).
const Prototype* find(std::uint32_t id);
// Whether such programs have it, as the kernel decides (get_func_proto of their type).
bool is_available(const Prototype& prototype, abi::ProgType type, std::uint32_t expected_attach_type);
// Whether it is for their contexts, too, that its function was made: the kernel has another one of that
// number for some types.
bool takes_context_of(const Prototype& prototype, abi::ProgType type);

}  // namespace portolan::helper
