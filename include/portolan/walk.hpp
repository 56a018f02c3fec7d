// SPDX-License-Identifier: Apache-2.0
// for (auto [key, value] : map): a walk that fetches elements by batches.
#pragma once
#include <cerrno>
#include <cstddef>
#include <iterator>
#include <optional>
#include <vector>

#include "portolan/concepts.hpp"
#include "portolan/raw_map.hpp"

namespace portolan {

template <class K, class V>
struct Entry {
  K key;
  V value;
};

namespace detail {

// Fetches the elements of a map some hundred at a time. Elements that are there throughout come exactly once;
// those that are added or removed meanwhile may come or not.
template <class K, class V>
class Walk {
 public:
  explicit Walk(const RawMap& map) : map_(&map) { fetch(); }

  bool at_end() const { return position_ == filled_; }
  Entry<K, V> current() const {
    return {keys_[position_], copy_shared<V>(values_.data() + position_ * stride())};
  }
  void advance() {
    if (++position_ == filled_) fetch();
  }
  // What ended the walk early, if anything did.
  const std::optional<Error>& error() const { return error_; }

 private:
  std::size_t stride() const { return map_->value_bytes(); }
  void fetch() {
    position_ = filled_ = 0;
    while (!cursor_.finished) {
      keys_.resize(chunk_);
      values_.resize(chunk_ * stride() + 8);
      auto fetched = map_->lookup_batch(cursor_, std::as_writable_bytes(std::span(keys_)),
                                        std::span(values_.data(), chunk_ * stride()));
      if (fetched) {
        filled_ = *fetched;
        if (filled_ != 0) return;
      } else if (fetched.error().code() == ENOSPC && chunk_ < (std::size_t{1} << 24)) {
        chunk_ *= 4;  // a bucket of the kernel's held more elements than were asked for
      } else {
        error_ = fetched.error();
        return;
      }
    }
  }

  const RawMap* map_;
  BatchCursor cursor_;
  std::vector<K> keys_;
  std::vector<std::byte> values_;
  std::size_t chunk_ = 256;
  std::size_t filled_ = 0;
  std::size_t position_ = 0;
  std::optional<Error> error_;
};

template <class K, class V>
class WalkIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = Entry<K, V>;
  using difference_type = std::ptrdiff_t;
  using reference = Entry<K, V>;
  using pointer = void;

  explicit WalkIterator(const RawMap& map) : walk_(std::make_shared<Walk<K, V>>(map)) {}
  Entry<K, V> operator*() const { return walk_->current(); }
  WalkIterator& operator++() {
    walk_->advance();
    return *this;
  }
  void operator++(int) { walk_->advance(); }
  friend bool operator==(const WalkIterator& iterator, std::default_sentinel_t) {
    return iterator.walk_->at_end();
  }

 private:
  std::shared_ptr<Walk<K, V>> walk_;
};

}  // namespace detail
}  // namespace portolan
