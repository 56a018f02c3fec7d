// SPDX-License-Identifier: Apache-2.0
// ARRAY and PERCPU_ARRAY.
#include <sys/mman.h>

#include "base/sys.h"
#include "cases.h"

namespace portolan::conformance {
namespace {

class ArrayMap : public Case {
 protected:
  void each(std::uint32_t value_size, std::uint32_t max_entries,
            const std::function<void(int, std::size_t)>& check) {
    for (const std::uint32_t type : {kArray, kPerCpuArray}) {
      SCOPED_TRACE(map_type_name(type));
      check(map({type, 4, value_size, max_entries}),
            type == kArray ? value_size : round_up(value_size, 8) * possible_cpus());
    }
  }
};
ON_BOTH_BACKENDS(ArrayMap);

TEST_P(ArrayMap, starts_with_zeros) {
  each(12, 5, [&](int fd, std::size_t size) {
    for (std::uint32_t index = 0; index < 5; ++index) {
      Data value = repeated(size, 0xcc);
      EXPECT_ANSWER(0, lookup(fd, number32(index), &value));
      EXPECT_EQ(repeated(size, 0), value);
    }
  });
}

TEST_P(ArrayMap, update_flags_and_indices) {
  const struct {
    std::uint32_t index;
    std::uint64_t flags;
    long expected;
  } rows[] = {{0, kAny, 0},           {4, kAny, 0},           {5, kAny, -E2BIG},        {~0u, kAny, -E2BIG},
              {0, kNoExist, -EEXIST}, {5, kNoExist, -E2BIG},  {0, kExist, 0},           {5, kExist, -E2BIG},
              {0, 3, -EINVAL},        {5, 3, -EINVAL},        {0, kLock, -EINVAL},      {5, kLock, -EINVAL},
              {0, kCpu, -EINVAL},     {0, kAllCpus, -EINVAL}, {0, 1ull << 32, -EINVAL}, {0, ~0ull, -EINVAL}};
  each(8, 5, [&](int fd, std::size_t size) {
    for (const auto& row : rows) {
      SCOPED_TRACE(std::to_string(row.index) + " with flags " + std::to_string(row.flags));
      EXPECT_ANSWER(row.expected, update(fd, number32(row.index), repeated(size, 1), row.flags));
    }
  });
}

TEST_P(ArrayMap, lookups_outside) {
  each(8, 5, [&](int fd, std::size_t size) {
    Data value = repeated(size, 0xcc);
    EXPECT_ANSWER(-ENOENT, lookup(fd, number32(5), &value));
    EXPECT_ANSWER(-ENOENT, lookup(fd, number32(~0u), &value));
    EXPECT_ANSWER(-EINVAL, lookup(fd, number32(0), &value, kExist));
    EXPECT_ANSWER(-EINVAL, lookup(fd, number32(0), &value, kLock));
    EXPECT_EQ(repeated(size, 0xcc), value);
  });
}

TEST_P(ArrayMap, elements_cannot_be_deleted_or_taken) {
  each(8, 5, [&](int fd, std::size_t size) {
    Data value(size);
    EXPECT_ANSWER(-EINVAL, erase(fd, number32(0)));
    EXPECT_ANSWER(-EINVAL, erase(fd, number32(9)));
    EXPECT_ANSWER(-kEnotsupp, take(fd, number32(0), &value));
    EXPECT_ANSWER(-kEnotsupp, take(fd, number32(9), &value));
    EXPECT_ANSWER(-EINVAL, take(fd, number32(0), &value, kExist));
  });
}

TEST_P(ArrayMap, iteration_is_in_order_and_a_stray_index_starts_anew) {
  each(8, 3, [&](int fd, std::size_t) {
    const struct {
      std::uint32_t from;
      long expected;
      std::uint32_t to;
    } rows[] = {{0, 0, 1}, {1, 0, 2}, {2, -ENOENT, 99}, {3, 0, 0}, {~0u, 0, 0}};
    Data following(4);
    EXPECT_ANSWER(0, next(fd, nullptr, &following));
    EXPECT_EQ(number32(0), following);
    for (const auto& row : rows) {
      SCOPED_TRACE(row.from);
      following = number32(99);
      const Data from = number32(row.from);
      EXPECT_ANSWER(row.expected, next(fd, &from, &following));
      EXPECT_EQ(number32(row.to), following);
    }
  });
}

TEST_P(ArrayMap, values_of_odd_sizes_do_not_run_into_each_other) {
  for (const std::uint32_t value_size : {1u, 2u, 3u, 5u, 7u, 8u, 9u, 63u, 4096u, 5000u})
    each(value_size, 4, [&](int fd, std::size_t size) {
      SCOPED_TRACE(value_size);
      for (unsigned index = 0; index < 4; ++index)
        EXPECT_ANSWER(0, update(fd, number32(index), repeated(size, index + 1)));
      for (unsigned index = 0; index < 4; ++index) {
        Data value(size);
        EXPECT_ANSWER(0, lookup(fd, number32(index), &value));
        EXPECT_EQ(repeated(size, index + 1), value);
      }
    });
}

TEST_P(ArrayMap, per_cpu_values_are_kept_apart) {
  const int fd = map({kPerCpuArray, 4, 8, 2});
  Data values, shown(8 * possible_cpus());
  for (unsigned cpu = 0; cpu < possible_cpus(); ++cpu) {
    const Data one = number64(100 + cpu);
    values.insert(values.end(), one.begin(), one.end());
  }
  EXPECT_ANSWER(0, update(fd, number32(1), values));
  EXPECT_ANSWER(0, lookup(fd, number32(1), &shown));
  EXPECT_EQ(values, shown);
}

TEST_P(ArrayMap, updates_with_unreadable_values_change_nothing) {
  each(8, 2, [&](int fd, std::size_t size) {
    ASSERT_ANSWER(0, update(fd, number32(0), repeated(size, 1)));
    const Data key = number32(0);
    EXPECT_ANSWER(-EFAULT,
                  call(kUpdate, Attr()
                                    .set(element::kMapFd, static_cast<std::uint64_t>(fd))
                                    .set(element::kKey, reinterpret_cast<std::uint64_t>(key.data()))));
    Data value(size);
    EXPECT_ANSWER(0, lookup(fd, key, &value));
    EXPECT_EQ(repeated(size, 1), value);
  });
}

TEST_P(ArrayMap, mmapable_pages_are_the_elements) {
  const int fd = map({kArray, 4, 12, 700, kMmapable});  // strides of 16, three pages
  const auto mapped = sys::mmap(nullptr, 3 * kPageSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ASSERT_TRUE(mapped);
  auto* bytes = static_cast<std::byte*>(*mapped);
  EXPECT_ANSWER(0, update(fd, number32(699), repeated(12, 5)));
  EXPECT_EQ(std::byte{5}, bytes[699 * 16 + 11]);
  bytes[300 * 16] = std::byte{9};
  Data value(12);
  EXPECT_ANSWER(0, lookup(fd, number32(300), &value));
  EXPECT_EQ(joined({repeated(1, 9), repeated(11, 0)}), value);
  EXPECT_TRUE(sys::munmap(*mapped, 3 * kPageSize));
}

}  // namespace
}  // namespace portolan::conformance
