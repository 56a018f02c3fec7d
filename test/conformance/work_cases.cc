// SPDX-License-Identifier: Apache-2.0
// bpf_wq: what its functions answer, when callbacks run, and what the verifier asks of it. What it shares
// with bpf_timer is asked in timer_cases.cc.
#include "kfuncs.h"
#include "timers.h"

namespace portolan::conformance {
namespace {

using namespace timers;

constexpr std::uint32_t kTc = 3, kSyscall = 31, kSleepable = 16;
constexpr int kWorkAt = 24;  // in a value

// u32, as in all maps; struct { u64 count; struct bpf_timer timer; struct bpf_wq work; }; struct { struct
// bpf_wq work; }.
constexpr std::uint32_t kValue = 5, kOnlyWork = 6;
Data work_types() {
  constexpr std::uint32_t kTimer = 3, kWork = 4;
  return BtfBlob()
      .add_int("u32", 4)
      .add_int("u64", 8)
      .add_struct("bpf_timer", 16, {{"first", kU64, 0}, {"second", kU64, 64}})
      .add_struct("bpf_wq", 16, {{"first", kU64, 0}, {"second", kU64, 64}})
      .add_struct("value", 40, {{"count", kU64, 0}, {"timer", kTimer, 64}, {"work", kWork, 192}})
      .add_struct("only_work", 16, {{"work", kWork, 0}})
      .bytes();
}

class Work : public Timer {
 protected:
  Work() : Timer(kValue, 40) {}
  long types_of_values() override { return load_btf(work_types()); }
  void SetUp() override {
    Timer::SetUp();
    if (kfunc_id("bpf_wq_init") == 0) GTEST_SKIP() << "this kernel's BTF has no such functions";
  }
  static Bytecode& ask(Bytecode& code, std::string_view name) { return code.call_kfunc(kfunc_id(name)); }
  static Bytecode& work(Bytecode& code, int value = 7) { return code.move(1, value).add(1, kWorkAt); }
  static Bytecode& init(Bytecode& code, int fd, std::int32_t flags = 0) {
    return ask(work(code).map(2, fd).set(3, flags), "bpf_wq_init");
  }
  static Bytecode& set_callback(Bytecode& code, int function, std::int32_t flags = 0) {
    return ask(work(code).function(2, function).set(3, flags).set(4, 0), "bpf_wq_set_callback_impl");
  }
  static Bytecode& start(Bytecode& code, std::int32_t flags = 0) {
    return ask(work(code).set(2, flags), "bpf_wq_start");
  }
  static Bytecode& begin(Bytecode& code, int fd, int function) {
    return start(set_callback(init(code, fd), function));
  }
  long started(int fd, std::int32_t key, const std::function<void(Bytecode&, int)>& callback = counts) {
    return result_of(fd, key, [fd](Bytecode& code, int function) { begin(code, fd, function); }, callback);
  }
  long started_again(int fd, std::int32_t key) {
    return result_of(fd, key, [](Bytecode& code, int) { start(code); });
  }
};
ON_BOTH_BACKENDS(Work);

TEST_P(Work, without_what_comes_before) {
  for (const std::uint32_t type : {kArray, kHash, kLruHash}) {
    SCOPED_TRACE(map_type_name(type));
    const int fd = timers(type);
    EXPECT_ANSWER(-EINVAL,
                  result_of(fd, 0, [](Bytecode& code, int function) { set_callback(code, function); }));
    EXPECT_ANSWER(-EINVAL, started_again(fd, 0));
    EXPECT_ANSWER(-EINVAL, result_of(fd, 0, [&](Bytecode& code, int) { start(init(code, fd)); }));
    EXPECT_ANSWER(-EBUSY, result_of(fd, 0, [&](Bytecode& code, int) { init(code, fd); }));
    EXPECT_ANSWER(0, result_of(fd, 0, [](Bytecode& code, int function) { set_callback(code, function); }));
    EXPECT_ANSWER(0, started_again(fd, 0));
    EXPECT_TRUE(reaches(fd, 0, 1));
  }
}

TEST_P(Work, takes_no_flags) {
  const int fd = timers(kArray);
  for (const std::int32_t flags : {1, -1}) {
    SCOPED_TRACE(flags);
    EXPECT_ANSWER(-EINVAL, result_of(fd, 0, [&](Bytecode& code, int) { init(code, fd, flags); }));
    EXPECT_ANSWER(-EINVAL, result_of(fd, 0, [&](Bytecode& code, int function) {
      set_callback(init(code, fd), function, flags);
    }));
    EXPECT_ANSWER(0, update(fd, number32(0), Data(40)));
  }
  ASSERT_ANSWER(0, started(fd, 1));
  EXPECT_ANSWER(-EINVAL, result_of(fd, 1, [](Bytecode& code, int) { start(code, 1); }));
  // They are 32 bits wide.
  EXPECT_ANSWER(0, result_of(fd, 1, [](Bytecode& code, int) {
                  ask(work(code).set64(2, std::uint64_t{1} << 32), "bpf_wq_start");
                }));
}

TEST_P(Work, a_callback_gets_map_key_and_value) {
  for (const std::uint32_t type : {kArray, kHash, kLruHash}) {
    SCOPED_TRACE(map_type_name(type));
    const int fd = timers(type);
    EXPECT_ANSWER(
        0, started(fd, 3, [](Bytecode& code, int) {
          const int other = code.new_label();
          code.move(6, 3).load(Bytecode::kWord, 9, 2, 0).call(kMapLookup).jump_to(0x5d, 0, 6, other);
          code.add(9, 100).store(Bytecode::kDouble, 6, 0, 9).here(other).set(0, 0);
        }));
    EXPECT_TRUE(reaches(fd, 3, 103));
    EXPECT_EQ(0u, count(fd, 2));
  }
}

TEST_P(Work, comes_again_when_it_is_started_again) {
  const int fd = timers(kHash);
  ASSERT_ANSWER(0, started(fd, 0));
  EXPECT_TRUE(reaches(fd, 0, 1));
  EXPECT_ANSWER(0, started_again(fd, 0));
  EXPECT_TRUE(reaches(fd, 0, 2));
  EXPECT_EQ(2u, count(fd, 0));
}

TEST_P(Work, a_callback_starts_its_own_work) {
  const int fd = timers(kArray);
  EXPECT_ANSWER(0, started(fd, 0, [](Bytecode& code, int) {
                  const int enough = code.new_label();
                  code.move(7, 3).load(Bytecode::kDouble, 8, 7, 0).add(8, 1);
                  code.store(Bytecode::kDouble, 7, 0, 8).jump(kIfEqual, 8, 5, enough);
                  start(code).here(enough).set(0, 0);
                }));
  EXPECT_TRUE(reaches(fd, 0, 5));
  EXPECT_EQ(5u, count(fd, 0));
}

// That one waits for it would be a deadlock only in a timer's own callback.
TEST_P(Work, a_callback_starts_and_cancels_a_timer) {
  const int fd = timers(kArray);
  EXPECT_ANSWER(0, started(fd, 0, [fd](Bytecode& code, int function) {
                  const int is_timer = code.new_label();
                  code.move(7, 3).load(Bytecode::kDouble, 8, 7, 0).jump(0x55, 8, 0, is_timer);
                  Timer::arm(code, fd, function, std::uint64_t{1} << 60);
                  Timer::cancel(code).add(0, 10).store(Bytecode::kDouble, 7, 0, 0);
                  code.here(is_timer).set(0, 0);
                }));
  EXPECT_TRUE(reaches(fd, 0, 11));
  EXPECT_EQ(11u, count(fd, 0));
}

// Though the program may not.
TEST_P(Work, a_callback_may_sleep) {
  const int fd = timers(kArray);
  const auto sleeps = [](Bytecode& code, int) {
    code.move(7, 3).move(1, 10).add(1, -16).set(2, 8).set(3, 0).set(4, 0);
    ask(code, "bpf_copy_from_user_str").raw(0x84, 0, 0, 0, 0).store(Bytecode::kDouble, 7, 0, 0).set(0, 0);
  };
  EXPECT_ANSWER(0, started(fd, 0, sleeps));
  EXPECT_TRUE(reaches(fd, 0, EFAULT));
  EXPECT_EQ(std::uint64_t{EFAULT}, count(fd, 0));
  const auto begins = [fd](Bytecode& code, int function) { begin(code, fd, function); };
  for (const std::uint32_t type : {kTc, kXdp, kSocketFilter})
    EXPECT_EQ("", verdict(fd, begins, sleeps, type));
  EXPECT_EQ("", verdict(fd, begins, sleeps, kSyscall, kSleepable));
  EXPECT_EQ("-EACCES: program must be sleepable to call sleepable kfunc bpf_copy_from_user_str",
            verdict(fd, [&](Bytecode& code, int function) { sleeps(code.move(3, 7), function); }));
  // The same function as a timer's.
  const auto both = [fd](Bytecode& code, int function) {
    Timer::arm(begin(code, fd, function), fd, function, 0);
  };
  EXPECT_EQ("", verdict(fd, both));
  EXPECT_EQ("-EACCES: program must be sleepable to call sleepable kfunc bpf_copy_from_user_str",
            verdict(fd, both, sleeps));
}

TEST_P(Work, of_an_element_that_is_written_over_or_goes_is_none) {
  for (const std::uint32_t type : {kArray, kHash, kLruHash}) {
    SCOPED_TRACE(map_type_name(type));
    const int fd = timers(type);
    ASSERT_ANSWER(0, started(fd, 0));
    EXPECT_TRUE(reaches(fd, 0, 1));
    EXPECT_ANSWER(0, update(fd, number32(0), Data(40)));
    EXPECT_ANSWER(-EINVAL, started_again(fd, 0));
    ASSERT_ANSWER(0, started(fd, 0));
    EXPECT_TRUE(reaches(fd, 0, 1));
    if (type == kArray) continue;
    EXPECT_ANSWER(0, erase(fd, number32(0)));
    EXPECT_ANSWER(0, update(fd, number32(0), Data(40)));
    EXPECT_ANSWER(-EINVAL, started_again(fd, 0));
  }
}

TEST_P(Work, users_see_zeros_and_write_around_it) {
  for (const std::uint32_t type : {kArray, kHash, kLruHash}) {
    SCOPED_TRACE(map_type_name(type));
    const int fd = timers(type);
    EXPECT_ANSWER(0, update(fd, number32(0), repeated(40, 0xff)));
    EXPECT_ANSWER(-EINVAL, started_again(fd, 0));
    EXPECT_ANSWER(0, result_of(fd, 0, [&](Bytecode& code, int) { init(code, fd); }));
    Data value = repeated(40, 0xaa);
    EXPECT_ANSWER(0, lookup(fd, number32(0), &value));
    EXPECT_EQ(joined({repeated(8, 0xff), Data(32)}), value);
  }
}

TEST_P(Work, lives_as_long_as_a_user_holds_its_map) {
  for (const std::uint32_t type : {kArray, kHash, kLruHash}) {
    SCOPED_TRACE(map_type_name(type));
    const int fd = timers(type);
    const std::uint32_t number = id(fd);
    const int begins = program_of(fd, 0, [fd](Bytecode& code, int function) { begin(code, fd, function); });
    const int again = program_of(fd, 0, [](Bytecode& code, int) { start(code); });
    const int inits = program_of(fd, 1, [fd](Bytecode& code, int) { init(code, fd); });
    EXPECT_ANSWER(0, result(begins));
    EXPECT_TRUE(reaches(fd, 0, 1));
    backend().close(fd);
    EXPECT_ANSWER(-EINVAL, result(again));
    EXPECT_ANSWER(-EPERM, result(inits));
    const int reopened = keep(call(kMapGetFdById, Attr().set(by_id::kId, number)));
    ASSERT_GE(reopened, 0);
    EXPECT_ANSWER(0, result(begins));
    EXPECT_TRUE(reaches(reopened, 0, 2));
  }
}

TEST_P(Work, where_it_is) {
  const int fd = timers(kArray);
  const auto at = [](int offset) {
    return [offset](Bytecode& code, int) { ask(code.move(1, 7).add(1, offset).set(2, 0), "bpf_wq_start"); };
  };
  EXPECT_EQ("", verdict(fd, at(kWorkAt)));
  EXPECT_EQ("-EINVAL: off 8 doesn't point to 'struct bpf_wq' that is at 24", verdict(fd, at(8)));
  EXPECT_EQ("-EINVAL: off 25 doesn't point to 'struct bpf_wq' that is at 24", verdict(fd, at(25)));
  EXPECT_EQ("-EINVAL: arg#0 doesn't point to a map value", verdict(fd, [](Bytecode& code, int) {
              ask(code.move(1, 10).add(1, -16).set(2, 0), "bpf_wq_start");
            }));
  EXPECT_EQ("-EINVAL: R1 doesn't have constant offset. bpf_wq has to be at the constant offset",
            verdict(fd, [](Bytecode& code, int) {
              code.load(Bytecode::kDouble, 1, 7, 0).raw(0x57, 1, 0, 0, 8).raw(0x0f, 1, 7, 0, 0);
              ask(code.set(2, 0), "bpf_wq_start");
            }));
  EXPECT_EQ("-EINVAL: off 24 doesn't point to 'struct bpf_timer' that is at 8",
            verdict(fd, [](Bytecode& code, int) { work(code).set64(2, 0).set(3, 0).call(kStart); }));
  EXPECT_EQ("-EACCES: bpf_wq cannot be accessed directly by load/store",
            verdict(fd, [](Bytecode& code, int) { code.load(Bytecode::kDouble, 0, 7, kWorkAt); }));
  EXPECT_EQ("-EINVAL: map '' has to have BTF in order to use bpf_wq",
            verdict(map({kArray, 4, 40, 8, 0}), at(kWorkAt)));
}

TEST_P(Work, its_map_is_given_with_it) {
  const int fd = timers(kArray), other = timers(kArray);
  EXPECT_EQ("-EINVAL: workqueue pointer in R1 map_uid=0 doesn't match map pointer in R2 map_uid=0",
            verdict(fd, [&](Bytecode& code, int) { init(code, other); }));
  EXPECT_EQ("-EINVAL: pointer in R2 isn't map pointer", verdict(fd, [](Bytecode& code, int) {
              ask(work(code).move(2, 10).add(2, -4).set(3, 0), "bpf_wq_init");
            }));
}

TEST_P(Work, inner_maps_are_told_apart_by_their_lookups) {
  const int fd = timers(kArray), inner = timers(kArray);
  const int outer = keep(create({kArrayOfMaps, 4, 4, 4, 0}, [fd](Attr& attr) {
    attr.set(create::kInnerMapFd, static_cast<std::uint64_t>(fd));
  }));
  ASSERT_GE(outer, 0);
  ASSERT_ANSWER(0, update(outer, number32(0), number32(static_cast<std::uint32_t>(inner))));
  ASSERT_ANSWER(0, update(outer, number32(1), number32(static_cast<std::uint32_t>(fd))));
  const auto with = [outer](bool same) {
    return [outer, same](Bytecode& code, int function) {
      const int none = code.new_label();
      for (const int reg : {8, 9}) {
        code.store_imm(Bytecode::kWord, 10, -4, reg - 8).map(1, outer).move(2, 10).add(2, -4);
        code.call(kMapLookup).jump(kIfEqual, 0, 0, none).move(reg, 0);
      }
      code.store_imm(Bytecode::kWord, 10, -4, 0).move(1, 8).move(2, 10).add(2, -4).call(kMapLookup);
      code.jump(kIfEqual, 0, 0, none).move(7, 0);
      ask(work(code).move(2, same ? 8 : 9).set(3, 0), "bpf_wq_init");
      start(set_callback(code, function)).here(none).set(0, 0);
    };
  };
  const std::string told = verdict(fd, with(false));
  EXPECT_TRUE(told.starts_with("-EINVAL: workqueue pointer in R1 map_uid=")) << told;
  EXPECT_ANSWER(0, result_of(fd, 0, with(true)));
  EXPECT_TRUE(reaches(inner, 0, 1));
}

TEST_P(Work, callbacks) {
  const int fd = timers(kHash);
  const auto begins = [fd](Bytecode& code, int function) { begin(code, fd, function); };
  EXPECT_EQ("-EINVAL: At async callback return the register R0 has smin=1 smax=1 should have been in [0, 0]",
            verdict(fd, begins, [](Bytecode& code, int) { code.set(0, 1); }));
  EXPECT_EQ("-EACCES: R4 !read_ok", verdict(fd, begins, [](Bytecode& code, int) { code.move(0, 4); }));
  EXPECT_EQ(
      "-EACCES: R3 min value is outside of the allowed memory range",
      verdict(fd, begins, [](Bytecode& code, int) { code.load(Bytecode::kDouble, 0, 3, 36).set(0, 0); }));
  EXPECT_EQ("-EINVAL: arg1 expected pointer to func", verdict(fd, [](Bytecode& code, int) {
              ask(work(code).set(2, 0).set(3, 0).set(4, 0), "bpf_wq_set_callback_impl");
            }));
  EXPECT_EQ("-EINVAL: R3 is not a scalar", verdict(fd, [](Bytecode& code, int function) {
              ask(work(code).function(2, function).move(3, 7).set(4, 0), "bpf_wq_set_callback_impl");
            }));
  // Of the last argument the program says nothing.
  EXPECT_EQ("", verdict(fd, [](Bytecode& code, int function) {
              ask(work(code).function(2, function).set(3, 0), "bpf_wq_set_callback_impl");
            }));
}

TEST_P(Work, programs_that_have_none) {
  const long types = types_of_values();
  const int fd = keep(create({kHash, 4, 16, 8, 0}, [types](Attr& attr) {
    attr.set(create::kBtfFd, static_cast<std::uint64_t>(types))
        .set(create::kBtfKeyTypeId, kU32)
        .set(create::kBtfValueTypeId, kOnlyWork);
  }));
  ASSERT_GE(fd, 0);
  const auto nothing = [](Bytecode&, int) {};
  EXPECT_EQ("-EINVAL: tracing progs cannot use bpf_wq yet", verdict(fd, nothing, counts, kKprobe));
  EXPECT_EQ("", verdict(fd, nothing, counts, kSocketFilter));
}

}  // namespace
}  // namespace portolan::conformance
