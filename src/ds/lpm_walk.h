// SPDX-License-Identifier: Apache-2.0
// Where things are in an LPM trie: shared by its readers and writers, and by nobody else.
#pragma once
#include "ds/lpm_trie.h"

namespace portolan::ds {

inline LpmTrie::Element* LpmTrie::element_in(std::uint32_t word) const {
  if (!is_element(word) || !elements_.is_index(word >> 1)) return nullptr;
  return element(word >> 1);
}

inline LpmTrie::Node* LpmTrie::node_in(std::uint32_t word) const {
  if (word == 0 || is_element(word) || word >= end_word_) return nullptr;
  return node(word);
}

// The tables lie one behind the other like the levels of a heap, so that the root is the table of no bits.
inline LpmTrie::Place& LpmTrie::slot(std::uint32_t table_bits, std::uint64_t first_bits) const {
  return tables_[(first_bits >> 1 | std::uint64_t{1} << 63) >> (63 - table_bits)];
}
inline std::uint32_t LpmTrie::table_bits() const {
  const std::uint32_t bits = header_->table_bits.load_acquire();  // pairs with widen
  return bits <= most_table_bits_ ? bits : 0;
}

// How a search sees a key's data: bits beyond its end are 0. Elements have it 4 bytes after an aligned word.
inline std::uint64_t bits_from(const std::byte* data) {
  return __builtin_bswap64(load_unaligned<std::uint64_t>(data));
}
inline std::uint64_t bits_of(const sync::Atomic<std::uint64_t>& word) {
  return __builtin_bswap64(word.load_relaxed());
}
class ShortLpmKey {  // of less than 8 bytes
 public:
  ShortLpmKey(const std::byte* data, std::uint32_t size) {
    if (size == 4) {
      bits_ = std::uint64_t{__builtin_bswap32(load_unaligned<std::uint32_t>(data))} << 32;
    } else {
      for (std::uint32_t at = 0; at < size; ++at)
        bits_ |= std::to_integer<std::uint64_t>(data[at]) << (56 - 8 * at);
    }
  }
  std::uint64_t first_bits() const { return bits_; }
  unsigned chunk(std::uint32_t position) const {
    return static_cast<unsigned>(bits_ << (position % 64) >> (64 - LpmSpot::kStride));
  }
  // How many of the first bits are the element's too; only the first `most` count.
  std::uint32_t common(const sync::Atomic<std::uint64_t>* element, std::uint32_t) const {
    return static_cast<std::uint32_t>(
        std::countl_zero((bits_of(element[0]) << 32 | bits_of(element[1]) >> 32) ^ bits_));
  }

 private:
  std::uint64_t bits_ = 0;
};
class FourByteLpmKey {
 public:
  explicit FourByteLpmKey(const std::byte* data)
      : bits_(__builtin_bswap32(load_unaligned<std::uint32_t>(data))) {}
  std::uint32_t bits() const { return bits_; }
  std::uint64_t first_bits() const { return std::uint64_t{bits_} << 32; }
  unsigned chunk(std::uint32_t position) const {
    return static_cast<unsigned>(first_bits() << (position % 64) >> (64 - LpmSpot::kStride));
  }
  // Whether the element's prefix is one of the key.
  bool begins_with(const sync::Atomic<std::uint64_t>* element) const {
    const std::uint64_t word = element->load_relaxed();
    const std::uint64_t other = __builtin_bswap32(static_cast<std::uint32_t>(word >> 32)) ^ bits_;
    return other << word % 64 >> 32 == 0;
  }

