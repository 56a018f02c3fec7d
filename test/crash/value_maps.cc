// SPDX-License-Identifier: Apache-2.0
// ARRAY, PERCPU_ARRAY, PERCPU_HASH, LRU_HASH, LRU_PERCPU_HASH, LPM_TRIE, RHASH: keys that have values of
// several words, each of which says whose it is and which update wrote it.
#include <cstring>

#include "abi/map_flags.h"
#include "keyed_subject.h"
#include "map/kernel_version.h"

namespace portolan::stress {
namespace {

using abi::MapType;

constexpr std::uint32_t kWords = 3;  // of one CPU's value
constexpr std::uint32_t kMostWords = kWords * Client::kPossibleCpus;
constexpr std::uint32_t kInsertsUntilAllAreFound = 1200;  // of maps that evict, what the dead held

struct Row {
  MapType type;
  bool is_array = false, is_per_cpu = false, is_in_place = false, evicts = false;
  std::uint32_t flags = 0, kernel_version = 0;
};

class ValueMap final : public KeyedSubject {
 public:
  explicit ValueMap(const Row& row)
      : KeyedSubject({.is_fixed = row.is_array, .forgets = row.evicts}),
        row_(row),
        most_(row.evicts ? 20 : kKeys),
        words_(row.is_per_cpu ? kMostWords : kWords) {}
  std::uint32_t kernel_version() const override { return row_.kernel_version; }

  void make(Client& client) override {
    const std::uint32_t key_size = row_.type == MapType::kLpmTrie ? 8 : 4;
    fd_ = client.create({row_.type, key_size, kWords * 8, most_, row_.flags});
    PORTOLAN_ASSERT(fd_ >= 0);
    id_ = client.id_of_map(fd_);
  }
  void join(Client& client) override { fd_ = client.map_by_id(id_); }

  Problem tend(Client& client) override {
    const std::uint32_t key = look_at_++ % kKeys;
    Words seen{};
    const long result = client.lookup(fd_, Key(row_.type, key).bytes, seen.words);
    if (result == -ENOENT && !row_.is_array) return {};
    if (result != 0) return fmt::format("key {} cannot be looked up: {}", key, result);
    for (std::uint32_t at = 0; at < words_; ++at)
      if (seen.words[at] >> 48 != key + 1 && !(row_.is_array && seen.words[at] == 0))
        return fmt::format("key {} shows {:#x}", key, seen.words[at]);
    return {};
  }

  Problem check(Client& client) override {
    if (row_.evicts) return takes_every_key(client);
    if (!row_.is_array) return fills_up(client, most_, 1, row_.type == MapType::kLpmTrie ? ENOSPC : E2BIG);
    const long beyond = put(client, most_, 1, 0);
    return beyond == -E2BIG ? "" : fmt::format("an index that is none: {}", beyond);
  }

  Problem get_ready(Client& client, unsigned kind) override {
    // A map that evicts is full, so that an insert evicts.
    for (std::uint32_t n = 0; row_.evicts && n < most_; ++n)
      if (const long result = put(client, kKeys + n, 1, 0); result != 0)
        return fmt::format("key {} does not go in: {}", kKeys + n, result);
    return KeyedSubject::get_ready(client, kind);
  }

 private:
  struct Words {
    std::uint64_t words[kMostWords];
  };
  struct Key {
    Key(MapType type, std::uint32_t number) {
      if (type != MapType::kLpmTrie) {
        std::memcpy(bytes, &number, sizeof number);
        return;
      }
      // Prefixes of several lengths, those of different writers side by side.
      const std::uint32_t own = number % kOwnKeys, length = number < kKeys ? 24 + own % 9 : 32;
      const auto byte = [](std::uint32_t value) { return static_cast<std::uint8_t>(value); };
      const std::uint8_t data[4] = {byte(number < kKeys ? 10 : 172),
                                    byte(number < kKeys ? own * 5 : number >> 8), byte(number), 0};
      std::memcpy(bytes, &length, sizeof length);
      std::memcpy(bytes + 4, data, sizeof data);
    }
    std::byte bytes[8] = {};
  };

