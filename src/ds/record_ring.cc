// SPDX-License-Identifier: Apache-2.0
// clang-format off
// A ring buffer of records for many producers and one consumer, of which any may die at any instruction.
//
// Source        the kernel's BPF ring buffer, whose layout and protocol this is: libbpf reads it as it is.
//
// Layout        pages (every holder of the fd may map them, the consumer's to write):
//                 consumer_pos | … to the end of the page
//                 producer_pos | … to the end of the page
//                 data, `size` bytes | the same once more, so that a record never breaks at the end
//               a record: length:30 discarded:1 busy:1 | page:32 | bytes, up to a multiple of 8
//               control (the runtime's own): lock, producer, pending, dropped, watch |
//               reservations { owner, position }, where each thread begins to look in a line of its own
//               Positions count bytes for ever; where they point is position mod size. The two halves of the data
//               are different memory here: a record that crosses the end is written on into the second half, which
//               at first has what lies at the beginning of the first; what lies there is copied back before the
//               record is committed, for readers that wrap around.
//
// Invariants    I1 producer_pos of the page says what `producer` says, but for a moment under the lock;
//               I2 a record between the consumer's position and `producer` has a header, busy until it is
//               committed; I3 a busy record has a reservation with its owner's name; I4 producer -
//               consumer_pos ≤ size - 1, and producer - pending ≤ size - 1, where no record before `pending` is
//               busy: by I3 the oldest reservation says how far that is. Nothing in the pages is trusted: a consumer
//               who writes nonsense loses records.
//
// Linearization reserve: the store of `producer`. commit: the store of the header's length without the busy bit,
//               which pairs with the consumer's acquire load.
//
// Progress      reserve blocks while another reserves; commit does not. The consumer waits for the oldest record
//               that is busy, and as long as its producer lives.
//
// Crash table   killed …                                    others see                who repairs
//               in reserve, before `producer` is stored     a reservation beyond it   the lock's next owner frees it
//               … before producer_pos is stored             a producer_pos of before  the lock's next owner stores it
//               between reserve and commit                  a busy record             discard_of_dead, by the owner's
//               in commit, before the length is stored      the same                  name
//               in commit, after it                         the record, and a         the same; or who finds no free
//                                                           reservation               reservation, or a full ring
// clang-format on
#include "ds/record_ring.h"

#include <algorithm>

#include "base/fault_copy.h"

