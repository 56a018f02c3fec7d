// SPDX-License-Identifier: Apache-2.0
// Which maps, programs and steps a random sequence has.
#include <cstring>

#include "helper_ops.h"
#include "prefixes.h"
#include "world.h"

namespace portolan::conformance {
namespace {

constexpr std::uint32_t kInnerMaps = 3;  // of each map of maps
constexpr std::uint64_t kCurrentCpu = 0xffff'ffff, kUserStack = 1 << 8;

std::vector<std::byte> random_bytes(Dice& dice, std::size_t size) {
  std::vector<std::byte> bytes(size);
  const std::uint64_t word = dice.bits();
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>((word >> (i % 8 * 8)) + i / 8);
  return bytes;
}

// Whose elements are plain data.
bool has_elements(const ProgramMap& map) {
  return has_keys(map.type) && !holds_objects(map.type) && map.type != kStackTrace;
}

class HelperGenerator {
 public:
  explicit HelperGenerator(std::uint64_t seed) : dice_(seed) {}

  HelperSequence make(std::size_t operations, std::uint64_t seed, const std::vector<std::uint32_t>& types) {
    constexpr std::size_t kTypes = std::size(kProgramTypes);
    std::vector<std::uint32_t> chosen{types[seed % types.size()]};
    while (chosen.size() < kMainMaps) chosen.push_back(kProgramTypes[(chosen.size() + seed) % kTypes]);
    sequence_.program_type = static_cast<std::uint32_t>(dice_.of({kXdp, kXdp, kSchedCls, kRawTracepoint}));
    for (const std::uint32_t type : chosen)
      if (type == kStackTrace) sequence_.program_type = kRawTracepoint;
    for (const std::uint32_t type : chosen) sequence_.maps.push_back(random_map(type));
    for (int outer = 0; outer < kMainMaps; ++outer)
      if (holds_maps(sequence_.maps[static_cast<std::size_t>(outer)].type)) add_inner_maps(outer);
    even_out_percpu_arrays();
    for (std::size_t map = 0; map < kMainMaps; ++map)
      if (sequence_.maps[map].type == kProgArray && sequence_.targets.empty()) add_targets();
    while (operations != 0) {
      HelperStep& step = sequence_.steps.emplace_back();
      for (std::size_t map = 0; map < sequence_.maps.size(); ++map) add_user_ops(step.before, map);
      const std::size_t most = dice_.one_in(2) ? 60 : kMostOps;
      const std::size_t count = std::min<std::size_t>(operations, 1 + dice_.below(most));
      for (std::size_t i = 0; i < count; ++i) step.ops.push_back(random_op());
      operations -= std::min(operations, count + step.before.size());
    }
    return std::move(sequence_);
  }

 private:
  static constexpr int kMainMaps = 4;
  ProgramMap& map_at(std::uint32_t map) { return sequence_.maps[map]; }
  std::uint32_t of_sizes(std::initializer_list<std::uint64_t> sizes) {
    return static_cast<std::uint32_t>(dice_.of(sizes));
  }

