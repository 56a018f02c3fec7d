// SPDX-License-Identifier: Apache-2.0
#include "map/perf_counter.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <thread>

#include "base/bytes.h"
#include "base/sys.h"

namespace portolan::map {
namespace {

constexpr std::size_t kPages = 64;

void touch_new_pages() {
  const auto memory =
      sys::mmap(nullptr, kPages * kPageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_TRUE(memory);
  ASSERT_TRUE(sys::madvise(*memory, kPages * kPageSize, MADV_NOHUGEPAGE));
  for (std::size_t page = 0; page < kPages; ++page)
    static_cast<volatile std::byte*>(*memory)[page * kPageSize] = std::byte{1};
  ASSERT_TRUE(sys::munmap(*memory, kPages * kPageSize));
}

TEST(PerfCounters, count_each_page_that_is_touched_first) {
  const int self = sys::gettid();
  const auto all = counted(PerfCounter::kFaults, self), minor = counted(PerfCounter::kMinorFaults, self);
  touch_new_pages();
  EXPECT_GE(*counted(PerfCounter::kFaults, self), *all + kPages);
  EXPECT_GE(*counted(PerfCounter::kMinorFaults, self), *minor + kPages);
}

TEST(PerfCounters, say_of_another_thread_what_it_says_of_itself) {
  const int self = sys::gettid();
  touch_new_pages();
  for (const PerfCounter counter : {PerfCounter::kTime, PerfCounter::kFaults, PerfCounter::kMinorFaults,
                                    PerfCounter::kMajorFaults, PerfCounter::kSwitches}) {
    const auto before = counted(counter, self);
    std::optional<std::uint64_t> seen;
    std::thread([&] { seen = counted(counter, self); }).join();
    const auto after = counted(counter, self);
    ASSERT_TRUE(before && seen && after);
    EXPECT_LE(*before, *seen);
    EXPECT_LE(*seen, *after);
  }
}

TEST(PerfCounters, of_a_thread_that_ended_are_not_there) {
  int thread = 0;
  std::thread([&] { thread = sys::gettid(); }).join();
  while (sys::call(SYS_tgkill, sys::getpid(), thread, 0) == 0) std::this_thread::yield();
  EXPECT_FALSE(counted(PerfCounter::kTime, thread));
  EXPECT_FALSE(counted(PerfCounter::kFaults, thread));
}

TEST(PerfCounters, of_a_cpu_are_its_time) {
  const auto before = counted(PerfCounter::kTime, -1);
  EXPECT_LE(*before, *counted(PerfCounter::kTime, -1));
  EXPECT_EQ(0u, counted(PerfCounter::kNothing, -1));
}

}  // namespace
}  // namespace portolan::map
