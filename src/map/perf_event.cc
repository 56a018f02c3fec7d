// SPDX-License-Identifier: Apache-2.0
#include "map/perf_event.h"

#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/sys.h"

namespace portolan::map {

using ds::PerfRing;

namespace {

// What samples can have besides the raw bytes: each is a word, in this order.
constexpr std::uint64_t kWords = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_TID | PERF_SAMPLE_TIME |
                                 PERF_SAMPLE_ID | PERF_SAMPLE_STREAM_ID | PERF_SAMPLE_CPU |
                                 PERF_SAMPLE_PERIOD;

constexpr std::uint64_t ring_offset(std::uint64_t header_size) { return round_up(header_size, 64); }

}  // namespace

std::optional<PerfEventSpec> PerfEventSpec::of(const perf_event_attr& attr, std::int32_t pid,
                                               std::int32_t cpu) {
  if (attr.type != PERF_TYPE_SOFTWARE) return {};
  PerfEventSpec spec;
  spec.sample_type = attr.sample_type;
  spec.read_format = attr.read_format;
  spec.thread = pid == 0 ? sys::gettid() : pid;
  spec.cpu = cpu;
  spec.is_disabled = attr.disabled != 0;
  (attr.watermark != 0 ? spec.wakeup_bytes : spec.wakeup_events) = attr.wakeup_events;
  if (attr.config == PERF_COUNT_SW_BPF_OUTPUT) return spec;

  spec.takes_records = false;
  switch (attr.config) {
    case PERF_COUNT_SW_CPU_CLOCK:
    case PERF_COUNT_SW_TASK_CLOCK:
      spec.counter = PerfCounter::kTime;
      break;
    case PERF_COUNT_SW_PAGE_FAULTS:
      spec.counter = PerfCounter::kFaults;
      break;
    case PERF_COUNT_SW_PAGE_FAULTS_MIN:
      spec.counter = PerfCounter::kMinorFaults;
      break;
    case PERF_COUNT_SW_PAGE_FAULTS_MAJ:
      spec.counter = PerfCounter::kMajorFaults;
      break;
    case PERF_COUNT_SW_CONTEXT_SWITCHES:
      spec.counter = PerfCounter::kSwitches;
      break;
    case PERF_COUNT_SW_DUMMY:
      break;
    default:
      return {};
  }
  // Neither samples, nor what it counts only now and then, nor of threads that are not there yet.
  if (attr.sample_period != 0 || attr.inherit != 0 || attr.enable_on_exec != 0 || attr.exclude_user != 0)
    return {};
  const bool is_of_this_thread = spec.thread == sys::gettid() && cpu == -1;
  const bool is_of_a_cpu =
      pid == -1 && (spec.counter == PerfCounter::kTime || spec.counter == PerfCounter::kNothing);
  return is_of_this_thread || is_of_a_cpu ? std::optional(spec) : std::nullopt;
}

Result<object::Draft> PerfEvent::draft(object::Runtime& runtime, const PerfEventSpec& spec) {
  if (spec.takes_records &&
      ((spec.sample_type & PERF_SAMPLE_RAW) == 0 || (spec.sample_type & ~(kWords | PERF_SAMPLE_RAW)) != 0))
    return fail(EINVAL);
  const std::uint64_t size = ring_offset(sizeof(Header)) + PerfRing::control_size();
  object::Draft draft = TRY(runtime.draft(object::Kind::kPerfEvent, size, size, PerfRing::pages_size(),
                                          PerfRing::kPage, spec.hook_id != 0 ? 1 : 0));
  auto* header = draft.state.at<Header>(draft.payload_offset);
  header->spec = spec;
  header->enabled.store_relaxed(spec.is_disabled ? 0 : 1);
  header->counted.start.store_relaxed(counted(spec.counter, spec.thread).value_or(0));
  header->time.start.store_relaxed(counted(PerfCounter::kTime, spec.thread).value_or(0));
  header->magic = kMagic;  // publish() publishes it
  PerfRing ring =
      TRY(PerfRing::attach(draft.state.bytes().subspan(draft.payload_offset + ring_offset(sizeof(Header))),
                           draft.user_pages.bytes()));
  ring.set_wakeups(spec.wakeup_events, spec.wakeup_bytes);
  return draft;
}

Result<std::pair<PerfEvent::Header*, PerfRing>> PerfEvent::parts_of(const object::Mapped& mapped) {
  auto* header = mapped.state.at<Header>(mapped.payload_offset);
  const std::uint64_t ring_at = mapped.payload_offset + ring_offset(sizeof(Header));
  if (header == nullptr || header->magic != kMagic || ring_at > mapped.state.size()) return fail(EINVAL);
  const PerfRing ring =
      TRY(PerfRing::attach(mapped.state.bytes().subspan(ring_at), mapped.user_pages.bytes()));
  return std::pair(header, ring);
}

bool PerfEvent::counts_on(std::uint32_t cpu) const {
  return (spec_.cpu < 0 || static_cast<std::uint32_t>(spec_.cpu) == cpu) &&
         (spec_.thread < 0 || spec_.thread == sys::gettid());
}

// Nothing: its thread has ended.
std::optional<std::uint64_t> PerfEvent::so_far(const Span& span) const {
  return counted(&span == &header_->time ? PerfCounter::kTime : spec_.counter, spec_.thread);
}

std::uint64_t PerfEvent::value_of(const Span& span) const {
  const std::optional<std::uint64_t> now = is_enabled() ? so_far(span) : std::nullopt;
  return now ? *now - span.start.load_relaxed() : span.stopped.load_relaxed();
}

PerfEventValue PerfEvent::value() const {
  const std::uint64_t time = value_of(header_->time);
  return {value_of(header_->counted), time, time};
}

void PerfEvent::enable(bool enabled) {
  if (enabled == is_enabled()) return;
  for (Span* const span : {&header_->counted, &header_->time}) {
    const std::optional<std::uint64_t> now = so_far(*span);
    if (!now) continue;
    if (enabled)
      span->start.store_relaxed(*now - span->stopped.load_relaxed());
    else
      span->stopped.store_relaxed(*now - span->start.load_relaxed());
  }
  header_->enabled.store_release(enabled ? 1 : 0);  // pairs with is_enabled
}

void PerfEvent::reset() {
  header_->counted.stopped.store_relaxed(0);
  if (const auto now = so_far(header_->counted)) header_->counted.start.store_relaxed(*now);
}

Result<void> PerfEvent::output(const sync::Actor& actor, std::uint32_t cpu, ConstBytes first,
                               ConstBytes second) {
  if (!spec_.takes_records) return fail(EINVAL);
  if (!is_enabled() || !counts_on(cpu)) return fail(EOPNOTSUPP);
  std::uint64_t words[7];
  std::size_t count = 0;
  const auto add = [&](std::uint64_t bit, std::uint64_t word) {
    if ((spec_.sample_type & bit) != 0) words[count++] = word;
  };
  add(PERF_SAMPLE_IDENTIFIER, id());
  const auto thread = static_cast<std::uint32_t>(sys::gettid());
  add(PERF_SAMPLE_TID, std::uint64_t{thread} << 32 | static_cast<std::uint32_t>(sys::getpid()));
  if ((spec_.sample_type & PERF_SAMPLE_TIME) != 0) add(PERF_SAMPLE_TIME, monotonic_ns());
  add(PERF_SAMPLE_ID, id());
  add(PERF_SAMPLE_STREAM_ID, id());
  add(PERF_SAMPLE_CPU, cpu);
  add(PERF_SAMPLE_PERIOD, 1);
  TRY(ring_.put_sample(actor, std::as_bytes(std::span(words, count)), first, second));
  if (ring_.wants_wakeup()) {
    ring_.set_poll(EPOLLIN | EPOLLRDNORM);
    sync::fence_seq_cst();  // either the reader sees the record before it sleeps, or it is seen here
    wake();
  }
  return {};
}

Result<void> PerfEvent::mmap(bool shared, bool writable, std::uint64_t offset, std::uint64_t length) {
  if (!shared || offset != 0 || length == 0) return fail(EINVAL);
  const std::uint64_t pages = round_up(length, kPageSize) / kPageSize - 1;
  if (pages == 0) return {};
  if ((pages & (pages - 1)) != 0) return fail(EINVAL);
  if (pages > PerfRing::kMostPages) return fail(ENOMEM);
  TRY(const_cast<shm::Region&>(user_pages()).reserve(0, (pages + 1) * kPageSize));  // the view's own
  return ring_.map(static_cast<std::uint32_t>(pages), !writable);
}

std::uint32_t PerfEvent::ask() {
  return ring_.is_mapped() ? ring_.take_poll() : static_cast<std::uint32_t>(EPOLLHUP);
}

void PerfEvent::check(shm::Findings& findings) const {
  ring_.check(fmt::format("perf event {}", id()), findings);
}

}  // namespace portolan::map
