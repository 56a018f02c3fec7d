// SPDX-License-Identifier: Apache-2.0
// Programs by type: what they are given, what they may return, what they are attached to.
#include "abi/insn.h"
#include "abi/prog_type.h"
#include "helper/kernel_btf.h"
#include "syscall/world_for_test.h"

namespace portolan::syscall {
namespace {

using abi::AttachType;
using abi::Insn;
using abi::ProgType;
using enum abi::Command;

constexpr std::uint8_t regs(unsigned to, unsigned from = 0) {
  return static_cast<std::uint8_t>(to | from << 4);
}
constexpr Insn kExit{0x95, 0, 0, 0};
constexpr Insn set(unsigned to, std::int32_t value) { return {0xb7, regs(to), 0, value}; }
constexpr Insn load64(unsigned to, unsigned from, std::int16_t off) { return {0x79, regs(to, from), off, 0}; }
constexpr Insn store32(unsigned to, std::int16_t off, std::int32_t value) {
  return {0x62, regs(to), off, value};
}
constexpr Insn call_helper(std::int32_t id) { return {0x85, 0, 0, id}; }
constexpr Insn call_kernel(std::uint32_t id) { return {0x85, regs(0, 2), 0, static_cast<std::int32_t>(id)}; }
constexpr std::int32_t kGetCurrentTask = 35, kGetCurrentTaskBtf = 158, kSkbLoadBytes = 26, kSocketCookie = 46,
                       kXdpGetBuffLen = 188;

class ProgTypes : public World {
 protected:
  long load(ProgType type, const std::vector<Insn>& insns, AttachType attach_type = {},
            std::uint32_t btf_id = 0) {
    abi::Attr attr{};
    attr.prog_load.prog_type = static_cast<std::uint32_t>(type);
    attr.prog_load.expected_attach_type = static_cast<std::uint32_t>(attach_type);
    attr.prog_load.attach_btf_id = btf_id;
    attr.prog_load.insns = address(insns.data());
    attr.prog_load.insn_cnt = static_cast<std::uint32_t>(insns.size());
    attr.prog_load.license = address(license_);
    attr.prog_load.log_buf = address(log_);
    attr.prog_load.log_size = sizeof log_;
    attr.prog_load.log_level = 1;
    log_[0] = '\0';
    return call(kProgLoad, attr);
  }
  bool log_says(std::string_view text) const {
    return std::string_view(log_).find(text) != std::string::npos;
  }
  long run(long program, std::vector<std::uint64_t> context, std::uint32_t* result) {
    abi::Attr attr{};
    attr.test.prog_fd = static_cast<std::uint32_t>(program);
    attr.test.ctx_in = address(context.data());
    attr.test.ctx_size_in = static_cast<std::uint32_t>(context.size() * 8);
    const long done = call(kProgTestRun, &attr, sizeof attr);
    *result = attr.test.retval;
    return done;
  }

