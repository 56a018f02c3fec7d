// SPDX-License-Identifier: Apache-2.0
// What a sequence of operations has made on one backend: map fds in numbered slots, BTF objects, pins.
#pragma once
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "arena.h"
#include "backend.h"
#include "operation.h"

namespace portolan::conformance {

struct Shape {
  std::uint32_t type = 0, id = 0, key_size = 0, value_size = 0, max_entries = 0, flags = 0;
  bool is_hash() const { return is_hash_type(type); }
  bool is_per_cpu() const { return is_per_cpu_type(type); }
  // Of a value as system calls see it.
  std::size_t user_value_size() const;
};

unsigned possible_cpus();

class World {
 public:
  World(Backend& backend, Arena& arena);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Backend& backend() { return backend_; }
  Arena& arena() { return arena_; }

  void clear();  // closes the maps and removes the pins: as after construction
  void adopt_map(int slot, int fd);
  void close_map(int slot) { adopt_map(slot, -1); }

  int map_fd(int slot) const { return map_fds_[static_cast<std::size_t>(slot)]; }
  const Shape& shape(int slot) const { return shapes_[static_cast<std::size_t>(slot)]; }
  // A mapping that a sequence has made; empty when there is none.
  struct Mapped {
    std::span<std::byte> bytes;
    bool readable = false, writable = false;
    std::size_t storable = 0;  // bytes at its beginning that are the same memory on both backends
  };
  Mapped& mapped(std::uint32_t number) { return mappings_[number]; }
  void unmap(std::uint32_t number);

  std::uint32_t value_of(const Reference& reference) const;  // the fd or id on this backend
  // "the n-th that was made" for an id of ours, or the id itself.
  std::uint32_t name_of_map_id(std::uint32_t id) const;
  std::uint32_t name_of_btf_id(std::uint32_t id) const;
  // A map that the kernel lets go a moment after its last user: its programs are taken out first, or a map
  // that held it went with its last user, and is taken down by and by.
  bool may_linger(std::uint32_t id) const;
  // Values of a map of objects: numbers of slots or objects become fds, and ids what they are called.
  void put_fds(const Shape& map, std::vector<std::byte>& numbers) const;
  void name_ids(std::uint32_t type, std::vector<std::byte>& values) const;
  std::string path(const char* text) const;  // '@' expanded
  std::string pin_path(std::uint32_t number) const;

  // Plain calls for the harness's own questions, without an arena.
  long call(unsigned command, Attr& attr, unsigned size) {
    return backend_.bpf(command, attr.bytes.data(), size);
  }
  long lookup(int fd, const void* key, void* value, unsigned command = kLookup);

 private:
  int load_btf(int slot);
  void load_program(std::size_t number);
  int object_fd(const Shape& map, std::uint32_t number) const;
  Backend& backend_;
  Arena& arena_;
  std::array<int, kMapSlots> map_fds_;
  std::array<Shape, kMapSlots> shapes_;
  std::array<int, kBtfSlots> btf_fds_;
  std::array<std::uint32_t, kBtfSlots> btf_ids_{};
  std::array<int, kObjects> program_fds_, event_fds_;
  std::array<std::uint32_t, kObjects> program_ids_{};
  std::vector<std::uint32_t> map_ids_, prog_array_ids_;  // of all maps since the last clear(), by age
  bool had_maps_of_maps_ = false;                        // since then
  std::array<Mapped, kMappings> mappings_;
  int ordinary_file_ = -1;
};

}  // namespace portolan::conformance
