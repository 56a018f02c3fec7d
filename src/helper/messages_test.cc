// SPDX-License-Identifier: Apache-2.0
// Messages of sk_msg programs: what must hold whatever a program asks for, and what Linux answers.
#include <algorithm>
#include <array>
#include <random>

#include "helper/socket_data.h"
#include "helper/world_for_test.h"

namespace portolan::helper {
namespace {

class Messages : public testing::Test {
 protected:
  void SetUp() override { begin({}, 0); }
  // A message of such pieces, whose bytes count from 1 on, and so much room.
  void begin(const std::vector<std::uint32_t>& lengths, std::size_t room) {
    memory_.assign(kMost, std::byte{0xa5});
    model_.clear();
    message_ = {};
    std::byte* at = memory_.data();
    for (const std::uint32_t length : lengths) {
      message_.pieces[message_.count++] = {at, length, false};
      for (std::uint32_t i = 0; i < length; ++i) model_.push_back(at[i] = next_++);
      at += length + 1;  // apart from one another
    }
    message_.seen.size = static_cast<std::uint32_t>(model_.size());
    message_.room = memory_.data() + kMost / 2;
    message_.room_end = message_.room + room;
    show_first_piece(message_);
  }
  std::int64_t call(const char* name, std::uint64_t a, std::uint64_t b = 0, std::uint64_t flags = 0) {
    return world_.call_from(abi::ProgType::kSkMsg, name, &message_, a, b, flags);
  }
  std::int64_t pull(std::uint64_t a, std::uint64_t b) { return call("msg_pull_data", a, b); }
  std::int64_t push(std::uint64_t a, std::uint64_t b) { return call("msg_push_data", a, b); }
  std::int64_t pop(std::uint64_t a, std::uint64_t b) { return call("msg_pop_data", a, b); }
  std::vector<std::byte> bytes() const {
    std::vector<std::byte> bytes;
    for (std::uint32_t i = 0; i < message_.count; ++i)
      bytes.insert(bytes.end(), message_.pieces[i].data, message_.pieces[i].data + message_.pieces[i].length);
    return bytes;
  }
  std::vector<std::byte> seen() const {
    return {bytes_at(message_.seen.data), bytes_at(message_.seen.data_end)};
  }
  std::vector<std::uint32_t> lengths() const {
    std::vector<std::uint32_t> lengths;
    for (std::uint32_t i = 0; i < message_.count; ++i) lengths.push_back(message_.pieces[i].length);
    return lengths;
  }
  std::vector<std::byte> slice(std::size_t from, std::size_t to) const {
    return {model_.begin() + static_cast<std::ptrdiff_t>(from),
            model_.begin() + static_cast<std::ptrdiff_t>(to)};
  }
  using Lengths = std::vector<std::uint32_t>;

  static constexpr std::size_t kMost = 1 << 16;
  std::vector<std::byte> memory_, model_;
  SkMsg message_;
  WorldForTest world_;

