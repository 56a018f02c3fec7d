// SPDX-License-Identifier: Apache-2.0
#include "iterate.h"

#include <algorithm>
#include <map>

namespace portolan::conformance {
namespace {

using Record = std::vector<std::byte>;

// "=name" has no red zone before its bytes.
void append_records(Observation& out, std::string name, std::vector<Record> records, bool as_set) {
  if (as_set) std::sort(records.begin(), records.end());
  Record all;
  for (const Record& record : records) all.insert(all.end(), record.begin(), record.end());
  out.parts.push_back({std::move(name), std::move(all)});
}

void append(Record& record, long value) {
  const auto bytes = bytes_of(value);
  record.insert(record.end(), bytes.begin(), bytes.end());
}

long next_key(World& world, int fd, const void* key, void* next) {
  Attr attr;
  attr.set(element::kMapFd, static_cast<std::uint64_t>(fd))
      .set(element::kKey, reinterpret_cast<std::uint64_t>(key));
  attr.set(element::kValue, reinterpret_cast<std::uint64_t>(next));
  return world.call(kGetNextKey, attr, 24);
}

Observation::Part* part_named(Observation& observation, std::string_view name) {
  for (Observation::Part& part : observation.parts)
    if (part.name == name) return &part;
  return nullptr;
}

const Buffer* buffer_of(const Operation& operation, Field field) {
  for (const Buffer& buffer : operation.buffers)
    if (buffer.field.offset == field.offset) return &buffer;
  return nullptr;
}

bool is_there(World& world, int slot, const std::byte* key) {
  Record value(world.shape(slot).user_value_size() + 8);
  return world.lookup(world.map_fd(slot), key, value.data()) != -ENOENT;
}

// One batch call of the harness's own.
struct Step {
  long result;
  std::uint32_t count;
};
Step batch_step(World& world, unsigned command, int fd, const void* in, void* out, Record& keys,
                Record& values, std::uint32_t count) {
  Attr attr;
  attr.set(batch::kInBatch, reinterpret_cast<std::uint64_t>(in));
  attr.set(batch::kOutBatch, reinterpret_cast<std::uint64_t>(out));
  attr.set(batch::kKeys, reinterpret_cast<std::uint64_t>(keys.data()));
  attr.set(batch::kValues, reinterpret_cast<std::uint64_t>(values.data()));
  attr.set(batch::kCount, count).set(batch::kMapFd, static_cast<std::uint64_t>(fd));
  const long result = world.call(command, attr, batch::kSize);
  return {result, static_cast<std::uint32_t>(attr.get(batch::kCount))};
}

std::vector<Record> pairs_of(const std::byte* keys, const std::byte* values, std::size_t count,
                             const Shape& shape) {
  std::vector<Record> records;
  for (std::size_t i = 0; i < count; ++i) {
    Record record(keys + i * shape.key_size, keys + (i + 1) * shape.key_size);
    const std::size_t size = shape.user_value_size();
    record.insert(record.end(), values + i * size, values + (i + 1) * size);
    records.push_back(std::move(record));
  }
  return records;
}

// From the start, and with room for every element wherever there is room at all.
bool sees_all(const Operation& operation, const Shape& shape) {
  const Buffer* in = buffer_of(operation, batch::kInBatch);
  const auto has_room = [&](Field field, std::size_t size) {
    const Buffer* buffer = buffer_of(operation, field);
    return buffer != nullptr && (buffer->place != Place::kWritable || buffer->bytes.size() >= size);
  };
  return (in == nullptr || in->place == Place::kNull) &&
         operation.attr.get(batch::kCount) >= shape.max_entries && has_room(batch::kOutBatch, 4) &&
         has_room(batch::kKeys, std::size_t{shape.key_size} * shape.max_entries) &&
         has_room(batch::kValues, shape.user_value_size() * shape.max_entries);
}

void forget(Observation::Part& part, std::size_t size) {
  std::fill_n(part.bytes.begin() + Arena::kRedZone, size, std::byte{0});
}

}  // namespace

void iterate(World& world, int slot, Observation& out) {
  const Shape& shape = world.shape(slot);
  const int fd = world.map_fd(slot);
  Record key(shape.key_size), next(shape.key_size), value(shape.user_value_size());
  std::vector<Record> records;
  const std::byte* from = nullptr;
  for (std::uint32_t steps = 0; steps <= shape.max_entries; ++steps) {
    out.result = next_key(world, fd, from, next.data());
    if (out.result != 0) break;
    std::fill(value.begin(), value.end(), std::byte{0x77});
    Record record = next;
    append(record, world.lookup(fd, next.data(), value.data()));
    if (holds_objects(shape.type)) world.name_ids(shape.type, value);
    record.insert(record.end(), value.begin(), value.end());
    records.push_back(std::move(record));
    key = next;
    from = key.data();
  }
  append_records(out, "=elements", std::move(records), shape.is_hash());
}

void walk(World& world, const Operation& operation, Observation& out) {
  const Shape& shape = world.shape(operation.slot);
  Record token(std::max<std::size_t>(shape.key_size, 8));
  const void* from = nullptr;
  std::uint32_t count = std::max(operation.count, 1u);
  std::vector<Record> records;
  for (std::uint32_t steps = 0; steps < 2 * shape.max_entries + 16; ++steps) {
    Record keys(std::size_t{count} * shape.key_size), values(std::size_t{count} * shape.user_value_size());
    const Step step = batch_step(world, operation.command, world.map_fd(operation.slot), from, token.data(),
                                 keys, values, count);
    out.result = step.result;
    if (step.result == -ENOSPC) {  // a bucket holds more than `count`
      count *= 2;
      continue;
    }
    if (step.result != 0 && step.result != -ENOENT) break;
    if (step.count > count) {
      out.result = -EOVERFLOW;
      break;
    }
    if (holds_objects(shape.type)) world.name_ids(shape.type, values);
    auto pairs = pairs_of(keys.data(), values.data(), step.count, shape);
    std::move(pairs.begin(), pairs.end(), std::back_inserter(records));
    if (step.result == -ENOENT) break;
    from = token.data();
  }
  append_records(out, "=elements", std::move(records), shape.is_hash());
}

void list_ids(World& world, unsigned command, Observation& out) {
  std::vector<Record> names;
  Attr attr;
  while (world.call(command, attr, 12) == 0) {
    const auto id = static_cast<std::uint32_t>(attr.get(by_id::kNextId));
    const std::uint32_t name = command == kMapGetNextId ? world.name_of_map_id(id) : world.name_of_btf_id(id);
    if (name != id && !(command == kMapGetNextId && world.may_linger(id))) {
      const auto bytes = bytes_of(name);
      names.emplace_back(bytes.begin(), bytes.end());
    }
    attr.set(by_id::kId, id);
  }
  append_records(out, "=ids", std::move(names), true);
}

bool next_key_is_open(World& world, const Operation& operation, int slot) {
  const Buffer* key = buffer_of(operation, element::kKey);
  if (key == nullptr || (key->place != Place::kWritable && key->place != Place::kReadOnly)) return false;
  return key->bytes.size() >= world.shape(slot).key_size && is_there(world, slot, key->bytes.data());
}

void settle_next_key(World& world, int slot, bool open, Observation& observation) {
  Observation::Part* next = part_named(observation, element::kValue.name);
  const std::size_t key_size = world.shape(slot).key_size;
  if (observation.result == 0 && next != nullptr && next->bytes.size() >= Arena::kRedZone + key_size) {
    std::byte* key = next->bytes.data() + Arena::kRedZone;
    const bool there = is_there(world, slot, key);
    std::fill(key, key + key_size, there ? std::byte{0x11} : std::byte{0xee});
  }
  if (observation.result == -EFAULT && next != nullptr) next->bytes.clear();  // the start of some key
  if (!open || (observation.result != 0 && observation.result != -ENOENT && observation.result != -EFAULT))
    return;
  observation.result = 0;
  observation.parts.clear();
}

bool takes_all(World& world, const Operation& operation, int slot) {
  if (!sees_all(operation, world.shape(slot)) || operation.attr_place != Place::kWritable) return false;
  for (const Buffer& buffer : operation.buffers)
    if (buffer.field.offset != batch::kInBatch.offset && buffer.place != Place::kWritable) return false;
  return true;
}

void settle_batch(World& world, const Operation& operation, int slot, Observation& observation) {
  const long result = observation.result;
  if (result != 0 && result != -ENOENT && result != -ENOSPC && result != -EFAULT) return;
  if (Observation::Part* token = part_named(observation, batch::kOutBatch.name)) token->bytes.clear();
  const Shape& shape = world.shape(slot);
  Observation::Part* attr = part_named(observation, "attr");
  Observation::Part* keys = part_named(observation, batch::kKeys.name);
  Observation::Part* values = part_named(observation, batch::kValues.name);
  const bool whole = sees_all(operation, shape);
  if (whole && result == -EFAULT) {  // after some of the elements, which and how many is open
    observation.parts.clear();
    return;
  }
  std::vector<Record> pairs;
  const std::size_t attr_size = attr->bytes.size();
  if ((result == 0 || result == -ENOENT) && attr_size >= Arena::kRedZone + batch::kMapFd.offset && keys &&
      values) {
    const auto count =
        load_unaligned<std::uint32_t>(attr->bytes.data() + Arena::kRedZone + batch::kCount.offset);
    if (count * std::size_t{shape.key_size} <= keys->bytes.size() - Arena::kRedZone &&
        count * shape.user_value_size() <= values->bytes.size() - Arena::kRedZone)
      pairs = pairs_of(keys->bytes.data() + Arena::kRedZone, values->bytes.data() + Arena::kRedZone, count,
                       shape);
  }
  if (whole) {
    std::sort(pairs.begin(), pairs.end());
    forget(*keys, pairs.size() * shape.key_size);
    forget(*values, pairs.size() * shape.user_value_size());
    append_records(observation, "=elements", std::move(pairs), true);
    return;
  }
  // A part of the map, of which only the kernel knows the buckets: each pair must be true, and that is all.
  observation.result = 0;
  observation.parts.clear();
  for (const Record& pair : pairs) {
    Record value(shape.user_value_size());
    const long found = world.lookup(world.map_fd(slot), pair.data(), value.data());
    if (holds_objects(shape.type)) world.name_ids(shape.type, value);  // as the pair is named
    if (found != 0 || !std::equal(value.begin(), value.end(), pair.begin() + shape.key_size))
      observation.result = -EBADMSG;
  }
}

}  // namespace portolan::conformance
