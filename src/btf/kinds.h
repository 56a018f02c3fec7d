// SPDX-License-Identifier: Apache-2.0
// What holds for all types of a kind.
#pragma once
#include <cstdint>

#include "abi/btf.h"

namespace portolan::btf {

using abi::btf::Kind;
using abi::btf::Type;

inline constexpr std::uint32_t kSized = 1u << 0;     // Type::size is its size in bytes
inline constexpr std::uint32_t kRefers = 1u << 1;    // to other types, which must be followed to check it
inline constexpr std::uint32_t kModifier = 1u << 2;  // stands for the type that it refers to
inline constexpr std::uint32_t kSource =
    1u << 3;  // refers, but no type may refer to it (but for VAR by DATASEC)
inline constexpr std::uint32_t kSizeless = 1u << 4;  // no object has this type (void is so too)

struct KindTraits {
  const char* name;
  std::uint32_t traits;
};
// `kind` below abi::btf::kKindEnd.
inline constexpr KindTraits kKinds[abi::btf::kKindEnd] = {
    {"UNKNOWN", kSizeless},
#define PORTOLAN_BTF_KIND(kind, name, traits, meta, resolve, member, bitfield, details, show) {name, traits},
#include "btf/kinds.def"
#undef PORTOLAN_BTF_KIND
};

constexpr std::uint32_t traits(const Type& type) { return kKinds[abi::btf::info_kind(type.info)].traits; }
constexpr bool is(const Type& type, Kind kind) { return abi::btf::kind(type) == kind; }
constexpr bool is_modifier(const Type& type) { return (traits(type) & kModifier) != 0; }
constexpr bool is_aggregate(const Type& type) { return is(type, Kind::kStruct) || is(type, Kind::kUnion); }

}  // namespace portolan::btf
