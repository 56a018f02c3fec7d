// SPDX-License-Identifier: Apache-2.0
// The usual cache: a slab, an index of chains and a list in the order of use, behind one mutex.
#pragma once
#include <bit>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace portolan::bench {

class SlabLru {
 public:
  static constexpr bool kIsArray = false;
  static std::unique_ptr<SlabLru> make(std::uint32_t entries) { return std::make_unique<SlabLru>(entries); }
  explicit SlabLru(std::uint32_t entries)
      : heads_(std::bit_ceil(entries), kNone), nodes_(entries + 1), list_(entries) {
    nodes_[list_].newer = nodes_[list_].older = list_;
  }

  void insert(std::uint64_t key, std::uint64_t value) { update(key, value); }
  bool find(std::uint64_t key, std::uint64_t& value) {
    std::lock_guard lock(mutex_);
    const std::uint32_t at = *link_to(key);
    if (at == kNone) return false;
    unlink(at);
    put_first(at);
    value = nodes_[at].value;
    return true;
  }
  void update(std::uint64_t key, std::uint64_t value) {
    std::lock_guard lock(mutex_);
    std::uint32_t at = *link_to(key);
    if (at != kNone) {
      unlink(at);
    } else {
      at = used_ < list_ ? used_++ : evict();
      std::uint32_t& head = heads_[key & (heads_.size() - 1)];
      nodes_[at].key = key;
      nodes_[at].chain = head;
      head = at;
    }
    nodes_[at].value = value;
    put_first(at);
  }

 private:
  static constexpr std::uint32_t kNone = ~0u;
  struct Node {
    std::uint64_t key, value;
    std::uint32_t chain, newer, older;
  };

  // Where the number of the key's node stands, or kNone. The keys are random already.
  std::uint32_t* link_to(std::uint64_t key) {
    std::uint32_t* link = &heads_[key & (heads_.size() - 1)];
    while (*link != kNone && nodes_[*link].key != key) link = &nodes_[*link].chain;
    return link;
  }
  void unlink(std::uint32_t at) {
    nodes_[nodes_[at].newer].older = nodes_[at].older;
    nodes_[nodes_[at].older].newer = nodes_[at].newer;
  }
  void put_first(std::uint32_t at) {
    nodes_[at].newer = list_;
    nodes_[at].older = nodes_[list_].older;
    nodes_[nodes_[at].older].newer = at;
    nodes_[list_].older = at;
  }
  std::uint32_t evict() {
    const std::uint32_t oldest = nodes_[list_].newer;
    unlink(oldest);
    *link_to(nodes_[oldest].key) = nodes_[oldest].chain;
    return oldest;
  }

  std::mutex mutex_;
  std::vector<std::uint32_t> heads_;
  std::vector<Node> nodes_;
  std::uint32_t list_, used_ = 0;  // the node that begins and ends the list; slots that were ever used
};

}  // namespace portolan::bench
