// SPDX-License-Identifier: Apache-2.0
// BPF_MAP_*_BATCH.
#include "cases.h"

#include <set>

namespace portolan::conformance {
namespace {

class MapBatch : public Case {
 protected:
  static std::size_t value_size(std::uint32_t type) {
    return type == kPerCpuHash || type == kPerCpuArray ? 8 * possible_cpus() : 8;
  }
  // Keys first, first + 1, …; each value is its key + 1, in every byte.
  static Batch elements(std::uint32_t type, std::uint32_t first, std::uint32_t count) {
    Batch made;
    for (std::uint32_t i = 0; i < count; ++i) {
      const Data key = number32(first + i), value = repeated(value_size(type), first + i + 1);
      made.keys.insert(made.keys.end(), key.begin(), key.end());
      made.values.insert(made.values.end(), value.begin(), value.end());
    }
    made.count = count;
    return made;
  }
  static Batch room(std::uint32_t type, std::uint32_t count) {
    Batch made;
    made.keys = repeated(4 * count, 0xcc);
    made.values = repeated(value_size(type) * count, 0xcc);
    made.count = count;
    return made;
  }
  static std::set<std::uint32_t> keys_in(const Batch& shown) {
    std::set<std::uint32_t> keys;
    for (std::uint32_t i = 0; i < shown.count; ++i)
      keys.insert(load_unaligned<std::uint32_t>(shown.keys.data() + 4 * i));
    return keys;
  }
};
ON_BOTH_BACKENDS(MapBatch);

constexpr MapType kHashes[] = {kHash, kPerCpuHash}, kArrays[] = {kArray, kPerCpuArray};
constexpr MapType kAll[] = {kHash, kPerCpuHash, kArray, kPerCpuArray};

TEST_P(MapBatch, update_then_lookup_everything) {
  for (const MapType type : kAll) {
    SCOPED_TRACE(map_type_name(type));
    const int fd = map({type, 4, 8, 10});
    Batch some = elements(type, 0, 10);
    EXPECT_ANSWER(0, batch(kUpdateBatch, fd, some));
    EXPECT_EQ(10u, some.count);
    Batch shown = room(type, 10);
    // An array ends with its last element, a hash with its last bucket.
    EXPECT_ANSWER(type == kHash || type == kPerCpuHash ? -ENOENT : 0, batch(kLookupBatch, fd, shown));
    EXPECT_EQ(10u, shown.count);
    EXPECT_EQ(keys_in(elements(type, 0, 10)), keys_in(shown));
    for (std::uint32_t i = 0; i < 10; ++i) {
      const auto size = static_cast<std::ptrdiff_t>(value_size(type));
      const auto value = shown.values.begin() + static_cast<std::ptrdiff_t>(i) * size;
      EXPECT_EQ(repeated(value_size(type), load_unaligned<std::uint32_t>(shown.keys.data() + 4 * i) + 1),
                Data(value, value + size));
    }
  }
}

TEST_P(MapBatch, update_stops_at_the_first_element_that_fails) {
  for (const MapType type : kAll) {
    SCOPED_TRACE(map_type_name(type));
    const int fd = map({type, 4, 8, 5});
    Batch many = elements(type, 0, 8);
    EXPECT_ANSWER(-E2BIG, batch(kUpdateBatch, fd, many));
    EXPECT_EQ(5u, many.count);
    Data value(value_size(type));
    EXPECT_ANSWER(0, lookup(fd, number32(4), &value));
    EXPECT_EQ(repeated(value_size(type), 5), value);
  }
}

TEST_P(MapBatch, element_flags_of_update) {
  const struct {
    std::uint64_t flags;
    long hash, array;
  } rows[] = {{kNoExist, -EINVAL, -EINVAL},
              {kExist, -EINVAL, -EINVAL},
              {kLock, -EINVAL, -EINVAL},
              {kCpu, -EINVAL, -EINVAL},
              {1ull << 32, -EINVAL, -EINVAL}};
  for (const MapType type : kAll)
    for (const auto& row : rows) {
      SCOPED_TRACE(std::string(map_type_name(type)) + " with " + std::to_string(row.flags));
      const int fd = map({type, 4, 8, 5});
      Batch some = elements(type, 0, 3);
      some.elem_flags = row.flags;
      EXPECT_ANSWER(type == kArray || type == kPerCpuArray ? row.array : row.hash,
                    batch(kUpdateBatch, fd, some));
      EXPECT_EQ(3u, some.count);
    }
}

TEST_P(MapBatch, delete_stops_at_an_absent_key) {
  for (const MapType type : kHashes) {
    SCOPED_TRACE(map_type_name(type));
    const int fd = map({type, 4, 8, 10});
    Batch some = elements(type, 0, 5);
    ASSERT_ANSWER(0, batch(kUpdateBatch, fd, some));
    Batch gone = elements(type, 3, 5);
    EXPECT_ANSWER(-ENOENT, batch(kDeleteBatch, fd, gone));
    EXPECT_EQ(2u, gone.count);
    Batch first = elements(type, 0, 3);
    EXPECT_ANSWER(0, batch(kDeleteBatch, fd, first));
    Data key(4);
    EXPECT_ANSWER(-ENOENT, next(fd, nullptr, &key));
  }
}

TEST_P(MapBatch, arrays_know_no_deletion) {
  for (const MapType type : kArrays) {
    const int fd = map({type, 4, 8, 10});
    Batch some = elements(type, 0, 5);
    EXPECT_ANSWER(-kEnotsupp, batch(kDeleteBatch, fd, some));
    EXPECT_EQ(5u, some.count);
    EXPECT_ANSWER(-kEnotsupp, batch(kLookupAndDeleteBatch, fd, some));
    EXPECT_EQ(5u, some.count);
  }
}

TEST_P(MapBatch, arrays_are_walked_in_order) {
  for (const MapType type : kArrays) {
    SCOPED_TRACE(map_type_name(type));
    const int fd = map({type, 4, 8, 10});
    Batch some = elements(type, 0, 10);
    ASSERT_ANSWER(0, batch(kUpdateBatch, fd, some));
    Batch shown = room(type, 4);
    EXPECT_ANSWER(0, batch(kLookupBatch, fd, shown));
    EXPECT_EQ(elements(type, 0, 4).keys, shown.keys);
    EXPECT_EQ(number32(3), Data(shown.out.begin(), shown.out.begin() + 4));
    shown.in = shown.out;
    shown.from_start = false;
    EXPECT_ANSWER(0, batch(kLookupBatch, fd, shown));
    EXPECT_EQ(elements(type, 4, 4).keys, shown.keys);
    shown.in = shown.out;
    EXPECT_ANSWER(-ENOENT, batch(kLookupBatch, fd, shown));
    EXPECT_EQ(2u, shown.count);
    Batch past = room(type, 4);
    past.from_start = false;
    past.in = number32(9);
    EXPECT_ANSWER(-ENOENT, batch(kLookupBatch, fd, past));
    EXPECT_EQ(0u, past.count);
    past.in = number32(77);  // a stray index starts anew
    past.count = 4;
    EXPECT_ANSWER(0, batch(kLookupBatch, fd, past));
    EXPECT_EQ(elements(type, 0, 4).keys, past.keys);
  }
}

TEST_P(MapBatch, a_hash_is_walked_by_pieces_of_any_size) {
  for (const MapType type : kHashes)
    for (const std::uint32_t piece : {1u, 2u, 7u, 50u, 200u}) {
      SCOPED_TRACE(std::string(map_type_name(type)) + " by " + std::to_string(piece));
      const int fd = map({type, 4, 8, 100});
      Batch some = elements(type, 0, 100);
      ASSERT_ANSWER(0, batch(kUpdateBatch, fd, some));
      std::set<std::uint32_t> seen;
      std::size_t total = 0;
      Batch shown = room(type, piece);
      std::uint32_t size = piece;
      for (int step = 0; step < 1000; ++step) {
        shown.count = size;
        const long result = batch(kLookupBatch, fd, shown);
        if (result == -ENOSPC) {
          size *= 2;
          Batch more = room(type, size);
          more.in = shown.in;
          more.from_start = shown.from_start;
          shown = more;
          continue;
        }
        ASSERT_TRUE(result == 0 || result == -ENOENT) << result_text(result);
        ASSERT_LE(shown.count, size);
        total += shown.count;
        seen.merge(keys_in(shown));
        if (result == -ENOENT) break;
        shown.in = shown.out;
        shown.from_start = false;
      }
      EXPECT_EQ(100u, total);
      EXPECT_EQ(100u, seen.size());
    }
}

TEST_P(MapBatch, taking_everything_empties_a_hash) {
  for (const MapType type : kHashes) {
    const int fd = map({type, 4, 8, 20});
    Batch some = elements(type, 0, 20);
    ASSERT_ANSWER(0, batch(kUpdateBatch, fd, some));
    Batch taken = room(type, 30);
    EXPECT_ANSWER(-ENOENT, batch(kLookupAndDeleteBatch, fd, taken));
    EXPECT_EQ(20u, taken.count);
    EXPECT_EQ(keys_in(elements(type, 0, 20)), keys_in(taken));
    Batch again = room(type, 30);
    EXPECT_ANSWER(-ENOENT, batch(kLookupAndDeleteBatch, fd, again));
    EXPECT_EQ(0u, again.count);
  }
}

TEST_P(MapBatch, no_elements_is_no_work) {
  for (const MapType type : kAll) {
    SCOPED_TRACE(map_type_name(type));
    const int fd = map({type, 4, 8, 4});
    const bool hash = type == kHash || type == kPerCpuHash;
    for (const unsigned command : {kLookupBatch, kUpdateBatch, kDeleteBatch, kLookupAndDeleteBatch}) {
      SCOPED_TRACE(command_name(command));
      Batch none;
      const bool known = hash || command == kLookupBatch || command == kUpdateBatch;
      EXPECT_ANSWER(known ? 0 : -kEnotsupp, batch(command, fd, none));
    }
  }
}

TEST_P(MapBatch, flags_are_refused_before_anything_is_done) {
  for (const MapType type : kAll) {
    SCOPED_TRACE(map_type_name(type));
    const int fd = map({type, 4, 8, 4});
    const bool hash = type == kHash || type == kPerCpuHash;
    for (const unsigned command : {kLookupBatch, kDeleteBatch, kLookupAndDeleteBatch}) {
      SCOPED_TRACE(command_name(command));
      if (!hash && command != kLookupBatch) continue;
      for (const std::uint64_t elem_flags : {kNoExist, kExist, kLock, kCpu}) {
        Batch one = room(type, 1);
        one.elem_flags = elem_flags;
        EXPECT_ANSWER(-EINVAL, batch(command, fd, one));
        EXPECT_EQ(1u, one.count);
      }
      Batch one = room(type, 1);
      one.flags = 1;
      const bool looks = hash && command != kDeleteBatch;  // the others ignore `flags`
      EXPECT_ANSWER(looks ? -EINVAL : command == kDeleteBatch ? -ENOENT : 0, batch(command, fd, one));
    }
  }
}

TEST_P(MapBatch, bad_buffers) {
  for (const MapType type : kAll) {
    SCOPED_TRACE(map_type_name(type));
    const bool hash = type == kHash || type == kPerCpuHash;
    const int fd = map({type, 4, 8, 1});
    Batch one = elements(type, 0, 1);
    ASSERT_ANSWER(0, batch(kUpdateBatch, fd, one));
    const auto with = [&](const Data* keys, const Data* values, const Data* out) {
      const auto at = [](const Data* bytes) {
        return bytes ? reinterpret_cast<std::uint64_t>(bytes->data()) : 0;
      };
      return Attr()
          .set(batch::kMapFd, static_cast<std::uint64_t>(fd))
          .set(batch::kCount, 1)
          .set(batch::kKeys, at(keys))
          .set(batch::kValues, at(values))
          .set(batch::kOutBatch, at(out));
    };
    const Data keys = number32(0), out(8), values(value_size(type));
    const struct {
      const char* what;
      unsigned command;
      Attr attr;
      long on_hash, on_array;
      std::uint32_t hash_count, array_count;  // written back, or left
    } rows[] = {
        {"update without keys", kUpdateBatch, with(nullptr, &values, nullptr), -EFAULT, -EFAULT, 0, 0},
        {"update without values", kUpdateBatch, with(&keys, nullptr, nullptr), -EFAULT, -EFAULT, 0, 0},
        {"lookup without keys", kLookupBatch, with(nullptr, &values, &out), -EFAULT, -EFAULT, 0, 0},
        {"lookup without values", kLookupBatch, with(&keys, nullptr, &out), -EFAULT, -EFAULT, 0, 0},
        {"lookup without out_batch", kLookupBatch, with(&keys, &values, nullptr), -EFAULT, -EFAULT, 0, 1},
        {"delete without keys", kDeleteBatch, with(nullptr, nullptr, nullptr), -EFAULT, -kEnotsupp, 0, 1},
    };
    for (const auto& row : rows) {
      SCOPED_TRACE(row.what);
      Attr attr = row.attr;
      EXPECT_ANSWER(hash ? row.on_hash : row.on_array, call_back(row.command, attr));
      EXPECT_EQ(hash ? row.hash_count : row.array_count, attr.get(batch::kCount));
    }
    Data value(value_size(type));
    EXPECT_ANSWER(0, lookup(fd, number32(0), &value));
  }
}

TEST_P(MapBatch, taking_into_bad_buffers) {
  for (const MapType type : kHashes) {
    SCOPED_TRACE(map_type_name(type));
    const int fd = map({type, 4, 8, 1});
    Batch one = elements(type, 0, 1);
    ASSERT_ANSWER(0, batch(kUpdateBatch, fd, one));
    Attr attr;
    attr.set(batch::kMapFd, static_cast<std::uint64_t>(fd)).set(batch::kCount, 1);
    EXPECT_ANSWER(-EFAULT, call_back(kLookupAndDeleteBatch, attr));
    Data value(value_size(type));
    EXPECT_ANSWER(-ENOENT, lookup(fd, number32(0), &value));  // gone for good
  }
}

TEST_P(MapBatch, access_modes) {
  for (const MapType type : kAll) {
    SCOPED_TRACE(map_type_name(type));
    const bool hash = type == kHash || type == kPerCpuHash;
    const int reader = map({type, 4, 8, 1, kReadOnly}), writer = map({type, 4, 8, 1, kWriteOnly});
    const auto expect = [&](int fd, unsigned command, long expected) {
      SCOPED_TRACE(command_name(command));
      Batch one = elements(type, 0, 1);
      EXPECT_ANSWER(expected, batch(command, fd, one));
    };
    expect(writer, kLookupBatch, -EPERM);
    expect(writer, kLookupAndDeleteBatch, -EPERM);
    expect(reader, kLookupAndDeleteBatch, -EPERM);
    expect(reader, kUpdateBatch, -EPERM);
    expect(reader, kDeleteBatch, -EPERM);
    expect(writer, kUpdateBatch, 0);
    expect(writer, kDeleteBatch, hash ? 0 : -kEnotsupp);
  }
}

}  // namespace
}  // namespace portolan::conformance
