// SPDX-License-Identifier: Apache-2.0
// What perf_event_open(2) gives. For PERF_COUNT_SW_BPF_OUTPUT, a ring that programs write to, through a
// PERF_EVENT_ARRAY, and whoever has the fd maps and polls; for other events of software, what they count.
#pragma once
#include "ds/perf_ring.h"
#include "map/perf_counter.h"
#include "map/waitable.h"

struct perf_event_attr;

namespace portolan::map {

// Of struct perf_event_attr, and the call's arguments.
struct PerfEventSpec {
  std::uint64_t sample_type = 0;
  std::uint64_t read_format = 0;
  std::int32_t thread = -1, cpu = -1;                 // -1: any; of a uprobe, `thread` is the process
  std::uint32_t wakeup_events = 0, wakeup_bytes = 0;  // one of them, or none
  bool is_disabled = false;
  bool takes_records = true;
  PerfCounter counter = PerfCounter::kNothing;
  std::uint32_t hook_id = 0;  // of a host's probe or tracepoint, which takes programs; 0: of none

  // Of a call in the thread that it is made in. Nothing: the event is no process' business but the kernel's.
  static std::optional<PerfEventSpec> of(const perf_event_attr& attr, std::int32_t pid, std::int32_t cpu);
};

struct PerfEventValue {
  std::uint64_t counter, enabled_ns, running_ns;  // struct bpf_perf_event_value
};

class PerfEvent : public object::View, public Waitable {
 public:
  // EINVAL: a sample_type without PERF_SAMPLE_RAW, or with what is not there. ENOMEM.
  static Result<object::Draft> draft(object::Runtime& runtime, const PerfEventSpec& spec);
  // A view of class `Event`, which is this one or derived from it.
  template <class Event>
  static Result<std::unique_ptr<object::View>> make(object::Mapped mapped) {
    const auto [header, ring] = TRY(parts_of(mapped));
    return std::unique_ptr<object::View>(new Event(std::move(mapped), header, ring));
  }

  const PerfEventSpec& spec() const { return spec_; }
  bool is_enabled() const { return header_->enabled.load_acquire() != 0; }  // pairs with enable
  void enable(bool enabled);
  // Whether it counts what this thread does on this vCPU.
  bool counts_on(std::uint32_t cpu) const;
  PerfEventValue value() const;
  void reset();  // what it has counted, not for how long

  // EINVAL: it takes no records; EOPNOTSUPP: it is not of this vCPU, or disabled; else as
  // PerfRing::put_sample.
  Result<void> output(const sync::Actor& actor, std::uint32_t cpu, ConstBytes first, ConstBytes second);
  // mmap(2): whether it may be, and the pages are there. EINVAL, ENOMEM.
  Result<void> mmap(bool shared, bool writable, std::uint64_t offset, std::uint64_t length);
  std::uint32_t ask() override;
  std::uint64_t lost() const { return ring_.lost(); }
  void check(shm::Findings& findings) const override;

 protected:
  // What there was between enabling and disabling: while it is enabled all since `start`, else `stopped`. So
  // one store of `enabled` makes the one of the other, and a death before it changes nothing.
  struct Span {
    sync::Atomic<std::uint64_t> start, stopped;
  };
  struct Header {
    std::uint64_t magic;
    PerfEventSpec spec;
    sync::Atomic<std::uint32_t> enabled;
    Span counted, time;
  };
  PerfEvent(object::Mapped mapped, Header* header, ds::PerfRing ring)
      : View(std::move(mapped)), header_(header), spec_(header->spec), ring_(ring) {}

 private:
  static Result<std::pair<Header*, ds::PerfRing>> parts_of(const object::Mapped& mapped);
  std::optional<std::uint64_t> so_far(const Span& span) const;
  std::uint64_t value_of(const Span& span) const;

  static constexpr std::uint64_t kMagic = 0x33'4652'4550'4c54'50ull;  // "PTLPERF3"
  ds::Watch& watch() override { return ring_.watch(); }
  const object::View& waited_for() const override { return *this; }

  Header* header_;
  PerfEventSpec spec_;
  ds::PerfRing ring_;
};

}  // namespace portolan::map
