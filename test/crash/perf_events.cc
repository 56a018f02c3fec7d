// SPDX-License-Identifier: Apache-2.0
// PERF_EVENT_ARRAY: programs of the writers write to an event, whose ring the test reads as libbpf does,
// while other elements are changed.
#include <linux/perf_event.h>
#include <poll.h>
#include <sys/mman.h>

#include "map/perf_event.h"
#include "sync/call_epoch.h"
#include "token_ledger.h"

namespace portolan::stress {
namespace {

using conformance::Bytecode;

constexpr std::int32_t kPerfOutput = 25;
constexpr std::uint64_t kPage = 4096, kDataSize = kPage;        // of one page, so that it is often full
constexpr std::uint32_t kRead = 0, kChanged = 1, kEntries = 2;  // elements: the one that is read, another

// The pages of an event, as its reader maps them.
class EventPages {
 public:
  explicit EventPages(long fd)
      : pages_(static_cast<std::byte*>(::mmap(nullptr, kPage + kDataSize, PROT_READ | PROT_WRITE, MAP_SHARED,
                                              static_cast<int>(fd), 0))) {
    PORTOLAN_ASSERT(pages_ != MAP_FAILED);
  }
  EventPages(const EventPages&) = delete;
  EventPages& operator=(const EventPages&) = delete;
  ~EventPages() { ::munmap(pages_, kPage + kDataSize); }

  std::uint64_t head() const { return position(offsetof(perf_event_mmap_page, data_head)).load_acquire(); }

  // Calls visit(token) for each sample, and lost(count) for what says that some had no room.
  template <class Visit, class Lost>
  void read(Visit&& visit, Lost&& lost) {
    auto& tail_word = position(offsetof(perf_event_mmap_page, data_tail));
    std::uint64_t tail = tail_word.load_relaxed();
    for (const std::uint64_t end = head(); tail != end;) {
      perf_event_header header{};
      copy(&header, tail, sizeof header);
      PORTOLAN_ASSERT(header.size >= sizeof header && header.size <= end - tail);
      if (header.type == PERF_RECORD_SAMPLE) {
        std::uint64_t words[2] = {};
        copy(words, tail + sizeof header + sizeof(std::uint32_t), sizeof words);
        visit(words[0], words[1]);
      } else {
        std::uint64_t count = 0;
        PORTOLAN_ASSERT(header.type == PERF_RECORD_LOST);
        copy(&count, tail + sizeof header + sizeof(std::uint64_t), sizeof count);
        lost(count);
      }
      tail += header.size;
      tail_word.store_seq_cst(tail);
    }
  }

 private:
  sync::Atomic<std::uint64_t>& position(std::size_t offset) const {
    return *reinterpret_cast<sync::Atomic<std::uint64_t>*>(pages_ + offset);
  }
  void copy(void* to, std::uint64_t from, std::size_t size) const {
    for (std::size_t i = 0; i < size; ++i)
      static_cast<std::byte*>(to)[i] = pages_[kPage + (from + i) % kDataSize];
  }
  std::byte* pages_;
};

class PerfEvents final : public Subject {
 public:
  std::span<const char* const> changes() const override {
    static constexpr const char* kNames[] = {"output", "put", "take out"};
    return kNames;
  }

  void make(Client& client) override {
    fd_ = client.create({abi::MapType::kPerfEventArray, 4, 4, kEntries});
    PORTOLAN_ASSERT(fd_ >= 0);
    id_ = client.id_of_map(fd_);
    for (std::uint32_t element = 0; element < kEntries; ++element) {
      events_[element] = open_event(client);
      program_[element] = client.load(producer(element));
      PORTOLAN_ASSERT(program_[element] >= 0);
      program_ids_[element] = client.id_of_program(program_[element]);
      PORTOLAN_ASSERT(put(client, element) == 0);
    }
    sync::CallEpoch epoch;
    map::PerfEvent& read = *event(client);
    PORTOLAN_ASSERT(read.mmap(true, true, 0, kPage + kDataSize));
    pages_ = std::make_unique<EventPages>(events_[kRead].get());
    auto wakeup = read.open_wakeup();  // somebody waits for records, so that who brings them wakes
    PORTOLAN_ASSERT(wakeup);
    wakeup_ = std::move(*wakeup);
  }
  void join(Client& client) override {
    fd_ = client.map_by_id(id_);
    for (std::uint32_t element = 0; element < kEntries; ++element)
      program_[element] = client.program_by_id(program_ids_[element]);
  }
  Problem settle(Client&, std::uint32_t) override { return {}; }

  Problem change(Client& client, unsigned kind, Writer& writer) override {
    if (kind == 0) return output(client, writer.number);
    const long result = kind == 1 ? put(client, kChanged) : client.erase(fd_, &kChanged);
    if (result == 0 || (kind == 2 && result == -ENOENT)) return {};
    return fmt::format("{}: {}", changes()[kind], result);
  }

  Problem tend(Client& client) override {
    sync::CallEpoch epoch;
    event(client)->take_wakeup(wakeup_.get());
    return read();
  }

