// SPDX-License-Identifier: Apache-2.0
// XDP packets of several pieces: random programs that change, read and write them, on the kernel and here.
#include <fmt/format.h>

#include <random>

#include "abi/context.h"
#include "abi/prog_flags.h"
#include "both.h"
#include "btf/machine_for_test.h"
#include "bytecode.h"

namespace portolan::isa {
namespace {

using Bytes = std::vector<std::uint8_t>;

// The array's value: what each call returned, and how long the linear part and the metadata were then; and
// memory for the calls.
constexpr std::int32_t kMostCalls = 12, kOutcomeBytes = 16, kMemory = kMostCalls * kOutcomeBytes;
constexpr std::int32_t kMemoryBytes = 12288;
constexpr std::size_t kValueBytes = kMemory + kMemoryBytes;
constexpr std::size_t kMostOut = 80'000;

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  std::uint32_t below(std::uint64_t end) { return static_cast<std::uint32_t>(engine_() % end); }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  template <class T>
  T of(std::initializer_list<T> choices) {
    return choices.begin()[below(choices.size())];
  }
  void fill(Bytes& bytes) {
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(engine_());
  }

 private:
  std::mt19937_64 engine_;
};

struct Packet {
  Bytes data;
  std::uint32_t linear = 0, metadata = 0;  // 0, 0: no context is given
  std::uint32_t room = 0;                  // for what comes back; 0: enough
  std::uint32_t repeat = 1;
};

Packet packet_of(Dice& dice) {
  Packet packet;
  const auto size = dice.of<std::uint32_t>(
      {14 + dice.below(200), 3000 + dice.below(1200), 4000 + dice.below(9000), 60'000 + dice.below(14'000)});
  packet.data.resize(size);
  dice.fill(packet.data);
  if (!dice.one_in(3)) {
    packet.metadata = dice.of<std::uint32_t>({0, 0, 4, 32, 33, 216, 252});
    packet.linear = packet.metadata + dice.of<std::uint32_t>({0, 1, 14, 64, 1000, 3519, 3520, 4096});
  }
  if (dice.one_in(3)) packet.room = 1 + dice.below(size + 100);
  if (dice.one_in(40)) packet.repeat = 2;
  return packet;
}

struct Seen {
  long result = 0;
  std::uint32_t retval = 0, data_size_out = 0;
  abi::XdpMd context{};
  Bytes data, value;
};

class FragmentsOnBoth : public WithBoth {
 protected:
  void SetUp() override {
    WithBoth::SetUp();
    if (btf::machine_btf() == nullptr) GTEST_SKIP() << "this kernel has no BTF";
  }
  static std::int32_t kfunc(std::string_view name) {
    const auto id = btf::machine_btf()->find_by_name(name, btf::Kind::kFunc);
    return id ? static_cast<std::int32_t>(*id) : 0;
  }

  // --- one program
  // r6: the context, r7: the value; dynptrs of the packet at fp - 16, of memory at fp - 32.
  static constexpr std::int32_t kOfPacket = -16, kOfMemory = -32;
  Bytecode& stack(int to, std::int32_t at) { return code_.move(to, 10).add(to, at); }
  Bytecode& memory(int to, std::int32_t at) { return code_.move(to, 7).add(to, kMemory + at); }
  void call(std::string_view name) { code_.call_kfunc(kfunc(name)); }
  // What is above the 32 bits of the result is anything.
  void call_int(std::string_view name) {
    call(name);
    code_.raw(0xbc, 0, 0, 0, 0);
  }
  void make_dynptr() {
    stack(3, kOfPacket).move(1, 6).set(2, 0);
    call_int("bpf_dynptr_from_xdp");
  }

