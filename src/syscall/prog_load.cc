// SPDX-License-Identifier: Apache-2.0
#include <new>

#include "abi/prog_flags.h"
#include "abi/prog_type.h"
#include "base/clock.h"
#include "syscall/call.h"
#include "syscall/log_buffer.h"
#include "verifier/program.h"

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
      return attach_type == 0;
    case kTracing:  // these four name what they attach to by BTF, of which the kernel's is not here
    case kStructOps:
    case kExt:
    case kLsm:
      return false;
    default:
      return true;
  }
}

bool is_gpl_compatible(std::string_view license) {
  for (const std::string_view one :
       {"GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"})
    if (license == one) return true;
  return false;
}

Result<verifier::UnverifiedProgram> copy_program(const Call& call) {
  const abi::ProgLoadAttr& attr = call.attr.prog_load;
  verifier::UnverifiedProgram program{attr.prog_type, {}};
  try {
    program.insns.resize(attr.insn_cnt);
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
  TRY(call.caller.copy_in(program.insns.data(), attr.insns, program.insns.size() * sizeof(abi::Insn)));
  return program;
}

Result<std::string> copy_license(const Call& call) {
  char license[128];
  const std::size_t length =
      TRY(call.caller.copy_in_string(license, call.attr.prog_load.license, sizeof license - 1));
  return std::string(license, length);
}

// The verdict goes to the caller's log whatever it is; a log that does not fit is an error of its own.
Result<verifier::VerifiedProgram> verify(const Call& call, verifier::UnverifiedProgram program) {
  const abi::ProgLoadAttr& attr = call.attr.prog_load;
  const LogBuffer buffer{attr.log_level, attr.log_size, attr.log_buf};
  if (!buffer.is_valid()) return fail(EINVAL);
  std::string log;
  Result<verifier::VerifiedProgram> verified = fail(EINVAL);
  if (attr.prog_btf_fd != 0 || attr.func_info_cnt != 0 || attr.line_info_cnt != 0 || attr.core_relo_cnt != 0)
    log = "function, line and relocation info are not supported by this verifier\n";
  else
    verified = verifier::verify(std::move(program), &log);
  std::uint32_t true_size = 0;
  const Result<void> written = buffer.write(call.caller, log, &true_size);
  constexpr std::uint32_t end = offsetof(abi::ProgLoadAttr, log_true_size) + sizeof true_size;
  if (call.size >= end) TRY(call.put(offsetof(abi::ProgLoadAttr, log_true_size), true_size));
  if (!written) return fail(written.error());
  return verified;
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
  if (attr.attach_prog_fd != 0 || attr.attach_btf_id != 0) return fail(EINVAL);
  if (!may_attach(static_cast<abi::ProgType>(attr.prog_type), attr.expected_attach_type)) return fail(EINVAL);
  verifier::UnverifiedProgram program = TRY(copy_program(call));
  const std::string license = TRY(copy_license(call));
  if (attr.prog_ifindex != 0) return fail(EINVAL);  // there is no device to offload to
  if (attr.prog_type == 0 || attr.prog_type >= abi::kProgTypeEnd) return fail(EINVAL);

  verifier::ProgramAttributes attributes;
  attributes.load_time_ns = boottime_ns();
  attributes.created_by_uid = static_cast<std::uint32_t>(sys::call(SYS_getuid));
  attributes.gpl_compatible = is_gpl_compatible(license) ? 1 : 0;
  attributes.expected_attach_type = attr.expected_attach_type;
  TRY(copy_name(attributes.name, attr.prog_name));
  const verifier::VerifiedProgram verified = TRY(verify(call, std::move(program)));

  object::Draft draft = TRY(verifier::draft_program(call.runtime, verified, attributes));
  auto published = TRY(call.runtime.publish(std::move(draft), {}, shm::Access::kReadWrite));
  return TRY(call.caller.install_fd(std::move(published.fd)));
}

}  // namespace portolan::syscall
