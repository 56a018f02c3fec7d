// SPDX-License-Identifier: Apache-2.0
// Timers of several processes: who carries out what another one armed. What a single one sees is compared
// with the kernel by test/conformance/timer_cases.cc.
#include <sys/wait.h>

#include <thread>

#include "base/clock.h"
#include "sync/process_for_test.h"
#include "syscall/verdicts_for_test.h"

namespace portolan::syscall::verdicts {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;
constexpr std::int32_t kTimerInit = 169, kTimerSetCallback = 170, kTimerStart = 171, kTimerCancel = 172;
constexpr std::int16_t kTimerAt = 8;

class Timers : public World {
 protected:
  void SetUp() override {
    World::SetUp();
    use(abi::MapType::kHash);
  }

  // A map of 64 values, of which there are eight, and programs on it.
  void use(abi::MapType type) {
    map_ = create_map(type);
    ASSERT_GE(map_, 0);
    init_ = load({move(r1, r7), add(r1, kTimerAt), map_of(r2), kRest, mov(r3, 1), ask(kTimerInit), kExit});
    arm_ = load({move(r1, r7), add(r1, kTimerAt), map_of(r2), kRest, mov(r3, 1), ask(kTimerInit),
                 move(r1, r7), add(r1, kTimerAt), kCallback, kRest, ask(kTimerSetCallback), move(r1, r7),
                 add(r1, kTimerAt), mov(r2, kDelay_ns), mov(r3, 0), ask(kTimerStart), kExit});
    again_ = load({move(r1, r7), add(r1, kTimerAt), mov(r2, kDelay_ns), mov(r3, 0), ask(kTimerStart), kExit});
    cancel_ = load({move(r1, r7), add(r1, kTimerAt), ask(kTimerCancel), kExit});
    for (const long program : {init_, arm_, again_, cancel_}) ASSERT_GE(program, 0);
  }
  static constexpr std::int32_t kDelay_ns = 20'000'000;
  // Loads the callback into R2; where it is, load() knows.
  static constexpr abi::Insn kCallback{0x18, regs(r2, 4), 0, 0};

