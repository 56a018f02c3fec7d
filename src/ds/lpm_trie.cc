// SPDX-License-Identifier: Apache-2.0
// clang-format off
// Longest prefix match in memory that several processes write, any of which may be killed between two
// instructions, and that nobody needs a lock to read.
//
// Sources. Path-compressed tries (PATRICIA), several bits a node: a node that is one cache line takes three. That
// whatever a search passed over unread is compared once, with the element that it ends at: Morrison's PATRICIA.
// A version that readers compare before and after: seqlocks.
//
// Layout
//   header    shape | root | version | lock, count, two slabs' states
//   nodes     one cache line each: position of its first bit, 15 places
//   elements  prefixlen 4 | link of the free list 4 | data, to a multiple of 8 | value
//
//   A place holds nothing, an element or a node. In a node at position p, places 1 to 7 are for the prefixes of p
//   to p + 2 bits, as a heap; places 8 to 15 for everything longer, by its three bits at p. What is alone there is
//   an element, however long; where there are two, a node at the position where they part, rounded down to a
//   multiple of three.
//
// Invariants
//   I1  A node has two places in use at least, so there are fewer nodes than elements. (Not while `lock` is held.)
//   I2  Positions grow downwards, and whatever is below a place has the bits that lead there.
//   I3  Every change of what is reachable is one store to a place. What it leads to was complete before.
//   I4  An item that is no longer reachable keeps its bytes until `version` has grown.
//
// Operations, and where they take effect
//   find      follows the key's bits down and keeps the deepest element that is short enough. Bits between a
//             node's position and the next one's were not compared, so the element is compared with the key: if
//             they part at bit d, all that the search passed up to there has the key's bits, by I2, and the search
//             is done once more for what has d bits at most. The answer holds if `version` did not change: then
//             nothing that was read had been recycled, by I4, and the last load of a place is the point.
//   next      walks down to the key, then to the next place in post-order; checked by `version` as well.
//   update    with the store to a place: of the element, or of a node that has it and what was there before.
//   erase     with the store of 0. Then a node with one place left is taken out, by one store too.
//
// Order of locks: there is one, of writers.
//
// Progress. Readers write nothing and wait for nobody; they start again only when a writer recycled something (the
// bound on that is for tampered regions). Writers wait for one another. A stopped writer makes others wait; a dead
// one is found out by RobustLock.
//
// Killed after …                      others see            who repairs
//   element or node taken             nothing               who next takes the lock rebuilds both free lists from
//   … filled                          nothing               what is reachable, counts, and takes out nodes that
//   update: place stored              the new value         have one place left. If he dies too, the next one does
//   erase: place cleared              no such prefix        it all again.
//   … node taken out                  nothing new
//   version grown, item given back    nothing new
//
// Everything that is read from the region is bounded before it is used: indices by the slabs, positions by the
// length of a key, depth by kMostDepth. A hostile writer can make a trie answer nonsense, not read beyond it.
// clang-format on
#include "ds/lpm_trie.h"

#include <bit>

#include "ds/lpm_walk.h"

