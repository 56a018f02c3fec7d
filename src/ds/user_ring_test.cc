// SPDX-License-Identifier: Apache-2.0
#include "ds/user_ring.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <memory>

#include "ds/table_for_test.h"

namespace portolan::ds {
namespace {

constexpr std::uint64_t kSize = 4096;

class DeadUnless final : public sync::Liveness {
 public:
  explicit DeadUnless(std::uint32_t slot) : slot_(slot) {}
  bool alive(sync::Owner owner) const override { return owner.slot() == slot_; }

 private:
  std::uint32_t slot_;
};

struct Ring {
  struct Free {
    void operator()(std::byte* bytes) const { std::free(bytes); }
  };
  std::unique_ptr<std::byte, Free> control{zeros(64, 256)}, pages{zeros(4096, UserRing::pages_size(kSize))};
  UserRing ring = *UserRing::attach({control.get(), 256}, {pages.get(), UserRing::pages_size(kSize)}, kSize);
  static std::byte* zeros(std::size_t alignment, std::size_t size) {
    auto* bytes = static_cast<std::byte*>(std::aligned_alloc(alignment, size));
    std::memset(bytes, 0, size);
    return bytes;
  }
  // As libbpf does: where the bytes go is computed apart from where the header is.
  void put(std::uint32_t size, std::uint8_t fill) {
    std::uint64_t position = 0;
    std::memcpy(&position, pages.get() + 4096, sizeof position);
    std::byte* const data = pages.get() + 2 * 4096;
    std::memset(data + ((position + 8) & (kSize - 1)), fill, size);
    const std::uint32_t header[2] = {size, 0};
    std::memcpy(data + (position & (kSize - 1)), header, sizeof header);
    position += round_up(size + 8, 8);
    std::memcpy(pages.get() + 4096, &position, sizeof position);
  }
};

TEST(UserRing, records_come_whole_wherever_the_end_lies) {
  for (const std::uint32_t size : {1u, 8u, 16u, 24u, 40u, 100u, 1000u}) {
    Ring test;
    const auto actor = actor_for_test();
    for (int n = 0; n < 3000; ++n) {
      test.put(size, static_cast<std::uint8_t>(n));
      ASSERT_TRUE(test.ring.begin(actor));
      const auto record = test.ring.peek();
      ASSERT_TRUE(record);
      ASSERT_EQ(record->size, size);
      for (std::uint32_t at = 0; at < size; ++at)
        ASSERT_EQ(record->bytes[at], static_cast<std::byte>(n)) << "record " << n << " of " << size;
      test.ring.release(*record);
      EXPECT_EQ(test.ring.peek().error().value, ENODATA);
      test.ring.end();
    }
  }
}

TEST(UserRing, one_drains_at_a_time_unless_it_has_died) {
  Ring test;
  const DeadUnless one_lives(1), two_lives(2);
  const sync::Actor first{sync::Owner(1, 1, 1), &one_lives}, second{sync::Owner(2, 1, 1), &one_lives},
      heir{sync::Owner(2, 1, 1), &two_lives};
  EXPECT_TRUE(test.ring.begin(first));
  EXPECT_FALSE(test.ring.begin(first));
  EXPECT_FALSE(test.ring.begin(second));
  EXPECT_TRUE(test.ring.begin(heir));
  test.ring.end();
  EXPECT_TRUE(test.ring.begin(heir));
}

}  // namespace
}  // namespace portolan::ds
