// SPDX-License-Identifier: Apache-2.0
#include "sync/atomic.h"

namespace portolan::sync::detail {
namespace {

using Word = Atomic<std::uint64_t>;

}  // namespace

void copy_from_shared_long(void* to, const void* shared_from, std::size_t size) {
  auto* out = static_cast<unsigned char*>(to);
  const auto* in = static_cast<const Word*>(shared_from);
  // Unrolled by hand: the compiler leaves loops of atomic accesses as they are.
  for (; size >= 32; size -= 32, out += 32, in += 4) {
    const std::uint64_t a = in[0].load_relaxed(), b = in[1].load_relaxed();
    const std::uint64_t c = in[2].load_relaxed(), d = in[3].load_relaxed();
    std::memcpy(out, &a, 8);
    std::memcpy(out + 8, &b, 8);
    std::memcpy(out + 16, &c, 8);
    std::memcpy(out + 24, &d, 8);
  }
  for (; size >= 8; size -= 8, out += 8, ++in) {
    const std::uint64_t word = in->load_relaxed();
    std::memcpy(out, &word, 8);
  }
  if (size == 4) {
    load_half_from_shared(out, in);
  } else if (size != 0) {
    const std::uint64_t word = in->load_relaxed();
    std::memcpy(out, &word, size);
  }
}

void copy_to_shared_long(void* shared_to, const void* from, std::size_t size) {
  const auto* in = static_cast<const unsigned char*>(from);
  auto* out = static_cast<Word*>(shared_to);
  for (; size >= 8; size -= 8, in += 8, ++out) {
    std::uint64_t word;
    std::memcpy(&word, in, 8);
    out->store_relaxed(word);
  }
  if (size == 4) {
    store_half_to_shared(out, in);
  } else if (size != 0) {
    std::uint64_t word = out->load_relaxed();
    std::memcpy(&word, in, size);
    out->store_relaxed(word);
  }
}

bool equal_to_shared_long(const void* shared, const void* bytes, std::size_t size) {
  const auto* a = static_cast<const Word*>(shared);
  const auto* b = static_cast<const unsigned char*>(bytes);
  for (; size >= 8; size -= 8, ++a, b += 8) {
    std::uint64_t word;
    std::memcpy(&word, b, 8);
    if (a->load_relaxed() != word) return false;
  }
  if (size == 0) return true;
  if (size == 4) return half_equals_shared(a, b);
  const std::uint64_t word = a->load_relaxed();
  return std::memcmp(&word, b, size) == 0;
}

}  // namespace portolan::sync::detail
