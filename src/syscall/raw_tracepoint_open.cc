// SPDX-License-Identifier: Apache-2.0
#include "syscall/new_link.h"

namespace portolan::syscall {

Result<long> raw_tracepoint_open(const Call& call) {
  const abi::RawTracepointAttr& attr = call.attr.raw_tracepoint;
  verifier::Program& program = *TRY(program_of(call, attr.prog_fd));
  const auto attach_type = static_cast<abi::AttachType>(program.attributes().expected_attach_type);
  switch (static_cast<abi::ProgType>(program.attributes().type)) {
    case abi::ProgType::kTracing:
    case abi::ProgType::kExt:
    case abi::ProgType::kLsm:
      if (attr.name != 0) return fail(EINVAL);  // the program says it by its BTF
      if (attach_type == abi::AttachType::kTraceRawTp)
        return link_raw_tracepoint(call, program, 0, attr.cookie);
      return link_function(call, program, program.attributes().expected_attach_type, 0, 0, attr.cookie);
    case abi::ProgType::kRawTracepoint:
    case abi::ProgType::kRawTracepointWritable:
      if (attr.name == 0) return fail(EFAULT);
      return link_raw_tracepoint(call, program, attr.name, attr.cookie);
    default:
      return fail(EINVAL);
  }
}

}  // namespace portolan::syscall
