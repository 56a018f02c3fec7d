// SPDX-License-Identifier: Apache-2.0
// Uprobes: by perf events, and by links to many places; and places of a name.
#include <sys/stat.h>

#include <algorithm>
#include <climits>
#include <fstream>

#include "abi/prog_flags.h"
#include "api/backend.h"
#include "api/hook_world_for_test.h"
#include "hook/uprobe.h"
#include "map/perf_event.h"
#include "sync/call_epoch.h"

namespace portolan::hook_test {
namespace {

int first_function() { return 1; }
int second_function() { return 2; }

constexpr std::int16_t kDi = 112, kAx = 80, kIp = 128;
constexpr std::int32_t kGetFuncIp = 173, kGetAttachCookie = 174;
constexpr std::uint32_t kReturn = abi::link_flag::kUprobeMultiReturn;

class Uprobes : public Hooks {
 protected:
  void SetUp() override {
    Hooks::SetUp();
    for (const auto function : {first_function, second_function}) {
      auto probe = Hook::uprobe(*runtime_, function);
      ASSERT_TRUE(probe) << probe.error().message();
      probes_.push_back(std::move(*probe));
    }
    const auto own = hook::probed_file("/proc/self/exe");
    ASSERT_TRUE(own);
    file_ = *own;
    const sync::CallEpoch epoch;
    hook::Hook::for_each(runtime(), [&](hook::Hook& one) {
      if (one.key().attach_type == hook::kProbeEntry) offsets_.push_back(hook::offset_of(one.key()));
    });
    ASSERT_EQ(offsets_.size(), 2u);
  }
  void TearDown() override {
    probes_.clear();
    Hooks::TearDown();
  }
  object::Runtime& runtime() { return *runtime_->backend()->runtime(); }

  // Adds R6 to the sum.
  std::vector<Insn> adding(std::vector<Insn> before) {
    before.insert(
        before.end(),
        {{0x18, regs(1, 2), 0, sum_->fd()}, {0, 0, 0, 0}, {0xdb, regs(1, 6), 0, 0}, set(0, 0), kExit});
    return before;
  }
  long load(const std::vector<Insn>& insns, AttachType type = AttachType::kTraceUprobeMulti) {
    return client_->load(ProgType::kKprobe, adding(insns), type);
  }
  long load_adding(std::int32_t number, AttachType type = AttachType::kTraceUprobeMulti) {
    return load({set(6, number)}, type);
  }
  long load_asking(std::int32_t helper, AttachType type = AttachType::kTraceUprobeMulti) {
    return load({{0x85, 0, 0, helper}, {0xbf, regs(6, 0), 0, 0}}, type);
  }
  long load_word(std::int16_t offset) { return load({{0x79, regs(6, 1), offset, 0}}); }

  struct Asked {
    std::vector<std::uint64_t> offsets = {}, counters = {}, cookies = {};
    std::uint32_t flags = 0, link_flags = 0;
    std::int32_t pid = 0;
    const char* path = "/proc/self/exe";
    AttachType type = AttachType::kTraceUprobeMulti;
    std::uint32_t count = 0;  // 0: as many as there are
  };
  static std::uint64_t address(const void* at) { return reinterpret_cast<std::uintptr_t>(at); }
  template <class T>
  static std::uint64_t words(const std::vector<T>& all) {
    return all.empty() ? 0 : address(all.data());
  }
  long link(long program, const Asked& asked) {
    abi::Attr attr{};
    auto& link = attr.link_create;
    link.prog_fd = static_cast<std::uint32_t>(program);
    link.attach_type = static_cast<std::uint32_t>(asked.type);
    link.flags = asked.link_flags;
    link.uprobe_multi = {
        .path = address(asked.path),
        .offsets = words(asked.offsets),
        .ref_ctr_offsets = words(asked.counters),
        .cookies = words(asked.cookies),
        .cnt = asked.count != 0 ? asked.count : static_cast<std::uint32_t>(asked.offsets.size()),
        .flags = asked.flags,
        .pid = static_cast<std::uint32_t>(asked.pid),
        .path_fd = 0};
    return runtime_->bpf(static_cast<int>(Command::kLinkCreate), &attr, sizeof attr);
  }
  // As the preload library opens events; `process` 0: of all.
  int open_event(std::uint64_t offset, std::uint32_t end, std::int32_t process = 0) {
    const sync::CallEpoch epoch;
    map::PerfEventSpec spec;
    spec.takes_records = false;
    spec.thread = process == 0 ? -1 : process;
    spec.hook_id =
        (*hook::Hook::find(runtime(), hook::of_uprobe(file_.device, file_.inode, offset, end)))->id();
    auto draft = map::PerfEvent::draft(runtime(), spec);
    if (!draft) return -draft.error().value;
    auto published = runtime().publish(std::move(*draft), {}, shm::Access::kReadWrite);
    return published ? published->fd.release() : -published.error().value;
  }
  long link_event(long program, int event, std::uint64_t cookie = 0) {
    abi::Attr attr{};
    attr.link_create.prog_fd = static_cast<std::uint32_t>(program);
    attr.link_create.target_fd = static_cast<std::uint32_t>(event);
    attr.link_create.attach_type = static_cast<std::uint32_t>(AttachType::kPerfEvent);
    attr.link_create.perf_event.bpf_cookie = cookie;
    return runtime_->bpf(static_cast<int>(Command::kLinkCreate), &attr, sizeof attr);
  }
  long info(long link, abi::LinkInfo& info) {
    abi::Attr attr{};
    attr.info = {static_cast<std::uint32_t>(link), sizeof info, address(&info)};
    return runtime_->bpf(static_cast<int>(Command::kObjGetInfoByFd), &attr, sizeof attr);
  }

