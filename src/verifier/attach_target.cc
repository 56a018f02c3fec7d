// SPDX-License-Identifier: Apache-2.0
#include "verifier/attach_target.h"

#include <algorithm>
#include <string_view>

#include "abi/prog_flags.h"
#include "verifier/context_types.h"
#include "verifier/global_arguments.h"
#include "verifier/kernel_types.h"
#include "verifier/program_target.h"
#include "verifier/refuse.h"

namespace portolan::verifier {
namespace {

using btf::Kind;
using A = abi::AttachType;

constexpr std::uint32_t kMostArguments = 12, kArgumentsOfProgram = 5;
constexpr std::string_view kTracepointPrefix = "btf_trace_", kIteratorPrefix = "bpf_iter_",
                           kLsmPrefix = "bpf_lsm_";

bool attaches(const UnverifiedProgram& program, A type) {
  return program.expected_attach_type == static_cast<std::uint32_t>(type);
}

template <std::size_t count>
bool is_one_of(std::string_view name, const std::string_view (&names)[count]) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// Hooks that no program may be attached to, since it would have to do more than return a number.
constexpr std::string_view kClosedHooks[] = {
    "bpf_lsm_vm_enough_memory",   "bpf_lsm_inode_need_killpriv", "bpf_lsm_inode_getsecurity",
    "bpf_lsm_inode_listsecurity", "bpf_lsm_inode_copy_up_xattr", "bpf_lsm_getselfattr",
    "bpf_lsm_getprocattr",        "bpf_lsm_setprocattr",         "bpf_lsm_key_getsecurity",
    "bpf_lsm_audit_rule_match",   "bpf_lsm_ismaclabel",
};
// Hooks whose objects are half made or half gone.
constexpr std::string_view kUntrustedHooks[] = {
    "bpf_lsm_bpf_map_free",       "bpf_lsm_bpf_prog_free",     "bpf_lsm_file_alloc_security",
    "bpf_lsm_file_free_security", "bpf_lsm_sk_alloc_security", "bpf_lsm_sk_free_security",
    "bpf_lsm_task_free",
};
// Iterators that hold the object which they hand out.
constexpr std::string_view kTrustedIterators[] = {"bpf_iter_bpf_map",    "bpf_iter_task", "bpf_iter_cgroup",
                                                  "bpf_iter_kmem_cache", "bpf_iter_tcp",  "bpf_iter_udp"};
constexpr std::string_view kBoolHooks[] = {"bpf_lsm_audit_rule_known", "bpf_lsm_inode_xattr_skipcap"};
// Functions that tracing would run into itself from.
constexpr std::string_view kUntraced[] = {"migrate_disable",   "migrate_enable",    "rcu_read_unlock_strict",
                                          "preempt_count_add", "preempt_count_sub", "__rcu_read_lock",
                                          "__rcu_read_unlock"};

// Bytes of an argument or a result, as it lies in the context; -1: it cannot be passed.
std::int64_t argument_bytes(const btf::Btf& types, std::uint32_t id) {
  const btf::Type& type = *types.type(types.resolve(id));
  if (btf::is(type, Kind::kPtr)) return 8;
  if (btf::is(type, Kind::kInt) || btf::is(type, Kind::kEnum) || btf::is(type, Kind::kEnum64) ||
      btf::is(type, Kind::kStruct) || btf::is(type, Kind::kUnion))
    return type.size;
  return -1;
}

}  // namespace

Result<void> check_prototype(const btf::Btf& types, const btf::Type& prototype, const char* name,
                             btf::Log* log) {
  const auto parameters = types.params(prototype);
  if (parameters.size() > kMostArguments)
    return refuse(log, EINVAL, "The function {} has {} arguments. Too many.", name, parameters.size());
  if (prototype.type != 0) {
    const std::int64_t bytes = argument_bytes(types, prototype.type);
    if (bytes < 0 || bytes > 8)
      return refuse(log, EINVAL, "The function {} return type {} is unsupported.", name,
                    types.name(*types.type(types.resolve(prototype.type))));
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (parameters[i].type == 0)
      return refuse(log, EINVAL, "The function {} with variable args is unsupported.", name);
    const std::int64_t bytes = argument_bytes(types, parameters[i].type);
    if (bytes < 0 || bytes > 16)
      return refuse(
          log, EINVAL, "The function {} arg{} type {} is unsupported.", name, i,
          btf::kKinds[abi::btf::info_kind(types.type(types.resolve(parameters[i].type))->info)].name);
  }
  return {};
}

namespace {

Result<void> check_lsm(const UnverifiedProgram& program, std::string_view name, btf::Log* log) {
  if (!program.gpl_compatible) return refuse(log, EINVAL, "LSM programs must have a GPL compatible license");
  if (!name.starts_with(kLsmPrefix) || is_one_of(name, kClosedHooks))
    return refuse(log, EINVAL, "attach_btf_id {} points to wrong type name {}", program.attach_btf_id, name);
  return {};
}

// Which functions of a kernel may sleep, or return what a program says, is no matter of types: names of
// system calls and of security hooks tell.
bool is_system_call(std::string_view name) {
  return name.starts_with("__x64_sys_") || name.starts_with("__ia32_sys_");
}
Result<void> check_function(const UnverifiedProgram& program, const std::string& name, btf::Log* log) {
  const bool is_sleepable = (program.flags & abi::prog_flag::kSleepable) != 0;
  if (is_sleepable && program.type == abi::ProgType::kTracing && !is_system_call(name))
    return refuse(log, EINVAL, "{} is not sleepable", name);
  if (attaches(program, A::kModifyReturn) && !is_system_call(name) && !name.starts_with("security_") &&
      !name.starts_with("bpf_modify_return_test"))
    return refuse(log, EINVAL, "{}() is not modifiable", name);
  if (program.type == abi::ProgType::kLsm) return check_lsm(program, name, log);
  if (is_one_of(name, kUntraced))
    return refuse(log, EINVAL, "Attaching tracing programs to function '{}' is rejected.", name);
  return {};
}

std::optional<std::vector<GlobalArgument>> arguments_of_main(const UnverifiedProgram& program) {
  if (program.btf == nullptr || program.func_info.empty()) return {};
  auto arguments = arguments_of_global(program, program.func_info[0].type_id, {}, nullptr);
  if (!arguments) return {};
  return std::move(*arguments);
}

bool may_be_sleepable(const UnverifiedProgram& program) {
  using enum abi::ProgType;
  if (program.type == kTracing)
    return attaches(program, A::kTraceFentry) || attaches(program, A::kTraceFexit) ||
           attaches(program, A::kModifyReturn) || attaches(program, A::kTraceIter);
  return program.type == kLsm || program.type == kKprobe || program.type == kStructOps;
}

}  // namespace

Result<AttachTarget> find_attach_target(const UnverifiedProgram& program, const Function& main,
                                        btf::Log* log) {
  const bool is_sleepable = (program.flags & abi::prog_flag::kSleepable) != 0;
  if (program.type == abi::ProgType::kSyscall && !program.is_extension) {
    if (!is_sleepable) return refuse(log, EINVAL, "Syscall programs can only be sleepable");
    return AttachTarget{};
  }
  if (is_sleepable && (program.is_extension || !may_be_sleepable(program)))
    return refuse(log, EINVAL,
                  "Only fentry/fexit/fmod_ret, lsm, iter, uprobe, and struct_ops programs can be sleepable");
  if (program.type == abi::ProgType::kStructOps) {
    if (!program.gpl_compatible)
      return refuse(log, EINVAL, "struct ops programs must have a GPL compatible license");
    if (program.attach_btf_id == 0) return fail(kEnotsupp);
    return refuse(log, kEnotsupp, "attach_btf_id {} is not a supported struct", program.attach_btf_id);
  }
  if (program.type != abi::ProgType::kTracing && program.type != abi::ProgType::kLsm && !program.is_extension)
    return AttachTarget{};
  if (program.attach_btf_id == 0) return refuse(log, EINVAL, "Tracing programs must provide btf_id");

  const bool is_for_lsm = attaches(program, A::kLsmMac) || attaches(program, A::kLsmCgroup);
  if (program.type == abi::ProgType::kTracing && is_for_lsm) return fail(kEnotsupp);
  if (program.type == abi::ProgType::kLsm && !is_for_lsm) return fail(EINVAL);

  if (program.target != nullptr) {
    const Attacher attacher{program.is_extension,
                            is_sleepable,
                            program.expected_attach_type,
                            program.btf,
                            program.func_info.empty() ? 0 : program.func_info[0].type_id,
                            main.changes_packet,
                            main.might_sleep,
                            arguments_of_main(program)};
    return find_program_target(attacher, *program.target, program.attach_btf_id, log);
  }
  AttachTarget target;
  target.types = TRY(kernel_types(program));
  const btf::Btf& types = *target.types;
  const btf::Type* const type = types.type(program.attach_btf_id);
  if (type == nullptr) return refuse(log, EINVAL, "attach_btf_id {} is invalid", program.attach_btf_id);
  target.name = types.name(*type);
  if (target.name.empty())
    return refuse(log, EINVAL, "attach_btf_id {} doesn't have a name", program.attach_btf_id);
  if (program.is_extension) return refuse(log, EINVAL, "Cannot replace kernel functions");

  if (attaches(program, A::kTraceRawTp)) {
    if (!btf::is(*type, Kind::kTypedef))
      return refuse(log, EINVAL, "attach_btf_id {} is not a typedef", program.attach_btf_id);
    if (!target.name.starts_with(kTracepointPrefix))
      return refuse(log, EINVAL, "attach_btf_id {} points to wrong type name {}", program.attach_btf_id,
                    target.name);
    target.name.erase(0, kTracepointPrefix.size());
    target.skips_first_argument = true;
    const btf::Type& pointer = *types.type(type->type);
    if (!btf::is(pointer, Kind::kPtr)) return fail(EINVAL);
    target.prototype = types.type(pointer.type);
  } else if (is_for_lsm || attaches(program, A::kTraceIter) || attaches(program, A::kTraceFentry) ||
             attaches(program, A::kTraceFexit) || attaches(program, A::kModifyReturn)) {
    if (!btf::is(*type, Kind::kFunc))
      return refuse(log, EINVAL, "attach_btf_id {} is not a function", program.attach_btf_id);
    target.prototype = types.type(type->type);
  } else {
    return fail(EINVAL);
  }
  if (!btf::is(*target.prototype, Kind::kFuncProto)) return fail(EINVAL);
  if (target.skips_first_argument) {
    if (types.params(*target.prototype).empty()) return fail(EINVAL);
    return target;
  }
  TRY(check_prototype(types, *target.prototype, target.name.c_str(), log));
  if (!attaches(program, A::kTraceIter)) {
    TRY(check_function(program, target.name, log));
  } else if (!target.name.starts_with(kIteratorPrefix) ||
             !types.find_by_name("bpf_iter__" + target.name.substr(kIteratorPrefix.size()), Kind::kStruct)) {
    return fail(EINVAL);
  }
  return target;
}

namespace {

// Which argument lies at an offset; the result follows the last one.
std::size_t argument_at(const AttachTarget& target, std::uint32_t offset) {
  if (target.prototype == nullptr) return offset / 8;
  const btf::Btf& types = *target.types;
  const auto parameters = types.params(*target.prototype);
  std::uint64_t end = 0;
  const auto add = [&](std::uint32_t id) {
    end += id == 0 ? 0
                   : round_up(
                         static_cast<std::uint64_t>(std::max<std::int64_t>(argument_bytes(types, id), 0)), 8);
  };
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    add(parameters[i].type);
    if (offset < end) return i;
  }
  add(target.prototype->type);
  return offset < end ? parameters.size() : parameters.size() + 1;
}

bool is_small_int(const btf::Btf& types, const btf::Type& type) {
  return btf::is(type, Kind::kInt) && type.size <= 8 && types.is_plain_int(type);
}
bool is_number(const btf::Btf& types, const btf::Type& type) {
  return is_small_int(types, type) || btf::is(type, Kind::kEnum) || btf::is(type, Kind::kEnum64) ||
         btf::is_aggregate(type);
}

bool arguments_are_trusted(const UnverifiedProgram& program, const AttachTarget& target) {
  if (program.type == abi::ProgType::kLsm) return !is_one_of(target.name, kUntrustedHooks);
  return attaches(program, A::kTraceRawTp) || attaches(program, A::kTraceIter);
}

bool may_be_null(std::string_view tracepoint, std::size_t argument) {
  struct Argument {
    std::string_view tracepoint;
    std::size_t argument;
  };
  static constexpr Argument kArguments[] = {
#define MAY_BE_NULL(tracepoint, argument) {#tracepoint, argument},
#include "verifier/tracepoint_nulls.def"
#undef MAY_BE_NULL
  };
  for (const Argument& one : kArguments)
    if (one.tracepoint == tracepoint && one.argument == argument) return true;
  return false;
}

// Keys and values, of which the type says nothing.
std::optional<AttachedAccess> iterator_buffer(const UnverifiedProgram& program, const AttachTarget& target,
                                              std::int32_t offset) {
  if (!attaches(program, A::kTraceIter)) return {};
  struct Buffer {
    std::string_view iterator;
    std::int32_t offset;  // of the member of struct bpf_iter__…
    bool is_read_only;
  };
  static constexpr Buffer kBuffers[] = {{"bpf_iter_bpf_map_elem", 16, true},
                                        {"bpf_iter_bpf_map_elem", 24, false},
                                        {"bpf_iter_bpf_sk_storage_map", 24, false},
                                        {"bpf_iter_sockmap", 16, true}};
  for (const Buffer& one : kBuffers) {
    if (one.iterator != target.name || one.offset != offset) continue;
    AttachedAccess access{true};
    access.is_buffer = true;
    access.is_read_only = one.is_read_only;
    return access;
  }
  return {};
}

// By the type tags that follow a pointer.
Trust tagged(const btf::Btf& types, std::uint32_t id, Trust otherwise) {
  const btf::Type& type = *types.type(id);
  if (!btf::is(type, Kind::kTypeTag) || abi::btf::kind_flag(type)) return otherwise;
  const std::string_view tag = types.name(type);
  return tag == "user" ? Trust::kUser : tag == "percpu" ? Trust::kPercpu : otherwise;
}

// A program's context, which whoever traces the program sees as the kernel's own (btf_translate_to_vmlinux).
AttachedAccess check_context_argument(const UnverifiedProgram& tracing, const btf::Btf& types,
                                      const btf::Type& type, abi::ProgType program) {
  const char* const name = kernel_context(types, type, program);
  if (name == nullptr || *name == '\0') return {};
  const Result<const btf::Btf*> kernels = kernel_types(tracing);
  if (!kernels) return {};
  const Result<std::uint32_t> id = (*kernels)->find_by_name(name, Kind::kStruct);
  if (!id) return {};
  return {true, *id};
}

}  // namespace

