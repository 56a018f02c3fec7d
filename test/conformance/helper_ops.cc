// SPDX-License-Identifier: Apache-2.0
// What operations are, and how they become a program.
//
// r9 points at the results, 16 bytes for each operation; r10 - 64 holds its key, r10 - 192 its value.
// Callbacks get what they add up to in r10 - 208 of the main program.
#include "helper_ops.h"

#include <fmt/format.h>

#include "btf_blob.h"
#include "prefixes.h"
#include "world.h"

namespace portolan::conformance {
namespace {

constexpr int kKeyAt = -64, kValueAt = -192, kSumAt = -208;
constexpr std::int32_t kMapLookup = 1, kMapUpdate = 2, kMapDelete = 3, kSpinLock = 93, kSpinUnlock = 94,
                       kForEachElem = 164, kMapLookupPercpu = 195, kMapPush = 87, kMapPop = 88, kMapPeek = 89;
constexpr std::uint8_t kIfEqual = 0x15, kGoto = 0x05;

std::vector<std::byte> random_bytes(Dice& dice, std::size_t size) {
  std::vector<std::byte> bytes(size);
  const std::uint64_t word = dice.bits();
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>((word >> (i % 8 * 8)) + i / 8);
  return bytes;
}

ProgramMap random_map(Dice& dice, std::uint32_t type) {
  ProgramMap map;
  map.type = type;
  map.max_entries = dice.one_in(4) ? 1 : 1 + dice.below(dice.percent(80) ? 24 : 150);
  map.value_size = static_cast<std::uint32_t>(dice.of({1, 3, 4, 8, 12, 16, 20, 24, 40, 64, 100}));
  if (!has_keys(type)) {
    map.key_size = 0;
    if (type == kBloomFilter) map.flags = kZeroSeed;
    return map;
  }
  if (type == kLpmTrie) {
    map.key_size = static_cast<std::uint32_t>(dice.of({5, 6, 8, 8, 12, 20}));
    map.flags = kNoPrealloc;
    return map;
  }
  if (map.is_hash()) {
    map.key_size = static_cast<std::uint32_t>(dice.of({1, 2, 3, 4, 4, 5, 8, 8, 12, 16, 24}));
    if (is_lru_type(type))
      map.flags = dice.one_in(3) ? static_cast<std::uint32_t>(kNoCommonLru) : 0;
    else if (dice.one_in(2))
      map.flags = kNoPrealloc;
  }
  if (!map.is_per_cpu() && !is_lru_type(type) && dice.one_in(4)) {
    map.is_locked = true;
    map.value_size = 16;
    map.key_size = 4;
  } else if (map.type == kArray && dice.one_in(4)) {
    map.flags = kMmapable;
  }
  return map;
}

std::vector<std::byte> random_key(Dice& dice, const ProgramMap& map) {
  if (map.type == kLpmTrie) return prefix(dice, map.key_size, map.max_entries);
  std::vector<std::byte> key(map.key_size);
  std::uint32_t number = dice.below(map.max_entries + map.max_entries / 4 + 2);
  if (dice.one_in(100)) number = static_cast<std::uint32_t>(dice.of({~0u, 1u << 31, 1u << 16}));
  for (std::size_t i = 0; i < key.size(); ++i)
    key[i] = static_cast<std::byte>(i < 4 ? number >> (8 * i) : number * 37 + i);
  return key;
}

bool fits(HelperVerb verb, const ProgramMap& map) {
  if ((verb >= HelperVerb::kPush) == has_keys(map.type)) return false;
  if (map.type == kLpmTrie && verb >= HelperVerb::kForEach && verb <= HelperVerb::kForEachDelete)
    return false;
  switch (verb) {
    case HelperVerb::kPop:
      return map.type != kBloomFilter;
    case HelperVerb::kLookupPercpu:
      return map.is_per_cpu();
    case HelperVerb::kLockedAdd:
      return map.is_locked;
    case HelperVerb::kForEachDelete:
      return map.is_hash();
    case HelperVerb::kStore:
    case HelperVerb::kAtomicAdd:
      return !map.is_locked && map.value_size >= 8;
    case HelperVerb::kForEachStore:
      return !map.is_locked;
    default:
      return true;
  }
}

HelperOp random_op(Dice& dice, const std::vector<ProgramMap>& maps) {
  HelperOp op;
  op.map = dice.percent(50) ? 0 : dice.below(maps.size());
  const ProgramMap& map = maps[op.map];
  do {
    op.verb = static_cast<HelperVerb>(dice.below(kHelperVerbs));
    const bool is_walk = op.verb >= HelperVerb::kForEach && op.verb <= HelperVerb::kForEachDelete;
    if (!has_keys(map.type))
      op.verb = static_cast<HelperVerb>(static_cast<unsigned>(HelperVerb::kPush) + dice.below(3));
    else if (is_walk && !dice.one_in(12))
      op.verb = dice.percent(60) ? HelperVerb::kUpdate : HelperVerb::kLookup;
  } while (!fits(op.verb, map));
  op.key = random_key(dice, map);
  op.value = random_bytes(dice, map.value_size);
  if (map.type == kBloomFilter)
    for (std::size_t i = 0; i < op.value.size(); ++i) op.value[i] = std::byte{0};
  if (map.type == kBloomFilter) op.value[0] = static_cast<std::byte>(dice.below(map.max_entries * 2));
  if (op.verb == HelperVerb::kPush && dice.percent(30))
    op.flags = dice.of({kNoExist, kExist, kExist, 3, kLock, ~0ull});
  if (op.verb == HelperVerb::kUpdate && dice.percent(40))
    op.flags =
        dice.of({kNoExist, kExist, kNoExist, kExist, 3, kLock, kLock | kExist, 8, 16, 1ull << 32, ~0ull});
  if (op.verb == HelperVerb::kForEach && dice.one_in(20)) op.flags = 1;
  if (op.verb == HelperVerb::kLookupPercpu)
    op.number = dice.one_in(10) ? static_cast<std::uint32_t>(dice.of({~0u, 4096, 1u << 31, possible_cpus()}))
                                : dice.below(possible_cpus());
  else if (map.value_size >= 8)
    op.number = dice.below(map.value_size / 8) * 8;
  return op;
}

class Compiler {
 public:
  Compiler(const std::vector<ProgramMap>& maps, const std::vector<int>& fds, int results_fd)
      : maps_(maps), fds_(fds), callbacks_(maps.size() * 3, -1) {
    code_.map_value(9, results_fd);
  }

