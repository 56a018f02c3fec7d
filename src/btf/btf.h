// SPDX-License-Identifier: Apache-2.0
// A BTF blob that has passed the kernel's checks, and access to its types.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "abi/btf.h"
#include "base/bytes.h"
#include "base/result.h"
#include "btf/field.h"
#include "btf/kinds.h"
#include "btf/log.h"

namespace portolan::btf {

// As the kernel bounds walks from type to type: E2BIG.
inline constexpr std::uint32_t kMaxResolveDepth = 32;

// A struct that has members of the kernel's own.
struct StructMeta {
  std::uint32_t id;
  std::vector<Field> fields;
};

// Type ids count from 1; id 0 is void. References to types and names live as long as the Btf, moved or not.
class Btf {
 public:
  // As BTF_LOAD: EINVAL, E2BIG, EEXIST (a type contains itself), ELOOP, EFAULT, ENOENT, kEnotsupp. `log` may
  // be null.
  static Result<Btf> parse(ConstBytes blob, Log* log = nullptr);

  // One more than the last id.
  std::uint32_t type_count() const { return static_cast<std::uint32_t>(offsets_.size()); }
  // nullptr: no type has this id.
  const Type* type(std::uint32_t id) const;
  bool is_void(const Type& type) const { return &type == &kVoid; }

  // "" where there is none.
  const char* name(std::uint32_t name_off) const {
    return name_off < strings_.size() ? strings_.c_str() + name_off : "";
  }
  const char* name(const Type& type) const { return name(type.name_off); }
  bool has_string(std::uint32_t offset) const { return offset < strings_.size(); }

  // What follows a type of the right kind.
  std::uint32_t int_word(const Type& type) const { return *tail<std::uint32_t>(type); }
  const abi::btf::Array& array(const Type& type) const { return *tail<abi::btf::Array>(type); }
  const abi::btf::Var& var(const Type& type) const { return *tail<abi::btf::Var>(type); }
  const abi::btf::DeclTag& decl_tag(const Type& type) const { return *tail<abi::btf::DeclTag>(type); }
  std::span<const abi::btf::Member> members(const Type& type) const { return list<abi::btf::Member>(type); }
  std::span<const abi::btf::Enum> enums(const Type& type) const { return list<abi::btf::Enum>(type); }
  std::span<const abi::btf::Enum64> enums64(const Type& type) const { return list<abi::btf::Enum64>(type); }
  std::span<const abi::btf::Param> params(const Type& type) const { return list<abi::btf::Param>(type); }
  std::span<const abi::btf::VarSecinfo> variables(const Type& type) const {
    return list<abi::btf::VarSecinfo>(type);
  }

  // The type behind `id` whose size in memory is known; modifiers and variables are followed to it.
  struct Sized {
    std::uint32_t id;
    std::uint32_t size;  // bytes
  };
  std::optional<Sized> sized(std::uint32_t id) const;
  // EINVAL: no such type, or none with a size.
  Result<std::uint32_t> size_of(std::uint32_t id) const;

  // Past typedefs, qualifiers and type tags. `id` must be one of a type.
  std::uint32_t resolve(std::uint32_t id) const;
  // The same, variables included, and as far as the check of the blob had to go.
  std::uint32_t resolved_id(std::uint32_t id) const { return resolved_ids_[id]; }

  // The first type of that name and kind; ENOENT.
  Result<std::uint32_t> find_by_name(std::string_view name, Kind kind) const;

  // An INT without bit offset that is 1, 2, 4, 8 or 16 bytes wide, as its nr_bits say; `size` 0: any of them.
  bool is_plain_int(const Type& type, std::uint32_t size = 0) const;

  const StructMeta* struct_meta(std::uint32_t id) const;  // nullptr: not such a struct

  // All that a blob says.
  ConstBytes type_section() const { return types_; }
  ConstBytes string_section() const { return std::as_bytes(std::span(strings_)); }

  Btf(Btf&&) = default;
  Btf& operator=(Btf&&) = default;

 private:
  friend class Checker;
  Btf() = default;

  template <class T>
  const T* tail(const Type& type) const {
    return reinterpret_cast<const T*>(&type + 1);
  }
  template <class T>
  std::span<const T> list(const Type& type) const {
    return {tail<T>(type), abi::btf::vlen(type)};
  }

  static constexpr Type kVoid{};

  std::vector<std::byte> types_;        // the type section
  std::string strings_;                 // the string section, its last NUL included
  std::vector<std::uint32_t> offsets_;  // of types, by id, into types_
  std::vector<std::uint32_t> resolved_ids_;
  std::vector<std::uint32_t> resolved_sizes_;  // of arrays
  std::vector<StructMeta> struct_metas_;       // by rising id
};

constexpr std::uint32_t member_bit_offset(const Type& owner, const abi::btf::Member& member) {
  return abi::btf::kind_flag(owner) ? abi::btf::member_bit_offset(member.offset) : member.offset;
}
constexpr std::uint32_t member_bitfield_size(const Type& owner, const abi::btf::Member& member) {
  return abi::btf::kind_flag(owner) ? abi::btf::member_bitfield_size(member.offset) : 0;
}

}  // namespace portolan::btf
