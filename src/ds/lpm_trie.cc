// SPDX-License-Identifier: Apache-2.0
// clang-format off
// Longest prefix match in memory that several processes write, any of which may be killed between two
// instructions, and that nobody needs a lock to read.
//
// Sources. Path-compressed tries (PATRICIA), six bits a node, of which only the places in use have room, found by
// counting bits: Tree Bitmap (Eatherton, Varghese, Dittia), Poptrie (Asai, Ohara). A table of the first bits: DIR-24-8
// (Gupta, Lin, McKeown). Copy-on-write nodes under a single store: HAMT of Clojure. That whatever a search passed over
// unread is compared once, with the element that it ends at: Morrison's PATRICIA. A version that readers compare
// before and after: seqlocks.
//
// Layout
//   header    shape | bits of the table | version | lock, count, states of the slabs
//   a node    that stays empty
//   tables    of 2^0 places, the root; then, if there may be so many entries, of 2^12 and of 2^18
//   nodes     of six sizes, each a slab: which spots are in use 16 | position of the first bit 4 | their places, 4 each
//   elements  prefixlen 4 (free: link) | data, to a multiple of 8 | value
//
//   A place holds nothing, an element or a node. LpmSpot says which spots a node has: one for each prefix of the
//   position's bits and up to five more, and 64 for all that goes on for six bits or more. What is alone at one of
//   those is an element, however long; where there are two, a node at the position where they part, rounded down to
//   a multiple of six. Spots and places are in post-order, which is the order of iteration.
//
//   A slot of the table repeats what the node six bits above its bits holds for them, or says nothing (0). The trie
//   is whole without the table, which comes when there are enough entries for its memory.
//
//   answers   2^24 places, in tries of IPv4's size that may have so many entries that the table of 64 MiB, with all
//             else, takes no more than 64 bytes for each entry and for each fork between entries
//
//   An answer says for the keys of 32 bits that begin with its 24 what the longest prefix is: an element of 8 to 24
//   bits; that there is none (0); to ask the trie, since there are longer ones (kAsk), or since it is about to
//   change (kHidden). So most lookups read one place, and the element. (Fewer bits in tests, then the least is a third
//   of them.)
//
// Invariants
//   I1  A node holds two things at least, so there are fewer nodes than elements.
//   I2  Positions grow downwards, and whatever is below a place has the bits that lead there.
//   I3  Every change of what is reachable is one store to a place. What it leads to was complete before. Spots and
//       position of a node never change; a place may become empty and be used again for its spot.
//   I4  An item that is no longer reachable keeps its bytes until `version` has grown.
//   I5  A slot says nothing, or what the place says: it is emptied before the place changes, and set after.
//   I6  An answer is right, or kAsk or kHidden. All that a change makes wrong are hidden before the place changes,
//       and set after. Those are the ones below the prefix that say what is said there without it, since whatever
//       else is longer than that, is longer than the prefix too. kHidden is there under the lock only.
//
// Operations, and where they take effect
//   find      follows the key's bits down, from the table's slot if that says something, and takes the longest that
//             it passed. Bits between one node's end and the next one's position were not compared, so the element
//             is compared with the key: if they part at bit d, all that the search passed up to there has the key's
//             bits, by I2, and the search is done once more for what has d bits at most. What is shorter than the
//             table's bits is above the table: the search begins at the root. The answer holds if `version` did not
//             change: then nothing that was read had been recycled, by I4, and the point is the load of the last
//             place, or of the slot if the place above it changed after that. Where there is an answer, by I6, the
//             point is the load of that, and what it leads to need not be compared. Where it is that there is none,
//             only shorter prefixes are searched for, and the answer is read again.
//   next      walks down to the key, then to the next place in post-order; checked by `version` as well.
//   update    with the store to a place: of the element, or of a node that has it and what was there before (a copy
//             of the node with one place more, or one that two things part at).
//   erase     with the store to a place: of 0; or, to the place of the node, of a smaller copy, or of the other thing
//             that the node had. If there is no memory for a smaller copy the larger one stays.
//   a table   takes effect with the store of how many bits it has, or that there are answers.
//
// Order of locks: there is one, of writers.
//
// Progress. Readers write nothing and wait for nobody; they start again only when a writer recycled something (the
// bound on that is for tampered regions). Writers wait for one another. A stopped writer makes others wait; a dead
// one is found out by RobustLock.
//
// Killed after …                      others see            who repairs
//   element or node taken             nothing               who next takes the lock rebuilds all free lists from
//   … filled                          nothing               what is reachable, counts, and fills the table anew. If
//   slot emptied, answers hidden      nothing               he dies too, the next one does it all again.
//   update: place stored              the new value
//   erase: place stored               no such prefix
//   slot set, answers shown           nothing new
//   table filled, in part or whole    nothing
//   bits of the table stored          nothing new
//   version grown, item given back    nothing new
//
// Everything that is read from the region is bounded before it is used: words by the slabs, chunks by a node's six
// bits, ranks by how many bits a word has, the table by its largest size, depth by kMostDepth. A hostile writer can
// make a trie answer nonsense, not read beyond it.
// clang-format on
#include "ds/lpm_trie.h"

