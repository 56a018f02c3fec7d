// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <vector>

#include "syscall/call.h"
#include "verifier/verifier.h"

namespace portolan::syscall {

// What PROG_LOAD's attr points at, copied in. E2BIG, EFAULT, ENOMEM.
Result<std::vector<abi::Insn>> copy_insns(const Call& call);
// The BTF, if any, and the records that refer to it. EBADF, EINVAL, EACCES, EFAULT, E2BIG (a record of ours
// would not say what the caller's says); `log` says which.
Result<void> copy_btf_info(const Call& call, verifier::UnverifiedProgram& program, std::uint32_t* btf_id,
                           btf::Log* log);

// The records of core_relos, of a program with BTF. EINVAL, EFAULT, E2BIG.
class CallersCoreRelos final : public verifier::CoreReloSource {
 public:
  explicit CallersCoreRelos(const Call& call) : call_(call) {}
  Result<std::optional<abi::CoreRelo>> next(btf::Log* log) override;

 private:
  const Call& call_;
  std::uint32_t taken_ = 0;
};

// The maps that a new program may name: by the caller's fds, or by their places in its fd_array.
class CallersMaps final : public verifier::MapSource {
 public:
  explicit CallersMaps(const Call& call) : call_(call) {}
  Result<map::Map*> by_fd(int fd) override;
  Result<map::Map*> by_index(std::uint32_t index) override;
  // Those of a counted fd_array, which belong to the program though it may not name them. EINVAL: an fd of
  // something else than a map or BTF.
  Result<std::vector<map::Map*>> listed();

 private:
  Result<int> fd_at(std::uint32_t index);
  const Call& call_;
};

}  // namespace portolan::syscall
