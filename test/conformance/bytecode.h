// SPDX-License-Identifier: Apache-2.0
// Writes programs, instruction by instruction.
#pragma once
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "base/assert.h"

namespace portolan::conformance {

class Bytecode {
 public:
  struct Insn {
    std::uint8_t code, registers;
    std::int16_t off;
    std::int32_t imm;
  };
  enum Size : std::uint8_t { kWord = 0x00, kHalf = 0x08, kByte = 0x10, kDouble = 0x18 };
  static Size size_of(std::uint32_t bytes) {
    return bytes == 8 ? kDouble : bytes == 4 ? kWord : bytes == 2 ? kHalf : kByte;
  }

  Bytecode& raw(std::uint8_t code, int to, int from, std::int16_t off, std::int32_t imm) {
    insns_.push_back({code, static_cast<std::uint8_t>(to | from << 4), off, imm});
    return *this;
  }
  Bytecode& move(int to, int from) { return raw(0xbf, to, from, 0, 0); }
  Bytecode& set(int to, std::int32_t value) { return raw(0xb7, to, 0, 0, value); }
  Bytecode& set64(int to, std::uint64_t value) { return wide(to, 0, value); }
  Bytecode& add(int to, std::int32_t value) { return raw(0x07, to, 0, 0, value); }
  Bytecode& load(Size size, int to, int from, std::int32_t off) {
    return raw(0x61 | size, to, from, static_cast<std::int16_t>(off), 0);
  }
  Bytecode& store(Size size, int to, std::int32_t off, int from) {
    return raw(0x63 | size, to, from, static_cast<std::int16_t>(off), 0);
  }
  Bytecode& store_imm(Size size, int to, std::int32_t off, std::int32_t value) {
    return raw(0x62 | size, to, 0, static_cast<std::int16_t>(off), value);
  }
  Bytecode& map(int to, int fd) { return wide(to, 1, static_cast<std::uint32_t>(fd)); }
  Bytecode& map_value(int to, int fd) { return wide(to, 2, static_cast<std::uint32_t>(fd)); }
  Bytecode& call(std::int32_t helper) { return raw(0x85, 0, 0, 0, helper); }
  Bytecode& call_kfunc(std::int32_t id) { return raw(0x85, 0, 2, 0, id); }
  Bytecode& exit() { return raw(0x95, 0, 0, 0, 0); }

  // Labels are numbers; a jump may come before its label.
  int new_label() { return labels_++; }
  Bytecode& here(int label) {
    places_[label] = insns_.size();
    return *this;
  }
  Bytecode& jump(std::uint8_t code, int left, std::int32_t right, int label) {
    jumps_.push_back({insns_.size(), label});
    return raw(code, left, 0, 0, right);
  }
  Bytecode& jump_to(std::uint8_t code, int left, int right, int label) {
    jumps_.push_back({insns_.size(), label});
    return raw(code, left, right, 0, 0);
  }
  Bytecode& call_to(int label) {
    jumps_.push_back({insns_.size(), label});
    return raw(0x85, 0, 1, 0, 0);
  }
  Bytecode& function(int to, int label) {
    jumps_.push_back({insns_.size(), label});
    return wide(to, 4, 0);
  }

  bool leads_to(int label) const {
    for (const Jump& one : jumps_)
      if (one.label == label) return true;
    return false;
  }
  std::size_t size() const { return insns_.size(); }
  std::vector<Insn> finish() {
    for (const Jump& one : jumps_) {
      const auto distance =
          static_cast<std::int32_t>(places_.at(one.label)) - static_cast<std::int32_t>(one.at) - 1;
      if (insns_[one.at].code == 0x18 || insns_[one.at].code == 0x85) {
        insns_[one.at].imm = distance;
      } else {
        PORTOLAN_ASSERT(distance >= INT16_MIN && distance <= INT16_MAX);
        insns_[one.at].off = static_cast<std::int16_t>(distance);
      }
    }
    return insns_;
  }

 private:
  struct Jump {
    std::size_t at;
    int label;
  };
  Bytecode& wide(int to, int source, std::uint64_t value) {
    raw(0x18, to, source, 0, static_cast<std::int32_t>(value));
    return raw(0, 0, 0, 0, static_cast<std::int32_t>(value >> 32));
  }

  std::vector<Insn> insns_;
  std::vector<Jump> jumps_;
  std::map<int, std::size_t> places_;
  int labels_ = 0;
};

}  // namespace portolan::conformance
