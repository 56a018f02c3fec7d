// SPDX-License-Identifier: Apache-2.0
// The BPF type format: <linux/btf.h>. A blob is a header, then type records, then strings; type ids count the
// records from 1, and 0 is void.
#pragma once
#include <cstddef>
#include <cstdint>

namespace portolan::abi::btf {

inline constexpr std::uint16_t kMagic = 0xeb9f;
inline constexpr std::uint8_t kVersion = 1;

struct Header {  // struct btf_header, as far as v6.18 knows it; offsets count from hdr_len on
  std::uint16_t magic;
  std::uint8_t version;
  std::uint8_t flags;
  std::uint32_t hdr_len;
  std::uint32_t type_off;
  std::uint32_t type_len;
  std::uint32_t str_off;
  std::uint32_t str_len;
};
static_assert(sizeof(Header) == 24 && offsetof(Header, hdr_len) == 4 && offsetof(Header, str_len) == 20);

struct WideHeader {  // with the section that describes kinds to readers that do not know them (newer kernels)
  Header header;
  std::uint32_t layout_off;
  std::uint32_t layout_len;
};
static_assert(sizeof(WideHeader) == 32);

struct Layout {  // struct btf_layout: one per kind in that section
  std::uint8_t info_sz;
  std::uint8_t elem_sz;
  std::uint16_t flags;
};
static_assert(sizeof(Layout) == 4);

enum class Kind : std::uint8_t {
  kUnkn = 0,
  kInt = 1,
  kPtr = 2,
  kArray = 3,
  kStruct = 4,
  kUnion = 5,
  kEnum = 6,
  kFwd = 7,
  kTypedef = 8,
  kVolatile = 9,
  kConst = 10,
  kRestrict = 11,
  kFunc = 12,
  kFuncProto = 13,
  kVar = 14,
  kDatasec = 15,
  kFloat = 16,
  kDeclTag = 17,
  kTypeTag = 18,
  kEnum64 = 19,
};
inline constexpr std::uint32_t kKindEnd = 20;  // one past the newest

inline constexpr std::uint32_t kMaxType = 0x000f'ffff;        // type ids
inline constexpr std::uint32_t kMaxNameOffset = 0x00ff'ffff;  // into the strings
inline constexpr std::uint32_t kMaxVlen = 0xffff;  // members, parameters … of one type, as v6.18 has it
inline constexpr std::uint32_t kMaxKind = 0x1f;    // what the field could hold, likewise
inline constexpr std::uint32_t kWideMaxVlen = 0x00ff'ffff;  // newer kernels
inline constexpr std::uint32_t kWideMaxKind = 0x7f;

struct Type {  // struct btf_type
  std::uint32_t name_off;
  std::uint32_t info;
  union {
    std::uint32_t size;  // bytes: INT, ENUM, ENUM64, STRUCT, UNION, DATASEC, FLOAT
    std::uint32_t
        type;  // an id: PTR, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC, FUNC_PROTO, VAR, DECL_TAG, TYPE_TAG
  };
};
static_assert(sizeof(Type) == 12 && offsetof(Type, size) == 8);

// Type::info up to v6.18: vlen in bits 0 to 15, kind in 24 to 28, kind_flag in 31; the others must be zero.
// The kind may be one that Kind has no name for.
inline constexpr std::uint32_t kInfoMask = 0x9f00'ffff;
constexpr std::uint32_t info_kind(std::uint32_t info) { return (info >> 24) & kMaxKind; }
constexpr std::uint32_t info_vlen(std::uint32_t info) { return info & kMaxVlen; }
constexpr bool info_kind_flag(std::uint32_t info) { return info >> 31 != 0; }
// Newer kernels use all bits: vlen 0 to 23, kind 24 to 30.
constexpr std::uint32_t wide_info_kind(std::uint32_t info) { return (info >> 24) & kWideMaxKind; }
constexpr std::uint32_t wide_info_vlen(std::uint32_t info) { return info & kWideMaxVlen; }

constexpr Kind kind(const Type& type) { return static_cast<Kind>(info_kind(type.info)); }
constexpr std::uint32_t vlen(const Type& type) { return info_vlen(type.info); }
constexpr bool kind_flag(const Type& type) { return info_kind_flag(type.info); }
constexpr std::uint32_t make_info(Kind kind, std::uint32_t vlen, bool kind_flag) {
  return static_cast<std::uint32_t>(kind) << 24 | vlen | static_cast<std::uint32_t>(kind_flag) << 31;
}

// The word after an INT: encoding in bits 24 to 27, bit offset in 16 to 23, width in bits in 0 to 7.
inline constexpr std::uint32_t kIntSigned = 1u << 0;
inline constexpr std::uint32_t kIntChar = 1u << 1;
inline constexpr std::uint32_t kIntBool = 1u << 2;
inline constexpr std::uint32_t kIntMask = 0x0fff'ffff;
constexpr std::uint32_t int_encoding(std::uint32_t word) { return (word >> 24) & 0x0f; }
constexpr std::uint32_t int_offset(std::uint32_t word) { return (word >> 16) & 0xff; }
constexpr std::uint32_t int_bits(std::uint32_t word) { return word & 0xff; }

// What follows a Type: one of these, or vlen of them.
struct Enum {  // struct btf_enum; the sign is in kind_flag
  std::uint32_t name_off;
  std::int32_t val;
};
struct Enum64 {  // struct btf_enum64
  std::uint32_t name_off;
  std::uint32_t val_lo32;
  std::uint32_t val_hi32;
};
struct Array {  // struct btf_array
  std::uint32_t type;
  std::uint32_t index_type;
  std::uint32_t nelems;
};
struct Member {  // struct btf_member
  std::uint32_t name_off;
  std::uint32_t type;
  std::uint32_t offset;  // bits; with the struct's kind_flag: bit offset and, above it, the bit-field's width
};
struct Param {  // struct btf_param
  std::uint32_t name_off;
  std::uint32_t type;
};
struct Var {  // struct btf_var
  std::uint32_t linkage;
};
struct VarSecinfo {  // struct btf_var_secinfo
  std::uint32_t type;
  std::uint32_t offset;
  std::uint32_t size;
};
struct DeclTag {               // struct btf_decl_tag
  std::int32_t component_idx;  // a member or parameter, or -1: the whole
};
static_assert(sizeof(Enum) == 8 && sizeof(Enum64) == 12 && sizeof(Array) == 12 && sizeof(Member) == 12);
static_assert(sizeof(Param) == 8 && sizeof(Var) == 4 && sizeof(VarSecinfo) == 12 && sizeof(DeclTag) == 4);

constexpr std::uint32_t member_bitfield_size(std::uint32_t offset) { return offset >> 24; }
constexpr std::uint32_t member_bit_offset(std::uint32_t offset) { return offset & 0x00ff'ffff; }

enum class VarLinkage : std::uint32_t { kStatic = 0, kGlobalAllocated = 1, kGlobalExtern = 2 };
enum class FuncLinkage : std::uint32_t { kStatic = 0, kGlobal = 1, kExtern = 2 };  // in the vlen of a FUNC

// Flags of printing by type (BTF_F_*).
namespace show_flag {
inline constexpr std::uint64_t kCompact = 1u << 0;
inline constexpr std::uint64_t kNoname = 1u << 1;
inline constexpr std::uint64_t kPtrRaw = 1u << 2;
inline constexpr std::uint64_t kZero = 1u << 3;
}  // namespace show_flag

}  // namespace portolan::abi::btf
