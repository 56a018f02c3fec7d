// SPDX-License-Identifier: Apache-2.0
// bpf_timer: what the verifier asks of it.
#include "timers.h"

namespace portolan::conformance {
namespace {

using namespace timers;

class TimerVerdict : public Timer {};
ON_BOTH_BACKENDS(TimerVerdict);

TEST_P(TimerVerdict, where_the_timer_is) {
  const int fd = timers(kArray);
  const auto at = [](int offset) {
    return
        [offset](Bytecode& code, int) { code.move(1, 7).add(1, offset).set64(2, 0).set(3, 0).call(kStart); };
  };
  EXPECT_EQ("", verdict(fd, at(8)));
  EXPECT_EQ("-EINVAL: off 0 doesn't point to 'struct bpf_timer' that is at 8", verdict(fd, at(0)));
  EXPECT_EQ("-EINVAL: off 16 doesn't point to 'struct bpf_timer' that is at 8", verdict(fd, at(16)));
  EXPECT_EQ("-EACCES: R1 type=fp expected=map_value", verdict(fd, [](Bytecode& code, int) {
              code.move(1, 10).add(1, -16).set64(2, 0).set(3, 0).call(kStart);
            }));
  EXPECT_EQ("-EINVAL: R1 doesn't have constant offset. bpf_timer has to be at the constant offset",
            verdict(fd, [](Bytecode& code, int) {
              code.load(Bytecode::kDouble, 1, 7, 0).raw(0x57, 1, 0, 0, 8).raw(0x0f, 1, 7, 0, 0);
              code.set64(2, 0).set(3, 0).call(kStart);
            }));
  EXPECT_EQ("-EACCES: bpf_timer cannot be accessed directly by load/store",
            verdict(fd, [](Bytecode& code, int) { code.load(Bytecode::kDouble, 0, 7, 8); }));
  EXPECT_EQ("-EACCES: bpf_timer cannot be accessed directly by load/store",
            verdict(fd, [](Bytecode& code, int) { code.store_imm(Bytecode::kByte, 7, 23, 0); }));
}

TEST_P(TimerVerdict, maps_without_timers) {
  const int fd = map({kArray, 4, 24, 8, 0});
  EXPECT_EQ("-EINVAL: map '' has to have BTF in order to use bpf_timer",
            verdict(fd, [](Bytecode& code, int) { start(code, 0); }));
  const auto btf = static_cast<std::uint32_t>(types_btf());
  const int other = keep(create({kArray, 4, 16, 8, 0}, [btf](Attr& attr) {
    attr.set(create::kBtfFd, btf).set(create::kBtfKeyTypeId, kU32).set(create::kBtfValueTypeId, kLockedValue);
  }));
  EXPECT_EQ("-EINVAL: map '' has no valid bpf_timer",
            verdict(other, [](Bytecode& code, int) { start(code, 0); }));
}

TEST_P(TimerVerdict, the_map_is_that_of_the_timer) {
  const int fd = timers(kArray), other = timers(kArray);
  EXPECT_EQ("-EINVAL: timer pointer in R1 map_uid=0 doesn't match map pointer in R2 map_uid=0",
            verdict(fd, [&](Bytecode& code, int) { init(code, other); }));
}

TEST_P(TimerVerdict, inner_maps_are_told_apart_by_their_lookups) {
  const int fd = timers(kArray);
  const int outer = keep(create({kArrayOfMaps, 4, 4, 4, 0}, [fd](Attr& attr) {
    attr.set(create::kInnerMapFd, static_cast<std::uint64_t>(fd));
  }));
  ASSERT_GE(outer, 0);
  for (std::uint32_t key = 0; key < 2; ++key)
    ASSERT_ANSWER(0, update(outer, number32(key), number32(static_cast<std::uint32_t>(timers(kArray)))));
  const int inner = keep(call(kMapGetFdById, Attr().set(by_id::kId, [&] {
    Data value(4);
    EXPECT_ANSWER(0, lookup(outer, number32(0), &value));
    return load_unaligned<std::uint32_t>(value.data());
  }())));
  const auto with = [&](bool same) {
    return [outer, same](Bytecode& code, int function) {
      const int none = code.new_label();
      for (const int reg : {8, 9}) {
        code.store_imm(Bytecode::kWord, 10, -4, reg - 8).map(1, outer).move(2, 10).add(2, -4);
        code.call(kMapLookup).jump(kIfEqual, 0, 0, none).move(reg, 0);
      }
      code.store_imm(Bytecode::kWord, 10, -4, 0).move(1, 8).move(2, 10).add(2, -4).call(kMapLookup);
      code.jump(kIfEqual, 0, 0, none).move(7, 0);
      timer(code).move(2, same ? 8 : 9).set(3, CLOCK_MONOTONIC).call(kInit);
      start(set_callback(code, function), kMillisecond).here(none).set(0, 0);
    };
  };
  const std::string told = verdict(fd, with(false));
  EXPECT_TRUE(told.starts_with("-EINVAL: timer pointer in R1 map_uid=")) << told;
  ASSERT_EQ("", verdict(fd, with(true)));
  EXPECT_ANSWER(0, result_of(fd, 0, with(true)));
  EXPECT_TRUE(reaches(inner, 0, 1));
}

TEST_P(TimerVerdict, callbacks) {
  const int fd = timers(kHash);
  const auto arms = [&](Bytecode& code, int function) { arm(code, fd, function, 0); };
  EXPECT_EQ("", verdict(fd, arms));
  EXPECT_EQ("-EINVAL: At async callback return the register R0 has smin=1 smax=1 should have been in [0, 0]",
            verdict(fd, arms, [](Bytecode& code, int) { code.set(0, 1); }));
  EXPECT_EQ("-EACCES: R0 !read_ok", verdict(fd, arms, [](Bytecode&, int) {}));
  EXPECT_EQ("-EINVAL: At async callback return the register R0 is not a known value (map_value)",
            verdict(fd, arms, [](Bytecode& code, int) { code.move(0, 3); }));
  EXPECT_EQ("-EACCES: R4 !read_ok", verdict(fd, arms, [](Bytecode& code, int) { code.move(0, 4); }));
  EXPECT_EQ("-EACCES: write to change key R2 not allowed", verdict(fd, arms, [](Bytecode& code, int) {
              code.store_imm(Bytecode::kByte, 2, 0, 0).set(0, 0);
            }));
  EXPECT_EQ("-EACCES: R3 min value is outside of the allowed memory range",
            verdict(fd, arms, [](Bytecode& code, int) { code.load(Bytecode::kDouble, 0, 3, 20).set(0, 0); }));
  EXPECT_EQ("-EACCES: R6 !read_ok", verdict(fd, arms, [](Bytecode& code, int) { code.move(0, 6); }));
}

// Though the program may.
TEST_P(TimerVerdict, callbacks_do_not_sleep) {
  const int fd = timers(kHash);
  constexpr std::uint32_t kSyscall = 31, kSleepable = 16;
  constexpr std::int32_t kCopyFromUser = 148;
  const auto sleeps = [](Bytecode& code) {
    code.move(1, 10).add(1, -16).set(2, 8).set(3, 0).call(kCopyFromUser).set(0, 0);
  };
  const auto arms = [&](Bytecode& code, int function) {
    sleeps(code);
    arm(code, fd, function, 0);
  };
  EXPECT_EQ("", verdict(fd, arms, counts, kSyscall, kSleepable));
  EXPECT_EQ("-EINVAL: helper call might sleep in a non-sleepable prog",
            verdict(fd, arms, [&](Bytecode& code, int) { sleeps(code); }, kSyscall, kSleepable));
}

TEST_P(TimerVerdict, programs_that_have_none) {
  const int fd = timers(kHash);
  const auto nothing = [](Bytecode&, int) {};
  EXPECT_EQ("-EINVAL: tracing progs cannot use bpf_timer yet", verdict(fd, nothing, counts, kKprobe));
  EXPECT_EQ("", verdict(fd, nothing, counts, kSocketFilter));
}

}  // namespace
}  // namespace portolan::conformance
