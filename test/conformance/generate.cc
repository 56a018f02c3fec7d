// SPDX-License-Identifier: Apache-2.0
#include "generate.h"

#include <optional>
#include <string>

#include "btf_blob.h"
#include "dice.h"
#include "world.h"

namespace portolan::conformance {
namespace {

using Bytes_ = std::vector<std::byte>;

class Generator {
 public:
  explicit Generator(const SequenceOptions& options) : options_(options), dice_(options.seed) {}

  std::vector<Operation> run() {
    std::vector<Operation> sequence;
    for (int slot = 0; slot < kMapSlots; ++slot) sequence.push_back(create(slot, true));
    while (sequence.size() < options_.operations) sequence.push_back(next());
    for (int slot = 0; slot < kMapSlots; ++slot) {
      sequence.push_back(get_info(slot));
      sequence.push_back(whole(Verb::kIterate, slot));
    }
    return sequence;
  }

 private:
  Operation next() {
    const unsigned roll = dice_.below(1000);
    const int slot = pick_slot();
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

  int pick_slot() { return dice_.percent(60) ? 0 : static_cast<int>(dice_.below(kMapSlots)); }
  Shape& shape(int slot) { return planned_[static_cast<std::size_t>(slot)]; }

  // --- odd things that may happen to any call
  Place bad_place() {
    return static_cast<Place>(
        dice_.of({static_cast<unsigned>(Place::kReadOnly), static_cast<unsigned>(Place::kNull),
                  static_cast<unsigned>(Place::kUnmapped), static_cast<unsigned>(Place::kNonCanonical),
                  static_cast<unsigned>(Place::kKernelHalf)}));
  }
  void disturb(Operation& operation) {
    const unsigned size = size_of(operation.command);
    operation.size = static_cast<unsigned>(dice_.of({size, size, size, kAttrSize, (size + 7) & ~7u}));
    operation.attr_at_the_end = dice_.one_in(8);
    if (!dice_.one_in(30)) return;
    switch (dice_.below(7)) {
      case 0:
        operation.size = dice_.below(size + 1);
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
  // Not in a pointer (it would point at something that is there), nor where a map's size is decided.
  void stray_inside(Operation& operation, unsigned size) {
    const unsigned at = operation.command == kMapCreate ? 16 + dice_.below(size - 16) : 1 + dice_.below(size);
    for (const Buffer& pointer : operation.buffers)
      if (at >= pointer.field.offset && at < pointer.field.offset + 8u) return;
    operation.stray_byte = at;
  }
  Buffer buffer(Field field, Bytes_ bytes, unsigned bad_one_in = 60) {
    Buffer made{field, Place::kWritable, std::move(bytes), false};
    if (bad_one_in != 0 && dice_.one_in(bad_one_in)) {
      if (!made.bytes.empty() && dice_.one_in(3))
        made.bytes.resize(made.bytes.size() - 1 - dice_.below(made.bytes.size()));  // too short
      else
        made.place = bad_place();
    }
    return made;
  }

  // --- contents
  Bytes_ key(int slot) {
    const Shape& map = shape(slot);
    Bytes_ bytes(map.key_size);
    std::uint32_t number = dice_.below(map.max_entries + map.max_entries / 4 + 2);
    if (dice_.one_in(100)) number = static_cast<std::uint32_t>(dice_.of({~0u, 1u << 31, 1u << 16, 0xffff}));
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<std::byte>(i < 4 ? number >> (8 * i) : number * 37 + i);
    return bytes;
  }
  Bytes_ fill(std::size_t size) {
    Bytes_ bytes(size);
    const std::uint64_t word = dice_.bits();
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>((word >> (i % 8 * 8)) + i / 8);
    return bytes;
  }
  std::uint64_t element_flags() {
    if (dice_.percent(70)) return kAny;
    if (dice_.percent(85))
      return dice_.of({kNoExist, kExist, kNoExist, kExist, kLock, kLock | kExist, kLock | kNoExist});
    return dice_.of(
        {3, 8, 16, 24, kCpu | (1ull << 32), kCpu | (7ull << 32), 32, 7, 1ull << 32, 1ull << 63, ~0ull});
  }

  // --- the calls
  Operation start(unsigned command, int slot, Field fd_field) {
    Operation operation;
    operation.command = command;
    operation.references.push_back({fd_field, Referent::kMap, slot});
    return operation;
  }
  Operation element_call(unsigned command, int slot) {
    Operation operation = start(command, slot, element::kMapFd);
    const Shape& map = shape(slot);
    const bool from_start = command == kGetNextKey && dice_.one_in(3);
    operation.buffers.push_back(buffer(element::kKey, key(slot)));
    if (from_start) operation.buffers.back().place = Place::kNull;
    if (command == kGetNextKey) {
      operation.buffers.push_back(buffer(element::kValue, fill(map.key_size)));
    } else if (command != kDelete) {
      operation.buffers.push_back(buffer(element::kValue, fill(map.user_value_size())));
    }
    const bool takes_flags = command == kUpdate || dice_.one_in(10);
    if (takes_flags && (command != kDelete || dice_.one_in(10)))
      operation.attr.set(element::kFlags, element_flags());
    disturb(operation);
    return operation;
  }
  Operation batch_call(unsigned command, int slot) {
    Operation operation = start(command, slot, batch::kMapFd);
    const Shape& map = shape(slot);
    const bool reads = command == kLookupBatch || command == kLookupAndDeleteBatch;
    // A hash deletes what its buckets hold, so only whole walks leave both backends with the same map.
    const bool whole_map = command == kLookupAndDeleteBatch && map.is_hash();
    std::uint32_t count = whole_map || dice_.one_in(4) ? kMostEntries : dice_.below(map.max_entries + 3);
    if (!whole_map && dice_.one_in(50)) count = 0;
    const unsigned bad = whole_map ? 0 : 60;
    Bytes_ keys, values;
    for (std::uint32_t i = 0; i < count; ++i) {
      const Bytes_ one_key = key(slot), one_value = fill(map.user_value_size());
      keys.insert(keys.end(), one_key.begin(), one_key.end());
      values.insert(values.end(), one_value.begin(), one_value.end());
    }
    if (reads) {
      Buffer in = buffer(batch::kInBatch, key(slot), bad);
      if (map.is_hash()) in.bytes.resize(4);
      if (whole_map || dice_.one_in(2)) in.place = Place::kNull;
      operation.buffers.push_back(in);
      operation.buffers.push_back(buffer(batch::kOutBatch, fill(std::max(map.key_size, 4u)), bad));
    }
    operation.buffers.push_back(buffer(batch::kKeys, keys, bad));
    if (command != kDeleteBatch || dice_.one_in(20))
      operation.buffers.push_back(buffer(batch::kValues, values, bad));
    operation.attr.set(batch::kCount, count);
    if (dice_.one_in(8)) operation.attr.set(batch::kElemFlags, element_flags());
    if (dice_.one_in(40)) operation.attr.set(batch::kFlags, dice_.of({1, 2, 4, 1ull << 40}));
    if (whole_map)
      operation.size = kAttrSize;
    else
      disturb(operation);
    return operation;
  }
  Operation whole(Verb verb, int slot) {
    Operation operation;
    operation.verb = verb;
    operation.slot = slot;
    return operation;
  }
  Operation walk(int slot) {
    Operation operation = whole(Verb::kWalk, slot);
    operation.command = dice_.one_in(4) ? kLookupAndDeleteBatch : kLookupBatch;
    operation.count = 1 + dice_.below(shape(slot).max_entries + 2);
    return operation;
  }
  Operation freeze(int slot) {
    Operation operation = start(kFreeze, slot, element::kMapFd);
    if (dice_.one_in(20)) operation.attr.set(element::kFlags, 1);
    disturb(operation);
    return operation;
  }
  Operation get_info(int slot) {
    Operation operation = start(kObjGetInfo, slot, info::kBpfFd);
    if (dice_.one_in(10))
      operation.references[0] = {info::kBpfFd, Referent::kBtf, static_cast<int>(dice_.below(2))};
    const bool of_btf = operation.references[0].to == Referent::kBtf;
    std::uint32_t length = of_btf ? info::kBtfSize : info::kMapSize;
    if (dice_.one_in(3))
      length =
          static_cast<std::uint32_t>(dice_.of({0, 1, 4, 8, 16, 24, 40, 80, 88, 104, 112, 128, 4096, 4097}));
    Bytes_ details(std::min(length, 4096u));
    if (dice_.one_in(8) && !details.empty()) details[dice_.below(details.size())] = std::byte{0x5a};
    operation.buffers.push_back(buffer(info::kInfo, details));
    operation.attr.set(info::kInfoLen, length);
    disturb(operation);
    return operation;
  }
  Buffer path(std::uint32_t number) {
    std::string text = "@/pin" + std::to_string(number);
    if (dice_.one_in(20)) {
      static const char* const kOdd[] = {
          "",     "@",        "@/",           "@/absent/pin", "@/a.b",    "/dev/null",
          "/tmp", "relative", "@/pin1/below", "@//pin1",      "@/./pin2", "@/pin\xc3\xa9"};
      text = kOdd[dice_.below(std::size(kOdd))];
    }
    Buffer made{object::kPathname, Place::kWritable, {}, true};
    const auto bytes = std::as_bytes(std::span(text.c_str(), text.size() + 1));
    made.bytes.assign(bytes.begin(), bytes.end());
    if (dice_.one_in(40)) made.place = bad_place();
    return made;
  }
  Operation pin(int slot) {
    Operation operation = start(kObjPin, slot, object::kBpfFd);
    const std::uint32_t number = dice_.below(kPins);
    operation.buffers.push_back(path(number));
    odd_object_fields(operation);
    if (!pinned_[number]) pinned_[number] = shape(slot);
    return operation;
  }
  Operation get_pin(int slot) {
    Operation operation;
    operation.command = kObjGet;
    operation.slot = slot;
    operation.buffers.push_back(path(dice_.below(4)));
    if (dice_.one_in(4))
      operation.attr.set(object::kFileFlags, dice_.of({kReadOnly, kWriteOnly, kReadOnly | kWriteOnly}));
    if (dice_.one_in(40)) operation.attr.set(object::kBpfFd, 1);
    odd_object_fields(operation);
    return operation;
  }
  void odd_object_fields(Operation& operation) {
    if (dice_.one_in(20))
      operation.attr.set(object::kFileFlags, dice_.of({1, 2, kReadOnly, kPathFd, 1u << 20, ~0u}));
    if (dice_.one_in(20))
      operation.attr.set(object::kPathFdField, dice_.of({~0u, 3, static_cast<std::uint32_t>(AT_FDCWD)}));
    disturb(operation);
  }
  Operation unlink_pin() {
    Operation operation = whole(Verb::kUnlinkPin, kNoSlot);
    operation.count = dice_.below(kPins);
    pinned_[operation.count].reset();
    return operation;
  }
  Operation by_id_call(int slot) {
    Operation operation;
    operation.command = dice_.one_in(5) ? kBtfGetFdById : kMapGetFdById;
    const bool of_map = operation.command == kMapGetFdById;
    operation.references.push_back({by_id::kId, of_map ? Referent::kMapId : Referent::kBtfId,
                                    static_cast<int>(dice_.below(of_map ? kMapSlots : kBtfSlots))});
    if (of_map) {
      operation.slot = slot;
      shape(slot) = shape(operation.references[0].slot);
    }
    if (dice_.one_in(8)) operation.references[0] = {by_id::kId, Referent::kNegative, 0};
    if (dice_.one_in(3))
      operation.attr.set(by_id::kOpenFlags,
                         dice_.of({kReadOnly, kWriteOnly, kReadOnly | kWriteOnly, 1, 1u << 16, ~0u}));
    if (dice_.one_in(20)) operation.attr.set(by_id::kNextId, 1);
    disturb(operation);
    if (!operation.references.empty() && operation.references[0].to == Referent::kMap)
      operation.references.clear();
    return operation;
  }
  Operation list_ids() {
    Operation operation = whole(Verb::kListIds, kNoSlot);
    operation.command = dice_.one_in(4) ? kBtfGetNextId : kMapGetNextId;
    return operation;
  }
  Operation load_btf();
  Operation odd_call();
  Operation create(int slot, bool plain);
  void add_btf(Operation& operation, Shape& map, bool plain);
  void odd_create_fields(Operation& operation);

  static constexpr std::uint32_t kMostEntries = 40;
  static constexpr std::uint32_t kPins = 4;
  const SequenceOptions& options_;
  Dice dice_;
  // What the slots and pins hold if all goes well: only a guess, from which buffers get their sizes.
  std::array<std::optional<Shape>, kPins> pinned_;
  std::array<Shape, kMapSlots> planned_ = [] {
    std::array<Shape, kMapSlots> shapes;
    shapes.fill({kArray, 0, 4, 8, 4, 0});
    return shapes;
  }();
};

Operation Generator::create(int slot, bool plain) {
  Operation operation;
  operation.command = kMapCreate;
  operation.slot = slot;
  Shape map;
  map.type = options_.types[dice_.below(options_.types.size())];
  map.key_size = map.is_hash()
                     ? static_cast<std::uint32_t>(dice_.of({1, 2, 3, 4, 4, 5, 7, 8, 8, 8, 12, 16, 33, 64}))
                     : 4;
  map.value_size = static_cast<std::uint32_t>(dice_.of({1, 2, 3, 4, 5, 7, 8, 8, 8, 12, 16, 24, 33, 64, 100}));
  map.max_entries = 1 + dice_.below(kMostEntries);
  if (map.is_hash() && dice_.one_in(2)) map.flags |= kNoPrealloc;
  if (map.is_hash() && dice_.one_in(4)) map.flags |= kZeroSeed;
  if (!map.is_hash() && dice_.one_in(8)) map.flags |= map.type == kArray && dice_.one_in(2) ? kInnerMap : 0u;
  if (dice_.one_in(8))
    map.flags |= static_cast<std::uint32_t>(dice_.of({kReadOnly, kWriteOnly, kReadOnlyProg, kWriteOnlyProg}));
  if (map.type == kArray && dice_.one_in(6)) map.flags |= kMmapable;
  if (dice_.one_in(6))
    operation.attr.set_text(create::kMapName, dice_.of({0, 1}) != 0 ? "a_map" : "name.15_letters");
  if (dice_.one_in(3)) add_btf(operation, map, plain);
  operation.attr.set(create::kMapType, map.type).set(create::kKeySize, map.key_size);
  operation.attr.set(create::kValueSize, map.value_size).set(create::kMaxEntries, map.max_entries);
  operation.attr.set(create::kMapFlags, map.flags);
  if (plain) {
    shape(slot) = map;
    operation.size = dice_.one_in(2) ? create::kSize : kAttrSize;
  } else {
    if (!dice_.one_in(4)) operation.slot = kNoSlot;
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
  if (!map.is_hash() || map.key_size == 4)
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

Operation Generator::load_btf() {
  Operation operation;
  operation.command = kBtfLoad;
  Bytes_ blob = map_types_btf();
  if (dice_.one_in(2)) {
    // Where a flipped bit is likeliest to matter: header and types.
    const std::size_t at = dice_.below(std::min<std::size_t>(blob.size(), 240));
    blob[at] ^= static_cast<std::byte>(1u << dice_.below(8));
  }
  std::uint64_t size = blob.size();
  if (dice_.one_in(8))
    size = dice_.of({0, 1, 8, 23, 24, 100, blob.size() - 1, 1u << 24, (1u << 24) + 1, ~0u});
  operation.buffers.push_back(buffer(btf::kBtf, blob));
  operation.attr.set(btf::kBtfSize, size);
  if (dice_.one_in(10))
    operation.attr.set(btf::kLogLevel, dice_.of({1, 2, 4, 8})).set(btf::kLogSize, dice_.of({0, 1, 128}));
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
          static_cast<unsigned>(dice_.of({37, 38, 39, 40, 64, 1u << 16, 1u << 17, ~0u, 1u << 31}));
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

}  // namespace

std::vector<Operation> generate(const SequenceOptions& options) { return Generator(options).run(); }

}  // namespace portolan::conformance
