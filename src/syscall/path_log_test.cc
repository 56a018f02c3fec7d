// SPDX-License-Identifier: Apache-2.0
// What the log shows of each instruction: the registers and words of stack that it had to do with, as Linux
// 6.18 shows them.
#include <gmock/gmock.h>

#include "syscall/verdicts_for_test.h"

namespace portolan::syscall::verdicts {
namespace {

using ::testing::StartsWith;

class PathLog : public Verdicts {
 protected:
  std::string log_of(const Code& code, std::uint32_t level) {
    std::string text;
    EXPECT_EQ(load_program({"", kFilter, code, EACCES, ""}, level, text), -EACCES);
    return text;
  }
};

constexpr abi::Insn kReadsNothing = move(r0, r4);  // which is refused

TEST_F(PathLog, shows_what_an_instruction_touched_behind_it) {
  EXPECT_THAT(log_of({move(r6, r1), ask(kRandom), bit_and(r0, 15), move(r2, r10), add(r2, -16), sum(r2, r0),
                      put(r10, -8, 1), put(r10, -16, 2), load(1, r3, r2, 0), kReadsNothing, kExit},
                     1),
              StartsWith("0: R1=ctx() R10=fp0\n"
                         "0: (bf) r6 = r1                       ; R1=ctx() R6=ctx()\n"
                         "1: (85) call bpf_get_prandom_u32#7    ; R0=scalar()\n"
                         "2: (57) r0 &= 15                      ; "
                         "R0=scalar(smin=smin32=0,smax=umax=smax32=umax32=15,var_off=(0x0; 0xf))\n"
                         "3: (bf) r2 = r10                      ; R2=fp0 R10=fp0\n"
                         "4: (07) r2 += -16                     ; R2=fp-16\n"
                         "5: (0f) r2 += r0                      ; "
                         "R0=scalar(smin=smin32=0,smax=umax=smax32=umax32=15,var_off=(0x0; 0xf)) "
                         "R2=fp(off=-16,smin=smin32=0,smax=umax=smax32=umax32=15,var_off=(0x0; 0xf))\n"
                         "6: (7a) *(u64 *)(r10 -8) = 1          ; R10=fp0 fp-8=1\n"
                         "7: (7a) *(u64 *)(r10 -16) = 2         ; R10=fp0 fp-16=2\n"
                         "8: (71) r3 = *(u8 *)(r2 +0)           ; "
                         "R2=fp(off=-16,smin=smin32=0,smax=umax=smax32=umax32=15,var_off=(0x0; 0xf)) "
                         "R3=scalar(smin=smin32=0,smax=umax=smax32=umax32=255,var_off=(0x0; 0xff)) fp-16=2\n"
                         "9: (bf) r0 = r4\n"
                         "R4 !read_ok\n"));
}

TEST_F(PathLog, shows_callers_and_callees) {
  EXPECT_THAT(
      log_of({mov(r1, 7), call_function(2), kReadsNothing, kExit, move(r0, r1), add(r0, 1), kExit}, 1),
      StartsWith("0: R1=ctx() R10=fp0\n"
                 "0: (b7) r1 = 7                        ; R1=7\n"
                 "1: (85) call pc+2\n"
                 "caller:\n"
                 " R10=fp0\n"
                 "callee:\n"
                 " frame1: R1=7 R10=fp0\n"
                 "4: frame1: R1=7 R10=fp0\n"
                 "4: (bf) r0 = r1                       ; frame1: R0=7 R1=7\n"
                 "5: (07) r0 += 1                       ; frame1: R0=8\n"
                 "6: (95) exit\n"
                 "returning from callee:\n"
                 " frame1: R0=8 R1=7 R10=fp0\n"
                 "to caller at 2:\n"
                 " R0=8 R10=fp0\n"
                 "2: (bf) r0 = r4\n"
                 "R4 !read_ok\n"));
}

TEST_F(PathLog, shows_all_at_the_beginning_of_a_path) {
  EXPECT_THAT(log_of({load(4, r7, r1, 0), if_not(r7, 3, 2), mov(r0, 0), kExit, kReadsNothing, kExit}, 2),
              ::testing::HasSubstr(
                  "3: (95) exit\n\n"
                  "from 1 to 4: R1=ctx() R7=scalar(smin=0,smax=umax=0xffffffff,var_off=(0x0; 0xffffffff)) "
                  "R10=fp0\n"
                  "4: R1=ctx() R7=scalar(smin=0,smax=umax=0xffffffff,var_off=(0x0; 0xffffffff)) R10=fp0\n"
                  "4: (bf) r0 = r4\n"));
}

}  // namespace
}  // namespace portolan::syscall::verdicts
