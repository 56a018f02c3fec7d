// SPDX-License-Identifier: Apache-2.0
// Programs that are attached by BTF: the kernel calls functions of its own, made for that, and so runs what
// is attached to them. Nothing is, here: what remains is what those functions return.
#include "abi/prog_type.h"
#include "syscall/test_run.h"

namespace portolan::syscall {

Result<long> test_run_tracing(const TestRun& test) {
  const abi::TestAttr& attr = test.attr;
  if (attr.flags != 0 || attr.cpu != 0 || attr.batch_size != 0) return fail(EINVAL);
  constexpr std::uint32_t kCalls = 2, kSum = 33;  // of the two functions whose results may be replaced
  std::uint32_t result = 0;
  switch (static_cast<abi::AttachType>(test.program.attributes().expected_attach_type)) {
    case abi::AttachType::kTraceFentry:
    case abi::AttachType::kTraceFexit:
      break;
    case abi::AttachType::kModifyReturn:
      result = kCalls << 16 | kSum;
      break;
    default:
      return fail(EFAULT);
  }
  TRY(test.call.put(offsetof(abi::TestAttr, retval), result));
  return 0;
}

}  // namespace portolan::syscall
