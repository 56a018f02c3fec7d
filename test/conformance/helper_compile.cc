// SPDX-License-Identifier: Apache-2.0
// How operations become a program.
//
// r9 points at the results, 16 bytes for each operation. On the stack: a key at r10 - 64, a value at r10 -
// 168, what callbacks add up at r10 - 176, the context at r10 - 184, a dynptr at r10 - 200. r7 is the inner
// map, where an operation goes through a map of maps.
#include <algorithm>
#include <map>

#include "helper_ops.h"

namespace portolan::conformance {
namespace {

// A tail call from a function wants less than 256 bytes of stack above it.
constexpr int kKeyAt = -64, kValueAt = -168, kSumAt = -176, kContextAt = -184, kDynptrAt = -200;
constexpr std::int32_t kMapLookup = 1, kMapUpdate = 2, kMapDelete = 3, kSpinLock = 93, kSpinUnlock = 94,
                       kForEachElem = 164, kMapLookupPercpu = 195, kMapPush = 87, kMapPop = 88, kMapPeek = 89,
                       kCallTail = 12, kPerfOutput = 25, kStackNumber = 27, kPerfRead = 55, kStackCopy = 67,
                       kRingOutput = 130, kRingReserve = 131, kRingSubmit = 132, kRingDiscard = 133,
                       kRingQuery = 134, kReserveDyn = 198, kSubmitDyn = 199, kDiscardDyn = 200,
                       kDynptrRead = 201, kDynptrWrite = 202, kDynptrData = 203, kUserDrain = 209;
constexpr std::uint8_t kIfEqual = 0x15, kIfNotEqual = 0x55, kGoto = 0x05;
constexpr std::int32_t kNoInnerMap = 0x6d6170, kNoTailCall = -7777;

class Compiler {
 public:
  Compiler(const HelperSequence& sequence, const std::vector<int>& fds, int results_fd)
      : maps_(sequence.maps), fds_(fds) {
    code_.store(Bytecode::kDouble, 10, kContextAt, 1).map_value(9, results_fd);
  }

  void count_run(std::uint32_t result) {
    code_.load(Bytecode::kDouble, 1, 9, static_cast<std::int32_t>(result)).add(1, 1);
    code_.store(Bytecode::kDouble, 9, static_cast<std::int32_t>(result), 1);
  }
  void add(const HelperOp& op, std::uint32_t result) {
    op_ = &op;
    map_ = &maps_[op.map];
    result_ = static_cast<std::int32_t>(result);
    if (op.through < 0) return add_on_map();
    const int none = code_.new_label(), end = code_.new_label();
    put_bytes(10, kKeyAt, op.outer_key);
    code_.map(1, fds_[static_cast<std::size_t>(op.through)]).move(2, 10).add(2, kKeyAt).call(kMapLookup);
    code_.jump(kIfEqual, 0, 0, none).move(7, 0);
    add_on_map();
    code_.jump(kGoto, 0, 0, end).here(none).set(0, kNoInnerMap);
    keep_r0();
    code_.here(end);
  }
  void go_on(int map, std::uint32_t index) {
    context(1);
    code_.map(2, fds_[static_cast<std::size_t>(map)])
        .set(3, static_cast<std::int32_t>(index))
        .call(kCallTail);
  }

  HelperProgram finish(std::int32_t r0) {
    code_.set(0, r0).exit();
    HelperProgram program;
    for (const auto& [what, label] : functions_) {
      program.functions.push_back(static_cast<std::uint32_t>(code_.size()));
      code_.here(label);
      function(what);
    }
    program.insns = code_.finish();
    return program;
  }

 private:
  // A function: of which verb, for which map; tail calls of a constant, which it is.
  struct Function {
    HelperVerb verb;
    std::uint32_t map, constant;
    auto operator<=>(const Function&) const = default;
  };
  static constexpr std::uint32_t kByArgument = ~0u;
  int function_label(const Function& what) {
    const auto [at, is_new] = functions_.try_emplace(what, 0);
    if (is_new) at->second = code_.new_label();
    return at->second;
  }