  Problem check(Client& client) override {
    if (Problem problem = wakes(client); !problem.empty()) return problem;
    if (Problem problem = tend(client); !problem.empty()) return problem;
    if (Problem problem = ledger_.reckon(0); !problem.empty()) return problem;
    order_ = TokenOrder();
    if (Problem problem = the_other_element_works(client); !problem.empty()) return problem;
    return fills_up(client);
  }
  Problem get_ready(Client& client, unsigned kind) override {
    if (kind == 2 && put(client, kChanged) != 0) return "the event cannot be put in";
    const Problem problem = output(client, kTester);
    return problem.empty() ? tend(client) : problem;
  }

 private:
  static constexpr std::uint64_t kRecordBytes = 32;  // header, length, two words, and what rounds it up

  static UniqueFd open_event(Client& client) {
    sync::CallEpoch epoch;
    map::PerfEventSpec spec;  // whichever thread and vCPU the writers have
    spec.sample_type = PERF_SAMPLE_RAW;
    spec.wakeup_events = 1;
    auto draft = map::PerfEvent::draft(client.runtime(), spec);
    PORTOLAN_ASSERT(draft);
    auto published = client.runtime().publish(std::move(*draft), {}, shm::Access::kReadWrite);
    PORTOLAN_ASSERT(published);
    return std::move(published->fd);
  }
  // Writes the argument twice to an element's event; the helper's result.
  std::vector<Bytecode::Insn> producer(std::uint32_t element) const {
    Bytecode code;
    code.load(Bytecode::kDouble, 6, 1, 0).store(Bytecode::kDouble, 10, -16, 6);
    code.store(Bytecode::kDouble, 10, -8, 6).map(2, static_cast<int>(fd_));
    code.set(3, static_cast<std::int32_t>(element)).move(4, 10).add(4, -16).set(5, 16).call(kPerfOutput);
    return code.exit().finish();
  }
  map::PerfEvent* event(Client& client) {
    const auto target = client.runtime().target_of_fd(events_[kRead].get(), object::Kind::kPerfEvent);
    PORTOLAN_ASSERT(target);
    return static_cast<map::PerfEvent*>(target->view);
  }
  long put(Client& client, std::uint32_t element) {
    const int fd = events_[element].get();
    return client.update(fd_, &element, &fd);
  }

  Problem output(Client& client, std::uint32_t writer) {
    const std::uint64_t token = ledger_.begin(writer);
    if (token == 0) return {};
    const long result = client.run(program_[kRead], token);
    if (result == 0) return ledger_.acknowledge(token), Problem();
    ledger_.withdraw(token);
    return result == -ENOSPC ? "" : fmt::format("output: {}", result);
  }
  Problem read() {
    Problem problem;
    pages_->read(
        [&](std::uint64_t token, std::uint64_t again) {
          if (problem.empty() && token != again) problem = fmt::format("half of {:#x}", token);
          if (problem.empty()) problem = ledger_.take(token);
          if (problem.empty()) problem = order_.next(token);
        },
        [&](std::uint64_t count) {
          if (count == 0) problem = "none are said to be lost";
        });
    return problem;
  }
  // A reader that has slept since it last looked is woken by the next record, whoever died on the way to wake
  // it.
  Problem wakes(Client& client) {
    if (Problem problem = read(); !problem.empty()) return problem;
    const std::uint64_t before = pages_->head();
    if (Problem problem = output(client, kTester); !problem.empty()) return problem;
    pollfd wakeup{wakeup_.get(), POLLIN, 0};
    if (pages_->head() != before && ::poll(&wakeup, 1, 0) == 1) return {};
    return "there is no record, or its reader sleeps on";
  }
  Problem the_other_element_works(Client& client) {
    constexpr long kNobodyMapsIt = -ENOSPC;
    const auto expect = [](const char* what, long result, long expected) {
      return result == expected ? Problem() : fmt::format("{}: {}", what, result);
    };
    Problem problem = expect("put", put(client, kChanged), 0);
    if (problem.empty()) problem = expect("output to it", client.run(program_[kChanged], 1), kNobodyMapsIt);
    if (problem.empty()) problem = expect("take out", client.erase(fd_, &kChanged), 0);
    if (problem.empty()) problem = expect("take out again", client.erase(fd_, &kChanged), -ENOENT);
    if (problem.empty()) problem = expect("output to none", client.run(program_[kChanged], 1), -ENOENT);
    return problem;
  }
  // With as many records as there are bytes for, all but one.
  Problem fills_up(Client& client) {
    for (std::uint64_t n = 0; n < (kDataSize - 1) / kRecordBytes; ++n)
      if (Problem problem = output(client, kTester); !problem.empty()) return problem;
    if (const long result = client.run(program_[kRead], 1); result != -ENOSPC)
      return fmt::format("one record more: {}", result);
    if (Problem problem = read(); !problem.empty()) return problem;
    order_ = TokenOrder();
    return ledger_.reckon(0);
  }

  TokenLedger ledger_;
  TokenOrder order_;
  std::unique_ptr<EventPages> pages_;
  UniqueFd wakeup_, events_[kEntries];
  long fd_ = -1, program_[kEntries] = {};
  std::uint32_t id_ = 0, program_ids_[kEntries] = {};
};

constexpr MapRow kTypes[] = {
    {"perf_event_array", []() -> std::unique_ptr<Subject> { return std::make_unique<PerfEvents>(); }}};

}  // namespace

std::span<const MapRow> perf_events() { return kTypes; }

}  // namespace portolan::stress
