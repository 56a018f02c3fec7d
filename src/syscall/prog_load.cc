// SPDX-License-Identifier: Apache-2.0
#include "abi/prog_flags.h"
#include "abi/prog_type.h"
#include "base/clock.h"
#include "syscall/program_source.h"
#include "syscall/user_log.h"
#include "verifier/program.h"
#include "vm/prepare.h"

namespace portolan::syscall {
namespace {

constexpr std::uint32_t kKnownFlags =
    abi::prog_flag::kStrictAlignment | abi::prog_flag::kAnyAlignment | abi::prog_flag::kTestRndHi32 |
    abi::prog_flag::kTestStateFreq | abi::prog_flag::kSleepable | abi::prog_flag::kXdpHasFrags |
    abi::prog_flag::kXdpDevBoundOnly | abi::prog_flag::kTestRegInvariants | abi::prog_flag::kTokenFd;

// Whether a program of this type may say that it will be attached so (bpf_prog_load_check_attach).
bool may_attach(abi::ProgType type, std::uint32_t attach_type) {
  using enum abi::ProgType;
  using A = abi::AttachType;
  const auto is_one_of = [attach_type](std::initializer_list<A> types) {
    for (A one : types)
      if (static_cast<std::uint32_t>(one) == attach_type) return true;
    return false;
  };
  switch (type) {
    case kCgroupSock:  // 0 stands for creation
      return attach_type == 0 || is_one_of({A::kCgroupInetSockCreate, A::kCgroupInetSockRelease,
                                            A::kCgroupInet4PostBind, A::kCgroupInet6PostBind});
    case kCgroupSockAddr:
      return is_one_of({A::kCgroupInet4Bind, A::kCgroupInet6Bind, A::kCgroupInet4Connect,
                        A::kCgroupInet6Connect, A::kCgroupUnixConnect, A::kCgroupInet4Getpeername,
                        A::kCgroupInet6Getpeername, A::kCgroupUnixGetpeername, A::kCgroupInet4Getsockname,
                        A::kCgroupInet6Getsockname, A::kCgroupUnixGetsockname, A::kCgroupUdp4Sendmsg,
                        A::kCgroupUdp6Sendmsg, A::kCgroupUnixSendmsg, A::kCgroupUdp4Recvmsg,
                        A::kCgroupUdp6Recvmsg, A::kCgroupUnixRecvmsg});
    case kCgroupSkb:
      return is_one_of({A::kCgroupInetIngress, A::kCgroupInetEgress});
    case kCgroupSockopt:
      return is_one_of({A::kCgroupSetsockopt, A::kCgroupGetsockopt});
    case kSkLookup:
      return is_one_of({A::kSkLookup});
    case kSkReuseport:
      return attach_type == 0 || is_one_of({A::kSkReuseportSelect, A::kSkReuseportSelectOrMigrate});
    case kNetfilter:
      return is_one_of({A::kNetfilter});
    case kSyscall:
    case kExt:
      return attach_type == 0;
    default:
      return true;
  }
}

// What 0 stands for, where it is older than the field.
std::uint32_t fixed_attach_type(abi::ProgType type, std::uint32_t attach_type) {
  if (attach_type != 0) return attach_type;
  if (type == abi::ProgType::kCgroupSock)
    return static_cast<std::uint32_t>(abi::AttachType::kCgroupInetSockCreate);
  if (type == abi::ProgType::kSkReuseport)
    return static_cast<std::uint32_t>(abi::AttachType::kSkReuseportSelect);
  return 0;
}

bool attaches_by_btf(abi::ProgType type) {
  using enum abi::ProgType;
  return type == kTracing || type == kLsm || type == kStructOps || type == kExt;
}

// Of what prog_types.def says that nothing of it loads, struct_ops and ext say more than that in the log.
bool is_known_type(std::uint32_t type) {
  return type != 0 && type < abi::kProgTypeEnd &&
         type != static_cast<std::uint32_t>(abi::ProgType::kLircMode2);
}

// The program that attach_prog_fd names; nullptr: none, or the kernel's BTF. EINVAL, EBADF; kEnotsupp: a BTF
// that is not the kernel's.
Result<verifier::Program*> find_attach_target(const Call& call) {
  const abi::ProgLoadAttr& attr = call.attr.prog_load;
  const auto type = static_cast<abi::ProgType>(attr.prog_type);
  verifier::Program* program = nullptr;
  if (attr.attach_prog_fd != 0) {
    const int fd = TRY(call.caller.resolve_fd(static_cast<int>(attr.attach_prog_fd)));
    const auto target = call.runtime.target_of_any_fd(fd);
    if (!target) return fail(EINVAL);
    if (target->view->kind() == object::Kind::kProg) {
      program = static_cast<verifier::Program*>(target->view);
    } else {
      if (target->view->kind() != object::Kind::kBtf) return fail(EINVAL);
      if (target->view->id() != object::kKernelBtfId) return fail(kEnotsupp);
      if (attr.attach_btf_id == 0) return fail(EINVAL);
    }
  }
  if (program != nullptr && type != abi::ProgType::kTracing && type != abi::ProgType::kExt)
    return fail(EINVAL);
  if (attr.attach_btf_id == 0) return program;
  if (attr.attach_btf_id > abi::btf::kMaxType) return fail(EINVAL);
  if (!attaches_by_btf(type)) return fail(EINVAL);
  return program;
}

// What its checks have found of the target, for those of the program.
Result<verifier::TargetProgram> describe(verifier::Program& target) {
  TRY(vm::executable_of(target));
  return target.as_target();
}

bool is_gpl_compatible(std::string_view license) {
  for (const std::string_view one :
       {"GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"})
    if (license == one) return true;
  return false;
}

Result<std::string> copy_license(const Call& call) {
  char license[128];
  const std::size_t length =
      TRY(call.caller.copy_in_string(license, call.attr.prog_load.license, sizeof license - 1));
  return std::string(license, length);
}

// What the verifier is given, and what it finds besides.
struct Checked {
  verifier::VerifiedProgram program;
  std::uint32_t btf_id;
  std::vector<map::Map*> listed;
};
Result<Checked> check(const Call& call, verifier::UnverifiedProgram program, btf::Log* log) {
  CallersMaps maps(call);
  auto listed = TRY(maps.listed());
  std::uint32_t btf_id = 0;
  TRY(copy_btf_info(call, program, &btf_id, log));
  CallersCoreRelos core_relos(call);
  if (program.btf != nullptr) program.core_relos = &core_relos;
  const map::ProgramTraits traits =
      verifier::traits_of(static_cast<std::uint32_t>(program.type),
                          program.is_extension ? 0 : program.expected_attach_type, program.flags);
  Checked checked{TRY(verifier::verify(std::move(program), maps, log)), btf_id, std::move(listed)};
  // Of the arrays that it makes tail calls through, it must be such as their programs are.
  for (map::Map* map : checked.program.maps())
    if (map->contains_programs() && !map->takes_program(traits)) return fail(EINVAL);
  return checked;
}

// Listed maps first, as the kernel counts them; each once.
std::vector<object::Edge> edges_of(const Checked& checked, const verifier::ProgramAttributes& attributes) {
  std::vector<object::Edge> edges;
  const auto add = [&](object::Edge edge) {
    for (const object::Edge& one : edges)
      if (one.kind == edge.kind && one.id == edge.id) return;
    edges.push_back(edge);
  };
  for (const map::Map* map : checked.listed) add({object::Kind::kMap, map->id()});
  for (const object::Edge& edge : verifier::edges_of(checked.program, attributes)) add(edge);
  return edges;
}

}  // namespace

Result<long> prog_load(const Call& call) {
  const abi::ProgLoadAttr& attr = call.attr.prog_load;
  if ((attr.prog_flags & ~kKnownFlags) != 0) return fail(EINVAL);
  if ((attr.prog_flags & abi::prog_flag::kTokenFd) != 0) {
    const int token = TRY(call.caller.resolve_fd(attr.prog_token_fd));
    (void)TRY(call.runtime.target_of_any_fd(token));
    return fail(EINVAL);  // nothing is a token
  }
  if (attr.insn_cnt == 0 || attr.insn_cnt > abi::kMaxInsns) return fail(E2BIG);
  verifier::Program* const target = TRY(find_attach_target(call));
  if (!may_attach(static_cast<abi::ProgType>(attr.prog_type), attr.expected_attach_type)) return fail(EINVAL);
  verifier::UnverifiedProgram program;
  program.runtime = &call.runtime;
  program.insns = TRY(copy_insns(call));
  const std::string license = TRY(copy_license(call));
  if (attr.signature != 0) return fail(EINVAL);     // there are no keyrings
  if (attr.prog_ifindex != 0) return fail(EINVAL);  // there is no device to offload to
  if (!is_known_type(attr.prog_type)) return fail(EINVAL);
  program.type = static_cast<abi::ProgType>(attr.prog_type);
  program.is_extension = program.type == abi::ProgType::kExt;
  program.expected_attach_type = fixed_attach_type(program.type, attr.expected_attach_type);
  program.attach_btf_id = attr.attach_btf_id;
  program.flags = attr.prog_flags;
  program.gpl_compatible = is_gpl_compatible(license);
  program.possible_cpus = call.runtime.possible_cpus();

  verifier::ProgramAttributes attributes;
  verifier::TargetProgram target_program;
  if (target != nullptr) {
    target_program = TRY(describe(*target));
    program.target = &target_program;
    attributes.target_id = target->id();
    attributes.target_type = static_cast<std::uint32_t>(target_program.type);
    attributes.target_attach_type = target_program.expected_attach_type;
    if (program.is_extension) {
      program.type = target_program.type;
      program.expected_attach_type = target_program.expected_attach_type;
    }
  }
  attributes.load_time_ns = boottime_ns();
  attributes.created_by_uid = static_cast<std::uint32_t>(sys::call(SYS_getuid));
  TRY(copy_name(attributes.name, attr.prog_name));
  program.name = attributes.name;

  if (!btf::log_settings_are_valid(attr.log_level, attr.log_buf != 0, attr.log_size)) return fail(EINVAL);
  btf::Log log(attr.log_level, attr.log_size);
  Result<Checked> checked = check(call, std::move(program), &log);
  TRY(hand_over(call, log, attr.log_buf, offsetof(abi::ProgLoadAttr, log_true_size)));
  if (!checked) return fail(checked.error());

  attributes.btf_id = checked->btf_id;
  attributes.tag = verifier::tag_of(checked->program.digest());
  object::Draft draft = TRY(verifier::draft_program(call.runtime, checked->program, attributes));
  const std::vector<object::Edge> edges = edges_of(*checked, attributes);
  auto executable = TRY(vm::make_ready(checked->program, verifier::Program::gates(draft, checked->program)));
  auto published = TRY(call.runtime.publish(std::move(draft), edges, shm::Access::kReadWrite));
  // Where it cannot be kept, the first run verifies again.
  (void)static_cast<verifier::Program*>(published.view)
      ->adopt(std::move(executable), checked->program.maps());
  return TRY(call.caller.install_fd(std::move(published.fd)));
}

}  // namespace portolan::syscall