 private:
  static const std::byte* bytes_at(std::uint64_t address) {
    return reinterpret_cast<const std::byte*>(address);
  }
  struct Count {
    std::uint8_t value = 0;
    std::byte operator++(int) { return std::byte{++value}; }
  } next_;
};

TEST_F(Messages, are_seen_by_their_first_piece) {
  begin({4, 5}, 0);
  EXPECT_EQ(seen(), slice(0, 4));
  message_.pieces[0].is_shared = true;
  show_first_piece(message_);
  EXPECT_EQ(message_.seen.data, 0u);
  EXPECT_EQ(message_.seen.data_end, 0u);
}

TEST_F(Messages, are_pulled_without_a_copy_where_they_lie_together) {
  begin({4, 5}, 0);
  EXPECT_EQ(pull(1, 4), 0);
  EXPECT_EQ(seen(), slice(1, 4));
  EXPECT_EQ(pull(5, 9), 0);
  EXPECT_EQ(seen(), slice(5, 9));
  EXPECT_EQ(lengths(), (Lengths{4, 5}));
}

TEST_F(Messages, are_pulled_together_by_whole_pieces) {
  begin({4, 5, 6, 7}, 11);
  EXPECT_EQ(pull(5, 11), 0);
  EXPECT_EQ(seen(), slice(5, 11));
  EXPECT_EQ(lengths(), (Lengths{4, 11, 7}));
  EXPECT_EQ(bytes(), model_);
  EXPECT_EQ(pull(0, 5), -ENOMEM);
}

TEST_F(Messages, that_are_shared_are_pulled_as_a_copy) {
  begin({4, 5}, 4);
  message_.pieces[0].is_shared = true;
  const std::byte* const shared = message_.pieces[0].data;
  EXPECT_EQ(pull(2, 3), 0);
  EXPECT_EQ(seen(), slice(2, 3));
  EXPECT_NE(message_.pieces[0].data, shared);
  EXPECT_FALSE(message_.pieces[0].is_shared);
  EXPECT_EQ(bytes(), model_);
}

TEST_F(Messages, refuse_what_is_not_of_them) {
  begin({4, 5}, 100);
  EXPECT_EQ(pull(4, 4), -EINVAL);
  EXPECT_EQ(pull(5, 4), -EINVAL);
  EXPECT_EQ(pull(9, 10), -EINVAL);
  EXPECT_EQ(pull(0, 10), -EINVAL);
  EXPECT_EQ(pull(8, UINT32_MAX), -EINVAL);
  EXPECT_EQ(call("msg_pull_data", 0, 1, 1), -EINVAL);
  EXPECT_EQ(push(10, 1), -EINVAL);
  EXPECT_EQ(push(9, 101), -ENOMEM);
  EXPECT_EQ(push(1, UINT32_MAX), -ENOMEM);
  EXPECT_EQ(call("msg_push_data", 0, 1, 1), -EINVAL);
  EXPECT_EQ(push(77, 0), 0);
  EXPECT_EQ(pop(9, 1), -EINVAL);
  EXPECT_EQ(pop(8, 2), -EINVAL);
  EXPECT_EQ(pop(1, UINT32_MAX), -EINVAL);
  EXPECT_EQ(call("msg_pop_data", 0, 1, 1), -EINVAL);
  EXPECT_EQ(pop(77, 0), 0);
  EXPECT_EQ(bytes(), model_);
  EXPECT_EQ(lengths(), (Lengths{4, 5}));
  // Offsets are numbers of 32 bits.
  EXPECT_EQ(pull(std::uint64_t{1} << 32, 1), 0);
}

TEST_F(Messages, get_bytes_in_pieces_of_their_own) {
  begin({4, 5}, 100);
  EXPECT_EQ(push(0, 2), 0);
  EXPECT_EQ(seen(), std::vector<std::byte>(2));  // the piece before all others is the new one
  EXPECT_EQ(push(8, 3), 0);
  EXPECT_EQ(push(14, 1), 0);
  EXPECT_EQ(lengths(), (Lengths{2, 4, 2, 3, 3, 1}));
  EXPECT_EQ(message_.seen.size, 15u);
}

TEST_F(Messages, get_bytes_into_a_piece_where_there_can_be_no_more_of_them) {
  begin(Lengths(kMostMessagePieces - 1, 4), 100);
  EXPECT_EQ(push(6, 2), 0);  // would take two more
  Lengths expected(kMostMessagePieces - 1, 4);
  expected[1] = 6;
  EXPECT_EQ(lengths(), expected);
  EXPECT_EQ(push(message_.seen.size, 2), 0);
  expected.push_back(2);
  EXPECT_EQ(lengths(), expected);
  EXPECT_EQ(push(message_.seen.size, 2), 0);
  EXPECT_EQ(push(0, 2), 0);
  expected.front() = 6;
  expected.back() = 4;
  EXPECT_EQ(lengths(), expected);
}

TEST_F(Messages, lose_bytes_where_they_lie) {
  begin({4, 5, 6}, 0);
  EXPECT_EQ(pop(1, 2), 0);  // leaves two parts of a piece
  EXPECT_EQ(lengths(), (Lengths{1, 1, 5, 6}));
  EXPECT_EQ(pop(1, 2), 0);  // the whole of one, and the beginning of the next
  EXPECT_EQ(lengths(), (Lengths{1, 4, 6}));
  EXPECT_EQ(pop(3, 8), 0);  // an end, and a whole piece
  EXPECT_EQ(lengths(), (Lengths{1, 2}));
  EXPECT_EQ(pop(0, 3), 0);
  EXPECT_EQ(lengths(), Lengths{});
  EXPECT_EQ(message_.seen.size, 0u);
  EXPECT_EQ(message_.seen.data, message_.seen.data_end);
  EXPECT_EQ(pop(0, 1), -EINVAL);
  EXPECT_EQ(pull(0, 1), -EINVAL);
}

TEST_F(Messages, lose_bytes_from_the_middle_of_a_piece_where_there_can_be_no_more_of_them) {
  begin(Lengths(kMostMessagePieces, 4), 3);
  EXPECT_EQ(pop(5, 1), 0);
  EXPECT_EQ(lengths()[1], 3u);
  EXPECT_EQ(message_.count, kMostMessagePieces);
  EXPECT_EQ(pop(9, 1), -ENOMEM);
  model_.erase(model_.begin() + 5);
  EXPECT_EQ(bytes(), model_);
}

// Against a plain sequence of bytes.
TEST_F(Messages, are_what_was_put_in_and_not_taken_out) {
  std::mt19937_64 dice{11};
  for (int round = 0; round < 3000; ++round) {
    Lengths pieces(dice() % (kMostMessagePieces + 1));
    for (std::uint32_t& length : pieces) length = 1 + static_cast<std::uint32_t>(dice() % 20);
    begin(pieces, dice() % 3 == 0 ? dice() % 100 : kMost / 4);
    for (std::uint32_t i = 0; i < message_.count; ++i) message_.pieces[i].is_shared = dice() % 4 == 0;
    show_first_piece(message_);
    const std::vector<std::byte> before = memory_;
    for (int i = 0; i < 30; ++i) {
      const std::uint64_t size = model_.size();
      const std::uint64_t start = dice() % (size + 3), length = 1 + dice() % 12;
      const auto at = model_.begin() + static_cast<std::ptrdiff_t>(std::min(start, size));
      switch (dice() % 3) {
        case 0: {
          const std::int64_t result = pull(start, start + length);
          EXPECT_EQ(result == -EINVAL, start + length > size);
          if (result == 0) {
            EXPECT_EQ(seen(), slice(start, start + length));
          }
          break;
        }
        case 1: {
          const std::int64_t result = push(start, length);
          EXPECT_EQ(result == -EINVAL, start > size);
          if (result == 0) model_.insert(at, length, std::byte{0});
          break;
        }
        default: {
          const std::int64_t result = pop(start, length);
          EXPECT_EQ(result == -EINVAL, start + length > size);
          if (result == 0) model_.erase(at, at + static_cast<std::ptrdiff_t>(length));
        }
      }
      ASSERT_EQ(bytes(), model_);
      ASSERT_EQ(message_.seen.size, model_.size());
      ASSERT_LE(message_.count, kMostMessagePieces);
      for (const std::uint32_t length_of_piece : lengths()) ASSERT_NE(length_of_piece, 0u);
      ASSERT_LE(message_.room, message_.room_end);
    }
    // Nothing is written but into room.
    ASSERT_TRUE(std::equal(before.begin(), before.begin() + kMost / 2, memory_.begin()));
    const auto behind = message_.room_end - memory_.data();
    ASSERT_TRUE(std::equal(before.begin() + behind, before.end(), memory_.begin() + behind));
  }
}

TEST_F(Messages, keep_for_the_host_how_far_the_verdict_goes) {
  EXPECT_EQ(call("msg_apply_bytes", (std::uint64_t{1} << 32) + 7), 0);
  EXPECT_EQ(call("msg_cork_bytes", 9), 0);
  EXPECT_EQ(message_.apply_bytes, 7u);
  EXPECT_EQ(message_.cork_bytes, 9u);
}

}  // namespace
}  // namespace portolan::helper
