// SPDX-License-Identifier: Apache-2.0
// Writers of an LPM trie: one at a time, each change one store. lpm_trie.cc says why that is enough.
#include <fmt/core.h>

#include <vector>

#include "ds/lpm_walk.h"

namespace portolan::ds {

template <class Body>
Result<void> LpmTrie::locked(const sync::Actor& actor, Body&& body) {
  const sync::RobustGuard guard(header_->lock, actor, [&] { repair(); });
  return body();
}

// No longer reachable; from here on its bytes may change.
void LpmTrie::retire(const Slab& slab, std::uint32_t index) {
  header_->version.advance();
  slab.give_back(index);
}

Result<std::uint32_t> LpmTrie::make_element(const std::byte* key, const void* value) {
  const std::uint32_t index = TRY(elements_.take());
  Element* const fresh = element(index);
  fresh->prefixlen.store_relaxed(load_unaligned<std::uint32_t>(key));
  sync::copy_to_shared(data_of(fresh), key + 4, shape_.data_size);
  sync::copy_to_shared(value_of(fresh), value, shape_.value_size);
  return index;
}

Result<void> LpmTrie::may_add(Insert mode) const {
  if (mode == Insert::kExist) return fail(ENOENT);
  if (header_->count.load_relaxed() >= shape_.max_entries) return fail(ENOSPC);
  return {};
}

void LpmTrie::commit(Place& place, std::uint32_t word) {
  place.store_release(word);  // pairs with the loads of places
}

Result<void> LpmTrie::add(Place& place, const std::byte* key, const void* value, Insert mode) {
  TRY(may_add(mode));
  commit(place, word_of_element(TRY(make_element(key, value))));
  header_->count.store_relaxed(header_->count.load_relaxed() + 1);
  return {};
}

Result<void> LpmTrie::replace(Place& place, const std::byte* key, const void* value, Insert mode) {
  if (mode == Insert::kNoExist) return fail(EEXIST);
  const std::uint32_t old = place.load_relaxed();
  if (element_in(old) == nullptr) return fail(EINVAL);  // only in a tampered region
  commit(place, word_of_element(TRY(make_element(key, value))));
  retire(elements_, index_of(old));
  return {};
}

// Puts a node at `position` between the place and what it holds, and the key beside that.
Result<void> LpmTrie::split(Place& place, std::uint32_t position, const std::byte* key, const void* value,
                            Insert mode) {
  TRY(may_add(mode));
  const std::uint32_t old = place.load_relaxed();
  Element* const other = first_below(old);
  if (other == nullptr) return fail(EINVAL);
  std::byte other_data[kMaxDataSize];
  sync::copy_from_shared(other_data, data_of(other), shape_.data_size);
  // A node is longer than any of its places below 8 can hold.
  const std::uint32_t other_length = is_element(old) ? other->prefixlen.load_relaxed() : UINT32_MAX;
  const unsigned old_place = place_of(position, bits_at(other_data, position), other_length);
  const unsigned new_place =
      place_of(position, bits_at(key + 4, position), load_unaligned<std::uint32_t>(key));
  if (old_place == new_place || other_length < position) return fail(EINVAL);  // only in a tampered region

  const std::uint32_t fresh = TRY(make_element(key, value));
  const Result<std::uint32_t> index = nodes_.take();
  if (!index) {
    elements_.give_back(fresh);
    return fail(index.error());
  }
  Node* const between = node(*index);
  between->position.store_relaxed(position);
  for (unsigned number = 1; number <= kPlaces; ++number)
    between->place(number).store_relaxed(number == old_place   ? old
                                         : number == new_place ? word_of_element(fresh)
                                                               : 0);
  commit(place, word_of_node(*index));
  header_->count.store_relaxed(header_->count.load_relaxed() + 1);
  return {};
}

// How many bits of the key are those of the elements where its bits lead.
std::uint32_t LpmTrie::bits_in_common(const std::byte* key) const {
  const auto length = load_unaligned<std::uint32_t>(key);
  std::uint32_t word = header_->root.load_relaxed();
  for (unsigned depth = 0; depth < kMostDepth; ++depth) {
    Node* const at = node_in(word);
    if (at == nullptr) break;
    const std::uint32_t position = at->position.load_relaxed();
    if (position > length) break;
    const std::uint32_t below = at->place(8 | bits_at(key + 4, position)).load_relaxed();
    if (below == 0) break;
    word = below;
  }
  Element* const there = first_below(word);
  if (there == nullptr) return 0;
  const std::uint32_t other = there->prefixlen.load_relaxed();
  return common_bits(there, key + 4, other < length ? other : length);
}

Result<void> LpmTrie::put(const std::byte* key, const void* value, Insert mode) {
  const auto length = load_unaligned<std::uint32_t>(key);
  const std::uint32_t common = bits_in_common(key);
  Place* place = &header_->root;
  for (unsigned depth = 0; depth < kMostDepth; ++depth) {
    const std::uint32_t word = place->load_relaxed();
    if (word == 0) return add(*place, key, value, mode);
    if (is_element(word)) {
      Element* const here = element_in(word);
      if (here == nullptr) break;
      if (here->prefixlen.load_relaxed() == length && common == length)
        return replace(*place, key, value, mode);
      return split(*place, common - common % kStride, key, value, mode);
    }
    Node* const here = node_in(word);
    if (here == nullptr) break;
    const std::uint32_t position = here->position.load_relaxed();
    if (common < position) return split(*place, common - common % kStride, key, value, mode);
    const unsigned number = place_of(position, bits_at(key + 4, position), length);
    place = &here->place(number);
    if (number < 8) {
      if (place->load_relaxed() == 0) return add(*place, key, value, mode);
      return replace(*place, key, value, mode);
    }
  }
  return fail(EINVAL);  // only in a tampered region
}

Result<void> LpmTrie::update(const sync::Actor& actor, const std::byte* key, const void* value, Insert mode) {
  if (load_unaligned<std::uint32_t>(key) > max_prefixlen()) return fail(EINVAL);
  return locked(actor, [&] { return put(key, value, mode); });
}

// A node that has one place in use, or none, is not needed.
void LpmTrie::collapse(Place& place) {
  const std::uint32_t word = place.load_relaxed();
  Node* const here = node_in(word);
  if (here == nullptr) return;
  std::uint32_t only = 0;
  for (unsigned number = 1; number <= kPlaces; ++number) {
    const std::uint32_t held = here->place(number).load_relaxed();
    if (held == 0) continue;
    if (only != 0) return;
    only = held;
  }
  commit(place, only);
  retire(nodes_, index_of(word));
}

Result<void> LpmTrie::remove(const std::byte* key) {
  const auto length = load_unaligned<std::uint32_t>(key);
  Place *place = &header_->root, *node_place = nullptr;
  std::uint32_t word = place->load_relaxed();
  for (unsigned depth = 0; depth < kMostDepth && word != 0 && !is_element(word); ++depth) {
    Node* const here = node_in(word);
    if (here == nullptr) return fail(EINVAL);
    const std::uint32_t position = here->position.load_relaxed();
    if (position > length) return fail(ENOENT);
    node_place = place;
    place = &here->place(place_of(position, bits_at(key + 4, position), length));
    word = place->load_relaxed();
  }
  Element* const here = element_in(word);
  if (here == nullptr || here->prefixlen.load_relaxed() != length ||
      common_bits(here, key + 4, length) != length)
    return fail(ENOENT);
  commit(*place, 0);
  header_->count.store_relaxed(header_->count.load_relaxed() - 1);
  retire(elements_, index_of(word));
  if (node_place != nullptr) collapse(*node_place);
  return {};
}

Result<void> LpmTrie::erase(const sync::Actor& actor, const std::byte* key) {
  if (load_unaligned<std::uint32_t>(key) > max_prefixlen()) return fail(EINVAL);
  return locked(actor, [&] { return remove(key); });
}

// The last writer died inside: what is reachable is right, everything else is made anew from it.
void LpmTrie::repair() {
  header_->version.advance();
  std::vector<bool> used_elements(elements_.handed_out()), used_nodes(nodes_.handed_out());
  const auto use = [](std::vector<bool>& used, std::uint32_t index) {
    if (index >= used.size() || used[index]) return false;
    used[index] = true;
    return true;
  };
  std::uint32_t count = 0;
  std::vector<Place*> places{&header_->root};
  while (!places.empty()) {
    Place& place = *places.back();
    places.pop_back();
    collapse(place);
    const std::uint32_t word = place.load_relaxed();
    if (word == 0) continue;
    if (!use(is_element(word) ? used_elements : used_nodes, index_of(word))) {
      commit(place, 0);  // only in a tampered region
    } else if (is_element(word)) {
      ++count;
    } else {
      for (unsigned number = 1; number <= kPlaces; ++number)
        places.push_back(&node(index_of(word))->place(number));
    }
  }
  header_->count.store_relaxed(count);
  elements_.rebuild([&](std::uint32_t index) { return used_elements[index]; });
  nodes_.rebuild([&](std::uint32_t index) { return used_nodes[index]; });
}

void LpmTrie::check(const std::string& where, shm::Findings& findings) const {
  if (!header_->lock.owner().is_nobody()) findings.note(where, "is locked");
  const bool quiet = header_->lock.owner().is_nobody();
  const auto wrong = [&](std::string what) { findings.corrupt(where, std::move(what)); };
  struct Visit {
    std::uint32_t word, least;  // prefixes below have so many bits at least
  };
  std::vector<Visit> left{{header_->root.load_acquire(), 0}};
  std::vector<bool> seen_elements(elements_.handed_out()), seen_nodes(nodes_.handed_out());
  std::uint32_t elements = 0, nodes = 0;
  while (!left.empty()) {
    const Visit visit = left.back();
    left.pop_back();
    if (visit.word == 0) continue;
    auto& seen = is_element(visit.word) ? seen_elements : seen_nodes;
    const std::uint32_t index = index_of(visit.word);
    if (index >= seen.size() || seen[index]) {
      wrong(fmt::format("{} {} is in two places, or was never handed out",
                        is_element(visit.word) ? "element" : "node", index));
      continue;
    }
    seen[index] = true;
    if (is_element(visit.word)) {
      ++elements;
      std::byte key[4 + kMaxDataSize];
      copy_key(element(index), key);
      const auto length = load_unaligned<std::uint32_t>(key);
      if (length < visit.least || length > max_prefixlen() || longest(key + 4, length) != element(index))
        wrong(fmt::format("no lookup finds element {} of {} bits", index, length));
      continue;
    }
    ++nodes;
    Node& here = *node(index);
    const std::uint32_t position = here.position.load_relaxed();
    if (position % kStride != 0 || position < visit.least || position > max_prefixlen()) {
      wrong(fmt::format("node {} is at bit {}", index, position));
      continue;
    }
    unsigned in_use = 0;
    for (unsigned number = 1; number <= kPlaces; ++number) {
      const std::uint32_t word = here.place(number).load_relaxed();
      if (word == 0) continue;
      ++in_use;
      if (number < 8 && !is_element(word))
        wrong(fmt::format("node {} has a node in place {}", index, number));
      left.push_back({word, number < 8 ? position : position + kStride});
    }
    if (in_use < 2 && quiet) wrong(fmt::format("node {} has {} places in use", index, in_use));
  }
  if (!quiet) return;
  if (elements != header_->count.load_relaxed())
    wrong(fmt::format("{} elements, {} counted", elements, header_->count.load_relaxed()));
  if (elements + elements_.count_free() != elements_.handed_out())
    wrong("elements are nowhere, and nobody knows");
  if (nodes + nodes_.count_free() != nodes_.handed_out()) wrong("nodes are nowhere, and nobody knows");
}

}  // namespace portolan::ds
