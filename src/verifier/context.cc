// SPDX-License-Identifier: Apache-2.0
#include "verifier/context.h"

#include <climits>

namespace portolan::verifier {

ContextAccess check_context_access(abi::ProgType, std::uint32_t, std::int32_t, std::uint32_t, bool, bool) {
  return {};
}
bool has_converted_context(abi::ProgType) { return false; }
std::vector<abi::Insn> convert_context_access(abi::ProgType, const abi::Insn& insn) { return {insn}; }
ReturnRange return_range(abi::ProgType, std::uint32_t) { return {INT_MIN, INT_MAX, true}; }
std::uint32_t most_context_bytes(abi::ProgType) { return 0; }
bool may_read_packet(abi::ProgType) { return false; }
bool may_write_packet(abi::ProgType) { return false; }

}  // namespace portolan::verifier
