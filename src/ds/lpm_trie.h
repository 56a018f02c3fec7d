// SPDX-License-Identifier: Apache-2.0
// A trie of bit prefixes that finds the longest one which a key begins with: readers take no lock and write
// nothing. See lpm_trie.cc for the essay.
#pragma once
#include <span>
#include <string>

#include "ds/insert.h"
#include "ds/lpm_node.h"
#include "ds/reuse_version.h"
#include "ds/slab.h"
#include "shm/findings.h"
#include "sync/robust_lock.h"

namespace portolan::ds {

struct LpmTrieShape {
  std::uint32_t data_size;   // bytes of a key's data, 1 to kMaxDataSize
  std::uint32_t value_size;  // bytes, a multiple of 8, ≥ 8
  std::uint32_t max_entries;
  // Of IPv4's size only, and from so many entries of at most so many bits on: a table of the first bits that
  // says at once what a search would find. Bits: a multiple of 6, at most 24.
  struct {
    std::uint32_t bits = 24, least_entries = 7 << 17;
  } answers = {};
};

// A key is a 32-bit number of bits, in the byte order of this machine, and data_size bytes of which the first
// bit is the highest of the first byte. A process-local view; thread-safe, also between processes.
class LpmTrie {
 public:
  static constexpr std::uint32_t kMaxDataSize = 256;

  struct Sizes {
    std::uint64_t total, reserved;
  };
  // E2BIG: more than can be addressed; EINVAL: not a shape.
  static Result<Sizes> sizes(const LpmTrieShape& shape);
  // Writes an empty trie at `offset` (64-aligned) of `region` (zero bytes so far).
  static void format(const shm::Region& region, std::uint64_t offset, const LpmTrieShape& shape);
  // EINVAL: what lies there is no such trie or reaches beyond the region, which must outlive the view.
  static Result<LpmTrie> attach(shm::Region& region, std::uint64_t offset);

  const LpmTrieShape& shape() const { return shape_; }
  std::uint32_t max_prefixlen() const { return shape_.data_size * 8; }

  // The value of the longest prefix of the key that is at most as long as the key's, where it lies; nullptr:
  // none. It stays memory, but may be recycled for another prefix once it was replaced or erased.
  std::byte* find(const std::byte* key) const;
  // Copies the value, whole, unless somebody writes to it in place. False: none.
  bool lookup(const std::byte* key, void* value) const;

  // EINVAL: longer than can be. EEXIST, ENOENT by `mode`; ENOSPC at max_entries; ENOMEM. What the data says
  // beyond the prefix is kept. Replacing commits a new element: readers see the old value or the new one.
  Result<void> update(const sync::Actor& actor, const std::byte* key, const void* value, Insert mode);
  // EINVAL: longer than can be. ENOENT.
  Result<void> erase(const sync::Actor& actor, const std::byte* key);

  // The prefix after `key`: in bit order, each after those that it is a prefix of. The first one: after
  // nullptr, or a key that is not there. False: that was the last.
  bool next(const std::byte* key, std::byte* next_key) const;

  std::uint32_t count() const { return header_->count.load_relaxed(); }
  std::uint64_t reserved_bytes() const;
  // Checks every invariant; nobody may write meanwhile.
  void check(const std::string& where, shm::Findings& findings) const;

