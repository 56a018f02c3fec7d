// SPDX-License-Identifier: Apache-2.0
#include "shm/fingerprint.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace portolan::shm {
namespace {

using ::testing::HasSubstr;

const Fingerprint kExpected = make_fingerprint(RegionKind::kMap, 4, 0x06'12'00);

TEST(Fingerprint, equal_ones_fit) { EXPECT_EQ(explain_mismatch(kExpected, kExpected), ""); }

TEST(Fingerprint, magic_spells_the_name_in_the_file) {
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(&kExpected.magic), 7), "PORTLN1");
}

TEST(Fingerprint, each_difference_is_named) {
  Fingerprint found = kExpected;
  found.magic = 0;
  EXPECT_THAT(explain_mismatch(found, kExpected), HasSubstr("no Portolan file"));
  found = kExpected;
  found.layout_version = kLayoutVersion + 1;
  EXPECT_THAT(explain_mismatch(found, kExpected), HasSubstr(fmt::format("version {}", kLayoutVersion + 1)));
  found = kExpected;
  found.kind = RegionKind::kBtf;
  EXPECT_THAT(explain_mismatch(found, kExpected), HasSubstr("kind 4"));
  found = kExpected;
  found.word_bits = 32;
  EXPECT_THAT(explain_mismatch(found, kExpected), HasSubstr("32-bit"));
  found = kExpected;
  found.possible_cpus = 128;
  EXPECT_THAT(explain_mismatch(found, kExpected), HasSubstr("128 possible CPUs"));
  found = kExpected;
  found.kernel_version = 0x05'0f'03;
  EXPECT_THAT(explain_mismatch(found, kExpected), HasSubstr("5.15.3"));
}

TEST(Fingerprint, cpus_and_kernel_version_are_compared_only_when_asked_for) {
  Fingerprint any = kExpected;
  any.possible_cpus = 0;
  any.kernel_version = 0;
  Fingerprint found = kExpected;
  found.possible_cpus = 128;
  found.kernel_version = 0x05'0f'03;
  EXPECT_EQ(explain_mismatch(found, any), "");
}

}  // namespace
}  // namespace portolan::shm