  void add_on_map() {
    using enum HelperVerb;
    put_bytes(10, kKeyAt, op_->key);
    switch (op_->verb) {
      case kLookup:
      case kLookupPercpu:
        return found([&] { add_up(0, 8, map_->is_locked ? 4 : 0); });
      case kStore:
        return found([&] {
          code_.set64(1, word()).store(Bytecode::kDouble, 0, static_cast<std::int32_t>(op_->number), 1);
          add_up(0, 8, 0);
        });
      case kAtomicAdd:
        return found([&] {
          code_.set64(1, word()).raw(0xdb, 0, 1, static_cast<std::int16_t>(op_->number), 1).move(8, 1);
        });
      case kLockedAdd:
        return found([&] {
          code_.move(6, 0).move(1, 0).call(kSpinLock);
          code_.load(Bytecode::kDouble, 8, 6, 8).set64(1, word()).raw(0x0f, 8, 1, 0, 0);
          code_.store(Bytecode::kDouble, 6, 8, 8).move(1, 6).call(kSpinUnlock);
        });
      case kUpdate:
        put_value();
        map_and(2, kKeyAt).move(3, 10).add(3, kValueAt).set64(4, op_->flags).call(kMapUpdate);
        return keep_r0();
      case kDelete:
        map_and(2, kKeyAt).call(kMapDelete);
        return keep_r0();
      case kPush:
        put_value();
        map_and(2, kValueAt).set64(3, op_->flags).call(kMapPush);
        return keep_r0();
      case kPop:
      case kPeek:
        put_value();
        map_and(2, kValueAt).call(op_->verb == kPop ? kMapPop : kMapPeek);
        keep_r0();
        return saw_value(map_->value_size);
      case kForEach:
      case kForEachStore:
      case kForEachDelete:
        return with_callback(kForEachElem);
      case kReserve:
        return reserve();
      case kReserveDynptr:
        return reserve_dynptr();
      case kOutput:
        put_value();
        map_and(2, kValueAt).set(3, static_cast<std::int32_t>(op_->number)).set64(4, op_->flags);
        code_.call(kRingOutput);
        return keep_r0();
      case kQuery:
        map(1).set64(2, op_->flags).call(kRingQuery);
        return keep_r0();
      case kDrain:
        return with_callback(kUserDrain);
      case kEventOutput:
        put_value();
        context(1);
        map(2).set64(3, op_->flags).move(4, 10).add(4, kValueAt);
        code_.set(5, static_cast<std::int32_t>(op_->value.size())).call(kPerfOutput);
        return keep_r0();
      case kEventRead:  // its counter; how long it ran is not the same twice
        map(1).set64(2, op_->flags).move(3, 10).add(3, kValueAt).set(4, 24).call(kPerfRead);
        keep_r0();
        return saw_value(8);
      case kTailCall:
        return tail_call();
      case kGetStackId:
        context(1);
        map(2).set64(3, op_->flags).call(kStackNumber);
        return keep_r0();
      case kGetStack:
        context(1);
        code_.move(2, 10).add(2, kValueAt).set(3, static_cast<std::int32_t>(op_->number));
        code_.set64(4, op_->flags).call(kStackCopy);
        return keep_r0();
    }
  }

