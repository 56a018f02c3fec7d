// SPDX-License-Identifier: Apache-2.0
#include "verifier/program_target.h"

#include <algorithm>
#include <string_view>

#include "verifier/refuse.h"

namespace portolan::verifier {
namespace {

using btf::Kind;
using A = abi::AttachType;

bool is_type(std::uint32_t attach_type, A one) { return attach_type == static_cast<std::uint32_t>(one); }

const char* kind_name(const btf::Type& type) { return btf::kKinds[abi::btf::info_kind(type.info)].name; }
bool is_global(const btf::Type& function) {
  return abi::btf::vlen(function) == static_cast<std::uint32_t>(abi::btf::FuncLinkage::kGlobal);
}

// A function's type, with the BTF and the name to speak of it.
struct Side {
  const btf::Btf& types;
  const btf::Type& function;
  std::string_view name() const { return types.name(function); }
  const btf::Type& prototype() const { return *types.type(function.type); }
  const btf::Type& resolved(std::uint32_t id) const { return *types.type(types.resolve(id)); }
};

// As the loop of btf_check_func_type_match: numbers, and pointers to what is called the same.
Result<void> check_same_argument(const Side& mine, const Side& theirs, std::size_t number, btf::Log* log) {
  const btf::Type& a = mine.resolved(mine.types.params(mine.prototype())[number].type);
  const btf::Type& b = theirs.resolved(theirs.types.params(theirs.prototype())[number].type);
  if (a.info != b.info)
    return refuse(log, EINVAL, "arg{} in {}() is {} while {}() has {}", number, mine.name(), kind_name(a),
                  theirs.name(), kind_name(b));
  const bool is_number = btf::is(a, Kind::kInt) || btf::is(a, Kind::kEnum) || btf::is(a, Kind::kEnum64);
  if ((is_number || btf::is_aggregate(a)) && a.size != b.size)
    return refuse(log, EINVAL, "arg{} in {}() has size {} while {}() has {}", number, mine.name(), a.size,
                  theirs.name(), b.size);
  if (is_number) return {};
  if (!btf::is(a, Kind::kPtr))
    return refuse(log, EINVAL, "arg{} in {}() has unrecognized type", number, mine.name());
  const btf::Type& to_a = mine.resolved(a.type);
  const btf::Type& to_b = theirs.resolved(b.type);
  if (!btf::is_aggregate(to_a))
    return refuse(log, EINVAL, "arg{} in {}() is not a pointer to context", number, mine.name());
  if (!btf::is_aggregate(to_b))
    return refuse(log, EINVAL, "arg{} in {}() is not a pointer to context", number, theirs.name());
  const std::string_view name_a = mine.types.name(to_a), name_b = theirs.types.name(to_b);
  if (name_a != name_b)
    return refuse(log, EINVAL, "arg{} {}(struct {} *) doesn't match {}(struct {} *)", number, mine.name(),
                  name_a, theirs.name(), name_b);
  return {};
}

// As btf_check_type_match.
Result<void> check_same_type(const Attacher& attacher, const Side& theirs, btf::Log* log) {
  if (attacher.btf == nullptr || attacher.main_type_id == 0)
    return refuse(log, EINVAL, "Program extension requires BTF");
  const Side mine{*attacher.btf, *attacher.btf->type(attacher.main_type_id)};
  for (const Side* side : {&mine, &theirs})
    if (!is_global(side->function)) return refuse(log, EINVAL, "{}() is not a global function", side->name());
  const std::size_t count = mine.types.params(mine.prototype()).size(),
                    their_count = theirs.types.params(theirs.prototype()).size();
  if (count != their_count)
    return refuse(log, EINVAL, "{}() has {} args while {}() has {} args", mine.name(), count, theirs.name(),
                  their_count);
  const btf::Type& a = mine.resolved(mine.prototype().type);
  const btf::Type& b = theirs.resolved(theirs.prototype().type);
  if (a.info != b.info)
    return refuse(log, EINVAL, "Return type {} of {}() doesn't match type {} of {}()", kind_name(a),
                  mine.name(), kind_name(b), theirs.name());
  for (std::size_t i = 0; i < count; ++i) TRY(check_same_argument(mine, theirs, i, log));
  return {};
}

Result<void> check_extension(const Attacher& attacher, const Subprogram& function, btf::Log* log) {
  if (function.has_other_arguments) return refuse(log, EINVAL, "Cannot replace static functions");
  if (attacher.changes_packet && !function.changes_packet)
    return refuse(log, EINVAL, "Extension program changes packet data, while original does not");
  if (attacher.might_sleep && !function.might_sleep)
    return refuse(log, EINVAL, "Extension program may sleep, while original does not");
  return {};
}

// Names do not say how long a struct is, nor what else holds of an argument.
Result<void> check_takes_all(const Attacher& attacher, const Subprogram& function, btf::Log* log) {
  if (!attacher.arguments) return {};
  const std::vector<GlobalArgument>&mine = *attacher.arguments, &theirs = function.arguments;
  const auto takes = [](const GlobalArgument& one, const GlobalArgument& given) {
    return one.kind == given.kind && one.size <= given.size && one.type == given.type &&
           (one.may_be_null || !given.may_be_null);
  };
  const auto [it, other] = std::ranges::mismatch(mine, theirs, takes);
  if (it == mine.end() && other == theirs.end()) return {};
  return refuse(log, EINVAL, "arg{} cannot be all that {}() may be given", it - mine.begin(), function.name);
}

// That no chain of programs comes back to where it began.
Result<void> check_nesting(const Attacher& attacher, const TargetProgram& target, btf::Log* log) {
  const bool is_traced = target.type == abi::ProgType::kTracing && !target.is_extension;
  if (!attacher.is_extension) {
    if (target.traces_tracing)
      return refuse(log, EINVAL, "Cannot nest tracing program attach more than once");
    return {};
  }
  if (target.is_extension) return refuse(log, EINVAL, "Cannot recursively attach");
  if (is_traced && (is_type(target.expected_attach_type, A::kTraceFentry) ||
                    is_type(target.expected_attach_type, A::kTraceFexit)))
    return refuse(log, EINVAL, "Cannot extend fentry/fexit");
  return {};
}

}  // namespace

std::int64_t function_of_type(std::span<const Subprogram> functions, std::uint32_t btf_id) {
  for (std::size_t i = 0; i < functions.size(); ++i)
    if (functions[i].type_id == btf_id) return static_cast<std::int64_t>(i);
  return -1;
}

Result<AttachTarget> find_program_target(const Attacher& attacher, const TargetProgram& target,
                                         std::uint32_t btf_id, btf::Log* log) {
  if (btf_id == 0) return refuse(log, EINVAL, "Tracing programs must provide btf_id");
  if (target.btf == nullptr)
    return refuse(log, EINVAL, "Tracing program can only attach to another program annotated with BTF");
  const btf::Type* const type = target.btf->type(btf_id);
  if (type == nullptr) return refuse(log, EINVAL, "attach_btf_id {} is invalid", btf_id);
  AttachTarget found{target.btf, target.btf->name(*type), nullptr, false, target.type};
  const std::int64_t number = function_of_type(target.functions, btf_id);
  if (number < 0) return refuse(log, EINVAL, "Subprog {} doesn't exist", found.name);
  const Subprogram& function = target.functions[static_cast<std::size_t>(number)];
  if (function.is_exception_callback)
    return refuse(log, EINVAL, "{} programs cannot attach to exception callback",
                  attacher.is_extension ? "Extension" : "FENTRY/FEXIT");
  if (attacher.is_extension) TRY(check_extension(attacher, function, log));
  TRY(check_nesting(attacher, target, log));
  const std::uint32_t attach_type = attacher.expected_attach_type;
  if (attacher.is_extension) {
    TRY(check_same_type(attacher, {*target.btf, *type}, log));
    TRY(check_takes_all(attacher, function, log));
    return AttachTarget{};  // its context is that of the target's type
  }
  if (is_type(attach_type, A::kTraceRawTp))
    return refuse(log, EINVAL, "Only FENTRY/FEXIT progs are attachable to another BPF prog");
  if (!is_type(attach_type, A::kTraceFentry) && !is_type(attach_type, A::kTraceFexit) &&
      !is_type(attach_type, A::kModifyReturn))
    return fail(EINVAL);
  const btf::Type& prototype = *target.btf->type(type->type);
  if (!function.has_other_arguments) {
    TRY(check_prototype(*target.btf, prototype, found.name.c_str(), log));
    found.prototype = &prototype;
  }
  if (attacher.is_sleepable) return refuse(log, EINVAL, "{} is not sleepable", found.name);
  if (is_type(attach_type, A::kModifyReturn))
    return refuse(log, EINVAL, "can't modify return codes of BPF programs");
  return found;
}

}  // namespace portolan::verifier