  const char* license_ = "GPL";
  char log_[1 << 14] = "";
};

TEST_F(ProgTypes, every_type_has_a_context_that_only_some_fields_of_can_be_written) {
  const std::vector<Insn> writes_first{store32(1, 4, 1), set(0, 1), kExit};
  EXPECT_GE(load(ProgType::kSockOps, writes_first), 0);  // reply
  EXPECT_EQ(load(ProgType::kSkMsg, writes_first), -EACCES);
  EXPECT_EQ(load(ProgType::kCgroupDevice, writes_first), -EACCES);
  EXPECT_GE(load(ProgType::kCgroupSysctl, writes_first), 0);  // file_pos
  EXPECT_EQ(load(ProgType::kKprobe, writes_first), -EACCES);
  EXPECT_EQ(load(ProgType::kFlowDissector, writes_first), -EACCES);
  const std::vector<Insn> writes_address{store32(1, 4, 1), set(0, 1), kExit};
  EXPECT_GE(load(ProgType::kCgroupSockAddr, writes_address, AttachType::kCgroupInet4Bind), 0);
  EXPECT_EQ(load(ProgType::kCgroupSockAddr, writes_address, AttachType::kCgroupInet6Bind), -EACCES);
}

TEST_F(ProgTypes, flow_keys_end_where_they_end) {
  const auto touches = [](std::int16_t offset) {
    return std::vector<Insn>{load64(2, 1, 144), store32(2, offset, 1), set(0, 0), kExit};
  };
  EXPECT_GE(load(ProgType::kFlowDissector, touches(52)), 0);
  EXPECT_EQ(load(ProgType::kFlowDissector, touches(56)), -EACCES);
  EXPECT_TRUE(log_says("invalid access to flow keys off=56 size=4")) << log_;
  EXPECT_EQ(load(ProgType::kFlowDissector, touches(-4)), -EACCES);
}

TEST_F(ProgTypes, a_helper_that_wants_another_context_is_refused_by_name) {
  const std::vector<Insn> loads_bytes{set(2, 0), {0xbf, regs(3, 10), 0, 0},  {0x07, regs(3), 0, -8},
                                      set(4, 8), call_helper(kSkbLoadBytes), set(0, 1),
                                      kExit};
  EXPECT_GE(load(ProgType::kFlowDissector, loads_bytes), 0) << log_;
  EXPECT_GE(load(ProgType::kSkReuseport, loads_bytes), 0) << log_;
  EXPECT_EQ(load(ProgType::kSkReuseport, {call_helper(kSocketCookie), kExit}), -EINVAL);
  EXPECT_TRUE(log_says("helper bpf_get_socket_cookie#46 is not supported in programs of this type")) << log_;
  EXPECT_GE(load(ProgType::kXdp, {call_helper(kXdpGetBuffLen), kExit}), 0) << log_;
}

TEST_F(ProgTypes, types_that_are_not_here_do_not_load) {
  const std::vector<Insn> nothing{set(0, 0), kExit};
  EXPECT_EQ(load(ProgType::kLircMode2, nothing), -EINVAL);
  EXPECT_EQ(load(ProgType::kStructOps, nothing), -kEnotsupp);
}

TEST_F(ProgTypes, a_program_by_btf_must_say_what_it_is_for) {
  const std::vector<Insn> nothing{set(0, 0), kExit};
  EXPECT_EQ(load(ProgType::kTracing, nothing, AttachType::kTraceFentry), -EINVAL);
  EXPECT_TRUE(log_says("Tracing programs must provide btf_id")) << log_;
  EXPECT_EQ(load(ProgType::kXdp, nothing, {}, 1), -EINVAL);  // not by BTF
}

// The rest needs the types of a kernel to look things up in.
class ProgTypesByBtf : public ProgTypes {
 protected:
  void SetUp() override {
    ProgTypes::SetUp();
    const auto types = helper::kernel_btf(*runtime_);
    ASSERT_TRUE(types);
    types_ = *types;
    if (id_of("btf_trace_sys_enter", btf::Kind::kTypedef) == 0)
      GTEST_SKIP() << "this machine has no BTF of its kernel";
  }
  std::uint32_t id_of(const char* name, btf::Kind kind = btf::Kind::kFunc) const {
    return types_->find_by_name(name, kind).value_or(0);
  }
  long load_tracepoint(const char* name, const std::vector<Insn>& insns) {
    return load(ProgType::kTracing, insns, AttachType::kTraceRawTp,
                id_of(("btf_trace_" + std::string(name)).c_str(), btf::Kind::kTypedef));
  }
  const btf::Btf* types_ = nullptr;
};

TEST_F(ProgTypesByBtf, arguments_are_what_the_types_say) {
  // sched_switch(bool preempt, struct task_struct *prev, struct task_struct *next, unsigned int prev_state)
  EXPECT_GE(load_tracepoint("sched_switch", {load64(2, 1, 0), set(0, 0), kExit}), 0) << log_;
  EXPECT_EQ(load_tracepoint("sched_switch", {load64(2, 1, 0), load64(0, 2, 0), kExit}), -EACCES);
  EXPECT_TRUE(log_says("R2 invalid mem access 'scalar'")) << log_;
  EXPECT_GE(load_tracepoint("sched_switch", {load64(2, 1, 8), load64(0, 2, 0), kExit}), 0) << log_;
  EXPECT_EQ(load_tracepoint("sched_switch", {load64(2, 1, 8), load64(0, 2, 32000), kExit}), -EACCES);
  EXPECT_TRUE(log_says("access beyond struct task_struct at off 32000 size 8")) << log_;
  EXPECT_EQ(load_tracepoint("sched_switch", {load64(2, 1, 8), {0x7b, regs(2, 10), 0, 0}, set(0, 0), kExit}),
            -EACCES);
  EXPECT_TRUE(log_says("only read is supported")) << log_;
  EXPECT_EQ(load_tracepoint("sched_switch", {load64(2, 1, 32), set(0, 0), kExit}), -EACCES);
  EXPECT_TRUE(log_says("func 'sched_switch' doesn't have 5-th argument")) << log_;
}

TEST_F(ProgTypesByBtf, an_argument_that_may_be_null_must_be_compared_first) {
  // sched_pi_setprio(struct task_struct *tsk, struct task_struct *pi_task)
  const std::vector<Insn> follows{load64(2, 1, 8), load64(0, 2, 0), kExit};
  EXPECT_EQ(load_tracepoint("sched_pi_setprio", follows), -EACCES);
  EXPECT_TRUE(log_says("R2 invalid mem access 'trusted_ptr_or_null_'")) << log_;
  EXPECT_GE(load_tracepoint("sched_pi_setprio",
                            {load64(2, 1, 8), set(0, 0), {0x15, regs(2), 1, 0}, load64(0, 2, 0), kExit}),
            0)
      << log_;
}

TEST_F(ProgTypesByBtf, objects_of_the_kernel_are_for_gpl_programs) {
  license_ = "proprietary";
  EXPECT_EQ(load_tracepoint("sched_switch", {load64(2, 1, 8), load64(0, 2, 0), kExit}), -EINVAL);
  EXPECT_TRUE(log_says("Cannot access kernel 'struct task_struct' from non-GPL compatible program")) << log_;
}

TEST_F(ProgTypesByBtf, each_way_of_attachment_has_its_results) {
  const auto returns = [](std::int32_t value) { return std::vector<Insn>{set(0, value), kExit}; };
  const std::uint32_t function = id_of("vfs_read"), hook = id_of("bpf_lsm_file_open"),
                      iterator = id_of("bpf_iter_bpf_map");
  EXPECT_GE(load(ProgType::kTracing, returns(0), AttachType::kTraceFentry, function), 0) << log_;
  EXPECT_EQ(load(ProgType::kTracing, returns(1), AttachType::kTraceFentry, function), -EINVAL);
  EXPECT_GE(load(ProgType::kTracing, returns(1), AttachType::kTraceIter, iterator), 0) << log_;
  EXPECT_EQ(load(ProgType::kTracing, returns(2), AttachType::kTraceIter, iterator), -EINVAL);
  EXPECT_GE(load(ProgType::kLsm, returns(-1), AttachType::kLsmMac, hook), 0) << log_;
  EXPECT_EQ(load(ProgType::kLsm, returns(1), AttachType::kLsmMac, hook), -EINVAL);
  EXPECT_EQ(load(ProgType::kLsm, returns(0), AttachType::kLsmMac, function), -EINVAL);
  EXPECT_TRUE(log_says("points to wrong type name vfs_read")) << log_;
  EXPECT_EQ(load(ProgType::kTracing, returns(0), AttachType::kModifyReturn, function), -EINVAL);
  EXPECT_TRUE(log_says("vfs_read() is not modifiable")) << log_;
}

TEST_F(ProgTypesByBtf, a_type_is_attached_in_its_own_ways) {
  const std::vector<Insn> nothing{set(0, 0), kExit};
  const std::uint32_t hook = id_of("bpf_lsm_file_open");
  EXPECT_EQ(load(ProgType::kTracing, nothing, AttachType::kLsmMac, hook), -kEnotsupp);
  EXPECT_EQ(load(ProgType::kLsm, nothing, AttachType::kTraceFentry, hook), -EINVAL);
  EXPECT_EQ(load(ProgType::kTracing, nothing, AttachType::kXdp, hook), -EINVAL);
  // What lets a socket pass, or not.
  const std::uint32_t socket_hook = id_of("bpf_lsm_socket_create");
  EXPECT_GE(load(ProgType::kLsm, {set(0, 1), kExit}, AttachType::kLsmCgroup, socket_hook), 0) << log_;
  EXPECT_EQ(load(ProgType::kLsm, {set(0, -1), kExit}, AttachType::kLsmCgroup, socket_hook), -EINVAL);
}

TEST_F(ProgTypesByBtf, info_says_what_the_program_is_for) {
  const std::uint32_t function = id_of("vfs_read");
  const long fd = load(ProgType::kTracing, {set(0, 0), kExit}, AttachType::kTraceFentry, function);
  ASSERT_GE(fd, 0) << log_;
  abi::ProgInfo info{};
  abi::Attr ask{};
  ask.info = {static_cast<std::uint32_t>(fd), sizeof info, address(&info)};
  ASSERT_EQ(call(kObjGetInfoByFd, ask), 0);
  EXPECT_EQ(info.attach_btf_id, function);
  EXPECT_EQ(info.attach_btf_obj_id, 1u);
}

TEST_F(ProgTypesByBtf, nothing_is_read_where_the_current_task_points_to) {
  const std::vector<Insn> names{call_helper(kGetCurrentTask), kExit};
  const std::vector<Insn> follows{call_helper(kGetCurrentTaskBtf), load64(0, 0, 0), kExit};
  std::uint32_t result = 0;
  const long named = load(ProgType::kRawTracepoint, names);
  ASSERT_GE(named, 0) << log_;
  EXPECT_EQ(run(named, {0}, &result), 0);
  EXPECT_NE(result, 0u);
  const long followed = load(ProgType::kRawTracepoint, follows);
  ASSERT_GE(followed, 0) << log_;
  EXPECT_EQ(run(followed, {0}, &result), 0);
  EXPECT_EQ(result, 0u);
}

TEST_F(ProgTypesByBtf, symbols_of_the_kernel_are_absent) {
  const std::uint32_t function = id_of("bpf_task_acquire");
  if (function == 0) GTEST_SKIP() << "a kernel without functions for programs";
  const Insn address_of{0x18, regs(2, 3), 0, static_cast<std::int32_t>(function)}, high{};
  // Whoever asks first goes on without it, and its call is dead code.
  EXPECT_GE(
      load_tracepoint(
          "sched_switch",
          {set(0, 0), address_of, high, {0x15, regs(2), 1, 0}, call_kernel(function), set(0, 0), kExit}),
      0)
      << log_;
  EXPECT_EQ(load_tracepoint("sched_switch", {call_kernel(function), set(0, 0), kExit}), -EACCES);
  EXPECT_TRUE(log_says("calling kernel function bpf_task_acquire is not allowed")) << log_;
}

TEST_F(ProgTypesByBtf, functions_that_are_here_are_found_by_who_asks) {
  const std::uint32_t function = id_of("bpf_rcu_read_lock");
  if (function == 0) GTEST_SKIP() << "a kernel without functions for programs";
  const Insn address_of{0x18, regs(2, 3), 0, static_cast<std::int32_t>(function)}, high{};
  // The way without it is dead code, or the program would be refused.
  EXPECT_GE(load_tracepoint("sched_switch", {set(0, 0),
                                             address_of,
                                             high,
                                             {0x55, regs(2), 1, 0},
                                             call_kernel(id_of("bpf_task_acquire")),
                                             kExit}),
            0)
      << log_;
}

TEST_F(ProgTypesByBtf, the_kernels_btf_is_the_first_object_of_its_kind) {
  abi::Attr attr{};
  ASSERT_EQ(call(kBtfGetNextId, &attr, sizeof attr), 0);
  EXPECT_EQ(attr.id.next_id, 1u);
  attr = {};
  attr.id.btf_id = 1;
  const long fd = call(kBtfGetFdById, attr);
  ASSERT_GE(fd, 0);
  char name[8] = "";
  abi::BtfInfo info{};
  info.name = address(name);
  info.name_len = sizeof name;
  abi::Attr ask{};
  ask.info = {static_cast<std::uint32_t>(fd), sizeof info, address(&info)};
  ASSERT_EQ(call(kObjGetInfoByFd, ask), 0);
  EXPECT_STREQ(name, "vmlinux");
  EXPECT_EQ(info.name_len, 7u);
  EXPECT_EQ(info.kernel_btf, 1u);
  EXPECT_EQ(info.btf_size, helper::read_kernel_btf(*runtime_)->size());
}

}  // namespace
}  // namespace portolan::syscall
