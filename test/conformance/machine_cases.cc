// SPDX-License-Identifier: Apache-2.0
// Helpers about the process that runs the program, and about the devices that there are.
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>

#include "cases.h"

namespace portolan::conformance {
namespace {

constexpr std::uint32_t kXdp = 6, kSchedCls = 3;

class Machine : public Case {
 protected:
  // What the helper returns, which is given these numbers; all 64 bits of it.
  std::int64_t result(std::int32_t helper, std::initializer_list<std::int32_t> arguments = {}) {
    const int out = map({kArray, 4, 8, 1, 0});
    Bytecode code;
    int reg = 1;
    for (const std::int32_t argument : arguments) code.set(reg++, argument);
    code.call(helper).map_value(1, out).store(Bytecode::kDouble, 1, 0, 0).set(0, 1).exit();
    EXPECT_ANSWER(1, run(program(kXdp, code.finish())));
    Data value(8);
    EXPECT_ANSWER(0, lookup(out, number32(0), &value));
    return load_unaligned<std::int64_t>(value.data());
  }
};
ON_BOTH_BACKENDS(Machine);

TEST_P(Machine, the_control_group_is_that_of_the_process) {
  constexpr std::int32_t kId = 80, kAncestor = 123;
  std::ifstream groups("/proc/self/cgroup");
  std::string path;
  for (std::string line; std::getline(groups, line);)
    if (line.starts_with("0::")) path = line.substr(3);
  struct ::stat root{}, own{};
  if (path.empty() || ::stat(("/sys/fs/cgroup" + path).c_str(), &own) != 0)
    GTEST_SKIP() << "no cgroup2 hierarchy";
  EXPECT_EQ(static_cast<std::int64_t>(own.st_ino), result(kId));
  ASSERT_EQ(0, ::stat("/sys/fs/cgroup/", &root));
  EXPECT_EQ(static_cast<std::int64_t>(root.st_ino), result(kAncestor, {0}));
  EXPECT_EQ(0, result(kAncestor, {-1}));
  EXPECT_EQ(0, result(kAncestor, {100}));
  const auto level = path == "/" ? 0 : static_cast<std::int32_t>(std::ranges::count(path, '/'));
  EXPECT_EQ(static_cast<std::int64_t>(own.st_ino), result(kAncestor, {level}));
  EXPECT_EQ(0, result(kAncestor, {level + 1}));
}

volatile sig_atomic_t signals_seen = 0;

TEST_P(Machine, signals_reach_the_process_or_the_thread) {
  struct sigaction action{}, before{};
  action.sa_handler = [](int) { signals_seen = signals_seen + 1; };
  ::sigaction(SIGUSR1, &action, &before);
  signals_seen = 0;
  for (const std::int32_t helper : {109, 117}) {
    SCOPED_TRACE(helper);
    EXPECT_EQ(0, result(helper, {0}));
    EXPECT_EQ(-EINVAL, result(helper, {65}));
    EXPECT_EQ(-EINVAL, result(helper, {-1}));
    EXPECT_EQ(0, result(helper, {SIGUSR1}));
  }
  EXPECT_EQ(2, signals_seen);
  ::sigaction(SIGUSR1, &before, nullptr);
}

// struct bpf_fib_lookup: family at byte 0, ifindex at byte 8.
TEST_P(Machine, a_route_is_looked_for_by_family_and_device) {
  const auto looked_up = [&](std::uint32_t type, std::int32_t family, std::int32_t ifindex, std::int32_t size,
                             std::int32_t flags) {
    Bytecode code;
    for (std::int32_t at = -64; at < 0; at += 8) code.store_imm(Bytecode::kDouble, 10, at, 0);
    code.store_imm(Bytecode::kByte, 10, -64, family).store_imm(Bytecode::kWord, 10, -56, ifindex);
    code.move(2, 10).add(2, -64).set(3, size).set(4, flags).call(69).exit();
    return static_cast<std::int32_t>(run(program(type, code.finish())));
  };
  for (const std::uint32_t type : {kXdp, kSchedCls}) {
    EXPECT_EQ(-EINVAL, looked_up(type, 2, 9999, 63, 0));
    EXPECT_EQ(-EINVAL, looked_up(type, 2, 9999, 64, 64));
    EXPECT_EQ(-EAFNOSUPPORT, looked_up(type, 3, 9999, 64, 0));
    EXPECT_EQ(-ENODEV, looked_up(type, 2, 9999, 64, 0));
    EXPECT_EQ(-ENODEV, looked_up(type, 10, 9999, 64, 1));
  }
}

TEST_P(Machine, branches_are_recorded_by_nobody) {
  const auto snapshot = [&](std::int32_t size, std::int32_t flags) {
    Bytecode code;
    code.move(1, 10).add(1, -96).set(2, size).set(3, flags).call(176).exit();
    return static_cast<std::int32_t>(run(program(kXdp, code.finish())));
  };
  EXPECT_EQ(-EINVAL, snapshot(96, 1));
  EXPECT_EQ(-ENOENT, snapshot(96, 0));
  EXPECT_EQ(-ENOENT, snapshot(0, 0));
}

}  // namespace
}  // namespace portolan::conformance
