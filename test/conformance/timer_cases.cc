// SPDX-License-Identifier: Apache-2.0
// bpf_timer: what the verifier asks of it, what the helpers answer, when callbacks run and when they do not.
#include <time.h>

#include "base/sys.h"
#include "cases.h"
#include "program_types.h"

namespace portolan::conformance {
namespace {

constexpr std::uint32_t kXdp = 6, kSocketFilter = 1, kKprobe = 2;
constexpr std::int32_t kMapLookup = 1, kMapDelete = 3, kCpu = 8, kInit = 169, kSetCallback = 170,
                       kStart = 171, kCancel = 172;
constexpr std::uint8_t kIfEqual = 0x15;
constexpr std::int32_t kAbsolute = 1, kPinned = 2;
constexpr std::uint64_t kMillisecond = 1'000'000;
constexpr int kTimerAt = 8;  // in a value of kTimerValue

std::uint64_t now(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

class Timer : public Case {
 protected:
  MapSpec spec_of(std::uint32_t type) { return {type, 4, 24, 8, 0}; }
  long create_with_timers(const MapSpec& spec) {
    const auto btf = static_cast<std::uint32_t>(types_btf());
    return create(spec, [btf](Attr& attr) {
      attr.set(create::kBtfFd, btf)
          .set(create::kBtfKeyTypeId, kU32)
          .set(create::kBtfValueTypeId, kTimerValue);
    });
  }
  // Keys 0 to 3 are there.
  int timers(std::uint32_t type) {
    const long fd = create_with_timers(spec_of(type));
    EXPECT_GE(fd, 0) << result_text(fd);
    for (std::uint32_t key = 0; key < 4; ++key)
      EXPECT_ANSWER(0, update(static_cast<int>(fd), number32(key), Data(24)));
    return static_cast<int>(fd);
  }
  // A program that has the value of `key` in r7, and ends with r0; and its callback, which has the value in
  // r3 and ends with 0, unless it says otherwise.
  long load_program(int fd, std::int32_t key, const std::function<void(Bytecode&, int callback)>& body,
                    const std::function<void(Bytecode&, int callback)>& callback, std::string* log = nullptr,
                    std::uint32_t type = kXdp, std::uint32_t flags = 0) {
    Bytecode code;
    const int none = code.new_label(), function = code.new_label();
    code.store_imm(Bytecode::kWord, 10, -4, key).map(1, fd).move(2, 10).add(2, -4).call(kMapLookup);
    code.jump(kIfEqual, 0, 0, none).move(7, 0).set(0, 0);
    body(code, function);
    code.exit().here(none).set(0, 77).exit();
    const bool has_callback = code.leads_to(function);
    const FuncInfo functions[] = {{0, kMainFunction},
                                  {static_cast<std::uint32_t>(code.size()), kStaticFunction}};
    if (has_callback) {
      callback(code.here(function), function);
      code.exit();
    }
    const auto btf = static_cast<std::uint32_t>(load_btf(program_types()));
    std::vector<char> room(1 << 18);
    const long loaded = load(type, code.finish(), [&](Attr& attr) {
      attr.set(load::kProgBtfFd, btf).set(load::kFuncInfoRecSize, sizeof(FuncInfo));
      attr.set(load::kFuncInfo, reinterpret_cast<std::uint64_t>(functions))
          .set(load::kFuncInfoCnt, has_callback ? 2 : 1);
      attr.set(load::kLogLevel, 1).set(load::kLogSize, room.size()).set(load::kProgFlags, flags);
      attr.set(load::kLogBuf, reinterpret_cast<std::uint64_t>(room.data()));
    });
    if (log != nullptr) *log = room.data();
    return loaded;
  }
  int program_of(int fd, std::int32_t key, const std::function<void(Bytecode&, int)>& body,
                 const std::function<void(Bytecode&, int)>& callback = counts) {
    std::string log;
    const long loaded = load_program(fd, key, body, callback, &log);
    EXPECT_GE(loaded, 0) << result_text(loaded) << " " << log;
    return static_cast<int>(loaded);
  }
  long result(int loaded) {
    const long got = run(loaded);
    return got < 0 ? got : static_cast<std::int32_t>(got);
  }
  long result_of(int fd, std::int32_t key, const std::function<void(Bytecode&, int)>& body,
                 const std::function<void(Bytecode&, int)>& callback = counts) {
    return result(program_of(fd, key, body, callback));
  }

  static Bytecode& timer(Bytecode& code, int value = 7) { return code.move(1, value).add(1, kTimerAt); }
  static Bytecode& init(Bytecode& code, int fd, std::int32_t clock = CLOCK_MONOTONIC) {
    return timer(code).map(2, fd).set(3, clock).call(kInit);
  }
  static Bytecode& set_callback(Bytecode& code, int function) {
    return timer(code).function(2, function).call(kSetCallback);
  }
  static Bytecode& start(Bytecode& code, std::uint64_t ns, std::int32_t flags = 0) {
    return timer(code).set64(2, ns).set(3, flags).call(kStart);
  }
  static Bytecode& cancel(Bytecode& code) { return timer(code).call(kCancel); }
  static Bytecode& arm(Bytecode& code, int fd, int function, std::uint64_t ns, std::int32_t flags = 0) {
    return start(set_callback(init(code, fd), function), ns, flags);
  }
  static void counts(Bytecode& code, int) {
    code.set(0, 1).raw(0xdb, 3, 0, 0, 0).set(0, 0);  // ++value.count, atomically
  }

  std::uint64_t count(int fd, std::uint32_t key) {
    Data value(24);
    return lookup(fd, number32(key), &value) == 0 ? load_unaligned<std::uint64_t>(value.data()) : ~0ull;
  }
  // Waits for an effect, with a limit that only a broken timer meets.
  bool reaches(int fd, std::uint32_t key, std::uint64_t wanted) {
    for (const std::uint64_t end = now(CLOCK_MONOTONIC) + 10'000 * kMillisecond;
         now(CLOCK_MONOTONIC) < end;) {
      if (const std::uint64_t there = count(fd, key); there != ~0ull && there >= wanted) return true;
      sys::sleep_ns(200'000);
    }
    return false;
  }
  // What was armed before, and for less than `ns`, has had its time.
  void let_pass(std::uint64_t ns) {
    const int other = timers(kArray);
    EXPECT_ANSWER(0,
                  result_of(other, 0, [&](Bytecode& code, int function) { arm(code, other, function, ns); }));
    EXPECT_TRUE(reaches(other, 0, 1));
  }
};
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
      fd, 0, [&](Bytecode& code, int function) { arm(code, fd, function, kMillisecond, kPinned).call(kCpu); },
      [](Bytecode& code, int) {
        code.move(7, 3).call(kCpu).add(0, 100).store(Bytecode::kDouble, 7, 0, 0).set(0, 0);
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

// --- verdicts

class TimerVerdict : public Timer {
 protected:
  // The last line of the log but the statistics, "" for a program that passes.
  std::string verdict(int fd, const std::function<void(Bytecode&, int)>& body,
                      const std::function<void(Bytecode&, int)>& callback = counts, std::uint32_t type = kXdp,
                      std::uint32_t flags = 0) {
    std::string log;
    const long loaded = load_program(fd, 0, body, callback, &log, type, flags);
    if (loaded >= 0) return "";
    if (const std::size_t statistics = log.rfind("processed "); statistics != std::string::npos)
      log.resize(statistics);
    if (!log.empty() && log.back() == '\n') log.pop_back();
    return result_text(loaded) + ": " + log.substr(log.rfind('\n') + 1);
  }
};
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
