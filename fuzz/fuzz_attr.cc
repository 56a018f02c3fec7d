// SPDX-License-Identifier: Apache-2.0
// An input is the arena's length and bytes, then calls: command, tweaks, the attr's length and bytes. Numbers
// in places where the kernel takes an address or an fd are made harmless ones, or the fuzzer would never meet
// a valid one.
#include <cstring>

#include "abi/info.h"
#include "abi/map_type.h"
#include "base/assert.h"
#include "fuzz/world.h"

namespace portolan::fuzz {
namespace {

constexpr std::size_t kMostCalls = 32;
constexpr std::uint8_t kWholeAttr = 1;    // tweak: the attr has its full length
constexpr std::uint8_t kOwnFds = 2;       // tweak: fds are those that earlier calls made
constexpr std::uint8_t kSmallMap = 4;     // tweak: sizes of a map that can be had
constexpr std::uint8_t kCommonBit = 128;  // tweak: with BPF_COMMON_ATTRS

void tame(const Arena& arena, std::uint64_t& number) { number = arena.tame(number); }

void choose_fd(const World& world, std::uint8_t tweaks, std::uint32_t& number) {
  if (tweaks & kOwnFds) number = static_cast<std::uint32_t>(world.fd(number));
}

// The pointers in an info struct lie in the arena; whatever looks like one is tamed there.
void tame_info(const Arena& arena, std::uint64_t address) {
  if (address < arena.address() || address > arena.address(Arena::kSize - sizeof(abi::ProgInfo))) return;
  std::byte* at = arena.bytes() + (address - arena.address());
  for (std::size_t offset = 0; offset < sizeof(abi::ProgInfo); offset += 8) {
    std::uint64_t word;
    std::memcpy(&word, at + offset, sizeof word);
    if (word >> 32 == 0) continue;
    word = arena.tame(word);
    std::memcpy(at + offset, &word, sizeof word);
  }
}

void tame_map_create(const World& world, std::uint8_t tweaks, abi::MapCreateAttr& attr) {
  if (tweaks & kSmallMap) {
    attr.map_type %= abi::kMapTypeEnd;
    attr.key_size %= 64;
    attr.value_size %= 512;
    attr.max_entries %= 256;
  }
  if (attr.btf_fd != 0) choose_fd(world, tweaks, attr.btf_fd);
}

void tame_attr(const Arena& arena, const World& world, std::uint8_t tweaks, abi::Command command,
               abi::Attr& attr) {
  using abi::Command;
  switch (command) {
    case Command::kMapCreate:
      tame(arena, attr.map_create.excl_prog_hash);
      return tame_map_create(world, tweaks, attr.map_create);
    case Command::kMapLookupElem:
    case Command::kMapUpdateElem:
    case Command::kMapDeleteElem:
    case Command::kMapGetNextKey:
    case Command::kMapLookupAndDeleteElem:
    case Command::kMapFreeze:
      choose_fd(world, tweaks, attr.elem.map_fd);
      tame(arena, attr.elem.key);
      return tame(arena, attr.elem.value);
    case Command::kMapLookupBatch:
    case Command::kMapLookupAndDeleteBatch:
    case Command::kMapUpdateBatch:
    case Command::kMapDeleteBatch:
      choose_fd(world, tweaks, attr.batch.map_fd);
      for (std::uint64_t* pointer :
           {&attr.batch.in_batch, &attr.batch.out_batch, &attr.batch.keys, &attr.batch.values})
        tame(arena, *pointer);
      return;
    case Command::kObjPin:
    case Command::kObjGet:
      choose_fd(world, tweaks, attr.obj.bpf_fd);
      return tame(arena, attr.obj.pathname);
    case Command::kObjGetInfoByFd:
      choose_fd(world, tweaks, attr.info.bpf_fd);
      tame(arena, attr.info.info);
      return tame_info(arena, attr.info.info);
    case Command::kBtfLoad:
      tame(arena, attr.btf_load.btf);
      return tame(arena, attr.btf_load.btf_log_buf);
    case Command::kProgTestRun:
      attr.test.repeat %= 8;  // a long run is no find
      [[fallthrough]];
    default:
      // Every 8-byte word that could be an address.
      for (std::uint64_t& word : attr.words)
        if (word >> 32 != 0) tame(arena, word);
  }
}

void run(World& world, const Arena& arena, Input& input) {
  for (std::size_t calls = 0; calls < kMostCalls && !input.empty(); ++calls) {
    auto command = static_cast<int>(input.take<std::uint8_t>() % (abi::kCommandEnd + 2));
    const auto tweaks = input.take<std::uint8_t>();
    std::uint32_t size = input.take<std::uint8_t>();
    // A longer attr than any kernel's, too; its tail is zero bytes or not.
    struct {
      abi::Attr attr;
      std::uint64_t beyond[16];
    } call{};
    input.take(&call, size);
    tame_attr(arena, world, tweaks, static_cast<abi::Command>(command), call.attr);
    if (tweaks & kWholeAttr) size = sizeof(abi::Attr);
    if (tweaks & kCommonBit) command |= abi::kCommonAttrsBit;
    world.call(static_cast<abi::Command>(command), call.attr, size);
  }
}

}  // namespace
}  // namespace portolan::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace portolan::fuzz;
  static const Arena arena_of_all;
  static World* world = (limit_file_size(), new World);
  static unsigned runs = 0;

  Arena arena = arena_of_all;
  Input input(data, size);
  arena.fill(input, input.take<std::uint16_t>());
  run(*world, arena, input);
  world->close_fds();
  if (++runs % 64 == 0) PORTOLAN_ASSERT(world->check(true));
  if (runs % 4096 == 0) {  // pins and ids pile up
    delete world;
    world = new World;
  }
  return 0;
}
