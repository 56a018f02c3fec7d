// SPDX-License-Identifier: Apache-2.0
// Every helper from every kind of program: who gives it to whom?
#include <fmt/format.h>

#include <string_view>

#include "bytecode.h"
#include "compare.h"
#include "program_kinds.h"
#include "uapi.h"

namespace portolan::conformance {
namespace {

constexpr std::int32_t kHelpers = 211;

// Whether a program may name the helper, whatever becomes of its arguments.
bool is_given(Backend& backend, const ProgramKind& kind, std::int32_t helper) {
  Bytecode code;
  code.call(helper).set(0, 1).exit();
  const auto insns = code.finish();
  static const char license[] = "GPL";
  static std::vector<char> log(1 << 16);
  log[0] = '\0';
  Attr attr;
  attr.set(load::kProgType, kind.type).set(load::kInsnCnt, insns.size());
  attr.set(load::kInsns, reinterpret_cast<std::uint64_t>(insns.data()));
  attr.set(load::kLicense, reinterpret_cast<std::uint64_t>(license));
  attr.set(load::kProgFlags, kind.flags).set(load::kAttachType, kind.attach_type);
  attr.set(load::kAttachBtfId, attach_btf_id(kind));
  attr.set(load::kLogLevel, 1).set(load::kLogSize, log.size());
  attr.set(load::kLogBuf, reinterpret_cast<std::uint64_t>(log.data()));
  const long fd = backend.bpf(kProgLoad, attr.bytes.data(), kAttrSize);
  if (fd >= 0) backend.close(static_cast<int>(fd));
  return std::string_view(log.data()).find("cannot use helper") == std::string_view::npos;
}

}  // namespace

std::size_t compare_helper_sets(Backend& kernel, Backend& portolan) {
  std::size_t calls = 0, differences = 0;
  for (const ProgramKind& kind : kProgramKinds)
    for (std::int32_t helper = 1; helper <= kHelpers; ++helper) {
      ++calls;
      const bool expected = is_given(kernel, kind, helper), got = is_given(portolan, kind, helper);
      if (expected == got) continue;
      ++differences;
      fmt::print("{}: helper {}: {} gives it\n", kind.name, helper,
                 expected ? "only the kernel" : "only Portolan");
    }
  fmt::print("{} calls of helpers: {} differences\n", calls, differences);
  return differences;
}

}  // namespace portolan::conformance
