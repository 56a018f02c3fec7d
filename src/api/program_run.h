// SPDX-License-Identifier: Apache-2.0
// Many runs of one program by its host.
#pragma once
#include <algorithm>
#include <memory>
#include <span>

#include "api/backend.h"
#include "api/packet_run.h"
#include "portolan/object.hpp"
#include "vm/prepare.h"
#include "vm/runner.h"

namespace portolan::detail {

// one(i, run) for each number below `count`, where run(&context) is one run of the program, and gives R0;
// until one fails.
template <class One>
Result<void> run_inside(object::Runtime& runtime, int fd, std::size_t count, One&& one) {
  const sync::CallEpoch epoch;
  auto& program = static_cast<verifier::Program&>(*TRY(runtime.target_of_fd(fd, object::Kind::kProg)).view);
  const vm::Executable& executable = *TRY(vm::executable_of(program));
  std::unique_ptr<vm::Burst> own;
  if (vm::Burst::find(runtime) == nullptr) own = TRY(vm::Burst::begin(runtime));
  vm::Runner& runner = *vm::Burst::find(runtime);
  const auto run = [&](void* context) {
    return static_cast<std::uint32_t>(runner.run_inside(executable, program.id(), context, nullptr));
  };
  for (std::size_t first = 0; first < count; first += vm::kRunsAtOnce) {
    const vm::Runner::Inside inside(runner);
    for (std::size_t i = first; i < std::min<std::size_t>(count, first + vm::kRunsAtOnce); ++i)
      TRY(one(i, run));
  }
  return {};
}

// The same for Program::run: its checks, and its errors.
template <class One>
Expected<void> run_each(const Runtime& runtime, int fd, bool takes_these, std::size_t count,
                        std::span<std::uint32_t> results, One&& one) {
  const auto failed = [](int code, const char* why) {
    return std::unexpected(Error(Operation::kTestRun, code, why));
  };
  object::Runtime* const here = runtime.backend()->runtime();
  if (here == nullptr) return failed(EOPNOTSUPP, "the kernel's programs run in the kernel");
  if (!takes_these) return failed(EINVAL, "a program of this type takes something else");
  if (results.size() < count) return failed(EINVAL, "there are fewer results than runs");
  if (const auto ran = run_inside(*here, fd, count, one); !ran) return failed(ran.error().value, "");
  return {};
}

}  // namespace portolan::detail
