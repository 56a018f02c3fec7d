// SPDX-License-Identifier: Apache-2.0
// Verdicts on programs that name what is in the kernel's BTF, and runs of them by either
// engine.
#pragma once
#include "helper/kernel_btf.h"
#include "syscall/verdicts_for_test.h"
#include "vm/prepare.h"

namespace portolan::syscall::verdicts {

class ByKernelBtf : public Verdicts {
 protected:
  void TearDown() override {
    vm::set_jit_for_test(true);
    Verdicts::TearDown();
  }
};

}  // namespace portolan::syscall::verdicts
