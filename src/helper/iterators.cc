// SPDX-License-Identifier: Apache-2.0
// Open-coded iterators. Each lies on the stack of the program, which cannot look into it.
#include <bit>
#include <new>

#include "helper/functions.h"
#include "helper/memory.h"

namespace portolan::helper::functions {
namespace {

constexpr std::int64_t kMostRounds = 8 * 1024 * 1024;  // BPF_MAX_LOOPS

// struct bpf_iter_num
struct Numbers {
  std::int32_t current;  // what next gave, or one less than it will give
  std::int32_t end;
};
static_assert(sizeof(Numbers) == 8);

std::int32_t successor(std::int32_t number) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(number) + 1);
}
U64 address_of(const void* place) { return reinterpret_cast<std::uintptr_t>(place); }

// struct bpf_iter_bits: up to 64 bits in itself, more of them elsewhere.
struct Bits {
  static constexpr std::uint32_t kMostWords = 511;
  union {
    std::uint64_t word;
    std::uint64_t* words;
  };
  std::uint32_t count;
  std::int32_t bit;  // the one that next gave; -1: none yet

  const std::uint64_t* begin() const { return count == 64 ? &word : words; }
};
static_assert(sizeof(Bits) == 16);

std::uint32_t next_set(const std::uint64_t* words, std::uint32_t count, std::uint32_t from) {
  for (std::uint32_t at = from / 64; at * 64 < count; ++at) {
    const std::uint64_t rest =
        words[at] & (at == from / 64 ? ~std::uint64_t{0} << from % 64 : ~std::uint64_t{0});
    if (rest != 0) return at * 64 + static_cast<std::uint32_t>(std::countr_zero(rest));
  }
  return count;
}

}  // namespace

U64 iter_num_new(Run&, U64 to, U64 start, U64 end, U64, U64) {
  auto& numbers = at<Numbers>(to);
  const auto first = static_cast<std::int32_t>(start), behind = static_cast<std::int32_t>(end);
  numbers = {0, 0};
  if (first > behind) return negative_int(EINVAL);
  if (std::int64_t{behind} - first > kMostRounds) return negative_int(E2BIG);
  numbers = {static_cast<std::int32_t>(static_cast<std::uint32_t>(first) - 1), behind};
  return 0;
}

U64 iter_num_next(Run&, U64 iterator, U64, U64, U64, U64) {
  auto& numbers = at<Numbers>(iterator);
  if (successor(numbers.current) >= numbers.end) {
    numbers = {0, 0};
    return 0;
  }
  numbers.current = successor(numbers.current);
  return address_of(&numbers.current);
}

U64 iter_num_destroy(Run&, U64 iterator, U64, U64, U64, U64) {
  at<Numbers>(iterator) = {0, 0};
  return 0;
}

U64 iter_bits_new(Run&, U64 to, U64 from, U64 word_count, U64, U64) {
  auto& bits = at<Bits>(to);
  const auto words = static_cast<std::uint32_t>(word_count);
  bits.word = 0;
  bits.count = 0;
  bits.bit = -1;
  if (from == 0 || words == 0) return negative_int(EINVAL);
  if (words > Bits::kMostWords) return negative_int(E2BIG);
  if (words == 1) {
    if (!portolan_fault_copy(&bits.word, pointer(from), sizeof bits.word)) return negative_int(EFAULT);
  } else {
    auto* const copy = new (std::nothrow) std::uint64_t[words];
    if (copy == nullptr) return negative_int(ENOMEM);
    if (!portolan_fault_copy(copy, pointer(from), words * sizeof *copy)) {
      delete[] copy;
      return negative_int(EFAULT);
    }
    bits.words = copy;
  }
  bits.count = words * 64;
  return 0;
}

U64 iter_bits_next(Run&, U64 iterator, U64, U64, U64, U64) {
  auto& bits = at<Bits>(iterator);
  if (bits.count == 0 || bits.bit >= static_cast<std::int32_t>(bits.count)) return 0;
  bits.bit =
      static_cast<std::int32_t>(next_set(bits.begin(), bits.count, static_cast<std::uint32_t>(bits.bit + 1)));
  return bits.bit < static_cast<std::int32_t>(bits.count) ? address_of(&bits.bit) : 0;
}

U64 iter_bits_destroy(Run&, U64 iterator, U64, U64, U64, U64) {
  auto& bits = at<Bits>(iterator);
  if (bits.count > 64) delete[] bits.words;
  bits.count = 0;
  return 0;
}

}  // namespace portolan::helper::functions
