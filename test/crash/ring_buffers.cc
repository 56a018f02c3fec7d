// SPDX-License-Identifier: Apache-2.0
// RINGBUF: programs of the writers put records in, the test takes them out of the pages as libbpf does.
#include <poll.h>

#include "map/waitable.h"
#include "ring_pages.h"
#include "sync/call_epoch.h"
#include "token_ledger.h"

namespace portolan::stress {
namespace {

using conformance::Bytecode;

constexpr std::int32_t kReserve = 131, kSubmit = 132, kDiscard = 133, kForceWakeup = 2;
constexpr std::uint8_t kIfEqual = 0x15;

class RingBuffer final : public Subject {
 public:
  std::span<const char* const> changes() const override {
    static constexpr const char* kNames[] = {"submit", "discard"};
    return kNames;
  }

  void make(Client& client) override {
    fd_ = client.create({abi::MapType::kRingbuf, 0, 0, RingPages::kSize});
    PORTOLAN_ASSERT(fd_ >= 0);
    id_ = client.id_of_map(fd_);
    programs_[0] = client.load(producer(kSubmit));
    programs_[1] = client.load(producer(kDiscard));
    for (unsigned kind = 0; kind < 2; ++kind) program_ids_[kind] = client.id_of_program(programs_[kind]);
    pages_ = std::make_unique<RingPages>(fd_, RingPages::End::kConsumer);
    // Somebody waits for records, so that who brings them wakes.
    sync::CallEpoch epoch;
    auto wakeup = waitable(client)->open_wakeup();
    PORTOLAN_ASSERT(wakeup);
    wakeup_ = std::move(*wakeup);
  }
  void join(Client& client) override {
    for (unsigned kind = 0; kind < 2; ++kind) programs_[kind] = client.program_by_id(program_ids_[kind]);
  }
  Problem settle(Client&, std::uint32_t) override { return {}; }

  Problem change(Client& client, unsigned kind, Writer& writer) override {
    return kind == 0 ? submit(client, writer.number) : discard(client);
  }

  Problem tend(Client& client) override {
    sync::CallEpoch epoch;
    waitable(client)->take_wakeup(wakeup_.get());
    waitable(client)->settle_the_dead();
    return consume();
  }

  Problem check(Client& client) override {
    if (Problem problem = wakes(client); !problem.empty()) return problem;
    // What is consumed first may have been before a record of the dead, which is looked at once it is the
    // next.
    for (int round = 0; round < 2; ++round)
      if (Problem problem = tend(client); !problem.empty()) return problem;
    if (pages_->used() != 0) return fmt::format("{} bytes are held up by the dead", pages_->used());
    if (Problem problem = ledger_.reckon(0); !problem.empty()) return problem;
    order_ = TokenOrder();
    for (std::uint32_t n = 0; n < RingPages::kMostTokens; ++n) {
      if (Problem problem = submit(client, kTester); !problem.empty()) return problem;
      if (pages_->used() != (n + 1) * RingPages::kTokenBytes)
        return fmt::format("{} records of {} bytes fit", n, RingPages::kTokenBytes);
    }
    if (const long result = client.run(programs_[0], 1); result != 0)
      return fmt::format("one record more: {}", result);
    if (Problem problem = consume(); !problem.empty()) return problem;
    order_ = TokenOrder();
    return ledger_.reckon(0);
  }
  // What the last one has left behind is cleared away, so that the next does what each does.
  Problem get_ready(Client& client, unsigned) override {
    const Problem problem = submit(client, kTester);
    return problem.empty() ? tend(client) : problem;
  }

 private:
  // Reserves a record, writes the argument into it twice, and ends it with `helper`. 0: no room.
  std::vector<Bytecode::Insn> producer(std::int32_t helper) const {
    Bytecode code;
    const int none = code.new_label();
    code.load(Bytecode::kDouble, 6, 1, 0).map(1, static_cast<int>(fd_)).set(2, 16).set(3, 0).call(kReserve);
    code.jump(kIfEqual, 0, 0, none).store(Bytecode::kDouble, 0, 0, 6).store(Bytecode::kDouble, 0, 8, 6);
    code.move(1, 0).set(2, kForceWakeup).call(helper).set(0, 1).exit().here(none).set(0, 0).exit();
    return code.finish();
  }
  map::Waitable* waitable(Client& client) const {
    const auto view = client.runtime().view_by_id(object::Kind::kMap, id_);
    PORTOLAN_ASSERT(view);
    return map::waitable_of(**view);
  }

  Problem submit(Client& client, std::uint32_t writer) {
    const std::uint64_t token = ledger_.begin(writer);
    if (token == 0) return {};
    const long result = client.run(programs_[0], token);
    if (result == 1) return ledger_.acknowledge(token), Problem();
    ledger_.withdraw(token);
    return result == 0 ? "" : fmt::format("submit: {}", result);
  }
  Problem discard(Client& client) {
    const long result = client.run(programs_[1], kNobodys);
    return result == 0 || result == 1 ? "" : fmt::format("discard: {}", result);
  }
  // A consumer that has slept since it last looked is woken by the next record, whoever died on the way to
  // wake it.
  Problem wakes(Client& client) {
    const std::uint64_t before = pages_->used();
    if (Problem problem = submit(client, kTester); !problem.empty()) return problem;
    pollfd wakeup{wakeup_.get(), POLLIN, 0};
    if (pages_->used() == before || ::poll(&wakeup, 1, 0) == 1) return {};
    return "a record came, and the consumer sleeps on";
  }
  Problem consume() {
    Problem problem;
    pages_->consume([&](const RingPages::Token& token) {
      if (!problem.empty()) return;
      if (token.again != token.word) problem = fmt::format("half of {:#x}", token.word);
      if (problem.empty()) problem = ledger_.take(token.word);
      if (problem.empty()) problem = order_.next(token.word);
    });
    return problem;
  }

  static constexpr std::uint64_t kNobodys = 0xdead;
  TokenLedger ledger_;
  TokenOrder order_;
  std::unique_ptr<RingPages> pages_;
  UniqueFd wakeup_;
  long fd_ = -1, programs_[2] = {-1, -1};
  std::uint32_t id_ = 0, program_ids_[2] = {};
};

constexpr MapRow kTypes[] = {
    {"ringbuf", []() -> std::unique_ptr<Subject> { return std::make_unique<RingBuffer>(); }}};

}  // namespace

std::span<const MapRow> ring_buffers() { return kTypes; }

}  // namespace portolan::stress
