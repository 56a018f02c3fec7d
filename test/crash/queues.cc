// SPDX-License-Identifier: Apache-2.0
// QUEUE, STACK: what was pushed comes out once, in order.
#include "abi/map_flags.h"
#include "token_ledger.h"

namespace portolan::stress {
namespace {

using abi::MapType;

constexpr std::uint32_t kMost = 40;

class Queue final : public Subject {
 public:
  explicit Queue(MapType type) : type_(type) {}

  std::span<const char* const> changes() const override {
    static constexpr const char* kNames[] = {"push", "pop", "push_over_the_oldest"};
    return kNames;
  }
  // What is pushed out at random nobody can count.
  std::size_t random_changes() const override { return 2; }

  void make(Client& client) override {
    fd_ = client.create({type_, 0, sizeof(Value), kMost});
    PORTOLAN_ASSERT(fd_ >= 0);
    id_ = client.id_of_map(fd_);
  }
  void join(Client& client) override { fd_ = client.map_by_id(id_); }

  Problem settle(Client&, std::uint32_t writer) override {
    if (open_->is_popping[writer].load_relaxed() != 0) open_->lost.fetch_add_relaxed(1);
    open_->is_popping[writer].store_seq_cst(0);
    return {};
  }

  Problem change(Client& client, unsigned kind, Writer& writer) override {
    if (kind != kPop) return push(client, writer.number, kind == kPushOver);
    open_->is_popping[writer.number].store_seq_cst(1);
    Value value{};
    const long result = client.take(fd_, nullptr, &value);
    Problem problem = result == 0         ? taken(value)
                      : result == -ENOENT ? Problem()
                                          : fmt::format("pop: {}", result);
    open_->is_popping[writer.number].store_seq_cst(0);
    return problem;
  }

  Problem tend(Client& client) override {
    Value value{};
    const long result = client.lookup(fd_, nullptr, &value);
    if (result == -ENOENT || (result == 0 && value.again == ~value.token)) return {};
    return fmt::format("peek: {}, {:#x} and {:#x}", result, value.token, value.again);
  }

  Problem check(Client& client) override {
    if (Problem problem = empty(client); !problem.empty()) return problem;
    if (Problem problem = ledger_.reckon(open_->lost.exchange_acq_rel(0)); !problem.empty()) return problem;
    for (std::uint32_t n = 0; n < kMost; ++n)
      if (Problem problem = push(client, kTester, false); !problem.empty()) return problem;
    const Value one_more{};
    if (const long result = client.update(fd_, nullptr, &one_more); result != -E2BIG)
      return fmt::format("a push into {} values: {}", kMost, result);
    if (Problem problem = empty(client); !problem.empty()) return problem;
    return ledger_.reckon(0);
  }

  Problem get_ready(Client& client, unsigned kind) override {
    const std::uint32_t wanted = kind == kPushOver ? kMost : 3;
    for (std::uint32_t n = 0; n < wanted; ++n)
      if (Problem problem = push(client, kTester, false); !problem.empty()) return problem;
    return {};
  }

 private:
  enum Kind : unsigned { kPush, kPop, kPushOver };
  struct Value {
    std::uint64_t token, again;
  };
  struct Open {
    sync::Atomic<std::uint32_t> is_popping[kWriters];
    sync::Atomic<std::uint64_t> lost;
  };

  Problem push(Client& client, std::uint32_t writer, bool over) {
    const std::uint64_t token = ledger_.begin(writer);
    if (token == 0) return {};
    if (over) open_->lost.fetch_add_relaxed(1);
    const Value value{token, ~token};
    const long result =
        client.update(fd_, nullptr, &value, over ? abi::element_flag::kExist : abi::element_flag::kAny);
    if (result == 0) return ledger_.acknowledge(token), Problem();
    ledger_.withdraw(token);
    return result == -E2BIG && !over && writer != kTester ? "" : fmt::format("push: {}", result);
  }
  Problem taken(const Value& value) {
    if (value.again != ~value.token)
      return fmt::format("half of {:#x} and of {:#x}", value.token, ~value.again);
    return ledger_.take(value.token);
  }
  Problem empty(Client& client) {
    TokenOrder order(type_ == MapType::kStack);
    Value value{};
    long result = 0;
    for (std::uint32_t n = 0; (result = client.take(fd_, nullptr, &value)) == 0; ++n) {
      if (n == kMost) return "more values than may be there";
      if (Problem problem = taken(value); !problem.empty()) return problem;
      if (Problem problem = order.next(value.token); !problem.empty()) return problem;
    }
    return result == -ENOENT ? "" : fmt::format("pop: {}", result);
  }

  const MapType type_;
  TokenLedger ledger_;
  Shared<Open> open_;
  long fd_ = -1;
  std::uint32_t id_ = 0;
};

template <MapType type>
std::unique_ptr<Subject> queue() {
  return std::make_unique<Queue>(type);
}

constexpr MapRow kTypes[] = {{"queue", queue<MapType::kQueue>}, {"stack", queue<MapType::kStack>}};

}  // namespace

std::span<const MapRow> queues() { return kTypes; }

}  // namespace portolan::stress
