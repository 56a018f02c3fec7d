// SPDX-License-Identifier: Apache-2.0
// The walk over members, nested structs and arrays that finds special fields.
#pragma once
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "btf/btf.h"

namespace portolan::btf {

// How fields of a kind are told: the column of field_kinds.def.
enum class How : std::uint8_t {
  kUniqueStruct,  // by the struct's name; at most one among the members of a struct
  kStruct,        // by the struct's name
  kRoot,          // so too, and a declaration tag "contains:struct:member" says what is in it
  kTagged,        // a pointer to a struct, by its type tag
};

struct FoundField {
  Field field;
  const char* node_name;  // of lists and trees: the member by which the owned struct hangs in them
};

// The kptr or uptr that a type is, if its kind is in `mask`. EINVAL: one that cannot be.
Result<std::optional<Field>> find_kptr(const Btf& btf, const Type& type, std::uint32_t mask);

class FieldFinder {
 public:
  FieldFinder(const Btf& btf, std::uint32_t mask) : btf_(btf), mask_(mask) {}
  Result<std::vector<FoundField>> run(const Type& type);

 private:
  // Where the type of a member or variable was found.
  struct Place {
    const Type& owner;       // has the declaration tags
    std::int32_t component;  // the member's index, or -1
    std::uint32_t offset;    // bytes
    std::uint32_t size;      // that a variable's section gives it; 0: not given
    std::uint32_t depth;     // of nested structs
  };
  struct Class {
    FieldKind kind;
    std::uint32_t size;
    std::uint32_t alignment;
  };

  Result<void> search_struct(const Type& type, std::uint32_t depth);
  Result<void> search_section(const Type& type);
  Result<void> search_place(const Place& place, const Type* type, std::uint32_t& seen);
  Result<void> search_nested(const Place& place, const Type& type, std::uint32_t count);
  Result<std::optional<Class>> classify(const Type& type, std::uint32_t& seen) const;
  Result<std::optional<FoundField>> match(const Place& place, const Type& type, const Class& found) const;
  Result<std::optional<FoundField>> match_root(const Place& place, const Type& type,
                                               const Class& found) const;
  Result<std::string_view> contains_tag(const Place& place) const;
  // The fields from the one numbered `first` on are those of an array's element: adds those of the others.
  Result<void> repeat(std::size_t first, std::uint32_t count, std::uint32_t element_size);

  const Btf& btf_;
  std::uint32_t mask_;
  std::vector<FoundField> found_;
  // Structs in which nothing was found, and how deep they were nested then. Without it, structs that each
  // hold two of the one before take 2^32 visits.
  std::unordered_map<const Type*, std::uint32_t> barren_;
};

}  // namespace portolan::btf
