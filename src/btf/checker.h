// SPDX-License-Identifier: Apache-2.0
// The check of a blob, in the kernel's order: header, strings, each type by itself (meta), types against the
// types that they refer to (resolve), type tags, special fields.
//
// A type is resolved depth first with a stack of at most 32, whose overflow is E2BIG; a type met again while
// it is on the stack contains itself: EEXIST. What a walk need not enter depends on where it began: from a
// pointer it stops at anything but modifiers and pointers; from a struct or array it stops at pointers, so
// that a struct may hold a pointer to itself.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "btf/btf.h"

namespace portolan::btf {

class Checker {
 public:
  Checker(Btf& btf, ConstBytes blob, Log* log) : btf_(btf), blob_(blob), log_(log) {}
  Result<void> run();

 private:
  using Member = abi::btf::Member;
  using VarSecinfo = abi::btf::VarSecinfo;

  struct Vertex {
    const Type* type;
    std::uint32_t id;
    std::uint32_t next_member;
  };
  // The columns of kinds.def.
  struct Ops {
    // The bytes that follow the Type; `left` of them are there at most.
    Result<std::uint32_t> (Checker::*check_meta)(const Type& type, std::uint32_t left);
    // Either pushes a type that must be resolved before, or pops the vertex.
    Result<void> (Checker::*resolve)(const Vertex& vertex);
    // Whether a member of this type fits in `owner`. The second one for structs with kind_flag.
    Result<void> (Checker::*check_member)(const Type& owner, const Member& member, const Type& type);
    Result<void> (Checker::*check_bitfield)(const Type& owner, const Member& member, const Type& type);
    void (Checker::*log_details)(const Type& type);
  };
  static const Ops kOps[abi::btf::kKindEnd];
  static const Ops& ops(const Type& type) { return kOps[abi::btf::info_kind(type.info)]; }

  enum class Walk { kUndecided, kFromPointer, kFromStructOrArray };
  enum class State : std::uint8_t { kUnseen, kOnStack, kResolved };

  // header.cc
  Result<void> check_header();
  Result<void> check_sections();
  Result<void> take_strings();
  Result<void> take_types();
  void log_header();

  // metas.cc, metas_of_lists.cc
  Result<void> check_metas();
  Result<std::uint32_t> check_meta(const Type& type, std::uint32_t left);
  Result<std::uint32_t> int_meta(const Type& type, std::uint32_t left);
  Result<std::uint32_t> reference_meta(const Type& type, std::uint32_t left);
  Result<std::uint32_t> fwd_meta(const Type& type, std::uint32_t left);
  Result<std::uint32_t> array_meta(const Type& type, std::uint32_t left);
  Result<std::uint32_t> struct_meta(const Type& type, std::uint32_t left);
  Result<std::uint32_t> enum_meta(const Type& type, std::uint32_t left);
  Result<std::uint32_t> enum64_meta(const Type& type, std::uint32_t left);
  Result<std::uint32_t> func_meta(const Type& type, std::uint32_t left);
  Result<std::uint32_t> func_proto_meta(const Type& type, std::uint32_t left);
  Result<std::uint32_t> var_meta(const Type& type, std::uint32_t left);
  Result<std::uint32_t> datasec_meta(const Type& type, std::uint32_t left);
  Result<std::uint32_t> float_meta(const Type& type, std::uint32_t left);
  Result<std::uint32_t> decl_tag_meta(const Type& type, std::uint32_t left);
  Result<void> check_member_meta(const Type& owner, const Member& member, std::uint32_t last_offset);
  Result<void> check_variable_meta(const Type& section, const VarSecinfo& variable, std::uint32_t last_end);
  Result<void> check_enum_head(const Type& type, std::uint32_t left, std::uint64_t needed);
  Result<void> check_enumerator_name(const Type& type, std::uint32_t name_off);
  Result<void> check_room(const Type& type, std::uint32_t left, std::uint64_t needed);
  Result<void> check_no_vlen(const Type& type);
  Result<void> check_no_kind_flag(const Type& type);

  // resolve.cc
  Result<void> check_types();
  Result<void> resolve(std::uint32_t id);
  Result<void> resolve_nothing(const Vertex& vertex);
  Result<void> resolve_modifier(const Vertex& vertex);
  Result<void> resolve_pointer(const Vertex& vertex);
  Result<void> resolve_var(const Vertex& vertex);
  Result<void> resolve_reference(const Vertex& vertex, bool through_pointer, bool may_be_incomplete);
  Result<void> resolve_array(const Vertex& vertex);
  Result<void> resolve_struct(const Vertex& vertex);
  Result<void> resolve_datasec(const Vertex& vertex);
  Result<void> resolve_func(const Vertex& vertex);
  Result<void> resolve_decl_tag(const Vertex& vertex);
  Result<void> check_func_proto(const Type& type);
  Result<void> check_func_type(const Type& proto, std::uint32_t id, std::uint32_t argument);
  bool is_settled(std::uint32_t id) const;
  bool is_resolved(std::uint32_t id) const { return states_[id] == State::kResolved; }
  bool is_sink(const Type& type) const;
  // The type must be entered first.
  bool is_pending(const Type& type, std::uint32_t id) const { return !is_sink(type) && !is_resolved(id); }
  Result<void> push(std::uint32_t id);
  void pop(std::uint32_t resolved_id, std::uint32_t resolved_size);
  Result<void> check_type_tags();