  // --- maps
  ProgramMap random_map(std::uint32_t type) {
    ProgramMap map;
    map.type = type;
    map.max_entries = dice_.one_in(4) ? 1 : 1 + dice_.below(dice_.percent(80) ? 24 : 150);
    map.value_size = of_sizes({1, 3, 4, 8, 12, 16, 20, 24, 40, 64, 100});
    if (type == kRingbuf || type == kUserRingbuf) {
      map.key_size = map.value_size = 0;
      map.max_entries = dice_.one_in(4) ? 8192 : 4096;
    } else if (!has_keys(type)) {
      map.key_size = 0;
      if (type == kBloomFilter) map.flags = kZeroSeed;
    } else if (type == kLpmTrie) {
      map.key_size = of_sizes({5, 6, 8, 8, 12, 20});
      map.flags = kNoPrealloc;
    } else if (type == kStackTrace) {
      map.max_entries = of_sizes({1, 2, 16, 100});
      map.value_size = 8 * (1 + dice_.below(127));
      if (dice_.one_in(3)) map.flags = kStackBuildId, map.value_size = 32 * (1 + dice_.below(20));
    } else if (holds_objects(type)) {
      map.value_size = 4;
      map.max_entries = 1 + dice_.below(6);
      if (type == kHashOfMaps) map.key_size = of_sizes({1, 4, 8});
      if (type == kPerfEventArray && dice_.one_in(3)) map.flags = kPreserveElems;
    } else {
      plain_elements(map);
    }
    return map;
  }
  void plain_elements(ProgramMap& map) {
    if (map.is_hash()) {
      map.key_size = of_sizes({1, 2, 3, 4, 4, 5, 8, 8, 12, 16, 24});
      if (is_lru_type(map.type))
        map.flags = dice_.one_in(3) ? static_cast<std::uint32_t>(kNoCommonLru) : 0;
      else if (dice_.one_in(2))
        map.flags = kNoPrealloc;
    }
    const bool may_lock =
        !map.is_per_cpu() && !is_lru_type(map.type) && sequence_.program_type != kRawTracepoint;
    if (may_lock && dice_.one_in(4)) {
      map.is_locked = true;
      map.value_size = 16;
      map.key_size = 4;
    } else if (map.type == kArray && dice_.one_in(4)) {
      map.flags = kMmapable;
    }
  }
  void add_inner_maps(int outer) {
    ProgramMap inner = random_map(of_sizes({kHash, kHash, kArray, kArray, kPerCpuHash, kPerCpuArray, kLruHash,
                                            kLpmTrie, kQueue, kStack, kBloomFilter, kRingbuf, kUserRingbuf}));
    inner.outer = outer;
    for (std::uint32_t i = 0; i < kInnerMaps; ++i) {
      if (inner.is_hash()) inner.max_entries = 1 + dice_.below(24);
      sequence_.maps.push_back(inner);
    }
  }
  // Any of them may become an inner map, and the kernel would look keys up as if it had the entries of the
  // outer map's template (COMPAT.md).
  void even_out_percpu_arrays() {
    const auto is_inner = [](const ProgramMap& map) { return map.type == kPerCpuArray && map.outer >= 0; };
    const auto inner = std::ranges::find_if(sequence_.maps, is_inner);
    if (inner == sequence_.maps.end()) return;
    for (ProgramMap& map : sequence_.maps)
      if (map.type == kPerCpuArray) map.max_entries = inner->max_entries;
  }
  void add_targets() {
    for (std::uint32_t i = 0; i < kMostTargets; ++i) {
      TailTarget target;
      for (std::uint32_t ops = dice_.below(kMostTargetOps + 1); ops > 0; --ops)
        target.ops.push_back(random_op());
      if (dice_.percent(35)) {
        do target.next_map = static_cast<int>(dice_.below(kMainMaps));
        while (map_at(static_cast<std::uint32_t>(target.next_map)).type != kProgArray);
        target.next = index_in(map_at(static_cast<std::uint32_t>(target.next_map)));
      }
      sequence_.targets.push_back(target);
    }
  }

