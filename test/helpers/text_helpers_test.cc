// SPDX-License-Identifier: Apache-2.0
// Formats and numbers in text, random ones, here and on the kernel.
#include <random>

#include "helper/format.h"
#include "helper/world_for_test.h"
#include "helpers/kernel.h"

namespace portolan::helper {
namespace {

constexpr std::uint32_t kTextBytes = 256;  // the constant: a format, and at kString what addresses point to
constexpr std::uint32_t kString = 192;
constexpr std::uint32_t kOutBytes = 1024;

class TextHelpers : public testing::Test {
 protected:
  void SetUp() override {
    if (!kernel_.is_there()) GTEST_SKIP() << "bpf(2) of the kernel is not to be had here";
    install_fault_handler();
    std::memset(text_, 0, sizeof text_);
  }
  std::uint64_t below(std::uint64_t end) { return dice_() % end; }
  const char* of(std::initializer_list<const char*> choices) {
    return choices.begin()[below(choices.size())];
  }
  std::uint64_t number() {
    const std::uint64_t edges[] = {0, 1, ~0ull, 1ull << 31, 1ull << 32, 1ull << 63, 0x7fff'ffff, 42};
    return below(2) == 0 ? edges[below(8)] : dice_() >> below(64);
  }

  // Runs `code`, which begins with r6 = the output's value and r7 = the constant's, and gives the output.
  std::vector<std::byte> execute(conformance::Bytecode& (*body)(conformance::Bytecode&, void*), void* context,
                                 std::string* why = nullptr) {
    const UniqueFd constant = KernelForTest::make_array(kTextBytes, text_);
    const UniqueFd out = KernelForTest::make_array(kOutBytes);
    conformance::Bytecode code;
    code.map_value(6, out.get()).map_value(7, constant.get());
    body(code, context).set(0, 0).exit();
    std::vector<std::byte> packet(64), value(kOutBytes);
    std::string log;
    const bool done = KernelForTest::execute(abi::ProgType::kSchedCls, code, packet, log);
    if (why != nullptr) *why = log;
    EXPECT_TRUE(done || why != nullptr) << log;
    EXPECT_TRUE(KernelForTest::read_value(out.get(), value.data()));
    return value;
  }

  std::mt19937_64 dice_{20261121};
  char text_[kTextBytes];
  KernelForTest kernel_;
  WorldForTest world_;
};

struct FormatCase {
  std::uint64_t arguments[12] = {};
  bool is_address[12] = {};
  std::uint32_t count = 0, size = 0;
};

conformance::Bytecode& call_snprintf(conformance::Bytecode& code, void* context) {
  const auto& one = *static_cast<FormatCase*>(context);
  for (std::uint32_t i = 0; i < one.count; ++i) {
    if (one.is_address[i])
      code.move(1, 7).add(1, kString);
    else
      code.set64(1, one.arguments[i]);
    code.store(code.kDouble, 10, -96 + 8 * static_cast<std::int32_t>(i), 1);
  }
  code.move(1, 6).add(1, 8).set(2, static_cast<std::int32_t>(one.size)).move(3, 7);
  if (one.count == 0)
    code.set(4, 0);
  else
    code.move(4, 10).add(4, -96);
  return code.set(5, static_cast<std::int32_t>(8 * one.count)).call(165).store(code.kDouble, 6, 0, 0);
}

TEST_F(TextHelpers, formats_are_the_kernels) {
  int refused = 0;
  for (int round = 0; round < 3000 && !HasFailure(); ++round) {
    std::string format;
    FormatCase one;
    for (std::uint64_t n = below(5); n-- > 0 && one.count < 12;) {
      format += of({"", "x", " ", "=\t", "%%", "\xc3\xa4", "\n", ":"});
      const bool wants_address = below(3) == 0;
      const bool is_odd = below(24) == 0;
      std::string conversion = "%";
      if (below(3) == 0) conversion += of({"0", "-", "+", " ", "0-", "+0", "-+"});
      if (below(3) == 0) conversion += std::to_string(1 + below(30));
      if (is_odd)
        conversion += of({"f", "n", "llld", ".3d", "pq", "pI5", "*d", "hd", "\x01", "\xff", "o", "z"});
      else if (wants_address)
        conversion += of({"s", "pks", "pI4", "pi4", "pI6", "pi6"});
      else
        conversion +=
            of({"d", "i", "u", "x", "X", "ld", "lu", "lx", "lld", "llu", "llX", "li", "px", "c", "pB", "ps"});
      format += conversion;
      if (below(40) == 0) break;  // an argument too few
      one.is_address[one.count] = wants_address && below(10) != 0;
      one.arguments[one.count++] = wants_address ? below(4096) : below(3) == 0 ? 32 + below(90) : number();
    }
    if (format.size() >= kString) continue;
    // Past the end of the room, the kernel loses count of what it formats in advance.
    const bool in_advance = format.find("pI") != format.npos || format.find("pi") != format.npos ||
                            format.find("pB") != format.npos || format.find("ks") != format.npos ||
                            format.find("us") != format.npos;
    one.size = static_cast<std::uint32_t>(below(4) == 0 && !in_advance ? below(20) : 900);
    std::memset(text_, 0, sizeof text_);
    std::memcpy(text_, format.data(), format.size());
    for (std::uint32_t i = kString; i < kString + 40; ++i) text_[i] = static_cast<char>(33 + below(200));
    std::string log;
    const std::vector<std::byte> kernel = execute(call_snprintf, &one, &log);
    if (log.find("Invalid format string") != log.npos) {
      ++refused;
      EXPECT_FALSE(check_format(text_, one.count)) << format;
      continue;
    }
    EXPECT_TRUE(check_format(text_, one.count)) << format;
    char out[kOutBytes - 8] = {};
    std::uint64_t arguments[12];
    for (std::uint32_t i = 0; i < one.count; ++i)
      arguments[i] = one.is_address[i] ? reinterpret_cast<std::uintptr_t>(text_ + kString) : one.arguments[i];
    const std::int64_t result =
        world_.call("snprintf", out, one.size, text_, one.count == 0 ? nullptr : arguments, 8 * one.count);
    EXPECT_EQ(result, load_unaligned<std::int64_t>(kernel.data())) << format;
    const char* const theirs = reinterpret_cast<const char*>(kernel.data() + 8);
    EXPECT_EQ(0, std::memcmp(out, theirs, sizeof out))
        << format << "\nhere   " << out << "\nkernel " << theirs;
  }
  EXPECT_GT(refused, 100);
}

struct ParseCase {
  std::uint32_t helper = 0, size = 0;
  std::uint64_t flags = 0;
};

conformance::Bytecode& call_parse(conformance::Bytecode& code, void* context) {
  const auto& one = *static_cast<ParseCase*>(context);
  code.move(1, 7).set(2, static_cast<std::int32_t>(one.size)).set64(3, one.flags).move(4, 10).add(4, -8);
  code.call(static_cast<std::int32_t>(one.helper)).store(code.kDouble, 6, 0, 0);
  return code.load(code.kDouble, 1, 10, -8).store(code.kDouble, 6, 8, 1);
}

TEST_F(TextHelpers, numbers_in_text_are_the_kernels) {
  for (int round = 0; round < 2000 && !HasFailure(); ++round) {
    std::string text;
    for (std::uint64_t n = below(3); n-- > 0;) text += of({" ", "\t", "\n", "\xa0", "\v"});
    text += of({"", "", "-", "+", "--"});
    text += of({"", "", "0", "0x", "0X", "00"});
    text += below(3) == 0 ? of({"g", "", "9223372036854775807", "9223372036854775808", "18446744073709551615",
                                "18446744073709551616", "ffffffffffffffff", "7777777777777777777777"})
                          : std::to_string(number());
    if (below(4) == 0) text += of({" ", "x", "aF", "8", "\xa0"});
    if (below(10) == 0) text += std::string(70, '0') + "1";
    ParseCase one{below(2) == 0 ? 105u : 106u, 0, below(6) == 0 ? below(40) : 0};
    if (below(2) == 0) one.flags = below(2) == 0 ? 10 : 16;
    one.size = static_cast<std::uint32_t>(1 + below(text.size() + 3));
    std::memset(text_, 0, sizeof text_);
    std::memcpy(text_, text.data(), text.size());
    const std::vector<std::byte> kernel = execute(call_parse, &one);
    std::uint64_t value = 0;
    const std::int64_t result =
        world_.call(one.helper == 105 ? "strtol" : "strtoul", text_, one.size, one.flags, &value);
    EXPECT_EQ(result, load_unaligned<std::int64_t>(kernel.data()))
        << '"' << text << "\" " << one.size << ' ' << one.flags;
    EXPECT_EQ(value, load_unaligned<std::uint64_t>(kernel.data() + 8)) << '"' << text << '"';
  }
}

struct CompareCase {
  std::uint32_t size = 0;
};

conformance::Bytecode& call_strncmp(conformance::Bytecode& code, void* context) {
  const auto& one = *static_cast<CompareCase*>(context);
  code.move(1, 7).add(1, kString).set(2, static_cast<std::int32_t>(one.size)).move(3, 7);
  return code.call(182).store(code.kDouble, 6, 0, 0);
}

TEST_F(TextHelpers, comparisons_are_the_kernels) {
  for (int round = 0; round < 500 && !HasFailure(); ++round) {
    std::memset(text_, 0, sizeof text_);
    const std::uint64_t length = below(12), changed = below(12);
    for (std::uint64_t i = 0; i < length; ++i)
      text_[i] = text_[kString + i] = static_cast<char>(1 + below(255));
    if (below(2) == 0) text_[kString + changed] = static_cast<char>(below(256));
    CompareCase one{static_cast<std::uint32_t>(1 + below(14))};
    const std::vector<std::byte> kernel = execute(call_strncmp, &one);
    EXPECT_EQ(world_.call("strncmp", text_ + kString, one.size, text_),
              static_cast<std::int32_t>(load_unaligned<std::int64_t>(kernel.data())));
  }
}

struct ReadCase {
  std::uint32_t helper = 0, size = 0;
  bool is_bad = false;
};
constexpr std::uint32_t kReadBytes = 64;
constexpr std::uint64_t kNowhere = 0xffff'f000'0000'0000;  // for a kernel, too

conformance::Bytecode& call_probe_read(conformance::Bytecode& code, void* context) {
  const auto& one = *static_cast<ReadCase*>(context);
  for (std::uint32_t at = 0; at < kReadBytes; at += 8)
    code.set64(1, 0x5555'5555'5555'5555).store(code.kDouble, 6, 8 + static_cast<std::int32_t>(at), 1);
  code.move(1, 6).add(1, 8).set(2, static_cast<std::int32_t>(one.size)).move(3, 7).add(3, kString);
  if (one.is_bad) code.set64(3, kNowhere);
  return code.call(static_cast<std::int32_t>(one.helper)).store(code.kDouble, 6, 0, 0);
}

TEST_F(TextHelpers, probe_reads_are_the_kernels) {
  for (int round = 0; round < 500 && !HasFailure(); ++round) {
    std::memset(text_, 0, sizeof text_);
    for (std::uint64_t length = below(60), i = 0; i < length; ++i)
      text_[kString + i] = static_cast<char>(1 + below(255));
    ReadCase one{below(2) == 0 ? 113u : 115u, static_cast<std::uint32_t>(below(kReadBytes + 1)),
                 below(8) == 0};
    const std::vector<std::byte> kernel = execute(call_probe_read, &one);
    char here[kReadBytes];
    std::memset(here, 0x55, sizeof here);
    const std::int64_t result =
        world_.call(one.helper == 113 ? "probe_read_kernel" : "probe_read_kernel_str", here, one.size,
                    one.is_bad ? kNowhere : reinterpret_cast<std::uintptr_t>(text_ + kString));
    EXPECT_EQ(result, load_unaligned<std::int64_t>(kernel.data())) << one.helper << " of " << one.size;
    EXPECT_EQ(0, std::memcmp(here, kernel.data() + 8, sizeof here)) << one.helper << " of " << one.size;
  }
}

}  // namespace
}  // namespace portolan::helper
