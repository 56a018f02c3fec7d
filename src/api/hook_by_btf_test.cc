// SPDX-License-Identifier: Apache-2.0
// Programs that name what they are attached to by the BTF of the machine's kernel.
#include <bpf/btf.h>

#include "api/hook_world_for_test.h"

namespace portolan::hook_test {
namespace {

class HooksByBtf : public Hooks {
 protected:
  void SetUp() override {
    types_ = ::btf__load_vmlinux_btf();
    if (types_ == nullptr) GTEST_SKIP() << "no BTF of a kernel";
    Hooks::SetUp();
  }
  void TearDown() override {
    ::btf__free(types_);
    Hooks::TearDown();
  }
  std::uint32_t id_of(const char* name, std::uint32_t kind = BTF_KIND_FUNC) const {
    return static_cast<std::uint32_t>(::btf__find_by_name_kind(types_, name, kind));
  }
  // Adds R0 to the sum after `insns`, and returns a number.
  long load_by_btf(ProgType type, AttachType attach_type, const char* name, std::vector<Insn> insns,
                   std::int32_t returns, std::uint32_t kind = BTF_KIND_FUNC) const {
    const std::vector<Insn> end{
        {0x18, regs(1, 2), 0, sum_->fd()}, {0, 0, 0, 0}, {0xdb, regs(1, 0), 0, 0}, set(0, returns), kExit};
    insns.insert(insns.end(), end.begin(), end.end());
    return client_->load(type, insns, attach_type, id_of(name, kind));
  }
  long open(long program) const { return client_->open_tracepoint(program, nullptr); }

  // *(u64 *)(r10 - 8) = argument, or result; R0 = it
  static std::vector<Insn> asking(std::int32_t helper, std::int32_t argument) {
    std::vector<Insn> insns{{0xbf, regs(2, 10), 0, 0}, {0x07, regs(2), 0, -8}};
    if (helper == 183) insns = {set(2, argument), {0xbf, regs(3, 10), 0, 0}, {0x07, regs(3), 0, -8}};
    insns.push_back({0x7a, regs(10), -8, 0});
    insns.push_back({0x85, 0, 0, helper});
    insns.push_back({0x79, regs(0, 10), -8, 0});
    return insns;
  }
  ::btf* types_ = nullptr;
};

TEST_F(HooksByBtf, a_function_s_programs_see_its_beginning_and_its_end) {
  // int security_file_open(struct file *file)
  constexpr const char* kName = "security_file_open";
  auto hook = Hook::function(*runtime_, kName);
  ASSERT_TRUE(hook) << hook.error().message();
  int calls = 0;
  const auto body = [&calls](const char*) { return ++calls; };
  EXPECT_EQ(hook->call(body, "file"), 1);
  const long entry = load_by_btf(ProgType::kTracing, AttachType::kTraceFentry, kName, {{0x85, 0, 0, 185}}, 0);
  const long exit = load_by_btf(ProgType::kTracing, AttachType::kTraceFexit, kName, asking(184, 0), 0);
  ASSERT_GE(entry, 0);
  ASSERT_GE(exit, 0);
  const long link = open(entry);
  ASSERT_GE(link, 0);
  EXPECT_EQ(open(entry), -EBUSY);
  EXPECT_EQ(client_->info(link).tracing.target_btf_id, id_of(kName));
  EXPECT_EQ(hook->call(body, "file"), 2);
  EXPECT_EQ(sum(), 1u);  // arguments
  ASSERT_GE(open(exit), 0);
  EXPECT_EQ(hook->call(body, "file"), 3);
  EXPECT_EQ(sum(), 1u + 1 + 3);  // and the result
  const long refuses = load_by_btf(ProgType::kTracing, AttachType::kModifyReturn, kName, {set(0, 0)}, -13);
  ASSERT_GE(refuses, 0);
  ASSERT_GE(open(refuses), 0);
  EXPECT_EQ(hook->call(body, "file"), -13);
  EXPECT_EQ(calls, 3);
}

TEST_F(HooksByBtf, lsm_programs_decide_and_the_newest_is_asked_first) {
  auto hook = Hook::lsm(*runtime_, "file_open");
  ASSERT_TRUE(hook);
  EXPECT_EQ(hook->run("file"), 0);
  constexpr const char* kName = "bpf_lsm_file_open";
  const long allows = load_by_btf(ProgType::kLsm, AttachType::kLsmMac, kName, {set(0, 1)}, 0);
  const long refuses = load_by_btf(ProgType::kLsm, AttachType::kLsmMac, kName, {set(0, 10)}, -1);
  ASSERT_GE(open(allows), 0);
  EXPECT_EQ(hook->run("file"), 0);
  EXPECT_EQ(sum(), 1u);
  ASSERT_GE(client_->link(refuses, {0, AttachType::kLsmMac}), 0);
  EXPECT_EQ(hook->run("file"), -1);
  EXPECT_EQ(sum(), 11u);  // the other was not asked
}

TEST_F(HooksByBtf, programs_of_a_kernel_s_tracepoint_are_attached_to_the_host_s_of_that_name) {
  auto hook = Hook::raw_tracepoint(*runtime_, "sched_switch");
  ASSERT_TRUE(hook);
  const long program = load_by_btf(ProgType::kTracing, AttachType::kTraceRawTp, "btf_trace_sched_switch",
                                   {{0x79, regs(0, 1), 24, 0}}, 0, BTF_KIND_TYPEDEF);
  ASSERT_GE(program, 0);
  ASSERT_GE(open(program), 0);
  hook->run(true, nullptr, nullptr, 77u);
  EXPECT_EQ(sum(), 77u);
}

TEST_F(HooksByBtf, a_function_has_one_address_for_all_its_programs) {
  const Insn ask{0x85, 0, 0, 173};  // bpf_get_func_ip
  const auto address_of = [&](const char* name, AttachType type) {
    auto hook = Hook::function(*runtime_, name);
    EXPECT_TRUE(hook);
    const long link = open(load_by_btf(ProgType::kTracing, type, name, {ask}, 0));
    EXPECT_GE(link, 0);
    const std::uint64_t before = sum();
    (void)hook->call([](const char*) { return 1; }, "file");
    ::close(static_cast<int>(link));
    return sum() - before;
  };
  const std::uint64_t entry = address_of("security_file_open", AttachType::kTraceFentry);
  EXPECT_NE(entry, 0u);
  EXPECT_EQ(address_of("security_file_open", AttachType::kTraceFexit), entry);
  EXPECT_NE(address_of("security_file_permission", AttachType::kTraceFentry), entry);
  EXPECT_EQ(load_by_btf(ProgType::kLsm, AttachType::kLsmMac, "bpf_lsm_file_open", {ask}, 0), -524);
}

}  // namespace
}  // namespace portolan::hook_test
