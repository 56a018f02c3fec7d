// SPDX-License-Identifier: Apache-2.0
// The contexts of program types: which of their bytes a program may touch, what it finds there, and the
// instructions that an access becomes. contexts.def names each field once.
#pragma once
#include <cstdint>
#include <vector>

#include "abi/insn.h"
#include "abi/prog_type.h"

namespace portolan::verifier {

// What a load from the context puts into the register.
enum class ContextValue : std::uint8_t {
  kScalar,
  kPacket,
  kPacketMeta,
  kPacketEnd,
  kFlowKeys,
  kTracepointBuffer,
  kSkBuff,     // the kernel's struct sk_buff
  kHookState,  // the kernel's struct nf_hook_state
  kSocket,     // struct bpf_sock, and what may be one
  kSocketOrNull,
  kSockCommonOrNull,
};

struct ContextAccess {
  bool allowed = false;
  ContextValue value = ContextValue::kScalar;
  // Of the whole field, in bytes: a narrower load is converted to a load of all of it, a shift and a mask.
  // 0: the access is not converted.
  std::uint32_t field_size = 0;
};

// As the type's is_valid_access, after the checks that all share (offset >= 0; the verifier has checked the
// alignment).
ContextAccess check_context_access(abi::ProgType type, std::uint32_t expected_attach_type,
                                   std::int32_t offset, std::uint32_t size, bool writes, bool gpl_compatible);

// Whether accesses are converted at all; where not, the context is what the program's struct says.
bool has_converted_context(abi::ProgType type);
// Whether the context of such a program points to a socket, which is struct bpf_sock in memory.
bool has_socket_in_context(abi::ProgType type);

// The instructions that an allowed access becomes: loads and stores of helper/packet.h's structs, which
// may use the destination register (of loads), and nothing else. (Stores of values that need a scratch
// register keep it in the frame below the program's stack: see stack_bytes_for_conversion.)
std::vector<abi::Insn> convert_context_access(abi::ProgType type, const abi::Insn& insn);

// The range of what a program of this type may return from its main function; {INT_MIN, INT_MAX}: anything.
struct ReturnRange {
  std::int64_t least, most;
  bool any;
};
ReturnRange return_range(abi::ProgType type, std::uint32_t expected_attach_type);

// Bytes of context that a program may touch at most, of types whose context is words; 0: of the others.
std::uint32_t most_context_bytes(abi::ProgType type);

// Whether such a program may write its packet through pointers (may_access_direct_pkt_data), and read it.
bool may_read_packet(abi::ProgType type);
bool may_write_packet(abi::ProgType type);

}  // namespace portolan::verifier
