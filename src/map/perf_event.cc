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

Result<object::Draft> PerfEvent::draft(object::Runtime& runtime, const PerfEventSpec& spec) {
  if ((spec.sample_type & PERF_SAMPLE_RAW) == 0 || (spec.sample_type & ~(kWords | PERF_SAMPLE_RAW)) != 0)
    return fail(EINVAL);
  const std::uint64_t size = ring_offset(sizeof(Header)) + PerfRing::control_size();
  object::Draft draft =
      TRY(runtime.draft(object::Kind::kPerfEvent, size, size, PerfRing::pages_size(), PerfRing::kPage, 0));
  auto* header = draft.state.at<Header>(draft.payload_offset);
  header->spec = spec;
  header->enabled.store_relaxed(spec.is_disabled ? 0 : 1);
  header->enabled_at.store_relaxed(monotonic_ns());
  header->magic = kMagic;  // publish() publishes it
  PerfRing ring =
      TRY(PerfRing::attach(draft.state.bytes().subspan(draft.payload_offset + ring_offset(sizeof(Header))),
                           draft.user_pages.bytes()));
  ring.set_wakeups(spec.wakeup_events, spec.wakeup_bytes);
  return draft;
}

Result<std::unique_ptr<object::View>> PerfEvent::make(object::Mapped mapped) {
  auto* header = mapped.state.at<Header>(mapped.payload_offset);
  const std::uint64_t ring_at = mapped.payload_offset + ring_offset(sizeof(Header));
  if (header == nullptr || header->magic != kMagic || ring_at > mapped.state.size()) return fail(EINVAL);
  const PerfRing ring =
      TRY(PerfRing::attach(mapped.state.bytes().subspan(ring_at), mapped.user_pages.bytes()));
  return std::unique_ptr<object::View>(new PerfEvent(std::move(mapped), header, ring));
}

void PerfEvent::enable(bool enabled) {
  if (enabled && !is_enabled()) header_->enabled_at.store_relaxed(monotonic_ns());
  header_->enabled.store_release(enabled ? 1 : 0);  // pairs with is_enabled
}

std::uint64_t PerfEvent::enabled_ns() const {
  return is_enabled() ? monotonic_ns() - header_->enabled_at.load_relaxed() : 0;
}

Result<void> PerfEvent::output(const sync::Actor& actor, std::uint32_t cpu, ConstBytes first,
                               ConstBytes second) {
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