  std::uint32_t offset(Dice& dice, const Packet& packet) {
    if (dice.one_in(12)) return dice.of<std::uint32_t>({0xffff, 0x10000, 0x7fff'ffff, 0xffff'ffff});
    const std::uint32_t near = dice.of<std::uint32_t>({0, 3520, 3520 + 4096, packet.linear});
    return dice.one_in(2) ? dice.below(packet.data.size() + 20) : near + dice.below(64) - 32;
  }
  std::int32_t length(Dice& dice) {
    return static_cast<std::int32_t>(
        1 + dice.of<std::uint32_t>({dice.below(16), dice.below(300), dice.below(9000)}));
  }
  std::int32_t place(Dice& dice, std::int32_t bytes) {
    return static_cast<std::int32_t>(dice.below(static_cast<std::uint32_t>(kMemoryBytes - bytes)));
  }
  std::int32_t distance(Dice& dice, const Packet& packet) {
    if (dice.one_in(12)) return dice.of<std::int32_t>({4096, -4096, 65536, -65536, INT32_MAX, INT32_MIN});
    if (dice.one_in(3)) return -static_cast<std::int32_t>(dice.below(packet.data.size()));
    return static_cast<std::int32_t>(dice.below(1000)) - 500;
  }

  std::string shape_call(Dice& dice, const Packet& packet) {
    const std::int32_t by = distance(dice, packet);
    code_.move(1, 6).set(2, by);
    switch (dice.below(5)) {
      case 0:
        code_.call(65);
        return fmt::format("adjust_tail({})", by);
      case 1:
        code_.set(2, by / 8).call(44);
        return fmt::format("adjust_head({})", by / 8);
      case 2:
        code_.set(2, by / 8 & ~3).call(54);
        return fmt::format("adjust_meta({})", by / 8 & ~3);
      default:
        const auto wanted =
            static_cast<std::int32_t>(dice.one_in(2) ? dice.below(4000) : offset(dice, packet));
        code_.set(2, wanted);
        call_int("bpf_xdp_pull_data");
        return fmt::format("pull_data({})", wanted);
    }
  }

  std::string byte_call(Dice& dice, const Packet& packet) {
    const auto from = static_cast<std::int32_t>(offset(dice, packet));
    const std::int32_t bytes = length(dice), at = place(dice, bytes);
    switch (dice.below(4)) {
      case 0:
        code_.move(1, 6).call(188);
        return "get_buff_len()";
      case 1:
        code_.store_imm(code_.kDouble, 10, -40, from & 1).move(1, 6).set(2, 0);
        stack(3, -40).set(4, from & 31).set(5, 0).call(163);
        return "check_mtu()";
      default:
        const bool loads = dice.one_in(2);
        memory(3, at).move(1, 6).set(2, from).set(4, bytes).call(loads ? 189 : 190);
        return fmt::format("{}({}, {})", loads ? "load_bytes" : "store_bytes", from, bytes);
    }
  }

  // The first and the last byte of what R0 points to, if it does, are added up, and changed.
  void look_at_slice(std::int32_t bytes, bool writes) {
    const int none = code_.new_label();
    code_.jump(0x15, 0, 0, none).load(code_.kByte, 1, 0, 0).load(code_.kByte, 2, 0, bytes - 1);
    if (writes) code_.store_imm(code_.kByte, 0, 0, 0x5a).store_imm(code_.kByte, 0, bytes - 1, 0xa5);
    code_.move(0, 1).raw(0x67, 0, 0, 0, 8).raw(0x0f, 0, 2, 0, 0).add(0, 1).here(none);
  }

