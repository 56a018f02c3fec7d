// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <thread>

#include "api/backend.h"
#include "api/hook_world_for_test.h"
#include "hook/hook.h"
#include "map/perf_event.h"
#include "sync/atomic.h"
#include "sync/call_epoch.h"
#include "syscall/perf_event_programs.h"

namespace portolan::hook_test {
namespace {

class Probes : public Hooks {
 protected:
  object::Runtime& runtime() { return *runtime_->backend()->runtime(); }
  // As the preload library opens events. The hook has been declared.
  int open_event(const hook::Key& key) {
    const sync::CallEpoch epoch;
    map::PerfEventSpec spec;
    spec.takes_records = false;
    spec.hook_id = (*hook::Hook::find(runtime(), key))->id();
    auto draft = map::PerfEvent::draft(runtime(), spec);
    if (!draft) return -draft.error().value;
    auto published = runtime().publish(std::move(*draft), {}, shm::Access::kReadWrite);
    return published ? published->fd.release() : -published.error().value;
  }
  int open_probe(std::uint32_t end = hook::kProbeEntry) {
    return open_event(hook::named(hook::Point::kProbe, end, "work"));
  }
  int open_tracepoint_event() { return open_event(hook::named(hook::Point::kTraceEvent, 0, "host/work")); }
  void close_event(int fd) {
    const sync::CallEpoch epoch;
    const auto target = runtime().target_of_any_fd(fd);
    runtime().forget_fd(fd);
    ::close(fd);
    runtime().settle(target->view->kind(), target->view->id());
  }
  long link(long program, int event, std::uint64_t cookie = 0) {
    abi::Attr attr{};
    attr.link_create.prog_fd = static_cast<std::uint32_t>(program);
    attr.link_create.target_fd = static_cast<std::uint32_t>(event);
    attr.link_create.attach_type = static_cast<std::uint32_t>(AttachType::kPerfEvent);
    attr.link_create.perf_event.bpf_cookie = cookie;
    return runtime_->bpf(static_cast<int>(Command::kLinkCreate), &attr, sizeof attr);
  }
  int set_program(int event, long program) {
    const sync::CallEpoch epoch;
    const auto target = runtime().target_of_fd(event, object::Kind::kPerfEvent);
    const auto set = syscall::set_program_of_event(runtime(), static_cast<map::PerfEvent&>(*target->view),
                                                   static_cast<int>(program));
    return set ? 0 : -set.error().value;
  }
  // sum = sum * 10 + digit
  long load_digit(ProgType type, std::int32_t digit) {
    return client_->load(type, {{0x18, regs(1, 2), 0, sum_->fd()},
                                {0, 0, 0, 0},
                                {0x79, regs(2, 1), 0, 0},
                                {0x27, regs(2), 0, 10},
                                {0x07, regs(2), 0, digit},
                                {0x7b, regs(1, 2), 0, 0},
                                set(0, 0),
                                kExit});
  }
  // sum += the 64-bit word of the context at that offset
  long load_word(ProgType type, std::int16_t offset) {
    return client_->load(type, {{0x79, regs(2, 1), offset, 0},
                                {0x18, regs(1, 2), 0, sum_->fd()},
                                {0, 0, 0, 0},
                                {0xdb, regs(1, 2), 0, 0},
                                set(0, 0),
                                kExit});
  }
  // sum += what a helper says of the context
  long load_asking(ProgType type, std::int32_t helper) {
    return client_->load(type, {{0x85, 0, 0, helper},
                                {0xbf, regs(2, 0), 0, 0},
                                {0x18, regs(1, 2), 0, sum_->fd()},
                                {0, 0, 0, 0},
                                {0xdb, regs(1, 2), 0, 0},
                                set(0, 0),
                                kExit});
  }
};

struct Record {
  std::uint64_t common;
  std::uint64_t number;
};
constexpr std::int16_t kDi = 112, kR9 = 64, kAx = 80, kIp = 128;
constexpr std::int32_t kGetFuncIp = 173, kGetAttachCookie = 174;

TEST_F(Probes, see_arguments_and_results) {
  auto probe = Hook::probe(*runtime_, "work");
  ASSERT_TRUE(probe) << probe.error().message();
  const auto work = [](int number) { return number * 2; };
  EXPECT_EQ(probe->call(work, 21), 42);
  ASSERT_GE(link(load_word(ProgType::kKprobe, kDi), open_probe()), 0);
  EXPECT_EQ(probe->call(work, 21), 42);
  EXPECT_EQ(sum(), 21u);
  ASSERT_GE(link(load_word(ProgType::kKprobe, kAx), open_probe(hook::kProbeReturn)), 0);
  EXPECT_EQ(probe->call(work, 21), 42);
  EXPECT_EQ(sum(), 2 * 21u + 42u);
  ASSERT_GE(link(load_word(ProgType::kKprobe, kR9), open_probe()), 0);
  probe->enter(Registers::of_call(0, 1, 2, 3, 4, 1000));
  EXPECT_EQ(sum(), 2 * 21u + 42u + 1000u);
}

TEST_F(Probes, run_the_newest_first_and_the_oldest_first_at_the_end) {
  auto probe = Hook::probe(*runtime_, "work");
  ASSERT_TRUE(probe);
  ASSERT_GE(link(load_digit(ProgType::kKprobe, 1), open_probe()), 0);
  ASSERT_GE(link(load_digit(ProgType::kKprobe, 2), open_probe()), 0);
  ASSERT_GE(link(load_digit(ProgType::kKprobe, 3), open_probe(hook::kProbeReturn)), 0);
  ASSERT_GE(link(load_digit(ProgType::kKprobe, 4), open_probe(hook::kProbeReturn)), 0);
  probe->call([] { return 0; });
  EXPECT_EQ(sum(), 2134u);
}

TEST_F(Probes, tell_programs_their_cookie_and_the_function) {
  auto probe = Hook::probe(*runtime_, "work");
  ASSERT_TRUE(probe);
  ASSERT_GE(link(load_asking(ProgType::kKprobe, kGetAttachCookie), open_probe(), 77), 0);
  probe->enter({});
  EXPECT_EQ(sum(), 77u);
  const long asks = load_asking(ProgType::kKprobe, kGetFuncIp);
  ASSERT_GE(link(asks, open_probe()), 0);
  probe->enter({});
  const std::uint64_t address = sum() - 2 * 77;
  EXPECT_NE(address, 0u);
  ASSERT_GE(link(load_word(ProgType::kKprobe, kIp), open_probe(hook::kProbeReturn)), 0);
  const std::uint64_t before = sum();
  probe->leave({.ip = 5});
  EXPECT_EQ(sum(), before + 5);
  probe->leave({});
  EXPECT_NE(sum(), before + 5);
}

TEST_F(Probes, an_event_takes_one_program_of_its_type) {
  auto probe = Hook::probe(*runtime_, "work");
  ASSERT_TRUE(probe);
  const long program = load_digit(ProgType::kKprobe, 1);
  const int event = open_probe();
  EXPECT_EQ(link(load_digit(ProgType::kTracepoint, 1), event), -EINVAL);
  EXPECT_EQ(link(program, sum_->fd()), -EBADF);
  ASSERT_GE(link(program, event), 0);
  EXPECT_EQ(link(load_digit(ProgType::kKprobe, 2), event), -EEXIST);
  EXPECT_EQ(set_program(event, program), -EEXIST);
  EXPECT_GE(link(program, open_probe()), 0);  // each event is a probe of its own
  probe->enter({});
  EXPECT_EQ(sum(), 11u);
}

TEST_F(Probes, a_tracepoint_takes_a_program_once) {
  auto hook = Hook::tracepoint(*runtime_, "host", "work", sizeof(Record));
  ASSERT_TRUE(hook) << hook.error().message();
  const long program = load_digit(ProgType::kTracepoint, 1);
  ASSERT_GE(link(program, open_tracepoint_event()), 0);
  EXPECT_EQ(link(program, open_tracepoint_event()), -EEXIST);
  ASSERT_GE(link(load_digit(ProgType::kTracepoint, 2), open_tracepoint_event()), 0);
  hook->run(Record{});
  EXPECT_EQ(sum(), 12u);
  std::vector<long> more;
  for (int i = 0; i < 62; ++i)
    more.push_back(link(load_digit(ProgType::kTracepoint, 0), open_tracepoint_event()));
  EXPECT_GE(more.back(), 0);
  EXPECT_EQ(link(load_digit(ProgType::kTracepoint, 0), open_tracepoint_event()), -E2BIG);
}

TEST_F(Probes, a_tracepoint_shows_its_record_and_no_more) {
  auto hook = Hook::tracepoint(*runtime_, "host", "work", sizeof(Record));
  ASSERT_TRUE(hook);
  EXPECT_EQ(link(load_word(ProgType::kTracepoint, 16), open_tracepoint_event()), -EACCES);
  ASSERT_GE(link(load_word(ProgType::kTracepoint, 8), open_tracepoint_event()), 0);
  hook->run(Record{0, 33});
  EXPECT_EQ(sum(), 33u);
  hook->run(Record{}.common);
  EXPECT_EQ(sum(), 33u);
  EXPECT_FALSE(Hook::tracepoint(*runtime_, "host", "work", 24));
  EXPECT_FALSE(Hook::tracepoint(*runtime_, "host", "other", 7));
  EXPECT_FALSE(Hook::tracepoint(*runtime_, "host", "other", 8193));
  EXPECT_FALSE(Hook::tracepoint(*runtime_, "ho/st", "work", 16));
}

TEST_F(Probes, what_was_set_by_ioctl_goes_with_the_event) {
  auto probe = Hook::probe(*runtime_, "work");
  ASSERT_TRUE(probe);
  const int event = open_probe();
  ASSERT_EQ(set_program(event, load_adder(ProgType::kKprobe, 1)), 0);
  EXPECT_EQ(set_program(event, load_adder(ProgType::kKprobe, 1)), -EEXIST);
  probe->enter({});
  EXPECT_EQ(sum(), 1u);
  EXPECT_EQ(client_->count_links(), 0);
  close_event(event);
  EXPECT_FALSE(probe->is_attached());
  probe->enter({});
  EXPECT_EQ(sum(), 1u);
}

TEST_F(Probes, what_a_killed_process_has_set_goes) {
  auto probe = Hook::probe(*runtime_, "work");
  ASSERT_TRUE(probe);
  in_a_process_that_is_killed([&] {
    auto there = Runtime::open(directory_);
    if (!there) return false;
    runtime_ = *there;
    client_.emplace(*there);
    const int event = open_probe();
    return event >= 0 && set_program(event, load_adder(ProgType::kKprobe, 1)) == 0;
  });
  EXPECT_TRUE(probe->is_attached());
  while (probe->is_attached()) probe->enter({});
}

TEST_F(Probes, a_link_keeps_its_event) {
  auto hook = Hook::tracepoint(*runtime_, "host", "work", sizeof(Record));
  ASSERT_TRUE(hook);
  const int event = open_tracepoint_event();
  const long made = link(load_adder(ProgType::kTracepoint, 1), event, 9);
  ASSERT_GE(made, 0);
  close_event(event);
  hook->run(Record{});
  EXPECT_EQ(sum(), 1u);
  EXPECT_EQ(client_->detach_link(made), -EOPNOTSUPP);
  EXPECT_EQ(client_->update(made, load_adder(ProgType::kTracepoint, 2)), -EINVAL);
  abi::LinkInfo info = client_->info(made);
  EXPECT_EQ(info.type, static_cast<std::uint32_t>(abi::LinkType::kPerfEvent));
  EXPECT_EQ(info.perf_event.type, static_cast<std::uint32_t>(abi::PerfEventType::kTracepoint));
  EXPECT_EQ(info.perf_event.tracepoint.cookie, 9u);
  EXPECT_EQ(info.perf_event.tracepoint.name_len, sizeof "work");
  close_event(static_cast<int>(made));
  EXPECT_FALSE(hook->is_attached());
}

TEST_F(Probes, an_fd_tells_what_it_attaches) {
  auto probe = Hook::probe(*runtime_, "work");
  auto raw = Hook::raw_tracepoint(*runtime_, "request");
  ASSERT_TRUE(probe && raw);
  char name[16];
  const auto ask = [&](long fd, std::uint32_t room, abi::TaskFdQueryAttr* answer) {
    std::ranges::fill(name, 'x');
    abi::Attr attr{};
    attr.task_fd_query = {.pid = static_cast<std::uint32_t>(::getpid()),
                          .fd = static_cast<std::uint32_t>(fd),
                          .flags = 0,
                          .buf_len = room,
                          .buf = reinterpret_cast<std::uintptr_t>(name),
                          .prog_id = 0,
                          .fd_type = 0,
                          .probe_offset = 1,
                          .probe_addr = 1};
    const long result = runtime_->bpf(static_cast<int>(Command::kTaskFdQuery), &attr, sizeof attr);
    *answer = attr.task_fd_query;
    return result;
  };
  abi::TaskFdQueryAttr answer;
  const int event = open_probe(hook::kProbeReturn);
  EXPECT_EQ(ask(event, 16, &answer), -ENOENT);
  const long program = load_adder(ProgType::kKprobe, 1);
  const long made = link(program, event);
  ASSERT_GE(made, 0);
  EXPECT_EQ(ask(event, 16, &answer), 0);
  EXPECT_STREQ(name, "work");
  EXPECT_EQ(answer.buf_len, 4u);
  EXPECT_EQ(answer.prog_id, client_->program_info(program).id);
  EXPECT_EQ(answer.fd_type, 3u);  // BPF_FD_TYPE_KRETPROBE
  EXPECT_EQ(answer.probe_offset, 0u);
  EXPECT_NE(answer.probe_addr, 0u);
  EXPECT_EQ(answer.probe_addr, client_->info(made).perf_event.kprobe.addr);
  EXPECT_EQ(ask(event, 4, &answer), -ENOSPC);
  EXPECT_STREQ(name, "wor");
  EXPECT_EQ(ask(made, 16, &answer), -524);
  EXPECT_EQ(ask(sum_->fd(), 16, &answer), -524);
  const long tracepoint = client_->open_tracepoint(load_adder(ProgType::kRawTracepoint, 1), "request");
  EXPECT_EQ(ask(tracepoint, 16, &answer), 0);
  EXPECT_STREQ(name, "request");
  EXPECT_EQ(answer.fd_type, 0u);
}

// Who is attached runs, who has left does not, whatever comes between.
TEST_F(Probes, run_while_others_come_and_go) {
  auto probe = Hook::probe(*runtime_, "work");
  ASSERT_TRUE(probe);
  const long program = load_adder(ProgType::kKprobe, 1);
  sync::Atomic<std::uint32_t> ends;
  std::vector<std::thread> hosts;
  for (int i = 0; i < 2; ++i)
    hosts.emplace_back([&] {
      while (ends.load_relaxed() == 0) probe->enter(Registers::of_call(1));
    });
  for (int i = 0; i < 100; ++i) {
    const int by_ioctl = open_probe(), by_link = open_probe();
    EXPECT_EQ(set_program(by_ioctl, program), 0);
    const long made = link(program, by_link);
    EXPECT_GE(made, 0);
    close_event(by_ioctl);
    close_event(by_link);
    close_event(static_cast<int>(made));
  }
  EXPECT_FALSE(probe->is_attached());
  const std::uint64_t before = sum();
  probe->enter({});
  EXPECT_EQ(sum(), before);
  ends.store_relaxed(1);
  for (std::thread& host : hosts) host.join();
}

TEST_F(Probes, links_of_a_host_that_has_gone_come_loose) {
  long made = -1;
  {
    auto probe = Hook::probe(*runtime_, "work");
    ASSERT_TRUE(probe);
    made = link(load_adder(ProgType::kKprobe, 1), open_probe(hook::kProbeReturn));
    ASSERT_GE(made, 0);
  }
  const abi::LinkInfo info = client_->info(made);
  EXPECT_EQ(info.perf_event.type, static_cast<std::uint32_t>(abi::PerfEventType::kKretprobe));
  EXPECT_EQ(info.perf_event.kprobe.name_len, sizeof "work");
}

}  // namespace
}  // namespace portolan::hook_test