  void add(const HelperOp& op, std::int32_t result) {
    op_ = &op;
    map_ = &maps_[op.map];
    result_ = result;
    put_bytes(kKeyAt, op.key);
    switch (op.verb) {
      case HelperVerb::kLookup:
        return found([&] { add_up(0, 8, map_->is_locked ? 4 : 0); });
      case HelperVerb::kStore:
        return found([&] {
          code_.set64(1, word()).store(Bytecode::kDouble, 0, static_cast<std::int32_t>(op.number), 1);
          add_up(0, 8, 0);
        });
      case HelperVerb::kAtomicAdd:
        return found([&] {
          code_.set64(1, word()).raw(0xdb, 0, 1, static_cast<std::int16_t>(op.number), 1).move(8, 1);
        });
      case HelperVerb::kLookupPercpu:
        return found([&] { add_up(0, 8, 0); });
      case HelperVerb::kLockedAdd:
        return found([&] {
          code_.move(6, 0).move(1, 0).call(kSpinLock);
          code_.load(Bytecode::kDouble, 8, 6, 8).set64(1, word()).raw(0x0f, 8, 1, 0, 0);
          code_.store(Bytecode::kDouble, 6, 8, 8).move(1, 6).call(kSpinUnlock);
        });
      case HelperVerb::kUpdate:
        put_bytes(kValueAt, op.value);
        map_arguments().move(3, 10).add(3, kValueAt).set64(4, op.flags).call(kMapUpdate);
        return keep_r0();
      case HelperVerb::kDelete:
        map_arguments().call(kMapDelete);
        return keep_r0();
      case HelperVerb::kPush:
        put_bytes(kValueAt, op.value);
        value_arguments().set64(3, op.flags).call(kMapPush);
        return keep_r0();
      case HelperVerb::kPop:
      case HelperVerb::kPeek:
        put_bytes(kValueAt, op.value);
        value_arguments().call(op.verb == HelperVerb::kPop ? kMapPop : kMapPeek);
        keep_r0();
        code_.move(6, 10).add(6, kValueAt);
        add_up(6, 8, 0);
        code_.store(Bytecode::kDouble, 9, result_ + 8, 8);
        return;
      case HelperVerb::kForEach:
      case HelperVerb::kForEachStore:
      case HelperVerb::kForEachDelete:
        return for_each();
    }
  }

