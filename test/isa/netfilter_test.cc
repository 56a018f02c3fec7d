// SPDX-License-Identifier: Apache-2.0
// BPF_PROG_TEST_RUN of netfilter programs: what the kernel answers, and what programs find in the packet.
#include <fmt/format.h>

#include "abi/context.h"
#include "both.h"
#include "btf/machine_for_test.h"

namespace portolan::isa {
namespace {

using abi::Insn;
using Bytes = std::vector<std::uint8_t>;

constexpr std::uint8_t regs(unsigned to, unsigned from = 0) {
  return static_cast<std::uint8_t>(to | from << 4);
}
constexpr Insn kExit{0x95, 0, 0, 0};
constexpr Insn set(unsigned to, std::int32_t value) { return {0xb7, regs(to), 0, value}; }
const std::vector<Insn> kAccept = {set(0, 1), kExit};

struct Call {
  std::string what;
  Bytes data = Bytes(64);
  Bytes context;  // struct nf_hook_state; empty: none
  abi::TestAttr attr{};
};
struct Seen {
  long result;
  std::uint32_t retval, data_size_out, ctx_size_out;
  Bytes data_out;
  friend bool operator==(const Seen&, const Seen&) = default;
};
void PrintTo(const Seen& seen, std::ostream* out) {
  *out << fmt::format("result {} retval {} data_size_out {} ctx_size_out {}", seen.result, seen.retval,
                      seen.data_size_out, seen.ctx_size_out);
}

Seen run(Side& side, long fd, Call call) {
  Bytes out(4096, 0xaa);
  abi::Attr attr{};
  attr.test = call.attr;
  attr.test.prog_fd = static_cast<std::uint32_t>(fd);
  attr.test.data_in = Side::address(call.data.data());
  attr.test.data_size_in = static_cast<std::uint32_t>(call.data.size());
  attr.test.data_out = Side::address(out.data());
  if (!call.context.empty()) {
    attr.test.ctx_in = Side::address(call.context.data());
    attr.test.ctx_size_in = static_cast<std::uint32_t>(call.context.size());
  }
  const long result = side.bpf(abi::Command::kProgTestRun, attr);
  return {result, attr.test.retval, attr.test.data_size_out, attr.test.ctx_size_out, out};
}

Bytes state(unsigned hook, unsigned pf) {
  Bytes bytes(sizeof(abi::NfHookState));
  bytes[0] = static_cast<std::uint8_t>(hook);
  bytes[1] = static_cast<std::uint8_t>(pf);
  return bytes;
}
Bytes frame(int type, std::size_t size) {
  Bytes bytes(std::max<std::size_t>(size, 14));
  bytes[12] = static_cast<std::uint8_t>(type >> 8);
  bytes[13] = static_cast<std::uint8_t>(type);
  for (std::size_t i = 14; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i);
  bytes.resize(size);
  return bytes;
}

class NetfilterOnBoth : public WithBoth {
 protected:
  void compare(const std::vector<Insn>& insns, const std::vector<Call>& calls,
               std::optional<std::uint32_t> expected = {}) {
    if (IsSkipped()) return;
    std::string log;
    const long there = load(kernel_, insns, &log);
    ASSERT_GE(there, 0) << log;
    for (Ours* side : {&ours_, &interpreter_}) {
      const long here = load(*side, insns, &log);
      ASSERT_GE(here, 0) << log;
      for (const Call& call : calls) {
        SCOPED_TRACE(fmt::format("{}: {}", side->name(), call.what));
        const Seen seen = run(*side, here, call);
        EXPECT_EQ(seen, run(kernel_, there, call));
        EXPECT_EQ(seen.retval, expected.value_or(seen.retval));
      }
      (void)sys::close(static_cast<int>(here));
    }
    (void)sys::close(static_cast<int>(there));
  }
  static long load(Side& side, const std::vector<Insn>& insns, std::string* log) {
    return side.load(abi::ProgType::kNetfilter, insns, log,
                     static_cast<std::uint32_t>(abi::AttachType::kNetfilter));
  }
};

TEST_F(NetfilterOnBoth, packets_by_size_family_and_hook) {
  std::vector<Call> calls;
  for (const std::size_t size :
       {0u, 1u, 14u, 19u, 20u, 33u, 34u, 53u, 54u, 3519u, 3520u, 3712u, 3713u, 4096u})
    for (const int type : {0x0800, 0x86dd, 0x0806, 0x0100})
      for (const Bytes& context : {Bytes(), state(0, 2), state(3, 10), state(4, 10), state(200, 2)})
        calls.push_back({fmt::format("{} bytes of type {:#x}, {}", size, type, context.size()),
                         frame(type, size), context});
  for (const unsigned pf : {0u, 1u, 2u, 3u, 10u, 13u})
    for (unsigned hook = 0; hook < 7; ++hook)
      calls.push_back({fmt::format("pf {} hook {}", pf, hook), frame(0x0800, 64), state(hook, pf)});
  compare(kAccept, calls);
}

TEST_F(NetfilterOnBoth, what_a_caller_may_say) {
  std::vector<Call> calls;
  for (std::size_t at = 0; at < sizeof(abi::NfHookState) + 8; ++at) {
    Call call{fmt::format("a context with one at {}", at), frame(0x0800, 64), state(3, 2)};
    call.context.resize(std::max(call.context.size(), at + 1));
    call.context[at] |= 1;
    calls.push_back(call);
  }
  for (const std::size_t size : {1u, 2u, 8u, 16u, 4096u, 4097u}) {
    Call call{fmt::format("a context of {}", size), frame(0x0800, 64), state(3, 2)};
    call.context.resize(size);
    calls.push_back(call);
  }
  const auto add = [&](const char* what, auto change) {
    Call call{what, frame(0x0800, 64), {}};
    change(call.attr);
    calls.push_back(call);
  };
  add("flags", [](abi::TestAttr& attr) { attr.flags = 1; });
  add("cpu", [](abi::TestAttr& attr) { attr.cpu = 1; });
  add("batch size", [](abi::TestAttr& attr) { attr.batch_size = 1; });
  add("repeat", [](abi::TestAttr& attr) { attr.repeat = 10; });
  add("data out of a size", [](abi::TestAttr& attr) { attr.data_size_out = 8; });
  static std::uint8_t room[64];
  add("context out", [](abi::TestAttr& attr) {
    attr.ctx_out = Side::address(room);
    attr.ctx_size_out = sizeof room;
  });
  compare(kAccept, calls);
}

struct Place {
  std::uint32_t first_bit, bytes;
};
std::optional<Place> member(const btf::Btf& types, std::uint32_t id, std::string_view name) {
  const btf::Type& type = *types.type(id);
  for (const abi::btf::Member& one : types.members(type)) {
    const std::uint32_t inner = types.resolve(one.type), bit = btf::member_bit_offset(type, one);
    if (types.name(one.name_off) == name) return Place{bit, types.size_of(inner).value_or(0)};
    if (one.name_off != 0 || !btf::is_aggregate(*types.type(inner))) continue;
    if (const auto place = member(types, inner, name)) return Place{bit + place->first_bit, place->bytes};
  }
  return {};
}

// Accepts the packet if the field is that number. `path`: members of the context's, from pointer to pointer.
std::vector<Insn> accepts_if(std::initializer_list<std::pair<const char*, const char*>> path,
                             std::int32_t value, std::int32_t mask = -1) {
  const btf::Btf& types = *btf::machine_btf();
  std::vector<Insn> insns = {{0xbf, regs(6, 1), 0, 0}};
  for (const auto& [owner, name] : path) {
    const auto place = member(types, *types.find_by_name(owner, btf::Kind::kStruct), name);
    const std::uint32_t bytes = place->bytes > 8 ? 4 : place->bytes;  // the beginning of an array
    const auto code = static_cast<std::uint8_t>(bytes == 1   ? 0x71
                                                : bytes == 2 ? 0x69
                                                : bytes == 4 ? 0x61
                                                             : 0x79);
    insns.push_back({code, regs(6, 6), static_cast<std::int16_t>(place->first_bit / 8), 0});
    if (name == path.end()[-1].second && place->first_bit % 8 != 0)
      insns.push_back({0x77, regs(6), 0, static_cast<std::int32_t>(place->first_bit % 8)});
    else if (name != path.end()[-1].second) {  // nothing there is 0
      insns.push_back({0x55, regs(6), 2, 0});
      insns.push_back(set(0, value == 0));
      insns.push_back(kExit);
    }
  }
  if (mask != -1) insns.push_back({0x57, regs(6), 0, mask});
  insns.insert(insns.end(), {set(0, 1), {0x15, regs(6), 1, value}, set(0, 0), kExit});
  return insns;
}

TEST_F(NetfilterOnBoth, programs_find_the_packet_and_its_devices) {
  if (IsSkipped()) return;
  const std::vector<Call> sent = {{"sent", frame(0x0800, 64), {}}},
                          received = {{"received", frame(0x0800, 64), state(0, 2)},
                                      {"passed on", frame(0x0800, 64), state(2, 2)}},
                          of_ipv6 = {{"of IPv6", frame(0x86dd, 200), state(4, 10)}};
  struct {
    const char* field;
    std::int32_t sent, received, of_ipv6;
  } fields[] = {{"len", 64, 50, 186},
                {"protocol", 8, 8, 0xdd86},
                {"mac_header", 0xffff, 64, 64},
                {"network_header", 0, 78, 78},
                {"tail", 128, 128, 264},
                {"transport_header", 0xffff, 0xffff, 0xffff},
                {"end", 192, 192, 704},
                {"truesize", 768, 768, 1280},
                {"users", 1, 1, 1},
                {"data_len", 0, 0, 0}};
  for (const auto& [field, of_sent, of_received, of_the_last] : fields) {
    SCOPED_TRACE(field);
    compare(accepts_if({{"bpf_nf_ctx", "skb"}, {"sk_buff", field}}, of_sent), sent, 1);
    compare(accepts_if({{"bpf_nf_ctx", "skb"}, {"sk_buff", field}}, of_received), received, 1);
    compare(accepts_if({{"bpf_nf_ctx", "skb"}, {"sk_buff", field}}, of_the_last), of_ipv6, 1);
  }
  const auto of_state = [](const char* field) {
    return std::pair<const char*, const char*>{"nf_hook_state", field};
  };
  const std::pair<const char*, const char*> to_state{"bpf_nf_ctx", "state"}, ifindex{"net_device", "ifindex"};
  compare(accepts_if({to_state, of_state("hook")}, 3), sent, 1);
  compare(accepts_if({to_state, of_state("pf")}, 2), sent, 1);
  compare(accepts_if({to_state, of_state("hook")}, 4), of_ipv6, 1);
  compare(accepts_if({to_state, of_state("pf")}, 10), of_ipv6, 1);
  compare(accepts_if({to_state, of_state("in"), ifindex}, 0), received, 1);
  compare(accepts_if({to_state, of_state("out"), ifindex}, 0), sent, 1);
  compare(accepts_if({to_state, of_state("out"), ifindex}, 1), received, 1);
  compare(accepts_if({{"bpf_nf_ctx", "skb"}, {"sk_buff", "dev"}, ifindex}, 0), sent, 1);
  compare(accepts_if({{"bpf_nf_ctx", "skb"}, {"sk_buff", "dev"}, ifindex}, 1), received, 1);
  Call to_all{"to all", frame(0x0800, 64), state(0, 2)}, to_another = to_all;
  to_all.data[0] = 1;
  to_another.data[0] = 2;
  compare(accepts_if({{"bpf_nf_ctx", "skb"}, {"sk_buff", "pkt_type"}}, 2, 7), {to_all}, 1);
  compare(accepts_if({{"bpf_nf_ctx", "skb"}, {"sk_buff", "pkt_type"}}, 3, 7), {to_another}, 1);
}

class NetfilterDynptr : public NetfilterOnBoth {
 protected:
  static Insn kfunc(const char* name) {
    const btf::Btf& types = *btf::machine_btf();
    return {0x85, regs(0, 2), 0, static_cast<std::int32_t>(*types.find_by_name(name, btf::Kind::kFunc))};
  }
  // `first`, which leaves what is asked for a dynptr in R1, then `then`; accepts.
  static std::vector<Insn> of_packet(std::vector<Insn> first, const std::vector<Insn>& then) {
    const std::vector<Insn> make = {
        set(2, 0), {0xbf, regs(3, 10), 0, 0}, {0x07, regs(3), 0, -24}, kfunc("bpf_dynptr_from_skb")};
    first.insert(first.end(), make.begin(), make.end());
    first.insert(first.end(), then.begin(), then.end());
    return first;
  }
  static constexpr Insn kPacket{0x79, regs(1, 1), 8, 0};
};

// The first byte of the IP header, through a slice.
TEST_F(NetfilterDynptr, a_packet_is_read) {
  if (IsSkipped()) return;
  const std::vector<Insn> read = {{0xbf, regs(1, 10), 0, 0},
                                  {0x07, regs(1), 0, -24},
                                  set(2, 0),
                                  set(3, 0),
                                  set(4, 8),
                                  kfunc("bpf_dynptr_slice"),
                                  {0x15, regs(0), 2, 0},
                                  {0x71, regs(0, 0), 0, 0},
                                  {0x57, regs(0), 0, 1},
                                  kExit};
  Call odd{"received", frame(0x0800, 64), state(0, 2)}, even = odd;
  odd.data[14] = 0x45;
  even.data[14] = 0x46;
  compare(of_packet({kPacket}, read), {odd}, 1);
  compare(of_packet({kPacket}, read), {even}, 0);
}

TEST_F(NetfilterDynptr, is_made_of_the_packet_only) {
  if (IsSkipped()) return;
  const std::vector<Insn> accept = {set(0, 1), kExit};
  const btf::Btf& types = *btf::machine_btf();
  const auto next = member(types, *types.find_by_name("sk_buff", btf::Kind::kStruct), "next");
  const std::vector<Insn> write = {{0xbf, regs(1, 10), 0, 0},
                                   {0x07, regs(1), 0, -24},
                                   set(2, 0),
                                   set(3, 0),
                                   set(4, 8),
                                   kfunc("bpf_dynptr_slice_rdwr"),
                                   set(0, 1),
                                   kExit};
  for (const auto& program :
       {of_packet({kPacket}, accept), of_packet({}, accept), of_packet({{0x79, regs(1, 1), 0, 0}}, accept),
        of_packet({{0xbf, regs(1, 10), 0, 0}}, accept), of_packet({set(1, 0)}, accept),
        of_packet({set(1, 5)}, accept), of_packet({kPacket, {0x07, regs(1), 0, 4}}, accept),
        of_packet({kPacket, {0x79, regs(1, 1), static_cast<std::int16_t>(next->first_bit / 8), 0}}, accept),
        of_packet({kPacket}, write)}) {
    std::string there, here;
    const long kernels = load(kernel_, program, &there);
    for (Ours* side : {&ours_, &interpreter_}) {
      const long result = load(*side, program, &here);
      EXPECT_EQ(result < 0 ? result : 0, kernels < 0 ? kernels : 0) << there << here;
      if (result >= 0) (void)sys::close(static_cast<int>(result));
    }
    if (kernels >= 0) (void)sys::close(static_cast<int>(kernels));
  }
}

}  // namespace
}  // namespace portolan::isa
