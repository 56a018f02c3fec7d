// SPDX-License-Identifier: Apache-2.0
// BLOOM_FILTER: what was pushed is found.
#include "token_ledger.h"

namespace portolan::stress {
namespace {

constexpr std::uint32_t kMost = 1 << 22;  // few others are found, however long this takes

class Bloom final : public Subject {
 public:
  std::span<const char* const> changes() const override {
    static constexpr const char* kNames[] = {"push"};
    return kNames;
  }
  void make(Client& client) override {
    fd_ = client.create({abi::MapType::kBloomFilter, 0, 8, kMost});
    PORTOLAN_ASSERT(fd_ >= 0);
    id_ = client.id_of_map(fd_);
  }
  void join(Client& client) override { fd_ = client.map_by_id(id_); }
  Problem settle(Client&, std::uint32_t) override { return {}; }

  Problem change(Client& client, unsigned, Writer& writer) override {
    const std::uint64_t token = ledger_.begin(writer.number);
    if (token == 0) return {};
    const std::uint64_t value = token | board_->epoch.load_relaxed() << 40;
    if (const long result = client.update(fd_, nullptr, &value); result != 0)
      return fmt::format("push: {}", result);
    ledger_.acknowledge(token);
    return {};
  }

  Problem check(Client& client) override {
    Problem problem;
    const std::uint64_t epoch = board_->epoch.fetch_add_relaxed(1) << 40;
    ledger_.for_each_acknowledged([&](std::uint64_t token) {
      const std::uint64_t value = token | epoch;
      if (const long result = has(client, value); result != 0)
        problem = fmt::format("{:#x} was pushed, and is not found: {}", value, result);
    });
    ledger_.reset();
    std::uint32_t others = 0;
    for (std::uint64_t n = 0; n < kOthers; ++n) others += has(client, ~n) == 0;
    if (others > kOthers / 2) return fmt::format("{} of {} are found that nobody pushed", others, kOthers);
    return problem;
  }
  Problem get_ready(Client&, unsigned) override { return {}; }

 private:
  static constexpr std::uint32_t kOthers = 100;
  struct Board {
    sync::Atomic<std::uint64_t> epoch;
  };
  long has(Client& client, std::uint64_t value) { return client.lookup(fd_, nullptr, &value); }

  TokenLedger ledger_;
  Shared<Board> board_;
  long fd_ = -1;
  std::uint32_t id_ = 0;
};

constexpr MapRow kTypes[] = {
    {"bloom_filter", []() -> std::unique_ptr<Subject> { return std::make_unique<Bloom>(); }}};

}  // namespace

std::span<const MapRow> bloom_filters() { return kTypes; }

}  // namespace portolan::stress
