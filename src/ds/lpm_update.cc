// SPDX-License-Identifier: Apache-2.0
// Writers of an LPM trie: one at a time, each change one store. lpm_trie.cc says why that is enough.
#include "ds/lpm_way.h"

namespace portolan::ds {

// What is to be in a node.
struct LpmTrie::Draft {
  std::uint64_t spots[2] = {};
  std::uint32_t words[LpmNode::kMostPlaces + 1];  // and one that only a tampered region has
  unsigned count = 0;

  Draft() = default;
  // What a node holds, but for one spot.
  Draft(Node& node, const LpmSpot& without) {
    unsigned rank = 0;
    for (unsigned half = 0; half < 2; ++half)
      for (std::uint64_t left = node.spots[half].load_relaxed(); left != 0; left &= left - 1) {
        const std::uint32_t word = node.place(rank++).load_relaxed();
        const std::uint64_t spot = left & -left;
        if (word == 0 || (half == without.half && spot == std::uint64_t{1} << without.bit)) continue;
        words[count++] = word;
        spots[half] |= spot;
      }
  }
  void add(const LpmSpot& spot, std::uint32_t word) {
    unsigned rank = count++;
    for (const unsigned place = spot.rank(spots[0], spots[1]); rank > place; --rank)
      words[rank] = words[rank - 1];
    words[rank] = word;
    spots[spot.half] |= std::uint64_t{1} << spot.bit;
  }
};

template <class Body>
Result<void> LpmTrie::locked(const sync::Actor& actor, Body&& body) {
  const sync::RobustGuard guard(header_->lock, actor, [&] { repair(); });
  return body();
}

Result<std::uint32_t> LpmTrie::make_element(const std::byte* key, const void* value) {
  const std::uint32_t index = TRY(elements_.take());
  Element* const fresh = element(index);
  sync::copy_to_shared(fresh, key, sizeof(Element) + shape_.data_size);
  sync::copy_to_shared(value_of(fresh), value, shape_.value_size);
  return word_of_element(index);
}

Result<std::uint32_t> LpmTrie::make_node(std::uint32_t position, const Draft& draft) {
  const unsigned size = LpmNode::size_for(draft.count);
  const auto index = nodes_[size].take();
  if (!index) return fail(ENOMEM);
  const std::uint32_t word = (first_granule_[size] + *index * (LpmNode::kSizes[size] / kGranule)) << 1;
  Node* const fresh = node_in(word);
  fresh->spots[0].store_relaxed(draft.spots[0]);
  fresh->spots[1].store_relaxed(draft.spots[1]);
  fresh->position.store_relaxed(position);
  for (unsigned rank = 0; rank < draft.count; ++rank) fresh->place(rank).store_relaxed(draft.words[rank]);
  return word;
}

// No longer reachable; from here on its bytes may change.
void LpmTrie::retire(std::uint32_t word) {
  header_->version.advance();
  give_back(word);
}
void LpmTrie::give_back(std::uint32_t word) {
  if (element_in(word) != nullptr) return elements_.give_back(word >> 1);
  if (node_in(word) == nullptr) return;  // only in a tampered region
  const NodeNumber number = number_of(word);
  nodes_[number.size].give_back(number.index);
}

Result<void> LpmTrie::may_add(Insert mode) const {
  if (mode == Insert::kExist) return fail(ENOENT);
  if (header_->count.load_relaxed() >= shape_.max_entries) return fail(ENOSPC);
  return {};
}

void LpmTrie::added(std::uint32_t length) {
  const std::uint32_t count = header_->count.load_relaxed() + 1;
  header_->count.store_relaxed(count);
  if (may_answer(length)) header_->answerable.store_relaxed(header_->answerable.load_relaxed() + 1);
  constexpr std::uint32_t kLookEvery = 1024;
  if (count % kLookEvery == 0) widen(count);
  if (count % kLookEvery == 0 || count == shape_.answers.least_entries) widen_answers();
}

// Of a prefix that was not there: `commit` stores what makes it reachable.
template <class Commit>
void LpmTrie::insert(const Put& put, std::uint32_t fresh, Commit&& commit) {
  if (has_answers()) hide_answers(put.key, put.before);
  commit();
  if (has_answers()) show_answers(put.key, fresh);
  added(load_unaligned<std::uint32_t>(put.key));
}

void LpmTrie::commit(const Step& step, std::uint32_t word) {
  if (step.slot != nullptr) step.slot->store_relaxed(0);     // who does not find it there asks the trie
  step.place->store_release(word);                           // pairs with the loads of places
  if (step.slot != nullptr) step.slot->store_release(word);  // the same
}

void LpmTrie::descend(const std::byte* key, Way& way) const {
  const auto length = load_unaligned<std::uint32_t>(key);
  const std::uint32_t bits = table_bits();
  with_key(key + 4, [&](const auto& data) {
    Place* const repeats = bits == 0 || length < bits ? nullptr : &slot(bits, data.first_bits());
    // What is below the table is far away: let it come while the search passes what is above.
    if (repeats != nullptr)
      if (const Node* const below = node_in(repeats->load_relaxed())) __builtin_prefetch(below);
    way.end = {&root(), nullptr};
    std::uint32_t next_position = 0;
    while (true) {
      way.word = way.end.place->load_relaxed();
      Node* const at = node_in(way.word);
      const std::uint32_t position = at == nullptr ? UINT32_MAX : at->position.load_relaxed();
      if (position > length || way.depth == kMostDepth) return;
      way.passed[way.depth++] = {way.end, at, position};
      way.has_gaps |= position != next_position;
      next_position = position + kStride;
      way.spot = LpmSpot(data.chunk(position), length - position);
      if (!at->has(way.spot)) break;
      way.end = {&at->place(at->rank(way.spot)), next_position == bits ? repeats : nullptr};
    }
    way.end = {nullptr, nullptr};
    way.word = 0;
  });
}

Result<void> LpmTrie::add(const Step& step, const Put& put) {
  TRY(may_add(put.mode));
  const std::uint32_t fresh = TRY(make_element(put.key, put.value));
  insert(put, fresh, [&] { commit(step, fresh); });
  return {};
}

Result<void> LpmTrie::replace(const Step& step, const Put& put) {
  if (put.mode == Insert::kNoExist) return fail(EEXIST);
  const std::uint32_t old = step.place->load_relaxed(), fresh = TRY(make_element(put.key, put.value));
  if (has_answers()) hide_answers(put.key, old);
  commit(step, fresh);
  if (has_answers()) show_answers(put.key, fresh);
  retire(old);
  return {};
}

// Puts a node at `position` between the place and what it holds, and the key beside that.
Result<void> LpmTrie::split(const Step& step, std::uint32_t position, const Put& put) {
  TRY(may_add(put.mode));
  const auto length = load_unaligned<std::uint32_t>(put.key);
  const std::uint32_t old = step.place->load_relaxed();
  Element* const other = first_below(old);
  if (other == nullptr) return fail(EINVAL);  // only in a tampered region
  std::byte other_data[kMaxDataSize];
  copy_data(other, other_data);
  // A node has what is longer than all but the last of another's spots.
  const std::uint32_t other_length = is_element(old) ? other->prefixlen.load_relaxed() : UINT32_MAX;
  const LpmSpot new_spot(chunk_at(put.key + 4, position), length - position);
  const LpmSpot old_spot(chunk_at(other_data, position), other_length - position);
  if (other_length < position || old_spot == new_spot) return fail(EINVAL);  // only in a tampered region

  const std::uint32_t fresh = TRY(make_element(put.key, put.value));
  Draft draft;
  draft.add(old_spot, old);
  draft.add(new_spot, fresh);
  const auto between = make_node(position, draft);
  if (!between) {
    give_back(fresh);
    return fail(between.error());
  }
  insert(put, fresh, [&] {
    commit(step, *between);
    if (Place* const at = slot_below(table_bits(), position, length, put.key + 4))
      at->store_release(fresh);  // as in commit
    if (Place* const at = slot_below(table_bits(), position, other_length, other_data))
      at->store_release(old);
  });
  return {};
}

// Replaces the last node on the way by one that has the key's spot too.
Result<void> LpmTrie::grow(const Way& way, const Put& put) {
  TRY(may_add(put.mode));
  const Way::Passed& last = way.passed[way.depth - 1];
  const std::uint32_t old = last.step.place->load_relaxed(), fresh = TRY(make_element(put.key, put.value));
  Draft draft(*last.node, way.spot);
  draft.add(way.spot, fresh);
  const auto larger = make_node(last.position, draft);
  if (!larger) {
    give_back(fresh);
    return fail(larger.error());
  }
  insert(put, fresh, [&] {
    commit(last.step, *larger);
    if (Place* const at =
            slot_below(table_bits(), last.position, load_unaligned<std::uint32_t>(put.key), put.key + 4))
      at->store_release(fresh);  // as in commit
    retire(old);
  });
  return {};
}

Result<void> LpmTrie::put(const std::byte* key, const void* value, Insert mode) {
  const auto length = load_unaligned<std::uint32_t>(key);
  Way way;
  descend(key, way);
  // Bits that no node looked at were not compared: any element below shows them, and one at the end of the
  // way all of its own.
  std::uint32_t common = length, other_length = UINT32_MAX;
  if (way.word != 0 || way.has_gaps) {
    Element* const other =
        first_below(way.word != 0 ? way.word : way.passed[way.depth - 1].step.place->load_relaxed());
    if (other == nullptr) return fail(EINVAL);  // only in a tampered region
    other_length = other->prefixlen.load_relaxed();
    common = common_bits(other, key + 4, other_length < length ? other_length : length);
  }
  Put put{key, value, mode};
  if (has_answers() && length != 0) {
    if (is_element(way.word) && other_length < length && other_length == common)
      put.before = may_answer(other_length) ? way.word : 0;
    else
      put.before = answer_on(way, key, std::min(length - 1, common));
  }
  const std::uint32_t position = common - common % kStride;
  for (unsigned depth = 0; way.has_gaps && depth < way.depth; ++depth)
    if (common < way.passed[depth].position) return split(way.passed[depth].step, position, put);
  if (way.word != 0) {
    if (is_element(way.word) && other_length == length && common == length) return replace(way.end, put);
    return split(way.end, position, put);
  }
  if (way.end.place != nullptr) return add(way.end, put);
  return grow(way, put);
}

Result<void> LpmTrie::update(const sync::Actor& actor, const std::byte* key, const void* value, Insert mode) {
  if (load_unaligned<std::uint32_t>(key) > max_prefixlen()) return fail(EINVAL);
  return locked(actor, [&] { return put(key, value, mode); });
}

// Takes what is at the end of the way out of the last node; that goes too if it has only one other thing, and
// gives way to a smaller one if that will do. Where there is no memory for the smaller one, the place is
// left empty: an erase never fails for that.
void LpmTrie::clear(const Way& way) {
  const Way::Passed& last = way.passed[way.depth - 1];
  const std::uint32_t old = last.step.place->load_relaxed();
  const unsigned others = last.node->held() - 1, size = number_of(old).size;
  if (others > 1 && LpmNode::size_for(others) == size) return commit(way.end, 0);
  const Draft rest(*last.node, way.spot);
  std::uint32_t instead = 0;
  if (rest.count == 1) {
    instead = rest.words[0];
    if (Place* const at = slot_for(table_bits(), last.position, instead))
      at->store_relaxed(0);  // the table does not
                             // repeat where it will be
  } else if (rest.count != 0 && LpmNode::size_for(rest.count) < size) {
    instead = make_node(last.position, rest).value_or(0);
  }
  if (instead == 0) return commit(way.end, 0);
  if (way.end.slot != nullptr) way.end.slot->store_relaxed(0);
  commit(last.step, instead);
  retire(old);
}

Result<void> LpmTrie::remove(const std::byte* key) {
  const auto length = load_unaligned<std::uint32_t>(key);
  Way way;
  descend(key, way);
  Element* const here = element_in(way.word);
  if (here == nullptr || here->prefixlen.load_relaxed() != length ||
      common_bits(here, key + 4, length) != length)
    return fail(ENOENT);
  const std::uint32_t after = has_answers() && length != 0 ? answer_on(way, key, length - 1) : 0;
  if (has_answers()) hide_answers(key, way.word);
  way.depth == 0 ? commit(way.end, 0) : clear(way);
  if (has_answers()) show_answers(key, after);
  header_->count.store_relaxed(header_->count.load_relaxed() - 1);
  if (may_answer(length)) header_->answerable.store_relaxed(header_->answerable.load_relaxed() - 1);
  retire(way.word);
  return {};
}

Result<void> LpmTrie::erase(const sync::Actor& actor, const std::byte* key) {
  if (load_unaligned<std::uint32_t>(key) > max_prefixlen()) return fail(EINVAL);
  return locked(actor, [&] { return remove(key); });
}

}  // namespace portolan::ds
