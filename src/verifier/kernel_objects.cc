// SPDX-License-Identifier: Apache-2.0
// Pointers to the kernel's own objects, which programs that are attached by BTF are given: loads that their
// types allow. There is no kernel here that the objects could be of: an address is whatever the program's
// caller says, and each load from one is carried out as the kernel's probe reads are (InsnNotes::may_fault).
#include <algorithm>

#include "abi/context.h"
#include "helper/map_image.h"
#include "verifier/kernel_struct.h"
#include "verifier/kernel_types.h"
#include "verifier/walk.h"

namespace portolan::verifier {
namespace {

RegState object_behind(std::uint32_t type, Trust trust) {
  RegState object = RegState::pointer(RegType::kKernelObject);
  object.mem_size = type;
  object.trust = trust;
  return object;
}

}  // namespace

// A pointer to a struct of the kernel that a type of program is given by name. ENOENT …: there is no BTF.
Result<RegState> Walk::kernel_object(const char* struct_name) {
  const btf::Btf* const types = TRY(kernel_types(program_));
  RegState object = RegState::pointer(RegType::kKernelObject);
  object.trust = Trust::kTrusted;
  for (const auto& [name, id] : kernel_structs_)
    if (name == struct_name) object.mem_size = id;
  if (object.mem_size == 0) {  // there are a hundred thousand types to look through
    object.mem_size = TRY(types->find_by_name(struct_name, btf::Kind::kStruct));
    kernel_structs_.emplace_back(struct_name, object.mem_size);
  }
  return object;
}

// That the object is a struct of this name, or begins with one.
Result<void> Walk::check_kernel_type(unsigned number, const char* struct_name) {
  const RegState& reg = state_.reg(number);
  const btf::Btf& types = *TRY(kernel_types(program_));
  const std::uint32_t wanted = TRY(kernel_object(struct_name)).mem_size;
  const bool is_fixed = reg.off >= 0 && reg.bounds.is_constant() && reg.bounds.value() == 0;
  if (is_fixed && has_struct_at(types, reg.mem_size, static_cast<std::uint32_t>(reg.off), wanted)) return {};
  return refuse(EACCES, "R{} is of type {} but {} is expected", number, types.name(*types.type(reg.mem_size)),
                struct_name);
}

Result<RegState> Walk::attached_value(std::int32_t offset, std::uint32_t size, Access kind) {
  const AttachedAccess access =
      check_attached_access(program_, target_, offset, size, kind == Access::kWrite, log_);
  if (!access.is_allowed) return refuse(EACCES, "invalid bpf_context access off={} size={}", offset, size);
  if (access.is_buffer) {
    RegState buffer = RegState::pointer(RegType::kBuffer);
    buffer.is_read_only = access.is_read_only;
    buffer.maybe_null = true;
    buffer.id = new_id();
    return buffer;
  }
  if (access.kernel_type == 0) return number_of(size, false);
  RegState object = RegState::pointer(RegType::kKernelObject);
  object.mem_size = access.kernel_type;
  object.trust = access.trust;
  object.maybe_null = access.maybe_null;
  if (access.maybe_null) object.id = new_id();
  return object;
}

// As check_ptr_to_btf_access: what the load gives.
Result<RegState> Walk::load_kernel_object(const RegState& reg, unsigned number, std::int32_t offset,
                                          std::uint32_t size, Access kind) {
  const std::int64_t at = std::int64_t{reg.off} + offset;
  if (reg.mem_size == 0) {  // bytes of no known kind
    if (kind == Access::kWrite) return refuse(EACCES, "R{} cannot write into rdonly_untrusted_mem", number);
    return number_of(size, false);
  }
  const btf::Btf& types = *TRY(kernel_types(program_));
  const char* const name = types.name(*types.type(reg.mem_size));
  if (!program_.gpl_compatible)
    return refuse(EINVAL, "Cannot access kernel 'struct {}' from non-GPL compatible program", name);
  if (at < 0) return refuse(EACCES, "R{} is ptr_{} invalid negative access: off={}", number, name, at);
  if (!reg.bounds.is_constant() || reg.bounds.value() != 0)
    return refuse(EACCES, "R{} is ptr_{} invalid variable offset: off={}, var_off=({:#x}; {:#x})", number,
                  name, at, reg.bounds.bits.value, reg.bounds.bits.mask);
  if (reg.trust == Trust::kUser)
    return refuse(EACCES, "R{} is ptr_{} access user memory: off={}", number, name, at);
  if (reg.trust == Trust::kPercpu)
    return refuse(EACCES, "R{} is ptr_{} access percpu memory: off={}", number, name, at);
  if (kind == Access::kWrite) return refuse(EACCES, "only read is supported");
  const bool is_untrusted = reg.trust == Trust::kUntrusted;
  const StructField field =
      TRY(find_struct_field(types, reg.mem_size, static_cast<std::uint32_t>(at), size, is_untrusted, log_));
  if (!field.is_pointer) return number_of(size, false);
  return object_behind(field.target, is_untrusted ? Trust::kUntrusted : field.trust);
}

// As check_ptr_to_map_access. A map that the program names shows its struct from now on (map::Map::image),
// which the load is led to; of one that lies in another nobody knows before the run which it is.
Result<RegState> Walk::load_map(const RegState& reg, unsigned number, std::int32_t offset, std::uint32_t size,
                                Access kind) {
  const auto named =
      std::ranges::find(facts_.maps, reg.map, [](const map::Map* one) { return &one->spec(); });
  if (named == facts_.maps.end())
    return refuse(EACCES, "R{} invalid mem access '{}'", number, type_text(reg));
  const Result<const btf::Btf*> types = kernel_types(program_);
  if (!types) return refuse(kEnotsupp, "map_ptr access not supported without CONFIG_DEBUG_INFO_BTF");
  const char* const name = (*named)->kernel_struct().name;
  const Result<RegState> whole = name != nullptr ? kernel_object(name) : fail(ENOENT);
  if (!whole) return refuse(kEnotsupp, "map_ptr access not supported for map type {}", reg.map->type);
  const std::int64_t at = std::int64_t{reg.off} + offset;
  if (at < 0) return refuse(EACCES, "R{} is {} invalid negative access: off={}", number, name, at);
  if (kind == Access::kWrite) return refuse(EACCES, "only read from {} is supported", name);
  const StructField field =
      TRY(find_struct_field(**types, whole->mem_size, static_cast<std::uint32_t>(at), size, false, log_));
  // An array without a length, at the end, is not shown.
  if (static_cast<std::uint64_t>(at) + size > (*types)->type(whole->mem_size)->size)
    return refuse(EACCES, "access beyond struct {} at off {} size {}", name, at, size);
  TRY(helper::show_map(**named));
  if (!field.is_pointer) return number_of(size, false);
  return object_behind(field.target, field.trust);
}

// A struct that a helper takes, from its beginning.
Result<void> Walk::check_struct(unsigned number, const char* name) {
  const RegState& reg = state_.reg(number);
  const std::uint32_t wanted = TRY(kernel_object(name)).mem_size;
  if (reg.trust != Trust::kNone && reg.trust != Trust::kTrusted)
    return refuse(EACCES, "R{} type={} expected=ptr_, trusted_ptr_, rcu_ptr_", number, type_text(reg));
  if (reg.mem_size != wanted || reg.off != 0 || !reg.bounds.is_constant() || reg.bounds.value() != 0) {
    const btf::Btf& types = *TRY(kernel_types(program_));
    const char* const given = reg.mem_size != 0 ? types.name(*types.type(reg.mem_size)) : "void";
    return refuse(EACCES, "R{} is of type {} but {} is expected", number, given, name);
  }
  return {};
}

// An object that a global function takes, or one that such an object lies at some offset of.
Result<void> Walk::check_trusted(unsigned number, std::uint32_t wanted, bool may_be_null) {
  const RegState& reg = state_.reg(number);
  if (reg.type != RegType::kKernelObject || (reg.trust != Trust::kNone && reg.trust != Trust::kTrusted) ||
      (reg.maybe_null && !may_be_null))
    return refuse(EACCES, "R{} type={} expected=ptr_, trusted_ptr_, rcu_ptr_", number, type_text(reg));
  const btf::Btf& types = *TRY(kernel_types(program_));
  if (reg.off < 0)
    return refuse(EACCES, "negative offset {} ptr R{} off={} disallowed", type_text(reg), number, reg.off);
  if (!has_struct_at(types, reg.mem_size, static_cast<std::uint32_t>(reg.off), wanted))
    return refuse(EACCES, "R{} is of type {} but {} is expected", number,
                  types.name(*types.type(reg.mem_size)), types.name(*types.type(wanted)));
  if (!reg.bounds.is_constant() || reg.bounds.value() != 0)
    return refuse(EACCES, "variable {} access var_off=({:#x}; {:#x}) disallowed", type_text(reg),
                  reg.bounds.bits.value, reg.bounds.bits.mask);
  return {};
}

// As check_tp_buffer_access and check_buffer_access: any byte may be touched, and how far that goes is kept.
Result<void> Walk::check_buffer(const RegState& reg, unsigned number, std::int32_t offset,
                                std::uint64_t size) {
  const bool is_tracepoint = reg.type == RegType::kTracepointBuffer;
  const char* const what = is_tracepoint ? "tracepoint" : reg.is_read_only ? "rdonly" : "rdwr";
  const std::int64_t at = std::int64_t{reg.off} + offset;
  if (at < 0) return refuse(EACCES, "R{} invalid {} buffer access: off={}, size={}", number, what, at, size);
  if (!reg.bounds.is_constant() || reg.bounds.value() != 0)
    return refuse(EACCES, "R{} invalid variable buffer offset: off={}, var_off=({:#x}; {:#x})", number, at,
                  reg.bounds.bits.value, reg.bounds.bits.mask);
  BufferBytes& bytes = facts_.buffer_bytes;
  std::uint32_t& most = is_tracepoint      ? bytes.tracepoint
                        : reg.is_read_only ? bytes.read_only
                                           : bytes.read_write;
  const std::uint64_t end = static_cast<std::uint64_t>(at) + size;  // below 2^31 + 2^29
  most = std::max(most, static_cast<std::uint32_t>(end));
  return {};
}

// As check_flow_keys_access.
Result<void> Walk::check_flow_keys(const RegState& reg, std::int32_t offset, std::uint32_t size) {
  const std::int64_t at = std::int64_t{reg.off} + offset;
  if (size == 0 || at < 0 || at + size > static_cast<std::int64_t>(sizeof(abi::FlowKeys)))
    return refuse(EACCES, "invalid access to flow keys off={} size={}", at, size);
  return {};
}

}  // namespace portolan::verifier
