// SPDX-License-Identifier: Apache-2.0
// One step of a sequence, as data: it means the same on both backends, and prints as text.
#pragma once
#include <string>
#include <vector>

#include "arena.h"
#include "uapi.h"

namespace portolan::conformance {

inline constexpr int kMapSlots = 4;  // places where a sequence keeps map fds
inline constexpr int kBtfSlots = 2;  // BTF objects that are there from the start
inline constexpr int kObjects = 3;   // programs that are there from the start, and perf events
inline constexpr std::uint32_t kMappings = 3;
inline constexpr int kNoSlot = -1;

enum class Verb : unsigned char {
  kBpf,        // one system call
  kClose,      // closes the map in `slot`
  kIterate,    // GET_NEXT_KEY from the start to ENOENT, LOOKUP of each key
  kWalk,       // `command` (a batch lookup) from the start to ENOENT, `count` elements at a time
  kListIds,    // which slots' ids does GET_NEXT_ID (`command`) show
  kUnlinkPin,  // removes pin number `count`
  kMap,        // mmaps the map in `slot` as mapping `count`
  kShow,       // all bytes of mapping `count`
  kStore,      // writes a byte into mapping `count`, if it is writable
  kProtect,    // mprotects mapping `count`
  kUnmap,
};

// What a pointer field of the attr points to.
struct Buffer {
  Field field;
  Place place = Place::kWritable;
  std::vector<std::byte> bytes;
  bool is_path = false;  // "@/name": '@' is the backend's pin directory
  bool has_fds = false;  // numbers of what a map of objects can hold, whose fds the caller puts there
};

enum class Referent : unsigned char { kMap, kBtf, kClosed, kNegative, kOrdinaryFile, kMapId, kBtfId };

// What an fd or id field of the attr names.
struct Reference {
  Field field;
  Referent to = Referent::kMap;
  int slot = 0;
};

struct Mapping {
  int protection = 0, flags = 0;
  std::uint32_t length = 0, offset = 0;  // also where a byte is stored
};

struct Operation {
  Verb verb = Verb::kBpf;
  unsigned command = 0;
  Attr attr;
  unsigned size = kAttrSize;
  Place attr_place = Place::kWritable;
  bool attr_at_the_end = false;  // of accessible memory: nothing behind `size` bytes may be touched
  unsigned stray_byte = 0;       // when not 0: the offset in the attr of a byte set to 0x5a
  std::vector<Buffer> buffers;
  std::vector<Reference> references;
  int slot = kNoSlot;  // where an fd that the call returns goes, or the slot of the other verbs
  std::uint32_t count = 0;
  Mapping mapping;
};

std::string to_text(const Operation& operation);

}  // namespace portolan::conformance