  Words words_of(std::uint32_t key, std::uint64_t version) const {
    Words value{};
    for (std::uint32_t at = 0; at < words_ && version != 0; ++at)
      value.words[at] = std::uint64_t{key + 1} << 48 | version << 8 | at;
    return value;
  }
  long put(Client& client, std::uint32_t key, std::uint64_t version, std::uint64_t flags) override {
    const Words value = words_of(key, version);
    return client.update(fd_, Key(row_.type, key).bytes, value.words, flags);
  }
  long remove(Client& client, std::uint32_t key) override {
    return client.erase(fd_, Key(row_.type, key).bytes);
  }
  std::uint64_t new_content(Client&, Writer& writer) override { return next_version(writer.number); }

  std::optional<std::uint64_t> content(Client& client, std::uint32_t key, std::uint64_t asked,
                                       std::uint64_t acknowledged) override {
    Words seen{};
    const long result = client.lookup(fd_, Key(row_.type, key).bytes, seen.words);
    if (result == -ENOENT && !row_.is_array) return 0;
    if (result != 0) return {};
    const Words before = words_of(key, acknowledged), after = words_of(key, asked);
    if (std::memcmp(&seen, &after, sizeof seen) == 0) return asked;
    if (std::memcmp(&seen, &before, sizeof seen) == 0) return acknowledged;
    // A new element is whole in any case.
    if (!row_.is_in_place || (!row_.is_array && (acknowledged == 0 || asked == 0))) return {};
    for (std::uint32_t at = 0; at < words_; ++at)
      if (seen.words[at] != before.words[at] && seen.words[at] != after.words[at]) return {};
    return kMixed;
  }

  // Every insert succeeds, and after a while exactly max_entries are there.
  Problem takes_every_key(Client& client) {
    for (std::uint32_t n = 0; n < kInsertsUntilAllAreFound; ++n) {
      Words seen{};
      const long put_in = put(client, kKeys + n, 1, 0);
      if (put_in != 0) return fmt::format("insert {}: {}", n, put_in);
      const long found = client.lookup(fd_, Key(row_.type, kKeys + n).bytes, seen.words);
      if (found != 0) return fmt::format("key {}, inserted just now: {}", n, found);
    }
    std::uint32_t count = 0, key = 0, next = 0;
    const std::uint32_t* from = nullptr;
    for (; count <= most_ && client.next_key(fd_, from, &next) == 0; ++count) {
      key = next;
      from = &key;
    }
    return count == most_ ? "" : fmt::format("{} keys are there, of {}", count, most_);
  }

  const Row row_;
  const std::uint32_t most_, words_;
  long fd_ = -1;
  std::uint32_t id_ = 0, look_at_ = 0;
};

template <const Row& row>
std::unique_ptr<Subject> value_map() {
  return std::make_unique<ValueMap>(row);
}

constexpr Row kArray{.type = MapType::kArray, .is_array = true, .is_in_place = true};
constexpr Row kMmapable{
    .type = MapType::kArray, .is_array = true, .is_in_place = true, .flags = abi::map_flag::kMmapable};
constexpr Row kPerCpuArray{
    .type = MapType::kPerCpuArray, .is_array = true, .is_per_cpu = true, .is_in_place = true};
constexpr Row kPerCpuHash{.type = MapType::kPerCpuHash, .is_per_cpu = true, .is_in_place = true};
constexpr Row kLruHash{.type = MapType::kLruHash, .evicts = true};
constexpr Row kLruPerCpuHash{
    .type = MapType::kLruPerCpuHash, .is_per_cpu = true, .is_in_place = true, .evicts = true};
constexpr Row kLpmTrie{.type = MapType::kLpmTrie, .flags = abi::map_flag::kNoPrealloc};
constexpr Row kRhash{.type = MapType::kRhash,
                     .is_in_place = true,
                     .flags = abi::map_flag::kNoPrealloc,
                     .kernel_version = map::kernel_version(7, 1)};

constexpr MapRow kTypes[] = {{"array", value_map<kArray>},
                             {"mmapable_array", value_map<kMmapable>},
                             {"percpu_array", value_map<kPerCpuArray>},
                             {"percpu_hash", value_map<kPerCpuHash>},
                             {"lru_hash", value_map<kLruHash>},
                             {"lru_percpu_hash", value_map<kLruPerCpuHash>},
                             {"lpm_trie", value_map<kLpmTrie>},
                             {"rhash", value_map<kRhash>}};

}  // namespace

std::span<const MapRow> value_maps() { return kTypes; }

}  // namespace portolan::stress