  long load_btf(const std::vector<std::byte>& bytes) {
    abi::Attr attr{};
    attr.btf_load.btf = address(bytes.data());
    attr.btf_load.btf_size = static_cast<std::uint32_t>(bytes.size());
    return call(kBtfLoad, attr);
  }
  long create_map(abi::MapType type) {
    btf::Blob blob;
    const std::uint32_t u32 = blob.integer("u32", 4), u64 = blob.integer("u64", 8);
    const std::uint32_t timer = blob.structure("bpf_timer", 16, {{"a", u64, 0}, {"b", u64, 64}});
    const std::uint32_t value = blob.structure("value", 24, {{"count", u64, 0}, {"timer", timer, 64}});
    abi::Attr attr{};
    attr.map_create.map_type = static_cast<std::uint32_t>(type);
    attr.map_create.key_size = 4;
    attr.map_create.value_size = 24;
    attr.map_create.max_entries = 64;
    attr.map_create.btf_fd = static_cast<std::uint32_t>(load_btf(blob.bytes()));
    attr.map_create.btf_key_type_id = u32;
    attr.map_create.btf_value_type_id = value;
    const long map = call(kMapCreate, attr);
    const std::uint64_t zeros[3] = {};
    for (std::uint32_t key = 0; key < 8; ++key) EXPECT_EQ(element(kMapUpdateElem, map, &key, zeros), 0);
    return map;
  }
  // A program on the value (R7) whose key is the packet's first four bytes; its callback counts.
  long load(const Code& body) {
    Code code{load4(r2, r1, 0),
              load4(r3, r1, 4),
              move(r4, r2),
              add(r4, 4),
              {0x3d, regs(r3, r4), 2, 0},
              mov(r0, 77),
              kExit,
              load4(r5, r2, 0),
              store(4, r10, -4, r5),
              move(r2, r10),
              add(r2, -4),
              map_of(r1),
              kRest,
              ask(kLookup),
              if_not(r0, 0, 1),
              kExit,
              move(r7, r0)};
    code = code + body;
    const auto start = static_cast<std::uint32_t>(code.size());
    bool has_callback = false;
    for (std::uint32_t at = 0; at < start; ++at) {
      if (code[at].code != 0x18) continue;
      if (code[at].src() == 1) code[at].imm = static_cast<std::int32_t>(map_);
      if (code[at].src() != 4) continue;
      code[at].imm = static_cast<std::int32_t>(start - at - 1);
      has_callback = true;
    }
    if (has_callback) code = code + Code{mov(r0, 1), {0xdb, regs(r3, r0), 0, 0}, mov(r0, 0), kExit};
    btf::Blob blob;
    const std::uint32_t number = blob.integer("int", 4, 1);
    const std::uint32_t prototype = blob.type(btf::Blob::Kind::kFuncProto, "", 0, number);
    const std::uint32_t function = blob.type(btf::Blob::Kind::kFunc, "function", 0, prototype);
    const abi::FuncInfo functions[] = {{0, function}, {start, function}};
    std::string log(1 << 18, '\0');
    abi::Attr attr{};
    attr.prog_load.prog_type = kXdp;
    attr.prog_load.insns = address(code.data());
    attr.prog_load.insn_cnt = static_cast<std::uint32_t>(code.size());
    attr.prog_load.license = address("GPL");
    attr.prog_load.log_buf = address(log.data());
    attr.prog_load.log_size = static_cast<std::uint32_t>(log.size());
    attr.prog_load.log_level = 1;
    attr.prog_load.prog_btf_fd = static_cast<std::uint32_t>(load_btf(blob.bytes()));
    attr.prog_load.func_info = address(functions);
    attr.prog_load.func_info_cnt = has_callback ? 2 : 1;
    attr.prog_load.func_info_rec_size = sizeof functions[0];
    const long loaded = call(kProgLoad, attr);
    EXPECT_GE(loaded, 0) << log.c_str();
    return loaded;
  }
  static constexpr abi::Insn load4(std::uint8_t to, std::uint8_t from, std::int16_t at) {
    return verdicts::load(4, to, from, at);
  }
  long run(long program, std::uint32_t key) {
    std::byte packet[64] = {};
    std::memcpy(packet, &key, sizeof key);
    abi::Attr attr{};
    attr.test.prog_fd = static_cast<std::uint32_t>(program);
    attr.test.data_in = address(packet);
    attr.test.data_size_in = sizeof packet;
    attr.test.repeat = 1;
    const long result = call(kProgTestRun, &attr, sizeof attr);
    return result < 0 ? result : static_cast<std::int32_t>(attr.test.retval);
  }
  std::uint64_t count(std::uint32_t key) {
    std::uint64_t value[3] = {};
    return element(kMapLookupElem, map_, &key, value) == 0 ? value[0] : 0;
  }
  bool reaches(std::uint32_t key, std::uint64_t wanted) {
    for (const std::uint64_t end = monotonic_ns() + 20'000 * kMillisecond; monotonic_ns() < end; sys::yield())
      if (count(key) >= wanted) return true;
    return false;
  }

  void expect_clean() {
    shm::Findings findings;
    runtime_->check(findings);
    for (const auto& finding : findings.list())
      if (finding.severity == shm::Severity::kCorrupt) ADD_FAILURE() << finding.where << ": " << finding.what;
  }

  long map_ = -1, init_ = -1, arm_ = -1, again_ = -1, cancel_ = -1;
};

// Threads of a child that was forked by a process with threads: ThreadSanitizer has no such thing.
class TimersOfProcesses : public Timers {
 protected:
  void SetUp() override {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "not under ThreadSanitizer";
#endif
    Timers::SetUp();
  }
};

TEST_F(TimersOfProcesses, what_a_dead_process_armed_another_one_carries_out) {
  ASSERT_EQ(run(init_, 1), 0);  // this process has a thread for timers
  EXPECT_EQ(sync::run_child([&] { return run(arm_, 0) == 0 ? 0 : 1; }), 0);
  EXPECT_TRUE(reaches(0, 1));
  // And again, though it did not load the program that armed it.
  EXPECT_EQ(run(again_, 0), 0);
  EXPECT_TRUE(reaches(0, 2));
}

TEST_F(TimersOfProcesses, a_process_that_is_killed_leaves_its_timers_to_others) {
  ASSERT_EQ(run(init_, 1), 0);
  const sync::SharedForTest<sync::FlagForTest> armed;
  const pid_t child = sync::start_child([&] {
    for (std::uint32_t key = 0; key < 8; ++key)
      if (key != 1 && run(arm_, key) != 0) return 1;
    armed->raise();
    for (;;) sys::sleep_ns(kMillisecond);
  });
  armed->await();
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  EXPECT_EQ(sync::wait_for(child), -SIGKILL);
  for (std::uint32_t key = 0; key < 8; ++key)
    if (key != 1) {
      EXPECT_TRUE(reaches(key, 1)) << key;
    }
}

TEST_F(TimersOfProcesses, a_stopped_process_does_not_keep_its_timers) {
  ASSERT_EQ(run(init_, 1), 0);
  const sync::SharedForTest<sync::FlagForTest> armed;
  const pid_t child = sync::start_child([&] {
    if (run(arm_, 0) != 0) return 1;
    armed->raise();
    for (;;) sys::sleep_ns(kMillisecond);
  });
  armed->await();
  ASSERT_EQ(::kill(child, SIGSTOP), 0);
  EXPECT_TRUE(reaches(0, 1));
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  EXPECT_EQ(sync::wait_for(child), -SIGKILL);
}

TEST_F(TimersOfProcesses, one_process_cancels_what_another_one_armed) {
  EXPECT_EQ(sync::run_child([&] { return run(arm_, 0) == 0 ? 0 : 1; }), 0);
  EXPECT_EQ(run(cancel_, 0), 1);
  EXPECT_EQ(run(cancel_, 0), 0);
}

// Nobody else has looked after them.
TEST_F(TimersOfProcesses, who_opens_a_map_with_armed_timers_carries_them_out) {
  EXPECT_EQ(sync::run_child([&] { return run(arm_, 0) == 0 ? 0 : 1; }), 0);
  EXPECT_EQ(sync::run_child([&] {
              std::string why;
              auto other = object::Runtime::open(directory_, {}, &why);
              if (!other) return 1;
              prepare(**other);
              runtime_.release();  // the parent's
              runtime_ = std::move(*other);
              return reaches(0, 1) ? 0 : 2;
            }),
            0);
}

TEST_F(Timers, threads_arm_cancel_and_delete_at_once) {
  std::vector<std::thread> threads;
  for (std::uint32_t thread = 0; thread < 3; ++thread)
    threads.emplace_back([this, thread] {
      for (std::uint32_t step = 0; step < 200; ++step) {
        const std::uint32_t key = 2 + (step + thread) % 6;
        const std::uint64_t zeros[3] = {};
        const long armed = run(arm_, key);
        EXPECT_TRUE(armed == 0 || armed == -EBUSY || armed == -EINVAL) << armed;
        const long cancelled = step % 3 == 0 ? run(cancel_, key) : run(again_, key);
        EXPECT_TRUE(cancelled == 0 || cancelled == 1 || cancelled == -EINVAL) << cancelled;
        if (step % 5 == thread) (void)element(kMapUpdateElem, map_, &key, zeros);
      }
    });
  for (std::thread& thread : threads) thread.join();
  ASSERT_EQ(run(arm_, 0), 0);
  EXPECT_TRUE(reaches(0, 1));
  expect_clean();
}

// Whatever key has the element by now.
TEST_F(Timers, of_a_key_that_was_evicted_does_not_come) {
  use(abi::MapType::kLruHash);
  for (std::uint32_t key = 0; key < 8; ++key) ASSERT_EQ(run(arm_, key), 0);
  const std::uint64_t zeros[3] = {};
  for (std::uint32_t key = 100; key < 1000; ++key) {
    ASSERT_EQ(element(kMapUpdateElem, map_, &key, zeros), 0);
    ASSERT_EQ(run(cancel_, key), -EINVAL);  // a lookup, which makes it worth as much as the others
  }
  std::uint64_t found[3];
  for (std::uint32_t key = 0; key < 8; ++key) ASSERT_EQ(element(kMapLookupElem, map_, &key, found), -ENOENT);
  const std::uint32_t last = 999;
  ASSERT_EQ(run(arm_, last), 0);
  EXPECT_TRUE(reaches(last, 1));
  for (std::uint32_t key = 0; key < last; ++key) EXPECT_EQ(count(key), 0u) << key;
}

// Runs, cancellations, deletions and deaths all at once.
TEST_F(TimersOfProcesses, processes_that_are_killed_at_random_leave_a_clean_table) {
  ASSERT_EQ(run(init_, 1), 0);
  for (int round = 0; round < 12; ++round) {
    const sync::SharedForTest<sync::Atomic<std::uint32_t>> steps;
    const pid_t child = sync::start_child([&] {
      for (std::uint32_t step = 0;; ++step) {
        const std::uint32_t key = 2 + step % 6;
        const std::uint64_t zeros[3] = {};
        (void)run(arm_, key);
        (void)run(again_, key);
        if (step % 3 == 0) (void)run(cancel_, key);
        if (step % 5 == 0) (void)element(kMapDeleteElem, map_, &key, nullptr);
        if (step % 5 == 0) (void)element(kMapUpdateElem, map_, &key, zeros);
        steps->fetch_add_relaxed(1);
      }
      return 0;
    });
    while (steps->load_relaxed() < 200u + 37u * static_cast<std::uint32_t>(round)) sys::yield();
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    ASSERT_EQ(sync::wait_for(child), -SIGKILL);
  }
  for (std::uint32_t key = 2; key < 8; ++key) {
    const std::uint64_t zeros[3] = {};
    EXPECT_EQ(element(kMapUpdateElem, map_, &key, zeros), 0);
  }
  EXPECT_EQ(run(arm_, 0), 0);
  EXPECT_TRUE(reaches(0, 1));
  expect_clean();
}

}  // namespace
}  // namespace portolan::syscall::verdicts
