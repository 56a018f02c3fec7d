// SPDX-License-Identifier: Apache-2.0
// The rules, on lists that are written down; test/conformance puts random requests to the kernel too.
#include "hook/order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "abi/prog_flags.h"

namespace portolan::hook {
namespace {

using namespace abi::attach_flag;
using testing::ElementsAre;

// Programs by themselves, at revision 1.
List of(std::initializer_list<std::uint32_t> programs, std::uint32_t flags = 0) {
  List list;
  list.flags = flags;
  for (const std::uint32_t program : programs) list.members.push_back({program, 0, 0, kNoPlace});
  return list;
}
std::vector<std::uint32_t> programs(const List& list) {
  std::vector<std::uint32_t> ids;
  for (const Member& member : list.members) ids.push_back(member.program_id);
  return ids;
}
Request beside(std::uint32_t flags, Pair anchor = {}, std::uint64_t revision = 0) {
  return {flags, revision, [anchor](Pair* found) -> Result<void> {
            *found = anchor;
            return {};
          }};
}
int errno_of(const Result<void>& result) { return result ? 0 : result.error().value; }

TEST(Mprog, without_a_rule_a_program_comes_last) {
  List list = of({1, 2});
  ASSERT_TRUE(mprog_attach(list, {3, 0}, 0, beside(0)));
  EXPECT_THAT(programs(list), ElementsAre(1, 2, 3));
  EXPECT_EQ(list.revision, 2u);
  EXPECT_EQ(errno_of(mprog_attach(list, {3, 9}, 0, beside(0))), EEXIST);
  EXPECT_EQ(errno_of(mprog_attach(list, {4, 0}, 0, beside(0, {}, 1))), ESTALE);
}

TEST(Mprog, before_and_after_go_by_an_anchor_or_by_the_ends) {
  List list = of({1, 2});
  ASSERT_TRUE(mprog_attach(list, {3, 0}, 0, beside(kBefore, {2, 0})));
  EXPECT_THAT(programs(list), ElementsAre(1, 3, 2));
  ASSERT_TRUE(mprog_attach(list, {4, 0}, 0, beside(kAfter, {1, 0})));
  EXPECT_THAT(programs(list), ElementsAre(1, 4, 3, 2));
  ASSERT_TRUE(mprog_attach(list, {5, 0}, 0, beside(kBefore)));
  ASSERT_TRUE(mprog_attach(list, {6, 0}, 0, beside(kAfter)));
  EXPECT_THAT(programs(list), ElementsAre(5, 1, 4, 3, 2, 6));
  EXPECT_EQ(errno_of(mprog_attach(list, {7, 0}, 0, beside(kBefore, {8, 0}))), ENOENT);
  EXPECT_EQ(errno_of(mprog_attach(list, {7, 0}, 0, beside(0, {1, 0}))), EINVAL);
  EXPECT_EQ(errno_of(mprog_attach(list, {7, 0}, 0, beside(kBefore | kAfter, {1, 0}))), ERANGE);
}

TEST(Mprog, a_list_is_full_with_64) {
  List list;
  for (std::uint32_t id = 1; id <= kMostMembers; ++id) ASSERT_TRUE(mprog_attach(list, {id, 0}, 0, beside(0)));
  EXPECT_EQ(errno_of(mprog_attach(list, {100, 0}, 0, beside(0))), ERANGE);
  ASSERT_TRUE(mprog_attach(list, {100, 0}, 7, beside(kReplace)));
  EXPECT_EQ(list.members[6].program_id, 100u);
}

TEST(Mprog, what_a_link_attached_only_a_link_takes_off) {
  List list = of({1});
  list.members.push_back({2, 5, 0, kNoPlace});
  EXPECT_EQ(errno_of(mprog_detach(list, {2, 0}, beside(0))), EBUSY);
  EXPECT_EQ(errno_of(mprog_attach(list, {3, 0}, 2, beside(kReplace))), EBUSY);
  EXPECT_EQ(errno_of(mprog_detach(list, {}, beside(kAfter))), EBUSY);
  ASSERT_TRUE(mprog_detach(list, {}, beside(kBefore)));
  EXPECT_THAT(programs(list), ElementsAre(2));
}

TEST(Cgroup, a_list_is_of_one_kind) {
  List alone = of({1});
  EXPECT_EQ(errno_of(cgroup_attach(alone, {2, 0}, 0, beside(kAllowMulti))), EPERM);
  ASSERT_TRUE(cgroup_attach(alone, {2, 0}, 0, beside(0)));
  EXPECT_THAT(programs(alone), ElementsAre(2));  // in its place
  List many = of({1}, kAllowMulti);
  EXPECT_EQ(errno_of(cgroup_attach(many, {1, 0}, 0, beside(kAllowMulti))), EINVAL);
  ASSERT_TRUE(cgroup_attach(many, {2, 0}, 0, beside(kAllowMulti)));
  ASSERT_TRUE(cgroup_attach(many, {3, 0}, 1, beside(kAllowMulti | kReplace)));
  EXPECT_THAT(programs(many), ElementsAre(3, 2));
  EXPECT_EQ(errno_of(cgroup_attach(many, {4, 0}, 1, beside(kAllowMulti | kReplace))), ENOENT);
}

TEST(Cgroup, a_program_that_is_alone_need_not_be_named_to_be_detached) {
  List alone = of({1}), many = of({1}, kAllowMulti);
  EXPECT_EQ(errno_of(cgroup_detach(many, 0, 0)), EINVAL);
  EXPECT_EQ(errno_of(cgroup_detach(many, 2, 0)), ENOENT);
  ASSERT_TRUE(cgroup_detach(alone, 0, 0));
  EXPECT_EQ(errno_of(cgroup_detach(alone, 0, 0)), ENOENT);
}

TEST(Cgroup, those_with_preorder_run_first) {
  List list = of({1, 2}, kAllowMulti);
  ASSERT_TRUE(cgroup_attach(list, {3, 0}, 0, beside(kAllowMulti | kPreorder)));
  EXPECT_THAT(programs(list), ElementsAre(1, 2, 3));
  List runs;
  runs.members = effective_members({&list, 1});
  EXPECT_THAT(programs(runs), ElementsAre(3, 1, 2));
  EXPECT_EQ(errno_of(cgroup_attach(list, {4, 0}, 0, beside(kAllowMulti | kBefore, {3, 0}))), EINVAL);
}

}  // namespace
}  // namespace portolan::hook