  // --- parts
  std::uint64_t word() const {
    std::uint64_t value = 0;
    std::memcpy(&value, op_->value.data(), std::min<std::size_t>(8, op_->value.size()));
    return value;
  }
  void context(int to) { code_.load(Bytecode::kDouble, to, 10, kContextAt); }
  Bytecode& map(int to) { return op_->through < 0 ? code_.map(to, fds_[op_->map]) : code_.move(to, 7); }
  Bytecode& map_and(int to, int at) { return map(1).move(to, 10).add(to, at); }
  void put_value() { put_bytes(10, kValueAt, op_->value); }
  void put_bytes(int to, int at, const std::vector<std::byte>& bytes) {
    for (std::size_t i = 0; i < bytes.size();) {
      const std::size_t left = bytes.size() - i;
      const std::uint32_t size = left >= 4 ? 4 : left >= 2 ? 2 : 1;
      std::int32_t value = 0;
      std::memcpy(&value, bytes.data() + i, size);
      code_.store_imm(Bytecode::size_of(size), to, at + static_cast<int>(i), value);
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
      fold(to, 1);
      at += size;
    }
  }
  void fold(int to, int from) { code_.raw(0x27, to, 0, 0, 31).raw(0x0f, to, from, 0, 0); }
  void keep_r0() { code_.store(Bytecode::kDouble, 9, result_, 0); }
  void saw(int from) { code_.store(Bytecode::kDouble, 9, result_ + 8, from); }
  void saw_value(std::uint32_t size) {
    code_.move(6, 10).add(6, kValueAt);
    add_up(6, 8, 0, size);
    saw(8);
  }

  // --- operations
  // A lookup; `body`, which leaves something in r8, where there is a value.
  template <class Body>
  void found(Body&& body) {
    const int end = code_.new_label();
    map_and(2, kKeyAt);
    if (op_->verb == HelperVerb::kLookupPercpu)
      code_.raw(0xb4, 3, 0, 0, static_cast<std::int32_t>(op_->number)).call(kMapLookupPercpu);
    else
      code_.call(kMapLookup);
    code_.jump(kIfEqual, 0, 0, end);
    body();
    saw(8);
    code_.set(0, 1);
    keep_r0();
    code_.here(end);
  }
  void with_callback(std::int32_t helper) {
    code_.set(1, 0).store(Bytecode::kDouble, 10, kSumAt, 1);
    map(1).function(2, function_label({op_->verb, op_->map, 0})).move(3, 10).add(3, kSumAt);
    code_.set64(4, op_->flags).call(helper);
    keep_r0();
    code_.load(Bytecode::kDouble, 8, 10, kSumAt);
    saw(8);
  }
  void reserve() {
    const int end = code_.new_label();
    map(1).set(2, static_cast<std::int32_t>(op_->number)).set(3, op_->variant >> 4 == 0 ? 1 : 0);
    code_.call(kRingReserve).jump(kIfEqual, 0, 0, end).move(6, 0);
    put_bytes(6, 0, op_->value);
    code_.move(1, 6).set64(2, op_->flags).call((op_->variant & 1) != 0 ? kRingDiscard : kRingSubmit);
    code_.set(0, 1);
    keep_r0();
    code_.here(end);
  }
  // Where in the record it is written and read is a part of the variant, too: it may be beyond the end.
  void reserve_dynptr() {
    const auto dynptr = [&](int to) -> Bytecode& { return code_.move(to, 10).add(to, kDynptrAt); };
    const auto size = static_cast<std::int32_t>(std::min<std::size_t>(op_->value.size(), 40));
    const auto offset = static_cast<std::int32_t>(op_->variant >> 1 & 7) * 9;
    put_value();
    map(1).set(2, static_cast<std::int32_t>(op_->number)).set(3, op_->variant >> 4 == 0 ? 1 : 0);
    dynptr(4).call(kReserveDyn);
    keep_r0();
    code_.set(8, 0);
    dynptr(1).set(2, offset).move(3, 10).add(3, kValueAt).set(4, size).set(5, 0).call(kDynptrWrite);
    fold(8, 0);
    const int none = code_.new_label();
    dynptr(1).set(2, offset / 2).set(3, 4).call(kDynptrData).jump(kIfEqual, 0, 0, none);
    code_.load(Bytecode::kWord, 1, 0, 0);
    fold(8, 1);
    code_.here(none).move(1, 10).add(1, kValueAt).set(2, size);
    dynptr(3).set(4, offset / 2).set(5, 0).call(kDynptrRead);
    fold(8, 0);
    for (std::int32_t at = 0; at + 4 <= size; at += 4) {
      code_.load(Bytecode::kWord, 1, 10, kValueAt + at);
      fold(8, 1);
    }
    saw(8);
    dynptr(1).set64(2, op_->flags).call((op_->variant & 1) != 0 ? kDiscardDyn : kSubmitDyn);
  }
  void tail_call() {
    const bool is_constant = op_->variant != 0;
    context(1);
    code_.set(2, static_cast<std::int32_t>(op_->number));
    code_.call_to(function_label({op_->verb, op_->map, is_constant ? op_->number : kByArgument}));
    keep_r0();
  }