 private:
  static constexpr std::uint64_t kMagic = 0x33'4d50'4c4c'5450ull;  // "PTLLPM3"
  static constexpr unsigned kStride = LpmSpot::kStride;
  static constexpr unsigned kMostStraightNodes = 8;
  static constexpr unsigned kMostDepth = kMaxDataSize * 8 / kStride + 2;
  static constexpr unsigned kNodeSizes = LpmNode::kSizes.size();
  static constexpr std::uint32_t kGranule = 32;  // nodes are numbered by where they lie, in these
  using Node = LpmNode;
  using Place = LpmPlace;
  struct alignas(64) Header {
    std::uint64_t magic;
    std::uint32_t data_size, value_size, max_entries, answer_bits, least_answers;
    sync::Atomic<std::uint32_t> table_bits;  // which of the tables stands: one of kTables
    ReuseVersion version;                    // of elements and nodes
    sync::RobustLock lock;                   // of writers; guards all that follows
    sync::Atomic<std::uint32_t> count;
    sync::Atomic<std::uint32_t> answerable;   // elements that may be answers
    sync::Atomic<std::uint32_t> has_answers;  // whether their table stands
    SlabState elements, nodes[kNodeSizes];
  };
  // Tables of the first bits, and from how many entries on they are worth their memory.
  struct Table {
    std::uint32_t bits, least_entries;
  };
  static constexpr Table kTables[] = {{0, 0}, {12, 1 << 13}, {18, 1 << 18}};
  // Granule 0 is a node that stays empty: what a word of 0 leads to.
  static constexpr std::uint64_t kEmptyNodeOffset = sizeof(Header), kTablesOffset = kEmptyNodeOffset + 64;
  static constexpr std::uint64_t kFixedBytes = kTablesOffset + 64;  // with the root
  // A key as it was put, rounded up to 8 bytes; then the value.
  struct Element {
    sync::Atomic<std::uint32_t> prefixlen;  // of a free one: the free list's link
  };
  struct Plan;
  struct Step;
  struct Way;
  struct Draft;
  struct Put;
  struct NodeNumber {
    unsigned size;        // of kSizes
    std::uint32_t index;  // among those
  };
  LpmTrie() = default;
  static Result<Plan> plan_of(const LpmTrieShape& shape);
  static std::uint32_t value_offset_of(const LpmTrieShape& shape) {
    return static_cast<std::uint32_t>(round_up(sizeof(Element) + shape.data_size, 8));
  }

  // Answers that are none: ask the trie; a writer is about to change what is here. Beyond any node's word.
  static constexpr std::uint32_t kAsk = 0xffff'fffe, kHidden = 0xffff'fffc;

  static bool is_element(std::uint32_t word) { return (word & 1) != 0; }
  static std::uint32_t word_of_element(std::uint32_t index) { return index << 1 | 1; }
  Element* element(std::uint32_t index) const { return reinterpret_cast<Element*>(elements_.at(index)); }
  std::byte* value_of(Element* element) const {
    return reinterpret_cast<std::byte*>(element) + value_offset_;
  }
  // nullptr: the word says nothing that there is.
  Element* element_in(std::uint32_t word) const;
  Node* node_in(std::uint32_t word) const;
  Node* node(std::uint32_t word) const {
    return reinterpret_cast<Node*>(granules_ + std::uint64_t{word} * (kGranule / 2));
  }
  Place& root() const { return tables_[1]; }

  // lpm_walk.h
  Place& slot(std::uint32_t table_bits, std::uint64_t first_bits) const;
  std::uint32_t table_bits() const;
  template <class Body>
  auto with_key(const std::byte* data, Body&& body) const;
  unsigned chunk_at(const std::byte* data, std::uint32_t position) const;
  std::uint64_t first_bits(const std::byte* data) const;
  static const sync::Atomic<std::uint64_t>* words_of(const Element* element) {
    return reinterpret_cast<const sync::Atomic<std::uint64_t>*>(element);
  }
  template <class Key>
  static std::uint32_t common_bits(const Element* element, const Key& key, std::uint32_t most);
  std::uint32_t common_bits(const Element* element, const std::byte* data, std::uint32_t most) const;
  NodeNumber number_of(std::uint32_t word) const;
  Place* slot_below(std::uint32_t bits, std::uint32_t position, std::uint32_t length,
                    const std::byte* data) const;
  Place* slot_for(std::uint32_t bits, std::uint32_t position, std::uint32_t word) const;
  static std::uint32_t first_held(Node& node, unsigned rank);
  Element* first_below(std::uint32_t word) const;

