// SPDX-License-Identifier: Apache-2.0
// A table that says at once what a search of an LPM trie would find, for keys of IPv4's size. lpm_trie.cc
// says when it may be believed.
#include <algorithm>
#include <vector>

#include "ds/lpm_way.h"

namespace portolan::ds {

// Those of the keys that begin with this one's prefix: one, if it goes on beyond the table's bits.
std::span<LpmTrie::Place> LpmTrie::answers_below(const std::byte* key) const {
  const auto length = load_unaligned<std::uint32_t>(key);
  const std::uint32_t count = length < answer_bits_ ? 1u << (answer_bits_ - length) : 1;
  const auto bits = static_cast<std::uint32_t>(first_bits(key + 4) >> 32);
  Place* const at = &answer(bits);
  return {at - (at - answers_) % count, count};
}

// What answers have to be for keys that begin with this one's prefix, if nothing counts but what has at most
// `limit` bits: the longest that the way passed. It was found with the key's bits, at least as many; so none
// need be compared.
std::uint32_t LpmTrie::answer_on(const Way& way, const std::byte* key, std::uint32_t limit) const {
  const std::uint32_t most = std::min(limit, answer_bits_);
  for (unsigned depth = way.depth; depth-- > 0;) {
    const Way::Passed& passed = way.passed[depth];
    const std::uint32_t position = passed.position;
    if (position > most) continue;
    const unsigned chunk = chunk_at(key + 4, position), half = chunk >> 5;
    std::uint64_t held =
        passed.node->spots[half].load_relaxed() & lpm_way(chunk, std::min(most - position, kStride - 1));
    if (position < least_answer()) held &= ~lpm_way(chunk, least_answer() - 1 - position);
    for (; held != 0; held &= held - 1)
      if (const std::uint32_t word =
              passed.node->place(passed.node->rank_of_lowest(half, held)).load_relaxed();
          word != 0)
        return word;
    if (position < least_answer()) return 0;
    if (!passed.node->has_own()) continue;
    if (const std::uint32_t word = passed.node->place(passed.node->rank(LpmSpot())).load_relaxed(); word != 0)
      return word;
  }
  return 0;
}

// Whether there is anything longer than the table's bits that begins with the key's. Maybe, if in doubt.
bool LpmTrie::is_more_below(const std::byte* key) const {
  std::uint32_t word = root().load_relaxed();
  for (unsigned depth = 0; depth < kMostDepth; ++depth) {
    Node* const at = node_in(word);
    const std::uint32_t position = at == nullptr ? UINT32_MAX : at->position.load_relaxed();
    if (position >= answer_bits_) break;
    const LpmSpot spot(chunk_at(key + 4, position), answer_bits_ - position);
    if (!at->has(spot)) return false;
    word = at->place(at->rank(spot)).load_relaxed();
  }
  Element* const sample = first_below(word);
  return sample != nullptr && sample->prefixlen.load_relaxed() > answer_bits_ &&
         common_bits(sample, key + 4, answer_bits_) == answer_bits_;
}

// Before the place changes where the prefix is: whoever had it for an answer, or will have, asks the trie.
void LpmTrie::hide_answers(const std::byte* key, std::uint32_t before) {
  const auto length = load_unaligned<std::uint32_t>(key);
  if (length > answer_bits_) return answers_below(key)[0].store_relaxed(kAsk);
  if (length < least_answer() || before == kAsk) return;
  for (Place& at : answers_below(key))
    if (at.load_relaxed() == before) at.store_relaxed(kHidden);
}

// Afterwards. Below a prefix that is longer than the table's bits, `after` says what else there is.
void LpmTrie::show_answers(const std::byte* key, std::uint32_t after) {
  const auto length = load_unaligned<std::uint32_t>(key);
  if (length < least_answer()) return;
  for (Place& at : answers_below(key)) {
    if (length > answer_bits_ ? is_more_below(key) : at.load_relaxed() != kHidden) continue;
    at.store_release(after);  // pairs with the loads of answers
  }
}

// Each element and node once, and each place of the table once for each length.
std::uint64_t LpmTrie::most_paint() const {
  return 2 * std::uint64_t{elements_.handed_out()} + 1 + (std::uint64_t{max_prefixlen()} << answer_bits_);
}

// Gives `answers` what is below a word, the longer before what they begin with. False: there is more than
// there can be.
template <class Answers>
bool LpmTrie::paint(std::uint32_t word, std::uint32_t least, std::uint64_t& budget,
                    const Answers& answers) const {
  if (budget == 0) return false;
  --budget;
  if (const Element* const found = element_in(word)) {
    std::byte key[sizeof(Element) + 4];
    copy_key(const_cast<Element*>(found), key);
    const auto length = load_unaligned<std::uint32_t>(key);
    if (length > max_prefixlen() || length < least_answer()) return true;
    const auto below = answers_below(key);
    if (below.size() > budget) return false;
    budget -= below.size();
    for (Place& at : below)
      answers(static_cast<std::size_t>(&at - answers_), length > answer_bits_ ? kAsk : word);
    return true;
  }
  Node* const at = node_in(word);
  if (at == nullptr) return true;
  const std::uint32_t position = at->position.load_relaxed();
  if (position < least || position >= max_prefixlen()) return true;  // only in a tampered region
  for (unsigned rank = 0, count = at->count(); rank < count; ++rank)
    if (!paint(at->place(rank).load_relaxed(), position + 1, budget, answers)) return false;
  return true;
}

// Readers may see it while that goes on if it stood before: an answer that is not there yet is one to ask
// for.
void LpmTrie::fill_answers() {
  const std::span<Place> all(answers_, std::size_t{1} << answer_bits_);
  for (Place& at : all) at.store_relaxed(kHidden);
  const auto keep_longest = [&](std::size_t at, std::uint32_t word) {
    if (all[at].load_relaxed() == kHidden) all[at].store_release(word);  // pairs with the loads of answers
  };
  std::uint64_t budget = most_paint();
  if (!paint(root().load_relaxed(), 0, budget, keep_longest)) return;
  for (Place& at : all)
    if (at.load_relaxed() == kHidden) at.store_release(0);  // the same
}

void LpmTrie::widen_answers() {
  if (answers_ == nullptr || has_answers()) return;
  if (header_->answerable.load_relaxed() < shape_.answers.least_entries) return;
  if (!region_->reserve(answers_offset_, sizeof(Place) << answer_bits_)) return;
  fill_answers();
  header_->has_answers.store_release(1);  // pairs with has_answers
}

void LpmTrie::check_answers(const std::string& where, shm::Findings& findings) const {
  std::vector<std::uint32_t> right(std::size_t{1} << answer_bits_, 0);
  std::uint64_t budget = most_paint();
  (void)paint(root().load_relaxed(), 0, budget, [&](std::size_t at, std::uint32_t word) {
    if (right[at] == 0) right[at] = word;
  });
  for (std::size_t at = 0; at < right.size(); ++at) {
    const std::uint32_t answer = answers_[at].load_relaxed();
    if (answer != right[at] && answer != kAsk)
      return findings.corrupt(where, "the answer " + std::to_string(at) + " is not what a search finds");
  }
}

}  // namespace portolan::ds
