// SPDX-License-Identifier: Apache-2.0
// A trie of bit prefixes that finds the longest one which a key begins with: readers take no lock and write
// nothing. See lpm_trie.cc for the essay.
#pragma once
#include <string>

#include "ds/insert.h"
#include "ds/reuse_version.h"
#include "ds/slab.h"
#include "shm/findings.h"
#include "sync/robust_lock.h"

namespace portolan::ds {

struct LpmTrieShape {
  std::uint32_t data_size;   // bytes of a key's data, 1 to kMaxDataSize
  std::uint32_t value_size;  // bytes, a multiple of 8, ≥ 8
  std::uint32_t max_entries;
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
  static constexpr std::uint64_t kMagic = 0x31'4d50'4c4c'5450ull;  // "PTLLPM1"
  static constexpr unsigned kStride = 3;                           // bits that a node looks at
  static constexpr unsigned kPlaces = 15;
  static constexpr unsigned kMostDepth = kMaxDataSize * 8 / kStride + 2;
  // What a place holds: 0 nothing, else (index << 1 | is_element) + 1.
  using Place = sync::Atomic<std::uint32_t>;
  struct alignas(64) Header {
    std::uint64_t magic;
    std::uint32_t data_size, value_size, max_entries;
    Place root;
    ReuseVersion version;   // of elements and nodes
    sync::RobustLock lock;  // of writers; guards all that follows
    sync::Atomic<std::uint32_t> count;
    SlabState elements, nodes;
  };
  // Places are numbered as a heap: 1 is the prefix that ends where the node begins, 2 and 3 are those that
  // are one bit longer, 4 to 7 two; 8 to 15 hold what is three or more bits longer.
  struct alignas(64) Node {
    sync::Atomic<std::uint32_t> position;  // of its first bit, a multiple of kStride
    Place places[kPlaces];                 // of place n: places[n - 1]
    Place& place(unsigned number) { return places[number - 1]; }
  };
  static_assert(sizeof(Node) == 64);
  struct Element {
    sync::Atomic<std::uint32_t> prefixlen;
    sync::Atomic<std::uint32_t> link;  // of the free list
  };
  struct Plan;
  LpmTrie() = default;
  static Result<Plan> plan_of(const LpmTrieShape& shape);

  static bool is_element(std::uint32_t word) { return ((word - 1) & 1) != 0; }
  static std::uint32_t index_of(std::uint32_t word) { return (word - 1) >> 1; }
  static std::uint32_t word_of_element(std::uint32_t index) { return (index << 1 | 1) + 1; }
  static std::uint32_t word_of_node(std::uint32_t index) { return (index << 1) + 1; }
  Element* element(std::uint32_t index) const { return reinterpret_cast<Element*>(elements_.at(index)); }
  Node* node(std::uint32_t index) const { return reinterpret_cast<Node*>(nodes_.at(index)); }
  std::byte* data_of(Element* element) const { return reinterpret_cast<std::byte*>(element + 1); }
  std::byte* value_of(Element* element) const { return data_of(element) + round_up(shape_.data_size, 8); }
  // nullptr: the word says nothing that there is.
  Element* element_in(std::uint32_t word) const;
  Node* node_in(std::uint32_t word) const;

  // lpm_walk.h
  unsigned bits_at(const std::byte* data, std::uint32_t position) const;
  static unsigned place_of(std::uint32_t position, unsigned bits, std::uint32_t length);
  static unsigned rank_of(unsigned place);
  static std::uint32_t next_place(Node& node, unsigned rank);

  // lpm_trie.cc
  std::uint32_t common_bits(Element* element, const std::byte* data, std::uint32_t most) const;
  Element* deepest(const std::byte* data, std::uint32_t limit) const;
  Element* longest(const std::byte* data, std::uint32_t limit) const;
  void copy_key(Element* element, std::byte* key) const;
  Element* first_below(std::uint32_t word) const;
  Element* after(const std::byte* key) const;

  // lpm_update.cc
  template <class Body>
  Result<void> locked(const sync::Actor& actor, Body&& body);
  void retire(const Slab& slab, std::uint32_t index);
  static void commit(Place& place, std::uint32_t word);
  Result<std::uint32_t> make_element(const std::byte* key, const void* value);
  Result<void> may_add(Insert mode) const;
  std::uint32_t bits_in_common(const std::byte* key) const;
  Result<void> put(const std::byte* key, const void* value, Insert mode);
  Result<void> add(Place& place, const std::byte* key, const void* value, Insert mode);
  Result<void> replace(Place& place, const std::byte* key, const void* value, Insert mode);
  Result<void> split(Place& place, std::uint32_t position, const std::byte* key, const void* value,
                     Insert mode);
  Result<void> remove(const std::byte* key);
  void collapse(Place& place);
  void repair();

  LpmTrieShape shape_{};
  Header* header_ = nullptr;
  Slab elements_, nodes_;
};

}  // namespace portolan::ds
