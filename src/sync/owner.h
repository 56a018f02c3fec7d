// SPDX-License-Identifier: Apache-2.0
// Who holds something in a region: a participant's slot, that slot's incarnation, and the thread.
#pragma once
#include <cstdint>

namespace portolan::sync {

// Bits 63..48 slot + 1, 47..24 incarnation, 23..0 thread id. The value 0 is nobody.
class Owner {
 public:
  constexpr Owner() = default;
  constexpr explicit Owner(std::uint64_t word) : word_(word) {}
  constexpr Owner(std::uint32_t slot, std::uint32_t incarnation, std::uint32_t thread)
      : word_((std::uint64_t{slot + 1} & 0xffff) << 48 | (std::uint64_t{incarnation} & 0xff'ffff) << 24 |
              (thread & 0xff'ffff)) {}
  constexpr std::uint64_t word() const { return word_; }
  constexpr bool is_nobody() const { return word_ == 0; }
  constexpr std::uint32_t slot() const { return static_cast<std::uint32_t>(word_ >> 48) - 1; }
  constexpr std::uint32_t incarnation() const { return static_cast<std::uint32_t>(word_ >> 24) & 0xff'ffff; }
  constexpr std::uint32_t thread() const { return static_cast<std::uint32_t>(word_) & 0xff'ffff; }
  friend constexpr bool operator==(Owner, Owner) = default;

 private:
  std::uint64_t word_ = 0;
};

// Tells the dead from the living. Must answer "alive" in doubt; once it said "dead" of an owner, it always
// does.
class Liveness {
 public:
  virtual ~Liveness() = default;
  virtual bool alive(Owner owner) const = 0;
};

// What a writer brings to every operation on a shared structure.
struct Actor {
  Owner self;
  const Liveness* liveness;
};

}  // namespace portolan::sync
