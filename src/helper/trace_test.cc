// SPDX-License-Identifier: Apache-2.0
#include "helper/trace.h"

#include <gmock/gmock.h>

#include "helper/world_for_test.h"

namespace portolan::helper {
namespace {

std::string read_all(const UniqueFd& pipe) {
  std::string text;
  char part[4096];
  for (;;) {
    const long got = sys::call(SYS_read, pipe.get(), static_cast<long>(reinterpret_cast<std::intptr_t>(part)),
                               sizeof part);
    if (got <= 0) return text;
    text.append(part, static_cast<std::size_t>(got));
  }
}

TEST(Trace, lines_are_those_of_the_kernels_trace_pipe) {
  WorldForTest world;
  const UniqueFd pipe = *keep_trace_pipe(world.runtime().directory_fd());
  const char format[] = "value %d of %s";
  EXPECT_EQ(world.call("trace_printk", format, sizeof format, 42, "this"), 16);
  const std::uint64_t arguments[] = {1, 2, 3, 4};
  const char longer[] = "%d %d %d %d";
  EXPECT_EQ(world.call("trace_vprintk", longer, sizeof longer, arguments, sizeof arguments), 7);
  const std::string begin = " *[^ ]+-[0-9]+ +\\[[0-9]{3}\\] \\.{5} +[0-9]+\\.[0-9]{6}: bpf_trace_printk: ";
  EXPECT_THAT(read_all(pipe), testing::MatchesRegex(begin + "value 42 of this\n" + begin + "1 2 3 4\n"));
}

TEST(Trace, formats_are_checked) {
  WorldForTest world;
  EXPECT_EQ(world.call("trace_printk", "%d %d %d %d", 12, 1, 2, 3), -EINVAL);
  EXPECT_EQ(world.call("trace_printk", "no end", 6), -EINVAL);
  EXPECT_EQ(world.call("trace_vprintk", "x", 2, 0, 8), -EINVAL);
}

TEST(Trace, writers_do_not_wait_and_the_oldest_messages_go) {
  WorldForTest world;
  const UniqueFd pipe = *keep_trace_pipe(world.runtime().directory_fd());
  const char format[] = "message %d";
  constexpr int kMessages = 30'000;  // about twice what fits
  for (int i = 0; i < kMessages; ++i) ASSERT_GT(world.call("trace_printk", format, sizeof format, i), 0);
  const std::string text = read_all(pipe);
  EXPECT_EQ(text.find("message 0\n"), text.npos);
  EXPECT_TRUE(text.ends_with("message " + std::to_string(kMessages - 1) + "\n"));
  int expected = -1;
  for (std::size_t at = 0; (at = text.find("message ", at)) != text.npos; ++at) {
    const int number = std::atoi(text.c_str() + at + 8);
    if (expected >= 0) {
      ASSERT_EQ(number, expected);
    }
    expected = number + 1;
  }
}

TEST(Trace, without_a_reader_messages_are_gone) {
  WorldForTest world;
  EXPECT_EQ(world.call("trace_printk", "lost", 5), 4);
  const UniqueFd pipe = *keep_trace_pipe(world.runtime().directory_fd());
  EXPECT_EQ(read_all(pipe), "");
}

}  // namespace
}  // namespace portolan::helper
