// SPDX-License-Identifier: Apache-2.0
// Records of any length from many producers to one consumer, in pages that the consumer maps: the kernel's
// ring buffer, byte for byte.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/fault_access.h"
#include "base/result.h"
#include "ds/watch.h"
#include "shm/findings.h"
#include "sync/robust_lock.h"

namespace portolan::ds {

// See record_ring.cc for the essay. A view of memory that must outlive it: `control` lies where only the
// runtime's processes reach, `pages` where every holder of the map's fd does.
class RecordRing {
 public:
  static constexpr std::uint64_t kPage = 4096;
  static constexpr std::uint32_t kMostReserved = 1024;  // records that are reserved at one time
  static constexpr std::uint64_t kHeaderBytes = 8;      // before each record
  static constexpr std::uint32_t kMostRecord = UINT32_MAX / 4;

  static std::uint64_t control_size();
  // Consumer's page, producer's page, and the data twice. `size`: a power of two, whole pages.
  static constexpr std::uint64_t pages_size(std::uint64_t size) { return 2 * kPage + 2 * size; }
  // Zero bytes are an empty one. EINVAL: too few bytes, or not aligned.
  static Result<RecordRing> attach(Bytes control, Bytes pages, std::uint64_t size);

  struct Record {
    std::byte* bytes;  // where it may be written
    std::uint32_t size;
    std::uint32_t ticket;    // of the reservation
    std::uint64_t position;  // of its header
  };
  // Nothing: no room, or the pages are gone. What is reserved is seen by the consumer once it is committed.
  std::optional<Record> reserve(const sync::Actor& actor, std::uint64_t size);
  void commit(const Record& record, bool discard) {
    finish(record.position, record.size, discard);
    control_->reservations[record.ticket].owner.store_release(0);  // pairs with free_ticket
  }
  // After the record at `position` was committed: whether the consumer had read all that came before, and may
  // be asleep.
  bool consumer_waits_at(std::uint64_t position) const;

  // Records that dead producers have reserved are discarded; true: the consumer waits at one of them. Asks
  // whether owners live, so it takes its time.
  bool discard_of_dead(const sync::Actor& actor);
  // Whether the next record that the consumer would read is reserved, and not committed.
  bool is_held_up() const;

  std::uint64_t producer_position() const;
  std::uint64_t consumer_position() const;
  std::uint64_t available() const { return producer_position() - consumer_position(); }
  std::uint64_t size() const { return size_; }
  std::uint64_t dropped() const;  // records that found no room, ever

  Watch& watch() const { return control_->watch; }

  void check(const std::string& where, shm::Findings& findings) const;

 private:
  struct Reservation {
    sync::Atomic<std::uint64_t> owner;  // 0: free
    sync::Atomic<std::uint64_t> position;
  };
  struct Control {
    sync::RobustLock lock;
    sync::Atomic<std::uint64_t> producer;  // what the producer's page shows
    sync::Atomic<std::uint64_t> pending;   // up to here everything is committed
    sync::Atomic<std::uint64_t> dropped;
    Watch watch;
    alignas(64) Reservation reservations[kMostReserved];
  };
  static constexpr std::uint32_t kReservationsOfLine = 64 / sizeof(Reservation);
  static constexpr std::uint32_t kNoTicket = ~std::uint32_t{0};
  static constexpr std::uint32_t kBusy = 1u << 31, kDiscarded = 1u << 30;

  RecordRing(Bytes control, Bytes pages, std::uint64_t size);

  std::byte* header_at(std::uint64_t position) const { return data_ + (position & (size_ - 1)); }
  std::uint32_t length_at(std::uint64_t position) const;
  void repair();
  bool release_those_of_dead(const sync::Actor& actor);  // with the lock in hand
  bool is_free(std::uint32_t ticket) const {
    return control_->reservations[ticket].owner.load_acquire() == 0;  // pairs with commit
  }
  std::uint32_t free_ticket(const sync::Actor& actor) const;
  std::uint32_t free_ticket_after(std::uint32_t first) const;
  bool has_room(std::uint64_t position, std::uint64_t end, std::uint64_t consumer);
  bool has_room_after_look(std::uint64_t position, std::uint64_t end);
  bool make_room(const sync::Actor& actor, std::uint64_t position, std::uint64_t end, std::uint64_t consumer,
                 std::uint32_t& ticket);
  std::uint64_t advance_pending(std::uint64_t producer);
  static constexpr std::uint64_t bytes_of_record(std::uint64_t size) {
    return round_up(size + kHeaderBytes, 8);
  }
  template <class T>
  static bool write(std::byte* to, T value) {
    PORTOLAN_SEAM();
    return try_store(to, value);
  }
  void finish(std::uint64_t position, std::uint32_t size, bool discard) {
    const std::uint64_t end = (position & (size_ - 1)) + bytes_of_record(size);
    if (end > size_) [[unlikely]]
      copy_back(end);
    // A release store: pairs with the consumer's load of the length.
    (void)write(header_at(position), size | (discard ? kDiscarded : 0));
  }
  void copy_beyond(std::uint64_t end) const;
  void copy_back(std::uint64_t end) const;

  Control* control_;
  std::byte *consumer_page_, *producer_page_, *data_;
  std::uint64_t size_;
};

}  // namespace portolan::ds