  HelperProgram finish() {
    code_.set(0, 0).exit();
    HelperProgram program;
    for (std::size_t i = 0; i < callbacks_.size(); ++i) {
      if (callbacks_[i] < 0) continue;
      program.functions.push_back(static_cast<std::uint32_t>(code_.size()));
      callback(static_cast<HelperVerb>(static_cast<std::size_t>(HelperVerb::kForEach) + i % 3), i / 3,
               callbacks_[i]);
    }
    program.insns = code_.finish();
    return program;
  }

 private:
  std::uint64_t word() const {
    std::uint64_t value = 0;
    std::memcpy(&value, op_->value.data(), std::min<std::size_t>(8, op_->value.size()));
    return value;
  }
  Bytecode& map_arguments() { return code_.map(1, fds_[op_->map]).move(2, 10).add(2, kKeyAt); }
  Bytecode& value_arguments() { return code_.map(1, fds_[op_->map]).move(2, 10).add(2, kValueAt); }
  void put_bytes(int at, const std::vector<std::byte>& bytes) {
    for (std::size_t i = 0; i < bytes.size();) {
      const std::size_t left = bytes.size() - i;
      const std::uint32_t size = left >= 4 ? 4 : left >= 2 ? 2 : 1;
      std::int32_t value = 0;
      std::memcpy(&value, bytes.data() + i, size);
      code_.store_imm(Bytecode::size_of(size), 10, at + static_cast<int>(i), value);
      i += size;
    }
  }
  // to = to * 31 + each part of the value at `from`, from `begin` on; r1 and r2 are used.
  void add_up(int from, int to, std::uint32_t begin) { add_up(from, to, begin, map_->value_size); }
  void add_up(int from, int to, std::uint32_t begin, std::uint32_t end) {
    code_.set(to, 0);
    for (std::uint32_t at = begin; at < end;) {
      const std::uint32_t left = end - at;
      const std::uint32_t size = left >= 8 && at % 8 == 0 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
      code_.load(Bytecode::size_of(size), 1, from, static_cast<std::int32_t>(at));
      code_.raw(0x27, to, 0, 0, 31).raw(0x0f, to, 1, 0, 0);
      at += size;
    }
  }
  void keep_r0() { code_.store(Bytecode::kDouble, 9, result_, 0); }
  // A lookup; `body`, which leaves something in r8, where there is a value.
  template <class Body>
  void found(Body&& body) {
    const int end = code_.new_label();
    map_arguments();
    if (op_->verb == HelperVerb::kLookupPercpu)
      code_.raw(0xb4, 3, 0, 0, static_cast<std::int32_t>(op_->number)).call(kMapLookupPercpu);
    else
      code_.call(kMapLookup);
    code_.jump(kIfEqual, 0, 0, end);
    body();
    code_.store(Bytecode::kDouble, 9, result_ + 8, 8).set(0, 1).store(Bytecode::kDouble, 9, result_, 0);
    code_.here(end);
  }
  void for_each() {
    const std::size_t which =
        op_->map * 3 + (static_cast<std::size_t>(op_->verb) - static_cast<std::size_t>(HelperVerb::kForEach));
    if (callbacks_[which] < 0) callbacks_[which] = code_.new_label();
    code_.set(1, 0).store(Bytecode::kDouble, 10, kSumAt, 1);
    code_.map(1, fds_[op_->map]).function(2, callbacks_[which]).move(3, 10).add(3, kSumAt);
    code_.set64(4, op_->flags).call(kForEachElem);
    keep_r0();
    code_.load(Bytecode::kDouble, 8, 10, kSumAt).store(Bytecode::kDouble, 9, result_ + 8, 8);
  }
  // r1 map, r2 key, r3 value, r4 the sum
  void callback(HelperVerb verb, std::size_t number, int label) {
    const ProgramMap& map = maps_[number];
    code_.here(label);
    if (verb == HelperVerb::kForEachDelete) {
      code_.call(kMapDelete).set(0, 0).exit();
      return;
    }
    if (verb == HelperVerb::kForEachStore) {
      code_.load(Bytecode::kByte, 1, 3, 0).add(1, 7).store(Bytecode::kByte, 3, 0, 1).set(0, 0).exit();
      return;
    }
    code_.move(6, 2).move(7, 3);
    add_up(7, 8, map.is_locked ? 4 : 0, map.value_size);
    add_up(6, 5, 0, map.key_size);
    code_.raw(0x2f, 8, 5, 0, 0).load(Bytecode::kDouble, 1, 4, 0).raw(0x0f, 1, 8, 0, 0).raw(0x0f, 1, 5, 0, 0);
    code_.store(Bytecode::kDouble, 4, 0, 1).set(0, 0).exit();
  }

