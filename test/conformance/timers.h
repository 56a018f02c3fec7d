// SPDX-License-Identifier: Apache-2.0
// Maps with timers, and programs that do something with one.
#pragma once
#include <time.h>

#include "base/sys.h"
#include "cases.h"
#include "program_types.h"

namespace portolan::conformance::timers {

inline constexpr std::uint32_t kXdp = 6, kSocketFilter = 1, kKprobe = 2;
inline constexpr std::int32_t kMapLookup = 1, kMapDelete = 3, kGetCpu = 8, kInit = 169, kSetCallback = 170,
                              kStart = 171, kCancel = 172;
inline constexpr std::uint8_t kIfEqual = 0x15;
inline constexpr std::int32_t kAbsolute = 1, kPinned = 2;
inline constexpr std::uint64_t kMillisecond = 1'000'000;
inline constexpr int kTimerAt = 8;  // in a value of kTimerValue

inline std::uint64_t now(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

class Timer : public Case {
 protected:
  explicit Timer(std::uint32_t value_type = kTimerValue, std::uint32_t value_bytes = 24)
      : value_type_(value_type), value_bytes_(value_bytes) {}
  virtual long types_of_values() { return types_btf(); }

  MapSpec spec_of(std::uint32_t type) { return {type, 4, value_bytes_, 8, 0}; }
  long create_with_timers(const MapSpec& spec) {
    const auto btf = static_cast<std::uint32_t>(types_of_values());
    return create(spec, [this, btf](Attr& attr) {
      attr.set(create::kBtfFd, btf)
          .set(create::kBtfKeyTypeId, kU32)
          .set(create::kBtfValueTypeId, value_type_);
    });
  }
  // Keys 0 to 3 are there.
  int timers(std::uint32_t type) {
    const long fd = create_with_timers(spec_of(type));
    EXPECT_GE(fd, 0) << result_text(fd);
    for (std::uint32_t key = 0; key < 4; ++key)
      EXPECT_ANSWER(0, update(static_cast<int>(fd), number32(key), Data(value_bytes_)));
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
    Data value(value_bytes_);
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

 private:
  std::uint32_t value_type_, value_bytes_;
};

}  // namespace portolan::conformance::timers
