// SPDX-License-Identifier: Apache-2.0
// Tokens that writers hand in and somebody gets: whether each that was acknowledged arrived, and each but
// once. From one reckoning to the next each writer numbers its own.
#pragma once
#include <algorithm>
#include <vector>

#include "map_subject.h"

namespace portolan::stress {

class TokenLedger {
 public:
  static constexpr std::uint32_t kMost = 1 << 14;  // of one writer, between two reckonings

  // The next token of that writer, or 0 when it has handed in kMost.
  std::uint64_t begin(std::uint32_t writer) {
    const std::uint64_t number = board_->asked[writer].load_relaxed();
    if (number == kMost) return 0;
    board_->asked[writer].store_seq_cst(number + 1);
    return std::uint64_t{writer + 1} << 32 | number;
  }
  void acknowledge(std::uint64_t token) { mark(token).acknowledged.store_seq_cst(1); }
  // It was refused: the next one is the same again.
  void withdraw(std::uint64_t token) { board_->asked[writer_of(token)].store_seq_cst(token & UINT32_MAX); }

  // Somebody got it.
  Problem take(std::uint64_t token) {
    if (!is_one(token)) return fmt::format("{:#x} arrived, which nobody handed in", token);
    if (mark(token).taken.fetch_add_relaxed(1) != 0) return fmt::format("{:#x} arrived twice", token);
    return {};
  }

  // While nobody writes, and all is taken that was there. `lost`: how many may be missing.
  Problem reckon(std::uint64_t lost) {
    std::uint64_t missing = 0, last = 0;
    for_each_acknowledged([&](std::uint64_t token) {
      if (mark(token).taken.load_relaxed() != 0) return;
      ++missing;
      last = token;
    });
    reset();
    return missing <= lost ? ""
                           : fmt::format("{} did not arrive, of which {} may: {:#x}", missing, lost, last);
  }
  template <class Visit>
  void for_each_acknowledged(Visit&& visit) const {
    for (std::uint32_t writer = 0; writer <= kTester; ++writer)
      for (std::uint64_t number = 0; number < board_->asked[writer].load_relaxed(); ++number)
        if (board_->marks[writer][number].acknowledged.load_relaxed() != 0)
          visit(std::uint64_t{writer + 1} << 32 | number);
  }
  void reset() {
    for (std::uint32_t writer = 0; writer <= kTester; ++writer) {
      for (std::uint64_t number = 0; number < board_->asked[writer].load_relaxed(); ++number) {
        board_->marks[writer][number].acknowledged.store_relaxed(0);
        board_->marks[writer][number].taken.store_relaxed(0);
      }
      board_->asked[writer].store_relaxed(0);
    }
  }

 private:
  struct Mark {
    sync::Atomic<std::uint32_t> acknowledged, taken;
  };
  struct Board {
    sync::Atomic<std::uint64_t> asked[kWriters + 1];
    Mark marks[kWriters + 1][kMost];
  };
  static std::uint64_t writer_of(std::uint64_t token) { return (token >> 32) - 1; }
  Mark& mark(std::uint64_t token) { return board_->marks[writer_of(token)][token & UINT32_MAX]; }
  bool is_one(std::uint64_t token) const {
    return writer_of(token) <= kTester &&
           (token & UINT32_MAX) < board_->asked[writer_of(token)].load_relaxed();
  }

  Shared<Board> board_;
};

// Whether those of each writer came in the order in which it handed them in, or in the opposite one.
class TokenOrder {
 public:
  explicit TokenOrder(bool newest_first = false) : newest_first_(newest_first) {}
  Problem next(std::uint64_t token) {
    const std::uint64_t writer = token >> 32;
    if (writer == 0 || writer > kTester + 1) return fmt::format("{:#x} is no token", token);
    const std::uint64_t before = std::exchange(last_[writer - 1], token);
    if (before == 0 || (newest_first_ ? token < before : token > before)) return {};
    return fmt::format("{:#x} came after {:#x}", token, before);
  }

 private:
  bool newest_first_;
  std::uint64_t last_[kWriters + 1] = {};
};

}  // namespace portolan::stress
