// SPDX-License-Identifier: Apache-2.0
// Makes the operations of random sequences. Buffers get the sizes of the maps that the slots hold if all has
// gone well; where it has not, that is one more oddity.
#pragma once
#include <fcntl.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "btf_blob.h"
#include "dice.h"
#include "generate.h"
#include "prefixes.h"
#include "world.h"

namespace portolan::conformance {

std::vector<Operation> generate_btf(const SequenceOptions& options);

using Content = std::vector<std::byte>;

class Generator {
 public:
  explicit Generator(const SequenceOptions& options) : options_(options), dice_(options.seed) {}

  std::vector<Operation> run();

 private:
  Operation next();
  int pick_slot() { return dice_.percent(60) ? 0 : static_cast<int>(dice_.below(kMapSlots)); }
  Shape& shape(int slot) { return planned_[static_cast<std::size_t>(slot)]; }

  // --- odd things that may happen to any call
  Place bad_place() {
    return static_cast<Place>(
        dice_.of({static_cast<unsigned>(Place::kReadOnly), static_cast<unsigned>(Place::kNull),
                  static_cast<unsigned>(Place::kUnmapped), static_cast<unsigned>(Place::kNonCanonical),
                  static_cast<unsigned>(Place::kKernelHalf)}));
  }
  void disturb(Operation& operation);
  // Not in a pointer (it would point at something that is there), nor where a map's size is decided.
  void stray_inside(Operation& operation, unsigned size) {
    const unsigned at = operation.command == kMapCreate ? 16 + dice_.below(size - 16) : 1 + dice_.below(size);
    for (const Buffer& pointer : operation.buffers)
      if (at >= pointer.field.offset && at < pointer.field.offset + 8u) return;
    operation.stray_byte = at;
  }
  Buffer buffer(Field field, Content bytes, unsigned bad_one_in = 60) {
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
  Content key(int slot) { return key_of_size(slot, shape(slot).key_size); }
  Content key_of_size(int slot, std::size_t size) {
    const Shape& map = shape(slot);
    if (map.type == kLpmTrie) return prefix(dice_, size, map.max_entries);
    Content bytes(size);
    std::uint32_t number = dice_.below(map.max_entries + map.max_entries / 4 + 2);
    if (dice_.one_in(100)) number = static_cast<std::uint32_t>(dice_.of({~0u, 1u << 31, 1u << 16, 0xffff}));
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<std::byte>(i < 4 ? number >> (8 * i) : number * 37 + i);
    return bytes;
  }
  Content fill(std::size_t size) {
    Content bytes(size);
    const std::uint64_t word = dice_.bits();
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>((word >> (i % 8 * 8)) + i / 8);
    return bytes;
  }
  Content value(int slot, unsigned command) {
    const bool goes_in = command == kUpdate || command == kUpdateBatch;
    if (const std::uint32_t type = shape(slot).type;
        holds_objects(type) && goes_in) {  // which slot's map, or object
      Content bytes(shape(slot).value_size);
      const int choices = holds_maps(type) ? kMapSlots : dice_.one_in(4) ? kObjects + kMapSlots : kObjects;
      if (!bytes.empty()) bytes[0] = static_cast<std::byte>(dice_.below(static_cast<std::uint64_t>(choices)));
      return bytes;
    }
    if (shape(slot).type != kBloomFilter) return fill(shape(slot).user_value_size());
    return key_of_size(slot, shape(slot).value_size);  // few, so that some have been added
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
    const bool has_none = !has_keys(map.type) && !dice_.one_in(30);
    if (from_start || has_none) operation.buffers.back().place = Place::kNull;
    if (command == kGetNextKey) {
      operation.buffers.push_back(buffer(element::kValue, fill(map.key_size)));
    } else if (command != kDelete) {
      operation.buffers.push_back(buffer(element::kValue, value(slot, command)));
      operation.buffers.back().has_fds = holds_objects(map.type) && command == kUpdate;
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
    const std::uint32_t entries = has_keys(map.type) ? map.max_entries : std::min(map.max_entries, 8u);
    std::uint32_t count = whole_map || dice_.one_in(4) ? entries + 1 : dice_.below(entries + 3);
    if (!whole_map && dice_.one_in(50)) count = 0;
    const unsigned bad = whole_map ? 0 : 60;
    Content keys, values;
    for (std::uint32_t i = 0; i < count; ++i) {
      const Content one_key = key(slot), one_value = value(slot, command);
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
    if (command == kUpdateBatch && holds_objects(map.type)) operation.buffers.back().has_fds = true;
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
    Content details(std::min(length, 4096u));
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
  Operation memory_call(int slot);
  Operation load_btf();
  Operation odd_call();
  Operation create(int slot, bool plain);
  void add_btf(Operation& operation, Shape& map, bool plain);
  void odd_create_fields(Operation& operation);

  // Mostly small, so that maps get full and keys meet; now and then enough for many buckets.
  std::uint32_t number_of_entries() {
    const std::uint32_t most = dice_.percent(85) ? 40 : dice_.percent(80) ? 200 : 600;
    return 1 + dice_.below(most);
  }
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

}  // namespace portolan::conformance