  // lpm_answers.cc
  static constexpr std::uint32_t kAnsweredLength = 32;  // of keys
  bool has_answers() const { return answers_ != nullptr && header_->has_answers.load_acquire() != 0; }
  Place& answer(std::uint32_t first_bits) const { return answers_[first_bits >> (32 - answer_bits_)]; }
  std::uint32_t least_answer() const { return answer_bits_ / 3; }
  bool may_answer(std::uint32_t length) const {
    return answers_ != nullptr && length >= least_answer() && length <= answer_bits_;
  }
  std::span<Place> answers_below(const std::byte* key) const;
  std::uint32_t answer_on(const Way& way, const std::byte* key, std::uint32_t limit) const;
  bool is_more_below(const std::byte* key) const;
  void hide_answers(const std::byte* key, std::uint32_t before);
  void show_answers(const std::byte* key, std::uint32_t after);
  template <class Answers>
  bool paint(std::uint32_t word, std::uint32_t least, std::uint64_t& budget, const Answers& answers) const;
  std::uint64_t most_paint() const;
  void fill_answers();
  void widen_answers();
  void check_answers(const std::string& where, shm::Findings& findings) const;

  // lpm_trie.cc
  template <class Key>
  Element* deepest(std::uint32_t word, const Key& key, std::uint32_t limit, std::uint32_t& shorter) const;
  template <class Key>
  Element* longest_below(std::uint32_t word, const Key& key, std::uint32_t limit, std::uint32_t least) const;
  template <class Key>
  Element* straight(const Key& key) const;
  Element* longest(const std::byte* data, std::uint32_t limit) const;
  Element* straight(const std::byte* key) const;
  Element* answer_for(const std::byte* key) const;
  std::byte* search(const std::byte* key) const;
  template <class Use>
  bool with_longest(const std::byte* key, Use&& use) const;
  void copy_key(Element* element, std::byte* key) const;
  void copy_data(Element* element, std::byte* data) const;
  Element* after(const std::byte* key) const;

  // lpm_update.cc
  template <class Body>
  Result<void> locked(const sync::Actor& actor, Body&& body);
  Result<std::uint32_t> make_element(const std::byte* key, const void* value);
  Result<std::uint32_t> make_node(std::uint32_t position, const Draft& draft);
  void retire(std::uint32_t word);
  void give_back(std::uint32_t word);
  Result<void> may_add(Insert mode) const;
  void added(std::uint32_t length);
  template <class Commit>
  void insert(const Put& put, std::uint32_t fresh, Commit&& commit);
  static void commit(const Step& step, std::uint32_t word);
  void descend(const std::byte* key, Way& way) const;
  Result<void> add(const Step& step, const Put& put);
  Result<void> replace(const Step& step, const Put& put);
  Result<void> split(const Step& step, std::uint32_t position, const Put& put);
  Result<void> grow(const Way& way, const Put& put);
  Result<void> put(const std::byte* key, const void* value, Insert mode);
  void clear(const Way& way);
  Result<void> remove(const std::byte* key);

  // lpm_repair.cc
  void fill_table(std::uint32_t bits);
  void widen(std::uint32_t count);
  void repair();

  LpmTrieShape shape_{};
  std::uint64_t straight_length_ = UINT64_MAX;  // of keys that straight() understands
  std::uint32_t value_offset_ = 0, most_table_bits_ = 0;
  shm::Region* region_ = nullptr;
  Header* header_ = nullptr;
  Place* tables_ = nullptr;
  std::uint64_t tables_offset_ = 0;  // in the region
  Place* answers_ = nullptr;         // nullptr: there are never any
  std::uint64_t answers_offset_ = 0;
  std::uint32_t answer_bits_ = 0;
  std::byte* granules_ = nullptr;
  std::uint32_t end_word_ = 0;                             // of nodes
  std::array<std::uint32_t, kNodeSizes> first_granule_{};  // of nodes of that size
  std::array<Slab, kNodeSizes> nodes_;
  Slab elements_;
};

}  // namespace portolan::ds
