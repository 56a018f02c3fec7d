// SPDX-License-Identifier: Apache-2.0
// An input is a log level, a few type ids and a BTF blob. What loads is read back and used for maps.
#include <cstring>

#include "abi/info.h"
#include "abi/map_type.h"
#include "base/assert.h"
#include "fuzz/world.h"

namespace portolan::fuzz {
namespace {

using abi::Attr;
using abi::Command;

constexpr std::size_t kLogSize = 4096;

long load(World& world, const Arena& arena, std::size_t blob_size, std::uint32_t log_level) {
  Attr attr{};
  attr.btf_load.btf = arena.address();
  attr.btf_load.btf_size = static_cast<std::uint32_t>(blob_size);
  attr.btf_load.btf_log_level = log_level;
  if (log_level != 0) {
    attr.btf_load.btf_log_buf = arena.address(Arena::kSize - kLogSize);
    attr.btf_load.btf_log_size = kLogSize;
  }
  return world.call(Command::kBtfLoad, attr);
}

// What is answered for a loaded blob is the blob.
void read_back(World& world, int fd, const std::byte* blob, std::size_t size) {
  std::vector<std::byte> copy(size);
  abi::BtfInfo info{};
  info.btf = reinterpret_cast<std::uintptr_t>(copy.data());
  info.btf_size = static_cast<std::uint32_t>(size);
  Attr attr{};
  attr.info.bpf_fd = static_cast<std::uint32_t>(fd);
  attr.info.info_len = sizeof info;
  attr.info.info = reinterpret_cast<std::uintptr_t>(&info);
  PORTOLAN_ASSERT(world.call(Command::kObjGetInfoByFd, attr) == 0);
  PORTOLAN_ASSERT(info.btf_size == size && std::memcmp(copy.data(), blob, size) == 0);
}

void make_typed_map(World& world, int fd, abi::MapType type, std::uint8_t key_type, std::uint8_t value_type,
                    std::uint8_t value_size) {
  Attr attr{};
  attr.map_create.map_type = static_cast<std::uint32_t>(type);
  attr.map_create.key_size = 4;
  attr.map_create.value_size = value_size;
  attr.map_create.max_entries = 2;
  attr.map_create.btf_fd = static_cast<std::uint32_t>(fd);
  attr.map_create.btf_key_type_id = key_type;
  attr.map_create.btf_value_type_id = value_type;
  const long map = world.call(Command::kMapCreate, attr);
  if (map < 0) return;
  // With BPF_F_LOCK where the value has a lock; its place must lie within the value.
  std::uint32_t key = 1;
  std::uint8_t value[256] = {};
  Attr element{};
  element.elem.map_fd = static_cast<std::uint32_t>(map);
  element.elem.key = reinterpret_cast<std::uintptr_t>(&key);
  element.elem.value = reinterpret_cast<std::uintptr_t>(value);
  for (std::uint64_t flags : {0u, 4u}) {
    element.elem.flags = flags;
    world.call(Command::kMapUpdateElem, element);
    world.call(Command::kMapLookupElem, element);
  }
}

}  // namespace
}  // namespace portolan::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace portolan::fuzz;
  static const Arena arena_of_all;
  static World* world = (limit_file_size(), new World);

  Arena arena = arena_of_all;
  Input input(data, size);
  const auto log_level = input.take<std::uint8_t>();
  const auto key_type = input.take<std::uint8_t>(), value_type = input.take<std::uint8_t>(),
             value_size = input.take<std::uint8_t>();
  const std::size_t blob_size = std::min(input.left(), Arena::kSize - kLogSize);
  arena.fill(input, blob_size);
  const std::vector<std::byte> blob(arena.bytes(), arena.bytes() + blob_size);
  const long fd = load(*world, arena, blob_size, log_level);
  if (fd >= 0) {
    read_back(*world, static_cast<int>(fd), blob.data(), blob.size());
    for (auto type : {portolan::abi::MapType::kArray, portolan::abi::MapType::kHash})
      make_typed_map(*world, static_cast<int>(fd), type, key_type, value_type, value_size);
  }
  world->close_fds();
  return 0;
}
