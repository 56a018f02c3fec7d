// SPDX-License-Identifier: Apache-2.0
#include "verifier/global_arguments.h"

#include <algorithm>

#include "verifier/context_types.h"
#include "verifier/kernel_types.h"
#include "verifier/refuse.h"

namespace portolan::verifier {
namespace {

using abi::btf::Param;
using btf::Btf;
using btf::Kind;
using btf::Type;

constexpr std::size_t kMostArguments = 5;
constexpr std::string_view kRegisters = "bpf_user_pt_regs_t";

const char* kind_name(const Type& type) { return btf::kKinds[abi::btf::info_kind(type.info)].name; }

// Of an argument, as decl tags "arg:…".
enum Tags : unsigned {
  kCtx = 1,
  kNonnull = 2,
  kNullable = 4,
  kTrusted = 8,
  kUntrusted = 16,
  kUnknownTag = 32
};

unsigned tags_of(const Btf& btf, std::uint32_t function, std::size_t index) {
  constexpr std::string_view kPrefix = "arg:";
  struct Row {
    std::string_view name;
    Tags tag;
  };
  static constexpr Row kRows[] = {{"ctx", kCtx},
                                  {"nonnull", kNonnull},
                                  {"nullable", kNullable},
                                  {"trusted", kTrusted},
                                  {"untrusted", kUntrusted}};
  unsigned tags = 0;
  for (std::uint32_t id = 1; id < btf.type_count(); ++id) {
    const Type& type = *btf.type(id);
    if (!btf::is(type, Kind::kDeclTag) || type.type != function ||
        btf.decl_tag(type).component_idx != static_cast<std::int32_t>(index))
      continue;
    const std::string_view name = btf.name(type);
    if (!name.starts_with(kPrefix)) continue;
    const Row* const row = std::ranges::find(kRows, name.substr(kPrefix.size()), &Row::name);
    tags |= row != std::end(kRows) ? row->tag : kUnknownTag;
  }
  return tags;
}

// What `id` names once qualifiers are off, typedefs being names of their own.
bool is_typedef_of_registers(const Btf& btf, std::uint32_t id) {
  const Type* type = btf.type(id);
  while (btf::is(*type, Kind::kConst) || btf::is(*type, Kind::kVolatile) || btf::is(*type, Kind::kRestrict) ||
         btf::is(*type, Kind::kTypeTag))
    type = btf.type(type->type);
  return btf::is(*type, Kind::kTypedef) && btf.name(*type) == kRegisters;
}

// As btf_is_prog_ctx_type.
bool points_to_context(const UnverifiedProgram& program, const Type& pointer) {
  const Btf& btf = *program.btf;
  if (program.type == abi::ProgType::kKprobe && is_typedef_of_registers(btf, pointer.type)) return true;
  const Type& target = *btf.type(btf.resolve(pointer.type));
  const char* const wanted = context_struct(program.type);
  if (wanted == nullptr || !btf::is(target, Kind::kStruct)) return false;
  const std::string_view name = btf.name(target);
  // Programs declare a struct of the typedef's name, where the headers they use have none.
  return name == wanted || (program.type == abi::ProgType::kKprobe && name == kRegisters);
}

// Of an argument that is tagged as the context: as btf_validate_prog_ctx_type.
Result<void> check_context_type(const UnverifiedProgram& program, const Type& pointer, std::size_t index,
                                btf::Log* log) {
  using enum abi::ProgType;
  const Btf& btf = *program.btf;
  const abi::ProgType type = program.type;
  if ((type == kKprobe || type == kPerfEvent) && is_typedef_of_registers(btf, pointer.type)) return {};
  const Type& target = *btf.type(btf.resolve(pointer.type));
  if (btf.is_void(target)) return {};
  const std::string_view name = btf.name(target);
  if (name.empty()) return refuse(log, EINVAL, "arg#{} type doesn't have a name", index);
  const bool is_struct = btf::is(target, Kind::kStruct);
  const bool is_word = btf::is(target, Kind::kInt) && target.size == 8;
  const auto attaches = [&](abi::AttachType one) {
    return program.expected_attach_type == static_cast<std::uint32_t>(one);
  };
  using A = abi::AttachType;
  bool is_fine = false;
  switch (type) {
    case kTracepoint:
    case kSyscall:
      return {};
    case kPerfEvent:
      is_fine = is_struct && name == "pt_regs";
      break;
    case kRawTracepoint:
    case kRawTracepointWritable:
    case kLsm:
      is_fine = is_word;
      break;
    case kTracing:
      if (attaches(A::kTraceRawTp)) is_fine = is_word || (is_struct && name == "bpf_raw_tracepoint_args");
      if (attaches(A::kTraceIter)) is_fine = is_struct && name.starts_with("bpf_iter__");
      if (attaches(A::kTraceFentry) || attaches(A::kTraceFexit) || attaches(A::kModifyReturn))
        is_fine = is_word;
      break;
    default:
      break;
  }
  if (is_fine) return {};
  const char* const wanted = context_struct(type);
  if (wanted == nullptr) return refuse(log, EINVAL, "arg#{} should be void pointer", index);
  if (!is_struct || name != wanted)
    return refuse(log, EINVAL, "arg#{} should be `struct {} *`", index, wanted);
  return {};
}

// Names that differ in what follows "___" are those of one type.
std::string_view essential(std::string_view name) {
  const auto is_separator = [&](std::size_t at) {
    return name[at] != '_' && name.substr(at + 1, 3) == "___" && name[at + 4] != '_';
  };
  for (std::size_t at = name.size(); at-- > 0;)
    if (at + 5 <= name.size() && is_separator(at)) return name.substr(0, at + 1);
  return name;
}

// The one type of the kernel that has the name and kind of what the pointer points to: as
// btf_get_ptr_to_btf_id.
Result<std::uint32_t> kernel_type_of(const UnverifiedProgram& program, const Type& pointer, std::size_t index,
                                     btf::Log* log) {
  const Btf& btf = *program.btf;
  const Type& local = *btf.type(btf.resolve(pointer.type));
  const std::string_view name = btf.name(local), wanted = essential(name);
  if (wanted.empty())
    return refuse(log, EINVAL, "arg#{} reference type('{} (anon)') candidate matching error: {}", index,
                  kind_name(local), -EINVAL);
  const Btf& types = *TRY(kernel_types(program));
  std::uint32_t found = 0, count = 0;
  for (std::uint32_t id = 1; id < types.type_count(); ++id) {
    const Type& type = *types.type(id);
    if (abi::btf::kind(type) != abi::btf::kind(local) ||
        !std::string_view(types.name(type)).starts_with(wanted) || essential(types.name(type)) != wanted)
      continue;
    found = id;
    ++count;
  }
  if (count == 1) return found;
  return refuse(log, count == 0 ? ENOENT : ESRCH, "arg#{} reference type('{} {}') {}", index,
                kind_name(local), name, count == 0 ? "has no matches" : "is ambiguous");
}

bool is_number(const Type& type) {
  return btf::is(type, Kind::kInt) || btf::is(type, Kind::kEnum) || btf::is(type, Kind::kEnum64);
}

Result<void> read_untrusted(const UnverifiedProgram& program, const Type& pointer, std::size_t index,
                            btf::Log* log, GlobalArgument& argument) {
  argument.kind = GlobalArg::kUntrusted;
  const Btf& btf = *program.btf;
  const Type& target = *btf.type(btf.resolve(pointer.type));
  const bool is_primitive = is_number(target) && (!btf::is(target, Kind::kInt) || btf.is_plain_int(target));
  if (btf.is_void(target) || is_primitive) return {};
  argument.type = TRY(kernel_type_of(program, pointer, index, log));
  const Btf& types = *TRY(kernel_types(program));
  const Type& type = *types.type(argument.type);
  if (btf::is_aggregate(type)) return {};
  return refuse(log, EINVAL, "arg#{} has type {} '{}', but only struct or primitive types are allowed", index,
                kind_name(type), types.name(type));
}

Result<void> read_pointer(const UnverifiedProgram& program, const Type& pointer, unsigned tags,
                          std::size_t index, btf::Log* log, GlobalArgument& argument) {
  const Btf& btf = *program.btf;
  const auto only = [&](unsigned allowed) -> Result<void> {
    if ((tags & ~allowed) == 0) return {};
    return refuse(log, EINVAL, "arg#{} has invalid combination of tags", index);
  };
  if ((tags & kCtx) != 0 || points_to_context(program, pointer)) {
    TRY(only(kCtx));
    if ((tags & kCtx) != 0) TRY(check_context_type(program, pointer, index, log));
    argument.kind = GlobalArg::kContext;
    return {};
  }
  const std::uint32_t target = btf.resolve(pointer.type);
  const Type& type = *btf.type(target);
  if (btf::is(type, Kind::kStruct) && btf.name(type) == std::string_view("bpf_dynptr")) {
    argument.kind = GlobalArg::kDynptr;
    return only(0);
  }
  if ((tags & kTrusted) != 0) {
    TRY(only(~kNonnull));
    argument.kind = GlobalArg::kTrusted;
    argument.may_be_null = (tags & kNullable) != 0;
    argument.type = TRY(kernel_type_of(program, pointer, index, log));
    return {};
  }
  if ((tags & kUntrusted) != 0) {
    if ((tags & ~kUntrusted) != 0)
      return refuse(log, EINVAL, "arg#{} untrusted cannot be combined with any other tags", index);
    return read_untrusted(program, pointer, index, log, argument);
  }
  TRY(only(~kNullable));
  const Result<std::uint32_t> size = btf.size_of(target);
  if (!size)
    return refuse(log, EINVAL, "arg#{} reference type('{} {}') size cannot be determined: {}", index,
                  kind_name(type), btf.name(type), -size.error().value);
  argument.kind = GlobalArg::kMemory;
  argument.may_be_null = (tags & kNonnull) == 0;
  argument.size = *size;
  return {};
}

}  // namespace

Result<std::vector<GlobalArgument>> arguments_of_global(const UnverifiedProgram& program,
                                                        std::uint32_t function, std::string_view name,
                                                        btf::Log* log) {
  const Btf& btf = *program.btf;
  const Type& prototype = *btf.type(btf.type(function)->type);
  const auto parameters = btf.params(prototype);
  if (parameters.size() > kMostArguments)
    return refuse(log, EINVAL, "Global function {}() with {} > {} args. Buggy compiler.", name,
                  parameters.size(), kMostArguments);
  if (!is_number(*btf.type(btf.resolve(prototype.type))))
    return refuse(log, EINVAL, "Global function {}() doesn't return scalar. Only those are supported.", name);
  std::vector<GlobalArgument> arguments;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const unsigned tags = tags_of(btf, function, i);
    if ((tags & kUnknownTag) != 0) return refuse(log, EOPNOTSUPP, "arg#{} has unsupported set of tags", i);
    const Type& type = *btf.type(btf.resolve(parameters[i].type));
    GlobalArgument& argument = arguments.emplace_back();
    if (btf::is(type, Kind::kPtr)) {
      TRY(read_pointer(program, type, tags, i, log, argument));
      continue;
    }
    if (tags != 0) return refuse(log, EINVAL, "arg#{} has pointer tag, but is not a pointer type", i);
    if (!is_number(type))
      return refuse(log, EINVAL, "Arg#{} type {} in {}() is not supported yet.", i, kind_name(type), name);
  }
  return arguments;
}

}  // namespace portolan::verifier