AttachedAccess check_attached_access(const UnverifiedProgram& program, const AttachTarget& target,
                                     std::int32_t offset, std::uint32_t size, bool writes, btf::Log* log) {
  const btf::Btf& types = *target.types;
  const char* const name = target.name.c_str();
  if (writes || offset < 0 || static_cast<std::uint32_t>(offset) >= kMostArguments * 8) return {};
  if (offset % static_cast<std::int32_t>(size) != 0) return {};
  if (offset % 8 != 0) {
    (void)refuse(log, 0, "func '{}' offset {} is not multiple of 8", name, offset);
    return {};
  }
  const std::size_t argument = argument_at(target, static_cast<std::uint32_t>(offset));
  std::span<const abi::btf::Param> parameters;
  if (target.prototype != nullptr) parameters = types.params(*target.prototype);
  if (target.skips_first_argument) parameters = parameters.subspan(1);
  const std::size_t count = target.prototype != nullptr ? parameters.size() : kArgumentsOfProgram;
  const auto is_missing = [&]() -> AttachedAccess {
    (void)refuse(log, 0, "func '{}' doesn't have {}-th argument", name, argument + 1);
    return {};
  };
  if (argument > count) return is_missing();
  std::uint32_t id = 0;
  if (argument < count) {
    if (target.prototype == nullptr) return {true};
    id = parameters[argument].type;
  } else {  // the result
    const bool has_result = attaches(program, A::kLsmMac) || attaches(program, A::kLsmCgroup) ||
                            attaches(program, A::kTraceFexit) || attaches(program, A::kModifyReturn);
    if (!has_result) return is_missing();
    if (target.prototype == nullptr) return {true};
    id = target.prototype->type;
    if (attaches(program, A::kModifyReturn) && !is_small_int(types, *types.type(types.resolve(id)))) {
      (void)refuse(log, 0, "ret type {} not allowed for fmod_ret",
                   btf::kKinds[abi::btf::info_kind(types.type(types.resolve(id))->info)].name);
      return {};
    }
  }
  id = types.resolve(id);
  const btf::Type& type = *types.type(id);
  if (is_number(types, type)) return {true};
  if (!btf::is(type, Kind::kPtr)) {
    (void)refuse(log, 0, "func '{}' arg{} '{}' has type {}. Only pointer access is allowed", name, argument,
                 types.name(type), btf::kKinds[abi::btf::info_kind(type.info)].name);
    return {};
  }
  if (size != 8) {
    (void)refuse(log, 0, "func '{}' size {} must be 8", name, size);
    return {};
  }
  if (const auto buffer = iterator_buffer(program, target, offset)) return *buffer;
  // What it points to may have no type, or none that can be followed.
  const std::uint32_t pointed = types.resolve(type.type);
  const btf::Type& there = *types.type(pointed);
  if (types.is_void(there) || is_small_int(types, there)) return {true};
  if (!btf::is_aggregate(there)) {
    (void)refuse(log, 0, "func '{}' arg{} type {} is not a struct", name, argument,
                 btf::kKinds[abi::btf::info_kind(there.info)].name);
    return {};
  }
  if (target.of_program) return check_context_argument(program, types, there, *target.of_program);
  AttachedAccess access{true, pointed};
  access.trust =
      tagged(types, type.type, arguments_are_trusted(program, target) ? Trust::kTrusted : Trust::kNone);
  const std::string_view parameter =
      argument < parameters.size() ? types.name(parameters[argument].name_off) : "";
  access.maybe_null = parameter.ends_with("__nullable");
  // An iterator ends with a call without an object; the map whose elements it goes through stays.
  if (attaches(program, A::kTraceIter) && argument != 0) {
    access.maybe_null = target.name == "bpf_iter_bpf_map" || types.name(there) != std::string_view("bpf_map");
    if (access.maybe_null && !is_one_of(target.name, kTrustedIterators)) access.trust = Trust::kNone;
  }
  if (attaches(program, A::kTraceRawTp)) access.maybe_null |= may_be_null(target.name, argument);
  return access;
}

std::optional<ReturnRange> lsm_return_range(const UnverifiedProgram& program, const AttachTarget& target) {
  const bool returns_nothing = !program.is_extension && target.prototype->type == 0;
  if (attaches(program, A::kLsmCgroup)) return ReturnRange{returns_nothing ? 1 : 0, 1, false};
  if (returns_nothing) return std::nullopt;
  if (is_one_of(target.name, kBoolHooks)) return ReturnRange{0, 1, false};
  constexpr std::int64_t kMostErrno = 4095;
  return ReturnRange{-kMostErrno, 0, false};
}

}  // namespace portolan::verifier
