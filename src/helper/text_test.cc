// SPDX-License-Identifier: Apache-2.0
#include "helper/format.h"
#include "helper/world_for_test.h"

namespace portolan::helper {
namespace {

std::string text(const char* format, std::initializer_list<std::uint64_t> arguments) {
  const std::vector<std::uint64_t> row(arguments);
  const auto result = format_text(format, row);
  return result ? *result : "error " + std::to_string(result.error().value);
}
std::uint64_t word(const void* address) { return reinterpret_cast<std::uintptr_t>(address); }

// Each of them as Linux 6.18 formats it.
TEST(Format, numbers) {
  EXPECT_EQ(text("%d|%i|%u", {~0ull, 5, ~0ull}), "-1|5|4294967295");
  EXPECT_EQ(text("%ld|%lld|%llu", {~0ull, 1ull << 63, ~0ull}),
            "-1|-9223372036854775808|18446744073709551615");
  EXPECT_EQ(text("%x|%X|%lx", {0xabcdef12, 0xab, 0x123456789aull}), "abcdef12|AB|123456789a");
  EXPECT_EQ(text("%5d|%-5d|%05d", {42, 42, 42}), "   42|42   |00042");
  EXPECT_EQ(text("%+d|% d|%+05d|%-05dx", {42, 42, 42, 42}), "+42| 42|+0042|42   x");
  EXPECT_EQ(text("%08x|%8x|%%", {0xbeef, 0xbeef}), "0000beef|    beef|%");
  EXPECT_EQ(text("%c%5c|", {'a', 'b'}), "a    b|");
}

TEST(Format, strings_and_addresses) {
  const char string[] = "portolan";
  const unsigned char v4[4] = {192, 168, 0, 1};
  const unsigned char v6[16] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  install_fault_handler();
  EXPECT_EQ(text("%s|%10s|%-10s|", {word(string), word(string), word(string)}),
            "portolan|  portolan|portolan  |");
  EXPECT_EQ(text("%pks %pus", {word(string), word(string)}), "portolan portolan");
  EXPECT_EQ(text("[%s]", {8}), "[]");  // nothing to read there
  EXPECT_EQ(text("%pI4 %pi4", {word(v4), word(v4)}), "192.168.0.1 192.168.000.001");
  EXPECT_EQ(text("%pI6 %pi6", {word(v6), word(v6)}),
            "2001:0db8:0000:0000:0000:0000:0000:0001 20010db8000000000000000000000001");
  EXPECT_EQ(text("%pI4", {8}), "0.0.0.0");
  EXPECT_EQ(text("%px", {0xffff8880ull}), "00000000ffff8880");
}

TEST(Format, what_the_kernel_refuses) {
  for (const char* bad :
       {"%", "%z", "%f", "%n", "%lld%", "%pq", "%pI5", "%sx", "\x01", "%l", "%.3d", "%*d", "%#x"})
    EXPECT_EQ(text(bad, {1, 2, 3}), "error 22") << bad;
  EXPECT_EQ(text("%d", {}), "error 22");
  EXPECT_EQ(text("\xc3\xa4 \t\n", {}), "\xc3\xa4 \t\n");
}

TEST(Format, strings_end_where_the_room_for_arguments_does) {
  const std::string longer(600, 'x');
  install_fault_handler();
  EXPECT_EQ(text("%s", {word(longer.c_str())}), std::string(511, 'x'));
  EXPECT_EQ(text("%s%d", {word(longer.c_str()), 1}), "error 28");
}

TEST(Snprintf, tells_the_whole_length_and_cuts) {
  WorldForTest world;
  char out[8];
  std::memset(out, '!', sizeof out);
  const std::uint64_t arguments[] = {1234567};
  EXPECT_EQ(world.call("snprintf", out, 5, "<%d>", arguments, 8), 10);
  EXPECT_STREQ(out, "<123");
  EXPECT_EQ(out[5], '!');
  EXPECT_EQ(world.call("snprintf", 0, 0, "<%d>", arguments, 8), 10);
  EXPECT_EQ(world.call("snprintf", out, 5, "<%d>", arguments, 7), -EINVAL);
  EXPECT_EQ(world.call("snprintf", out, 5, "<%d>", 0, 8), -EINVAL);
}

struct StrtolCase {
  const char* text;
  std::uint64_t flags;
  std::int64_t returned, value;
};

TEST(Strtol, as_the_kernel) {
  WorldForTest world;
  const StrtolCase cases[] = {
      {"42", 0, 2, 42},
      {"-42x", 0, 3, -42},
      {"  \t7 ", 10, 4, 7},
      {"0x1f", 0, 4, 31},
      {"0x1f", 16, 4, 31},
      {"1f", 16, 2, 31},
      {"017", 0, 3, 15},
      {"017", 10, 3, 17},
      {"08", 0, 1, 0},
      {"0xg", 0, 1, 0},
      {"", 0, -EINVAL, 0},
      {"-", 0, -EINVAL, 0},
      {"+5", 0, -EINVAL, 0},
      {"x", 0, -EINVAL, 0},
      {"5", 7, -EINVAL, 0},
      {"5", 32, -EINVAL, 0},
      {"9223372036854775807", 0, 19, INT64_MAX},
      {"9223372036854775808", 0, -ERANGE, 0},
      {"-9223372036854775808", 0, 20, INT64_MIN},
      {"-9223372036854775809", 0, -ERANGE, 0},
      {"99999999999999999999", 0, -ERANGE, 0},
  };
  for (const StrtolCase& one : cases) {
    std::int64_t value = 99;
    EXPECT_EQ(world.call("strtol", one.text, std::strlen(one.text) + 1, one.flags, &value), one.returned)
        << one.text;
    EXPECT_EQ(value, one.value) << one.text;
  }
}

TEST(Strtoul, knows_no_negative_numbers) {
  WorldForTest world;
  std::uint64_t value = 99;
  EXPECT_EQ(world.call("strtoul", "18446744073709551615", 20, 0, &value), 20);
  EXPECT_EQ(value, UINT64_MAX);
  EXPECT_EQ(world.call("strtoul", "-1", 2, 0, &value), -EINVAL);
  EXPECT_EQ(value, 0u);
  EXPECT_EQ(world.call("strtoul", "18446744073709551616", 20, 0, &value), -ERANGE);
}

TEST(Strncmp, compares_up_to_the_size_or_the_end) {
  WorldForTest world;
  EXPECT_EQ(world.call("strncmp", "abc", 4, "abc"), 0);
  EXPECT_EQ(world.call("strncmp", "abd", 4, "abc"), 1);
  EXPECT_EQ(world.call("strncmp", "abb", 4, "abc"), -1);
  EXPECT_EQ(world.call("strncmp", "abX", 2, "abc"), 0);
  EXPECT_EQ(world.call("strncmp", "ab", 3, "abc"), -1);
}

TEST(ProbeRead, reads_what_is_there_and_clears_for_what_is_not) {
  WorldForTest world;
  const std::uint64_t from = 0x1122334455667788;
  std::uint64_t to = 1;
  for (const char* name : {"probe_read", "probe_read_user", "probe_read_kernel", "copy_from_user"}) {
    EXPECT_EQ(world.call(name, &to, 8, &from), 0) << name;
    EXPECT_EQ(to, from);
    EXPECT_EQ(world.call(name, &to, 8, 16), -EFAULT);
    EXPECT_EQ(to, 0u);
  }
}

TEST(ProbeReadStr, counts_the_nul_and_cuts) {
  WorldForTest world;
  for (const char* name : {"probe_read_str", "probe_read_user_str", "probe_read_kernel_str"}) {
    char to[8] = {};
    EXPECT_EQ(world.call(name, to, 8, "abc"), 4);
    EXPECT_STREQ(to, "abc");
    EXPECT_EQ(world.call(name, to, 4, "abcdef"), 4);
    EXPECT_STREQ(to, "abc");
    EXPECT_EQ(world.call(name, to, 0, "abc"), 0);
    EXPECT_EQ(world.call(name, to, 8, 16), -EFAULT);
    EXPECT_EQ(to[0], 0);
  }
}

}  // namespace
}  // namespace portolan::helper