  std::string dynptr_call(Dice& dice, const Packet& packet) {
    const auto from = static_cast<std::int32_t>(offset(dice, packet));
    const std::int32_t bytes = length(dice), at = place(dice, bytes);
    const auto text = [&](const char* name) { return fmt::format("{}({}, {})", name, from, bytes); };
    switch (dice.below(11)) {
      case 0:
        make_dynptr();
        return "dynptr_from_xdp()";
      case 1:
        stack(1, kOfPacket);
        call_int("bpf_dynptr_size");
        return "dynptr_size()";
      case 2:
        memory(1, at).set(2, bytes);
        stack(3, kOfPacket).set(4, from).set(5, 0).call(201);
        return text("dynptr_read");
      case 3:
        memory(3, at).set(4, bytes);
        stack(1, kOfPacket).set(2, from).set(5, dice.one_in(8)).call(202);
        return text("dynptr_write");
      case 4:
        stack(1, kOfPacket).set(2, from).set(3, bytes).set(4, 0x77);
        call_int("bpf_dynptr_memset");
        return text("dynptr_memset");
      case 5: {
        const auto begin = dice.below(100);
        stack(1, kOfPacket).set(2, static_cast<std::int32_t>(begin));
        code_.set(3, static_cast<std::int32_t>(begin + dice.below(packet.data.size())));
        call_int("bpf_dynptr_adjust");
        return "dynptr_adjust()";
      }
      case 6: {
        const bool packet_first = dice.one_in(2);
        const std::int32_t to = packet_first ? kOfPacket : kOfMemory;
        const std::int32_t other = dice.one_in(3) ? to : packet_first ? kOfMemory : kOfPacket;
        stack(1, to).set(2, from);
        stack(3, other).set(4, place(dice, bytes)).set(5, bytes);
        call_int("bpf_dynptr_copy");
        return text("dynptr_copy");
      }
      case 7: {
        const char* const name =
            dice.of({"bpf_probe_read_kernel_dynptr", "bpf_probe_read_kernel_str_dynptr"});
        memory(4, at);
        stack(1, kOfPacket).set(2, from).set(3, bytes);
        call_int(name);
        return text(name);
      }
      default: {
        const bool writes = dice.one_in(2), has_buffer = !dice.one_in(3);
        stack(1, kOfPacket).set(2, from).set(3, 0);
        if (has_buffer) memory(3, at);
        code_.set(4, bytes);
        call(writes ? "bpf_dynptr_slice_rdwr" : "bpf_dynptr_slice");
        look_at_slice(bytes, writes);
        return text(has_buffer ? "dynptr_slice with a buffer" : "dynptr_slice");
      }
    }
  }

  void note_outcome(std::int32_t number) {
    const std::int32_t at = number * kOutcomeBytes;
    code_.store(code_.kDouble, 7, at, 0).load(code_.kWord, 1, 6, 0).load(code_.kWord, 2, 6, 4);
    code_.load(code_.kWord, 3, 6, 8).raw(0x1f, 2, 1, 0, 0).raw(0x1f, 1, 3, 0, 0);
    code_.store(code_.kWord, 7, at + 8, 2).store(code_.kWord, 7, at + 12, 1);
  }

  // `write` is the program, of a map.
  template <class Write>
  Seen run(Side& side, const Packet& packet, const Bytes& value, std::uint32_t flags, Write&& write) {
    Seen seen;
    const long map = side.make_array(kValueBytes);
    EXPECT_EQ(0, side.update(map, value.data()));
    code_ = Bytecode();
    write(static_cast<int>(map));
    const long fd = side.load(abi::ProgType::kXdp, insns_of(code_), nullptr, 0, flags);
    EXPECT_GE(fd, 0) << side.name();
    abi::Attr attr{};
    attr.test.prog_fd = static_cast<std::uint32_t>(fd);
    attr.test.data_in = Side::address(packet.data.data());
    attr.test.data_size_in = static_cast<std::uint32_t>(packet.data.size());
    seen.data.assign(kMostOut, 0xaa);
    attr.test.data_out = Side::address(seen.data.data());
    attr.test.data_size_out = packet.room;
    attr.test.repeat = packet.repeat;
    seen.context.data = packet.metadata;
    seen.context.data_end = packet.linear;
    if (packet.linear != 0) {
      attr.test.ctx_in = attr.test.ctx_out = Side::address(&seen.context);
      attr.test.ctx_size_in = attr.test.ctx_size_out = sizeof seen.context;
    }
    seen.result = side.bpf(abi::Command::kProgTestRun, attr);
    seen.retval = attr.test.retval;
    seen.data_size_out = attr.test.data_size_out;
    seen.value.resize(kValueBytes);
    EXPECT_EQ(0, side.lookup(map, seen.value.data()));
    (void)sys::close(static_cast<int>(fd));
    (void)sys::close(static_cast<int>(map));
    return seen;
  }

