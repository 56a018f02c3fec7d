// SPDX-License-Identifier: Apache-2.0
// Types against the types that they refer to: see checker.h.
#include "btf/checker.h"
#include "btf/name.h"

namespace portolan::btf {

Result<void> Checker::check_types() {
  const std::uint32_t count = btf_.type_count();
  btf_.resolved_ids_.resize(count);
  btf_.resolved_sizes_.resize(count);
  states_.resize(count);
  in_metas_ = false;
  for (std::uint32_t id = 1; id < count; ++id) {
    const Type& type = *btf_.type(id);
    log_id_ = id;
    if ((traits(type) & kRefers) != 0 && !is_resolved(id)) TRY(resolve(id));
    if (is(type, Kind::kFuncProto)) TRY(check_func_proto(type));
  }
  return {};
}

Result<void> Checker::resolve(std::uint32_t id) {
  const Type& type = *btf_.type(id);
  const std::uint32_t outer_log_id = log_id_;
  walk_ = Walk::kUndecided;
  Result<void> result = push(id);
  while (result && depth_ != 0) {
    const Vertex& vertex = stack_[depth_ - 1];
    log_id_ = vertex.id;
    result = (this->*ops(*vertex.type).resolve)(vertex);
  }
  log_id_ = id;
  if (!result && result.error().value == E2BIG)
    (void)bad_type(type, "Exceeded max resolving depth:{}", kMaxResolveDepth);
  if (!result && result.error().value == EEXIST) (void)bad_type(type, "Loop detected");
  if (result && !is_settled(id)) result = bad_type(type, "Invalid resolve state");
  log_id_ = outer_log_id;
  return result;
}

// What must hold for a resolved type: it leads to one that is neither modifier nor variable.
bool Checker::is_settled(std::uint32_t id) const {
  const Type& type = *btf_.type(id);
  const std::uint32_t target_id = btf_.resolved_ids_[id];
  const std::uint32_t size = btf_.resolved_sizes_[id];
  if (!is_resolved(id)) return false;
  if (is_aggregate(type) || is(type, Kind::kDatasec)) return target_id == 0 && size == 0;
  if (is(type, Kind::kDeclTag) || is(type, Kind::kFunc)) return target_id != 0 && size == 0;
  if (is_modifier(type) || is(type, Kind::kPtr) || is(type, Kind::kVar)) {
    const Type& target = *btf_.type(target_id);
    return !is_modifier(target) && !is(target, Kind::kVar) && !is(target, Kind::kDatasec);
  }
  const abi::btf::Array& array = btf_.array(type);
  const auto element = btf_.sized(array.type);
  return element && !is_modifier(*btf_.type(element->id)) && array.nelems * element->size == size;
}

bool Checker::is_sink(const Type& type) const {
  switch (walk_) {
    case Walk::kUndecided:
      return (traits(type) & kRefers) == 0;
    case Walk::kFromPointer:
      return !is_modifier(type) && !is(type, Kind::kPtr);
    case Walk::kFromStructOrArray:
      return !is_modifier(type) && !is(type, Kind::kArray) && !is_aggregate(type);
  }
  __builtin_unreachable();
}

Result<void> Checker::push(std::uint32_t id) {
  const Type& type = *btf_.type(id);
  if (depth_ == kMaxResolveDepth) return fail(E2BIG);
  if (states_[id] != State::kUnseen) return fail(EEXIST);
  states_[id] = State::kOnStack;
  stack_[depth_++] = {&type, id, 0};
  if (walk_ != Walk::kUndecided) return {};
  if (is(type, Kind::kPtr)) walk_ = Walk::kFromPointer;
  if (is_aggregate(type) || is(type, Kind::kArray)) walk_ = Walk::kFromStructOrArray;
  return {};
}

void Checker::pop(std::uint32_t resolved_id, std::uint32_t resolved_size) {
  const std::uint32_t id = stack_[--depth_].id;
  btf_.resolved_ids_[id] = resolved_id;
  btf_.resolved_sizes_[id] = resolved_size;
  states_[id] = State::kResolved;
}

Result<void> Checker::resolve_nothing(const Vertex& vertex) {
  return bad_basic(*vertex.type, "Unsupported resolve");
}

Result<void> Checker::resolve_modifier(const Vertex& vertex) {
  return resolve_reference(vertex, false, true);
}
Result<void> Checker::resolve_pointer(const Vertex& vertex) { return resolve_reference(vertex, true, true); }
Result<void> Checker::resolve_var(const Vertex& vertex) { return resolve_reference(vertex, true, false); }

Result<void> Checker::resolve_reference(const Vertex& vertex, bool through_pointer, bool may_be_incomplete) {
  std::uint32_t next_id = vertex.type->type;
  const Type* next = btf_.type(next_id);
  if (next == nullptr || (traits(*next) & kSource) != 0) return bad_type(*vertex.type, "Invalid type_id");
  if (is_pending(*next, next_id)) return push(next_id);
  if (through_pointer && is_modifier(*next)) {
    // The modifier may have been resolved on a walk that stopped at pointers: go on from there, or a pointer
    // to itself would go unseen.
    const std::uint32_t target_id = btf_.resolved_ids_[next_id];
    const Type& target = *btf_.type(target_id);
    if (is(target, Kind::kPtr) && is_pending(target, target_id)) return push(target_id);
  }
  if (const auto sized = btf_.sized(next_id)) {
    next_id = sized->id;
  } else {
    if (may_be_incomplete && is_resolved(next_id)) {
      next_id = btf_.resolved_ids_[next_id];
      next = btf_.type(next_id);
    }
    const bool is_incomplete = btf_.is_void(*next) || is(*next, Kind::kFwd) || is(*next, Kind::kFuncProto);
    if (!may_be_incomplete || !is_incomplete) return bad_type(*vertex.type, "Invalid type_id");
  }
  pop(next_id, 0);
  return {};
}

Result<void> Checker::resolve_array(const Vertex& vertex) {
  const Type& type = *vertex.type;
  const abi::btf::Array& array = btf_.array(type);
  const auto has_size = [](const Type* part) {
    return part != nullptr && (traits(*part) & (kSizeless | kSource)) == 0;
  };
  const Type* index = btf_.type(array.index_type);
  if (!has_size(index)) return bad_type(type, "Invalid index");
  if (is_pending(*index, array.index_type)) return push(array.index_type);
  const auto index_sized = btf_.sized(array.index_type);
  if (!index_sized || !btf_.is_plain_int(*btf_.type(index_sized->id))) return bad_type(type, "Invalid index");

  const Type* element = btf_.type(array.type);
  if (!has_size(element)) return bad_type(type, "Invalid elem");
  if (is_pending(*element, array.type)) return push(array.type);
  const auto element_sized = btf_.sized(array.type);
  if (!element_sized) return bad_type(type, "Invalid elem");
  const Type& element_type = *btf_.type(element_sized->id);
  if (is(element_type, Kind::kInt) && !btf_.is_plain_int(element_type))
    return bad_type(type, "Invalid array of int");
  const std::uint64_t size = std::uint64_t{array.nelems} * element_sized->size;
  if (size > UINT32_MAX) return bad_type(type, "Array size overflows U32_MAX");
  pop(element_sized->id, static_cast<std::uint32_t>(size));
  return {};
}

Result<void> Checker::resolve_struct(const Vertex& vertex) {
  const Type& type = *vertex.type;
  const auto members = btf_.members(type);
  // The member for whose sake the walk left this struct.
  if (vertex.next_member != 0) TRY(check_member_fits(type, members[vertex.next_member - 1]));
  for (std::uint32_t i = vertex.next_member; i < members.size(); ++i) {
    const std::uint32_t id = members[i].type;
    const Type* member_type = btf_.type(id);
    if (member_type == nullptr || (traits(*member_type) & (kSizeless | kSource)) != 0)
      return bad_member(type, members[i], "Invalid member");
    if (is_pending(*member_type, id)) {
      stack_[depth_ - 1].next_member = i + 1;
      return push(id);
    }
    TRY(check_member_fits(type, members[i]));
  }
  pop(0, 0);
  return {};
}

Result<void> Checker::resolve_datasec(const Vertex& vertex) {
  const Type& type = *vertex.type;
  const auto variables = btf_.variables(type);
  walk_ = Walk::kUndecided;
  for (std::uint32_t i = vertex.next_member; i < variables.size(); ++i) {
    const VarSecinfo& entry = variables[i];
    const Type* var = btf_.type(entry.type);
    if (var == nullptr || !is(*var, Kind::kVar)) return bad_variable(type, entry, "Not a VAR kind member");
    if (is_pending(*var, entry.type)) {
      stack_[depth_ - 1].next_member = i + 1;
      return push(entry.type);
    }
    const auto sized = btf_.sized(var->type);
    if (!sized) return bad_variable(type, entry, "Invalid type");
    if (entry.size < sized->size) return bad_variable(type, entry, "Invalid size");
  }
  pop(0, 0);
  return {};
}

Result<void> Checker::resolve_func(const Vertex& vertex) {
  const Type& type = *vertex.type;
  const Type* proto = btf_.type(type.type);
  if (proto == nullptr || !is(*proto, Kind::kFuncProto)) return bad_type(type, "Invalid type_id");
  std::uint32_t argument = 0;
  for (const abi::btf::Param& param : btf_.params(*proto)) {
    ++argument;
    if (param.name_off == 0 && param.type != 0) return bad_type(type, "Invalid arg#{}", argument);
  }
  pop(type.type, 0);
  return {};
}

Result<void> Checker::resolve_decl_tag(const Vertex& vertex) {
  const Type& type = *vertex.type;
  const Type* target = btf_.type(type.type);
  const bool takes_tags = target != nullptr && (is(*target, Kind::kFunc) || is_aggregate(*target) ||
                                                is(*target, Kind::kVar) || is(*target, Kind::kTypedef));
  if (!takes_tags) return bad_type(type, "Invalid type_id");
  if (is_pending(*target, type.type)) return push(type.type);
  const std::int32_t component = btf_.decl_tag(type).component_idx;
  if (component != -1) {
    if (is(*target, Kind::kVar) || is(*target, Kind::kTypedef))
      return bad_type(type, "Invalid component_idx");
    const Type& list = is_aggregate(*target) ? *target : *btf_.type(target->type);
    if (static_cast<std::uint32_t>(component) >= abi::btf::vlen(list))
      return bad_type(type, "Invalid component_idx");
  }
  pop(type.type, 0);
  return {};
}

// `argument` 0: what the function returns.
Result<void> Checker::check_func_type(const Type& proto, std::uint32_t id, std::uint32_t argument) {
  const auto bad_part = [&] {
    return argument == 0 ? bad_type(proto, "Invalid return type")
                         : bad_type(proto, "Invalid arg#{}", argument);
  };
  const Type* type = btf_.type(id);
  if (type == nullptr || (traits(*type) & kSource) != 0) return bad_part();
  if (argument != 0) {
    const std::uint32_t name_off = btf_.params(proto)[argument - 1].name_off;
    if (name_off != 0 && (!name_offset_is_valid(name_off) || !is_identifier(btf_.name(name_off))))
      return bad_part();
  }
  if ((traits(*type) & kRefers) != 0 && !is_resolved(id)) TRY(resolve(id));
  if (!btf_.sized(id)) return bad_part();
  return {};
}

Result<void> Checker::check_func_proto(const Type& type) {
  if (type.type != 0) TRY(check_func_type(type, type.type, 0));
  auto params = btf_.params(type);
  if (params.empty()) return {};
  if (params.back().type == 0) {  // vararg
    if (params.back().name_off != 0) return bad_type(type, "Invalid arg#{}", params.size());
    params = params.first(params.size() - 1);
  }
  for (std::uint32_t i = 0; i < params.size(); ++i) TRY(check_func_type(type, params[i].type, i + 1));
  return {};
}

// In a chain of modifiers, type tags come first.
Result<void> Checker::check_type_tags() {
  constexpr int kMaxChain = 32;
  std::uint32_t good_id = 0;  // chains from ids up to it are good
  for (std::uint32_t id = 1; id < btf_.type_count(); ++id) {
    const Type* type = btf_.type(id);
    if (!is_modifier(*type)) continue;
    bool in_tags = is(*type, Kind::kTypeTag);
    std::uint32_t at = id;
    for (int length = 0; is_modifier(*type); ++length) {
      if (length == kMaxChain) {
        print("Max chain length or cycle detected");
        return fail(ELOOP);
      }
      const bool is_tag = is(*type, Kind::kTypeTag);
      if (is_tag && !in_tags) return bad("Type tags don't precede modifiers");
      in_tags = is_tag;
      if (at <= good_id) break;
      at = type->type;
      type = btf_.type(at);
    }
    good_id = id;
  }
  return {};
}

}  // namespace portolan::btf