  // members.cc
  Result<void> check_member_fits(const Type& owner, const Member& member);
  Result<void> int_member(const Type& owner, const Member& member, const Type& type);
  Result<void> int_bitfield(const Type& owner, const Member& member, const Type& type);
  Result<void> pointer_member(const Type& owner, const Member& member, const Type& type);
  Result<void> array_member(const Type& owner, const Member& member, const Type& type);
  Result<void> sized_member(const Type& owner, const Member& member, const Type& type);
  Result<void> enum_bitfield(const Type& owner, const Member& member, const Type& type);
  Result<void> float_member(const Type& owner, const Member& member, const Type& type);
  Result<void> modified_member(const Type& owner, const Member& member, const Type& type);
  Result<void> modified_bitfield(const Type& owner, const Member& member, const Type& type);
  Result<void> no_bitfield(const Type& owner, const Member& member, const Type& type);
  Result<void> never_member(const Type& owner, const Member& member, const Type& type);
  Result<void> never_bitfield(const Type& owner, const Member& member, const Type& type);
  Result<void> whole_bytes_fit(const Type& owner, const Member& member, std::uint32_t size);
  Result<void> bits_fit(const Type& owner, const Member& member, std::uint32_t bit_offset,
                        std::uint32_t bits);

  // details.cc
  void int_details(const Type& type);
  void reference_details(const Type& type);
  void array_details(const Type& type);
  void sized_details(const Type& type);
  void fwd_details(const Type& type);
  void func_proto_details(const Type& type);
  void var_details(const Type& type);
  void float_details(const Type& type);
  void decl_tag_details(const Type& type);
  void log_type_head(const Type& type, bool details);
  void log_member_head(const Type& owner, const Member& member);
  void log_variable_head(const Type& section, const VarSecinfo& variable);
  void log_type(const Type& type);
  void log_member(const Type& owner, const Member& member);
  void log_variable(const Type& section, const VarSecinfo& variable);

  // As logs show names.
  const char* shown_name(std::uint32_t name_off) const;
  bool name_offset_is_valid(std::uint32_t name_off) const {
    return name_off <= abi::btf::kMaxNameOffset && name_off < btf_.strings_.size();
  }

  bool logging() const { return log_ != nullptr && log_->needed(); }
  template <class... Args>
  void print(fmt::format_string<Args...> format, Args&&... args) {
    if (logging()) log_->print(format, std::forward<Args>(args)...);
  }
  // EINVAL, and the reason in the log: by itself, or after the type, the type without its details, the member
  // or the variable that is wrong.
  template <class... Args>
  std::unexpected<Errno> bad(fmt::format_string<Args...> format, Args&&... args) {
    print(format, std::forward<Args>(args)...);
    return fail(EINVAL);
  }
  template <class... Args>
  std::unexpected<Errno> bad_type(const Type& type, fmt::format_string<Args...> format, Args&&... args) {
    if (logging()) log_type_head(type, true);
    return reason(format, std::forward<Args>(args)...);
  }
  template <class... Args>
  std::unexpected<Errno> bad_basic(const Type& type, fmt::format_string<Args...> format, Args&&... args) {
    if (logging()) log_type_head(type, false);
    return reason(format, std::forward<Args>(args)...);
  }
  template <class... Args>
  std::unexpected<Errno> bad_member(const Type& owner, const Member& member,
                                    fmt::format_string<Args...> format, Args&&... args) {
    if (logging()) log_member_head(owner, member);
    return reason(format, std::forward<Args>(args)...);
  }
  std::unexpected<Errno> bad_variable(const Type& section, const VarSecinfo& variable, const char* why) {
    if (logging()) log_variable_head(section, variable);
    return reason("{}", why);
  }
  template <class... Args>
  std::unexpected<Errno> reason(fmt::format_string<Args...> format, Args&&... args) {
    print(" ");
    print(format, std::forward<Args>(args)...);
    print("\n");
    return fail(EINVAL);
  }

  Btf& btf_;
  ConstBytes blob_;
  Log* log_;
  abi::btf::Header header_{};
  std::uint32_t log_id_ = 0;  // of the type that log lines name
  bool in_metas_ = true;
  Walk walk_ = Walk::kUndecided;
  std::vector<State> states_;  // by id
  std::array<Vertex, kMaxResolveDepth> stack_;
  std::uint32_t depth_ = 0;
};

}  // namespace portolan::btf
