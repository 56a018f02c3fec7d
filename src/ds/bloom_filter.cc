// SPDX-License-Identifier: Apache-2.0
#include "ds/bloom_filter.h"

#include <bit>

namespace portolan::ds {
namespace {

template <class T>
T rotate(T value, int by) {
  return value << by | value >> (32 - by);
}

std::uint32_t word_at(const std::byte* value, std::uint32_t index) {
  return load_unaligned<std::uint32_t>(value + std::size_t{index} * 4);
}

}  // namespace

// 7 bits for each value and 5 hashes, rounded up to a power of two.
std::uint64_t BloomFilter::bits(const Shape& shape) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 32;
  const std::uint64_t asked = std::uint64_t{shape.max_entries} * shape.hashes;
  if (asked > UINT32_MAX) return kMost;
  const std::uint64_t wanted = asked / 5 * 7;
  if (wanted > kMost / 2) return kMost;
  return wanted <= 64 ? 64 : std::bit_ceil(wanted);
}

Result<BloomFilter> BloomFilter::attach(Bytes bytes, const Shape& shape) {
  if (shape.value_size == 0 || shape.max_entries == 0 || shape.hashes == 0 || shape.hashes > 15)
    return fail(EINVAL);
  if (bytes.size() < size(shape) || reinterpret_cast<std::uintptr_t>(bytes.data()) % 8 != 0)
    return fail(EINVAL);
  return BloomFilter(bytes, shape);
}

BloomFilter::BloomFilter(Bytes bytes, const Shape& shape)
    : words_(reinterpret_cast<Word*>(bytes.data())),
      shape_(shape),
      mask_(static_cast<std::uint32_t>(bits(shape) - 1)) {}

BloomFilter::Lanes BloomFilter::places(const std::byte* value, std::uint32_t first) const {
  constexpr std::uint32_t kStart = 0xdeadbeef;
  const std::uint32_t seed = kStart + shape_.value_size + shape_.seed + first;
  Lanes a = {seed, seed + 1, seed + 2, seed + 3}, b = a, c = a;
  std::uint32_t left = (shape_.value_size + 3) / 4;  // words
  for (; left > 3; left -= 3, value += 12) {
    a += word_at(value, 0);
    b += word_at(value, 1);
    c += word_at(value, 2);
    a = (a - c) ^ rotate(c, 4), c += b;
    b = (b - a) ^ rotate(a, 6), a += c;
    c = (c - b) ^ rotate(b, 8), b += a;
    a = (a - c) ^ rotate(c, 16), c += b;
    b = (b - a) ^ rotate(a, 19), a += c;
    c = (c - b) ^ rotate(b, 4), b += a;
  }
  if (left > 2) c += word_at(value, 2);
  if (left > 1) b += word_at(value, 1);
  a += word_at(value, 0);
  c = (c ^ b) - rotate(b, 14);
  a = (a ^ c) - rotate(c, 11);
  b = (b ^ a) - rotate(a, 25);
  c = (c ^ b) - rotate(b, 16);
  a = (a ^ c) - rotate(c, 4);
  b = (b ^ a) - rotate(a, 14);
  c = (c ^ b) - rotate(b, 24);
  return c & mask_;
}

void BloomFilter::add(const std::byte* value) const {
  for (std::uint32_t i = 0; i < shape_.hashes; i += 4) {
    const Lanes at = places(value, i);
    for (std::uint32_t lane = 0; lane < 4 && i + lane < shape_.hashes; ++lane) {
      Word& word = words_[at[lane] / 64];
      const std::uint64_t bit = std::uint64_t{1} << at[lane] % 64;
      if ((word.load_relaxed() & bit) == 0) word.fetch_or_relaxed(bit);
    }
  }
}

bool BloomFilter::has(const std::byte* value) const {
  for (std::uint32_t i = 0; i < shape_.hashes; i += 4) {
    const Lanes at = places(value, i);
    for (std::uint32_t lane = 0; lane < 4 && i + lane < shape_.hashes; ++lane)
      if ((words_[at[lane] / 64].load_relaxed() >> at[lane] % 64 & 1) == 0) return false;
  }
  return true;
}

}  // namespace portolan::ds
