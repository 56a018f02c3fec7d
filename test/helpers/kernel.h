// SPDX-License-Identifier: Apache-2.0
// The live kernel, asked by programs that call helpers with given arguments and write down what comes back.
#pragma once
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "abi/prog_type.h"
#include "base/unique_fd.h"
#include "conformance/bytecode.h"

namespace portolan::helper {

// What a call is given: scalars, or the address of 16 bytes on the program's stack; the context comes by
// itself.
struct Operand {
  enum Kind { kNone, kContext, kScalar, kBuffer } kind = kNone;
  std::uint64_t value = 0;
};
struct Call {
  std::uint32_t helper = 0;
  Operand operands[5];
  std::uint64_t buffer[2] = {};
};
struct Outcome {
  std::uint64_t result;
  std::uint64_t buffer[2];
  std::uint32_t fields[6];  // of the context, as the test chooses
  friend bool operator==(const Outcome&, const Outcome&) = default;
};
static_assert(sizeof(Outcome) == 48);

class KernelForTest {
 public:
  static constexpr std::uint32_t kMostCalls = 16;

  KernelForTest() : map_(make_array(kMostCalls * sizeof(Outcome))) {}
  bool is_there() const { return static_cast<bool>(map_); }

  // Field: a u32 of the context, or the difference of two of its packet pointers.
  struct Field {
    std::int32_t offset;
    std::int32_t minus = -1;
  };

  // False: the kernel refuses the program, or to run it (`log` says why).
  bool run(abi::ProgType type, const std::vector<Call>& calls, const std::vector<Field>& fields,
           std::vector<std::byte>& packet, std::vector<Outcome>& outcomes, std::string& log) {
    conformance::Bytecode code;
    code.move(6, 1).map_value(7, map_.get());
    for (std::size_t i = 0; i < calls.size(); ++i) {
      const Call& call = calls[i];
      const auto at = static_cast<std::int32_t>(i * sizeof(Outcome));
      for (int half = 0; half < 2; ++half)
        code.set64(0, call.buffer[half]).store(code.kDouble, 10, -16 + 8 * half, 0);
      for (int n = 0; n < 5; ++n) {
        if (call.operands[n].kind == Operand::kContext) code.move(n + 1, 6);
        if (call.operands[n].kind == Operand::kScalar) code.set64(n + 1, call.operands[n].value);
        if (call.operands[n].kind == Operand::kBuffer) code.move(n + 1, 10).add(n + 1, -16);
      }
      code.call(static_cast<std::int32_t>(call.helper)).store(code.kDouble, 7, at, 0);
      for (int half = 0; half < 2; ++half)
        code.load(code.kDouble, 0, 10, -16 + 8 * half).store(code.kDouble, 7, at + 8 + 8 * half, 0);
      for (std::size_t f = 0; f < fields.size(); ++f) {
        code.load(code.kWord, 0, 6, fields[f].offset);
        if (fields[f].minus >= 0) code.load(code.kWord, 1, 6, fields[f].minus).raw(0x1f, 0, 1, 0, 0);
        code.store(code.kWord, 7, at + 24 + 4 * static_cast<std::int32_t>(f), 0);
      }
    }
    code.set(0, 0).exit();
    if (!execute(type, code, packet, log)) return false;
    std::vector<Outcome> all(kMostCalls);
    read_value(map_.get(), all.data());
    outcomes.assign(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(calls.size()));
    return true;
  }

  // Loads a program and runs it once; `packet` becomes what it made of it.
  static bool execute(abi::ProgType type, conformance::Bytecode& code, std::vector<std::byte>& packet,
                      std::string& log) {
    UniqueFd program = load(type, code, log);
    if (!program) return false;
    std::vector<std::byte> out(packet.size() + (1u << 16));
    struct {
      std::uint32_t prog_fd, retval, data_size_in, data_size_out;
      std::uint64_t data_in, data_out;
      std::uint32_t repeat, duration, ctx_size_in, ctx_size_out;
      std::uint64_t ctx_in, ctx_out;
      std::uint32_t flags, cpu, batch_size, padding;
    } attr{};
    attr.prog_fd = static_cast<std::uint32_t>(program.get());
    attr.data_size_in = static_cast<std::uint32_t>(packet.size());
    attr.data_size_out = static_cast<std::uint32_t>(out.size());
    attr.data_in = word(packet.data());
    attr.data_out = word(out.data());
    if (const int error = bpf(10, attr); error < 0) {
      log = "test run: " + std::to_string(error);
      return false;
    }
    out.resize(attr.data_size_out);
    packet = out;
    return true;
  }

  // An array of one value; frozen and read-only for programs with a value given.
  static UniqueFd make_array(std::uint32_t value_size, const void* constant = nullptr) {
    constexpr std::uint32_t kRdonlyProg = 128;
    const struct {
      std::uint32_t type, key_size, value_size, max_entries, flags;
    } attr{2, 4, value_size, 1, constant != nullptr ? kRdonlyProg : 0};
    const int fd = bpf(0, attr);
    if (fd < 0 || constant == nullptr) return UniqueFd(fd < 0 ? -1 : fd);
    Element element{static_cast<std::uint32_t>(fd), 0, word(&kZero), word(constant), 0};
    const std::uint32_t frozen = static_cast<std::uint32_t>(fd);
    if (bpf(2, element) != 0 || bpf(22, frozen) != 0) return {};
    return UniqueFd(fd);
  }
  static bool read_value(int map, void* value) {
    Element element{static_cast<std::uint32_t>(map), 0, word(&kZero), word(value), 0};
    return bpf(1, element) == 0;
  }

 private:
  struct Element {
    std::uint32_t fd, padding;
    std::uint64_t key, value, flags;
  };
  static constexpr std::uint32_t kZero = 0;

  static std::uint64_t word(const void* at) { return reinterpret_cast<std::uintptr_t>(at); }
  template <class Attr>
  static int bpf(int command, Attr& attr) {
    return static_cast<int>(sys::call(SYS_bpf, command, static_cast<long>(word(&attr)), sizeof attr));
  }
  static UniqueFd load(abi::ProgType type, conformance::Bytecode& code, std::string& log) {
    const auto insns = code.finish();
    std::vector<char> text(1 << 16);
    struct {
      std::uint32_t type, count;
      std::uint64_t insns, license;
      std::uint32_t log_level, log_size;
      std::uint64_t log_buf;
      std::uint32_t kern_version, flags;
      char name[16];
      std::uint32_t ifindex, expected_attach_type;
    } attr{static_cast<std::uint32_t>(type),
           static_cast<std::uint32_t>(insns.size()),
           word(insns.data()),
           word("GPL"),
           1,
           static_cast<std::uint32_t>(text.size()),
           word(text.data()),
           0,
           0,
           {},
           0,
           0};
    const int fd = bpf(5, attr);
    if (fd < 0) log = text.data();
    return UniqueFd(fd < 0 ? -1 : fd);
  }

  UniqueFd map_;
};

}  // namespace portolan::helper
