// SPDX-License-Identifier: Apache-2.0
// Records of any length from one producer, who maps the pages, to whoever drains them: the kernel's user ring
// buffer, byte for byte.
#pragma once
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "ds/watch.h"
#include "shm/findings.h"
#include "sync/robust_lock.h"

namespace portolan::ds {

// See user_ring.cc for the essay. A view of memory that must outlive it: `control` lies where only the
// runtime's processes reach, `pages` where every holder of the map's fd does.
class UserRing {
 public:
  static constexpr std::uint64_t kPage = 4096;
  static constexpr std::uint64_t kHeaderBytes = 8;         // before each record
  static constexpr std::uint32_t kMostRecord = 0xff'ffff;  // what a dynptr can hold

  static std::uint64_t control_size();
  // Consumer's page, producer's page, and the data twice. `size`: a power of two, whole pages.
  static constexpr std::uint64_t pages_size(std::uint64_t size) { return 2 * kPage + 2 * size; }
  // Zero bytes are an empty one. EINVAL: too few bytes, or not aligned.
  static Result<UserRing> attach(Bytes control, Bytes pages, std::uint64_t size);

  // One drains at a time. False: somebody does, and lives.
  bool begin(const sync::Actor& actor);
  void end();

  struct Record {
    std::byte* bytes;
    std::uint32_t size;
    std::uint64_t end;  // the position after it
  };
  // The oldest record; only between begin() and end(), as is release(). ENODATA: none is ready; EAGAIN: one
  // that was discarded is passed over; EINVAL, E2BIG: what the producer wrote cannot be.
  Result<Record> peek();
  void release(const Record& record);

  std::uint64_t producer_position() const;
  std::uint64_t consumer_position() const { return control_->consumer.load_acquire(); }  // pairs with release
  std::uint64_t size() const { return size_; }
  Watch& watch() const { return control_->watch; }
  void check(const std::string& where, shm::Findings& findings) const;

 private:
  struct Control {
    sync::RobustLock lock;                 // of who drains
    sync::Atomic<std::uint64_t> consumer;  // what the consumer's page shows
    Watch watch;
  };
  UserRing(Bytes control, Bytes pages, std::uint64_t size);
  void move_on(std::uint64_t position);

  Control* control_;
  std::byte *consumer_page_, *producer_page_, *data_;
  std::uint64_t size_;
};

}  // namespace portolan::ds