  std::vector<ProbeHook> probes_;
  hook::ProbedFile file_;
  std::vector<std::uint64_t> offsets_;
};

TEST_F(Uprobes, are_attached_by_file_and_offset) {
  ASSERT_GE(link(load_word(kDi), {.offsets = {offsets_[0]}}), 0);
  EXPECT_EQ(probes_[0].call([](int) { return 1; }, 40), 1);
  EXPECT_EQ(probes_[1].call([](int) { return 1; }, 40), 1);
  EXPECT_EQ(sum(), 40u);
  ASSERT_GE(link(load_word(kAx), {.offsets = offsets_, .flags = kReturn}), 0);
  EXPECT_EQ(probes_[1].call([](int) { return 2; }, 40), 2);
  EXPECT_EQ(sum(), 42u);
}

TEST_F(Uprobes, know_the_cookie_of_each_place_and_where_the_function_is) {
  ASSERT_GE(link(load_asking(kGetAttachCookie), {.offsets = offsets_, .cookies = {1, 20}}), 0);
  probes_[1].call(second_function);
  EXPECT_EQ(sum(), 20u);
  ASSERT_GE(link(load_asking(kGetFuncIp), {.offsets = offsets_, .flags = kReturn}), 0);
  probes_[0].call(first_function);
  EXPECT_EQ(sum(), 21 + reinterpret_cast<std::uintptr_t>(&first_function));
}

TEST_F(Uprobes, show_the_address_as_their_instruction_pointer) {
  ASSERT_GE(link(load_word(kIp), {.offsets = {offsets_[1]}}), 0);
  probes_[1].call(second_function);
  EXPECT_EQ(sum(), reinterpret_cast<std::uintptr_t>(&second_function));
}

TEST_F(Uprobes, are_of_one_process_when_asked_to_be) {
  ASSERT_GE(link(load_adding(1), {.offsets = {offsets_[0]}, .pid = ::getpid()}), 0);
  ASSERT_GE(link(load_adding(10), {.offsets = {offsets_[0]}, .pid = 1}), 0);
  const int ours = open_event(offsets_[0], hook::kProbeEntry, ::getpid());
  const int others = open_event(offsets_[0], hook::kProbeEntry, 1);
  ASSERT_GE(link_event(load_adding(100, {}), ours), 0);
  ASSERT_GE(link_event(load_adding(1000, {}), others), 0);
  probes_[0].call(first_function);
  EXPECT_EQ(sum(), 101u);
}

TEST_F(Uprobes, by_perf_events_say_their_place) {
  const long made = link_event(load_adding(1, {}), open_event(offsets_[1], hook::kProbeReturn), 5);
  ASSERT_GE(made, 0);
  probes_[1].call(second_function);
  EXPECT_EQ(sum(), 1u);
  char path[PATH_MAX] = "";
  abi::LinkInfo shown{};
  shown.perf_event.uprobe.file_name = address(path);
  shown.perf_event.uprobe.name_len = sizeof path;
  ASSERT_EQ(info(made, shown), 0);
  EXPECT_EQ(shown.perf_event.type, static_cast<std::uint32_t>(abi::PerfEventType::kUretprobe));
  EXPECT_EQ(path, file_.path);
  EXPECT_EQ(shown.perf_event.uprobe.name_len, file_.path.size() + 1);
  EXPECT_EQ(shown.perf_event.uprobe.offset, offsets_[1]);
  EXPECT_EQ(shown.perf_event.uprobe.cookie, 5u);
}

TEST_F(Uprobes, of_sleepable_programs_are_attached) {
  const std::vector<Insn> insns = adding({set(6, 1)});
  abi::Attr attr{};
  attr.prog_load.prog_type = static_cast<std::uint32_t>(ProgType::kKprobe);
  attr.prog_load.prog_flags = abi::prog_flag::kSleepable;
  attr.prog_load.insns = address(insns.data());
  attr.prog_load.insn_cnt = static_cast<std::uint32_t>(insns.size());
  attr.prog_load.license = address("GPL");
  const long program = runtime_->bpf(static_cast<int>(Command::kProgLoad), &attr, sizeof attr);
  ASSERT_GE(program, 0);
  ASSERT_GE(link_event(program, open_event(offsets_[0], hook::kProbeEntry)), 0);
  probes_[0].call(first_function);
  EXPECT_EQ(sum(), 1u);
}

TEST_F(Uprobes, of_sessions_see_both_ends) {
  const AttachType type = AttachType::kTraceUprobeSession;
  ASSERT_GE(link(load_adding(1, type), {.offsets = offsets_, .type = type}), 0);
  probes_[0].call(first_function);
  probes_[1].enter({});
  EXPECT_EQ(sum(), 3u);
}

TEST_F(Uprobes, ask_for_what_the_kernel_wants) {
  const long program = load_adding(1);
  const std::vector<std::uint64_t> one = {offsets_[0]};
  EXPECT_EQ(link(load_adding(1, {}), {.offsets = one}), -EINVAL);
  EXPECT_EQ(link(program, {.offsets = one, .link_flags = 1}), -EINVAL);
  EXPECT_EQ(link(program, {.offsets = one, .flags = 2}), -EINVAL);
  EXPECT_EQ(link(program, {.offsets = one, .path = nullptr}), -EINVAL);
  EXPECT_EQ(link(program, {.offsets = {}}), -EINVAL);
  EXPECT_EQ(link(program, {.offsets = one, .pid = -1}), -EINVAL);
  EXPECT_EQ(link(program, {.offsets = one, .count = (1u << 20) + 1}), -E2BIG);
  EXPECT_EQ(link(program, {.offsets = one, .path = reinterpret_cast<const char*>(1)}), -EFAULT);
  EXPECT_EQ(link(program, {.offsets = one, .path = std::string(PATH_MAX, '/').c_str()}), -EINVAL);
  EXPECT_EQ(link(program, {.offsets = one, .path = ""}), -EBADF);
  EXPECT_EQ(link(program, {.offsets = one, .path = "/no/such/file"}), -ENOENT);
  EXPECT_EQ(link(program, {.offsets = one, .path = "/"}), -EBADF);
  EXPECT_EQ(link(program, {.offsets = one, .pid = INT32_MAX}), -ESRCH);
  EXPECT_EQ(link(program, {.offsets = {std::uint64_t{1} << 63}}), -EINVAL);
  EXPECT_EQ(link(program, {.offsets = {file_.size + 1}}), -EINVAL);
  EXPECT_EQ(link(program, {.offsets = one, .counters = {2}}), -EINVAL);
  EXPECT_EQ(link(program, {.offsets = {offsets_[0], offsets_[0] + 1}}), -ENOENT);
  EXPECT_EQ(link(program, {.offsets = one, .type = AttachType::kTraceKprobeMulti}), -EINVAL);
  EXPECT_EQ(client_->count_links(), 0);
  EXPECT_FALSE(probes_[0].is_attached());
}

TEST_F(Uprobes, info_says_the_file_and_its_places) {
  const long made =
      link(load_adding(1), {.offsets = offsets_, .cookies = {1, 2}, .flags = kReturn, .pid = ::getpid()});
  ASSERT_GE(made, 0);
  abi::LinkInfo shown{};
  EXPECT_EQ(info(made, shown), 0);
  EXPECT_EQ(shown.type, static_cast<std::uint32_t>(abi::LinkType::kUprobeMulti));
  EXPECT_EQ(shown.uprobe_multi.path_size, file_.path.size() + 1);
  EXPECT_EQ(shown.uprobe_multi.count, 2u);
  EXPECT_EQ(shown.uprobe_multi.flags, kReturn);
  EXPECT_EQ(shown.uprobe_multi.pid, static_cast<std::uint32_t>(::getpid()));
  char path[PATH_MAX] = "";
  std::uint64_t offsets[2] = {}, cookies[2] = {}, counters[2] = {7, 7};
  const auto ask = [&](std::uint32_t path_size, std::uint32_t count) {
    shown = {};
    shown.uprobe_multi = {.path = address(path),
                          .offsets = address(offsets),
                          .ref_ctr_offsets = address(counters),
                          .cookies = address(cookies),
                          .path_size = path_size,
                          .count = count,
                          .flags = 0,
                          .pid = 0};
    return info(made, shown);
  };
  EXPECT_EQ(ask(0, 2), -EINVAL);
  EXPECT_EQ(ask(sizeof path, 0), -EINVAL);
  EXPECT_EQ(ask(2, 2), -ENAMETOOLONG);
  EXPECT_EQ(ask(sizeof path, 1), -ENOSPC);
  EXPECT_EQ(ask(sizeof path, 2), 0);
  EXPECT_EQ(path, file_.path);
  EXPECT_EQ(offsets[1], offsets_[1]);
  EXPECT_EQ(cookies[0], 1u);
  EXPECT_EQ(counters[0], 0u);
}

TEST_F(Uprobes, are_declared_of_what_lies_in_a_file) {
  const int on_the_stack = 0;
  EXPECT_FALSE(Hook::uprobe(*runtime_, static_cast<const void*>(&on_the_stack)));
  EXPECT_FALSE(Hook::uprobe(*runtime_, "/no/such/file", 0));
  EXPECT_FALSE(Hook::uprobe(*runtime_, "/", 0));
  const std::string path = directory_ + "/a file";
  std::ofstream(path) << "some bytes";
  EXPECT_FALSE(Hook::uprobe(*runtime_, path, 11));
  auto probe = Hook::uprobe(*runtime_, path, 5);
  ASSERT_TRUE(probe) << probe.error().message();
  ASSERT_GE(link(load_asking(kGetFuncIp), {.offsets = {5}, .path = path.c_str()}), 0);
  probe->enter({});
  EXPECT_EQ(sum(), 5u);
}

[[gnu::noinline]] void pass(const UsdtHook& hook, int first, std::uint64_t second) {
  PORTOLAN_USDT(hook, test, turn, first, second);
}

TEST_F(Uprobes, of_places_of_a_name_see_their_arguments) {
  auto hook = Hook::usdt(*runtime_, "test", "turn");
  ASSERT_TRUE(hook) << hook.error().message();
  EXPECT_FALSE(Hook::usdt(*runtime_, "test", "no_turn"));
  std::vector<std::uint64_t> places;
  {
    const sync::CallEpoch epoch;
    hook::Hook::for_each(runtime(), [&](hook::Hook& one) {
      const std::uint64_t offset = hook::offset_of(one.key());
      if (one.key().attach_type == hook::kProbeEntry && std::ranges::find(offsets_, offset) == offsets_.end())
        places.push_back(offset);
    });
  }
  constexpr std::int32_t kReadUser = 112;
  const long reads_second = load({{0x79, regs(3, 1), kDi, 0},
                                  {0x07, regs(3), 0, 8},
                                  {0xbf, regs(1, 10), 0, 0},
                                  {0x07, regs(1), 0, -8},
                                  set(2, 8),
                                  {0x85, 0, 0, kReadUser},
                                  {0x79, regs(6, 10), -8, 0}});
  pass(*hook, 1, 20);
  EXPECT_FALSE(hook->is_attached());
  ASSERT_GE(link(reads_second, {.offsets = places}), 0);
  EXPECT_TRUE(hook->is_attached());
  pass(*hook, 1, 20);
  pass(*hook, -1, 22);
  EXPECT_EQ(sum(), 42u);
}

}  // namespace
}  // namespace portolan::hook_test
