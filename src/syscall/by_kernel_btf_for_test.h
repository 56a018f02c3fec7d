// SPDX-License-Identifier: Apache-2.0
// Verdicts on programs that name what is in the BTF of the machine's kernel, and runs of them by either
// engine.
#pragma once
#include "map/kernel_btf.h"
#include "syscall/verdicts_for_test.h"
#include "vm/prepare.h"

namespace portolan::syscall::verdicts {

class ByKernelBtf : public Verdicts {
 protected:
  void SetUp() override {
    Verdicts::SetUp();
    if (!map::has_kernel_btf()) GTEST_SKIP() << "this machine has no BTF of its kernel";
  }
  void TearDown() override {
    vm::set_jit_for_test(true);
    Verdicts::TearDown();
  }
};

}  // namespace portolan::syscall::verdicts
