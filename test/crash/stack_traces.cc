// SPDX-License-Identifier: Apache-2.0
// STACK_TRACE: programs of the writers put their stacks there, which differ in how deep they are, so that a
// trace's length says whose it is.
#include <bit>
#include <map>
#include <optional>
#include <set>

#include "abi/limits.h"
#include "abi/map_flags.h"
#include "map_subject.h"
#include "separate_stack.h"

namespace portolan::stress {
namespace {

using conformance::Bytecode;

constexpr std::int32_t kGetStackId = 27;
constexpr std::uint32_t kFrames = abi::kMaxStackFrames, kOwn = 8, kTraces = kWriters * kOwn;
constexpr std::uint32_t kDepths = 100;    // enough for every bucket
constexpr std::uint32_t kMost = kTraces;  // not a power of two: there are more buckets than elements

class StackTraces final : public Subject {
 public:
  std::span<const char* const> changes() const override {
    static constexpr const char* kNames[] = {"put", "erase", "put_over_another"};
    return kNames;
  }
  // What is put over others at random nobody can count.
  std::size_t random_changes() const override { return 2; }

  void make(Client& client) override {
    fd_ = client.create({abi::MapType::kStackTrace, 4, kFrames * 8, kMost});
    PORTOLAN_ASSERT(fd_ >= 0);
    id_ = client.id_of_map(fd_);
    for (unsigned over = 0; over < 2; ++over) {
      const auto flags = static_cast<std::int32_t>(abi::stack_flag::kUserStack |
                                                   (over != 0 ? abi::stack_flag::kReuseStackid : 0));
      programs_[over] = client.load(
          Bytecode().map(2, static_cast<int>(fd_)).set(3, flags).call(kGetStackId).exit().finish());
      PORTOLAN_ASSERT(programs_[over] >= 0);
      program_ids_[over] = client.id_of_program(programs_[over]);
    }
    const auto number = static_cast<std::uint32_t>(call(client, 0, false));
    base_ = frames(client, number);
    PORTOLAN_ASSERT(base_ != 0 && client.erase(fd_, &number) == 0);
  }
  void join(Client& client) override {
    fd_ = client.map_by_id(id_);
    for (unsigned over = 0; over < 2; ++over) programs_[over] = client.program_by_id(program_ids_[over]);
  }

  Problem settle(Client& client, std::uint32_t writer) override {
    const auto there = depths(client);
    for (std::uint32_t depth = writer * kOwn; depth < (writer + 1) * kOwn; ++depth) {
      Record& record = journal_->own[depth];
      const bool is_there = there.contains(depth);
      const std::uint32_t asked = record.asked.load_relaxed(), known = record.acknowledged.load_relaxed();
      const bool may_be_lost = !is_there && journal_->overwritten.load_relaxed() != 0;
      if (is_there != (asked != 0) && is_there != (known != 0) && !may_be_lost)
        return fmt::format("trace {}: {} was asked for, {} acknowledged, the map has {}", depth, asked, known,
                           is_there);
      if (is_there) record.number.store_seq_cst(there.at(depth));
      record.acknowledged.store_seq_cst(is_there);
      record.asked.store_seq_cst(is_there);
    }
    return {};
  }

  Problem change(Client& client, unsigned kind, Writer& writer) override {
    const auto depth = choose(writer, kind == kErase);
    if (!depth) return {};
    if (kind != kErase) return put(client, *depth, kind == kPutOver);
    Record& record = journal_->own[*depth];
    const std::uint32_t number = record.number.load_relaxed();
    record.asked.store_seq_cst(0);
    if (const long result = client.erase(fd_, &number); result != 0)
      return fmt::format("trace {} cannot be erased: {}", *depth, result);
    record.acknowledged.store_seq_cst(0);
    return {};
  }

  Problem tend(Client& client) override {
    (void)depths(client);
    return {};
  }

  // What is there is what writers have put there; and what the dead took is free: as many go in as there may
  // be.
  Problem check(Client& client) override {
    std::uint32_t acknowledged = 0;
    for (const Record& record : journal_->own) acknowledged += record.acknowledged.load_relaxed();
    const std::size_t there = depths(client).size();
    if (there != acknowledged) return fmt::format("{} traces are there, {} were put", there, acknowledged);
    for (Record& record : journal_->own) {
      const std::uint32_t number = record.number.load_relaxed();
      if (record.acknowledged.load_relaxed() != 0)
        if (const long result = client.erase(fd_, &number); result != 0)
          return fmt::format("number {} cannot be erased: {}", number, result);
      record.acknowledged.store_relaxed(0);
      record.asked.store_relaxed(0);
    }
    journal_->overwritten.store_relaxed(0);
    return fills_up(client);
  }

