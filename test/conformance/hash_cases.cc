// SPDX-License-Identifier: Apache-2.0
// HASH, and what PERCPU_HASH has in common with it.
#include "cases.h"

#include <set>

namespace portolan::conformance {
namespace {

class HashMap : public Case {
 protected:
  // A plain map of each kind of hash; `check` is given its fd and the size of a value.
  void each(std::uint32_t max_entries, const std::function<void(int, std::size_t)>& check) {
    for (const std::uint32_t type : {kHash, kPerCpuHash})
      for (const std::uint32_t flags :
           {0u, static_cast<std::uint32_t>(kNoPrealloc), static_cast<std::uint32_t>(kZeroSeed)}) {
        SCOPED_TRACE(std::string(map_type_name(type)) + " with flags " + std::to_string(flags));
        check(map({type, 4, 8, max_entries, flags}), type == kHash ? 8 : 8 * possible_cpus());
      }
  }
  std::set<std::uint32_t> keys_of(int fd, std::size_t limit) {
    std::set<std::uint32_t> keys;
    Data key, following(4);
    const Data* from = nullptr;
    while (keys.size() <= limit && next(fd, from, &following) == 0) {
      EXPECT_TRUE(keys.insert(load_unaligned<std::uint32_t>(following.data())).second);
      key = following;
      from = &key;
    }
    return keys;
  }
};
ON_BOTH_BACKENDS(HashMap);

TEST_P(HashMap, update_flags_on_an_absent_and_a_present_key) {
  const struct {
    std::uint64_t flags;
    long absent, present;
  } rows[] = {{kAny, 0, 0},
              {kNoExist, 0, -EEXIST},
              {kExist, -ENOENT, 0},
              {3, -EINVAL, -EINVAL},
              {kLock, -EINVAL, -EINVAL},
              {kLock | kNoExist, -EINVAL, -EINVAL},
              {kCpu, -EINVAL, -EINVAL},
              {kAllCpus, -EINVAL, -EINVAL},
              {kCpu | 1ull << 32, -EINVAL, -EINVAL},
              {32, -EINVAL, -EINVAL},
              {1ull << 32, -EINVAL, -EINVAL},
              {1ull << 63, -EINVAL, -EINVAL},
              {~0ull, -EINVAL, -EINVAL}};
  each(4, [&](int fd, std::size_t size) {
    for (const auto& row : rows) {
      SCOPED_TRACE(row.flags);
      (void)erase(fd, number32(1));
      EXPECT_ANSWER(row.absent, update(fd, number32(1), repeated(size, 1), row.flags));
      EXPECT_ANSWER(0, update(fd, number32(1), repeated(size, 2)));
      EXPECT_ANSWER(row.present, update(fd, number32(1), repeated(size, 3), row.flags));
      Data value(size);
      EXPECT_ANSWER(0, lookup(fd, number32(1), &value));
      EXPECT_EQ(repeated(size, row.present == 0 ? 3 : 2), value);
    }
  });
}

TEST_P(HashMap, lookup_flags) {
  const struct {
    std::uint64_t flags;
    long expected;
  } rows[] = {{0, 0},          {kNoExist, -EINVAL}, {kExist, -EINVAL}, {kLock, -EINVAL},
              {kCpu, -EINVAL}, {kAllCpus, -EINVAL}, {~0ull, -EINVAL}};
  each(4, [&](int fd, std::size_t size) {
    ASSERT_ANSWER(0, update(fd, number32(1), repeated(size, 7)));
    for (const auto& row : rows) {
      SCOPED_TRACE(row.flags);
      Data value = repeated(size, 0xcc);
      EXPECT_ANSWER(row.expected, lookup(fd, number32(1), &value, row.flags));
      EXPECT_EQ(repeated(size, row.expected == 0 ? 7 : 0xcc), value);
    }
  });
}

TEST_P(HashMap, a_missing_key_leaves_the_buffer_alone) {
  each(4, [&](int fd, std::size_t size) {
    Data value = repeated(size, 0xcc);
    EXPECT_ANSWER(-ENOENT, lookup(fd, number32(1), &value));
    EXPECT_ANSWER(-ENOENT, take(fd, number32(1), &value));
    EXPECT_ANSWER(-ENOENT, erase(fd, number32(1)));
    EXPECT_EQ(repeated(size, 0xcc), value);
  });
}

TEST_P(HashMap, is_full_at_exactly_max_entries) {
  for (const std::uint32_t entries : {1u, 2u, 3u, 7u, 64u, 100u, 1000u})
    each(entries, [&](int fd, std::size_t size) {
      for (std::uint32_t key = 0; key < entries; ++key)
        ASSERT_ANSWER(0, update(fd, number32(key), repeated(size, 1)));
      EXPECT_ANSWER(-E2BIG, update(fd, number32(entries), repeated(size, 1)));
      EXPECT_ANSWER(-E2BIG, update(fd, number32(entries), repeated(size, 1), kNoExist));
      EXPECT_ANSWER(-ENOENT, update(fd, number32(entries), repeated(size, 1), kExist));
      for (int again = 0; again < 3; ++again)
        for (std::uint32_t key = 0; key < entries; ++key)
          EXPECT_ANSWER(0, update(fd, number32(key), repeated(size, 2)));
      EXPECT_ANSWER(-EEXIST, update(fd, number32(0), repeated(size, 3), kNoExist));
      EXPECT_ANSWER(0, erase(fd, number32(entries / 2)));
      EXPECT_ANSWER(0, update(fd, number32(entries), repeated(size, 1)));
      EXPECT_ANSWER(-E2BIG, update(fd, number32(entries + 1), repeated(size, 1)));
    });
}

TEST_P(HashMap, take_returns_the_value_and_removes_it) {
  each(4, [&](int fd, std::size_t size) {
    ASSERT_ANSWER(0, update(fd, number32(1), repeated(size, 9)));
    Data value(size);
    for (const std::uint64_t flags : {1ull, 2ull, 4ull, 8ull, 1ull << 40})
      EXPECT_ANSWER(-EINVAL, take(fd, number32(1), &value, flags));
    EXPECT_ANSWER(0, take(fd, number32(1), &value));
    EXPECT_EQ(repeated(size, 9), value);
    EXPECT_ANSWER(-ENOENT, take(fd, number32(1), &value));
  });
}

TEST_P(HashMap, taking_into_a_bad_buffer_still_removes) {
  each(4, [&](int fd, std::size_t size) {
    ASSERT_ANSWER(0, update(fd, number32(1), repeated(size, 9)));
    const Data key = number32(1);
    Attr attr;
    attr.set(element::kMapFd, static_cast<std::uint64_t>(fd))
        .set(element::kKey, reinterpret_cast<std::uint64_t>(key.data()));
    EXPECT_ANSWER(-EFAULT, call(kLookupAndDelete, attr));
    Data value(size);
    EXPECT_ANSWER(-ENOENT, lookup(fd, key, &value));
  });
}

TEST_P(HashMap, iteration_shows_each_key_once) {
  each(100, [&](int fd, std::size_t size) {
    Data following(4), key = number32(5);
    EXPECT_ANSWER(-ENOENT, next(fd, nullptr, &following));
    EXPECT_ANSWER(-ENOENT, next(fd, &key, &following));
    std::set<std::uint32_t> expected;
    for (std::uint32_t number = 0; number < 100; number += 3) {
      ASSERT_ANSWER(0, update(fd, number32(number), repeated(size, 1)));
      expected.insert(number);
    }
    EXPECT_EQ(expected, keys_of(fd, 100));
    for (std::uint32_t number = 0; number < 100; number += 6) {
      ASSERT_ANSWER(0, erase(fd, number32(number)));
      expected.erase(number);
    }
    EXPECT_EQ(expected, keys_of(fd, 100));
  });
}

TEST_P(HashMap, an_absent_key_starts_the_iteration_anew) {
  each(8, [&](int fd, std::size_t size) {
    for (std::uint32_t number = 0; number < 8; ++number)
      ASSERT_ANSWER(0, update(fd, number32(number), repeated(size, 1)));
    Data first(4), following(4);
    const Data absent = number32(1000);
    EXPECT_ANSWER(0, next(fd, nullptr, &first));
    EXPECT_ANSWER(0, next(fd, &absent, &following));
    EXPECT_EQ(first, following);
  });
}

TEST_P(HashMap, deleting_everything_while_iterating) {
  each(64, [&](int fd, std::size_t size) {
    for (std::uint32_t number = 0; number < 64; ++number)
      ASSERT_ANSWER(0, update(fd, number32(number), repeated(size, 1)));
    Data key(4);
    int deleted = 0;
    while (deleted <= 64 && next(fd, nullptr, &key) == 0) {
      EXPECT_ANSWER(0, erase(fd, key));
      ++deleted;
    }
    EXPECT_EQ(64, deleted);
  });
}

TEST_P(HashMap, keys_and_values_of_odd_sizes) {
  for (const std::uint32_t type : {kHash, kPerCpuHash})
    for (const std::uint32_t key_size : {1u, 2u, 3u, 5u, 8u, 9u, 31u, 64u, 255u, 512u})
      for (const std::uint32_t value_size : {1u, 3u, 8u, 9u, 100u, 4000u}) {
        SCOPED_TRACE(std::to_string(type) + ": " + std::to_string(key_size) + " to " +
                     std::to_string(value_size));
        const int fd = map({type, key_size, value_size, 5});
        const std::size_t size = type == kHash ? value_size : round_up(value_size, 8) * possible_cpus();
        for (unsigned i = 0; i < 5; ++i) {
          Data key = repeated(key_size, 0);
          key[key_size - 1] = static_cast<std::byte>(i);
          EXPECT_ANSWER(0, update(fd, key, repeated(size, i + 1)));
        }
        for (unsigned i = 0; i < 5; ++i) {
          Data key = repeated(key_size, 0), value(size);
          key[key_size - 1] = static_cast<std::byte>(i);
          EXPECT_ANSWER(0, lookup(fd, key, &value));
          EXPECT_EQ(repeated(size, i + 1), value);
        }
      }
}

TEST_P(HashMap, order_of_checks_when_several_things_are_wrong) {
  const int fd = map({kHash, 4, 8, 1}), reader = map({kHash, 4, 8, 1, kReadOnly}),
            writer = map({kHash, 4, 8, 1, kWriteOnly});
  Data value(8);
  const auto with = [&](int map_fd, std::uint64_t key, std::uint64_t value_address, std::uint64_t flags) {
    return Attr()
        .set(element::kMapFd, static_cast<std::uint64_t>(map_fd))
        .set(element::kKey, key)
        .set(element::kValue, value_address)
        .set(element::kFlags, flags);
  };
  EXPECT_ANSWER(-EINVAL, call(kLookup, with(19000, 0, 0, 1)));      // flags before fd
  EXPECT_ANSWER(-EBADF, call(kUpdate, with(19000, 0, 0, ~0ull)));   // fd before flags
  EXPECT_ANSWER(-EPERM, call(kUpdate, with(reader, 0, 0, ~0ull)));  // permission before all
  EXPECT_ANSWER(-EPERM, call(kLookup, with(writer, 0, 0, 0)));
  EXPECT_ANSWER(-EFAULT, call(kLookup, with(fd, 0, 0, 0)));
  const Data key = number32(1);
  const auto key_at = reinterpret_cast<std::uint64_t>(key.data());
  EXPECT_ANSWER(-ENOENT, call(kLookup, with(fd, key_at, 0, 0)));       // absence before a bad buffer
  EXPECT_ANSWER(-EFAULT, call(kUpdate, with(fd, key_at, 0, kExist)));  // a bad buffer before absence
  EXPECT_ANSWER(-EFAULT, call(kUpdate, with(fd, 0, 0, kNoExist)));
  EXPECT_ANSWER(-EINVAL, call(kUpdate, with(fd, 0, 0, ~0ull)));
  EXPECT_ANSWER(-EINVAL, call(kUpdate, with(fd, 0, 0, kLock)));
  EXPECT_ANSWER(-EINVAL, call(kLookupAndDelete, with(fd, 0, 0, 2)));
  EXPECT_ANSWER(-EINVAL, call(kLookupAndDelete, with(reader, 0, 0, 2)));  // flags before permission
  EXPECT_ANSWER(-EPERM, call(kLookupAndDelete, with(writer, 0, 0, 0)));
}

TEST_P(HashMap, access_modes) {
  for (const std::uint32_t type : {kHash, kPerCpuHash, kArray, kPerCpuArray}) {
    SCOPED_TRACE(map_type_name(type));
    const int reader = map({type, 4, 8, 2, kReadOnly}), writer = map({type, 4, 8, 2, kWriteOnly});
    Data key = number32(0), value(8 * possible_cpus());
    EXPECT_ANSWER(-EPERM, update(reader, key, value));
    EXPECT_ANSWER(-EPERM, erase(reader, key));
    EXPECT_ANSWER(-EPERM, freeze(reader));
    EXPECT_ANSWER(-EPERM, lookup(writer, key, &value));
    EXPECT_ANSWER(-EPERM, next(writer, nullptr, &key));
    EXPECT_ANSWER(0, update(writer, key, value));
    EXPECT_ANSWER(0, freeze(writer));
    EXPECT_ANSWER(-EPERM, update(writer, key, value));
  }
}

TEST_P(HashMap, a_frozen_map_is_read_only_to_system_calls) {
  for (const std::uint32_t type : {kHash, kPerCpuHash, kArray, kPerCpuArray}) {
    SCOPED_TRACE(map_type_name(type));
    const int fd = map({type, 4, 8, 2});
    const Data key = number32(0);
    Data value = repeated(8 * possible_cpus(), 5), following(4);
    ASSERT_ANSWER(0, update(fd, key, value));
    EXPECT_ANSWER(0, freeze(fd));
    EXPECT_ANSWER(-EPERM, freeze(fd));
    EXPECT_ANSWER(-EPERM, update(fd, key, value));
    EXPECT_ANSWER(-EPERM, erase(fd, key));
    EXPECT_ANSWER(-EPERM, take(fd, key, &value));
    EXPECT_ANSWER(0, lookup(fd, key, &value));
    EXPECT_ANSWER(0, next(fd, nullptr, &following));
    Batch one;
    one.keys = key;
    one.values = value;
    one.count = 1;
    EXPECT_ANSWER(-EPERM, batch(kUpdateBatch, fd, one));
    EXPECT_ANSWER(-EPERM, batch(kDeleteBatch, fd, one));
    EXPECT_ANSWER(-EPERM, batch(kLookupAndDeleteBatch, fd, one));
    const int again = keep(call(kMapGetFdById, Attr().set(by_id::kId, id(fd))));
    EXPECT_ANSWER(-EPERM, update(again, key, value));
  }
}

TEST_P(HashMap, values_with_a_spin_lock) {
  const auto btf = static_cast<std::uint32_t>(types_btf());
  for (const std::uint32_t type : {kHash, kArray}) {
    SCOPED_TRACE(map_type_name(type));
    const int fd = static_cast<int>(create({type, 4, 16, 3}, [btf](Attr& attr) {
      attr.set(create::kBtfFd, btf).set(create::kBtfKeyTypeId, kU32).set(create::kBtfValueTypeId, kLateLock);
    }));
    ASSERT_GE(fd, 0);
    const Data shown = joined({repeated(8, 3), repeated(4, 0), repeated(4, 3)});  // the lock reads as zeros
    Data value(16);
    EXPECT_ANSWER(type == kHash ? -ENOENT : 0, update(fd, number32(1), repeated(16, 3), kLock | kExist));
    EXPECT_ANSWER(type == kHash ? 0 : -EEXIST, update(fd, number32(1), repeated(16, 3), kLock | kNoExist));
    EXPECT_ANSWER(-EEXIST, update(fd, number32(1), repeated(16, 4), kLock | kNoExist));
    EXPECT_ANSWER(0, lookup(fd, number32(1), &value, kLock));
    EXPECT_EQ(shown, value);
    EXPECT_ANSWER(0, update(fd, number32(1), repeated(16, 3)));
    EXPECT_ANSWER(0, lookup(fd, number32(1), &value));
    EXPECT_EQ(shown, value);
    EXPECT_ANSWER(0, update(fd, number32(1), repeated(16, 3), kLock));
    EXPECT_ANSWER(-EINVAL, lookup(fd, number32(1), &value, kLock | 1));
    Data batch_values(16);
    Batch one;
    one.keys = number32(2);
    one.values = repeated(16, 3);
    one.count = 1;
    one.elem_flags = kLock;
    EXPECT_ANSWER(0, batch(kUpdateBatch, fd, one));
    if (type == kHash) {
      EXPECT_ANSWER(0, take(fd, number32(1), &value, kLock));
      EXPECT_EQ(shown, value);
    }
  }
}

}  // namespace
}  // namespace portolan::conformance
