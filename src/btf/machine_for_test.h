// SPDX-License-Identifier: Apache-2.0
// The types of this machine's kernel, as its file has them.
#pragma once
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include "btf/btf.h"

namespace portolan::btf {

// nullptr: it has no such file.
inline const Btf* machine_btf() {
  static const std::optional<Btf> types = []() -> std::optional<Btf> {
    std::ifstream file("/sys/kernel/btf/vmlinux", std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    auto parsed = Btf::parse(std::as_bytes(std::span(bytes)));
    if (!parsed) return {};
    return std::move(*parsed);
  }();
  return types ? &*types : nullptr;
}

}  // namespace portolan::btf
