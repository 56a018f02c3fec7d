// SPDX-License-Identifier: Apache-2.0
// What perf_event_open(2) gives for PERF_COUNT_SW_BPF_OUTPUT: a ring that programs write to, through a
// PERF_EVENT_ARRAY, and whoever has the fd maps and polls.
#pragma once
#include "ds/perf_ring.h"
#include "map/waitable.h"

namespace portolan::map {

// Of struct perf_event_attr, and the call's arguments.
struct PerfEventSpec {
  std::uint64_t sample_type = 0;
  std::uint64_t read_format = 0;
  std::int32_t pid = -1, cpu = -1;
  std::uint32_t wakeup_events = 0, wakeup_bytes = 0;  // one of them, or none
  bool is_disabled = false;
};

class PerfEvent final : public object::View, public Waitable {
 public:
  // EINVAL: a sample_type without PERF_SAMPLE_RAW, or with what is not there. ENOMEM.
  static Result<object::Draft> draft(object::Runtime& runtime, const PerfEventSpec& spec);
  static Result<std::unique_ptr<object::View>> make(object::Mapped mapped);

  const PerfEventSpec& spec() const { return spec_; }
  bool is_enabled() const { return header_->enabled.load_acquire() != 0; }  // pairs with enable
  void enable(bool enabled);
  // Whether it counts what a thread on this vCPU does.
  bool counts_on(std::uint32_t cpu) const {
    return spec_.cpu < 0 || static_cast<std::uint32_t>(spec_.cpu) == cpu;
  }
  std::uint64_t enabled_ns() const;  // since it was enabled; 0: it is not

  // EOPNOTSUPP: not of this vCPU, or disabled; else as PerfRing::put_sample.
  Result<void> output(const sync::Actor& actor, std::uint32_t cpu, ConstBytes first, ConstBytes second);
  // mmap(2): whether it may be, and the pages are there. EINVAL, ENOMEM.
  Result<void> mmap(bool shared, bool writable, std::uint64_t offset, std::uint64_t length);
  std::uint32_t ask() override;
  std::uint64_t lost() const { return ring_.lost(); }
  void check(shm::Findings& findings) const override;

 private:
  struct Header {
    std::uint64_t magic;
    PerfEventSpec spec;
    sync::Atomic<std::uint32_t> enabled;
    sync::Atomic<std::uint64_t> enabled_at;
  };
  static constexpr std::uint64_t kMagic = 0x31'4652'4550'4c54'50ull;  // "PTLPERF1"
  PerfEvent(object::Mapped mapped, Header* header, ds::PerfRing ring)
      : View(std::move(mapped)), header_(header), spec_(header->spec), ring_(ring) {}
  ds::Watch& watch() override { return ring_.watch(); }
  const object::View& waited_for() const override { return *this; }

  Header* header_;
  PerfEventSpec spec_;
  ds::PerfRing ring_;
};

}  // namespace portolan::map
