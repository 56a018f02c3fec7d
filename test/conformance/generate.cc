// SPDX-License-Identifier: Apache-2.0
#include "generate.h"

#include <sys/mman.h>

#include "generator.h"

namespace portolan::conformance {

std::vector<Operation> Generator::run() {
  std::vector<Operation> sequence;
  for (int slot = 0; slot < kMapSlots; ++slot) sequence.push_back(create(slot, true));
  while (sequence.size() < options_.operations) sequence.push_back(next());
  for (int slot = 0; slot < kMapSlots; ++slot) {
    sequence.push_back(get_info(slot));
    sequence.push_back(whole(Verb::kIterate, slot));
  }
  return sequence;
}

Operation Generator::next() {
  const unsigned roll = dice_.below(1000);
  const int slot = pick_slot();
  if (options_.with_mappings && dice_.percent(8)) return memory_call(slot);
  if (roll < 260) return element_call(kUpdate, slot);
  if (roll < 430) return element_call(kLookup, slot);
  if (roll < 530) return element_call(kDelete, slot);
  if (roll < 600) return element_call(kGetNextKey, slot);
  if (roll < 670) return element_call(kLookupAndDelete, slot);
  if (roll < 730) return batch_call(kUpdateBatch, slot);
  if (roll < 770) return batch_call(kDeleteBatch, slot);
  if (roll < 810) return batch_call(kLookupBatch, slot);
  if (roll < 830) return batch_call(kLookupAndDeleteBatch, slot);
  if (roll < 850) return whole(Verb::kIterate, slot);
  if (roll < 870) return walk(slot);
  if (roll < 910) return create(slot, dice_.percent(60));
  if (roll < 935) return get_info(slot);
  if (roll < 950) return pin(slot);
  if (roll < 965) return get_pin(slot);
  if (roll < 970) return unlink_pin();
  if (roll < 978) return by_id_call(slot);
  if (roll < 981) return list_ids();
  if (roll < 982) return freeze(slot);
  if (roll < 986) return whole(Verb::kClose, slot);
  if (roll < 992) return load_btf();
  return odd_call();
}

void Generator::disturb(Operation& operation) {
  const unsigned size = size_of(operation.command);
  operation.size = static_cast<unsigned>(dice_.of({size, size, size, kAttrSize, (size + 7) & ~7u}));
  operation.attr_at_the_end = dice_.one_in(8);
  if (!dice_.one_in(30)) return;
  switch (dice_.below(7)) {
    case 0:
      // A part of an id would be another's on the kernel, where ids are not only ours.
      operation.size = fields_of(operation.command).begin() != nullptr &&
                               std::string_view(fields_of(operation.command).begin()->name) == "id"
                           ? 4 + dice_.below(size - 3)
                           : dice_.below(size + 1);
      break;
    case 1:
      operation.size =
          static_cast<unsigned>(dice_.of({kAttrSize + 1, 200, 256, 4095, 4096, 4097, 1u << 31, ~0u}));
      break;
    case 2:
      operation.stray_byte = size + dice_.below(kAttrSize - size + 40);
      operation.size = kAttrSize + dice_.below(64);
      break;
    case 3:
      operation.attr_place = bad_place();
      break;
    case 4:
      stray_inside(operation, size);
      break;
    default:
      if (!operation.references.empty() && operation.references[0].to == Referent::kMap)
        operation.references[0].to = static_cast<Referent>(dice_.of(
            {static_cast<unsigned>(Referent::kClosed), static_cast<unsigned>(Referent::kNegative),
             static_cast<unsigned>(Referent::kOrdinaryFile), static_cast<unsigned>(Referent::kBtf)}));
  }
  if (!operation.references.empty() && operation.references[0].to == Referent::kBtf)
    operation.references[0].slot &= 1;
}

Operation Generator::create(int slot, bool plain) {
  Operation operation;
  operation.command = kMapCreate;
  operation.slot = slot;
  Shape map;
  map.type = options_.types[dice_.below(options_.types.size())];
  // Maps of maps in the first slots, and what they may hold in the others.
  if (holds_maps(map.type) && slot >= kMapSlots / 2) map.type = dice_.one_in(2) ? kArray : kHash;
  const bool is_common = slot >= kMapSlots / 2 && dice_.one_in(2);
  map.key_size =
      !has_keys(map.type)    ? 0
      : map.type == kLpmTrie ? static_cast<std::uint32_t>(dice_.of({5, 6, 7, 8, 8, 8, 9, 12, 20, 68, 260}))
      : map.is_hash() ? static_cast<std::uint32_t>(dice_.of({1, 2, 3, 4, 4, 5, 7, 8, 8, 8, 12, 16, 33, 64}))
                      : 4;
  map.value_size = static_cast<std::uint32_t>(dice_.of({1, 2, 3, 4, 5, 7, 8, 8, 8, 12, 16, 24, 33, 64, 100}));
  map.max_entries = number_of_entries();
  if (map.key_size > 64) map.max_entries = std::min(map.max_entries, 20u);  // batches have a page or two
  if (is_common && has_keys(map.type) && !holds_maps(map.type)) {
    map.key_size = map.type == kLpmTrie ? 8 : 4;
    map.value_size = 8;
    map.max_entries = 4;
  }
  if (is_lru_type(map.type) ? dice_.one_in(20) : map.is_hash() && dice_.one_in(2)) map.flags |= kNoPrealloc;
  if (is_lru_type(map.type) && dice_.one_in(3)) map.flags |= kNoCommonLru;
  if (map.type == kLpmTrie && !dice_.one_in(20)) map.flags |= kNoPrealloc;
  if (map.is_hash() && dice_.one_in(4)) map.flags |= kZeroSeed;
  if (map.type == kArray && dice_.one_in(16)) map.flags |= kInnerMap;
  if (map.type == kPerfEventArray || map.type == kProgArray) map.value_size = 4;
  if (map.type == kPerfEventArray && dice_.one_in(3)) map.flags |= kPreserveElems;
  if (map.type == kStackTrace) {
    map.value_size = 8 * (1 + dice_.below(127));
    map.max_entries = std::min(map.max_entries, 100u);
    if (dice_.one_in(3)) map.flags |= kStackBuildId, map.value_size = 32 * (1 + dice_.below(20));
  }
  if (map.type == kRingbuf || map.type == kUserRingbuf) {
    map.value_size = 0;
    map.max_entries = 4096u << dice_.below(3);
  }
  if (holds_maps(map.type)) {
    map.value_size = 4;
    const int example = kMapSlots / 2 + static_cast<int>(dice_.below(kMapSlots / 2));
    operation.references.push_back({create::kInnerMapFd, Referent::kMap, example});
  }
  if (map.type == kBloomFilter) {
    map.flags |= kZeroSeed;  // so that both make the same mistakes
    if (dice_.one_in(2)) operation.attr.set(create::kMapExtra, dice_.below(16));
  }
  if (dice_.one_in(8))
    map.flags |= static_cast<std::uint32_t>(dice_.of({kReadOnly, kWriteOnly, kReadOnlyProg, kWriteOnlyProg}));
  if (map.type == kArray && dice_.one_in(options_.with_mappings ? 2 : 6)) map.flags |= kMmapable;
  if (dice_.one_in(6))
    operation.attr.set_text(create::kMapName, dice_.of({0, 1}) != 0 ? "a_map" : "name.15_letters");
  if (map.type == kProgArray ? !plain : dice_.one_in(3)) add_btf(operation, map, plain);
  operation.attr.set(create::kMapType, map.type).set(create::kKeySize, map.key_size);
  operation.attr.set(create::kValueSize, map.value_size)
      .set(create::kMaxEntries, entries_of(map.type, map.max_entries));
  operation.attr.set(create::kMapFlags, map.flags);
  if (plain) {
    shape(slot) = map;
    operation.size = dice_.one_in(2) ? create::kSize : kAttrSize;
  } else {
    if (!dice_.one_in(4) || is_lru_type(map.type)) operation.slot = kNoSlot;
    odd_create_fields(operation);
    disturb(operation);
  }
  return operation;
}

void Generator::add_btf(Operation& operation, Shape& map, bool plain) {
  operation.references.push_back({create::kBtfFd, Referent::kBtf, plain || !dice_.one_in(10) ? 0 : 1});
  std::uint64_t value = map.is_per_cpu()
                            ? dice_.of({kPair, kU64, kPairTypedef})
                            : dice_.of({kLockedValue, kLockedValue, kLateLock, kPair, kU64, kTimerValue});
  if (!plain && dice_.one_in(2)) value = dice_.of({kLockedValue, kLateLock, kTimerValue, kName16, kChar});
  map.value_size = value == kLockedValue || value == kLateLock || value == kName16 ? 16
                   : value == kTimerValue                                          ? 24
                                                                                   : 8;
  if (map.type == kLpmTrie)
    operation.attr.set(create::kBtfKeyTypeId, map.key_size == 8 ? dice_.of({kPair, kPair, kPairTypedef, kU64})
                                                                : std::uint64_t{kU32});
  else if (!map.is_hash() || map.key_size == 4)
    operation.attr.set(create::kBtfKeyTypeId, kU32);
  else if (map.key_size == 8)
    operation.attr.set(create::kBtfKeyTypeId, dice_.of({kU64, kPair, kPairTypedef}));
  else if (plain)
    map.key_size = 4, operation.attr.set(create::kBtfKeyTypeId, kU32);
  operation.attr.set(create::kBtfValueTypeId, value);
  if (!plain && dice_.one_in(5)) operation.attr.set(create::kBtfKeyTypeId, dice_.below(20));
  if (!plain && dice_.one_in(5)) operation.attr.set(create::kBtfValueTypeId, dice_.below(20));
}

void Generator::odd_create_fields(Operation& operation) {
  Attr& attr = operation.attr;
  switch (dice_.below(14)) {
    case 0:
      attr.set(create::kKeySize, dice_.of({0, 1, 3, 5, 8, 512, 513, 1u << 22, 1u << 31, ~0u}));
      break;
    case 1:
      attr.set(create::kValueSize,
               dice_.of({0, 32768, 32769, 32761, 1u << 22, (1u << 22) - 8, 1u << 31, ~0u}));
      attr.set(create::kMaxEntries, 1);
      break;
    case 2:
      attr.set(create::kMaxEntries, 0);
      break;
    case 3:
      attr.set(create::kMapFlags, attr.get(create::kMapFlags) ^ 1u << dice_.below(32));
      break;
    case 4:
      attr.set(create::kMapFlags, dice_.bits() & 0x1fff & ~kNumaNode);
      break;
    case 5:
      attr.set(create::kMapFlags, attr.get(create::kMapFlags) | kNumaNode)
          .set(create::kNumaNode, dice_.of({0, 0, 0, 1, 63, 1024, ~0u}));
      break;
    case 6:
      attr.set_text(create::kMapName, std::string(1, static_cast<char>(dice_.below(256))) + "x");
      break;
    case 7:
      attr.set_text(create::kMapName, "sixteen_letters_");
      break;
    case 8:
      attr.set(create::kMapExtra, dice_.of({1, 1ull << 32}));
      break;
    case 9:
      attr.set(create::kInnerMapFd, 3);
      break;
    case 10:
      attr.set(create::kNumaNode, dice_.of({0, 1, 5, ~0u}));
      break;
    case 11:
      attr.set(create::kBtfVmlinuxValueTypeId, 1 + dice_.below(3));
      break;
    case 12:
      attr.set(dice_.one_in(2) ? create::kValueTypeBtfObjFd : create::kMapTokenFd, dice_.of({1, ~0u}));
      break;
    case 13:
      attr.set(create::kBtfKeyTypeId, dice_.below(4)).set(create::kBtfValueTypeId, dice_.below(16));
      break;
  }
}

Operation Generator::memory_call(int slot) {
  const unsigned roll = dice_.below(10);
  Operation operation = whole(roll < 3   ? Verb::kMap
                              : roll < 5 ? Verb::kShow
                              : roll < 7 ? Verb::kStore
                              : roll < 8 ? Verb::kProtect
                                         : Verb::kUnmap,
                              slot);
  operation.count = dice_.below(kMappings);
  Mapping& mapping = operation.mapping;
  mapping.protection =
      static_cast<int>(dice_.of({PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_NONE}));
  mapping.flags = dice_.one_in(15) ? MAP_PRIVATE : MAP_SHARED;
  mapping.length = static_cast<std::uint32_t>(
      dice_.of({1, 100, kPageSize, kPageSize, kPageSize, 2 * kPageSize, 3 * kPageSize, 0}));
  if (operation.verb == Verb::kMap)
    mapping.offset = static_cast<std::uint32_t>(dice_.of({0, 0, 0, 0, kPageSize, 8}));
  else
    mapping.offset = dice_.below(8192);
  return operation;
}

Operation Generator::load_btf() {
  Operation operation;
  operation.command = kBtfLoad;
  Content blob = map_types_btf();
  for (unsigned flips = dice_.below(3); flips > 0; --flips) {
    // Where a flipped bit is likeliest to matter: header and types.
    const std::size_t at = dice_.below(std::min<std::size_t>(blob.size(), 240));
    blob[at] ^= static_cast<std::byte>(1u << dice_.below(8));
  }
  std::uint64_t size = blob.size();
  if (dice_.one_in(8))
    size = dice_.of({0, 1, 8, 23, 24, 100, blob.size() - 1, 1u << 24, (1u << 24) + 1, ~0u});
  operation.buffers.push_back(buffer(btf::kBtf, blob));
  operation.attr.set(btf::kBtfSize, size);
  if (dice_.one_in(4)) {
    const auto room = static_cast<std::uint32_t>(dice_.of({0, 1, 2, 64, 128, 1000, 8192}));
    operation.attr.set(btf::kLogLevel, dice_.of({1, 1, 2, 3, 4, 7, 8, 9, 16})).set(btf::kLogSize, room);
    operation.buffers.push_back(buffer(btf::kLogBuf, fill(room), 6));
  }
  if (dice_.one_in(20)) operation.attr.set(btf::kFlags, dice_.of({1, 1u << 16}));
  disturb(operation);
  return operation;
}

Operation Generator::odd_call() {
  Operation operation;
  switch (dice_.below(5)) {
    case 0:
      operation.command = kEnableStats;
      operation.attr.set({0, 4, "type"}, dice_.of({0, 1, 2, ~0u}));
      break;
    case 1:
      operation.command =
          static_cast<unsigned>(dice_.of({38, 39, 40, 64, 1u << 16, 1u << 17, ~0u, 1u << 31}));
      break;
    case 2:
      operation.command = kMapGetNextId;
      operation.attr.set(by_id::kId, dice_.of({0x7fffffff, 0x80000000, ~0u}));
      break;
    case 3:
      operation.command = kBtfGetNextId;
      operation.attr.set(by_id::kId, dice_.of({0x7fffffff, 0x80000000, ~0u}));
      break;
    case 4:
      operation.command = kMapGetFdById;
      operation.attr.set(by_id::kId, dice_.of({0, 0x7fffffff, ~0u}));
      break;
  }
  disturb(operation);
  return operation;
}

std::vector<Operation> generate(const SequenceOptions& options) {
  return options.types.empty() ? generate_btf(options) : Generator(options).run();
}

}  // namespace portolan::conformance
