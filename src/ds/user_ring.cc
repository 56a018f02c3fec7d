// SPDX-License-Identifier: Apache-2.0
// clang-format off
// A ring buffer that one producer, outside of all trust, fills, and programs drain.
//
// Source        the kernel's BPF user ring buffer, whose layout and protocol this is: libbpf writes it as it is.
//
// Layout        pages (every holder of the fd may map them, all but the consumer's to write):
//                 consumer_pos | … to the end of the page
//                 producer_pos | … to the end of the page
//                 data, `size` bytes | as many again: a record that reaches the end goes on there; but one whose
//                 header is the last before the end has its bytes at the beginning
//               a record: length:30 discarded:1 busy:1 | 4 bytes | bytes, up to a multiple of 8
//               control (the runtime's own): lock, consumer, watch
//
// Invariants    I1 consumer_pos of the page says what `consumer` says, but for a moment; I2 nothing in the pages is
//               trusted: what cannot be is an error, and whatever lies there is only bytes to the program.
//
// Linearization peek: the load of the header's length, after that of producer_pos. release: the store of `consumer`.
//
// Progress      One drains at a time; another is told so at once, unless the one that does has died.
//
// Crash table   killed …                              others see                  who repairs
//               while it drains                       a lock of the dead          who next drains takes it over
//               between `consumer` and the page       a consumer_pos of before    the next release
// clang-format on
#include "ds/user_ring.h"

#include "base/fault_copy.h"

namespace portolan::ds {
namespace {

constexpr std::uint32_t kBusy = 1u << 31, kDiscarded = 1u << 30;

// The pages may be gone, since whoever has the fd may cut the file short: then everything is zero.
template <class T>
T read(const std::byte* from) {
  T value{};
  if (!portolan_fault_copy(&value, from, sizeof value)) return T{};
  return value;
}

}  // namespace

std::uint64_t UserRing::control_size() { return sizeof(Control); }

Result<UserRing> UserRing::attach(Bytes control, Bytes pages, std::uint64_t size) {
  if (size < kPage || (size & (size - 1)) != 0) return fail(EINVAL);
  if (control.size() < sizeof(Control) || pages.size() < pages_size(size)) return fail(EINVAL);
  if (reinterpret_cast<std::uintptr_t>(control.data()) % 8 != 0 ||
      reinterpret_cast<std::uintptr_t>(pages.data()) % kPage != 0)
    return fail(EINVAL);
  return UserRing(control, pages, size);
}

UserRing::UserRing(Bytes control, Bytes pages, std::uint64_t size)
    : control_(reinterpret_cast<Control*>(control.data())),
      consumer_page_(pages.data()),
      producer_page_(pages.data() + kPage),
      data_(pages.data() + 2 * kPage),
      size_(size) {}

bool UserRing::begin(const sync::Actor& actor) {
  if (control_->lock.try_lock(actor)) return true;
  const sync::Owner owner = control_->lock.owner();
  if (owner.is_nobody()) return control_->lock.try_lock(actor);
  if (actor.liveness->alive(owner)) return false;
  (void)control_->lock.lock(actor);  // the dead one's
  return true;
}

void UserRing::end() { control_->lock.unlock(); }

std::uint64_t UserRing::producer_position() const {
  const auto position = read<std::uint64_t>(producer_page_);
  sync::fence_acquire();  // pairs with the producer's store
  return position;
}

void UserRing::move_on(std::uint64_t position) {
  control_->consumer.store_release(position);  // pairs with consumer_position
  (void)!portolan_fault_copy(consumer_page_, &position,
                             sizeof position);  // on this machine after all before it
}

Result<UserRing::Record> UserRing::peek() {
  const std::uint64_t produced = producer_position(), consumed = control_->consumer.load_relaxed();
  if (produced % 8 != 0) return fail(EINVAL);
  if (consumed >= produced) return fail(ENODATA);
  std::byte* const header = data_ + (consumed & (size_ - 1));
  const auto length = read<std::uint32_t>(header);
  sync::fence_acquire();  // pairs with the producer's store of it
  const std::uint32_t size = length & ~(kBusy | kDiscarded);
  const std::uint64_t total = round_up(size + kHeaderBytes, 8);
  if (total > produced - consumed) return fail(EINVAL);
  if (total > size_ || size > kMostRecord) return fail(E2BIG);
  if ((length & kDiscarded) != 0) {
    move_on(consumed + total);
    return fail(EAGAIN);
  }
  if ((length & kBusy) != 0) return fail(ENODATA);
  // Whose header is the last before the end begins at the beginning; any other goes on beyond it.
  return Record{data_ + ((consumed + kHeaderBytes) & (size_ - 1)), size, consumed + total};
}

void UserRing::release(const Record& record) { move_on(record.end); }

void UserRing::check(const std::string& where, shm::Findings& findings) const {
  if (control_->consumer.load_relaxed() % 8 != 0)
    findings.corrupt(where, "the ring's consumer is where no record begins");
}

}  // namespace portolan::ds
