// SPDX-License-Identifier: Apache-2.0
// Where a number comes from: which registers and stack slots of the last checkpoint its bounds were worked
// out from. Only numbers that something depended on must be within the same bounds when a later state is
// compared with that checkpoint.
#pragma once
#include <cstddef>
#include <cstdint>

namespace portolan::verifier {

class Dependencies {
 public:
  // Places that are followed: the ten registers of six frames, some slots of three. The others always count.
  static constexpr std::size_t kFrames = 6, kRegisters = 10;
  static Dependencies of_register(std::size_t frame, std::size_t number) {
    if (frame >= kFrames || number >= kRegisters) return {};
    return {std::uint64_t{1} << (frame * kRegisters + number), 0};
  }
  static Dependencies of_slot(std::size_t frame, std::size_t slot) {
    constexpr std::size_t first[] = {0, 32, 48}, count[] = {32, 16, 16};
    if (frame >= 3 || slot >= count[frame]) return {};
    return {0, std::uint64_t{1} << (first[frame] + slot)};
  }

  bool is_empty() const { return (registers_ | slots_) == 0; }
  bool includes(const Dependencies& other) const {
    return (other.registers_ & ~registers_) == 0 && (other.slots_ & ~slots_) == 0;
  }
  Dependencies& operator|=(const Dependencies& other) {
    registers_ |= other.registers_;
    slots_ |= other.slots_;
    return *this;
  }
  friend Dependencies operator|(Dependencies a, const Dependencies& b) { return a |= b; }
  Dependencies without(const Dependencies& other) const {
    return {registers_ & ~other.registers_, slots_ & ~other.slots_};
  }
  // They say nothing about the number itself: states are the same whatever they came from.
  friend bool operator==(const Dependencies&, const Dependencies&) { return true; }

  Dependencies() = default;

 private:
  Dependencies(std::uint64_t registers, std::uint64_t slots) : registers_(registers), slots_(slots) {}
  std::uint64_t registers_ = 0, slots_ = 0;
};

}  // namespace portolan::verifier
