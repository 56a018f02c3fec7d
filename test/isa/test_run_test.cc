// SPDX-License-Identifier: Apache-2.0
// BPF_PROG_TEST_RUN, call by call: what the kernel answers, and what it leaves in the caller's memory.
#include <fmt/format.h>

#include "abi/context.h"
#include "abi/prog_flags.h"
#include "both.h"

namespace portolan::isa {
namespace {

using abi::Insn;
using abi::ProgType;
using Bytes = std::vector<std::uint8_t>;

constexpr std::uint8_t regs(unsigned to, unsigned from = 0) {
  return static_cast<std::uint8_t>(to | from << 4);
}
constexpr Insn kExit{0x95, 0, 0, 0};
constexpr Insn set(unsigned to, std::int32_t value) { return {0xb7, regs(to), 0, value}; }
constexpr Insn load(unsigned to, unsigned from, std::int16_t off) { return {0x61, regs(to, from), off, 0}; }

// What one call looks like to its caller.
struct Seen {
  long result = 0;
  std::uint32_t retval = 0, data_size_out = 0, ctx_size_out = 0;
  Bytes data_out, context_out, context_in;
  friend bool operator==(const Seen&, const Seen&) = default;
};
std::string show(const Bytes& bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    if (bytes[i] != 0xaa && bytes[i] != 0) text += fmt::format(" {}:{:02x}", i, bytes[i]);
  return text;
}
void PrintTo(const Seen& seen, std::ostream* out) {
  *out << fmt::format("result {} retval {:#x} data_size_out {} ctx_size_out {}\n  data{}\n  ctx{}\n  in{}",
                      seen.result, seen.retval, seen.data_size_out, seen.ctx_size_out, show(seen.data_out),
                      show(seen.context_out), show(seen.context_in));
}

struct Call {
  std::string what;
  Bytes data = Bytes(64);
  bool gives_data = true, takes_data = true;
  std::uint32_t data_room = 4096;
  Bytes context;  // empty: none
  bool takes_context = false;
  std::uint32_t context_room = 512;
  abi::TestAttr attr{};
};

Seen run(Side& side, long fd, Call call) {
  Seen seen;
  seen.data_out.assign(4096 * 2, 0xaa);
  seen.context_out.assign(512, 0xaa);
  seen.context_in = call.context;
  abi::Attr attr{};
  attr.test = call.attr;
  attr.test.prog_fd = static_cast<std::uint32_t>(fd);
  if (call.gives_data) {
    attr.test.data_in = Side::address(call.data.data());
    attr.test.data_size_in = static_cast<std::uint32_t>(call.data.size());
  }
  if (call.takes_data) {
    attr.test.data_out = Side::address(seen.data_out.data());
    attr.test.data_size_out = call.data_room;
  }
  if (!call.context.empty()) {
    attr.test.ctx_in = Side::address(seen.context_in.data());
    attr.test.ctx_size_in = static_cast<std::uint32_t>(call.context.size());
  }
  if (call.takes_context) {
    attr.test.ctx_out = Side::address(seen.context_out.data());
    attr.test.ctx_size_out = call.context_room;
  }
  seen.result = side.bpf(abi::Command::kProgTestRun, attr);
  seen.retval = attr.test.retval;
  seen.data_size_out = attr.test.data_size_out;
  seen.ctx_size_out = attr.test.ctx_size_out;
  return seen;
}

class TestRunOnBoth : public WithBoth {
 protected:
  void compare_fields(ProgType type, const std::vector<std::int16_t>& offsets);
  void compare(ProgType type, const std::vector<Insn>& insns, const std::vector<Call>& calls,
               std::uint32_t attach_type = 0, std::uint32_t flags = 0) {
    if (IsSkipped()) return;
    std::string log;
    const long there = kernel_.load(type, insns, &log, attach_type, flags);
    ASSERT_GE(there, 0) << log;
    for (Ours* side : {&ours_, &interpreter_}) {
      const long here = side->load(type, insns, &log, attach_type, flags);
      ASSERT_GE(here, 0) << log;
      for (const Call& call : calls) {
        SCOPED_TRACE(fmt::format("{}, type {}: {}", side->name(), static_cast<unsigned>(type), call.what));
        EXPECT_EQ(run(*side, here, call), run(kernel_, there, call));
      }
      (void)sys::close(static_cast<int>(here));
    }
    (void)sys::close(static_cast<int>(there));
  }
};

Bytes bytes_from(const auto& object) {
  const auto* const begin = reinterpret_cast<const std::uint8_t*>(&object);
  return Bytes(begin, begin + sizeof object);
}
Bytes counting(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i);
  return bytes;
}
Bytes packet_of(int type, std::size_t size, std::initializer_list<std::uint8_t> destination = {}) {
  Bytes bytes = counting(size);
  std::fill(bytes.begin(), bytes.begin() + 6, std::uint8_t{0});
  std::copy(destination.begin(), destination.end(), bytes.begin());
  bytes[12] = static_cast<std::uint8_t>(type >> 8);
  bytes[13] = static_cast<std::uint8_t>(type);
  return bytes;
}

// What the rules say about any packet program's attr.
std::vector<Call> calls_of_packets() {
  std::vector<Call> calls;
  const auto add = [&](std::string what, auto change) {
    Call call;
    call.what = std::move(what);
    call.data = packet_of(0x0800, 64);
    change(call);
    calls.push_back(std::move(call));
  };
  add("plain", [](Call&) {});
  for (const std::size_t size :
       {0u, 1u, 13u, 14u, 15u, 33u, 34u, 53u, 54u, 3519u, 3520u, 3712u, 3713u, 4000u, 4096u, 4097u, 7000u})
    for (const int type : {0x0800, 0x86dd, 0x0806, 0x0100})
      add(fmt::format("{} bytes of type {:#x}", size, type), [&](Call& call) {
        call.data = packet_of(type, std::max<std::size_t>(size, 14));
        call.data.resize(size);
      });
  add("no data", [](Call& call) { call.gives_data = false; });
  add("a size without data", [](Call& call) {
    call.gives_data = false;
    call.attr.data_size_in = 64;
  });
  for (const std::uint32_t room : {0u, 1u, 63u, 64u, 65u})
    add(fmt::format("room for {}", room), [&](Call& call) { call.data_room = room; });
  add("no room", [](Call& call) { call.takes_data = false; });
  add("no room, but its size", [](Call& call) {
    call.takes_data = false;
    call.attr.data_size_out = 10;
  });
  for (const std::uint32_t repeat : {1u, 2u, 100u})
    add(fmt::format("repeat {}", repeat), [&](Call& call) { call.attr.repeat = repeat; });
  for (const std::uint32_t flags : {1u, 8u, 0x80000000u})
    add(fmt::format("flags {}", flags), [&](Call& call) { call.attr.flags = flags; });
  add("cpu", [](Call& call) { call.attr.cpu = 1; });
  add("batch size", [](Call& call) { call.attr.batch_size = 1; });
  add("context of no size", [](Call& call) { call.attr.ctx_in = Side::address("x"); });
  add("size of no context", [](Call& call) { call.attr.ctx_size_in = 8; });
  add("context out of no size", [](Call& call) { call.attr.ctx_out = Side::address("x"); });
  add("size of no context out", [](Call& call) { call.attr.ctx_size_out = 8; });
  add("context out alone", [](Call& call) { call.takes_context = true; });
  for (const std::uint32_t room : {1u, 8u, 24u, 191u, 192u})
    add(fmt::format("room for {} of the context", room), [&](Call& call) {
      call.takes_context = true;
      call.context_room = room;
    });
  return calls;
}

// Contexts with one field set, in turn.
std::vector<Call> calls_of_contexts(std::size_t size, std::uint32_t least_data_end) {
  std::vector<Call> calls;
  for (std::size_t at = 0; at + 4 <= size + 8; at += 4)
    for (const std::uint32_t value :
         {1u, 2u, 4u, 8u, 63u, 64u, 65u, 252u, 256u, 65535u, 65536u, 0x80000000u}) {
      // Interfaces 2 and more are those of the machine; this library has none.
      const bool is_interface = at == (size == sizeof(abi::XdpMd) ? 12u : 40u);
      if (is_interface && value > 1 && value < 64) continue;
      Call call;
      call.what = fmt::format("context of {} with {} at {}", size, value, at);
      call.data = packet_of(0x0800, 64);
      call.context.resize(std::max(size, at + 4));
      if (least_data_end != 0) std::memcpy(call.context.data() + 4, &least_data_end, 4);
      std::memcpy(call.context.data() + at, &value, 4);
      call.takes_context = true;
      calls.push_back(std::move(call));
    }
  for (const std::size_t length : {1u, 8u, 24u, 28u, 192u, 196u, 4096u, 4100u}) {
    Call call;
    call.what = fmt::format("context of {} zeros", length);
    call.context.resize(length);
    call.takes_context = true;
    calls.push_back(std::move(call));
  }
  return calls;
}

const std::vector<Insn> kReturnTwo = {set(0, 2), kExit};
const std::vector<Insn> kReturnOne = {set(0, 1), kExit};

TEST_F(TestRunOnBoth, packets_of_sk_buff_programs) {
  for (const ProgType type : {ProgType::kSocketFilter, ProgType::kSchedCls, ProgType::kSchedAct,
                              ProgType::kCgroupSkb, ProgType::kLwtIn, ProgType::kLwtOut, ProgType::kLwtXmit})
    compare(type, kReturnOne, calls_of_packets());
}
TEST_F(TestRunOnBoth, packets_of_xdp_programs) {
  std::vector<Call> calls = calls_of_packets();
  compare(ProgType::kXdp, kReturnTwo, calls);
}
TEST_F(TestRunOnBoth, contexts_of_sk_buff_programs) {
  for (const ProgType type :
       {ProgType::kSocketFilter, ProgType::kSchedCls, ProgType::kCgroupSkb, ProgType::kLwtXmit})
    compare(type, kReturnOne, calls_of_contexts(sizeof(abi::SkBuffContext), 0));
}
TEST_F(TestRunOnBoth, contexts_of_xdp_programs) {
  std::vector<Call> calls = calls_of_contexts(sizeof(abi::XdpMd), 64);
  std::vector<Call> more = calls_of_contexts(sizeof(abi::XdpMd), 0);
  calls.insert(calls.end(), more.begin(), more.end());
  for (const std::uint32_t data :
       {0u, 1u, 2u, 4u, 8u, 32u, 36u, 48u, 50u, 51u, 52u, 64u, 216u, 220u, 252u, 256u}) {
    abi::XdpMd context{};
    context.data = data;
    context.data_end = 300;
    Call call;
    call.what = fmt::format("{} bytes of metadata", data);
    call.data = packet_of(0x0800, 300);
    call.context = bytes_from(context);
    call.takes_context = true;
    calls.push_back(call);
  }
  compare(ProgType::kXdp, kReturnTwo, calls);
}
TEST_F(TestRunOnBoth, an_xdp_program_for_a_devmap_cannot_be_tried) {
  compare(ProgType::kXdp, kReturnTwo, calls_of_packets(),
          static_cast<std::uint32_t>(abi::AttachType::kXdpDevmap));
}

// Of the context, the fields at `offsets` go to the packet: the call brings them back.
std::vector<Insn> xdp_fields_to_packet() {
  std::vector<Insn> insns = {{0x61, regs(2, 1), 0, 0},
                             {0x61, regs(3, 1), 4, 0},
                             {0xbf, regs(4, 2), 0, 0},
                             {0x07, regs(4), 0, 32},
                             {0x2d, regs(4, 3), 4, 0}};
  insns.push_back(load(5, 1, 12));
  insns.push_back({0x63, regs(2, 5), 14, 0});
  insns.push_back(load(5, 1, 16));
  insns.push_back({0x63, regs(2, 5), 18, 0});
  insns.push_back(set(0, 2));
  insns.push_back(kExit);
  return insns;
}
TEST_F(TestRunOnBoth, xdp_programs_find_the_loopback_device) {
  abi::XdpMd context{};
  context.data_end = 64;
  context.ingress_ifindex = 1;
  Call plain, with_device;
  plain.what = "no context";
  with_device.what = "the loopback device";
  with_device.context = bytes_from(context);
  with_device.takes_context = true;
  compare(ProgType::kXdp, xdp_fields_to_packet(), {plain, with_device});
}

// Each readable 32-bit field of __sk_buff, folded into R0; tc and cgroup programs may read different ones.
void TestRunOnBoth::compare_fields(ProgType type, const std::vector<std::int16_t>& offsets) {
  std::vector<Call> calls;
  for (const int protocol : {0x0800, 0x86dd, 0x0806, 0x0100, 0x8100})
    for (const auto& destination : {std::initializer_list<std::uint8_t>{0, 0, 0, 0, 0, 0},
                                    {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
                                    {1, 0, 0, 0, 0, 0},
                                    {2, 0, 0, 0, 0, 1}}) {
      Call call;
      call.what = fmt::format("type {:#x}", protocol);
      call.data = packet_of(protocol, 80, destination);
      calls.push_back(call);
      abi::SkBuffContext context{};
      context.mark = 7;
      context.priority = 8;
      context.ingress_ifindex = 9;
      context.cb[0] = 10;
      context.cb[4] = 11;
      context.tstamp = 12;
      context.wire_len = 1000;
      context.gso_segs = 3;
      context.gso_size = 4;
      context.hwtstamp = 13;
      call.context = bytes_from(context);
      call.takes_context = true;
      calls.push_back(call);
    }
  for (const std::int16_t offset : offsets) {
    SCOPED_TRACE(offset);
    const bool is_wide = offset == 152 || offset == 184;
    if (type == ProgType::kCgroupSkb) {  // R0 must be a verdict: the field comes back in cb
      compare(type, {load(2, 1, offset), {0x63, regs(1, 2), 48, 0}, set(0, 1), kExit}, calls);
      continue;
    }
    compare(type, {{static_cast<std::uint8_t>(is_wide ? 0x79 : 0x61), regs(0, 1), offset, 0}, kExit}, calls);
  }
}
TEST_F(TestRunOnBoth, tc_programs_find_the_same_fields) {
  std::vector<std::int16_t> offsets;
  for (std::int16_t at = 0; at <= 72; at = static_cast<std::int16_t>(at + 4)) offsets.push_back(at);
  for (const int at : {84, 152, 160, 164, 176, 184}) offsets.push_back(static_cast<std::int16_t>(at));
  compare_fields(ProgType::kSchedCls, offsets);
}
TEST_F(TestRunOnBoth, socket_filters_find_the_same_fields) {
  compare_fields(ProgType::kSocketFilter,
                 {0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 64, 68, 84, 164, 176});
}
TEST_F(TestRunOnBoth, cgroup_programs_find_the_same_fields) {
  compare_fields(ProgType::kCgroupSkb, {0,   4,   8,   16,  32,  36,  40,  48,  64,  88,  92,  96,
                                        100, 104, 108, 112, 116, 120, 124, 128, 132, 136, 164, 176});
}
TEST_F(TestRunOnBoth, lwt_programs_find_the_same_fields) {
  compare_fields(ProgType::kLwtXmit, {0, 4, 8, 12, 16, 32, 36, 40, 48, 64, 164, 176});
}

TEST_F(TestRunOnBoth, packet_loads_count_from_where_the_type_begins) {
  for (const ProgType type : {ProgType::kSocketFilter, ProgType::kSchedCls})
    for (const std::int32_t offset :
         {0, 1, 12, 49, 50, 51, 62, 63, 64, -1, -0x100000, -0x100000 + 48, -0x100000 + 49, -0x100000 - 1,
          -0x200000, -0x200000 + 12, -0x200000 + 62, -0x200000 - 1, INT32_MIN})
      for (const int code : {0x30, 0x28, 0x20, 0x50, 0x48, 0x40}) {
        Call call;
        call.what = fmt::format("code {:#x} at {}", code, offset);
        call.data = packet_of(0x0806, 64);
        compare(type,
                {{0xbf, regs(6, 1), 0, 0},
                 set(2, 1),
                 {static_cast<std::uint8_t>(code), regs(0, (code & 0x40) != 0 ? 2u : 0u), 0, offset},
                 kExit},
                {call});
      }
}

TEST_F(TestRunOnBoth, syscall_programs) {
  std::vector<Call> calls;
  const auto add = [&](std::string what, auto change) {
    Call call;
    call.what = std::move(what);
    call.gives_data = call.takes_data = false;
    call.context = counting(64);
    change(call);
    calls.push_back(std::move(call));
  };
  add("plain", [](Call&) {});
  for (const std::size_t size : {0u, 1u, 15u, 16u, 17u, 4096u, 65535u, 65536u})
    add(fmt::format("{} bytes", size), [&](Call& call) { call.context = counting(size); });
  add("data", [](Call& call) { call.gives_data = true; });
  add("data size", [](Call& call) { call.attr.data_size_in = 5; });
  add("data out", [](Call& call) { call.takes_data = true; });
  add("data out size", [](Call& call) { call.attr.data_size_out = 5; });
  add("context out", [](Call& call) { call.takes_context = true; });
  add("repeat", [](Call& call) { call.attr.repeat = 1; });
  add("duration", [](Call& call) { call.attr.duration = 1; });
  add("flags", [](Call& call) { call.attr.flags = 1; });
  add("cpu", [](Call& call) { call.attr.cpu = 1; });
  add("batch", [](Call& call) { call.attr.batch_size = 1; });
  add("nowhere", [](Call& call) {
    call.context.clear();
    call.attr.ctx_in = 1;
    call.attr.ctx_size_in = 64;
  });
  // r0 = ctx[8..16); ctx[0] = 99
  compare(ProgType::kSyscall, {{0x79, regs(0, 1), 8, 0}, {0x72, regs(1), 0, 99}, kExit}, calls, 0,
          abi::prog_flag::kSleepable);
}

TEST_F(TestRunOnBoth, raw_tracepoint_programs) {
  std::vector<Call> calls;
  const auto add = [&](std::string what, auto change) {
    Call call;
    call.what = std::move(what);
    call.gives_data = call.takes_data = false;
    call.context = counting(16);
    change(call);
    calls.push_back(std::move(call));
  };
  add("plain", [](Call&) {});
  for (const std::size_t size : {0u, 1u, 15u, 16u, 17u, 96u, 97u, 104u})
    add(fmt::format("{} bytes", size), [&](Call& call) { call.context = counting(size); });
  add("data", [](Call& call) { call.gives_data = true; });
  add("context out", [](Call& call) { call.takes_context = true; });
  add("repeat", [](Call& call) { call.attr.repeat = 1; });
  add("cpu", [](Call& call) { call.attr.cpu = 1; });
  add("batch", [](Call& call) { call.attr.batch_size = 1; });
  for (const std::uint32_t cpu : {0u, 1u, 1000u, 0x7fffffffu, 0x80000000u, 0xffffffffu})
    for (const std::uint32_t flags : {1u, 2u, 3u})
      add(fmt::format("on cpu {} by {}", cpu, flags), [&](Call& call) {
        call.attr.cpu = cpu;
        call.attr.flags = flags;
      });
  compare(ProgType::kRawTracepoint, {{0x79, regs(0, 1), 8, 0}, kExit}, calls);
  // bpf_get_smp_processor_id
  std::vector<Call> on_cpus;
  for (const std::uint32_t cpu : {0u, 1u}) {
    Call call;
    call.what = "its cpu";
    call.gives_data = call.takes_data = false;
    call.attr.cpu = cpu;
    call.attr.flags = 1;
    on_cpus.push_back(call);
  }
  compare(ProgType::kRawTracepoint, {{0x85, 0, 0, 8}, kExit}, on_cpus);
}

TEST_F(TestRunOnBoth, programs_that_choose_a_socket) {
  constexpr auto kAttach = static_cast<std::uint32_t>(abi::AttachType::kSkLookup);
  abi::SkLookup context{};
  context.family = 2;
  context.protocol = 0x1'0006;
  context.remote_ip4 = 0x0100'007f;
  context.local_ip4 = 0x0200'007f;
  context.remote_ip6[1] = 7;
  context.remote_port = 0x3412;
  context.padding = 0x77;
  context.local_port = 80;
  std::vector<Call> calls;
  const auto add = [&](const std::string& what, auto&& change) {
    Call call;
    call.what = what;
    call.gives_data = call.takes_data = false;
    abi::SkLookup changed = context;
    change(call, changed);
    if (call.context.empty()) call.context = bytes_from(changed);
    calls.push_back(std::move(call));
  };
  using C = Call&;
  using X = abi::SkLookup&;
  add("plain", [](C, X) {});
  add("context out", [](C call, X) { call.takes_context = true; });
  add("little room", [](C call, X) { call.takes_context = true, call.context_room = 20; });
  add("short context", [](C call, X x) { call.context = bytes_from(x), call.context.resize(24); });
  add("long context", [](C call, X x) { call.context = bytes_from(x), call.context.resize(80); });
  add("long context, not zeros",
      [](C call, X x) { call.context = bytes_from(x), call.context.resize(80, 1); });
  add("data", [](C call, X) { call.gives_data = true; });
  add("data out", [](C call, X) { call.takes_data = true; });
  add("flags", [](C call, X) { call.attr.flags = 1; });
  add("cpu", [](C call, X) { call.attr.cpu = 1; });
  add("repeat", [](C call, X) { call.attr.repeat = 3; });
  add("IPv6", [](C, X x) { x.family = 10; });
  add("another family", [](C, X x) { x.family = 3; });
  add("a family of more bits", [](C, X x) { x.family = 0x1'0002; });
  add("socket", [](C, X x) { x.sk = 1; });
  add("device", [](C, X x) { x.ingress_ifindex = 1; });
  add("bytes behind all fields", [](C, X x) { x.padding_at_end = 1; });
  add("large port", [](C, X x) { x.local_port = 0x1'0000; });
  for (const bool takes : {false, true}) {
    Call call;
    call.what = takes ? "context out alone" : "no context";
    call.gives_data = call.takes_data = false;
    call.takes_context = takes;
    calls.push_back(std::move(call));
  }
  compare(ProgType::kSkLookup, {set(0, 1), kExit}, calls, kAttach);
  compare(ProgType::kSkLookup, {set(0, 0), kExit}, calls, kAttach);
  // One bit of each field, as far as a program may return it.
  for (std::int16_t offset = 8; offset < 68; offset += 4)
    for (int bit = 0; bit < 32; bit += 3)
      compare(ProgType::kSkLookup,
              {load(0, 1, offset), {0x77, regs(0), 0, bit}, {0x57, regs(0), 0, 1}, kExit},
              {calls[0], calls[11], calls[13]}, kAttach);
}

TEST_F(TestRunOnBoth, programs_that_dissect_flows) {
  std::vector<Call> calls;
  const auto add = [&](const std::string& what, auto&& change) {
    Call call;
    call.what = what;
    call.data = counting(60);
    change(call);
    calls.push_back(std::move(call));
  };
  const auto keys_with = [](auto&& change) {
    abi::FlowKeys keys{};
    change(keys);
    return bytes_from(keys);
  };
  add("plain", [](Call&) {});
  add("repeat", [](Call& call) { call.attr.repeat = 3; });
  add("little room", [](Call& call) { call.data_room = 20; });
  add("flags", [](Call& call) { call.attr.flags = 1; });
  add("cpu", [](Call& call) { call.attr.cpu = 1; });
  for (const std::size_t size : {0u, 13u, 14u, 15u, 4096u, 4097u})
    add(fmt::format("{} bytes", size), [&](Call& call) { call.data = counting(size); });
  add("keys", [&](Call& call) { call.context = keys_with([](abi::FlowKeys& keys) { keys.flags = 5; }); });
  add("keys out", [&](Call& call) {
    call.context = keys_with([](abi::FlowKeys& keys) { keys.flags = 2; });
    call.takes_context = true;
  });
  add("keys that are not flags",
      [&](Call& call) { call.context = keys_with([](abi::FlowKeys& keys) { keys.sport = 1; }); });
  add("keys behind flags",
      [&](Call& call) { call.context = keys_with([](abi::FlowKeys& keys) { keys.flow_label = 1; }); });
  add("context out alone", [](Call& call) { call.takes_context = true; });
  const Insn load_keys{0x79, regs(2, 1), 144, 0};
  compare(ProgType::kFlowDissector, {set(0, 1), kExit}, calls);
  compare(ProgType::kFlowDissector, {load_keys, {0x69, regs(0, 2), 0, 0}, kExit}, calls);
  // Offsets before and behind the packet are brought back into it.
  for (const std::int32_t offset : {0, 13, 14, 20, 60, 61, 5000, 65535})
    compare(ProgType::kFlowDissector,
            {load_keys,
             {0x69, regs(0, 2), 10, 0},
             {0x6a, regs(2), 0, offset},
             {0x6a, regs(2), 2, offset / 2},
             {0x62, regs(2), 48, 77},
             kExit},
            calls);
  // bpf_skb_load_bytes
  compare(ProgType::kFlowDissector,
          {set(2, 12),
           {0xbf, regs(3, 10), 0, 0},
           {0x07, regs(3), 0, -8},
           {0x7a, regs(10), -8, 0},
           set(4, 4),
           {0x85, 0, 0, 26},
           {0x61, regs(0, 10), -8, 0},
           kExit},
          calls);
  // Data, through its pointers.
  compare(ProgType::kFlowDissector,
          {load(2, 1, 76),
           load(3, 1, 80),
           {0xbf, regs(4, 2), 0, 0},
           {0x07, regs(4), 0, 20},
           set(0, 9),
           {0x2d, regs(4, 3), 1, 0},
           {0x69, regs(0, 2), 12, 0},
           kExit},
          calls);
}

TEST_F(TestRunOnBoth, types_that_cannot_be_tried) {
  Call call;
  call.what = "plain";
  for (const ProgType type :
       {ProgType::kKprobe, ProgType::kTracepoint, ProgType::kPerfEvent, ProgType::kCgroupSock,
        ProgType::kSockOps, ProgType::kSkSkb, ProgType::kSkMsg, ProgType::kSkReuseport,
        ProgType::kCgroupDevice, ProgType::kCgroupSysctl, ProgType::kRawTracepointWritable})
    compare(type, kReturnOne, {call});
  compare(ProgType::kCgroupSockopt, kReturnOne, {call},
          static_cast<std::uint32_t>(abi::AttachType::kCgroupGetsockopt));
  compare(ProgType::kCgroupSockAddr, kReturnOne, {call},
          static_cast<std::uint32_t>(abi::AttachType::kCgroupInet4Bind));
}

}  // namespace
}  // namespace portolan::isa
