// SPDX-License-Identifier: Apache-2.0
#include "world.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/assert.h"
#include "base/sys.h"
#include "btf_blob.h"
#include "bytecode.h"

namespace portolan::conformance {
namespace {

// Never open: far above anything that a run has open at a time.
constexpr int kClosedFd = 19000;
constexpr std::uint32_t kPins = 4;
constexpr const char* kOddPin = "/pin\xc3\xa9";  // the one of the generator's odd paths that works

}  // namespace

unsigned possible_cpus() {
  static const unsigned count = [] {
    std::ifstream file("/sys/devices/system/cpu/possible");
    unsigned first = 0, last = 0;
    char dash = 0;
    file >> first;
    last = first;
    if (file >> dash >> last) return last + 1;
    return first + 1;
  }();
  return count;
}

std::size_t Shape::user_value_size() const {
  return is_per_cpu() ? round_up(value_size, 8) * possible_cpus() : value_size;
}

World::World(Backend& backend, Arena& arena) : backend_(backend), arena_(arena) {
  map_fds_.fill(-1);
  btf_fds_.fill(-1);
  const auto file = sys::openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);
  PORTOLAN_ASSERT(file);
  ordinary_file_ = *file;
  for (int slot = 0; slot < kBtfSlots; ++slot) btf_fds_[static_cast<std::size_t>(slot)] = load_btf(slot);
  for (std::size_t number = 0; number < kObjects; ++number) {
    load_program(number);
    event_fds_[number] = static_cast<int>(backend_.open_event(0));
  }
}

World::~World() {
  clear();
  for (int fd : btf_fds_)
    if (fd >= 0) backend_.close(fd);
  for (const auto& objects : {program_fds_, event_fds_})
    for (int fd : objects)
      if (fd >= 0) backend_.close(fd);
  (void)sys::close(ordinary_file_);
}

// The first two are of one type.
void World::load_program(std::size_t number) {
  constexpr std::uint32_t kSocketFilter = 1, kXdp = 6;
  static const char license[] = "GPL";
  const auto insns = Bytecode().set(0, static_cast<std::int32_t>(number)).exit().finish();
  Attr attr;
  attr.set(load::kProgType, number < 2 ? kXdp : kSocketFilter).set(load::kInsnCnt, insns.size());
  attr.set(load::kInsns, reinterpret_cast<std::uint64_t>(insns.data()));
  attr.set(load::kLicense, reinterpret_cast<std::uint64_t>(license));
  program_fds_[number] = static_cast<int>(call(kProgLoad, attr, kAttrSize));
  std::array<std::uint32_t, 2> details{};
  Attr ask;
  ask.set(info::kBpfFd, static_cast<std::uint64_t>(program_fds_[number])).set(info::kInfoLen, sizeof details);
  ask.set(info::kInfo, reinterpret_cast<std::uint64_t>(details.data()));
  if (call(kObjGetInfo, ask, info::kSize) == 0) program_ids_[number] = details[1];
}

int World::load_btf(int slot) {
  const std::vector<std::byte> blob = slot == 0 ? map_types_btf() : BtfBlob().add_int("int", 4, true).bytes();
  Attr attr;
  attr.set(btf::kBtf, reinterpret_cast<std::uint64_t>(blob.data())).set(btf::kBtfSize, blob.size());
  const long fd = call(kBtfLoad, attr, btf::kSize);
  if (fd < 0) return -1;
  std::array<std::byte, info::kBtfSize> details{};
  Attr ask;
  ask.set(info::kBpfFd, static_cast<std::uint64_t>(fd)).set(info::kInfoLen, details.size());
  ask.set(info::kInfo, reinterpret_cast<std::uint64_t>(details.data()));
  if (call(kObjGetInfo, ask, info::kSize) == 0)
    btf_ids_[static_cast<std::size_t>(slot)] =
        load_unaligned<std::uint32_t>(details.data() + info::kBtfIdOffset);
  return static_cast<int>(fd);
}

void World::clear() {
  for (int slot = 0; slot < kMapSlots; ++slot) close_map(slot);
  map_ids_.clear();
  prog_array_ids_.clear();
  had_maps_of_maps_ = false;
  for (std::uint32_t pin = 0; pin < kPins; ++pin) backend_.unlink(pin_path(pin));
  backend_.unlink(backend_.pin_directory() + kOddPin);
  for (std::uint32_t number = 0; number < kMappings; ++number) unmap(number);
}

void World::unmap(std::uint32_t number) {
  if (!mappings_[number].bytes.empty())
    backend_.munmap(mappings_[number].bytes.data(), mappings_[number].bytes.size());
  mappings_[number] = {};
}