  Bytecode code_;
};

// Where they differ first; "" nowhere.
std::string difference(const Seen& kernel, const Seen& here) {
  const auto number = [](const char* what, auto there, auto ours) {
    return there == ours ? "" : fmt::format("{}: {} and not {}\n", what, there, ours);
  };
  std::string text = number("result", kernel.result, here.result) +
                     number("retval", kernel.retval, here.retval) +
                     number("data_size_out", kernel.data_size_out, here.data_size_out) +
                     number("data", kernel.context.data, here.context.data) +
                     number("data_end", kernel.context.data_end, here.context.data_end);
  for (std::int32_t i = 0; i < kMostCalls; ++i) {
    std::int64_t results[2];
    std::uint32_t lengths[2][2];
    const std::size_t at = static_cast<std::size_t>(i * kOutcomeBytes);
    for (const int side : {0, 1}) {
      std::memcpy(&results[side], (side == 0 ? kernel : here).value.data() + at, 8);
      std::memcpy(&lengths[side], (side == 0 ? kernel : here).value.data() + at + 8, 8);
    }
    text += number(fmt::format("call {}", i).c_str(), results[0], results[1]) +
            number(fmt::format("linear part after call {}", i).c_str(), lengths[0][0], lengths[1][0]) +
            number(fmt::format("metadata after call {}", i).c_str(), lengths[0][1], lengths[1][1]);
  }
  const auto bytes = [&](const char* what, const Bytes& there, const Bytes& ours, std::size_t from) {
    for (std::size_t i = from; i < there.size(); ++i)
      if (there[i] != ours[i])
        return fmt::format("{} {}: {:#x} and not {:#x}\n", what, i - from, there[i], ours[i]);
    return std::string();
  };
  return text + bytes("byte of memory", kernel.value, here.value, kMemory) +
         bytes("byte of what comes back", kernel.data, here.data, 0);
}

TEST_F(FragmentsOnBoth, random_programs_leave_the_same) {
  if (IsSkipped()) return;
  for (std::uint64_t seed = 1; seed <= 2000 && !HasFailure(); ++seed) {
    Dice dice(seed);
    const Packet packet = packet_of(dice);
    Bytes value(kValueBytes);
    dice.fill(value);
    for (std::size_t i = kMemory; i < kValueBytes; i += 1000) value[i] = 0;  // strings end somewhere
    const std::uint32_t flags = dice.one_in(2) ? abi::prog_flag::kXdpHasFrags : 0;
    std::string calls;
    const auto write = [&](int map) {
      Dice program_dice(seed + 1'000'000);
      calls.clear();
      code_.move(6, 1).map_value(7, map);
      make_dynptr();
      memory(1, 0).set(2, kMemoryBytes).set(3, 0);
      stack(4, kOfMemory).call(197);
      for (std::int32_t i = 0; i < kMostCalls; ++i) {
        const std::uint32_t kind = program_dice.below(3);
        calls += "\n  " + (kind == 0   ? shape_call(program_dice, packet)
                           : kind == 1 ? byte_call(program_dice, packet)
                                       : dynptr_call(program_dice, packet));
        note_outcome(i);
      }
      code_.set(0, 2).exit();
    };
    const Seen kernel = run(kernel_, packet, value, flags, write);
    const Seen here = run(seed % 2 == 0 ? ours_ : interpreter_, packet, value, flags, write);
    const std::string text = difference(kernel, here);
    EXPECT_EQ("", text) << fmt::format(
                               "seed {}: {} bytes, {} linear, {} of metadata, room for {}, repeat {}:", seed,
                               packet.data.size(), packet.linear, packet.metadata, packet.room, packet.repeat)
                        << calls;
  }
}

}  // namespace
}  // namespace portolan::isa
