// SPDX-License-Identifier: Apache-2.0
// Links to probes of many functions, and sessions.
#include <algorithm>
#include <thread>

#include "abi/prog_flags.h"
#include "api/backend.h"
#include "api/hook_world_for_test.h"
#include "helper/kernel_btf.h"
#include "hook/probed_functions.h"
#include "sync/atomic.h"
#include "sync/call_epoch.h"

namespace portolan::hook_test {
namespace {

constexpr std::int16_t kAx = 80, kIp = 128;
constexpr std::int32_t kGetFuncIp = 173, kGetAttachCookie = 174;
constexpr Insn call_helper(std::int32_t helper) { return {0x85, 0, 0, helper}; }

class ProbesOfMany : public Hooks {
 protected:
  void SetUp() override {
    Hooks::SetUp();
    for (const char* name : {"first", "second", "third"}) {
      auto probe = Hook::probe(*runtime_, name);
      ASSERT_TRUE(probe) << probe.error().message();
      probes_.push_back(std::move(*probe));
    }
  }
  void TearDown() override {
    probes_.clear();
    Hooks::TearDown();
  }
  object::Runtime& runtime() { return *runtime_->backend()->runtime(); }
  std::vector<hook::ProbedFunction> functions() {
    const sync::CallEpoch epoch;
    return hook::probed_functions(runtime());
  }
  static int nothing() { return 0; }

  // Adds R6 to the sum and returns `result`.
  std::vector<Insn> adding(std::vector<Insn> before, std::int32_t result = 0) {
    before.insert(
        before.end(),
        {{0x18, regs(1, 2), 0, sum_->fd()}, {0, 0, 0, 0}, {0xdb, regs(1, 6), 0, 0}, set(0, result), kExit});
    return before;
  }
  long load(const std::vector<Insn>& insns, AttachType type = AttachType::kTraceKprobeMulti) {
    return client_->load(ProgType::kKprobe, insns, type);
  }
  long load_adding(std::int32_t number) { return load(adding({set(6, number)})); }
  long load_asking(std::int32_t helper, AttachType type = AttachType::kTraceKprobeMulti) {
    return load(adding({call_helper(helper), {0xbf, regs(6, 0), 0, 0}}), type);
  }
  // sum = sum * 10 + digit
  long load_digit(std::int32_t digit) {
    return load({{0x18, regs(1, 2), 0, sum_->fd()},
                 {0, 0, 0, 0},
                 {0x79, regs(2, 1), 0, 0},
                 {0x27, regs(2), 0, 10},
                 {0x07, regs(2), 0, digit},
                 {0x7b, regs(1, 2), 0, 0},
                 set(0, 0),
                 kExit});
  }
  Insn kfunc(const char* name) {
    const sync::CallEpoch epoch;
    const auto types = helper::kernel_btf(runtime());
    return {0x85, 0x20, 0, static_cast<std::int32_t>(*(*types)->find_by_name(name, btf::Kind::kFunc))};
  }

  struct Asked {
    std::vector<const char*> names = {};
    std::vector<std::uint64_t> addresses = {}, cookies = {};
    std::uint32_t flags = 0, link_flags = 0;
    AttachType type = AttachType::kTraceKprobeMulti;
    std::uint32_t count = 0;  // 0: as many as there are
  };
  long link(long program, const Asked& asked) {
    abi::Attr attr{};
    auto& link = attr.link_create;
    link.prog_fd = static_cast<std::uint32_t>(program);
    link.attach_type = static_cast<std::uint32_t>(asked.type);
    link.flags = asked.link_flags;
    link.kprobe_multi.flags = asked.flags;
    link.kprobe_multi.cnt =
        asked.count != 0 ? asked.count
                         : static_cast<std::uint32_t>(std::max(asked.names.size(), asked.addresses.size()));
    if (!asked.names.empty()) link.kprobe_multi.syms = address(asked.names.data());
    if (!asked.addresses.empty()) link.kprobe_multi.addrs = address(asked.addresses.data());
    if (!asked.cookies.empty()) link.kprobe_multi.cookies = address(asked.cookies.data());
    return runtime_->bpf(static_cast<int>(Command::kLinkCreate), &attr, sizeof attr);
  }
  long info(long link, abi::LinkInfo& info) {
    abi::Attr attr{};
    attr.info = {static_cast<std::uint32_t>(link), sizeof info, address(&info)};
    return runtime_->bpf(static_cast<int>(Command::kObjGetInfoByFd), &attr, sizeof attr);
  }
  static std::uint64_t address(const void* at) { return reinterpret_cast<std::uintptr_t>(at); }
  void close_link(long fd) {
    const sync::CallEpoch epoch;
    const auto target = runtime().target_of_any_fd(static_cast<int>(fd));
    runtime().forget_fd(static_cast<int>(fd));
    ::close(static_cast<int>(fd));
    runtime().settle(target->view->kind(), target->view->id());
  }
  void call_all() {
    for (const ProbeHook& probe : probes_) EXPECT_EQ(probe.call(nothing), 0);
  }