  // --- what programs do
  std::uint32_t index_in(const ProgramMap& map) {
    if (dice_.one_in(20)) return of_sizes({map.max_entries, map.max_entries + 1, 1u << 31, ~0u});
    return dice_.below(map.max_entries);
  }
  std::vector<std::byte> random_key(const ProgramMap& map) {
    if (map.type == kLpmTrie) return prefix(dice_, map.key_size, map.max_entries);
    if (dice_.one_in(100)) return key_of(map, of_sizes({~0u, 1u << 31, 1u << 16}));
    return key_of(map, dice_.below(map.max_entries + map.max_entries / 4 + 2));
  }
  bool fits(HelperVerb verb, const ProgramMap& map) const {
    using enum HelperVerb;
    const bool is_line = map.type == kQueue || map.type == kStack || map.type == kBloomFilter;
    switch (verb) {
      case kLookup:
      case kUpdate:
      case kDelete:
        return has_elements(map);
      case kStore:
      case kAtomicAdd:
        return has_elements(map) && !map.is_locked && map.value_size >= 8;
      case kLookupPercpu:
        return map.is_per_cpu();
      case kForEach:
        return has_elements(map) && map.type != kLpmTrie;
      case kForEachStore:
        return has_elements(map) && map.type != kLpmTrie && !map.is_locked;
      case kForEachDelete:
        return has_elements(map) && map.is_hash();
      case kLockedAdd:
        return map.is_locked;
      case kPush:
      case kPeek:
        return is_line;
      case kPop:
        return is_line && map.type != kBloomFilter;
      case kReserve:
      case kReserveDynptr:
      case kOutput:
      case kQuery:
        return map.type == kRingbuf;
      case kDrain:
        return map.type == kUserRingbuf;
      case kEventOutput:
        return map.type == kPerfEventArray;
      case kEventRead:
        return map.type == kPerfEventArray && sequence_.program_type == kRawTracepoint;
      case kTailCall:
        return map.type == kProgArray;
      case kGetStackId:
      case kGetStack:
        return map.type == kStackTrace;
    }
    return false;
  }
  HelperOp random_op() {
    using enum HelperVerb;
    HelperOp op;
    op.map = dice_.percent(50) ? 0 : dice_.below(sequence_.maps.size());
    choose_inner(op);
    const ProgramMap& map = map_at(op.map);
    const auto is_rare = [&] {
      return (op.verb >= kForEach && op.verb <= kForEachDelete) || op.verb == kDrain || op.verb == kTailCall;
    };
    const bool may_be_rare = dice_.one_in(12) || map.type == kUserRingbuf || map.type == kProgArray;
    do op.verb = static_cast<HelperVerb>(dice_.below(kHelperVerbs));
    while (!fits(op.verb, map) || (is_rare() && !may_be_rare));
    op.key = random_key(map);
    op.value = random_bytes(dice_, map.value_size);
    arguments(op, map);
    return op;
  }
  // A map of maps has no elements but maps: one of those is worked on, whichever it is.
  void choose_inner(HelperOp& op) {
    const bool is_outer = holds_maps(map_at(op.map).type);
    const int outer = is_outer ? static_cast<int>(op.map) : map_at(op.map).outer;
    if (outer < 0 || (!is_outer && dice_.one_in(3))) return;
    op.through = outer;
    op.outer_key = random_key(map_at(static_cast<std::uint32_t>(outer)));
    while (map_at(op.map).outer != outer) op.map = dice_.below(sequence_.maps.size());
  }
  void arguments(HelperOp& op, const ProgramMap& map) {
    using enum HelperVerb;
    switch (op.verb) {
      case kUpdate:
        if (dice_.percent(40))
          op.flags = dice_.of(
              {kNoExist, kExist, kNoExist, kExist, 3, kLock, kLock | kExist, 8, 16, 1ull << 32, ~0ull});
        break;
      case kForEach:
        if (dice_.one_in(20)) op.flags = 1;
        break;
      case kLookupPercpu:
        op.number = dice_.one_in(10) ? of_sizes({~0u, 4096, 1u << 31, possible_cpus()})
                                     : dice_.below(possible_cpus());
        break;
      case kPush:
        if (dice_.percent(30)) op.flags = dice_.of({kNoExist, kExist, kExist, 3, kLock, ~0ull});
        [[fallthrough]];
      case kPop:
      case kPeek:
        if (map.type == kBloomFilter) {  // few, so that some have been added
          std::fill(op.value.begin(), op.value.end(), std::byte{0});
          op.value[0] = static_cast<std::byte>(dice_.below(map.max_entries * 2));
        }
        break;
      case kReserve:
      case kReserveDynptr:
      case kOutput:
        op.number =
            dice_.one_in(40) ? of_sizes({4080, 4088, 4089, 8184, 1u << 30, 0x3fff'ffff}) : dice_.below(101);
        op.value = random_bytes(dice_, std::min(op.number, 100u));
        op.flags = dice_.of({0, 0, 1, 2, 3, 4});
        op.variant = dice_.below(256);
        if (op.verb == kOutput) op.number = static_cast<std::uint32_t>(op.value.size());
        break;
      case kQuery:
        op.flags = dice_.one_in(10) ? dice_.of({4, 5, ~0ull}) : dice_.below(4);
        break;
      case kDrain:
        op.flags = dice_.one_in(5) ? dice_.of({1, 2, 3, 4, 1ull << 40}) : 0;
        break;
      case kEventOutput:
      case kEventRead:
        event_arguments(op, map);
        break;
      case kTailCall:
        op.number = index_in(map);
        op.variant = dice_.below(2);
        break;
      case kGetStackId:
        op.flags = kUserStack | dice_.of({0, 0, 1, 255}) | dice_.of({0, 0, 1 << 9, 1 << 10, 3 << 9});
        if (dice_.one_in(20)) op.flags |= dice_.of({1 << 11, 1 << 12, 1 << 20, 1ull << 40});
        break;
      case kGetStack:
        op.flags = kUserStack | dice_.of({0, 0, 1, 255}) | dice_.of({0, 0, 1 << 11});
        if (dice_.one_in(20)) op.flags |= dice_.of({1 << 9, 1 << 12, 1ull << 40});
        op.number = of_sizes({0, 8, 16, 24, 32, 64, 96, 100, 4, 1});
        break;
      default:
        if (map.value_size >= 8) op.number = dice_.below(map.value_size / 8) * 8;
        break;
    }
  }
  // Its first two bytes say how long the record is: the event rounds its length up.
  void event_arguments(HelperOp& op, const ProgramMap& map) {
    op.flags = dice_.percent(60) ? kCurrentCpu : index_in(map);
    if (dice_.one_in(30)) op.flags |= dice_.of({1ull << 52, 1ull << 63});
    if (op.verb == HelperVerb::kEventRead) return;
    op.value = random_bytes(dice_, 2 + dice_.below(99));
    const std::uint32_t packet = !dice_.one_in(4)  ? 0
                                 : dice_.one_in(8) ? 65 + dice_.below(100)
                                                   : dice_.below(65);
    op.flags |= std::uint64_t{packet} << 32;
    op.value[0] = static_cast<std::byte>(op.value.size());
    op.value[1] = static_cast<std::byte>(packet);
  }

  // --- what user space does
  void add_user_ops(std::vector<UserOp>& before, std::size_t number) {
    const ProgramMap& map = sequence_.maps[number];
    const auto add = [&](UserVerb verb, std::uint32_t key, std::uint32_t what) -> UserOp& {
      return before.emplace_back(UserOp{verb, static_cast<std::uint32_t>(number), key, what, {}});
    };
    if (map.type == kRingbuf && dice_.percent(70))
      add(UserVerb::kConsume, 0, dice_.one_in(3) ? dice_.below(6) : ~0u);
    if (map.type == kUserRingbuf) {
      for (std::uint32_t records = dice_.below(dice_.one_in(5) ? 60 : 8); records > 0; --records)
        produce(add);
      if (dice_.one_in(3)) add(UserVerb::kRewind, 0, 0);
    }
    if (!holds_objects(map.type)) return;
    // The kernel waits for a grace period when another map takes a map's place.
    for (std::uint32_t changes = dice_.below(holds_maps(map.type) ? 2 : 5); changes > 0; --changes)
      change_objects(map, add);
    if (map.type == kPerfEventArray && dice_.one_in(2))
      add(UserVerb::kReadEvent, dice_.one_in(3) ? dice_.below(6) : ~0u, dice_.below(kUserEvents));
  }
  template <class Add>
  void change_objects(const ProgramMap& map, Add& add) {
    const std::uint32_t key = dice_.one_in(12) ? map.max_entries : dice_.below(map.max_entries);
    if (dice_.one_in(4)) {
      add(UserVerb::kErase, key, 0);
    } else if (map.type == kProgArray) {
      add(UserVerb::kPutProgram, key, dice_.below(kMostTargets));
    } else if (map.type == kPerfEventArray) {
      add(UserVerb::kPutEvent, key, dice_.below(kUserEvents));
    } else {
      add(UserVerb::kPutMap, key, dice_.below(sequence_.maps.size()));  // not all are like the example
    }
  }
  template <class Add>
  void produce(Add& add) {
    constexpr std::uint32_t kBusy = 1u << 31, kDiscarded = 1u << 30;
    std::uint32_t length = dice_.below(70);
    const std::vector<std::byte> bytes = random_bytes(dice_, length);
    if (dice_.one_in(60)) length = of_sizes({4096, 8192, 1u << 29, 300});
    if (dice_.one_in(8)) length |= kDiscarded;
    if (dice_.one_in(40)) length |= kBusy;
    add(UserVerb::kProduce, 0, length).bytes = bytes;
  }

  Dice dice_;
  HelperSequence sequence_;
};

}  // namespace

HelperSequence generate_helper_ops(std::uint64_t seed, std::size_t operations,
                                   const std::vector<std::uint32_t>& types) {
  return HelperGenerator(seed).make(operations, seed, types);
}

}  // namespace portolan::conformance