namespace portolan::ds {
namespace {

constexpr std::uint64_t kFirstDataPage = 3;  // what the kernel counts from, of its own memory

// How far everything is committed is found out anew when so many bytes, or a part of the ring, may have been.
constexpr std::uint64_t kPendingStep = 4096;

}  // namespace

std::uint64_t RecordRing::control_size() { return sizeof(Control); }

Result<RecordRing> RecordRing::attach(Bytes control, Bytes pages, std::uint64_t size) {
  if (size < kPage || (size & (size - 1)) != 0) return fail(EINVAL);
  if (control.size() < sizeof(Control) || pages.size() < pages_size(size)) return fail(EINVAL);
  if (reinterpret_cast<std::uintptr_t>(control.data()) % alignof(Control) != 0 ||
      reinterpret_cast<std::uintptr_t>(pages.data()) % kPage != 0)
    return fail(EINVAL);
  return RecordRing(control, pages, size);
}

RecordRing::RecordRing(Bytes control, Bytes pages, std::uint64_t size)
    : control_(reinterpret_cast<Control*>(control.data())),
      consumer_page_(pages.data()),
      producer_page_(pages.data() + kPage),
      data_(pages.data() + 2 * kPage),
      size_(size) {}

std::uint64_t RecordRing::producer_position() const {
  return control_->producer.load_acquire();  // pairs with reserve
}
std::uint64_t RecordRing::consumer_position() const { return load_or_zero<std::uint64_t>(consumer_page_); }
std::uint64_t RecordRing::dropped() const { return control_->dropped.load_relaxed(); }
std::uint32_t RecordRing::length_at(std::uint64_t position) const {
  return load_or_zero<std::uint32_t>(header_at(position));
}

void RecordRing::repair() {
  const std::uint64_t producer = control_->producer.load_relaxed();
  for (Reservation& one : control_->reservations)
    if (one.owner.load_relaxed() != 0 && one.position.load_relaxed() >= producer) one.owner.store_relaxed(0);
  (void)write(producer_page_, producer);
}

// A reservation that is free; kNoTicket: none. Each thread begins in a line of its own.
inline std::uint32_t RecordRing::free_ticket(const sync::Actor& actor) const {
  const std::uint32_t first = actor.self.thread() * kReservationsOfLine % kMostReserved;
  return is_free(first) ? first : free_ticket_after(first);
}

std::uint32_t RecordRing::free_ticket_after(std::uint32_t first) const {
  for (std::uint32_t step = 1; step < kMostReserved; ++step)
    if (const std::uint32_t ticket = (first + step) % kMostReserved; is_free(ticket)) return ticket;
  return kNoTicket;
}

// Up to the oldest record that is reserved, everything is committed. The lock is held: none is being
// reserved.
std::uint64_t RecordRing::advance_pending(std::uint64_t producer) {
  std::uint64_t behind = 0;
  for (const Reservation& one : control_->reservations) {
    if (one.owner.load_acquire() == 0) continue;  // pairs with commit
    const std::uint64_t distance = producer - one.position.load_relaxed();
    if (distance <= size_) behind = std::max(behind, distance);
  }
  control_->pending.store_relaxed(producer - behind);
  return producer - behind;
}

// Whether there is room for a record from `position` to `end`.
inline bool RecordRing::has_room(std::uint64_t position, std::uint64_t end, std::uint64_t consumer) {
  const std::uint64_t most = size_ - 1;
  if (end - consumer > most) return false;
  if (end - control_->pending.load_relaxed() <= std::min(most, std::max(kPendingStep, size_ / 16))) [[likely]]
    return true;
  return has_room_after_look(position, end);
}

[[gnu::noinline]] bool RecordRing::has_room_after_look(std::uint64_t position, std::uint64_t end) {
  return end - advance_pending(position) <= size_ - 1;
}

// What the dead hold may be in the way: reservations, and records that nobody reads beyond. The lock is held.
[[gnu::noinline]] bool RecordRing::make_room(const sync::Actor& actor, std::uint64_t position,
                                             std::uint64_t end, std::uint64_t consumer,
                                             std::uint32_t& ticket) {
  const bool consumer_has_read = end - consumer <= size_ - 1;
  if (ticket == kNoTicket || consumer_has_read || is_held_up()) (void)release_those_of_dead(actor);
  ticket = free_ticket(actor);
  return has_room(position, end, consumer);
}

std::optional<RecordRing::Record> RecordRing::reserve(const sync::Actor& actor, std::uint64_t size) {
  const std::uint64_t length = bytes_of_record(size);
  if (size > kMostRecord || length > size_) return {};
  const std::uint64_t consumer = consumer_position();
  const sync::RobustGuard guard(control_->lock, actor, [&] { repair(); });
  const std::uint64_t position = control_->producer.load_relaxed(), end = position + length;
  std::uint32_t ticket = free_ticket(actor);
  bool fits = has_room(position, end, consumer);
  if (!fits || ticket == kNoTicket) [[unlikely]]
    fits = make_room(actor, position, end, consumer, ticket);
  const std::uint64_t at = position & (size_ - 1), page = kFirstDataPage + at / kPage;
  if (!fits || ticket == kNoTicket || !write(data_ + at, page << 32 | kBusy | size)) [[unlikely]] {
    control_->dropped.fetch_add_relaxed(1);
    return {};
  }
  if (at + length > size_) [[unlikely]]
    copy_beyond(at + length);
  Reservation& reservation = control_->reservations[ticket];
  reservation.position.store_relaxed(position);
  reservation.owner.store_release(actor.self.word());  // pairs with discard_of_dead
  control_->producer.store_release(end);               // pairs with producer_position
  (void)write(producer_page_, end);
  return Record{data_ + at + kHeaderBytes, static_cast<std::uint32_t>(size), ticket, position};
}

// Beyond the end lies what lies at the beginning, also where the record will not be written.
[[gnu::noinline]] void RecordRing::copy_beyond(std::uint64_t end) const {
  (void)!portolan_fault_copy(data_ + size_, data_, end - size_);
}
[[gnu::noinline]] void RecordRing::copy_back(std::uint64_t end) const {
  (void)!portolan_fault_copy(data_, data_ + size_, end - size_);
}

bool RecordRing::consumer_waits_at(std::uint64_t position) const {
  sync::fence_seq_cst();  // either the consumer sees the record before it sleeps, or its position is seen
                          // here
  return ((consumer_position() ^ position) & (size_ - 1)) == 0;
}

bool RecordRing::is_held_up() const {
  const std::uint64_t consumer = consumer_position();
  return consumer != producer_position() && (length_at(consumer) & kBusy) != 0;
}

bool RecordRing::discard_of_dead(const sync::Actor& actor) {
  const sync::RobustGuard guard(control_->lock, actor, [&] { repair(); });
  return release_those_of_dead(actor);
}

bool RecordRing::release_those_of_dead(const sync::Actor& actor) {
  bool wakes = false;
  for (Reservation& one : control_->reservations) {
    const std::uint64_t owner = one.owner.load_acquire();  // pairs with reserve
    if (owner == 0 || owner == actor.self.word() || actor.liveness->alive(sync::Owner(owner))) continue;
    const std::uint64_t position = one.position.load_relaxed(), producer = control_->producer.load_relaxed();
    const std::uint32_t length = length_at(position);
    if (producer - position <= size_ && (length & kBusy) != 0) {
      finish(position, length & ~(kBusy | kDiscarded), true);
      wakes |= consumer_waits_at(position);
    }
    one.owner.store_release(0);  // pairs with free_ticket
  }
  return wakes;
}

void RecordRing::check(const std::string& where, shm::Findings& findings) const {
  const std::uint64_t producer = control_->producer.load_relaxed(),
                      pending = control_->pending.load_relaxed();
  if (producer % 8 != 0 || producer - pending > size_)
    findings.corrupt(where, "the ring's positions contradict each other");
  for (const Reservation& one : control_->reservations)
    if (one.owner.load_relaxed() != 0 && one.position.load_relaxed() % 8 != 0)
      findings.corrupt(where, "a record is reserved where none begins");
}

}  // namespace portolan::ds
