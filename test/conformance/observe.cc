// SPDX-License-Identifier: Apache-2.0
#include "observe.h"

#include <fmt/format.h>
#include <string.h>
#include <sys/mman.h>

#include "base/sys.h"
#include "iterate.h"

namespace portolan::conformance {
namespace {

constexpr std::size_t kAttrRegion = 0;
constexpr std::size_t kAttrSlack = 64;  // accessible bytes behind an attr that is not at the end

// The attr in memory: where it was put, how long it is there.
struct PlacedAttr {
  std::uint64_t address = 0;
  std::size_t size = 0;
  std::size_t slack = 0;
  Attr sent;
};

// The map that an operation names by a fd of ours, or nullptr.
const Reference* map_of(const Operation& operation) {
  for (const Reference& reference : operation.references)
    if (reference.to == Referent::kMap) return &reference;
  return nullptr;
}

// The map of objects that an operation is on; nullptr: on none.
const Shape* objects_of(World& world, const Operation& operation) {
  const Reference* const map = map_of(operation);
  if (map == nullptr || operation.command == kMapCreate || world.map_fd(map->slot) < 0) return nullptr;
  const Shape& shape = world.shape(map->slot);
  return holds_objects(shape.type) ? &shape : nullptr;
}

PlacedAttr place_attr(World& world, const Operation& operation) {
  PlacedAttr placed;
  placed.sent = operation.attr;
  std::size_t region = kAttrRegion;
  for (const Buffer& buffer : operation.buffers) {
    ++region;
    std::uint64_t address;
    if (buffer.is_path) {
      const std::string path = world.path(reinterpret_cast<const char*>(buffer.bytes.data()));
      address =
          world.arena().put(region, std::as_bytes(std::span(path.c_str(), path.size() + 1)), buffer.place);
    } else if (const Shape* map = objects_of(world, operation); map != nullptr && buffer.has_fds) {
      std::vector<std::byte> fds = buffer.bytes;
      world.put_fds(*map, fds);
      address = world.arena().put(region, fds, buffer.place);
    } else {
      address = world.arena().put(region, buffer.bytes, buffer.place);
    }
    placed.sent.set(buffer.field, address);
  }
  for (const Reference& reference : operation.references)
    placed.sent.set(reference.field, world.value_of(reference));

  std::size_t size = operation.attr_at_the_end ? operation.size : std::max(operation.size, kAttrSize);
  size = std::min<std::size_t>(size, kAttrCapacity);
  std::vector<std::byte> bytes(size);
  bytes.reserve(1);  // an address for memcpy, also when there is nothing to copy
  std::memcpy(bytes.data(), placed.sent.bytes.data(), std::min<std::size_t>(size, kAttrSize));
  if (operation.stray_byte != 0 && operation.stray_byte < size) bytes[operation.stray_byte] = std::byte{0x5a};
  std::memcpy(placed.sent.bytes.data(), bytes.data(), std::min<std::size_t>(size, kAttrSize));
  placed.size = size;
  placed.slack = operation.attr_at_the_end ? 0 : kAttrSlack;
  placed.address = world.arena().put(kAttrRegion, bytes, operation.attr_place, placed.slack);
  return placed;
}

Observation::Part seen(World& world, std::string name, std::size_t region, std::size_t size,
                       std::size_t slack = 0) {
  const ConstBytes bytes = world.arena().seen(region, size, slack);
  return {std::move(name), {bytes.begin(), bytes.end()}};
}

// Fields whose value differs between backends, though both were left as they were.
void blank_if_unchanged(Observation::Part& part, const PlacedAttr& placed, Field field) {
  if (field.offset >= placed.size) return;
  const std::size_t size = std::min<std::size_t>(field.size, placed.size - field.offset);
  std::byte* at = part.bytes.data() + Arena::kRedZone + field.offset;
  if (std::memcmp(at, placed.sent.bytes.data() + field.offset, size) == 0) std::memset(at, 0, size);
}

void collect(World& world, const Operation& operation, const PlacedAttr& placed, Observation& observation) {
  Observation::Part attr = seen(world, "attr", kAttrRegion, placed.size, placed.slack);
  for (const Buffer& buffer : operation.buffers) blank_if_unchanged(attr, placed, buffer.field);
  for (const Reference& reference : operation.references) blank_if_unchanged(attr, placed, reference.field);
  observation.parts.push_back(std::move(attr));
  std::size_t region = kAttrRegion;
  for (const Buffer& buffer : operation.buffers) {
    ++region;
    if (buffer.is_path) continue;
    observation.parts.push_back(seen(world, buffer.field.name, region, buffer.bytes.size()));
    const Shape* const map = objects_of(world, operation);
    if (!buffer.has_fds || map == nullptr) continue;
    // What the caller put there is as the operation has it; what came out has ids.
    std::vector<std::byte> fds = buffer.bytes;
    world.put_fds(*map, fds);
    auto& bytes = observation.parts.back().bytes;
    for (std::size_t at = 0; at < fds.size() && Arena::kRedZone + at < bytes.size(); at += 4)
      if (std::memcmp(bytes.data() + Arena::kRedZone + at, fds.data() + at,
                      std::min<std::size_t>(4, fds.size() - at)) == 0)
        std::memcpy(bytes.data() + Arena::kRedZone + at, buffer.bytes.data() + at,
                    std::min<std::size_t>(4, fds.size() - at));
  }
}

// `sent`: what the caller had there; where that still is, nothing was written, and it is no id.
template <class Name>
void rename_id(std::vector<std::byte>& bytes, const std::vector<std::byte>& sent, std::size_t offset,
               Name name) {
  const std::size_t before = offset - Arena::kRedZone;
  if (bytes.size() < offset + 4) return;
  if (sent.size() >= before + 4 && std::memcmp(bytes.data() + offset, sent.data() + before, 4) == 0) return;
  const std::uint32_t id = name(load_unaligned<std::uint32_t>(bytes.data() + offset));
  std::memcpy(bytes.data() + offset, &id, sizeof id);
}

void rename_info_ids(World& world, const Operation& operation, Observation& observation) {
  if (observation.parts.size() < 2 || operation.references.empty() || operation.buffers.empty()) return;
  std::vector<std::byte>& bytes = observation.parts[1].bytes;
  const std::vector<std::byte>& sent = operation.buffers[0].bytes;
  const auto btf_name = [&](std::uint32_t id) { return world.name_of_btf_id(id); };
  if (operation.references[0].to == Referent::kBtf) {
    rename_id(bytes, sent, Arena::kRedZone + info::kBtfIdOffset, btf_name);
  } else {
    rename_id(bytes, sent, Arena::kRedZone + info::kMapIdOffset,
              [&](std::uint32_t id) { return world.name_of_map_id(id); });
    rename_id(bytes, sent, Arena::kRedZone + info::kMapBtfIdOffset, btf_name);
  }
}

bool returns_map_fd(unsigned command) {
  return command == kMapCreate || command == kObjGet || command == kMapGetFdById;
}

void take_fd(World& world, const Operation& operation, Observation& observation) {
  if (observation.result < 0) return;
  const int fd = static_cast<int>(observation.result);
  if (returns_map_fd(operation.command)) {
    observation.result = 0;
    if (operation.slot != kNoSlot)
      world.adopt_map(operation.slot, fd);
    else
      world.backend().close(fd);
  } else if (operation.command == kBtfLoad || operation.command == kBtfGetFdById ||
             operation.command == kEnableStats) {
    observation.result = 0;
    world.backend().close(fd);
  }
}

// Words that are as the caller had them are no ids.
void name_values(World& world, const Operation& operation, std::uint32_t type, Observation& observation) {
  for (const Buffer& buffer : operation.buffers)
    for (Observation::Part& part : observation.parts) {
      if (part.name != buffer.field.name ||
          (part.name != element::kValue.name && part.name != batch::kValues.name))
        continue;
      std::vector<std::byte> named = part.bytes;
      world.name_ids(type, named);
      for (std::size_t at = 0; at + 4 <= buffer.bytes.size() && Arena::kRedZone + at + 4 <= named.size();
           at += 4)
        if (std::byte* const word = part.bytes.data() + Arena::kRedZone + at;
            std::memcmp(word, buffer.bytes.data() + at, 4) != 0)
          std::memcpy(word, named.data() + Arena::kRedZone + at, 4);
    }
}

Observation call(World& world, const Operation& operation) {
  Observation observation;
  const Reference* map = map_of(operation);
  const bool hash = map != nullptr && world.map_fd(map->slot) >= 0 && world.shape(map->slot).is_hash();
  if (hash && operation.command == kLookupAndDeleteBatch && !takes_all(world, operation, map->slot))
    return observation;
  const PlacedAttr placed = place_attr(world, operation);
  const bool moves_freely =
      hash && operation.command == kGetNextKey && next_key_is_open(world, operation, map->slot);
  observation.result =
      world.backend().bpf(operation.command, reinterpret_cast<void*>(placed.address), operation.size);
  collect(world, operation, placed, observation);
  // How much of a log has arrived before its buffer turned out to be bad is the kernel's own matter.
  if (operation.command == kBtfLoad && observation.result == -EFAULT)
    std::erase_if(observation.parts, [](const auto& part) { return part.name == btf::kLogBuf.name; });
  if (operation.command == kObjGetInfo) rename_info_ids(world, operation, observation);
  const bool gives_values = operation.command == kLookup || operation.command == kLookupBatch ||
                            operation.command == kLookupAndDeleteBatch;
  const Shape* const objects = objects_of(world, operation);
  if (gives_values && objects != nullptr) name_values(world, operation, objects->type, observation);
  // A part of an id says nothing.
  if (objects != nullptr && observation.result == -EFAULT)
    std::erase_if(observation.parts, [](const auto& part) {
      return part.name == element::kValue.name || part.name == batch::kValues.name;
    });
  if (hash && operation.command == kGetNextKey) settle_next_key(world, map->slot, moves_freely, observation);
  if (hash && (operation.command == kLookupBatch || operation.command == kLookupAndDeleteBatch))
    settle_batch(world, operation, map->slot, observation);
  take_fd(world, operation, observation);
  return observation;
}

void map_memory(World& world, const Operation& operation, Observation& observation) {
  world.unmap(operation.count);
  const int fd = world.map_fd(operation.slot);
  const Mapping& wanted = operation.mapping;
  if (fd < 0) return;
  const long at = world.backend().mmap(wanted.length, wanted.protection, wanted.flags, fd, wanted.offset);
  observation.result = std::min(at, 0l);
  if (at < 0 && at >= -4095) return;
  observation.result = 0;
  world.mapped(operation.count) = {{reinterpret_cast<std::byte*>(at), wanted.length},
                                   (wanted.protection & PROT_READ) != 0,
                                   (wanted.protection & PROT_WRITE) != 0,
                                   wanted.length};
  // The halves of a ring's data are not one memory here (COMPAT.md).
  if (world.shape(operation.slot).type == kUserRingbuf)
    world.mapped(operation.count).storable =
        2 * kPageSize - std::min<std::size_t>(2 * kPageSize, wanted.offset);
}

void touch_memory(World& world, const Operation& operation, Observation& observation) {
  World::Mapped& mapped = world.mapped(operation.count);
  if (mapped.bytes.empty()) return;
  if (operation.verb == Verb::kProtect) {
    observation.result =
        world.backend().mprotect(mapped.bytes.data(), mapped.bytes.size(), operation.mapping.protection);
    if (observation.result != 0) return;
    mapped.readable = (operation.mapping.protection & PROT_READ) != 0;
    mapped.writable = (operation.mapping.protection & PROT_WRITE) != 0;
  } else if (operation.verb == Verb::kStore && mapped.writable) {
    const std::size_t at = operation.mapping.offset % mapped.bytes.size();
    if (at < mapped.storable) mapped.bytes[at] = static_cast<std::byte>(operation.mapping.offset + 1);
  }
  if (mapped.readable) observation.parts.push_back({"=memory", {mapped.bytes.begin(), mapped.bytes.end()}});
}

}  // namespace

Observation execute(World& world, const Operation& operation) {
  Observation observation;
  switch (operation.verb) {
    case Verb::kBpf:
      return call(world, operation);
    case Verb::kClose:
      world.close_map(operation.slot);
      break;
    case Verb::kIterate:
      iterate(world, operation.slot, observation);
      break;
    case Verb::kWalk:
      walk(world, operation, observation);
      break;
    case Verb::kListIds:
      list_ids(world, operation.command, observation);
      break;
    case Verb::kUnlinkPin:
      world.backend().unlink(world.pin_path(operation.count));
      break;
    case Verb::kMap:
      map_memory(world, operation, observation);
      break;
    case Verb::kUnmap:
      world.unmap(operation.count);
      break;
    case Verb::kShow:
    case Verb::kStore:
    case Verb::kProtect:
      touch_memory(world, operation, observation);
      break;
  }
  return observation;
}

std::string result_text(long result) {
  if (result >= 0) return fmt::format("{}", result);
  const char* name = ::strerrorname_np(static_cast<int>(-result));
  return name != nullptr ? std::string("-") + name : fmt::format("{}", result);
}

std::string difference(const Observation& kernel, const Observation& portolan) {
  std::string text;
  if (kernel.result != portolan.result)
    text += fmt::format("  result: kernel {}, portolan {}\n", result_text(kernel.result),
                        result_text(portolan.result));
  if (kernel.parts.size() != portolan.parts.size())
    text += fmt::format("  parts: kernel {}, portolan {}\n", kernel.parts.size(), portolan.parts.size());
  for (std::size_t i = 0; i < std::min(kernel.parts.size(), portolan.parts.size()); ++i) {
    const auto& a = kernel.parts[i];
    const auto& b = portolan.parts[i];
    if (a == b) continue;
    std::size_t at = 0;
    while (at < std::min(a.bytes.size(), b.bytes.size()) && a.bytes[at] == b.bytes[at]) ++at;
    const auto around = [at](const std::vector<std::byte>& bytes) {
      std::string out;
      for (std::size_t j = at; j < bytes.size() && j < at + 16; ++j)
        out += fmt::format("{:02x}", std::to_integer<unsigned>(bytes[j]));
      return out;
    };
    const long shown = static_cast<long>(at) - (a.name[0] == '=' ? 0 : static_cast<long>(Arena::kRedZone));
    text += fmt::format("  {}: at byte {}: kernel {} ({} bytes), portolan {} ({} bytes)\n", a.name, shown,
                        around(a.bytes), a.bytes.size(), around(b.bytes), b.bytes.size());
  }
  return text;
}

}  // namespace portolan::conformance