#include <algorithm>

#include "ds/lpm_walk.h"
#include "shm/huge_pages.h"

namespace portolan::ds {

struct LpmTrie::Plan {
  std::uint32_t most_table_bits;
  std::array<Slab::Shape, kNodeSizes> nodes;
  Slab::Shape elements;
  std::uint64_t answers;  // where; 0: none
  std::uint64_t total;
};

// Huge pages where there is one, at least.
static std::uint64_t answers_alignment(const LpmTrieShape& shape) {
  return std::clamp(sizeof(LpmPlace) << shape.answers.bits, kPageSize, shm::kHugePageSize);
}

Result<LpmTrie::Plan> LpmTrie::plan_of(const LpmTrieShape& shape) {
  if (shape.data_size == 0 || shape.data_size > kMaxDataSize || shape.value_size < 8 ||
      shape.value_size % 8 != 0 || shape.value_size > 1u << 30 || shape.max_entries == 0 ||
      shape.answers.bits % kStride != 0 || shape.answers.bits == 0 || shape.answers.bits > 24)
    return fail(EINVAL);
  Plan plan{};
  for (const Table& table : kTables)
    if (table.least_entries <= shape.max_entries && table.bits <= shape.data_size * 8)
      plan.most_table_bits = table.bits;
  std::uint64_t end =
      kTablesOffset + round_up((std::uint64_t{2} << plan.most_table_bits) * sizeof(Place), 64);
  // What a place can name. One more than there may be: what replaces an element is there before that one
  // goes.
  const std::uint32_t items = std::min(shape.max_entries, 0x7fff'ffefu) + 1;
  // Nodes hold two items at least, so there are fewer nodes than elements, and fewer than twice as many
  // places in use. Two more of each size: what replaces a node is there before that one goes.
  const std::uint64_t places = 2 * std::uint64_t{std::min(items, 1u << 28)};
  for (unsigned size = 0; size < kNodeSizes; ++size) {
    const auto limit = static_cast<std::uint32_t>(places / LpmNode::least(size)) + 2;
    plan.nodes[size] = {end, LpmNode::kSizes[size], limit, offsetof(Node, position)};
    end = round_up(end + std::uint64_t{limit} * LpmNode::kSizes[size], 64);
  }
  end +=
      round_up(LpmNode::kSizes.back(), 64);  // a tampered region may name a node of any size at the very end
  const auto stride = static_cast<std::uint32_t>(value_offset_of(shape)) + shape.value_size;
  plan.elements = {end, stride, items, offsetof(Element, prefixlen)};
  if (std::uint64_t{items} * stride > shm::Region::kLargest - end) return fail(E2BIG);
  plan.total = end + std::uint64_t{items} * stride;
  if (shape.data_size == 4 && shape.max_entries >= shape.answers.least_entries) {
    plan.answers = plan.total;
    plan.total += answers_alignment(shape) + (sizeof(Place) << shape.answers.bits);
  }
  return plan;
}

Result<LpmTrie::Sizes> LpmTrie::sizes(const LpmTrieShape& shape) {
  return Sizes{TRY(plan_of(shape)).total, kFixedBytes};
}

void LpmTrie::format(const shm::Region& region, std::uint64_t offset, const LpmTrieShape& shape) {
  auto* header = region.at<Header>(offset);
  header->data_size = shape.data_size;
  header->value_size = shape.value_size;
  header->max_entries = shape.max_entries;
  header->answer_bits = shape.answers.bits;
  header->least_answers = shape.answers.least_entries;
  header->magic = kMagic;  // whoever publishes the region publishes this
}

Result<LpmTrie> LpmTrie::attach(shm::Region& region, std::uint64_t offset) {
  auto* header = region.at<Header>(offset);
  if (header == nullptr || header->magic != kMagic) return fail(EINVAL);
  LpmTrie trie;
  trie.shape_ = {header->data_size,
                 header->value_size,
                 header->max_entries,
                 {header->answer_bits, header->least_answers}};
  Plan plan = TRY(plan_of(trie.shape_));
  if (plan.total > region.size() - offset) return fail(EINVAL);
  trie.region_ = &region;
  trie.header_ = header;
  if (cpu_counts_bits && (trie.shape_.data_size == 4 || trie.shape_.data_size >= 8))
    trie.straight_length_ = trie.max_prefixlen();
  trie.value_offset_ = value_offset_of(trie.shape_);
  trie.most_table_bits_ = plan.most_table_bits;
  trie.tables_offset_ = offset + kTablesOffset;
  trie.tables_ = region.at<Place>(trie.tables_offset_, std::uint64_t{2} << plan.most_table_bits);
  if (plan.answers != 0) {
    trie.answers_offset_ = round_up(offset + plan.answers, answers_alignment(trie.shape_));
    trie.answer_bits_ = trie.shape_.answers.bits;
    trie.answers_ = region.at<Place>(trie.answers_offset_, std::uint64_t{1} << trie.answer_bits_);
  }
  trie.granules_ = region.base() + offset + kEmptyNodeOffset;
  for (unsigned size = 0; size < kNodeSizes; ++size) {
    Slab::Shape& nodes = plan.nodes[size];
    trie.first_granule_[size] = static_cast<std::uint32_t>((nodes.offset - kEmptyNodeOffset) / kGranule);
    trie.end_word_ = 2 * (trie.first_granule_[size] + nodes.limit * (nodes.stride / kGranule));
    nodes.offset += offset;
    trie.nodes_[size] = Slab(region, header->nodes[size], nodes);
  }
  plan.elements.offset += offset;
  trie.elements_ = Slab(region, header->elements, plan.elements);
  return trie;
}

std::uint64_t LpmTrie::reserved_bytes() const {
  std::uint64_t bytes = kFixedBytes + elements_.reserved_bytes();
  for (const Slab& nodes : nodes_) bytes += nodes.reserved_bytes();
  for (const Table& table : kTables)
    if (table.bits != 0 && table.bits <= table_bits()) bytes += sizeof(Place) << table.bits;
  if (has_answers()) bytes += sizeof(Place) << answer_bits_;
  return bytes;
}

// From `word` down the way that the key's bits show, which may be another's: the longest there of at most
// `limit` bits. nullptr: none; but if `shorter` is not 0 there may be one that has less bits than that.
template <class Key>
LpmTrie::Element* LpmTrie::deepest(std::uint32_t word, const Key& key, std::uint32_t limit,
                                   std::uint32_t& shorter) const {
  Node* passed = nullptr;  // the last one that has something shorter than where the search went on: there
  std::uint64_t passed_way = 0;
  unsigned passed_half = 0;
  for (unsigned depth = 0; depth < kMostDepth; ++depth) {
    if (is_element(word)) {
      Element* const found = element_in(word);
      if (found != nullptr && found->prefixlen.load_relaxed() <= limit) return found;
      break;
    }
    Node* const at = node_in(word);
    if (at == nullptr) break;
    const std::uint32_t position = at->position.load_relaxed();
    if (position > limit) break;
    const unsigned chunk = key.chunk(position), half = chunk >> 5;
    const std::uint64_t way = at->spots[half].load_relaxed() & lpm_way(chunk, limit - position);
    const std::uint64_t rest = way & (way - 1);
    if (rest != 0 || at->has_own()) passed = at, passed_way = rest, passed_half = half;
    if (way == 0) break;
    word = at->place(at->rank_of_lowest(half, way)).load_acquire();  // pairs with commit
  }
  if (passed == nullptr) return nullptr;
  for (; passed_way != 0; passed_way &= passed_way - 1)
    if (Element* const found =
            element_in(passed->place(passed->rank_of_lowest(passed_half, passed_way)).load_acquire()))
      return found;
  if (passed->has_own())
    if (Element* const found = element_in(passed->place(passed->rank(LpmSpot())).load_acquire()))
      return found;
  shorter = passed->position.load_relaxed();
  return nullptr;
}

// The longest prefix of the key below `word` that has `limit` bits at most, and `least` at least.
template <class Key>
LpmTrie::Element* LpmTrie::longest_below(std::uint32_t word, const Key& key, std::uint32_t limit,
                                         std::uint32_t least) const {
  do {
    std::uint32_t shorter = 0;
    if (Element* const found = deepest(word, key, limit, shorter); found != nullptr) {
      const std::uint32_t length = found->prefixlen.load_relaxed();
      if (length > limit) return nullptr;  // it changed meanwhile
      const std::uint32_t common = common_bits(found, key, length);
      if (common == length) return found;
      limit = common;
    } else {
      if (shorter == 0 || shorter > limit) return nullptr;
      limit = shorter - 1;
    }
  } while (limit >= least);
  return nullptr;
}

LpmTrie::Element* LpmTrie::longest(const std::byte* data, std::uint32_t limit) const {
  return with_key(data, [&](const auto& key) -> Element* {
    if (has_answers() && limit >= answer_bits_) {
      const Place& at = answer(static_cast<std::uint32_t>(key.first_bits() >> 32));
      const std::uint32_t word = at.load_acquire();  // pairs with show_answers
      if (Element* const found = element_in(word)) return found;
      if (word == 0) {
        Element* const found = longest_below(root().load_acquire(), key, least_answer() - 1, 0);
        if (at.load_acquire() == 0) return found;  // nothing longer came meanwhile
      }
    }
    if (const std::uint32_t bits = table_bits(); bits != 0 && limit >= bits) {
      if (const std::uint32_t word = slot(bits, key.first_bits()).load_acquire();
          word != 0) {  // pairs with commit
        if (Element* const found = longest_below(word, key, limit, bits)) return found;
        limit = bits - 1;  // what is shorter is above the table
      }
    }
    return longest_below(root().load_acquire(), key, limit, 0);  // pairs with commit
  });
}

// The longest prefix of a key of full length where the first way leads to it, as it mostly does. nullptr: ask
// longest().
template <class Key>
[[gnu::always_inline]] inline LpmTrie::Element* LpmTrie::straight(const Key& key) const {
  std::uint32_t word = slot(table_bits(), key.first_bits()).load_acquire();  // pairs with commit
  for (unsigned left = kMostStraightNodes; !is_element(word); --left) {
    if (word >= end_word_ || left == 0) return nullptr;
    const Node& at = *node(word);
    const unsigned chunk = key.chunk(at.position.load_relaxed()), half = chunk >> 5;
    const std::uint64_t spots = at.spots[half].load_relaxed(), way = spots & kLpmWays[0][chunk & 31];
    if (way == 0) {
      if (!at.has_own()) return nullptr;
      word = at.place(at.count() - 1).load_acquire();
      break;
    }
    const unsigned in_first = count_ones(at.spots[0].load_relaxed()) & (0 - half);
    word = at.place(in_first + count_ones(spots & ~way & (way - 1))).load_acquire();  // pairs with commit
  }
  Element* const found = element_in(word);
  return found != nullptr && key.begins_with(words_of(found)) ? found : nullptr;
}

[[gnu::always_inline]] inline LpmTrie::Element* LpmTrie::straight(const std::byte* key) const {
  if (load_unaligned<std::uint32_t>(key) != straight_length_) return nullptr;
  if (shape_.data_size == 4) return straight(FourByteLpmKey(key + 4));
  return straight(LongLpmKey(key + 4, shape_.data_size));
}

template <class Use>
bool LpmTrie::with_longest(const std::byte* key, Use&& use) const {
  const auto length = load_unaligned<std::uint32_t>(key);
  if (length > max_prefixlen()) return false;
  Element* found = nullptr;
  return header_->version.unchanged([&] {
    found = longest(key + 4, length);
    if (found != nullptr) use(found);
  }) && found != nullptr;
}

// The answer for a key of all bits. nullptr: there is none; ask the trie.
[[gnu::always_inline]] inline LpmTrie::Element* LpmTrie::answer_for(const std::byte* key) const {
  if (!has_answers() || load_unaligned<std::uint32_t>(key) != kAnsweredLength) return nullptr;
  return element_in(answer(FourByteLpmKey(key + 4).bits()).load_acquire());  // pairs with show_answers
}

std::byte* LpmTrie::find(const std::byte* key) const {
  if (Element* const found = answer_for(key)) return value_of(found);
  return search(key);
}

std::byte* LpmTrie::search(const std::byte* key) const {
  Element* found = nullptr;
  if (header_->version.unchanged_once([&] { found = straight(key); }) && found != nullptr) [[likely]]
    return value_of(found);
  return with_longest(key, [&](Element* longest) { found = longest; }) ? value_of(found) : nullptr;
}

bool LpmTrie::lookup(const std::byte* key, void* value) const {
  const auto copy = [&](Element* from) { sync::copy_from_shared(value, value_of(from), shape_.value_size); };
  Element* found = nullptr;
  if (header_->version.unchanged_once([&] {
        found = answer_for(key);
        if (found == nullptr) found = straight(key);
        if (found != nullptr) copy(found);
      }) &&
      found != nullptr) [[likely]]
    return true;
  return with_longest(key, copy);
}

void LpmTrie::copy_key(Element* from, std::byte* key) const {
  sync::copy_from_shared(key, from, 4 + shape_.data_size);
}

void LpmTrie::copy_data(Element* from, std::byte* data) const {
  std::byte key[sizeof(Element) + kMaxDataSize];
  copy_key(from, key);
  std::memcpy(data, key + sizeof(Element), shape_.data_size);
}

bool LpmTrie::next(const std::byte* key, std::byte* next_key) const {
  Element* found = nullptr;
  return header_->version.unchanged([&] {
    found = after(key);
    if (found != nullptr) copy_key(found, next_key);
  }) && found != nullptr;
}

// The first in post-order.
LpmTrie::Element* LpmTrie::first_below(std::uint32_t word) const {
  for (unsigned depth = 0; depth < kMostDepth; ++depth) {
    if (is_element(word)) return element_in(word);
    Node* const at = node_in(word);
    if (at == nullptr) return nullptr;
    word = first_held(*at, 0);
  }
  return nullptr;
}

LpmTrie::Element* LpmTrie::after(const std::byte* key) const {
  struct Passed {
    Node* node;
    unsigned rank;
  } way[kMostDepth];
  unsigned depth = 0;
  const std::uint32_t first = root().load_acquire();  // pairs with commit
  const std::uint32_t length = key == nullptr ? UINT32_MAX : load_unaligned<std::uint32_t>(key);
  if (length > max_prefixlen()) return first_below(first);
  std::uint32_t word = first;
  while (word != 0 && !is_element(word)) {
    Node* const at = node_in(word);
    const std::uint32_t position = at == nullptr ? UINT32_MAX : at->position.load_relaxed();
    if (position > length || depth == kMostDepth) return first_below(first);
    const LpmSpot spot(chunk_at(key + 4, position), length - position);
    if (!at->has(spot)) return first_below(first);
    const unsigned rank = at->rank(spot);
    way[depth++] = {at, rank};
    word = at->place(rank).load_acquire();  // pairs with commit
  }
  Element* const here = element_in(word);
  if (here == nullptr || here->prefixlen.load_relaxed() != length ||
      common_bits(here, key + 4, length) != length)
    return first_below(first);
  while (depth != 0) {
    const Passed& last = way[--depth];
    if (const std::uint32_t following = first_held(*last.node, last.rank + 1); following != 0)
      return first_below(following);
  }
  return nullptr;
}

}  // namespace portolan::ds
