// SPDX-License-Identifier: Apache-2.0
#include "btf/log.h"

#include <gtest/gtest.h>

#include "btf/btf.h"
#include "btf/kernel_for_test.h"
#include "btf/samples_for_test.h"

namespace portolan::btf {
namespace {

using namespace std::string_literals;

TEST(LogTest, settings_must_fit_each_other) {
  EXPECT_TRUE(log_settings_are_valid(0, false, 0));
  EXPECT_TRUE(log_settings_are_valid(1, false, 0));
  EXPECT_TRUE(log_settings_are_valid(15, true, 1));
  EXPECT_FALSE(log_settings_are_valid(0, true, 100));
  EXPECT_FALSE(log_settings_are_valid(1, true, 0));
  EXPECT_FALSE(log_settings_are_valid(1, false, 100));
  EXPECT_FALSE(log_settings_are_valid(16, true, 100));
  EXPECT_FALSE(log_settings_are_valid(1, true, 0x4000'0000));
}

TEST(LogTest, text_that_fits_is_kept_with_its_nul) {
  Log log(1, 6);
  log.print("ab{}", 1);
  log.print("de");
  EXPECT_EQ(log.image(), "ab1de\0"s);
  EXPECT_EQ(log.true_size(), 6u);
  EXPECT_FALSE(log.truncated());
}

TEST(LogTest, of_longer_text_the_end_is_kept) {
  Log log(1, 4);
  log.print("abcdef");
  EXPECT_EQ(log.image(), "def\0"s);
  EXPECT_EQ(log.true_size(), 7u);
  EXPECT_TRUE(log.truncated());
}

TEST(LogTest, a_fixed_log_keeps_the_beginning) {
  Log log(1 | kLogFixed, 4);
  log.print("ab");
  log.print("cdef");
  log.print("gh");
  EXPECT_EQ(log.image(), "abc\0"s);
  EXPECT_EQ(log.true_size(), 9u);
  EXPECT_TRUE(log.truncated());
}

TEST(LogTest, nothing_printed_touches_nothing) {
  Log log(1, 4);
  EXPECT_EQ(log.image(), "");
  EXPECT_EQ(log.true_size(), 0u);
}

TEST(LogTest, without_level_nothing_is_printed) {
  Log log(0, 0);
  log.print("text");
  EXPECT_EQ(log.true_size(), 0u);
}

TEST(LogTest, a_buffer_is_filled_as_the_kernel_fills_it) {
  const auto blob = sample_of_all_kinds();
  if (const int error = kernel_load(blob).error; error != 0)
    GTEST_SKIP() << "the kernel does not load BTF for this user: errno " << error;
  for (const std::uint32_t level : {1u, 2u, 4u, 9u, 10u})
    for (const std::uint32_t size : {1u, 2u, 3u, 10u, 100u, 1023u, 1024u, 1025u, 2000u, 10'000u, 100'000u}) {
      const KernelAnswer kernel = kernel_load(blob, level, size);
      Log log(level, size);
      ASSERT_TRUE(Btf::parse(blob, &log));
      std::string buffer(size, '~');
      const std::string image = log.image();
      buffer.replace(0, image.size(), image);
      EXPECT_EQ(buffer, kernel.log) << "level " << level << " size " << size;
      EXPECT_EQ(log.true_size(), kernel.true_size) << "level " << level << " size " << size;
      EXPECT_EQ(log.truncated() ? ENOSPC : 0, kernel.error) << "level " << level << " size " << size;
    }
}

}  // namespace
}  // namespace portolan::btf
