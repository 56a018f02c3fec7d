// SPDX-License-Identifier: Apache-2.0
// Every load and store that a program could do to its context, at every offset and size: who lets it pass?
#include <fmt/format.h>

#include "bytecode.h"
#include "compare.h"
#include "program_kinds.h"
#include "uapi.h"

namespace portolan::conformance {
namespace {

long try_access(Backend& backend, const ProgramKind& kind, int offset, std::uint32_t size, int access) {
  Bytecode code;
  code.set(0, 1);  // which every type may return
  const auto width = Bytecode::size_of(size);
  if (access == 0) code.load(width, 2, 1, offset);
  if (access == 1) code.store(width, 1, offset, 0);
  if (access == 2) code.store_imm(width, 1, offset, 1);
  code.exit();
  const auto insns = code.finish();
  static const char license[] = "GPL";
  Attr attr;
  attr.set(load::kProgType, kind.type).set(load::kInsnCnt, insns.size());
  attr.set(load::kInsns, reinterpret_cast<std::uint64_t>(insns.data()));
  attr.set(load::kLicense, reinterpret_cast<std::uint64_t>(license));
  attr.set(load::kProgFlags, kind.flags).set(load::kAttachType, kind.attach_type);
  attr.set(load::kAttachBtfId, attach_btf_id(kind));
  const long fd = backend.bpf(kProgLoad, attr.bytes.data(), kAttrSize);
  if (fd < 0) return fd;
  backend.close(static_cast<int>(fd));
  return 0;
}

}  // namespace

std::size_t compare_contexts(Backend& kernel, Backend& portolan) {
  std::size_t accesses = 0, differences = 0, before = 0;
  for (const ProgramKind& kind : kProgramKinds)
    for (int offset = -8; offset < kind.context_bytes; ++offset)
      for (const std::uint32_t size : {1u, 2u, 4u, 8u})
        for (int access = 0; access < 3; ++access) {
          ++accesses;
          const long expected = try_access(kernel, kind, offset, size, access),
                     got = try_access(portolan, kind, offset, size, access);
          if (expected == got) continue;
          if (expected == 0 && offset < 0) {  // what lies before the context is nobody's
            ++before;
            continue;
          }
          ++differences;
          static constexpr const char* kNames[] = {"load", "store of a register", "store of a constant"};
          fmt::print("{}: {} of {} bytes at {}: kernel {}, Portolan {}\n", kind.name, kNames[access], size,
                     offset, expected, got);
        }
  fmt::print("{} accesses of contexts: {} differences, {} before the context that only the kernel allows\n",
             accesses, differences, before);
  return differences;
}

}  // namespace portolan::conformance
