// SPDX-License-Identifier: Apache-2.0
// clang-format off
// A ring of perf records that programs fill and one reader empties, of which any may die at any instruction.
//
// Source        the kernel's perf ring buffer, whose page and records these are: libbpf reads them as they are.
//
// Layout        pages (every holder of the fd may map them, all to write):
//                 the page of perf_event_mmap_page, of which version, data_head, data_tail, data_offset and data_size
//                 count here | data, a power of two of pages
//               a record: type 4 | misc 2 | size 2 | bytes, up to a multiple of 8
//               control (the runtime's own): lock, head, counts
//               Positions count bytes for ever; records wrap around at the end of the data.
//
// Invariants    I1 data_head of the page says what `head` says, but for a moment under the lock; I2 nothing in the
//               pages is trusted: a reader who writes nonsense loses records.
//
// Linearization put_sample: the store of data_head, which pairs with the reader's acquire load.
//
// Progress      writers wait for each other; there is one for each vCPU, so they seldom meet.
//
// Crash table   killed …                           others see                    who repairs
//               before `head` is stored            nothing: the bytes are free   needs none
//               between `head` and data_head       a data_head of before         the next record's
// clang-format on
#include "ds/perf_ring.h"

#include <algorithm>

#include "base/fault_copy.h"

namespace portolan::ds {
namespace {

constexpr std::uint32_t kLostRecord = 2, kSampleRecord = 9;
constexpr std::uint16_t kFromKernel = 1;  // PERF_RECORD_MISC_KERNEL: where programs run
constexpr std::uint64_t kHeadAt = 1024, kTailAt = 1032, kOffsetAt = 1040, kSizeAt = 1048;

struct Header {
  std::uint32_t type;
  std::uint16_t misc, size;
};
struct Lost {
  Header header;
  std::uint64_t id, count;
};

template <class T>
bool store(std::byte* to, T value) {
  return portolan_fault_copy(to, &value, sizeof value);
}

}  // namespace

std::uint64_t PerfRing::control_size() { return sizeof(Control); }

Result<PerfRing> PerfRing::attach(Bytes control, Bytes pages) {
  if (control.size() < sizeof(Control) || pages.size() < pages_size()) return fail(EINVAL);
  if (reinterpret_cast<std::uintptr_t>(control.data()) % 8 != 0 ||
      reinterpret_cast<std::uintptr_t>(pages.data()) % kPage != 0)
    return fail(EINVAL);
  return PerfRing(control, pages);
}

void PerfRing::set_wakeups(std::uint32_t records, std::uint32_t bytes) {
  control_->wakeup_records.store_relaxed(records);
  control_->wakeup_bytes.store_relaxed(bytes);
}

Result<void> PerfRing::map(std::uint32_t data_pages, bool overwrites) {
  if (data_pages == 0 || data_pages > kMostPages || (data_pages & (data_pages - 1)) != 0) return fail(EINVAL);
  control_->overwrites.store_relaxed(overwrites ? 1 : 0);
  (void)store(page_ + kOffsetAt, kPage);
  (void)store(page_ + kSizeAt, data_pages * kPage);
  std::uint32_t none = 0;
  if (!control_->data_pages.cas_acq_rel(none, data_pages) && none != data_pages)  // pairs with is_mapped
    return fail(EINVAL);
  return {};
}

bool PerfRing::has_room(std::uint64_t head, std::uint64_t needed, std::uint64_t size) const {
  if (control_->overwrites.load_relaxed() != 0) return needed <= size;
  std::uint64_t tail = head;
  if (!portolan_fault_copy(&tail, page_ + kTailAt, sizeof tail)) return false;
  sync::fence_acquire();  // pairs with the reader's store: it has read all before
  return ((tail - (head + 1)) & (size - 1)) >= needed;
}

bool PerfRing::write(std::uint64_t position, ConstBytes bytes, std::uint64_t size) {
  const std::uint64_t at = position & (size - 1), first = std::min<std::uint64_t>(bytes.size(), size - at);
  if (first != 0 && !portolan_fault_copy(data_ + at, bytes.data(), first)) return false;
  return first == bytes.size() || portolan_fault_copy(data_, bytes.data() + first, bytes.size() - first);
}

Result<void> PerfRing::put_sample(const sync::Actor& actor, ConstBytes before, ConstBytes first,
                                  ConstBytes second) {
  const std::uint32_t pages = control_->data_pages.load_acquire();  // pairs with map
  if (pages == 0 || pages > kMostPages || (pages & (pages - 1)) != 0) return fail(ENOSPC);
  const std::uint64_t size = pages * kPage, bytes = first.size() + second.size();
  const std::uint64_t total = before.size() + round_up(sizeof(Header) + sizeof(std::uint32_t) + bytes, 8);
  if (total > UINT16_MAX) return fail(E2BIG);
  const sync::RobustGuard guard(control_->lock, actor, [] {});
  const std::uint64_t lost = control_->lost.load_relaxed();
  std::uint64_t head = control_->head.load_relaxed();
  if (!has_room(head, total + (lost != 0 ? sizeof(Lost) : 0), size)) {
    control_->lost.store_relaxed(lost + 1);
    control_->lost_ever.store_relaxed(control_->lost_ever.load_relaxed() + 1);
    return fail(ENOSPC);
  }
  if (lost != 0) {
    const Lost record{{kLostRecord, 0, sizeof(Lost)}, 0, lost};
    if (!write(head, portolan::bytes_of(record), size)) return fail(EFAULT);
    head += sizeof record;
  }
  const Header header{kSampleRecord, kFromKernel, static_cast<std::uint16_t>(total)};
  const auto raw = static_cast<std::uint32_t>(total - before.size() - sizeof(Header) - sizeof(std::uint32_t));
  const std::uint64_t zeros = 0;
  std::uint64_t at = head;
  for (const ConstBytes part : {portolan::bytes_of(header), before, portolan::bytes_of(raw), first, second,
                                portolan::bytes_of(zeros).first(raw - bytes)}) {
    if (!write(at, part, size)) return fail(EFAULT);
    at += part.size();
  }
  control_->lost.store_relaxed(0);
  control_->head.store_relaxed(at);
  sync::fence_release();  // the record is whole; pairs with the reader's load of data_head
  (void)store(page_ + kHeadAt, at);
  const std::uint32_t records = control_->wakeup_records.load_relaxed();
  const std::uint32_t wanted = control_->wakeup_bytes.load_relaxed();
  bool wakes = false;
  if (records != 0) {
    const std::uint32_t seen = control_->records.load_relaxed() + 1;
    wakes = seen >= records;
    control_->records.store_relaxed(wakes ? 0 : seen);
  } else {
    const std::uint64_t mark = wanted != 0 ? std::min<std::uint64_t>(wanted, size) : size / 2;
    wakes = at - control_->woken_at.load_relaxed() > mark;
    if (wakes) control_->woken_at.store_relaxed(at);
  }
  if (wakes) control_->wakes.store_relaxed(1);
  return {};
}

void PerfRing::check(const std::string& where, shm::Findings& findings) const {
  const std::uint32_t pages = control_->data_pages.load_relaxed();
  if (pages > kMostPages || (pages & (pages - 1)) != 0 || control_->head.load_relaxed() % 8 != 0)
    findings.corrupt(where, "the ring's sizes cannot be");
}

}  // namespace portolan::ds
