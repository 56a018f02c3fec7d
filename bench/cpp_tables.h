// SPDX-License-Identifier: Apache-2.0
// Portolan's maps through its typed C++ API.
#pragma once
#include <memory>
#include <portolan/portolan.hpp>

namespace portolan::bench {

inline const Runtime& runtime() {
  static const auto opened = Runtime::create_private();
  return *opened;
}

class CppHash {
 public:
  static constexpr bool kIsArray = false;
  static std::unique_ptr<CppHash> make(std::uint32_t entries) {
    auto map = Hash<std::uint64_t, std::uint64_t>::create(runtime(), entries);
    return map ? std::unique_ptr<CppHash>(new CppHash(std::move(*map))) : nullptr;
  }
  void insert(std::uint64_t key, std::uint64_t value) { (void)map_.update(key, value); }
  void update(std::uint64_t key, std::uint64_t value) { (void)map_.update(key, value); }
  bool find(std::uint64_t key, std::uint64_t& value) {
    auto found = map_.lookup(key);
    if (!found) return false;
    value = *found;
    return true;
  }
  void erase(std::uint64_t key) { (void)map_.erase(key); }
  std::uint64_t walk() {
    std::uint64_t seen = 0;
    for (auto [key, value] : map_) {
      benchmark::DoNotOptimize(value += key);
      ++seen;
    }
    return seen;
  }
  std::uint64_t batches(std::uint64_t) {
    std::vector<std::uint64_t> keys(4096), values(4096);
    BatchCursor cursor;
    std::uint64_t seen = 0;
    while (!cursor.finished) seen += map_.lookup_batch(cursor, keys, values).value_or(0);
    return seen;
  }

 private:
  explicit CppHash(Hash<std::uint64_t, std::uint64_t> map) : map_(std::move(map)) {}
  Hash<std::uint64_t, std::uint64_t> map_;
};

class CppArray {
 public:
  static constexpr bool kIsArray = true;
  static std::unique_ptr<CppArray> make(std::uint32_t entries) {
    auto map = Array<std::uint64_t>::create(runtime(), entries);
    return map ? std::unique_ptr<CppArray>(new CppArray(std::move(*map))) : nullptr;
  }
  void insert(std::uint64_t key, std::uint64_t value) { update(key, value); }
  void update(std::uint64_t key, std::uint64_t value) {
    (void)map_.update(static_cast<std::uint32_t>(key), value);
  }
  bool find(std::uint64_t key, std::uint64_t& value) {
    auto found = map_.lookup(static_cast<std::uint32_t>(key));
    if (!found) return false;
    value = *found;
    return true;
  }

 private:
  explicit CppArray(Array<std::uint64_t> map) : map_(std::move(map)) {}
  Array<std::uint64_t> map_;
};

}  // namespace portolan::bench
