// SPDX-License-Identifier: Apache-2.0
#include "program_kinds.h"

#include <cstddef>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>
#include <vector>

#include "btf/btf.h"

namespace portolan::conformance {
namespace {

std::optional<btf::Btf> kernel_types() {
  std::ifstream file("/sys/kernel/btf/vmlinux", std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  auto types = btf::Btf::parse({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()});
  if (!types) return std::nullopt;
  return std::move(*types);
}

}  // namespace

std::uint32_t attach_btf_id(const ProgramKind& kind) {
  if (kind.attached == nullptr) return 0;
  static const std::optional<btf::Btf> types = kernel_types();
  if (!types) return 0;
  const bool is_tracepoint = std::string_view(kind.attached).starts_with("btf_trace_");
  return types->find_by_name(kind.attached, is_tracepoint ? btf::Kind::kTypedef : btf::Kind::kFunc)
      .value_or(0);
}

}  // namespace portolan::conformance
