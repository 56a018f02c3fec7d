// SPDX-License-Identifier: Apache-2.0
#include "verifier/map_references.h"

#include <algorithm>

#include "abi/prog_flags.h"
#include "isa/insn.h"
#include "map/scratch.h"
#include "verifier/refuse.h"

namespace portolan::verifier {
namespace {

constexpr std::uint32_t kMostOffset = 1u << 29;

bool is_tracing(abi::ProgType type) {
  using enum abi::ProgType;
  return type == kKprobe || type == kTracepoint || type == kPerfEvent || type == kRawTracepoint ||
         type == kRawTracepointWritable;
}

bool may_sleep_with(abi::MapType type) {
  using enum abi::MapType;
  for (const abi::MapType one : {kHash, kLruHash, kArray, kPerCpuHash, kPerCpuArray, kLruPerCpuHash,
                                 kArrayOfMaps, kHashOfMaps, kRingbuf, kUserRingbuf, kInodeStorage, kSkStorage,
                                 kTaskStorage, kCgrpStorage, kQueue, kStack, kArena, kInsnArray, kRhash})
    if (one == type) return true;
  return false;
}

Result<void> check_compatible(const UnverifiedProgram& program, const Digest& digest, const map::Map& map,
                              btf::Log* log) {
  const map::MapSpec& spec = map.spec();
  const bool has_roots = spec.has_field(map::FieldKind::kListHead) || spec.has_field(map::FieldKind::kRbRoot);
  if (has_roots && is_tracing(program.type))
    return refuse(log, EINVAL, "tracing progs cannot use bpf_{{list_head,rb_root}} yet");
  if (spec.has_field(map::FieldKind::kSpinLock)) {
    if (program.type == abi::ProgType::kSocketFilter)
      return refuse(log, EINVAL, "socket filter progs cannot use bpf_spin_lock yet");
    if (is_tracing(program.type)) return refuse(log, EINVAL, "tracing progs cannot use bpf_spin_lock yet");
  }
  if (spec.has_field(map::FieldKind::kTimer) && is_tracing(program.type))
    return refuse(log, EINVAL, "tracing progs cannot use bpf_timer yet");
  if (spec.has_field(map::FieldKind::kWorkQueue) && is_tracing(program.type))
    return refuse(log, EINVAL, "tracing progs cannot use bpf_wq yet");
  if (spec.type == static_cast<std::uint32_t>(abi::MapType::kRhash) && is_tracing(program.type))
    return refuse(log, EINVAL, "tracing progs cannot use resizable hash maps yet");
  if ((program.flags & abi::prog_flag::kSleepable) != 0 &&
      !may_sleep_with(static_cast<abi::MapType>(spec.type)))
    return refuse(log, EINVAL, "Sleepable programs can only use array, hash, ringbuf and local storage maps");
  static_assert(sizeof spec.exclusive_program == sizeof(Digest));
  if (spec.is_exclusive != 0 && !program.is_loaded &&
      std::memcmp(spec.exclusive_program, digest.data(), digest.size()) != 0)
    return refuse(log, EACCES, "program's hash doesn't match map's excl_prog_hash");
  return {};
}

// What can no longer change is copied, so that it really cannot.
Result<void> copy_if_constant(std::uint32_t index, Facts& facts) {
  map::Map& map = *facts.maps[index];
  if (!map.spec().has(abi::map_flag::kRdonlyProg) || !map.is_frozen()) return {};
  for (const ReadOnlyCopy& one : facts.read_only_copies)
    if (one.map == index) return {};
  ReadOnlyCopy copy{index, std::vector<std::byte>(round_up(map.value_size(), 8))};
  alignas(8) const std::byte key[8] = {};
  TRY(map.lookup_elem_copy(key, copy.bytes.data(), 0));
  copy.bytes.resize(map.value_size());
  facts.read_only_copies.push_back(std::move(copy));
  return {};
}

}  // namespace

Result<void> resolve_maps(UnverifiedProgram& program, MapSource& source, Facts& facts, btf::Log* log) {
  for (std::size_t at = 0; at < program.insns.size(); ++at) {
    abi::Insn& insn = program.insns[at];
    if (!isa::is_wide(insn)) continue;
    const abi::Insn& next = program.insns[++at];
    const auto pseudo = static_cast<abi::PseudoLoad>(insn.src());
    const bool by_fd = pseudo == abi::PseudoLoad::kMapFd || pseudo == abi::PseudoLoad::kMapValue;
    const bool by_index = pseudo == abi::PseudoLoad::kMapIdx || pseudo == abi::PseudoLoad::kMapIdxValue;
    if (!by_fd && !by_index) continue;
    const bool is_value = pseudo == abi::PseudoLoad::kMapValue || pseudo == abi::PseudoLoad::kMapIdxValue;
    const Result<map::Map*> found =
        by_fd ? source.by_fd(insn.imm) : source.by_index(static_cast<std::uint32_t>(insn.imm));
    if (!found) {
      if (found.error().value == EPROTO) return refuse(log, EPROTO, "fd_idx without fd_array is invalid");
      return refuse(log, found.error().value, "fd {} is not pointing to valid bpf_map", insn.imm);
    }
    map::Map* const map = *found;
    auto place = std::find(facts.maps.begin(), facts.maps.end(), map);
    if (place == facts.maps.end()) {
      if (facts.maps.size() >= abi::kMaxUsedMaps)
        return refuse(log, E2BIG, "The total number of maps per program has reached the limit of {}",
                      abi::kMaxUsedMaps);
      TRY(check_compatible(program, facts.digest, *map, log));
      facts.maps.push_back(map);
      place = facts.maps.end() - 1;
    }
    const auto index = static_cast<std::uint32_t>(place - facts.maps.begin());
    if (is_value) {
      const auto offset = static_cast<std::uint32_t>(next.imm);
      if (offset >= kMostOffset)
        return refuse(log, EINVAL, "direct value offset of {} is not allowed", offset);
      if (static_cast<abi::MapType>(map->spec().type) != abi::MapType::kArray)
        return refuse(log, EINVAL, "no direct value access support for this map type");
      const Result<std::byte*> address = map->direct_value_addr(offset);
      if (!address)
        return refuse(log, address.error().value, "invalid access to map value pointer, value_size={} off={}",
                      map->value_size(), offset);
      TRY(copy_if_constant(index, facts));
    }
    const auto normal = is_value ? abi::PseudoLoad::kMapIdxValue : abi::PseudoLoad::kMapIdx;
    insn.registers = static_cast<std::uint8_t>(insn.dst() | static_cast<unsigned>(normal) << 4);
    insn.imm = static_cast<std::int32_t>(index);
  }
  return {};
}

}  // namespace portolan::verifier
