// SPDX-License-Identifier: Apache-2.0
// USER_RINGBUF: the test puts records into the pages, programs of the writers drain them and count in an
// array how often they have seen each. A death may show one record twice, but never none.
#include "btf/blob_for_test.h"
#include "map_subject.h"
#include "ring_pages.h"

namespace portolan::stress {
namespace {

using conformance::Bytecode;

constexpr std::int32_t kLookup = 1, kDynptrData = 203, kDrain = 209;
constexpr std::uint8_t kIfEqual = 0x15;

class UserRing final : public Subject {
 public:
  std::span<const char* const> changes() const override {
    static constexpr const char* kNames[] = {"drain"};
    return kNames;
  }

  void make(Client& client) override {
    fd_ = client.create({abi::MapType::kUserRingbuf, 0, 0, RingPages::kSize});
    visits_fd_ = client.create({abi::MapType::kArray, 4, 8, kMost});
    PORTOLAN_ASSERT(fd_ >= 0 && visits_fd_ >= 0);
    program_ = load_drain(client);
    PORTOLAN_ASSERT(program_ >= 0);
    program_id_ = client.id_of_program(program_);
    pages_ = std::make_unique<RingPages>(fd_, RingPages::End::kProducer);
  }
  void join(Client& client) override { program_ = client.program_by_id(program_id_); }

  Problem settle(Client&, std::uint32_t writer) override {
    if (open_->is_draining[writer].load_relaxed() != 0) open_->broken_off.fetch_add_relaxed(1);
    open_->is_draining[writer].store_seq_cst(0);
    return {};
  }

  Problem change(Client& client, unsigned, Writer& writer) override {
    open_->is_draining[writer.number].store_seq_cst(1);
    const long result = client.run(program_);
    open_->is_draining[writer.number].store_seq_cst(0);
    return result >= 0 || result == -EBUSY ? "" : fmt::format("drain: {}", result);
  }

  Problem tend(Client&) override {
    while (produced_ < kMost && pages_->produce(produced_)) ++produced_;
    return {};
  }

  Problem check(Client& client) override {
    if (Problem problem = drain(client, pages_->used() / RingPages::kTokenBytes); !problem.empty())
      return problem;
    if (Problem problem = count_visits(client); !problem.empty()) return problem;
    std::uint64_t fit = 0;
    while (pages_->produce(produced_)) ++fit, ++produced_;
    if (fit != RingPages::kMostTokens)
      return fmt::format("{} records of {} fit", fit, RingPages::kMostTokens);
    if (Problem problem = drain(client, fit); !problem.empty()) return problem;
    return count_visits(client);
  }

  Problem get_ready(Client&, unsigned) override {
    for (int n = 0; n < 3; ++n) produced_ += pages_->produce(produced_);
    return {};
  }

 private:
  static constexpr std::uint32_t kMost = 1 << 16;  // records between two counts
  struct Open {
    sync::Atomic<std::uint32_t> is_draining[kWriters];
    sync::Atomic<std::uint64_t> broken_off;
  };

  long load_drain(Client& client) {
    using enum abi::btf::Kind;
    btf::Blob blob;
    const std::uint32_t number = blob.integer("int", 4, 1), word = blob.integer("u64", 8);
    const std::uint32_t name = blob.string("x");
    const std::uint32_t main = blob.type(kFuncProto, "", 1, number, {name, word});
    blob.type(kFunc, "drain", 1, main);
    const std::uint32_t callback = blob.type(kFuncProto, "", 2, number, {name, word, name, word});
    blob.type(kFunc, "count", 0, callback);
    const long types = client.load_types(blob.bytes());
    PORTOLAN_ASSERT(types >= 0);

    Bytecode code;
    const int function = code.new_label(), none = code.new_label();
    code.map(1, static_cast<int>(fd_)).function(2, function).set(3, 0).set(4, 0).call(kDrain).exit();
    const auto callback_at = static_cast<std::uint32_t>(code.size());
    code.here(function).set(2, 0).set(3, 8).call(kDynptrData).jump(kIfEqual, 0, 0, none);
    code.load(Bytecode::kDouble, 1, 0, 0).store(Bytecode::kWord, 10, -4, 1).move(2, 10).add(2, -4);
    code.map(1, static_cast<int>(visits_fd_)).call(kLookup).jump(kIfEqual, 0, 0, none);
    code.load(Bytecode::kDouble, 1, 0, 0).add(1, 1).store(Bytecode::kDouble, 0, 0, 1);
    code.here(none).set(0, 0).exit();
    return client.load(code.finish(), callback_at, types);
  }

  Problem drain(Client& client, std::uint64_t expected) {
    const long result = client.run(program_);
    if (result != static_cast<long>(expected) || pages_->used() != 0)
      return fmt::format("a drain of {} records: {}, and {} bytes are left", expected, result,
                         pages_->used());
    return {};
  }
  // Each record was seen, and no more of them twice than drains were broken off.
  Problem count_visits(Client& client) {
    std::uint64_t again = 0;
    const std::uint64_t most_again = open_->broken_off.exchange_acq_rel(0);
    for (std::uint32_t key = 0; key < produced_; ++key) {
      std::uint64_t visits = 0;
      const std::uint64_t none = 0;
      if (const long result = client.lookup(visits_fd_, &key, &visits); result != 0 || visits == 0)
        return fmt::format("record {} of {} was never seen: {}", key, produced_, result);
      again += visits - 1;
      if (const long result = client.update(visits_fd_, &key, &none); result != 0)
        return fmt::format("the count of record {}: {}", key, result);
    }
    produced_ = 0;
    return again <= most_again ? "" : fmt::format("{} records were seen again, {} may be", again, most_again);
  }

  Shared<Open> open_;
  std::unique_ptr<RingPages> pages_;
  std::uint64_t produced_ = 0;
  long fd_ = -1, visits_fd_ = -1, program_ = -1;
  std::uint32_t program_id_ = 0;
};

constexpr MapRow kTypes[] = {
    {"user_ringbuf", []() -> std::unique_ptr<Subject> { return std::make_unique<UserRing>(); }}};

}  // namespace

std::span<const MapRow> user_ring_buffers() { return kTypes; }

}  // namespace portolan::stress