  std::vector<ProbeHook> probes_;
};

constexpr std::uint32_t kReturn = abi::link_flag::kKprobeMultiReturn;

TEST_F(ProbesOfMany, are_attached_by_name_until_the_link_ends) {
  const long made = link(load_adding(1), {.names = {"third", "first"}});
  ASSERT_GE(made, 0);
  call_all();
  EXPECT_EQ(sum(), 2u);
  EXPECT_FALSE(probes_[1].is_attached());
  EXPECT_EQ(client_->detach_link(made), -EOPNOTSUPP);
  EXPECT_EQ(client_->update(made, load_adding(2)), -EINVAL);
  close_link(made);
  for (const ProbeHook& probe : probes_) EXPECT_FALSE(probe.is_attached());
  call_all();
  EXPECT_EQ(sum(), 2u);
}

TEST_F(ProbesOfMany, are_attached_by_address_even_twice) {
  const std::uint64_t second = functions()[1].address;
  ASSERT_GE(link(load_adding(1), {.addresses = {second, second}}), 0);
  call_all();
  EXPECT_EQ(sum(), 2u);
}

TEST_F(ProbesOfMany, of_the_end_see_what_the_function_returns) {
  ASSERT_GE(
      link(load(adding({{0x79, regs(6, 1), kAx, 0}})), {.names = {"first", "second"}, .flags = kReturn}), 0);
  EXPECT_EQ(probes_[0].call([] { return 40; }), 40);
  EXPECT_EQ(probes_[1].call([] { return 2; }), 2);
  EXPECT_EQ(sum(), 42u);
}

TEST_F(ProbesOfMany, run_the_newest_first_at_both_ends) {
  ASSERT_GE(link(load_digit(1), {.names = {"first"}}), 0);
  ASSERT_GE(link(load_digit(2), {.names = {"first"}}), 0);
  ASSERT_GE(link(load_digit(3), {.names = {"first"}, .flags = kReturn}), 0);
  ASSERT_GE(link(load_digit(4), {.names = {"first"}, .flags = kReturn}), 0);
  probes_[0].call(nothing);
  EXPECT_EQ(sum(), 2143u);
}

TEST_F(ProbesOfMany, know_the_cookie_of_each_function) {
  const long asks = load_asking(kGetAttachCookie);
  ASSERT_GE(link(asks, {.names = {"second", "first"}, .cookies = {20, 1}}), 0);
  probes_[0].call(nothing);
  EXPECT_EQ(sum(), 1u);
  probes_[1].call(nothing);
  EXPECT_EQ(sum(), 21u);
  const auto known = functions();
  ASSERT_GE(link(asks, {.addresses = {known[2].address, known[0].address}, .cookies = {300, 4000}}), 0);
  probes_[2].call(nothing);
  EXPECT_EQ(sum(), 321u);
  probes_[0].call(nothing);
  EXPECT_EQ(sum(), 4322u);
}

TEST_F(ProbesOfMany, know_their_function_at_both_ends) {
  const std::uint64_t second = functions()[1].address;
  ASSERT_GE(link(load_asking(kGetFuncIp), {.names = {"second"}}), 0);
  ASSERT_GE(link(load(adding({{0x79, regs(6, 1), kIp, 0}})), {.names = {"second"}, .flags = kReturn}), 0);
  probes_[1].call(nothing);
  EXPECT_EQ(sum(), second * 2);
}

TEST_F(ProbesOfMany, ask_for_what_the_kernel_wants) {
  const long program = load_adding(1);
  const auto known = functions();
  EXPECT_EQ(link(program, {}), -EINVAL);
  EXPECT_EQ(link(program, {.names = {"first"}, .addresses = {known[0].address}}), -EINVAL);
  EXPECT_EQ(link(program, {.names = {"first"}, .flags = 2}), -EINVAL);
  EXPECT_EQ(link(program, {.names = {"first"}, .link_flags = 1}), -EINVAL);
  EXPECT_EQ(link(program, {.names = {"first"}, .type = AttachType::kTraceKprobeSession}), -EINVAL);
  EXPECT_EQ(link(program, {.names = {"first"}, .count = (1u << 20) + 1}), -E2BIG);
  EXPECT_EQ(link(program, {.names = {"first", "fourth"}}), -ESRCH);
  EXPECT_EQ(link(program, {.names = {"first", "first"}}), -ESRCH);
  EXPECT_EQ(link(program, {.names = {nullptr}}), -EFAULT);
  EXPECT_EQ(link(program, {.names = {std::string(512, 'x').c_str()}}), -E2BIG);
  EXPECT_EQ(link(program, {.addresses = {known[0].address, 1}}), -EINVAL);
  EXPECT_EQ(link(client_->load(ProgType::kKprobe, {set(0, 0), kExit}), {.names = {"first"}}), -EINVAL);
  EXPECT_EQ(client_->count_links(), 0);
  for (const ProbeHook& probe : probes_) EXPECT_FALSE(probe.is_attached());
}

TEST_F(ProbesOfMany, leave_nothing_behind_where_one_place_is_full) {
  for (int i = 0; i < 64; ++i) ASSERT_GE(link(load_adding(1), {.names = {"second"}}), 0);
  EXPECT_EQ(link(load_adding(1), {.names = {"first", "second"}}), -E2BIG);
  EXPECT_EQ(client_->count_links(), 64);
  EXPECT_FALSE(probes_[0].is_attached());
}

TEST_F(ProbesOfMany, of_a_killed_process_go_everywhere) {
  in_a_process_that_is_killed([&] {
    auto there = Runtime::open(directory_);
    if (!there) return false;
    runtime_ = *there;
    client_.emplace(*there);
    return link(load_adding(1), {.names = {"first", "third"}}) >= 0;
  });
  EXPECT_TRUE(probes_[0].is_attached() && probes_[2].is_attached());
  while (probes_[0].is_attached()) probes_[0].call(nothing);
  EXPECT_FALSE(probes_[2].is_attached());
}

TEST_F(ProbesOfMany, info_says_as_many_places_as_there_is_room_for) {
  const auto known = functions();
  const long made = link(load_adding(1), {.names = {"third", "first"}, .cookies = {3, 1}, .flags = kReturn});
  ASSERT_GE(made, 0);
  abi::LinkInfo shown{};
  EXPECT_EQ(info(made, shown), 0);
  EXPECT_EQ(shown.type, static_cast<std::uint32_t>(abi::LinkType::kKprobeMulti));
  EXPECT_EQ(shown.kprobe_multi.count, 2u);
  EXPECT_EQ(shown.kprobe_multi.flags, kReturn);
  std::uint64_t addresses[2] = {}, cookies[2] = {};
  const auto ask = [&](std::uint32_t count, bool wants_addresses) {
    shown = {};
    shown.kprobe_multi.count = count;
    shown.kprobe_multi.addrs = wants_addresses ? address(addresses) : 0;
    shown.kprobe_multi.cookies = address(cookies);
    return info(made, shown);
  };
  EXPECT_EQ(ask(2, false), -EINVAL);
  EXPECT_EQ(ask(0, true), -EINVAL);
  EXPECT_EQ(ask(0, false), -EINVAL);
  EXPECT_EQ(ask(1, true), -ENOSPC);
  EXPECT_EQ(cookies[0], 1u);
  EXPECT_EQ(cookies[1], 0u);
  EXPECT_EQ(ask(9, true), 0);
  EXPECT_EQ(addresses[0], known[0].address);
  EXPECT_EQ(addresses[1], known[2].address);
  EXPECT_EQ(cookies[1], 3u);
}

class ProbeSessions : public ProbesOfMany {
 protected:
  static constexpr AttachType kSession = AttachType::kTraceKprobeSession;
  long link_session(long program, std::vector<const char*> names = {"first"}) {
    return link(program, {.names = std::move(names), .type = kSession});
  }
  // Adds 1 at the beginning and 100 at the end, which there is one of when the beginning says 0.
  long load_session(std::int32_t says) {
    return load(adding({kfunc("bpf_session_is_return"), set(6, 1), {0x15, regs(0), 1, 0}, set(6, 100)}, says),
                kSession);
  }
};

TEST_F(ProbeSessions, see_the_end_when_their_beginning_says_so) {
  ASSERT_GE(link_session(load_session(0), {"first", "second"}), 0);
  ASSERT_GE(link_session(load_session(1), {"second"}), 0);
  probes_[0].call(nothing);
  EXPECT_EQ(sum(), 101u);
  probes_[1].call(nothing);
  EXPECT_EQ(sum(), 203u);
}

TEST_F(ProbeSessions, see_no_end_without_its_beginning) {
  ASSERT_GE(link_session(load_session(0)), 0);
  probes_[0].leave({});
  EXPECT_EQ(sum(), 0u);
  ProbeCall call;
  probes_[0].enter({}, call);
  EXPECT_EQ(sum(), 1u);
  probes_[0].leave({}, call);
  EXPECT_EQ(sum(), 101u);
  probes_[0].leave({}, call);
  EXPECT_EQ(sum(), 101u);
}

TEST_F(ProbeSessions, that_come_during_a_call_do_not_see_its_end) {
  long made = -1;
  probes_[0].call([] { return 0; });
  const long early = link_session(load_session(0));
  ASSERT_GE(early, 0);
  probes_[0].call([&] {
    made = link_session(load_session(0));
    return 0;
  });
  ASSERT_GE(made, 0);
  EXPECT_EQ(sum(), 101u);
  probes_[0].call([&] {
    close_link(early);
    return 0;
  });
  EXPECT_EQ(sum(), 101u + 2 + 100);
}

// The cookie is one word for each call and each place: calls within calls have their own.
TEST_F(ProbeSessions, keep_a_word_for_each_call) {
  const std::vector<Insn> keeps = adding({{0x79, regs(7, 1), kAx, 0},
                                          kfunc("bpf_session_is_return"),
                                          {0xbf, regs(8, 0), 0, 0},
                                          kfunc("bpf_session_cookie"),
                                          set(6, 0),
                                          {0x55, regs(8), 2, 0},
                                          {0x7b, regs(0, 7), 0, 0},
                                          {0x05, 0, 1, 0},
                                          {0x79, regs(6, 0), 0, 0}});
  ASSERT_GE(link_session(load(keeps, kSession)), 0);
  ProbeCall outer, inner;
  probes_[0].enter({.ax = 5}, outer);
  probes_[0].enter({.ax = 7}, inner);
  probes_[0].leave({}, inner);
  EXPECT_EQ(sum(), 7u);
  probes_[0].leave({}, outer);
  EXPECT_EQ(sum(), 12u);
}

// Each end that is seen had its beginning, whoever comes and goes between.
TEST_F(ProbeSessions, run_while_others_come_and_go) {
  const long program = load({set(0, 0), kExit});
  const long counts =
      load(adding({kfunc("bpf_session_is_return"), set(6, 1), {0x15, regs(0), 1, 0}, set(6, -1)}), kSession);
  sync::Atomic<std::uint32_t> ends;
  std::vector<std::thread> hosts;
  for (int i = 0; i < 2; ++i)
    hosts.emplace_back([&] {
      while (ends.load_relaxed() == 0) call_all();
    });
  for (int i = 0; i < 50; ++i) {
    const long session = link_session(counts, {"first", "second", "third"});
    const long all = link(program, {.names = {"third", "first"}, .flags = i % 2 == 0 ? kReturn : 0});
    EXPECT_GE(session, 0);
    EXPECT_GE(all, 0);
    close_link(session);
    close_link(all);
  }
  for (const ProbeHook& probe : probes_) EXPECT_FALSE(probe.is_attached());
  ends.store_relaxed(1);
  for (std::thread& host : hosts) host.join();
  EXPECT_GE(static_cast<std::int64_t>(sum()), 0);
}

TEST_F(ProbeSessions, return_0_or_1_and_have_their_functions_alone) {
  EXPECT_EQ(load({set(0, 2), kExit}, kSession), -EINVAL);
  EXPECT_GE(load({set(0, 2), kExit}), 0);
  for (const char* name : {"bpf_session_is_return", "bpf_session_cookie"}) {
    EXPECT_EQ(load({kfunc(name), set(0, 0), kExit}), -EACCES);
    EXPECT_GE(load({kfunc(name), set(0, 0), kExit}, kSession), 0);
  }
  EXPECT_EQ(load({kfunc("bpf_session_cookie"), {0x79, regs(1, 0), 4, 0}, set(0, 0), kExit}, kSession),
            -EACCES);
  EXPECT_EQ(link(load_session(0), {.names = {"first"}}), -EINVAL);
}

}  // namespace
}  // namespace portolan::hook_test
