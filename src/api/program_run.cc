// SPDX-License-Identifier: Apache-2.0
// Runs of one program on many packets of the host's.
#include <algorithm>

#include "api/backend.h"
#include "api/packet_run.h"
#include "portolan/object.hpp"
#include "vm/prepare.h"
#include "vm/runner.h"

namespace portolan {
namespace {

using P = abi::ProgType;

constexpr std::uint32_t kIfindex = 1;  // as in BPF_PROG_TEST_RUN

Result<void> run_on(vm::Runner& runner, const vm::Executable& executable, std::uint32_t id, Packet& packet,
                    std::uint32_t* result) {
  const auto run = [&](auto& context) {
    return static_cast<std::uint32_t>(runner.run_inside(executable, id, &context, nullptr));
  };
  if (!detail::is_whole(packet)) return fail(EINVAL);
  const P type = executable.type();
  if (type != P::kXdp)
    return detail::with_sk_buff(type != P::kSocketFilter && type != P::kCgroupSkb, kIfindex, packet, result,
                                run);
  *result = detail::with_xdp_buff(kIfindex, packet, run);
  return {};
}

Result<void> run_all(object::Runtime& runtime, int fd, std::span<Packet> packets,
                     std::span<std::uint32_t> results) {
  const sync::CallEpoch epoch;
  auto& program = static_cast<verifier::Program&>(*TRY(runtime.target_of_fd(fd, object::Kind::kProg)).view);
  const vm::Executable& executable = *TRY(vm::executable_of(program));
  std::unique_ptr<vm::Burst> own;
  if (vm::Burst::find(runtime) == nullptr) own = TRY(vm::Burst::begin(runtime));
  vm::Runner& runner = *vm::Burst::find(runtime);
  for (std::size_t first = 0; first < packets.size(); first += vm::kRunsAtOnce) {
    const vm::Runner::Inside inside(runner);
    for (std::size_t i = first; i < std::min<std::size_t>(packets.size(), first + vm::kRunsAtOnce); ++i)
      TRY(run_on(runner, executable, program.id(), packets[i], &results[i]));
  }
  return {};
}

}  // namespace

Expected<void> Program::run(std::span<Packet> packets, std::span<std::uint32_t> results) const {
  object::Runtime* const runtime = runtime_.backend()->runtime();
  if (runtime == nullptr)
    return std::unexpected(Error(Operation::kTestRun, EOPNOTSUPP, "the kernel's programs run in the kernel"));
  switch (static_cast<P>(type_)) {
    case P::kXdp:
    case P::kSocketFilter:
    case P::kSchedCls:
    case P::kSchedAct:
    case P::kCgroupSkb:
      break;
    default:
      return std::unexpected(Error(Operation::kTestRun, EINVAL, "a program of this type takes no packets"));
  }
  if (results.size() < packets.size())
    return std::unexpected(Error(Operation::kTestRun, EINVAL, "there are fewer results than packets"));
  if (const auto ran = run_all(*runtime, fd_, packets, results); !ran)
    return std::unexpected(Error(Operation::kTestRun, ran.error().value));
  return {};
}

}  // namespace portolan
