// SPDX-License-Identifier: Apache-2.0
// clang-format off
// Statistics of programs. They are on while anybody has an fd of BPF_ENABLE_STATS open: one of a file of the runtime,
// with an OFD read lock on it, which is gone when the fd's last copy is, however its holders end.
//
// Layout        Control::statistics counts up; odd: somebody has switched them on, and they may still be.
//
// Why it holds  Who switches them on takes the lock, then makes the number odd, or another odd one. Who finds it odd and
//               no lock makes it even by CAS from what it had read before it asked: had somebody switched them on
//               meanwhile, the number would have changed. So it is odd while a lock is held, but for the moment between
//               lock and number, and not for long after the last one.
//
// Crash table   killed between lock and number: the lock goes too. A looker stores once or not at all.
// clang-format on
#include <fcntl.h>

#include "base/sys.h"
#include "object/impl.h"

namespace portolan::object {
namespace {

constexpr const char kFile[] = "bpf-stats";

Result<UniqueFd> open_file(int root, int flags) {
  return UniqueFd(TRY(sys::openat(root, kFile, flags | O_CLOEXEC, 0600)));
}
struct flock whole_file(short type) {
  struct flock lock{};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}
bool somebody_has_the_lock(int root) {
  const Result<UniqueFd> fd = open_file(root, O_RDWR);
  if (!fd) return false;
  struct flock lock = whole_file(F_WRLCK);
  return sys::fcntl_lock(fd->get(), F_OFD_GETLK, lock) && lock.l_type != F_UNLCK;
}

}  // namespace

Result<UniqueFd> Runtime::switch_statistics_on() {
  UniqueFd fd = TRY(open_file(directory_fd(), O_RDWR | O_CREAT));
  struct flock lock = whole_file(F_RDLCK);
  TRY(sys::fcntl_lock(fd.get(), F_OFD_SETLK, lock));
  auto& number = impl_->control->statistics;
  std::uint64_t before = number.load_relaxed();
  while (!number.cas_acq_rel(before, before + 1 + before % 2)) {
  }
  return fd;
}

bool Runtime::statistics_are_on() {
  auto& number = impl_->control->statistics;
  std::uint64_t seen = number.load_acquire();  // pairs with switch_statistics_on
  if (seen % 2 == 0) return false;
  if (somebody_has_the_lock(directory_fd())) return true;
  (void)number.cas_acq_rel(seen, seen + 1);
  return false;
}

bool Runtime::statistics_were_on_lately() {
  const std::uint64_t now = coarse_ns();
  if (impl_->statistics_seen_at.load_relaxed() == now) return true;
  if (!statistics_are_on()) return false;
  impl_->statistics_seen_at.store_relaxed(now);
  return true;
}

}  // namespace portolan::object