  Problem get_ready(Client& client, unsigned) override {
    for (std::uint32_t depth = 0; depth < kOwn; depth += 2)
      if (Problem problem = put(client, depth, false); !problem.empty()) return problem;
    return {};
  }

 private:
  enum Kind : unsigned { kPut, kErase, kPutOver };
  struct Record {
    sync::Atomic<std::uint32_t> asked, acknowledged, number;
  };
  struct Journal {
    Record own[kTraces];
    sync::Atomic<std::uint32_t> overwritten;
  };

  // One of the writer's own that is there, or is not.
  std::optional<std::uint32_t> choose(Writer& writer, bool present) const {
    const auto first = static_cast<std::uint32_t>(writer.dice());
    for (std::uint32_t step = 0; step < kOwn; ++step) {
      const std::uint32_t depth = writer.number * kOwn + (first + step) % kOwn;
      if ((journal_->own[depth].acknowledged.load_relaxed() != 0) == present) return depth;
    }
    return {};
  }
  long call(Client& client, std::uint32_t depth, bool over) {
    return stack_.run(depth, [&] { return client.run(programs_[over ? 1 : 0]); });
  }
  Problem put(Client& client, std::uint32_t depth, bool over) {
    Record& record = journal_->own[depth];
    record.asked.store_seq_cst(1);
    if (over) journal_->overwritten.store_seq_cst(1);
    const long number = call(client, depth, over);
    if (number == -EEXIST) {
      record.asked.store_seq_cst(0);
      return {};
    }
    if (number < 0) return fmt::format("trace {} cannot be put there: {}", depth, number);
    record.number.store_seq_cst(static_cast<std::uint32_t>(number));
    record.acknowledged.store_seq_cst(1);
    return {};
  }
  std::uint32_t frames(Client& client, std::uint32_t number) {
    std::uint64_t trace[kFrames] = {};
    std::uint32_t count = 0;
    if (client.lookup(fd_, &number, trace) != 0) return 0;
    while (count < kFrames && trace[count] != 0) ++count;
    return count;
  }
  // Of those that are there, how deep they are, and their numbers.
  std::map<std::uint32_t, std::uint32_t> depths(Client& client) {
    std::map<std::uint32_t, std::uint32_t> seen;
    for (std::uint32_t number = 0; number < std::bit_ceil(kMost); ++number)
      if (const std::uint32_t count = frames(client, number); count != 0) seen.emplace(count - base_, number);
    return seen;
  }

  Problem fills_up(Client& client) {
    std::set<std::uint32_t> numbers;
    Problem problem;
    for (std::uint32_t depth = 0; depth < kDepths && problem.empty(); ++depth) {
      const long number = call(client, depth, false);
      if (number == -EEXIST) continue;
      if (number == -ENOMEM && numbers.size() == kMost) break;
      if (number < 0)
        problem = fmt::format("{} of {} traces are there, and another: {}", numbers.size(), kMost, number);
      else
        numbers.insert(static_cast<std::uint32_t>(number));
    }
    if (problem.empty() && numbers.size() != kMost)
      problem = fmt::format("{} traces went in, of {}", numbers.size(), kMost);
    for (const std::uint32_t number : numbers)
      if (const long result = client.erase(fd_, &number); result != 0 && problem.empty())
        problem = fmt::format("number {} cannot be erased: {}", number, result);
    return problem;
  }

  Shared<Journal> journal_;
  SeparateStack stack_;
  std::uint32_t base_ = 0;  // frames of a trace of depth 0
  long fd_ = -1, programs_[2] = {-1, -1};
  std::uint32_t id_ = 0, program_ids_[2] = {};
};

constexpr MapRow kTypes[] = {
    {"stack_trace", []() -> std::unique_ptr<Subject> { return std::make_unique<StackTraces>(); }}};

}  // namespace

std::span<const MapRow> stack_traces() { return kTypes; }

}  // namespace portolan::stress
