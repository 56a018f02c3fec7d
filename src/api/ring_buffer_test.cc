// SPDX-License-Identifier: Apache-2.0
// Rings between programs and this process, on both backends: the same test, the same results.
#include <bpf/btf.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <optional>
#include <portolan/portolan.hpp>
#include <thread>
#include <vector>

#include "abi/attr.h"
#include "abi/command.h"
#include "abi/insn.h"
#include "abi/prog_type.h"

namespace portolan {
namespace {

using abi::Insn;
using std::chrono::milliseconds;

constexpr std::uint32_t kPage = 4096;
constexpr std::uint8_t regs(unsigned to, unsigned from = 0) {
  return static_cast<std::uint8_t>(to | from << 4);
}

class Rings : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam()) {
      runtime_ = Runtime::kernel();
      if (auto probe = RingBuffer::create(*runtime_, kPage); !probe)
        GTEST_SKIP() << "the kernel's BPF is not to be had: " << probe.error().message();
    } else {
      auto opened = Runtime::create_private();
      ASSERT_TRUE(opened) << opened.error().message();
      runtime_ = *opened;
    }
  }
  void TearDown() override {
    for (const int fd : fds_) ::close(fd);
  }
  const Runtime& runtime() const { return *runtime_; }

  // Of type XDP; -errno.
  int load(const std::vector<Insn>& insns, bool has_callback = false) {
    abi::Attr attr{};
    const bpf_func_info functions[] = {{0, 3}, {kCallbackAt, 4}};
    if (has_callback) {
      attr.prog_load.prog_btf_fd = static_cast<std::uint32_t>(callback_btf());
      attr.prog_load.func_info_rec_size = sizeof functions[0];
      attr.prog_load.func_info_cnt = 2;
      attr.prog_load.func_info = reinterpret_cast<std::uintptr_t>(functions);
    }
    attr.prog_load.prog_type = static_cast<std::uint32_t>(abi::ProgType::kXdp);
    attr.prog_load.insns = reinterpret_cast<std::uintptr_t>(insns.data());
    attr.prog_load.insn_cnt = static_cast<std::uint32_t>(insns.size());
    attr.prog_load.license = reinterpret_cast<std::uintptr_t>("GPL");
    std::array<char, 10000> log{};
    attr.prog_load.log_level = 1;
    attr.prog_load.log_buf = reinterpret_cast<std::uintptr_t>(log.data());
    attr.prog_load.log_size = log.size();
    const auto fd =
        static_cast<int>(runtime().bpf(static_cast<int>(abi::Command::kProgLoad), &attr, sizeof attr));
    EXPECT_GE(fd, 0) << log.data();
    if (fd >= 0) fds_.push_back(fd);
    return fd;
  }
  // R0, with that number at the beginning of the packet.
  std::int32_t run(int program, std::uint64_t number = 0) {
    std::array<std::uint64_t, 8> packet = {number};
    abi::Attr attr{};
    attr.test.prog_fd = static_cast<std::uint32_t>(program);
    attr.test.data_in = reinterpret_cast<std::uintptr_t>(packet.data());
    attr.test.data_size_in = sizeof packet;
    EXPECT_EQ(0, runtime().bpf(static_cast<int>(abi::Command::kProgTestRun), &attr, sizeof attr));
    return static_cast<std::int32_t>(attr.test.retval);
  }

  // Puts out a record of `size` bytes, 24 at most, that begins with the packet's number; 0, or there was no
  // room.
  int load_producer(const RingBuffer& ring, std::int16_t size) {
    return load({{0x61, regs(2, 1), 0, 0},  // R2 = data
                 {0x61, regs(3, 1), 4, 0},  // R3 = data_end
                 {0xbf, regs(4, 2), 0, 0},
                 {0x07, regs(4), 0, 8},
                 {0xb7, regs(0), 0, -1},
                 {0x2d, regs(4, 3), 11, 0},  // too short
                 {0x79, regs(5, 2), 0, 0},
                 {0x7b, regs(10, 5), -24, 0},
                 {0x7a, regs(10), -16, 0},
                 {0x7a, regs(10), -8, 0},
                 {0xbf, regs(2, 10), 0, 0},
                 {0x07, regs(2), 0, -24},
                 {0x18, regs(1, 1), 0, ring.fd()},
                 {0, 0, 0, 0},
                 {0xb7, regs(3), 0, size},
                 {0xb7, regs(4), 0, 0},
                 {0x85, 0, 0, 130},
                 {0x95, 0, 0, 0}});
  }
  // Reserves eight bytes and discards them.
  int load_discarder(const RingBuffer& ring) {
    return load({{0x18, regs(1, 1), 0, ring.fd()},
                 {0, 0, 0, 0},
                 {0xb7, regs(2), 0, 8},
                 {0xb7, regs(3), 0, 0},
                 {0x85, 0, 0, 131},
                 {0x15, regs(0), 3, 0},
                 {0xbf, regs(1, 0), 0, 0},
                 {0xb7, regs(2), 0, 0},
                 {0x85, 0, 0, 133},
                 {0xb7, regs(0), 0, 0},
                 {0x95, 0, 0, 0}});
  }
  // Drains a user ring; the number of records.
  int load_drainer(const UserRingBuffer& ring) {
    return load({{0x18, regs(1, 1), 0, ring.fd()},
                 {0, 0, 0, 0},
                 {0x18, regs(2, 4), 0, kCallbackAt - 3},
                 {0, 0, 0, 0},
                 {0xb7, regs(3), 0, 0},
                 {0xb7, regs(4), 0, 0},
                 {0x85, 0, 0, 209},
                 {0x95, 0, 0, 0},
                 {0xb7, regs(0), 0, 0},
                 {0x95, 0, 0, 0}},
                true);
  }

 private:
  static constexpr int kCallbackAt = 8;
  // The BTF of a program with a callback, which the kernel asks for.
  int callback_btf() {
    const std::unique_ptr<btf, decltype(&btf__free)> types(btf__new_empty(), btf__free);
    const int integer = btf__add_int(types.get(), "int", 4, BTF_INT_SIGNED);
    const int prototype = btf__add_func_proto(types.get(), integer);
    for (const char* name : {"program", "visit"})
      btf__add_func(types.get(), name, BTF_FUNC_STATIC, prototype);
    abi::Attr attr{};
    std::uint32_t size = 0;
    attr.btf_load.btf = reinterpret_cast<std::uintptr_t>(btf__raw_data(types.get(), &size));
    attr.btf_load.btf_size = size;
    fds_.push_back(
        static_cast<int>(runtime().bpf(static_cast<int>(abi::Command::kBtfLoad), &attr, sizeof attr)));
    return fds_.back();
  }

  std::optional<Runtime> runtime_;
  std::vector<int> fds_;
};
INSTANTIATE_TEST_SUITE_P(Backends, Rings, testing::Bool(),
                         [](const auto& backend) { return backend.param ? "kernel" : "portolan"; });