 private:
  std::uint32_t bits_;
};
class LongLpmKey {
 public:
  LongLpmKey(const std::byte* data, std::uint32_t size) : data_(data), last_(size - 8) {}
  std::uint64_t first_bits() const { return bits_from(data_); }
  unsigned chunk(std::uint32_t position) const {
    const std::uint32_t at = position / 8 < last_ ? position / 8 : last_;
    return static_cast<unsigned>(bits_from(data_ + at) << ((position - 8 * at) % 64) >>
                                 (64 - LpmSpot::kStride));
  }
  std::uint32_t common(const sync::Atomic<std::uint64_t>* element, std::uint32_t most) const {
    if (const std::uint64_t other = (bits_of(*element) << 32) ^ (bits_from(data_) >> 32 << 32); other != 0)
      return static_cast<std::uint32_t>(std::countl_zero(other));
    std::uint32_t at = 4;
    for (; 8 * at < most && at <= last_; at += 8)
      if (const std::uint64_t other = bits_of(*++element) ^ bits_from(data_ + at); other != 0)
        return 8 * at + static_cast<std::uint32_t>(std::countl_zero(other));
    if (8 * at >= most) return most;
    const std::uint32_t beyond = 8 * (at - last_);  // bits of the last 8 bytes that were compared
    const std::uint64_t other = bits_of(*++element) ^ (bits_from(data_ + last_) << beyond);
    return 8 * at + static_cast<std::uint32_t>(std::countl_zero(other));
  }
  bool begins_with(const sync::Atomic<std::uint64_t>* element) const {
    const auto length = static_cast<std::uint32_t>(element->load_relaxed());
    return common(element, length) >= length;
  }

 private:
  const std::byte* data_;
  std::uint32_t last_;  // where the last 8 bytes begin
};

template <class Body>
inline auto LpmTrie::with_key(const std::byte* data, Body&& body) const {
  if (shape_.data_size < 8) return body(ShortLpmKey(data, shape_.data_size));
  return body(LongLpmKey(data, shape_.data_size));
}
inline unsigned LpmTrie::chunk_at(const std::byte* data, std::uint32_t position) const {
  return with_key(data, [&](const auto& key) { return key.chunk(position); });
}
inline std::uint64_t LpmTrie::first_bits(const std::byte* data) const {
  return with_key(data, [](const auto& key) { return key.first_bits(); });
}
template <class Key>
inline std::uint32_t LpmTrie::common_bits(const Element* element, const Key& key, std::uint32_t most) {
  const std::uint32_t bits = key.common(words_of(element), most);
  return bits < most ? bits : most;
}
inline std::uint32_t LpmTrie::common_bits(const Element* element, const std::byte* data,
                                          std::uint32_t most) const {
  return with_key(data, [&](const auto& key) { return common_bits(element, key, most); });
}

// What the first place in use holds, from that rank on; 0: there is none.
inline std::uint32_t LpmTrie::first_held(Node& node, unsigned rank) {
  for (const unsigned count = node.count(); rank < count; ++rank)
    if (const std::uint32_t word = node.place(rank).load_acquire(); word != 0)
      return word;  // pairs with commit
  return 0;
}

inline LpmTrie::NodeNumber LpmTrie::number_of(std::uint32_t word) const {
  unsigned size = kNodeSizes - 1;
  while (size != 0 && first_granule_[size] > word >> 1) --size;
  return {size, ((word >> 1) - first_granule_[size]) / (LpmNode::kSizes[size] / kGranule)};
}

// Where the table of that many bits repeats what a node at `position` holds for the data's bits; nullptr: it
// does not.
inline LpmTrie::Place* LpmTrie::slot_below(std::uint32_t bits, std::uint32_t position, std::uint32_t length,
                                           const std::byte* data) const {
  if (bits == 0 || position + kStride != bits || length < bits) return nullptr;
  return &slot(bits, first_bits(data));
}
// The same for what the node holds.
inline LpmTrie::Place* LpmTrie::slot_for(std::uint32_t bits, std::uint32_t position,
                                         std::uint32_t word) const {
  if (bits == 0 || position + kStride != bits) return nullptr;
  Element* const sample = first_below(word);
  if (sample == nullptr) return nullptr;
  std::byte data[kMaxDataSize];
  copy_data(sample, data);
  return slot_below(bits, position, is_element(word) ? sample->prefixlen.load_relaxed() : UINT32_MAX, data);
}

}  // namespace portolan::ds