void World::adopt_map(int slot, int fd) {
  const auto at = static_cast<std::size_t>(slot);
  if (map_fds_[at] >= 0) backend_.close(map_fds_[at]);
  map_fds_[at] = fd;
  shapes_[at] = {};
  if (fd < 0) return;
  std::array<std::uint32_t, 6> details{};
  Attr ask;
  ask.set(info::kBpfFd, static_cast<std::uint64_t>(fd)).set(info::kInfoLen, sizeof details);
  ask.set(info::kInfo, reinterpret_cast<std::uint64_t>(details.data()));
  if (call(kObjGetInfo, ask, info::kSize) != 0) return;
  shapes_[at] = {details[0], details[1], details[2], details[3], details[4], details[5]};
  if (std::find(map_ids_.begin(), map_ids_.end(), details[1]) == map_ids_.end())
    map_ids_.push_back(details[1]);
  had_maps_of_maps_ |= holds_maps(details[0]);
  if (details[0] == kProgArray) prog_array_ids_.push_back(details[1]);
}

bool World::may_linger(std::uint32_t id) const {
  const auto is_it = [id](const Shape& shape) { return shape.id == id; };
  return (had_maps_of_maps_ ||
          std::find(prog_array_ids_.begin(), prog_array_ids_.end(), id) != prog_array_ids_.end()) &&
         std::none_of(shapes_.begin(), shapes_.end(), is_it);
}

std::uint32_t World::value_of(const Reference& reference) const {
  const auto slot = static_cast<std::size_t>(reference.slot);
  const auto fd_or_closed = [](int fd) { return static_cast<std::uint32_t>(fd >= 0 ? fd : kClosedFd); };
  switch (reference.to) {
    case Referent::kMap:
      return fd_or_closed(map_fds_[slot]);
    case Referent::kBtf:
      return fd_or_closed(btf_fds_[slot]);
    case Referent::kClosed:
      return kClosedFd;
    case Referent::kNegative:
      return ~0u;
    case Referent::kOrdinaryFile:
      return static_cast<std::uint32_t>(ordinary_file_);
    case Referent::kMapId:
      return shapes_[slot].id;
    case Referent::kBtfId:
      return btf_ids_[slot];
  }
  return 0;
}

std::uint32_t World::name_of_map_id(std::uint32_t id) const {
  const auto known = std::find(map_ids_.begin(), map_ids_.end(), id);
  return known == map_ids_.end() ? id : 0x6d610000 + static_cast<std::uint32_t>(known - map_ids_.begin());
}

namespace {

template <class Change>
void change_words(std::vector<std::byte>& bytes, Change change) {
  for (std::size_t at = 0; at + 4 <= bytes.size(); at += 4) {
    const std::uint32_t word = change(load_unaligned<std::uint32_t>(bytes.data() + at));
    std::memcpy(bytes.data() + at, &word, sizeof word);
  }
}

}  // namespace

// How long an event stays where it is not to be preserved is not the same here (COMPAT.md).
int World::object_fd(const Shape& map, std::uint32_t number) const {
  const bool takes_events = map.type == kPerfEventArray && (map.flags & kPreserveElems) != 0;
  if (map.type == kProgArray && number < kObjects) return program_fds_[number];
  if (map.type == kPerfEventArray && number < kObjects) return takes_events ? event_fds_[number] : kClosedFd;
  return static_cast<int>(
      value_of({{}, Referent::kMap, static_cast<int>(holds_maps(map.type) ? number : number - kObjects)}));
}

void World::put_fds(const Shape& map, std::vector<std::byte>& numbers) const {
  const auto count = static_cast<std::uint32_t>(holds_maps(map.type) ? kMapSlots : kObjects + kMapSlots);
  change_words(numbers, [&](std::uint32_t number) {
    return number < count ? static_cast<std::uint32_t>(object_fd(map, number)) : number;
  });
}

void World::name_ids(std::uint32_t type, std::vector<std::byte>& values) const {
  change_words(values, [&](std::uint32_t id) {
    if (holds_maps(type)) return name_of_map_id(id);
    const auto known = std::find(program_ids_.begin(), program_ids_.end(), id);
    const auto number = static_cast<std::uint32_t>(known - program_ids_.begin());
    return id == 0 || known == program_ids_.end() ? id : 0x70726f00 + number;
  });
}

std::uint32_t World::name_of_btf_id(std::uint32_t id) const {
  for (std::uint32_t slot = 0; slot < kBtfSlots; ++slot)
    if (id != 0 && btf_ids_[slot] == id) return 0x62746600 + slot;
  return id;
}

std::string World::path(const char* text) const {
  return text[0] == '@' ? backend_.pin_directory() + (text + 1) : std::string(text);
}

std::string World::pin_path(std::uint32_t number) const {
  return fmt::format("{}/pin{}", backend_.pin_directory(), number);
}

long World::lookup(int fd, const void* key, void* value, unsigned command) {
  Attr attr;
  attr.set(element::kMapFd, static_cast<std::uint64_t>(fd))
      .set(element::kKey, reinterpret_cast<std::uint64_t>(key));
  attr.set(element::kValue, reinterpret_cast<std::uint64_t>(value));
  return call(command, attr, element::kSize);
}

}  // namespace portolan::conformance