std::uint64_t number_in(std::span<const std::byte> record) {
  std::uint64_t number = 0;
  std::memcpy(&number, record.data(), std::min(record.size(), sizeof number));
  return number;
}

TEST_P(Rings, records_come_in_order_and_whole) {
  auto ring = RingBuffer::create(runtime(), kPage, {.name = "records"});
  ASSERT_TRUE(ring) << ring.error().message();
  EXPECT_EQ(kPage, ring->size());
  EXPECT_FALSE(ring->front());
  const int producer = load_producer(*ring, 24);
  std::uint64_t sent = 0, seen = 0;
  // Several times around the ring, so that records lie across its end.
  for (int round = 0; round < 10; ++round) {
    while (run(producer, sent) == 0) ++sent;
    const std::size_t count = ring->consume([&](std::span<const std::byte> record) {
      EXPECT_EQ(24u, record.size());
      EXPECT_EQ(seen++, number_in(record));
    });
    EXPECT_EQ((kPage - 1) / 32, count);
  }
  EXPECT_EQ(sent, seen);
}

TEST_P(Rings, a_visit_that_says_no_is_the_last) {
  auto ring = RingBuffer::create(runtime(), kPage);
  ASSERT_TRUE(ring) << ring.error().message();
  const int producer = load_producer(*ring, 8);
  for (std::uint64_t number = 1; number <= 3; ++number) run(producer, number);
  EXPECT_EQ(2u, ring->consume([](std::span<const std::byte> record) { return number_in(record) != 2; }));
  ASSERT_TRUE(ring->front());
  EXPECT_EQ(3u, number_in(*ring->front()));
  ring->pop();
  EXPECT_FALSE(ring->front());
}

