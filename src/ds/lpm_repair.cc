// SPDX-License-Identifier: Apache-2.0
// What of an LPM trie is made anew from what is reachable, and whether all of it is as it should be.
#include <fmt/core.h>

#include <algorithm>
#include <vector>

#include "ds/lpm_walk.h"

namespace portolan::ds {

// Calls `visit(place)` for the places of a node.
template <class Visit>
static void each_place(LpmNode& node, Visit&& visit) {
  for (unsigned rank = 0, count = node.count(); rank < count; ++rank) visit(node.place(rank));
}

// Nobody needs to see it while that goes on: an empty slot says nothing.
void LpmTrie::fill_table(std::uint32_t bits) {
  for (std::uint32_t at = 0; at >> bits == 0; ++at) tables_[(1u << bits) + at].store_relaxed(0);
  struct Visit {
    std::uint32_t word, least;  // positions grow downwards, or this would not end
  };
  std::vector<Visit> nodes{{root().load_relaxed(), 0}};
  while (!nodes.empty()) {
    const Visit visit = nodes.back();
    nodes.pop_back();
    Node* const at = node_in(visit.word);
    const std::uint32_t position = at == nullptr ? UINT32_MAX : at->position.load_relaxed();
    if (position < visit.least || position > bits - kStride) continue;
    each_place(*at, [&](Place& place) {
      const std::uint32_t word = place.load_relaxed();
      if (word == 0) return;
      if (position + kStride < bits) return nodes.push_back({word, position + kStride});
      if (Place* const repeats = slot_for(bits, position, word))
        repeats->store_release(word);  // as in commit
    });
  }
}

// A table that cannot be had is done without.
void LpmTrie::widen(std::uint32_t count) {
  for (const Table& table : kTables) {
    const std::uint64_t size = sizeof(Place) << table.bits;
    if (table.bits <= table_bits() || table.bits > most_table_bits_ || count < table.least_entries) continue;
    if (!region_->reserve(tables_offset_ + size, size)) return;
    fill_table(table.bits);
    header_->table_bits.store_release(table.bits);  // pairs with table_bits
    header_->version.advance();                     // the last table is out of date from now on
  }
}

// The last writer died inside: what is reachable is right, everything else is made anew from it.
void LpmTrie::repair() {
  header_->version.advance();
  std::vector<bool> used_elements(elements_.handed_out());
  std::array<std::vector<bool>, kNodeSizes> used_nodes;
  for (unsigned size = 0; size < kNodeSizes; ++size) used_nodes[size].resize(nodes_[size].handed_out());
  const auto use = [](std::vector<bool>& used, std::uint32_t index) {
    if (index >= used.size() || used[index]) return false;
    used[index] = true;
    return true;
  };
  std::uint32_t count = 0, answerable = 0;
  std::vector<Place*> places{&root()};
  while (!places.empty()) {
    Place& place = *places.back();
    places.pop_back();
    const std::uint32_t word = place.load_relaxed();
    if (word == 0) continue;
    if (is_element(word)) {
      if (use(used_elements, word >> 1))
        ++count, answerable += may_answer(element(word >> 1)->prefixlen.load_relaxed());
      else
        place.store_release(0);  // only in a tampered region, as below
      continue;
    }
    Node* const at = node_in(word);
    const NodeNumber number = at == nullptr ? NodeNumber{} : number_of(word);
    if (at == nullptr || at->count() > LpmNode::capacity(number.size) ||
        !use(used_nodes[number.size], number.index))
      place.store_release(0);
    else
      each_place(*at, [&](Place& below) { places.push_back(&below); });
  }
  header_->count.store_relaxed(count);
  header_->answerable.store_relaxed(answerable);
  elements_.rebuild([&](std::uint32_t index) { return used_elements[index]; });
  for (unsigned size = 0; size < kNodeSizes; ++size)
    nodes_[size].rebuild([&](std::uint32_t index) { return used_nodes[size][index]; });
  const std::uint32_t bits = table_bits();
  if (std::ranges::none_of(kTables, [&](const Table& table) { return table.bits == bits; }))
    header_->table_bits.store_release(0);  // only in a tampered region; pairs with table_bits
  else if (bits != 0)
    fill_table(bits);
  if (has_answers()) fill_answers();
}

void LpmTrie::check(const std::string& where, shm::Findings& findings) const {
  if (!header_->lock.owner().is_nobody()) findings.note(where, "is locked");
  const bool quiet = header_->lock.owner().is_nobody();
  const auto wrong = [&](std::string what) { findings.corrupt(where, std::move(what)); };
  struct Visit {
    std::uint32_t word, least;  // prefixes below have so many bits at least
  };
  std::vector<Visit> left{{root().load_acquire(), 0}};
  std::vector<bool> seen_elements(elements_.handed_out());
  std::array<std::vector<bool>, kNodeSizes> seen_nodes;
  for (unsigned size = 0; size < kNodeSizes; ++size) seen_nodes[size].resize(nodes_[size].handed_out());
  std::uint32_t elements = 0, slots = 0, answerable = 0;
  std::array<std::uint32_t, kNodeSizes> nodes{};
  const std::uint32_t bits = table_bits();
  const auto first_time = [&](std::vector<bool>& seen, std::uint32_t index) {
    if (index >= seen.size() || seen[index]) return false;
    return static_cast<bool>(seen[index] = true);
  };
  while (!left.empty()) {
    const Visit visit = left.back();
    left.pop_back();
    if (visit.word == 0) continue;
    if (is_element(visit.word)) {
      const std::uint32_t index = visit.word >> 1;
      if (!first_time(seen_elements, index)) {
        wrong(fmt::format("element {} is in two places, or was never handed out", index));
        continue;
      }
      ++elements;
      std::byte key[4 + kMaxDataSize];
      copy_key(element(index), key);
      const auto length = load_unaligned<std::uint32_t>(key);
      answerable += may_answer(length);
      if (length < visit.least || length > max_prefixlen() || longest(key + 4, length) != element(index))
        wrong(fmt::format("no lookup finds element {} of {} bits", index, length));
      continue;
    }
    Node* const here = node_in(visit.word);
    const NodeNumber number = here == nullptr ? NodeNumber{} : number_of(visit.word);
    if (here == nullptr || !first_time(seen_nodes[number.size], number.index)) {
      wrong(fmt::format("node {} is in two places, or was never handed out", visit.word >> 1));
      continue;
    }
    ++nodes[number.size];
    const std::uint32_t position = here->position.load_relaxed();
    if (position % kStride != 0 || position < visit.least || position > max_prefixlen() ||
        here->count() > LpmNode::capacity(number.size)) {
      wrong(fmt::format("node {} has {} places from bit {} on", visit.word >> 1, here->count(), position));
      continue;
    }
    unsigned held = 0, rank = 0;
    for (unsigned half = 0; half < 2; ++half)
      for (std::uint64_t spots = here->spots[half].load_relaxed(); spots != 0; spots &= spots - 1) {
        const std::uint32_t word = here->place(rank++).load_relaxed();
        if (word == 0) continue;
        ++held;
        const auto bit = static_cast<unsigned>(std::countr_zero(spots));
        const bool is_leaf = bit < 63 && LpmSpot::is_leaf(bit);
        if (!is_leaf && !is_element(word))
          wrong(fmt::format("node {} has a node where one prefix is", visit.word >> 1));
        left.push_back({word, is_leaf ? position + kStride : position});
        Place* const repeats = is_leaf ? slot_for(bits, position, word) : nullptr;
        const std::uint32_t repeated = repeats == nullptr ? 0 : repeats->load_relaxed();
        if (repeated != 0) ++slots;
        if (repeated != 0 && repeated != word) wrong(fmt::format("the table has {}, not {}", repeated, word));
      }
    if (held < 2) wrong(fmt::format("node {} has {} places in use", visit.word >> 1, held));
  }
  for (std::uint32_t at = 0; bits != 0 && at >> bits == 0; ++at)
    if (tables_[(1u << bits) + at].load_relaxed() != 0 && slots-- == 0) {
      wrong("the table has what is not in the trie");
      break;
    }
  if (!quiet) return;
  if (has_answers()) check_answers(where, findings);
  if (answerable != header_->answerable.load_relaxed())
    wrong(fmt::format("{} answers, {} counted", answerable, header_->answerable.load_relaxed()));
  if (elements != header_->count.load_relaxed())
    wrong(fmt::format("{} elements, {} counted", elements, header_->count.load_relaxed()));
  if (elements + elements_.count_free() != elements_.handed_out())
    wrong("elements are nowhere, and nobody knows");
  for (unsigned size = 0; size < kNodeSizes; ++size)
    if (nodes[size] + nodes_[size].count_free() != nodes_[size].handed_out())
      wrong("nodes are nowhere, and nobody knows");
}

}  // namespace portolan::ds
