// SPDX-License-Identifier: Apache-2.0
// Programs that call functions of the kernel by name, verdicts on them, and what they return when they run.
#pragma once
#include "syscall/by_kernel_btf_for_test.h"

namespace portolan::syscall::verdicts {

inline constexpr std::uint32_t kSyscall = 31;

class Kfuncs : public ByKernelBtf {
 protected:
  abi::Insn kfunc(const char* name) const {
    const auto types = helper::kernel_btf(*runtime_);
    const auto id = types ? (*types)->find_by_name(name, btf::Kind::kFunc) : fail(ENOENT);
    EXPECT_TRUE(id) << name;
    return {0x85, 0x20, 0, id ? static_cast<std::int32_t>(*id) : 0};
  }

  // R0 of a program of type syscall, on 64 bytes of context; both engines must agree.
  std::uint32_t run(const Code& code, std::vector<std::byte> context = std::vector<std::byte>(64)) {
    const std::uint32_t interpreted = run_on(false, code, context);
    EXPECT_EQ(run_on(true, code, context), interpreted);
    return interpreted;
  }

 private:
  std::uint32_t run_on(bool by_jit, Code code, std::vector<std::byte> context) {
    vm::set_jit_for_test(by_jit);
    const long map = create({.type = abi::MapType::kHash, .key_size = 8, .value_size = 48});
    const long array = create({.type = abi::MapType::kArray, .value_size = 48, .max_entries = 4});
    for (abi::Insn& insn : code)
      if (insn.code == 0x18 && insn.src() == 1)
        insn.imm = static_cast<std::int32_t>(insn.imm == 0 ? map : array);
    std::string log(1 << 16, '\0');
    abi::Attr load{};
    load.prog_load.prog_type = kSyscall;
    load.prog_load.prog_flags = abi::prog_flag::kSleepable;
    load.prog_load.insns = address(code.data());
    load.prog_load.insn_cnt = static_cast<std::uint32_t>(code.size());
    load.prog_load.license = address("GPL");
    load.prog_load.log_buf = address(log.data());
    load.prog_load.log_size = static_cast<std::uint32_t>(log.size());
    load.prog_load.log_level = 1;
    const long fd = call(kProgLoad, load);
    EXPECT_GE(fd, 0) << log.c_str();
    abi::Attr test{};
    test.test.prog_fd = static_cast<std::uint32_t>(fd);
    test.test.ctx_in = address(context.data());
    test.test.ctx_size_in = static_cast<std::uint32_t>(context.size());
    EXPECT_EQ(call(kProgTestRun, test), 0);
    return test.test.retval;
  }
};

// The address of the stack at `offset`.
inline Code stack_at(std::uint8_t to, std::int32_t offset) { return {move(to, r10), add(to, offset)}; }

}  // namespace portolan::syscall::verdicts
