// SPDX-License-Identifier: Apache-2.0
// Types without keys: QUEUE, STACK, BLOOM_FILTER.
#include "cases.h"

namespace portolan::conformance {
namespace {

class Keyless : public Case {
 protected:
  long push(int fd, const Data& value, std::uint64_t flags = 0) {
    Attr attr;
    attr.set(element::kMapFd, static_cast<std::uint64_t>(fd)).set(element::kFlags, flags);
    attr.set(element::kValue, reinterpret_cast<std::uint64_t>(value.data()));
    return call(kUpdate, attr, element::kSize);
  }
  long read(unsigned command, int fd, Data* value, std::uint64_t flags = 0) {
    Attr attr;
    attr.set(element::kMapFd, static_cast<std::uint64_t>(fd)).set(element::kFlags, flags);
    attr.set(element::kValue, reinterpret_cast<std::uint64_t>(value->data()));
    return call(command, attr, element::kSize);
  }
  long peek(int fd, Data* value) { return read(kLookup, fd, value); }
  long pop(int fd, Data* value) { return read(kLookupAndDelete, fd, value); }
};
ON_BOTH_BACKENDS(Keyless);

TEST_P(Keyless, what_may_be_created) {
  struct Row {
    MapSpec spec;
    long queue, bloom;  // errors; 0: it may
    std::uint64_t extra = 0;
  };
  const Row rows[] = {{{0, 0, 8, 4, 0}, 0, 0},
                      {{0, 4, 8, 4, 0}, -EINVAL, -EINVAL},
                      {{0, 0, 0, 4, 0}, -EINVAL, -EINVAL},
                      {{0, 0, 8, 0, 0}, -EINVAL, -EINVAL},
                      {{0, 0, 8, 4, kNoPrealloc}, -EINVAL, -EINVAL},
                      {{0, 0, 8, 4, kZeroSeed}, -EINVAL, 0},
                      {{0, 0, 8, 4, kReadOnlyProg}, 0, 0},
                      {{0, 0, 8, 4, kReadOnlyProg | kWriteOnlyProg}, -EINVAL, -EINVAL},
                      {{0, 0, 8, 4, kMmapable}, -EINVAL, -EINVAL},
                      {{0, 0, 4u << 20, 1, 0}, 0, 0},
                      {{0, 0, (4u << 20) + 1, 1, 0}, -E2BIG, -E2BIG},
                      {{0, 4, (4u << 20) + 1, 0, kNoPrealloc}, -EINVAL, -E2BIG},
                      {{0, 0, 8, 4, 0}, -EINVAL, 0, 15},
                      {{0, 0, 8, 4, 0}, -EINVAL, -EINVAL, 16},
                      {{0, 0, 8, 4, 0}, -EINVAL, -EINVAL, 1ull << 32}};
  for (const std::uint32_t type : {kQueue, kStack, kBloomFilter})
    for (const Row& row : rows) {
      SCOPED_TRACE(std::string(map_type_name(type)) + " row " + std::to_string(&row - rows));
      MapSpec spec = row.spec;
      spec.type = type;
      const long fd = create(spec, [&](Attr& attr) { attr.set(create::kMapExtra, row.extra); });
      EXPECT_ANSWER(type == kBloomFilter ? row.bloom : row.queue, std::min(fd, 0l));
    }
}

TEST_P(Keyless, values_leave_a_queue_in_order_and_a_stack_in_reverse) {
  for (const std::uint32_t type : {kQueue, kStack}) {
    SCOPED_TRACE(map_type_name(type));
    const int fd = map({type, 0, 4, 3, 0});
    Data value = number32(77);
    EXPECT_ANSWER(-ENOENT, peek(fd, &value));
    EXPECT_ANSWER(-ENOENT, pop(fd, &value));
    EXPECT_EQ(number32(77), value);
    for (std::uint32_t i = 1; i <= 3; ++i) EXPECT_ANSWER(0, push(fd, number32(i)));
    EXPECT_ANSWER(-E2BIG, push(fd, number32(4)));
    EXPECT_ANSWER(0, push(fd, number32(5), kExist));  // the oldest goes
    const std::uint32_t in_order[] = {2, 3, 5}, in_reverse[] = {5, 3, 2};
    for (std::uint32_t expected : type == kQueue ? in_order : in_reverse) {
      EXPECT_ANSWER(0, peek(fd, &value));
      EXPECT_EQ(number32(expected), value);
      EXPECT_ANSWER(0, pop(fd, &value));
      EXPECT_EQ(number32(expected), value);
    }
    EXPECT_ANSWER(-ENOENT, pop(fd, &value));
  }
}

TEST_P(Keyless, a_long_way_around_the_end) {
  const int fd = map({kQueue, 0, 12, 5, 0});
  Data value(12);
  for (std::uint32_t i = 0; i < 40; ++i) {
    ASSERT_ANSWER(0, push(fd, repeated(12, i)));
    ASSERT_ANSWER(0, push(fd, repeated(12, i + 100)));
    ASSERT_ANSWER(0, pop(fd, &value));
    EXPECT_EQ(repeated(12, i), value);
    ASSERT_ANSWER(0, pop(fd, &value));
    EXPECT_EQ(repeated(12, i + 100), value);
  }
}

TEST_P(Keyless, flags_and_ops_that_are_not_there) {
  for (const std::uint32_t type : {kQueue, kStack, kBloomFilter}) {
    SCOPED_TRACE(map_type_name(type));
    const bool is_bloom = type == kBloomFilter;
    const int fd = map({type, 0, 8, 3, 0});
    Data key = number32(0), value = number64(1), following(8);
    EXPECT_ANSWER(-EINVAL, push(fd, value, kNoExist));
    EXPECT_ANSWER(-EINVAL, push(fd, value, 3));
    EXPECT_ANSWER(-EINVAL, push(fd, value, kLock));
    EXPECT_ANSWER(-EINVAL, push(fd, value, 1ull << 33));
    EXPECT_ANSWER(is_bloom ? -EINVAL : 0, push(fd, value, kExist));
    EXPECT_ANSWER(-EINVAL, read(kLookup, fd, &value, 1));
    EXPECT_ANSWER(-EINVAL, read(kLookupAndDelete, fd, &value, kLock));
    EXPECT_ANSWER(is_bloom ? -524 : 0, pop(fd, &value));
    EXPECT_ANSWER(is_bloom ? -EOPNOTSUPP : -EINVAL, next(fd, nullptr, &following));
    EXPECT_ANSWER(-EINVAL, next(fd, &key, &following));
    Attr attr;
    attr.set(element::kMapFd, static_cast<std::uint64_t>(fd));
    EXPECT_ANSWER(is_bloom ? -EOPNOTSUPP : -EINVAL, call(kDelete, attr, element::kSize));
    // A key for a map that has none.
    EXPECT_ANSWER(-EINVAL, update(fd, key, value));
    EXPECT_ANSWER(-EINVAL, lookup(fd, key, &value));
    EXPECT_ANSWER(-EINVAL, erase(fd, key));
    EXPECT_ANSWER(-EINVAL, take(fd, key, &value));
    for (unsigned command : {kLookupBatch, kLookupAndDeleteBatch, kUpdateBatch, kDeleteBatch}) {
      Batch one;
      one.count = 1;
      one.keys = one.values = Data(8);
      EXPECT_ANSWER(-524, batch(command, fd, one));
    }
  }
}

TEST_P(Keyless, frozen_and_bad_pointers) {
  for (const std::uint32_t type : {kQueue, kBloomFilter}) {
    const int fd = map({type, 0, 8, 3, 0});
    Data value = number64(1);
    Attr attr;
    attr.set(element::kMapFd, static_cast<std::uint64_t>(fd)).set(element::kValue, 8);
    EXPECT_ANSWER(-EFAULT, call(kUpdate, attr, element::kSize));
    ASSERT_ANSWER(0, push(fd, value));
    EXPECT_ANSWER(-EFAULT, call(kLookup, attr, element::kSize));
    ASSERT_ANSWER(0, freeze(fd));
    EXPECT_ANSWER(-EPERM, push(fd, value));
    EXPECT_ANSWER(-EPERM, pop(fd, &value));
    EXPECT_ANSWER(0, peek(fd, &value));
  }
}

TEST_P(Keyless, a_bloom_filter_finds_what_was_pushed) {
  for (const std::uint32_t value_size : {1u, 3u, 4u, 8u, 12u, 13u, 24u, 33u}) {
    const int fd = map({kBloomFilter, 0, value_size, 60, 0});
    const auto value_of = [&](std::uint32_t n) { return repeated(value_size, n); };
    for (std::uint32_t n = 0; n < 60; ++n) ASSERT_ANSWER(0, push(fd, value_of(n)));
    for (std::uint32_t n = 0; n < 60; ++n) {
      Data value = value_of(n);
      EXPECT_ANSWER(0, peek(fd, &value));
      EXPECT_EQ(value_of(n), value);
    }
  }
}

// With the same seed the same values are found by mistake.
TEST_P(Keyless, false_positives_of_a_bloom_filter_with_zero_seed) {
  std::string found;
  const int fd = static_cast<int>(
      create({kBloomFilter, 0, 8, 16, kZeroSeed}, [](Attr& attr) { attr.set(create::kMapExtra, 2); }));
  keep(fd);
  for (std::uint64_t n = 0; n < 24; ++n) ASSERT_ANSWER(0, push(fd, number64(n)));
  for (std::uint64_t n = 1000; n < 1100; ++n) {
    Data value = number64(n);
    if (peek(fd, &value) == 0) found += std::to_string(n) + " ";
  }
  EXPECT_EQ(
      "1006 1009 1011 1013 1015 1019 1021 1025 1035 1039 1043 1044 1045 1046 1048 1051 1056 1060 1062 1065 "
      "1070 1074 1076 1079 1080 1085 1087 1088 1096 1099 ",
      found);
}

TEST_P(Keyless, types_of_values) {
  const auto btf = static_cast<std::uint32_t>(types_btf());
  const auto with_types = [&](std::uint32_t type, std::uint32_t key_type) {
    return create({type, 0, 8, 4, 0}, [&](Attr& attr) {
      attr.set(create::kBtfFd, btf).set(create::kBtfKeyTypeId, key_type).set(create::kBtfValueTypeId, kU64);
    });
  };
  EXPECT_ANSWER(-EINVAL, std::min(with_types(kQueue, 0), 0l));
  EXPECT_ANSWER(-EINVAL, std::min(with_types(kStack, kU32), 0l));
  EXPECT_ANSWER(0, std::min(with_types(kBloomFilter, 0), 0l));
  EXPECT_ANSWER(-EINVAL, std::min(with_types(kBloomFilter, kU32), 0l));
}

}  // namespace
}  // namespace portolan::conformance
