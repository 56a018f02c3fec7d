// SPDX-License-Identifier: Apache-2.0
// Types by themselves.
#include <bit>

#include "btf/checker.h"
#include "btf/name.h"

namespace portolan::btf {

using abi::btf::kind_flag;
using abi::btf::kMaxType;
using abi::btf::vlen;

Result<void> Checker::check_metas() {
  const std::size_t size = btf_.types_.size();
  btf_.offsets_.push_back(0);  // void
  log_id_ = 1;
  for (std::size_t at = 0; at < size; ++log_id_) {
    const auto left = static_cast<std::uint32_t>(size - at);
    const auto& type = *reinterpret_cast<const Type*>(btf_.types_.data() + at);
    const std::uint32_t taken = TRY(check_meta(type, left));
    // As in the kernel, types beyond the last id are checked but have no id.
    if (btf_.type_count() == kMaxType)
      print("Exceeded max num of types");
    else
      btf_.offsets_.push_back(static_cast<std::uint32_t>(at));
    at += taken;
  }
  return {};
}

Result<std::uint32_t> Checker::check_meta(const Type& type, std::uint32_t left) {
  constexpr std::uint32_t kHead = sizeof(Type);
  if (left < kHead) return bad("[{}] meta_left:{} meta_needed:{}", log_id_, left, kHead);
  if ((type.info & ~abi::btf::kInfoMask) != 0) return bad("[{}] Invalid btf_info:{:x}", log_id_, type.info);
  const std::uint32_t kind = abi::btf::info_kind(type.info);
  if (kind == 0 || kind >= abi::btf::kKindEnd) return bad("[{}] Invalid kind:{}", log_id_, kind);
  if (!name_offset_is_valid(type.name_off)) return bad("[{}] Invalid name_offset:{}", log_id_, type.name_off);
  return kHead + TRY((this->*ops(type).check_meta)(type, left - kHead));
}

Result<void> Checker::check_room(const Type& type, std::uint32_t left, std::uint64_t needed) {
  if (left < needed) return bad_basic(type, "meta_left:{} meta_needed:{}", left, needed);
  return {};
}

Result<void> Checker::check_no_vlen(const Type& type) {
  if (vlen(type) != 0) return bad_type(type, "vlen != 0");
  return {};
}

Result<void> Checker::check_no_kind_flag(const Type& type) {
  if (kind_flag(type)) return bad_type(type, "Invalid btf_info kind_flag");
  return {};
}

Result<std::uint32_t> Checker::int_meta(const Type& type, std::uint32_t left) {
  TRY(check_room(type, left, sizeof(std::uint32_t)));
  TRY(check_no_vlen(type));
  TRY(check_no_kind_flag(type));
  const std::uint32_t word = btf_.int_word(type);
  if ((word & ~abi::btf::kIntMask) != 0) return bad_basic(type, "Invalid int_data:{:x}", word);
  const std::uint32_t bits = abi::btf::int_bits(word) + abi::btf::int_offset(word);
  if (bits > 128) return bad_type(type, "nr_bits exceeds 128");
  if ((bits + 7) / 8 > type.size) return bad_type(type, "nr_bits exceeds type_size");
  // At most one of the three.
  if (std::popcount(abi::btf::int_encoding(word)) > 1 || abi::btf::int_encoding(word) > abi::btf::kIntBool) {
    (void)bad_type(type, "Unsupported encoding");
    return fail(kEnotsupp);
  }
  log_type(type);
  return sizeof(std::uint32_t);
}

Result<std::uint32_t> Checker::float_meta(const Type& type, std::uint32_t) {
  TRY(check_no_vlen(type));
  TRY(check_no_kind_flag(type));
  const std::uint32_t size = type.size;
  if (size != 2 && size != 4 && size != 8 && size != 12 && size != 16)
    return bad_type(type, "Invalid type_size");
  log_type(type);
  return 0;
}

Result<std::uint32_t> Checker::reference_meta(const Type& type, std::uint32_t) {
  TRY(check_no_vlen(type));
  if (!is(type, Kind::kTypeTag)) TRY(check_no_kind_flag(type));
  if (type.type > kMaxType) return bad_type(type, "Invalid type_id");
  const char* name = btf_.name(type);
  const bool name_is_good = is(type, Kind::kTypedef)   ? type.name_off != 0 && is_identifier(name)
                            : is(type, Kind::kTypeTag) ? *name != '\0'
                                                       : type.name_off == 0;
  if (!name_is_good) return bad_type(type, "Invalid name");
  log_type(type);
  return 0;
}

Result<std::uint32_t> Checker::fwd_meta(const Type& type, std::uint32_t) {
  TRY(check_no_vlen(type));
  if (type.type != 0) return bad_type(type, "type != 0");
  if (type.name_off == 0 || !is_identifier(btf_.name(type))) return bad_type(type, "Invalid name");
  log_type(type);
  return 0;
}

Result<std::uint32_t> Checker::array_meta(const Type& type, std::uint32_t left) {
  TRY(check_room(type, left, sizeof(abi::btf::Array)));
  if (type.name_off != 0) return bad_type(type, "Invalid name");
  TRY(check_no_vlen(type));
  TRY(check_no_kind_flag(type));
  if (type.size != 0) return bad_type(type, "size != 0");
  const abi::btf::Array& array = btf_.array(type);
  if (array.type == 0 || array.type > kMaxType) return bad_type(type, "Invalid elem");
  if (array.index_type == 0 || array.index_type > kMaxType) return bad_type(type, "Invalid index");
  log_type(type);
  return sizeof(abi::btf::Array);
}

Result<std::uint32_t> Checker::func_meta(const Type& type, std::uint32_t) {
  if (type.name_off == 0 || !is_identifier(btf_.name(type))) return bad_type(type, "Invalid name");
  if (vlen(type) > static_cast<std::uint32_t>(abi::btf::FuncLinkage::kGlobal))
    return bad_type(type, "Invalid func linkage");
  TRY(check_no_kind_flag(type));
  log_type(type);
  return 0;
}

Result<std::uint32_t> Checker::func_proto_meta(const Type& type, std::uint32_t left) {
  const auto needed = static_cast<std::uint32_t>(vlen(type) * sizeof(abi::btf::Param));
  TRY(check_room(type, left, needed));
  if (type.name_off != 0) return bad_type(type, "Invalid name");
  TRY(check_no_kind_flag(type));
  log_type(type);
  return needed;
}

Result<std::uint32_t> Checker::var_meta(const Type& type, std::uint32_t left) {
  TRY(check_room(type, left, sizeof(abi::btf::Var)));
  TRY(check_no_vlen(type));
  TRY(check_no_kind_flag(type));
  if (type.name_off == 0 || !is_identifier(btf_.name(type))) return bad_type(type, "Invalid name");
  if (type.type == 0 || type.type > kMaxType) return bad_type(type, "Invalid type_id");
  if (btf_.var(type).linkage > static_cast<std::uint32_t>(abi::btf::VarLinkage::kGlobalAllocated))
    return bad_type(type, "Linkage not supported");
  log_type(type);
  return sizeof(abi::btf::Var);
}

Result<std::uint32_t> Checker::decl_tag_meta(const Type& type, std::uint32_t left) {
  TRY(check_room(type, left, sizeof(abi::btf::DeclTag)));
  if (*btf_.name(type) == '\0') return bad_type(type, "Invalid value");
  TRY(check_no_vlen(type));
  if (btf_.decl_tag(type).component_idx < -1) return bad_type(type, "Invalid component_idx");
  log_type(type);
  return sizeof(abi::btf::DeclTag);
}

}  // namespace portolan::btf
