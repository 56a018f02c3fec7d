// SPDX-License-Identifier: Apache-2.0
#include "shm/region.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstring>

#include "shm/huge_pages.h"
#include "sync/process_for_test.h"

namespace portolan::shm {
namespace {

using sync::DirectoryForTest;
using sync::run_child;

bool exists(const DirectoryForTest& directory, const char* name) {
  return std::filesystem::exists(std::filesystem::path(directory.path()) / name);
}

TEST(Region, bytes_written_in_one_mapping_are_there_in_another) {
  DirectoryForTest directory;
  const Region one = *Region::create(directory.fd(), "r", 10'000, 0, 0600);
  EXPECT_EQ(one.size(), 12'288u);
  std::memcpy(one.base(), "chart", 6);
  const Region two = *Region::open(directory.fd(), "r", 10'000);
  EXPECT_EQ(two.size(), one.size());
  EXPECT_STREQ(reinterpret_cast<const char*>(two.base()), "chart");
}

std::uint64_t allocated_bytes(const DirectoryForTest& directory, const char* name) {
  struct ::stat status{};
  EXPECT_TRUE(sys::fstatat(directory.fd(), name, status, 0));
  return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

TEST(Region, reserves_what_is_asked_for_and_no_more) {
  DirectoryForTest directory;
  Region region = *Region::create(directory.fd(), "r", 1u << 20, 5000, 0600);
  EXPECT_EQ(allocated_bytes(directory, "r"), 8192u);
  EXPECT_TRUE(region.reserve(100'000, 1));
  EXPECT_EQ(allocated_bytes(directory, "r"), 12'288u);
  EXPECT_TRUE(region.reserve(100'000, 1));
  EXPECT_EQ(allocated_bytes(directory, "r"), 12'288u);
}

TEST(Region, reserves_after_its_file_is_closed_and_its_bytes_stay) {
  // In memory: a file system on a disk may allocate blocks only when it writes the pages back.
  UniqueFd memory(*sys::openat(AT_FDCWD, "/dev/shm", O_DIRECTORY | O_RDONLY | O_CLOEXEC));
  const std::string name = "portolan-test-" + std::to_string(sys::getpid());
  Region region = *Region::create(memory.get(), name.c_str(), 1u << 20, 4096, 0600);
  struct ::stat status{};
  ASSERT_TRUE(sys::fstat(region.fd(), status));
  const auto inode = status.st_ino;
  region.close_file();
  EXPECT_EQ(region.fd(), -1);
  region.base()[8192] = std::byte{7};
  EXPECT_TRUE(region.reserve(4096, 8192));
  EXPECT_EQ(region.base()[8192], std::byte{7});
  EXPECT_TRUE(sys::fstatat(memory.get(), name.c_str(), status, 0));
  EXPECT_EQ(status.st_ino, inode);
  EXPECT_EQ(status.st_blocks, 3 * 8);
  EXPECT_EQ(region.reserve(1u << 20, 1).error().value, EINVAL);
  EXPECT_TRUE(sys::unlinkat(memory.get(), name.c_str(), 0));
}

// In memory, where large ones get huge pages if the kernel has some.
TEST(Region, a_large_one_is_zero_and_reserves_no_more_than_a_small_one_would) {
  UniqueFd memory(*sys::openat(AT_FDCWD, "/dev/shm", O_DIRECTORY | O_RDONLY | O_CLOEXEC));
  const std::string name = "portolan-test-" + std::to_string(sys::getpid());
  constexpr std::uint64_t kReserved = 2 * kHugePageSize + 20'480, kSize = 8 * kHugePageSize;
  const Region one = *Region::create(memory.get(), name.c_str(), kSize, kReserved, 0600);
  const Region two = *Region::open(memory.get(), name.c_str(), kSize);
  EXPECT_TRUE(sys::unlinkat(memory.get(), name.c_str(), 0));
  for (const Region* region : {&one, &two})
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(region->base()) % kHugePageSize, 0u);
  EXPECT_TRUE(
      std::ranges::all_of(one.bytes().first(kReserved), [](std::byte b) { return b == std::byte{0}; }));
  one.base()[kReserved - 1] = std::byte{7};
  EXPECT_EQ(two.base()[kReserved - 1], std::byte{7});
  struct ::stat status{};
  ASSERT_TRUE(sys::fstat(one.fd(), status));
  EXPECT_EQ(static_cast<std::uint64_t>(status.st_blocks) * 512, kReserved);
}

TEST(Region, reserves_much_after_its_file_is_closed_and_no_more_than_that) {
  UniqueFd memory(*sys::openat(AT_FDCWD, "/dev/shm", O_DIRECTORY | O_RDONLY | O_CLOEXEC));
  const std::string name = "portolan-test-" + std::to_string(sys::getpid());
  constexpr std::uint64_t kFrom = kHugePageSize - 8192, kLength = 2 * kHugePageSize + 20'480;
  Region region = *Region::create(memory.get(), name.c_str(), 8 * kHugePageSize, 0, 0600);
  region.close_file();
  region.base()[kFrom] = std::byte{7};
  EXPECT_TRUE(region.reserve(kFrom, kLength));
  EXPECT_EQ(region.base()[kFrom], std::byte{7});
  const auto rest = region.bytes().subspan(kFrom + 1, kLength - 1);
  EXPECT_TRUE(std::ranges::all_of(rest, [](std::byte b) { return b == std::byte{0}; }));
  struct ::stat status{};
  EXPECT_TRUE(sys::fstatat(memory.get(), name.c_str(), status, 0));
  EXPECT_EQ(static_cast<std::uint64_t>(status.st_blocks) * 512, kLength);
  EXPECT_TRUE(sys::unlinkat(memory.get(), name.c_str(), 0));
}

TEST(Region, reserving_outside_is_einval) {
  DirectoryForTest directory;
  Region region = *Region::create(directory.fd(), "r", 8192, 0, 0600);
  EXPECT_EQ(region.reserve(8192, 1).error().value, EINVAL);
  EXPECT_EQ(region.reserve(0, 8193).error().value, EINVAL);
  EXPECT_EQ(region.reserve(4096, ~std::uint64_t{0}).error().value, EINVAL);
  EXPECT_TRUE(region.reserve(8192, 0));
}

TEST(Region, more_than_the_file_system_has_is_enomem_and_leaves_no_file) {
  DirectoryForTest directory;
  const auto region =
      Region::create(directory.fd(), "r", std::uint64_t{1} << 45, std::uint64_t{1} << 45, 0600);
  ASSERT_FALSE(region);
  EXPECT_EQ(region.error().value, ENOMEM);
  EXPECT_FALSE(exists(directory, "r"));
}

TEST(Region, file_size_limit_is_enomem_and_no_signal) {
  DirectoryForTest directory;
  const int result = run_child([&] {
    const struct ::rlimit limit{65'536, 65'536};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const auto large = Region::create(directory.fd(), "large", 65'537, 0, 0600);
    if (large || large.error().value != ENOMEM) return 1;
    return Region::create(directory.fd(), "small", 65'536, 65'536, 0600) ? 0 : 2;
  });
  EXPECT_EQ(result, 0);
  EXPECT_FALSE(exists(directory, "large"));
}

TEST(Region, sizes_that_cannot_be_are_einval) {
  DirectoryForTest directory;
  for (const std::uint64_t size : {std::uint64_t{0}, Region::kLargest + 1, ~std::uint64_t{0}})
    EXPECT_EQ(Region::create(directory.fd(), "r", size, 0, 0600).error().value, EINVAL) << size;
  EXPECT_EQ(Region::create(directory.fd(), "r", 4096, 4097, 0600).error().value, EINVAL);
  EXPECT_FALSE(exists(directory, "r"));
}

TEST(Region, existing_file_is_eexist_and_stays) {
  DirectoryForTest directory;
  ASSERT_TRUE(Region::create(directory.fd(), "r", 4096, 0, 0600));
  EXPECT_EQ(Region::create(directory.fd(), "r", 4096, 0, 0600).error().value, EEXIST);
  EXPECT_TRUE(exists(directory, "r"));
}

TEST(Region, opens_nothing_but_regular_files_that_are_long_enough) {
  DirectoryForTest directory;
  const std::filesystem::path path(directory.path());
  ASSERT_TRUE(Region::create(directory.fd(), "r", 4096, 0, 0600));
  EXPECT_EQ(Region::open(directory.fd(), "r", 4097).error().value, EINVAL);
  EXPECT_EQ(Region::open(directory.fd(), "none", 1).error().value, ENOENT);
  ASSERT_EQ(::mkfifo((path / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(Region::open(directory.fd(), "fifo", 0).error().value, EINVAL);
  std::filesystem::create_symlink("r", path / "link");
  EXPECT_EQ(Region::open(directory.fd(), "link", 1).error().value, ELOOP);
  {
    UniqueFd empty(*sys::openat(directory.fd(), "empty", O_CREAT | O_RDWR, 0600));
  }
  EXPECT_EQ(Region::open(directory.fd(), "empty", 0).error().value, EINVAL);
}

TEST(Region, at_bounds_and_aligns) {
  DirectoryForTest directory;
  const Region region = *Region::create(directory.fd(), "r", 4096, 0, 0600);
  EXPECT_NE(region.at<std::uint64_t>(4088), nullptr);
  EXPECT_EQ(region.at<std::uint64_t>(4092), nullptr);
  EXPECT_EQ(region.at<std::uint64_t>(4096), nullptr);
  EXPECT_EQ(region.at<std::uint64_t>(4), nullptr);
  EXPECT_NE(region.at<std::uint64_t>(0, 512), nullptr);
  EXPECT_EQ(region.at<std::uint64_t>(0, 513), nullptr);
  EXPECT_EQ(region.at<std::uint64_t>(8, ~std::uint64_t{0} / 8), nullptr);
  EXPECT_EQ(region.at<std::uint64_t>(~std::uint64_t{7}), nullptr);
}

TEST(Region, moving_unmaps_what_was_there) {
  DirectoryForTest directory;
  Region one = *Region::create(directory.fd(), "1", 4096, 0, 0600);
  Region two = *Region::create(directory.fd(), "2", 8192, 0, 0600);
  const int old_fd = one.fd();
  one = std::move(two);
  EXPECT_EQ(one.size(), 8192u);
  EXPECT_FALSE(two);
  struct ::stat status{};
  EXPECT_FALSE(sys::fstat(old_fd, status));
}

}  // namespace
}  // namespace portolan::shm
