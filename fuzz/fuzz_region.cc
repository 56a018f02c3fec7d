// SPDX-License-Identifier: Apache-2.0
// An input is: whether the runtime is open while its files change, then changes (file, place, byte) and
// calls. A peer that writes nonsense may spoil the data; it must not crash or hang whoever reads them.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "abi/map_type.h"
#include "base/assert.h"
#include "fuzz/world.h"

namespace portolan::fuzz {
namespace {

using abi::Attr;
using abi::Command;
using abi::MapType;

constexpr std::size_t kMostSteps = 64;

struct Shape {
  MapType type;
  std::uint32_t key_size, value_size, max_entries, flags;
};
// Three at a time, so that changes hit what calls use.
constexpr Shape kShapes[][3] = {
    {{MapType::kHash, 4, 8, 16, 0}, {MapType::kHash, 4, 8, 16, 1}, {MapType::kArray, 4, 8, 4, 0}},
    {{MapType::kLruHash, 4, 8, 6, 0}, {MapType::kLpmTrie, 8, 8, 16, 1}, {MapType::kStackTrace, 4, 16, 4, 0}},
    {{MapType::kQueue, 0, 8, 4, 0}, {MapType::kLpmTrie, 24, 8, 16, 1}, {MapType::kBloomFilter, 0, 8, 4, 0}},
    {{MapType::kLruPerCpuHash, 4, 8, 6, 0},
     {MapType::kStack, 0, 8, 4, 0},
     {MapType::kRingbuf, 0, 0, 4096, 0}},
};

void make_maps(World& world, std::size_t set) {
  for (const Shape& one : kShapes[set % std::size(kShapes)])
    (void)world.make_map(static_cast<std::uint32_t>(one.type), one.key_size, one.value_size, one.max_entries,
                         one.flags);
}

// The files of the runtime that others may write, always in the same order.
std::vector<std::string> files_of(const World& world) {
  std::vector<std::string> files;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(world.directory(), ignored))
    if (entry.is_regular_file(ignored) &&
        (entry.path().filename() == "state" || entry.path().filename() == "control"))
      files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

// Most of a file is slack; half of the changes go to its first kilobytes, where the headers are.
void change(const std::vector<std::string>& files, Input& input) {
  const auto which = input.take<std::uint8_t>();
  auto place = static_cast<off_t>(input.take<std::uint16_t>());
  const auto value = input.take<std::uint64_t>();
  const std::size_t width = std::size_t{1} << (which >> 6);
  if (files.empty()) return;
  const int file = ::open(files[(which & 0x1f) % files.size()].c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  if ((which & 0x20) != 0) place *= 8;
  const off_t end = ::lseek(file, 0, SEEK_END);
  if (place + static_cast<off_t>(width) <= end) {
    const ssize_t written = ::pwrite(file, &value, width, place);
    PORTOLAN_ASSERT(written == static_cast<ssize_t>(width));
  }
  ::close(file);
}

void call(World& world, Input& input) {
  constexpr Command kCommands[] = {
      Command::kMapLookupElem,          Command::kMapUpdateElem,  Command::kMapDeleteElem,
      Command::kMapGetNextKey,          Command::kMapLookupBatch, Command::kMapUpdateBatch,
      Command::kMapLookupAndDeleteElem, Command::kMapGetNextId,   Command::kMapGetFdById,
      Command::kObjGetInfoByFd,         Command::kMapCreate};
  const Command command = kCommands[input.take<std::uint8_t>() % std::size(kCommands)];
  const auto which = input.take<std::uint8_t>();
  // A tampered map may say that its keys and values are as large as a file may be here; a client would ask it
  // first.
  static std::uint32_t keys[8 * (kLargestFile / 4)];
  static std::uint64_t values[8 * (kLargestFile / 8)];
  std::uint32_t cursor[2] = {};
  for (std::uint32_t n = 0; n < 16; ++n) keys[n] = (which >> 4) + n;
  const auto fd = static_cast<std::uint32_t>(world.fd(which & 3));
  const auto address = [](auto* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); };

  Attr attr{};
  switch (command) {
    case Command::kMapLookupBatch:
    case Command::kMapUpdateBatch:
      attr.batch = {.in_batch = 0,
                    .out_batch = address(cursor),
                    .keys = address(keys),
                    .values = address(values),
                    .count = 8,
                    .map_fd = fd,
                    .elem_flags = 0,
                    .flags = 0};
      break;
    case Command::kMapGetNextId:
    case Command::kMapGetFdById:
      attr.id.start_id = which % 5;
      break;
    case Command::kObjGetInfoByFd:
      attr.info = {.bpf_fd = fd, .info_len = 104, .info = address(values)};
      break;
    case Command::kMapCreate:
      world.make_map(1 + which % 6, 4, 8, 1 + which, which >> 7);
      return;
    default:
      attr.elem.map_fd = fd;
      attr.elem.key = address(keys);
      attr.elem.value = address(values);
  }
  world.call(command, attr);
}

}  // namespace
}  // namespace portolan::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace portolan::fuzz;
  static const bool limited = (limit_file_size(), true);
  (void)limited;

  Input input(data, size);
  World world;
  const auto how = input.take<std::uint8_t>();
  make_maps(world, how >> 1);
  for (std::uint32_t n = 0; n < 3 * 8; ++n) {  // something to find
    std::uint64_t key[3] = {n / 3 * 0x0102'0000'0003ull, n};
    std::uint64_t value = n;
    Attr attr{};
    attr.elem.map_fd = static_cast<std::uint32_t>(world.fd(n % 3));
    attr.elem.key = reinterpret_cast<std::uintptr_t>(key);
    attr.elem.value = reinterpret_cast<std::uintptr_t>(&value);
    world.call(Command::kMapUpdateElem, attr);
  }
  const bool stays_open = (how & 1) != 0;
  const std::vector<std::string> files = files_of(world);
  if (!stays_open) {
    world.close_runtime();
    for (std::size_t changes = input.take<std::uint8_t>() % 16; changes-- != 0;) change(files, input);
    if (!world.reopen()) return 0;  // refused with a reason: as good as any answer
  }
  for (std::size_t steps = 0; steps < kMostSteps && !input.empty(); ++steps) {
    if (stays_open && input.take<std::uint8_t>() % 2 == 0)
      change(files, input);
    else
      call(world, input);
  }
  (void)world.check(false);
  world.runtime().sweep();
  return 0;
}
