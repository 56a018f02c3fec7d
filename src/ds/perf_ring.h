// SPDX-License-Identifier: Apache-2.0
// Records of one event to one reader, in pages that the reader maps: the kernel's perf ring, byte for byte.
#pragma once
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "ds/watch.h"
#include "shm/findings.h"
#include "sync/robust_lock.h"

namespace portolan::ds {

// See perf_ring.cc for the essay. A view of memory that must outlive it: `control` lies where only the
// runtime's processes reach, `pages` where every holder of the event's fd does.
class PerfRing {
 public:
  static constexpr std::uint64_t kPage = 4096;
  static constexpr std::uint32_t kMostPages = 4096;  // of data
  static constexpr std::uint64_t pages_size() { return kPage + kMostPages * kPage; }
  static std::uint64_t control_size();
  // Zero bytes are one that nobody has mapped. EINVAL: too few bytes, or not aligned.
  static Result<PerfRing> attach(Bytes control, Bytes pages);

  // When the reader is to be woken: after so many records, or, if 0, so many bytes, or half of the data if 0
  // too.
  void set_wakeups(std::uint32_t records, std::uint32_t bytes);
  // The reader maps the first page and so many of data, a power of two; EINVAL: it has mapped another number.
  // `overwrites`: it cannot say what it has read, so that nothing is ever full.
  Result<void> map(std::uint32_t data_pages, bool overwrites);
  bool is_mapped() const { return control_->data_pages.load_acquire() != 0; }  // pairs with map

  // A record with PERF_SAMPLE_RAW: `before`, whole words, is what other bits of sample_type ask for; `first`
  // and `second`, one after the other, are the raw bytes. ENOSPC: it is not mapped, or full, and then the
  // record is counted as lost; E2BIG: no record is that long; EFAULT.
  Result<void> put_sample(const sync::Actor& actor, ConstBytes before, ConstBytes first, ConstBytes second);
  // Whether the last records want the reader to be woken; asked once.
  bool wants_wakeup() { return control_->wakes.exchange_acq_rel(0) != 0; }
  // What poll says, which it says once: EPOLLIN after a wakeup.
  std::uint32_t take_poll() { return control_->poll.exchange_acq_rel(0); }
  void set_poll(std::uint32_t events) { control_->poll.store_release(events); }  // pairs with take_poll

  std::uint64_t lost() const { return control_->lost_ever.load_relaxed(); }
  Watch& watch() const { return control_->watch; }
  void check(const std::string& where, shm::Findings& findings) const;

 private:
  struct Control {
    sync::RobustLock lock;  // of who writes; guards head, lost, records, woken_at
    sync::Atomic<std::uint64_t> head, lost, lost_ever, woken_at;
    sync::Atomic<std::uint32_t> data_pages, overwrites, records, wakeup_records, wakeup_bytes, wakes, poll;
    Watch watch;
  };
  PerfRing(Bytes control, Bytes pages)
      : control_(reinterpret_cast<Control*>(control.data())),
        page_(pages.data()),
        data_(pages.data() + kPage) {}
  bool has_room(std::uint64_t head, std::uint64_t needed, std::uint64_t size) const;
  bool write(std::uint64_t position, ConstBytes bytes, std::uint64_t size);

  Control* control_;
  std::byte *page_, *data_;
};

}  // namespace portolan::ds