  // --- functions
  void function(const Function& what) {
    using enum HelperVerb;
    const ProgramMap& map = maps_[what.map];
    if (what.verb == kTailCall) {
      what.constant == kByArgument ? code_.move(3, 2)
                                   : code_.set(3, static_cast<std::int32_t>(what.constant));
      code_.map(2, fds_[what.map]).call(kCallTail).set(0, kNoTailCall).exit();
    } else if (what.verb == kDrain) {
      visit_record();
    } else if (what.verb == kForEachDelete) {  // r1 map, r2 key, r3 value, r4 the sum
      code_.call(kMapDelete).set(0, 0).exit();
    } else if (what.verb == kForEachStore) {
      code_.load(Bytecode::kByte, 1, 3, 0).add(1, 7).store(Bytecode::kByte, 3, 0, 1).set(0, 0).exit();
    } else {
      code_.move(6, 2).move(7, 3);
      add_up(7, 8, map.is_locked ? 4 : 0, map.value_size);
      add_up(6, 5, 0, map.key_size);
      code_.raw(0x2f, 8, 5, 0, 0)
          .load(Bytecode::kDouble, 1, 4, 0)
          .raw(0x0f, 1, 8, 0, 0)
          .raw(0x0f, 1, 5, 0, 0);
      code_.store(Bytecode::kDouble, 4, 0, 1).set(0, 0).exit();
    }
  }
  // r1 the record, r2 the sum. A record that begins with one of some bytes ends the drain.
  void visit_record() {
    const int goes_on = code_.new_label();
    code_.move(6, 1).move(7, 2).store_imm(Bytecode::kDouble, 10, -8, 0);
    code_.move(1, 10).add(1, -8).set(2, 8).move(3, 6).set(4, 0).set(5, 0).call(kDynptrRead);
    code_.load(Bytecode::kDouble, 8, 7, 0);
    fold(8, 0);
    code_.load(Bytecode::kDouble, 1, 10, -8);
    fold(8, 1);
    code_.store(Bytecode::kDouble, 7, 0, 8).load(Bytecode::kByte, 1, 10, -8).raw(0x57, 1, 0, 0, 15);
    code_.set(0, 0).jump(kIfNotEqual, 1, 7, goes_on).set(0, 1).here(goes_on).exit();
  }

  const std::vector<ProgramMap>& maps_;
  const std::vector<int>& fds_;
  Bytecode code_;
  std::map<Function, int> functions_;  // and where each begins
  const HelperOp* op_ = nullptr;
  const ProgramMap* map_ = nullptr;
  std::int32_t result_ = 0;
};

}  // namespace

HelperProgram compile(const HelperStep& step, const HelperSequence& sequence, const std::vector<int>& map_fds,
                      int results_fd) {
  Compiler compiler(sequence, map_fds, results_fd);
  std::uint32_t result = 0;
  for (const HelperOp& op : step.ops) {
    compiler.add(op, result);
    result += kResultBytes;
  }
  return compiler.finish(0);
}

HelperProgram compile_target(std::size_t number, const HelperSequence& sequence,
                             const std::vector<int>& map_fds, int results_fd) {
  const TailTarget& target = sequence.targets[number];
  Compiler compiler(sequence, map_fds, results_fd);
  std::uint32_t result = target_results(number);
  compiler.count_run(result);
  for (const HelperOp& op : target.ops) compiler.add(op, result += kResultBytes);
  if (target.next_map >= 0) compiler.go_on(target.next_map, target.next);
  return compiler.finish(static_cast<std::int32_t>(100 + number));
}

}  // namespace portolan::conformance
