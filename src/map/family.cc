// SPDX-License-Identifier: Apache-2.0
#include "map/family.h"

#include "map/array.h"
#include "map/array_of_maps.h"
#include "map/bloom.h"
#include "map/hash.h"
#include "map/hash_of_maps.h"
#include "map/lpm_trie.h"
#include "map/lru_hash.h"
#include "map/percpu_array.h"
#include "map/percpu_hash.h"
#include "map/perf_event_array.h"
#include "map/prog_array.h"
#include "map/queue_stack.h"
#include "map/rhash.h"
#include "map/ring_buffer.h"
#include "map/stack_trace.h"
#include "map/timers.h"
#include "map/user_ring.h"

namespace portolan::map {
namespace {

using namespace abi::map_flag;
using enum abi::MapType;

template <class T>
constexpr auto normalize_of() -> void (*)(MapSpec&) {
  if constexpr (requires(MapSpec& spec) { T::normalize(spec); }) return T::normalize;
  return nullptr;
}

template <class T, std::uint32_t kFlags, std::uint32_t kSince>
constexpr Family kFamily = {
    kFlags | kAccessFlags, kSince,       T::alloc_check,   T::layout, T::format, T::attach,
    T::kCheckBtf,          T::kIsOfMaps, normalize_of<T>()};

// The offset of the payload is the runtime's, and has passed its checks; all that follows has passed
// nobody's.
Result<std::unique_ptr<object::View>> attach_checked(object::Mapped mapped) {
  auto* header = mapped.state.at<MapHeader>(mapped.payload_offset);
  if (header == nullptr || header->magic != kMapMagic) return fail(EINVAL);
  const MapSpec spec = header->spec;
  const Family* family = find_family(spec.type);
  if (family == nullptr || spec.cpus != mapped.runtime->possible_cpus()) return fail(EINVAL);
  if (spec.field_count > kMaxFields) return fail(EINVAL);
  for (std::uint32_t i = 0; i < spec.field_count; ++i)
    if (spec.fields[i].offset > spec.value_size ||
        spec.fields[i].size > spec.value_size - spec.fields[i].offset)
      return fail(EINVAL);
  if (!family->alloc_check(spec, kNoNumaNode)) return fail(EINVAL);
  if (family->is_of_maps != (header->inner.type != 0)) return fail(EINVAL);
  const Result<Layout> layout = family->layout(spec);
  const std::uint64_t begin = family_offset(mapped.payload_offset);
  if (!layout || begin > mapped.state.size() || layout->size > mapped.state.size() - begin ||
      layout->user_bytes > mapped.user_pages.size())
    return fail(EINVAL);
  return TRY(family->attach(std::move(mapped), header));
}

}  // namespace

Result<void> check_no_btf(const btf::Btf&, const btf::MapTypes&, const btf::CheckedTypes&, std::uint32_t) {
  return fail(kEnotsupp);
}

const Family* find_family(std::uint32_t type) {
  switch (static_cast<abi::MapType>(type)) {
    case kUnspec:
      return nullptr;
#define MAP_TYPE(name, number, major, minor, class_name, flags, note) \
  case number:                                                        \
    return &kFamily<class_name, (flags), kernel_version(major, minor)>;
#define MAP_TYPE_NOT_YET(name, number, major, minor, note) \
  case number:                                             \
    return nullptr;
#include "map/map_types.def"
#undef MAP_TYPE
#undef MAP_TYPE_NOT_YET
  }
  return nullptr;
}

const char* type_name(std::uint32_t type) {
  switch (static_cast<abi::MapType>(type)) {
    case kUnspec:
      return "unspec";
#define MAP_TYPE(name, number, ...) \
  case number:                      \
    return #name;
#define MAP_TYPE_NOT_YET MAP_TYPE
#include "map/map_types.def"
#undef MAP_TYPE
#undef MAP_TYPE_NOT_YET
  }
  return nullptr;
}

bool flags_are_allowed(const MapSpec& spec) {
  const Family* family = find_family(spec.type);
  if (family == nullptr || (spec.map_flags & ~family->allowed_flags) != 0) return false;
  return (spec.map_flags & (kRdonlyProg | kWronlyProg)) != (kRdonlyProg | kWronlyProg);
}

constexpr std::uint32_t kTimerPrograms = 64;  // of one map

Result<object::Draft> draft_map(object::Runtime& runtime, const MapSpec& spec, const MapSpec* inner,
                                bool has_types) {
  const Family* family = find_family(spec.type);
  if (family == nullptr) return fail(EINVAL);
  const Layout layout = TRY(family->layout(spec));
  const std::uint64_t own = round_up(sizeof(MapHeader), 64);
  object::Draft draft =
      TRY(runtime.draft(object::Kind::kMap, own + layout.size, own + layout.reserved, layout.user_bytes,
                        layout.max_edges + (has_types ? kTimerPrograms : 0)));
  family->format(draft.state, family_offset(draft.payload_offset), spec);
  if (inner != nullptr) draft.state.at<MapHeader>(draft.payload_offset)->inner = *inner;
  set_types(draft, spec);
  return draft;
}

void set_types(object::Draft& draft, const MapSpec& spec) {
  auto* header = draft.state.at<MapHeader>(draft.payload_offset);
  header->spec = spec;
  header->magic = kMapMagic;  // publish() publishes it
}

Result<std::unique_ptr<object::View>> make_map_view(object::Mapped mapped) {
  auto map = TRY(attach_checked(std::move(mapped)));
  if (Timers* timers = Timers::of(map->runtime()); timers != nullptr)
    timers->note(static_cast<const Map&>(*map));
  return map;
}

}  // namespace portolan::map
