// SPDX-License-Identifier: Apache-2.0
#include "ds/bloom_filter.h"

#include <bit>

#include "ds/jhash.h"

namespace portolan::ds {
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
  const std::uint32_t seed = kJhashStart + shape_.value_size + shape_.seed + first;
  return jhash2(value, (shape_.value_size + 3) / 4, Lanes{seed, seed + 1, seed + 2, seed + 3}) & mask_;
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