  const std::vector<ProgramMap>& maps_;
  const std::vector<int>& fds_;
  Bytecode code_;
  std::vector<int> callbacks_;  // of each map, one label for each of the three verbs
  const HelperOp* op_ = nullptr;
  const ProgramMap* map_ = nullptr;
  std::int32_t result_ = 0;
};

}  // namespace

std::string to_text(const HelperOp& op, const ProgramMap& map) {
  static constexpr const char* kNames[] = {"lookup",
                                           "store",
                                           "atomic add",
                                           "lookup_percpu",
                                           "update",
                                           "delete",
                                           "for_each",
                                           "for_each, storing",
                                           "for_each, deleting",
                                           "locked add",
                                           "push",
                                           "pop",
                                           "peek"};
  std::string bytes;
  for (std::byte byte : op.key) bytes += fmt::format("{:02x}", static_cast<unsigned>(byte));
  return fmt::format("{} key {} flags {:#x} number {} on {} {}/{} x {} flags {:#x}{}",
                     kNames[static_cast<int>(op.verb)], bytes, op.flags, op.number, map_type_name(map.type),
                     map.key_size, map.value_size, map.max_entries, map.flags,
                     map.is_locked ? " with a lock" : "");
}

HelperSequence generate_helper_ops(std::uint64_t seed, std::size_t operations) {
  constexpr std::size_t kMost = 500;  // operations of one program
  Dice dice(seed);
  HelperSequence sequence;
  constexpr std::size_t kTypes = std::size(kProgramTypes);
  for (std::size_t i = 0; i < 4; ++i)
    sequence.maps.push_back(random_map(dice, kProgramTypes[(i + seed) % kTypes]));
  while (operations != 0) {
    const std::size_t count = std::min<std::size_t>(operations, 1 + dice.below(kMost));
    operations -= count;
    auto& program = sequence.programs.emplace_back();
    for (std::size_t i = 0; i < count; ++i) program.push_back(random_op(dice, sequence.maps));
  }
  return sequence;
}

HelperProgram compile(const std::vector<HelperOp>& ops, const std::vector<ProgramMap>& maps,
                      const std::vector<int>& map_fds, int results_fd) {
  Compiler compiler(maps, map_fds, results_fd);
  std::int32_t result = 0;
  for (const HelperOp& op : ops) {
    compiler.add(op, result);
    result += kResultBytes;
  }
  return compiler.finish();
}

}  // namespace portolan::conformance
