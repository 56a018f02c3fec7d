// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <random>

namespace portolan::conformance {

// Seeded choices; the same on every machine (std's distributions are not).
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed * 0x9e3779b97f4a7c15 + 1) {}
  std::uint64_t bits() { return engine_(); }
  std::uint32_t below(std::uint64_t bound) { return static_cast<std::uint32_t>(engine_() % bound); }
  bool percent(unsigned chance) { return below(100) < chance; }
  bool one_in(unsigned n) { return below(n) == 0; }
  std::uint64_t of(std::initializer_list<std::uint64_t> choices) {
    return choices.begin()[below(choices.size())];
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace portolan::conformance
