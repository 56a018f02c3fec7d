// SPDX-License-Identifier: Apache-2.0
#include "base/fault_copy.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <numeric>
#include <vector>

#include "base/bytes.h"
#include "base/fault_access.h"

namespace portolan {
namespace {

class FaultCopy : public testing::Test {
 protected:
  void SetUp() override {
    install_fault_handler();
    pages_ = static_cast<char*>(
        ::mmap(nullptr, 2 * kPageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASSERT_NE(pages_, MAP_FAILED);
    ASSERT_EQ(::mprotect(pages_ + kPageSize, kPageSize, PROT_NONE), 0);
    end_ = pages_ + kPageSize;
  }
  void TearDown() override { ::munmap(pages_, 2 * kPageSize); }
  char* pages_ = nullptr;
  char* end_ = nullptr;  // the first byte that cannot be touched
};

TEST_F(FaultCopy, copies_every_size_up_to_two_pages_exactly) {
  std::vector<unsigned char> from(8200);
  std::iota(from.begin(), from.end(), static_cast<unsigned char>(1));
  for (std::size_t size = 0; size <= 8192; size += size < 600 ? 1 : 37) {
    std::vector<unsigned char> to(8200, 0xEE);
    ASSERT_TRUE(portolan_fault_copy(to.data() + 1, from.data() + 3, size));
    ASSERT_EQ(0, std::memcmp(to.data() + 1, from.data() + 3, size)) << size;
    ASSERT_EQ(0xEE, to[0]) << size;
    ASSERT_EQ(0xEE, to[size + 1]) << size;
  }
}

TEST_F(FaultCopy, a_source_or_destination_that_ends_too_early_gives_false) {
  std::vector<char> buffer(2000);
  for (std::size_t size : {1, 3, 4, 8, 16, 17, 33, 64, 100, 511, 513, 2000}) {
    EXPECT_FALSE(portolan_fault_copy(buffer.data(), end_ - size + 1, size)) << size;
    EXPECT_FALSE(portolan_fault_copy(end_ - size + 1, buffer.data(), size)) << size;
    EXPECT_TRUE(portolan_fault_copy(buffer.data(), end_ - size, size)) << size;
    EXPECT_TRUE(portolan_fault_copy(end_ - size, buffer.data(), size)) << size;
  }
  EXPECT_FALSE(portolan_fault_copy(buffer.data(), nullptr, 8));
  EXPECT_FALSE(portolan_fault_copy(buffer.data(), reinterpret_cast<void*>(0x8000000000000000), 8));
}

TEST_F(FaultCopy, a_string_stops_at_its_nul_at_the_limit_and_at_a_fault) {
  char to[16];
  EXPECT_EQ(3, portolan_fault_copy_string(to, "abc", sizeof to));
  EXPECT_STREQ("abc", to);
  EXPECT_EQ(16, portolan_fault_copy_string(to, "0123456789abcdefgh", sizeof to));
  std::memset(pages_, 'x', kPageSize);
  EXPECT_EQ(-1, portolan_fault_copy_string(to, end_ - 4, sizeof to));
  EXPECT_EQ(4, portolan_fault_copy_string(to, end_ - 4, 4));
}

TEST_F(FaultCopy, a_single_access_says_when_the_memory_is_gone) {
  auto* const last = reinterpret_cast<std::byte*>(end_ - 8);
  auto* const gone = reinterpret_cast<std::byte*>(end_);
  EXPECT_TRUE(try_store(last, std::uint64_t{0x1122334455667788}));
  EXPECT_EQ(load_or_zero<std::uint64_t>(last), 0x1122334455667788u);
  EXPECT_TRUE(try_store(last + 4, std::uint32_t{0xAABBCCDD}));
  EXPECT_EQ(load_or_zero<std::uint32_t>(last + 4), 0xAABBCCDDu);
  EXPECT_EQ(load_or_zero<std::uint32_t>(last), 0x55667788u);
  EXPECT_FALSE(try_store(gone, std::uint64_t{1}));
  EXPECT_FALSE(try_store(gone, std::uint32_t{1}));
  EXPECT_EQ(load_or_zero<std::uint64_t>(gone), 0u);
  EXPECT_EQ(load_or_zero<std::uint32_t>(gone), 0u);
}

TEST(FaultCopyDeathTest, a_fault_elsewhere_still_kills) {
  install_fault_handler();
  EXPECT_DEATH(*static_cast<volatile int*>(nullptr) = 1,
               "");  // by the signal, or by a sanitizer that reports it
}

}  // namespace
}  // namespace portolan
