// SPDX-License-Identifier: Apache-2.0
// A part of a value, or of an allocated object, that belongs to the kernel.
#pragma once
#include <cstdint>

namespace portolan::btf {

enum class FieldKind : std::uint8_t {
#define PORTOLAN_BTF_FIELD(kind, name, size, alignment, how, maps) kind,
#include "btf/field_kinds.def"
#undef PORTOLAN_BTF_FIELD
};
#define PORTOLAN_BTF_FIELD(kind, name, size, alignment, how, maps) +1
inline constexpr std::uint32_t kFieldKinds = 0
#include "btf/field_kinds.def"
    ;
#undef PORTOLAN_BTF_FIELD

inline constexpr std::uint32_t kMaxFields = 11;  // of one struct: BTF_FIELDS_MAX

constexpr std::uint32_t bit(FieldKind kind) { return 1u << static_cast<std::uint32_t>(kind); }

// The type's name, or the type tag of a pointer.
const char* name_of(FieldKind kind);

struct Field {
  FieldKind kind;
  std::uint32_t offset;  // bytes
  std::uint32_t size;    // bytes
  std::uint32_t
      type_id;  // the struct that a kptr or uptr points to, or that a list or tree holds; otherwise 0
};

}  // namespace portolan::btf
