// SPDX-License-Identifier: Apache-2.0
#include "map/sha256.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

namespace portolan::map {
namespace {

std::string hex(std::string_view text) {
  Sha256 hash;
  hash.add(std::as_bytes(std::span(text)));
  std::byte digest[Sha256::kSize];
  hash.finish(digest);
  std::string shown;
  for (std::byte one : digest) shown += fmt::format("{:02x}", static_cast<unsigned>(one));
  return shown;
}

TEST(Sha256, gives_the_standards_examples) {
  EXPECT_EQ(hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

}  // namespace
}  // namespace portolan::map
