// SPDX-License-Identifier: Apache-2.0
// Messages that sockets are to send, as sk_msg programs see and change them.
#include <algorithm>
#include <utility>

#include "helper/functions.h"
#include "helper/memory.h"
#include "helper/socket_data.h"

namespace portolan::helper {

void show_first_piece(SkMsg& message) {
  const bool is_seen = message.count != 0 && !message.pieces[0].is_shared;
  message.seen.data = is_seen ? reinterpret_cast<std::uintptr_t>(message.pieces[0].data) : 0;
  message.seen.data_end = message.seen.data + (is_seen ? message.pieces[0].length : 0);
}

namespace functions {
namespace {

using Piece = SkMsg::Piece;

// Where a byte of the message lies: in which piece, and where in the message that begins. Behind the last
// byte: behind the last piece.
struct Place {
  std::uint32_t index, begin;
};
Place find(const SkMsg& message, std::uint32_t offset) {
  Place place{0, 0};
  while (place.index < message.count && offset - place.begin >= message.pieces[place.index].length)
    place.begin += message.pieces[place.index++].length;
  return place;
}

void insert(SkMsg& message, std::uint32_t index, const Piece& piece) {
  Piece* const end = message.pieces + message.count++;
  std::copy_backward(message.pieces + index, end, end + 1);
  message.pieces[index] = piece;
}
void erase(SkMsg& message, std::uint32_t first, std::uint32_t last) {
  std::copy(message.pieces + last, message.pieces + message.count, message.pieces + first);
  message.count -= last - first;
}

// Memory for a new piece. nullptr: there is not as much.
std::byte* take_room(SkMsg& message, U64 bytes) {
  if (bytes > static_cast<U64>(message.room_end - message.room)) return nullptr;
  return std::exchange(message.room, message.room + bytes);
}

// Makes one piece, which is the message's own, of those from `first` on that reach to `end`: 0, or the error.
int join(SkMsg& message, const Place& first, std::uint32_t end) {
  std::uint32_t last = first.index, bytes = 0;
  while (last < message.count && bytes < end - first.begin) bytes += message.pieces[last++].length;
  if (bytes < end - first.begin) return EINVAL;
  std::byte* const joined = take_room(message, bytes);
  if (joined == nullptr) return ENOMEM;
  std::byte* to = joined;
  for (std::uint32_t i = first.index; i < last; ++i)
    to = std::copy_n(message.pieces[i].data, message.pieces[i].length, to);
  erase(message, first.index + 1, last);
  message.pieces[first.index] = {joined, bytes, false};
  return 0;
}

// The piece with `bytes` zeros after its first `front`, or without as many, as a new piece: 0, or the error.
int rewrite(SkMsg& message, Piece& piece, std::uint32_t front, std::uint32_t adds, std::uint32_t drops) {
  const std::uint32_t back = piece.length - front - drops;
  std::byte* const fresh = take_room(message, U64{front} + adds + back);
  if (fresh == nullptr) return ENOMEM;
  std::copy_n(piece.data, front, fresh);
  std::fill_n(fresh + front, adds, std::byte{0});
  std::copy_n(piece.data + front + drops, back, fresh + front + adds);
  piece = {fresh, front + adds + back, false};
  return 0;
}

// Cuts a piece in two.
void split(SkMsg& message, std::uint32_t index, std::uint32_t front) {
  Piece& piece = message.pieces[index];
  const Piece back{piece.data + front, piece.length - front, piece.is_shared};
  piece.length = front;
  insert(message, index + 1, back);
}

}  // namespace

U64 msg_apply_bytes(Run&, U64 context, U64 bytes, U64, U64, U64) {
  at<SkMsg>(context).apply_bytes = static_cast<std::uint32_t>(bytes);
  return 0;
}
U64 msg_cork_bytes(Run&, U64 context, U64 bytes, U64, U64, U64) {
  at<SkMsg>(context).cork_bytes = static_cast<std::uint32_t>(bytes);
  return 0;
}

// Shows [start, end) of the message.
U64 msg_pull_data(Run&, U64 context, U64 start_arg, U64 end_arg, U64 flags, U64) {
  auto& message = at<SkMsg>(context);
  const auto start = static_cast<std::uint32_t>(start_arg), end = static_cast<std::uint32_t>(end_arg);
  if (flags != 0 || end <= start) return negative(EINVAL);
  const Place first = find(message, start);
  if (first.index == message.count) return negative(EINVAL);
  const Piece& piece = message.pieces[first.index];
  if (piece.is_shared || end - first.begin > piece.length)
    if (const int error = join(message, first, end); error != 0) return negative(error);
  message.seen.data = reinterpret_cast<std::uintptr_t>(piece.data) + (start - first.begin);
  message.seen.data_end = message.seen.data + (end - start);
  return 0;
}

// A piece of its own, for which one is cut in two; if there can be no more of them, the bytes go into that
// one. (Behind the last of as many as there can be, Linux 6.18 loses the message.)
U64 msg_push_data(Run&, U64 context, U64 start_arg, U64 length_arg, U64 flags, U64) {
  auto& message = at<SkMsg>(context);
  const auto start = static_cast<std::uint32_t>(start_arg), length = static_cast<std::uint32_t>(length_arg);
  if (flags != 0) return negative(EINVAL);
  if (length == 0) return 0;
  if (start > message.seen.size) return negative(EINVAL);
  Place place = find(message, start);
  const std::uint32_t more = start == place.begin ? 1 : 2;
  if (message.count + more > kMostMessagePieces) {
    if (place.index == message.count) place.begin -= message.pieces[--place.index].length;
    const int error = rewrite(message, message.pieces[place.index], start - place.begin, length, 0);
    if (error != 0) return negative(error);
  } else {
    std::byte* const fresh = take_room(message, length);
    if (fresh == nullptr) return negative(ENOMEM);
    std::fill_n(fresh, length, std::byte{0});
    if (start != place.begin) split(message, place.index++, start - place.begin);
    insert(message, place.index, {fresh, length, false});
  }
  message.seen.size += length;
  show_first_piece(message);
  return 0;
}

U64 msg_pop_data(Run&, U64 context, U64 start_arg, U64 length_arg, U64 flags, U64) {
  auto& message = at<SkMsg>(context);
  const auto start = static_cast<std::uint32_t>(start_arg), length = static_cast<std::uint32_t>(length_arg);
  if (flags != 0) return negative(EINVAL);
  if (length == 0) return 0;
  const Place place = find(message, start);
  if (place.index == message.count || U64{start} + length > message.seen.size) return negative(EINVAL);
  const std::uint32_t front = start - place.begin;
  Piece& first = message.pieces[place.index];
  std::uint32_t left = length, at = place.index;
  if (front != 0 && first.length - front <= length) {
    left -= first.length - front;
    first.length = front;
    ++at;
  } else if (front != 0 && message.count < kMostMessagePieces) {
    split(message, at++, front);
  } else if (front != 0) {
    if (const int error = rewrite(message, first, front, 0, length); error != 0) return negative(error);
    left = 0;
  }
  const std::uint32_t begin = at;
  while (left != 0 && message.pieces[at].length <= left) left -= message.pieces[at++].length;
  if (left != 0) {
    message.pieces[at].data += left;
    message.pieces[at].length -= left;
  }
  erase(message, begin, at);
  message.seen.size -= length;
  show_first_piece(message);
  return 0;
}

}  // namespace functions
}  // namespace portolan::helper
