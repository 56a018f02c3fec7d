// SPDX-License-Identifier: Apache-2.0
// bpf_timer: what the helpers answer, when callbacks run and when they do not.
#include "timers.h"

namespace portolan::conformance {
namespace {

using namespace timers;

ON_BOTH_BACKENDS(Timer);

TEST_P(Timer, clocks_that_there_are) {
  const int fd = timers(kArray);
  const struct {
    std::int32_t clock;
    long expected;
  } rows[] = {{CLOCK_PROCESS_CPUTIME_ID, -EINVAL},
              {CLOCK_TAI, -EINVAL},
              {16, -EINVAL},
              {17, -EINVAL},
              {-1, -EINVAL},
              {CLOCK_REALTIME, 0},
              {CLOCK_MONOTONIC, -EBUSY},
              {CLOCK_TAI, -EINVAL}};
  for (const auto& row : rows) {
    SCOPED_TRACE(row.clock);
    EXPECT_ANSWER(row.expected, result_of(fd, 0, [&](Bytecode& code, int) { init(code, fd, row.clock); }));
  }
  EXPECT_ANSWER(0, result_of(fd, 1, [&](Bytecode& code, int) { init(code, fd, CLOCK_MONOTONIC); }));
  EXPECT_ANSWER(0, result_of(fd, 2, [&](Bytecode& code, int) { init(code, fd, CLOCK_BOOTTIME); }));
}

TEST_P(Timer, without_what_comes_before) {
  for (const std::uint32_t type : {kArray, kHash, kLruHash}) {
    SCOPED_TRACE(map_type_name(type));
    const int fd = timers(type);
    EXPECT_ANSWER(-EINVAL,
                  result_of(fd, 0, [](Bytecode& code, int function) { set_callback(code, function); }));
    EXPECT_ANSWER(-EINVAL, result_of(fd, 0, [](Bytecode& code, int) { start(code, 0); }));
    EXPECT_ANSWER(-EINVAL, result_of(fd, 0, [](Bytecode& code, int) { cancel(code); }));
    EXPECT_ANSWER(-EINVAL, result_of(fd, 0, [&](Bytecode& code, int) { start(init(code, fd), 0); }));
    EXPECT_ANSWER(0, result_of(fd, 1, [&](Bytecode& code, int) { cancel(init(code, fd)); }));
    EXPECT_ANSWER(-EINVAL, result_of(fd, 2, [&](Bytecode& code, int function) {
      arm(code, fd, function, kMillisecond, 4);
    }));
    EXPECT_ANSWER(-EBUSY, result_of(fd, 2, [&](Bytecode& code, int) { init(code, fd); }));
  }
}

TEST_P(Timer, a_callback_gets_map_key_and_value) {
  for (const std::uint32_t type : {kArray, kHash, kLruHash}) {
    SCOPED_TRACE(map_type_name(type));
    const int fd = timers(type);
    const auto looks = [](Bytecode& code, int) {
      const int other = code.new_label();
      code.move(6, 3).load(Bytecode::kWord, 9, 2, 0).call(kMapLookup).jump_to(0x5d, 0, 6, other);
      code.add(9, 100).store(Bytecode::kDouble, 6, 0, 9).here(other).set(0, 0);
    };
    EXPECT_ANSWER(
        0, result_of(
               fd, 3, [&](Bytecode& code, int function) { arm(code, fd, function, kMillisecond); }, looks));
    EXPECT_TRUE(reaches(fd, 3, 103));
    EXPECT_EQ(103u, count(fd, 3));
    EXPECT_EQ(0u, count(fd, 2));
  }
}

TEST_P(Timer, fires_once_by_each_clock) {
  const int fd = timers(kArray);
  std::uint32_t key = 0;
  for (const clockid_t clock : {CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME}) {
    SCOPED_TRACE(clock);
    // Of the wall clock there are no timers: they count as all others do.
    const clockid_t counted = clock == CLOCK_REALTIME ? CLOCK_MONOTONIC : clock;
    const std::uint64_t begin = now(counted);
    EXPECT_ANSWER(0, result_of(fd, static_cast<std::int32_t>(key), [&](Bytecode& code, int function) {
                    start(set_callback(init(code, fd, clock), function), 3 * kMillisecond);
                  }));
    EXPECT_TRUE(reaches(fd, key, 1));
    EXPECT_GE(now(counted), begin + 3 * kMillisecond);
    // At a time, again.
    EXPECT_ANSWER(0, result_of(fd, static_cast<std::int32_t>(key), [&](Bytecode& code, int) {
                    start(code, begin + 30 * kMillisecond, kAbsolute);
                  }));
    EXPECT_TRUE(reaches(fd, key, 2));
    EXPECT_GE(now(counted), begin + 30 * kMillisecond);
    // What is past is due.
    for (const std::uint64_t past : {std::uint64_t{0}, std::uint64_t{1}}) {
      const std::uint64_t before = count(fd, key);
      EXPECT_ANSWER(0, result_of(fd, static_cast<std::int32_t>(key),
                                 [&](Bytecode& code, int) { start(code, past, kAbsolute); }));
      EXPECT_TRUE(reaches(fd, key, before + 1));
    }
    ++key;
  }
}

TEST_P(Timer, one_that_lies_too_far_ahead_or_nowhere_never_comes) {
  const int fd = timers(kArray);
  std::int32_t key = 0;
  constexpr std::uint64_t kLargest = ~std::uint64_t{0};
  const struct {
    std::uint64_t ns;
    std::int32_t flags;
  } rows[] = {{kLargest >> 2, 0}, {kLargest, 0}, {kLargest / 2 + 1, 0}, {kLargest, kAbsolute}};
  for (const auto& row : rows)
    EXPECT_ANSWER(0, result_of(fd, key++, [&](Bytecode& code, int function) {
                    arm(code, fd, function, row.ns, row.flags);
                  }));
  let_pass(2 * kMillisecond);
  for (std::uint32_t one = 0; one < 4; ++one) {
    EXPECT_EQ(0u, count(fd, one));
    EXPECT_ANSWER(1,
                  result_of(fd, static_cast<std::int32_t>(one), [](Bytecode& code, int) { cancel(code); }));
  }
}

TEST_P(Timer, cancelled_it_has_no_callback_and_does_not_come) {
  for (const std::uint32_t type : {kArray, kHash, kLruHash}) {
    SCOPED_TRACE(map_type_name(type));
    const int fd = timers(type);
    EXPECT_ANSWER(1, result_of(fd, 0, [&](Bytecode& code, int function) {
                    cancel(arm(code, fd, function, 20 * kMillisecond));
                  }));
    EXPECT_ANSWER(0, result_of(fd, 0, [](Bytecode& code, int) { cancel(code); }));
    EXPECT_ANSWER(-EINVAL, result_of(fd, 0, [](Bytecode& code, int) { start(code, 0); }));
    EXPECT_ANSWER(-EBUSY, result_of(fd, 0, [&](Bytecode& code, int) { init(code, fd); }));
    let_pass(40 * kMillisecond);
    EXPECT_EQ(0u, count(fd, 0));
    EXPECT_ANSWER(
        0, result_of(fd, 0, [](Bytecode& code, int function) { start(set_callback(code, function), 0); }));
    EXPECT_TRUE(reaches(fd, 0, 1));
  }
}

TEST_P(Timer, started_again_it_comes_at_the_new_time) {
  const int fd = timers(kArray);
  EXPECT_ANSWER(0, result_of(fd, 0, [&](Bytecode& code, int function) {
                  start(arm(code, fd, function, std::uint64_t{1} << 60), kMillisecond);
                }));
  EXPECT_TRUE(reaches(fd, 0, 1));
  EXPECT_ANSWER(1, result_of(fd, 1, [&](Bytecode& code, int function) {
                  cancel(start(arm(code, fd, function, 0), std::uint64_t{1} << 60));
                }));
}

TEST_P(Timer, a_callback_starts_its_own_timer_again) {
  for (const std::uint32_t type : {kArray, kHash}) {
    SCOPED_TRACE(map_type_name(type));
    const int fd = timers(type);
    EXPECT_ANSWER(0, result_of(
                         fd, 0, [&](Bytecode& code, int function) { arm(code, fd, function, kMillisecond); },
                         [](Bytecode& code, int function) {
                           const int end = code.new_label();
                           code.move(7, 3).load(Bytecode::kDouble, 1, 7, 0).add(1, 1);
                           code.store(Bytecode::kDouble, 7, 0, 1).jump(kIfEqual, 1, 5, end);
                           start(set_callback(code, function), kMillisecond).here(end).set(0, 0);
                         }));
    EXPECT_TRUE(reaches(fd, 0, 5));
    EXPECT_ANSWER(0, result_of(fd, 0, [](Bytecode& code, int) { cancel(code); }));
    EXPECT_EQ(5u, count(fd, 0));
  }
}

TEST_P(Timer, a_callback_cannot_cancel_its_own_timer) {
  const int fd = timers(kHash);
  EXPECT_ANSWER(0, result_of(
                       fd, 0, [&](Bytecode& code, int function) { arm(code, fd, function, kMillisecond); },
                       [](Bytecode& code, int) {
                         cancel(code.move(7, 3));
                         code.raw(0x87, 0, 0, 0, 0).store(Bytecode::kDouble, 7, 0, 0).set(0, 0);  // -r0
                       }));
  EXPECT_TRUE(reaches(fd, 0, 1));
  EXPECT_EQ(static_cast<std::uint64_t>(EDEADLK), count(fd, 0));
}

TEST_P(Timer, a_callback_deletes_its_own_element) {
  const int fd = timers(kHash);
  EXPECT_ANSWER(0, result_of(
                       fd, 1, [&](Bytecode& code, int function) { arm(code, fd, function, kMillisecond); },
                       [&](Bytecode& code, int) { code.call(kMapDelete).set(0, 0); }));
  for (const std::uint64_t end = now(CLOCK_MONOTONIC) + 10'000 * kMillisecond;
       count(fd, 1) != ~0ull && now(CLOCK_MONOTONIC) < end;)
    sys::sleep_ns(200'000);
  EXPECT_EQ(~0ull, count(fd, 1));
  EXPECT_ANSWER(0, update(fd, number32(1), Data(24)));
  EXPECT_ANSWER(-EINVAL, result_of(fd, 1, [](Bytecode& code, int) { cancel(code); }));
  EXPECT_ANSWER(0, result_of(fd, 1, [&](Bytecode& code, int function) { arm(code, fd, function, 0); }));
  EXPECT_TRUE(reaches(fd, 1, 1));
}

TEST_P(Timer, pinned_it_comes_on_the_same_cpu) {
  const int fd = timers(kArray);
  const long cpu = result_of(
      fd, 0,
      [&](Bytecode& code, int function) { arm(code, fd, function, kMillisecond, kPinned).call(kGetCpu); },
      [](Bytecode& code, int) {
        code.move(7, 3).call(kGetCpu).add(0, 100).store(Bytecode::kDouble, 7, 0, 0).set(0, 0);
      });
  EXPECT_TRUE(reaches(fd, 0, 1));
  EXPECT_EQ(static_cast<std::uint64_t>(cpu + 100), count(fd, 0));
}

// An update of an array's element, as of any other, ends what the element has.
TEST_P(Timer, ends_when_its_element_is_written_over_or_goes) {
  const auto armed = [&](int fd, std::int32_t key) {
    return result_of(fd, key,
                     [&](Bytecode& code, int function) { arm(code, fd, function, 20 * kMillisecond); });
  };
  const auto is_no_timer = [&](int fd, std::int32_t key) {
    EXPECT_ANSWER(-EINVAL, result_of(fd, key, [](Bytecode& code, int) { cancel(code); }));
  };
  for (const std::uint32_t type : {kArray, kHash, kLruHash}) {
    SCOPED_TRACE(map_type_name(type));
    const int fd = timers(type);
    ASSERT_ANSWER(0, armed(fd, 0));
    EXPECT_ANSWER(0, update(fd, number32(0), Data(24)));
    is_no_timer(fd, 0);
    ASSERT_ANSWER(0, armed(fd, 0));
    EXPECT_ANSWER(0, update(fd, number32(0), Data(24), 2));
    is_no_timer(fd, 0);
    if (type != kArray) {
      ASSERT_ANSWER(0, armed(fd, 1));
      EXPECT_ANSWER(0, erase(fd, number32(1)));
      EXPECT_ANSWER(0, update(fd, number32(1), Data(24)));
      is_no_timer(fd, 1);
      ASSERT_ANSWER(0, armed(fd, 2));
      Data value(24);
      EXPECT_ANSWER(0, take(fd, number32(2), &value));
      EXPECT_EQ(Data(24), value);
      EXPECT_ANSWER(0, update(fd, number32(2), Data(24)));
      is_no_timer(fd, 2);
    }
    let_pass(50 * kMillisecond);
    for (std::uint32_t key = 0; key < 4; ++key) EXPECT_EQ(0u, count(fd, key));
  }
}

TEST_P(Timer, users_see_zeros_and_write_around_it) {
  for (const std::uint32_t type : {kArray, kHash, kLruHash}) {
    SCOPED_TRACE(map_type_name(type));
    const int fd = timers(type);
    EXPECT_ANSWER(0, update(fd, number32(0), repeated(24, 0xff)));
    EXPECT_ANSWER(-EINVAL, result_of(fd, 0, [](Bytecode& code, int) { cancel(code); }));
    EXPECT_ANSWER(0, result_of(fd, 0, [&](Bytecode& code, int function) {
                    arm(code, fd, function, std::uint64_t{1} << 60);
                  }));
    Data value = repeated(24, 0xaa);
    EXPECT_ANSWER(0, lookup(fd, number32(0), &value));
    EXPECT_EQ(joined({repeated(8, 0xff), Data(16)}), value);
    EXPECT_ANSWER(1, result_of(fd, 0, [](Bytecode& code, int) { cancel(code); }));
  }
}

TEST_P(Timer, lives_as_long_as_a_user_holds_its_map) {
  for (const std::uint32_t type : {kArray, kHash, kLruHash}) {
    SCOPED_TRACE(map_type_name(type));
    const auto fd = timers(type);
    const std::uint32_t number = id(fd);
    const int arms =
        program_of(fd, 0, [&](Bytecode& code, int function) { arm(code, fd, function, 20 * kMillisecond); });
    const int cancels = program_of(fd, 0, [](Bytecode& code, int) { cancel(code); });
    const int inits = program_of(fd, 1, [&](Bytecode& code, int) { init(code, fd); });
    EXPECT_ANSWER(0, result(arms));
    backend().close(fd);
    EXPECT_ANSWER(-EINVAL, result(cancels));
    EXPECT_ANSWER(-EPERM, result(inits));
    let_pass(40 * kMillisecond);
    const int again = keep(call(kMapGetFdById, Attr().set(by_id::kId, number)));
    ASSERT_GE(again, 0);
    EXPECT_EQ(0u, count(again, 0));
    EXPECT_ANSWER(0, result(inits));
    EXPECT_ANSWER(0, result(arms));
    EXPECT_TRUE(reaches(again, 0, 1));
  }
}

TEST_P(Timer, a_pin_is_a_user) {
  const int fd = timers(kHash);
  const std::string path = pin_path("timers");
  ASSERT_ANSWER(0, pin(fd, path));
  const int arms =
      program_of(fd, 0, [&](Bytecode& code, int function) { arm(code, fd, function, 5 * kMillisecond); });
  backend().close(fd);
  EXPECT_ANSWER(0, result(arms));
  const int again = static_cast<int>(get(path));
  ASSERT_GE(again, 0);
  EXPECT_TRUE(reaches(again, 0, 1));
}

TEST_P(Timer, keeps_its_program) {
  const int fd = timers(kHash);
  const auto is_there = [&](std::uint32_t number) {
    const long found = call(kProgGetFdById, Attr().set(by_id::kId, number));
    if (found >= 0) backend().close(static_cast<int>(found));
    return found >= 0;
  };
  const auto arm_and_close = [&](std::int32_t key, std::uint64_t ns) {
    const int arms = program_of(fd, key, [&](Bytecode& code, int function) { arm(code, fd, function, ns); });
    const std::uint32_t number = id(arms);
    EXPECT_ANSWER(0, result(arms));
    backend().close(arms);
    EXPECT_TRUE(is_there(number));
    return number;
  };
  const auto goes = [&](std::uint32_t number) {
    for (const std::uint64_t end = now(CLOCK_MONOTONIC) + 10'000 * kMillisecond; now(CLOCK_MONOTONIC) < end;
         sys::sleep_ns(200'000))
      if (!is_there(number)) return true;
    return false;
  };
  const std::uint32_t fires = arm_and_close(0, 20 * kMillisecond);
  EXPECT_TRUE(reaches(fd, 0, 1));
  EXPECT_TRUE(is_there(fires));  // it may be started again
  EXPECT_ANSWER(1,
                result_of(fd, 0, [](Bytecode& code, int) { cancel(start(code, std::uint64_t{1} << 60)); }));
  EXPECT_TRUE(goes(fires));
  const std::uint32_t deleted = arm_and_close(1, std::uint64_t{1} << 60);
  EXPECT_ANSWER(0, erase(fd, number32(1)));
  EXPECT_TRUE(goes(deleted));
  const std::uint32_t replaced = arm_and_close(2, std::uint64_t{1} << 60);
  EXPECT_ANSWER(0, result_of(fd, 2, [](Bytecode& code, int function) { set_callback(code, function); }));
  EXPECT_TRUE(goes(replaced));
}

TEST_P(Timer, many_come_in_their_order) {
  const auto btf = static_cast<std::uint32_t>(types_btf());
  const int fd = keep(create({kArray, 4, 24, 64, 0}, [btf](Attr& attr) {
    attr.set(create::kBtfFd, btf).set(create::kBtfKeyTypeId, kU32).set(create::kBtfValueTypeId, kTimerValue);
  }));
  const int order = map({kArray, 4, 8, 1, 0});
  const std::uint64_t begin = now(CLOCK_MONOTONIC) + 60 * kMillisecond;
  // Each takes the next number, and keeps it.
  const auto takes_a_number = [order](Bytecode& code, int) {
    code.map_value(1, order).set(0, 1).raw(0xdb, 1, 0, 0, 1).add(0, 1).store(Bytecode::kDouble, 3, 0, 0);
    code.set(0, 0);
  };
  std::vector<std::int32_t> keys;
  for (std::int32_t i = 0; i < 16; ++i) keys.push_back(i * 37 % 16);
  for (const std::int32_t key : keys)
    EXPECT_ANSWER(0, result_of(
                         fd, key,
                         [&](Bytecode& code, int function) {
                           arm(code, fd, function, begin + static_cast<std::uint64_t>(key) * kMillisecond,
                               kAbsolute);
                         },
                         takes_a_number));
  for (std::uint32_t key = 0; key < 16; ++key) EXPECT_TRUE(reaches(fd, key, 1));
  for (std::uint32_t key = 0; key < 16; ++key) EXPECT_EQ(key + 1, count(fd, key));
}

}  // namespace
}  // namespace portolan::conformance