TEST_P(Rings, what_programs_discard_is_passed_over) {
  auto ring = RingBuffer::create(runtime(), kPage);
  ASSERT_TRUE(ring) << ring.error().message();
  const int producer = load_producer(*ring, 8), discarder = load_discarder(*ring);
  run(discarder);
  run(producer, 7);
  run(discarder);
  std::vector<std::uint64_t> seen;
  ring->consume([&](std::span<const std::byte> record) { seen.push_back(number_in(record)); });
  EXPECT_EQ(std::vector<std::uint64_t>{7}, seen);
  EXPECT_FALSE(ring->wait(milliseconds(0)).value());
}

TEST_P(Rings, who_waits_is_woken_by_a_record) {
  auto ring = RingBuffer::create(runtime(), kPage);
  ASSERT_TRUE(ring) << ring.error().message();
  const int producer = load_producer(*ring, 8);
  EXPECT_FALSE(ring->wait(milliseconds(1)).value());
  std::uint64_t seen = 0;
  std::thread consumer([&] {
    while (seen < 1000 && ring->wait(milliseconds(-1)).value())
      ring->consume([&](std::span<const std::byte> record) { EXPECT_EQ(seen++, number_in(record)); });
  });
  for (std::uint64_t number = 0; number < 1000;) number += run(producer, number) == 0 ? 1 : 0;
  consumer.join();
  EXPECT_EQ(1000u, seen);
}

TEST_P(Rings, a_descriptor_tells_of_records) {
  auto ring = RingBuffer::create(runtime(), kPage);
  ASSERT_TRUE(ring) << ring.error().message();
  const int producer = load_producer(*ring, 8);
  const auto fd = ring->ready_fd();
  ASSERT_TRUE(fd) << fd.error().message();
  for (int round = 0; round < 3; ++round) {
    ring->consume([](std::span<const std::byte>) {});
    struct pollfd one{*fd, POLLIN, 0};
    EXPECT_EQ(0, ::poll(&one, 1, 0));
    run(producer);
    EXPECT_EQ(1, ::poll(&one, 1, 10000));
    EXPECT_EQ(1u, ring->consume([](std::span<const std::byte>) {}));
  }
}

TEST_P(Rings, what_is_pushed_is_drained) {
  auto ring = UserRingBuffer::create(runtime(), kPage);
  ASSERT_TRUE(ring) << ring.error().message();
  const int drainer = load_drainer(*ring);
  const std::array<std::byte, 20> record{};
  for (int round = 0; round < 10; ++round) {
    int pushed = 0;
    while (ring->push(record)) ++pushed;
    EXPECT_EQ(ENOSPC, ring->push(record).error().code());
    EXPECT_EQ(static_cast<int>(kPage) / 32, pushed);
    EXPECT_FALSE(ring->wait_for_room(20, milliseconds(0)).value());
    EXPECT_EQ(pushed, run(drainer));
    EXPECT_TRUE(ring->wait_for_room(20, milliseconds(0)).value());
  }
  EXPECT_EQ(E2BIG, ring->reserve(kPage).error().code());
}

TEST_P(Rings, programs_wait_for_the_oldest_that_is_reserved) {
  auto ring = UserRingBuffer::create(runtime(), kPage);
  ASSERT_TRUE(ring) << ring.error().message();
  const int drainer = load_drainer(*ring);
  const auto first = ring->reserve(100), second = ring->reserve(8), third = ring->reserve(8);
  ASSERT_TRUE(first && second && third);
  ring->submit(*second);
  EXPECT_EQ(0, run(drainer));
  ring->discard(*first);
  EXPECT_EQ(1, run(drainer));
  ring->submit(*third);
  EXPECT_EQ(1, run(drainer));
}

TEST_P(Rings, who_waits_for_room_is_woken_by_a_drain) {
  auto ring = UserRingBuffer::create(runtime(), kPage);
  ASSERT_TRUE(ring) << ring.error().message();
  const int drainer = load_drainer(*ring);
  std::thread producer([&] {
    const std::array<std::byte, 1000> record{};
    for (int count = 0; count < 100;) {
      if (ring->push(record))
        ++count;
      else
        EXPECT_TRUE(ring->wait_for_room(1000, milliseconds(-1)).value());
    }
  });
  for (int drained = 0; drained < 100;) drained += run(drainer);
  producer.join();
}

TEST_P(Rings, other_maps_are_no_rings) {
  auto ring = RingBuffer::create(runtime(), kPage);
  ASSERT_TRUE(ring) << ring.error().message();
  EXPECT_EQ(EINVAL, UserRingBuffer::from_fd(runtime(), ::dup(ring->fd())).error().code());
  EXPECT_EQ(EINVAL, RingBuffer::create(runtime(), 1000).error().code());
}

}  // namespace
}  // namespace portolan
