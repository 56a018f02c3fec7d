// SPDX-License-Identifier: Apache-2.0
// PROG_ARRAY, ARRAY_OF_MAPS, HASH_OF_MAPS: an fd goes in, an id comes out, and what is in there lives as
// long.
#include <map>

#include "keyed_subject.h"

namespace portolan::stress {
namespace {

using abi::MapType;
using conformance::Bytecode;

constexpr std::uint32_t kTargets = 4;
constexpr MapShape kInner{MapType::kArray, 4, 8, 1};

class MapOfFds final : public KeyedSubject {
 public:
  explicit MapOfFds(MapType type) : KeyedSubject({.has_modes = type == MapType::kHashOfMaps}), type_(type) {}

  void make(Client& client) override {
    for (std::uint32_t& id : targets_) {
      const long fd =
          holds_programs() ? client.load(Bytecode().set(0, 0).exit().finish()) : client.create(kInner);
      PORTOLAN_ASSERT(fd >= 0);
      id = holds_programs() ? client.id_of_program(fd) : client.id_of_map(fd);
      fds_[id] = fd;
    }
    fd_ = client.create({type_, 4, 4, kKeys, 0, holds_programs() ? 0 : fds_[targets_[0]]});
    PORTOLAN_ASSERT(fd_ >= 0);
    id_ = client.id_of_map(fd_);
    maps_ = client.count_maps();
  }
  void join(Client& client) override {
    fd_ = client.map_by_id(id_);
    for (auto& [id, fd] : fds_) fd = holds_programs() ? client.program_by_id(id) : client.map_by_id(id);
  }

  Problem tend(Client& client) override {
    const std::uint32_t key = look_at_++ % kKeys;
    std::uint32_t id = 0;
    const long result = client.lookup(fd_, &key, &id);
    return result == 0 || result == -ENOENT ? "" : fmt::format("key {} cannot be looked up: {}", key, result);
  }

  // Inner maps that nothing refers to any more are gone.
  Problem check(Client& client) override {
    if (type_ == MapType::kHashOfMaps)
      if (Problem problem = fills_up(client, kKeys, targets_[0]); !problem.empty()) return problem;
    for (std::uint32_t key = 0; key < kKeys; ++key)
      if (acknowledged(key) != 0)
        if (Problem problem = write(client, key, 0, 0); !problem.empty()) return problem;
    client.runtime().sweep();
    const std::uint32_t left = client.count_maps();
    return left == maps_ ? "" : fmt::format("{} maps are left of {}", left, maps_);
  }

 private:
  bool holds_programs() const { return type_ == MapType::kProgArray; }

  long put(Client& client, std::uint32_t key, std::uint64_t id, std::uint64_t flags) override {
    const auto fd = static_cast<std::uint32_t>(fds_.at(static_cast<std::uint32_t>(id)));
    return client.update(fd_, &key, &fd, flags);
  }
  long remove(Client& client, std::uint32_t key) override { return client.erase(fd_, &key); }
  std::optional<std::uint64_t> content(Client& client, std::uint32_t key, std::uint64_t,
                                       std::uint64_t) override {
    std::uint32_t id = 0;
    const long result = client.lookup(fd_, &key, &id);
    if (result == -ENOENT) return 0;
    if (result != 0) return {};
    return id;
  }

  // One of those that are there anyway, or a new one that only the map will keep.
  std::uint64_t new_content(Client& client, Writer& writer) override {
    if (holds_programs() || writer.dice() % 4 != 0) return targets_[writer.dice() % kTargets];
    const long fd = client.create(kInner);
    PORTOLAN_ASSERT(fd >= 0);
    const std::uint32_t id = client.id_of_map(fd);
    fds_[id] = fd;
    return id;
  }
  void done_with(Client& client, std::uint64_t content) override {
    const auto id = static_cast<std::uint32_t>(content);
    for (const std::uint32_t target : targets_)
      if (target == id) return;
    if (const auto fresh = fds_.find(id); fresh != fds_.end()) {
      client.close_map(fresh->second);
      fds_.erase(fresh);
    }
  }

  const MapType type_;
  std::uint32_t targets_[kTargets] = {};
  std::map<std::uint32_t, long> fds_;  // of this process, by id
  long fd_ = -1;
  std::uint32_t id_ = 0, maps_ = 0, look_at_ = 0;
};

template <MapType type>
std::unique_ptr<Subject> map_of_fds() {
  return std::make_unique<MapOfFds>(type);
}

constexpr MapRow kTypes[] = {{"prog_array", map_of_fds<MapType::kProgArray>},
                             {"array_of_maps", map_of_fds<MapType::kArrayOfMaps>},
                             {"hash_of_maps", map_of_fds<MapType::kHashOfMaps>}};

}  // namespace

std::span<const MapRow> maps_of_fds() { return kTypes; }

}  // namespace portolan::stress
