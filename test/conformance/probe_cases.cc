// SPDX-License-Identifier: Apache-2.0
// Programs of probes: what sessions may call and return, and what links to uprobes ask of their arguments.
// All links are refused: nothing of the machine's is probed.
#include <climits>

#include "cases.h"
#include "kfuncs.h"

namespace portolan::conformance {
namespace {

constexpr std::uint32_t kKprobe = 2;
constexpr std::uint32_t kKprobeMulti = 42, kUprobeMulti = 48, kKprobeSession = 56, kUprobeSession = 57;

class Probes : public Case {
 protected:
  long load_for(std::uint32_t attach_type, Bytecode code) {
    return load(kKprobe, code.exit().finish(), [&](Attr& attr) { attr.set(load::kAttachType, attach_type); });
  }
  long verdict(std::uint32_t attach_type, const Bytecode& code) {
    return std::min(load_for(attach_type, code), 0l);
  }
};

class ProbeSessions : public Probes {
 protected:
  void SetUp() override {
    Probes::SetUp();
    if (kfunc_id("bpf_session_cookie") == 0) GTEST_SKIP() << "this kernel's BTF has no such functions";
  }
  static Bytecode cookie() { return Bytecode().call_kfunc(kfunc_id("bpf_session_cookie")); }
};
ON_BOTH_BACKENDS(ProbeSessions);

TEST_P(ProbeSessions, return_0_or_1) {
  for (const std::uint32_t type : {kKprobeSession, kUprobeSession}) {
    EXPECT_ANSWER(0, verdict(type, Bytecode().set(0, 1)));
    EXPECT_ANSWER(-EINVAL, verdict(type, Bytecode().set(0, 2)));
    EXPECT_ANSWER(-EINVAL, verdict(type, Bytecode().set(0, -1)));
    EXPECT_ANSWER(-EINVAL, verdict(type, Bytecode().load(Bytecode::kDouble, 0, 1, 0)));
    EXPECT_ANSWER(-EINVAL, verdict(type, cookie()));
  }
  for (const std::uint32_t type : {kKprobeMulti, kUprobeMulti})
    EXPECT_ANSWER(0, verdict(type, Bytecode().set(0, 2)));
}

TEST_P(ProbeSessions, have_their_functions_alone) {
  for (const char* name : {"bpf_session_cookie", "bpf_session_is_return"}) {
    const Bytecode calls = Bytecode().call_kfunc(kfunc_id(name)).set(0, 0);
    for (const std::uint32_t type : {kKprobeSession, kUprobeSession}) EXPECT_ANSWER(0, verdict(type, calls));
    for (const std::uint32_t type : {0u, kKprobeMulti, kUprobeMulti})
      EXPECT_ANSWER(-EACCES, verdict(type, calls));
  }
}

TEST_P(ProbeSessions, have_a_word_that_they_read_and_write) {
  const auto with = [&](Bytecode code) { return verdict(kKprobeSession, code.set(0, 0)); };
  EXPECT_ANSWER(0, with(cookie().load(Bytecode::kDouble, 1, 0, 0)));
  EXPECT_ANSWER(0, with(cookie().store_imm(Bytecode::kDouble, 0, 0, 5)));
  EXPECT_ANSWER(0, with(cookie().load(Bytecode::kWord, 1, 0, 4)));
  EXPECT_ANSWER(-EACCES, with(cookie().load(Bytecode::kDouble, 1, 0, 4)));
  EXPECT_ANSWER(-EACCES, with(cookie().load(Bytecode::kByte, 1, 0, 8)));
  EXPECT_ANSWER(-EACCES, with(cookie().load(Bytecode::kByte, 1, 0, -1)));
}

class UprobeLinks : public Probes {
 protected:
  // What link_create has for uprobe_multi.
  struct Asked {
    const char* path = "/proc/self/exe";
    std::uint64_t offsets = 0, counters = 0, cookies = 0;
    std::uint32_t count = 1, flags = 0, pid = 0;
    std::uint32_t link_flags = 0, type = kUprobeMulti;
  };
  static std::uint64_t address(const void* at) { return reinterpret_cast<std::uint64_t>(at); }
  long link(long program, Asked asked) {
    static const std::uint64_t beyond = std::uint64_t{1} << 40;
    if (asked.offsets == 0) asked.offsets = address(&beyond);
    const auto eight = [](std::uint16_t offset) { return Field{offset, 8, "of uprobe_multi"}; };
    const auto four = [](std::uint16_t offset) { return Field{offset, 4, "of uprobe_multi"}; };
    Attr attr;
    attr.set(link::kProgFd, static_cast<std::uint64_t>(program)).set(link::kType, asked.type);
    attr.set(link::kFlags, asked.link_flags);
    attr.set(eight(16), address(asked.path)).set(eight(24), asked.offsets).set(eight(32), asked.counters);
    attr.set(eight(40), asked.cookies).set(four(48), asked.count).set(four(52), asked.flags);
    return call(kLinkCreate, attr.set(four(56), asked.pid), 60);
  }
};
ON_BOTH_BACKENDS(UprobeLinks);

TEST_P(UprobeLinks, ask_for_a_file_and_places_in_it) {
  const long program = load_for(kUprobeMulti, Bytecode().set(0, 0));
  ASSERT_GE(program, 0);
  const std::uint64_t negative = std::uint64_t{1} << 63;
  const std::string longest(PATH_MAX, '/');
  EXPECT_ANSWER(-EINVAL, link(program, {}));
  EXPECT_ANSWER(-EINVAL, link(program, {.path = nullptr}));
  EXPECT_ANSWER(-EFAULT, link(program, {.path = reinterpret_cast<const char*>(1)}));
  EXPECT_ANSWER(-EINVAL, link(program, {.path = longest.c_str()}));
  EXPECT_ANSWER(-EBADF, link(program, {.path = ""}));
  EXPECT_ANSWER(-ENOENT, link(program, {.path = "/no/such/file", .pid = INT_MAX}));
  EXPECT_ANSWER(-EBADF, link(program, {.path = "/proc", .pid = INT_MAX}));
  EXPECT_ANSWER(-EBADF, link(program, {.path = "/dev/null"}));
  EXPECT_ANSWER(-ESRCH, link(program, {.pid = INT_MAX}));
  EXPECT_ANSWER(-EINVAL, link(program, {.pid = UINT_MAX}));
  EXPECT_ANSWER(-EFAULT, link(program, {.offsets = 1}));
  EXPECT_ANSWER(-EINVAL, link(program, {.offsets = address(&negative), .cookies = 1}));
  EXPECT_ANSWER(-EFAULT, link(program, {.counters = 1}));
  EXPECT_ANSWER(-EFAULT, link(program, {.cookies = 1}));
  EXPECT_ANSWER(-EINVAL, link(program, {.count = 0}));
  EXPECT_ANSWER(-E2BIG, link(program, {.count = (1u << 20) + 1}));
  EXPECT_ANSWER(-EINVAL, link(program, {.flags = 2}));
  EXPECT_ANSWER(-EINVAL, link(program, {.link_flags = 1}));
}

TEST_P(UprobeLinks, are_of_programs_for_them) {
  const long plain = load_for(0, Bytecode().set(0, 0)), multi = load_for(kUprobeMulti, Bytecode().set(0, 0)),
             session = load_for(kUprobeSession, Bytecode().set(0, 0));
  for (const std::uint32_t type : {kUprobeMulti, kUprobeSession}) {
    EXPECT_ANSWER(-EINVAL, link(plain, {.path = "/no/such/file", .type = type}));
    const bool is_session = type == kUprobeSession;
    EXPECT_ANSWER(-ENOENT, link(is_session ? session : multi, {.path = "/no/such/file", .type = type}));
    EXPECT_ANSWER(-EINVAL, link(is_session ? multi : session, {.path = "/no/such/file", .type = type}));
  }
}

}  // namespace
}  // namespace portolan::conformance
