// SPDX-License-Identifier: Apache-2.0
// What a map is: fixed at its creation, and kept at the beginning of its payload.
#pragma once
#include <cstdint>
#include <type_traits>

#include "abi/limits.h"
#include "abi/map_flags.h"
#include "sync/robust_lock.h"

namespace portolan::map {

// Parts of a value that belong to the kernel, found by BTF. User space reads them as zeros and cannot write
// them.
enum class FieldKind : std::uint32_t {
  kSpinLock = 1,
  kResSpinLock,
  kTimer,
  kWorkQueue,
  kTaskWork,
  kKptr,  // of every sort
  kUptr,
  kListHead,
  kListNode,
  kRbRoot,
  kRbNode,
  kRefcount,
};
struct ValueField {
  FieldKind kind;
  std::uint32_t offset;  // bytes, in a value
  std::uint32_t size;
};
inline constexpr std::uint32_t kMaxFields = 11;  // BTF_FIELDS_MAX

struct MapSpec {
  std::uint32_t type = 0;  // abi::MapType
  std::uint32_t key_size = 0;
  std::uint32_t value_size = 0;
  std::uint32_t max_entries = 0;
  std::uint32_t map_flags = 0;  // without those that belong to the fd
  std::uint32_t cpus = 1;       // possible CPUs of the runtime
  std::uint64_t map_extra = 0;
  char name[abi::kObjNameLen] = {};
  std::uint32_t btf_id = 0;  // 0: none
  std::uint32_t btf_key_type_id = 0;
  std::uint32_t btf_value_type_id = 0;
  std::uint32_t created_by_uid = 0;
  std::uint64_t seed = 0;
  std::uint32_t field_count = 0;
  ValueField fields[kMaxFields] = {};
  std::uint32_t is_exclusive = 0;  // only the program with this SHA-256 may use it
  std::uint8_t exclusive_program[32] = {};

  bool has(std::uint32_t flag) const { return (map_flags & flag) != 0; }
  // The first of that kind; nullptr: none.
  const ValueField* field(FieldKind kind) const {
    for (std::uint32_t i = 0; i < field_count; ++i)
      if (fields[i].kind == kind) return &fields[i];
    return nullptr;
  }
  bool has_field(FieldKind kind) const { return field(kind) != nullptr; }
  // Its values have something that calls functions of programs later: work is a timer that is due at once.
  bool has_timers() const { return has_field(FieldKind::kTimer) || has_field(FieldKind::kWorkQueue); }
};
static_assert(std::is_trivially_copyable_v<MapSpec>);

inline constexpr std::uint64_t kMapMagic = 0x32'5041'4d4c'5450ull;  // "PTLMAP2"

// At the beginning of the payload; the family's own bytes follow, 64-aligned.
struct MapHeader {
  std::uint64_t magic;
  MapSpec spec;
  MapSpec inner;                       // of maps of maps: what the inner ones must be like; type 0: none
  sync::Atomic<std::uint32_t> frozen;  // 0, then 1 for good
  // Of maps that refer to objects.
  sync::Atomic<std::uint32_t> place_hint;  // where a free place may be
  sync::RobustLock references_lock;
  sync::Atomic<std::uint64_t> owner_traits;  // of prog arrays: what their programs are like; 0: not known yet
};

}  // namespace portolan::map
