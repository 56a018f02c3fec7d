// SPDX-License-Identifier: Apache-2.0
#include "sync/atomic.h"

#include <gtest/gtest.h>

#include <array>
#include <thread>

namespace portolan::sync {
namespace {

constexpr std::size_t kLongest = 72;
struct alignas(8) Shared {
  std::array<unsigned char, kLongest + 16> bytes;
};

std::array<unsigned char, kLongest + 16> pattern(unsigned char start) {
  std::array<unsigned char, kLongest + 16> bytes;
  for (unsigned char& byte : bytes) byte = start++;
  return bytes;
}

TEST(SharedCopies, copy_from_shared_gives_the_bytes_and_no_more_for_every_size) {
  const Shared shared{pattern(1)};
  for (std::size_t size = 0; size <= kLongest; ++size) {
    auto to = pattern(100);
    const auto before = to;
    copy_from_shared(to.data() + 1, shared.bytes.data(), size);  // the private side may be unaligned
    EXPECT_EQ(to[0], before[0]);
    for (std::size_t i = 0; i < size; ++i) ASSERT_EQ(to[i + 1], shared.bytes[i]) << size;
    for (std::size_t i = size + 1; i < to.size(); ++i) ASSERT_EQ(to[i], before[i]) << size;
  }
}

TEST(SharedCopies, copy_to_shared_keeps_the_rest_of_the_last_word) {
  const auto from = pattern(1);
  for (std::size_t size = 0; size <= kLongest; ++size) {
    Shared shared{pattern(100)};
    const Shared before = shared;
    copy_to_shared(shared.bytes.data(), from.data() + 1, size);
    for (std::size_t i = 0; i < size; ++i) ASSERT_EQ(shared.bytes[i], from[i + 1]) << size;
    for (std::size_t i = size; i < shared.bytes.size(); ++i)
      ASSERT_EQ(shared.bytes[i], before.bytes[i]) << size;
  }
}

TEST(SharedCopies, equal_looks_at_every_byte_and_at_none_beyond) {
  for (std::size_t size = 0; size <= kLongest; ++size) {
    Shared shared{pattern(1)};
    auto bytes = pattern(1);
    bytes[size] ^= 0xff;
    EXPECT_TRUE(equal_to_shared(shared.bytes.data(), bytes.data(), size)) << size;
    bytes = pattern(1);
    for (std::size_t i = 0; i < size; ++i) {
      bytes[i] ^= 1;
      EXPECT_FALSE(equal_to_shared(shared.bytes.data(), bytes.data(), size)) << size << " " << i;
      bytes[i] ^= 1;
    }
  }
}

TEST(SharedCopies, words_are_never_torn) {
  struct Words {
    std::uint64_t word[5];
  };
  Words shared{};
  Atomic<std::uint32_t> stop;
  std::thread writer([&] {
    for (std::uint64_t n = 0; stop.load_relaxed() == 0; ++n) {
      const std::uint64_t same = (n & 0xff) * 0x0101'0101'0101'0101;
      const Words next{{same, same, same, same, same}};
      copy_to_shared(&shared, &next, sizeof next);
    }
  });
  for (int i = 0; i < 20'000; ++i) {
    Words seen;
    copy_from_shared(&seen, &shared, sizeof seen);
    for (const std::uint64_t word : seen.word) ASSERT_EQ(word, (word & 0xff) * 0x0101'0101'0101'0101);
  }
  stop.store_relaxed(1);
  writer.join();
}

TEST(Atomic, failed_cas_gives_what_was_there) {
  Atomic<std::uint64_t> value(5);
  std::uint64_t expected = 4;
  EXPECT_FALSE(value.cas_acq_rel(expected, 6));
  EXPECT_EQ(expected, 5u);
  EXPECT_TRUE(value.cas_acq_rel(expected, 6));
  EXPECT_EQ(value.load_relaxed(), 6u);
}

}  // namespace
}  // namespace portolan::sync
