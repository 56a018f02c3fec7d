// SPDX-License-Identifier: Apache-2.0
// Types, members and variables as log lines.
#include "btf/checker.h"

namespace portolan::btf {
namespace {

const char* encoding_name(std::uint32_t encoding) {
  using namespace abi::btf;
  if (encoding == 0) return "(none)";
  if (encoding == kIntSigned) return "SIGNED";
  if (encoding == kIntChar) return "CHAR";
  if (encoding == kIntBool) return "BOOL";
  return "UNKN";
}

}  // namespace

const char* Checker::shown_name(std::uint32_t name_off) const {
  if (name_off == 0) return "(anon)";
  return name_off < btf_.strings_.size() ? btf_.name(name_off) : "(invalid-name-offset)";
}

void Checker::log_type_head(const Type& type, bool details) {
  print("[{}] {} {}{}", log_id_, kKinds[abi::btf::info_kind(type.info)].name, shown_name(type.name_off),
        details ? " " : "");
  if (details) (this->*ops(type).log_details)(type);
}

void Checker::log_type(const Type& type) {
  if (!logging()) return;
  log_type_head(type, true);
  print("\n");
}

void Checker::log_member_head(const Type& owner, const Member& member) {
  // While metas are checked, the owner's line has been written just before.
  if (!in_metas_) log_type(owner);
  if (abi::btf::kind_flag(owner))
    print("\t{} type_id={} bitfield_size={} bits_offset={}", shown_name(member.name_off), member.type,
          abi::btf::member_bitfield_size(member.offset), abi::btf::member_bit_offset(member.offset));
  else
    print("\t{} type_id={} bits_offset={}", shown_name(member.name_off), member.type, member.offset);
}

void Checker::log_member(const Type& owner, const Member& member) {
  if (!logging()) return;
  log_member_head(owner, member);
  print("\n");
}

void Checker::log_variable_head(const Type& section, const VarSecinfo& variable) {
  if (!in_metas_) log_type(section);
  print("\t type_id={} offset={} size={}", variable.type, variable.offset, variable.size);
}

void Checker::log_variable(const Type& section, const VarSecinfo& variable) {
  if (!logging()) return;
  log_variable_head(section, variable);
  print("\n");
}

void Checker::int_details(const Type& type) {
  const std::uint32_t word = btf_.int_word(type);
  print("size={} bits_offset={} nr_bits={} encoding={}", type.size, abi::btf::int_offset(word),
        abi::btf::int_bits(word), encoding_name(abi::btf::int_encoding(word)));
}

void Checker::reference_details(const Type& type) { print("type_id={}", type.type); }

void Checker::array_details(const Type& type) {
  const abi::btf::Array& array = btf_.array(type);
  print("type_id={} index_type_id={} nr_elems={}", array.type, array.index_type, array.nelems);
}

void Checker::sized_details(const Type& type) { print("size={} vlen={}", type.size, abi::btf::vlen(type)); }

void Checker::fwd_details(const Type& type) { print("{}", abi::btf::kind_flag(type) ? "union" : "struct"); }

void Checker::float_details(const Type& type) { print("size={}", type.size); }

void Checker::var_details(const Type& type) {
  print("type_id={} linkage={}", type.type, btf_.var(type).linkage);
}

void Checker::decl_tag_details(const Type& type) {
  print("type={} component_idx={}", type.type, btf_.decl_tag(type).component_idx);
}

void Checker::func_proto_details(const Type& type) {
  const auto params = btf_.params(type);
  print("return={} args=(", type.type);
  if (params.empty()) print("void");
  for (std::size_t i = 0; i < params.size(); ++i) {
    const char* comma = i == 0 ? "" : ", ";
    if (i + 1 == params.size() && params[i].type == 0)
      print("{}vararg", comma);
    else
      print("{}{} {}", comma, params[i].type, shown_name(params[i].name_off));
  }
  print(")");
}

}  // namespace portolan::btf