namespace portolan::ds {

struct LpmTrie::Plan {
  Slab::Shape elements, nodes;
  std::uint64_t total;
};

Result<LpmTrie::Plan> LpmTrie::plan_of(const LpmTrieShape& shape) {
  if (shape.data_size == 0 || shape.data_size > kMaxDataSize || shape.value_size < 8 ||
      shape.value_size % 8 != 0 || shape.value_size > 1u << 30 || shape.max_entries == 0)
    return fail(EINVAL);
  constexpr std::uint32_t kMostItems = 0x7fff'fff0;  // what a place can name
  // One more than there may be: what replaces an element is there before that one goes.
  const std::uint32_t items = shape.max_entries < kMostItems ? shape.max_entries + 1 : kMostItems;
  Plan plan{};
  plan.nodes = {sizeof(Header), sizeof(Node), items, offsetof(Node, position)};
  const auto stride =
      static_cast<std::uint32_t>(sizeof(Element) + round_up(shape.data_size, 8)) + shape.value_size;
  plan.elements = {sizeof(Header) + std::uint64_t{items} * sizeof(Node), stride, items,
                   offsetof(Element, link)};
  if (std::uint64_t{items} * stride > shm::Region::kLargest - plan.elements.offset) return fail(E2BIG);
  plan.total = plan.elements.offset + std::uint64_t{items} * stride;
  return plan;
}

Result<LpmTrie::Sizes> LpmTrie::sizes(const LpmTrieShape& shape) {
  return Sizes{TRY(plan_of(shape)).total, sizeof(Header)};
}

void LpmTrie::format(const shm::Region& region, std::uint64_t offset, const LpmTrieShape& shape) {
  auto* header = region.at<Header>(offset);
  header->data_size = shape.data_size;
  header->value_size = shape.value_size;
  header->max_entries = shape.max_entries;
  header->magic = kMagic;  // whoever publishes the region publishes this
}

Result<LpmTrie> LpmTrie::attach(shm::Region& region, std::uint64_t offset) {
  auto* header = region.at<Header>(offset);
  if (header == nullptr || header->magic != kMagic) return fail(EINVAL);
  LpmTrie trie;
  trie.shape_ = {header->data_size, header->value_size, header->max_entries};
  Plan plan = TRY(plan_of(trie.shape_));
  if (plan.total > region.size() - offset) return fail(EINVAL);
  plan.nodes.offset += offset;
  plan.elements.offset += offset;
  trie.header_ = header;
  trie.nodes_ = Slab(region, header->nodes, plan.nodes);
  trie.elements_ = Slab(region, header->elements, plan.elements);
  return trie;
}

std::uint64_t LpmTrie::reserved_bytes() const {
  return sizeof(Header) + nodes_.reserved_bytes() + elements_.reserved_bytes();
}

// How many bits from the first on an element's data and the key's have in common, of `most`.
std::uint32_t LpmTrie::common_bits(Element* element, const std::byte* data, std::uint32_t most) const {
  const auto* words = reinterpret_cast<const sync::Atomic<std::uint64_t>*>(data_of(element));
  for (std::uint32_t done = 0; done < most; done += 64) {
    std::uint64_t word = 0;
    const std::uint32_t left = shape_.data_size - done / 8;
    std::memcpy(&word, data + done / 8, left < 8 ? left : 8);
    if (const std::uint64_t other = words[done / 64].load_relaxed() ^ word; other != 0) {
      const auto bits = done + static_cast<std::uint32_t>(std::countl_zero(__builtin_bswap64(other)));
      return bits < most ? bits : most;
    }
  }
  return most;
}

// The deepest element of at most `limit` bits on the way that the key's bits show, which may be another's
// way.
LpmTrie::Element* LpmTrie::deepest(const std::byte* data, std::uint32_t limit) const {
  std::uint32_t best = 0, word = header_->root.load_acquire();  // pairs with commit
  for (unsigned depth = 0; word != 0 && depth < kMostDepth; ++depth) {
    if (is_element(word)) {
      Element* const at = element_in(word);
      if (at != nullptr && at->prefixlen.load_relaxed() <= limit) best = word;
      break;
    }
    Node* const at = node_in(word);
    if (at == nullptr) break;
    const std::uint32_t position = at->position.load_relaxed();
    if (position > limit) break;
    const std::uint32_t room = limit - position;
    const unsigned number = 8 | bits_at(data, position);
    std::uint32_t here = room >= 2 ? at->place(number >> 1).load_acquire() : 0;  // pairs with commit
    if (here == 0 && room >= 1) here = at->place(number >> 2).load_acquire();
    if (here == 0) here = at->place(1).load_acquire();
    if (here != 0) best = here;
    if (room < kStride) break;
    word = at->place(number).load_acquire();  // pairs with commit
  }
  return element_in(best);
}

// The longest prefix of the key that has `limit` bits at most.
LpmTrie::Element* LpmTrie::longest(const std::byte* data, std::uint32_t limit) const {
  while (true) {
    Element* const found = deepest(data, limit);
    if (found == nullptr) return nullptr;
    const std::uint32_t length = found->prefixlen.load_relaxed();
    if (length > limit) return nullptr;  // it changed meanwhile
    const std::uint32_t common = common_bits(found, data, length);
    if (common == length) return found;
    limit = common;
  }
}

std::byte* LpmTrie::find(const std::byte* key) const {
  const auto length = load_unaligned<std::uint32_t>(key);
  if (length > max_prefixlen()) return nullptr;
  Element* found = nullptr;
  if (!header_->version.unchanged([&] { found = longest(key + 4, length); }) || found == nullptr)
    return nullptr;
  return value_of(found);
}

bool LpmTrie::lookup(const std::byte* key, void* value) const {
  const auto length = load_unaligned<std::uint32_t>(key);
  if (length > max_prefixlen()) return false;
  Element* found = nullptr;
  return header_->version.unchanged([&] {
    found = longest(key + 4, length);
    if (found != nullptr) sync::copy_from_shared(value, value_of(found), shape_.value_size);
  }) && found != nullptr;
}

void LpmTrie::copy_key(Element* from, std::byte* key) const {
  const std::uint32_t length = from->prefixlen.load_relaxed();
  std::memcpy(key, &length, sizeof length);
  sync::copy_from_shared(key + 4, data_of(from), shape_.data_size);
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
  for (unsigned depth = 0; word != 0 && depth < kMostDepth; ++depth) {
    if (is_element(word)) return element_in(word);
    Node* const at = node_in(word);
    if (at == nullptr) return nullptr;
    word = next_place(*at, 0);
  }
  return nullptr;
}

LpmTrie::Element* LpmTrie::after(const std::byte* key) const {
  struct Step {
    Node* node;
    unsigned place;
  } way[kMostDepth];
  unsigned depth = 0;
  const std::uint32_t root = header_->root.load_acquire();  // pairs with commit
  const std::uint32_t length = key == nullptr ? UINT32_MAX : load_unaligned<std::uint32_t>(key);
  if (length > max_prefixlen()) return first_below(root);
  std::uint32_t word = root;
  while (word != 0 && !is_element(word)) {
    Node* const at = node_in(word);
    const std::uint32_t position = at == nullptr ? UINT32_MAX : at->position.load_relaxed();
    if (position > length || depth == kMostDepth) return first_below(root);
    const unsigned place = place_of(position, bits_at(key + 4, position), length);
    way[depth++] = {at, place};
    word = at->place(place).load_acquire();  // pairs with commit
  }
  Element* const here = element_in(word);
  if (here == nullptr || here->prefixlen.load_relaxed() != length ||
      common_bits(here, key + 4, length) != length)
    return first_below(root);
  while (depth != 0) {
    const Step& step = way[--depth];
    if (const std::uint32_t following = next_place(*step.node, rank_of(step.place) + 1); following != 0)
      return first_below(following);
  }
  return nullptr;
}

}  // namespace portolan::ds
