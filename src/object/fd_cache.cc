// SPDX-License-Identifier: Apache-2.0
// From an fd to a view: the cache that target_of_fd reads, and the way past it.
//
// Layout       FdEntry{node, validated_at} per fd below kCachedFds, in zero pages. A node is an immutable
// part of a
//              view: {view, kind, access}.
// Invariants   a node in the cache belongs to a view of this process that is not in limbo. Writers hold the
//              ProcessLock, readers take nothing and are inside a CallEpoch, so the view stays mapped.
// Linearization of target_of_fd: the load of `node` if it was validated in this tick of the timer, else the
// fstat. What happens to an fd
//              unseen (a raw close and open) shows at the next validation, a tick (1 to 10 ms) later at
//              most; what is seen (forget_fd) at once. The node is cleared before the time of another is
//              written, so that no stale node is taken for young.
#include <algorithm>

#include "object/impl.h"

namespace portolan::object {

Result<View*> Runtime::Impl::view_of_handle(std::uint64_t inode) {
  if (const auto known = by_handle.find(inode); known != by_handle.end()) {
    if (still_lives(*known->second)) return known->second;
    collect();
  }
  const auto found = find_handle(inode);
  if (!found) return fail(EINVAL);
  return view_of(*found);
}

void Runtime::Impl::forget_view(const View& view) {
  for (std::uint32_t fd = 0; fd < cached_fds_end; ++fd) {
    const FdNode* node = runtime->fd_cache_[fd].node.load_relaxed();
    if (node != nullptr && node->view == &view) runtime->fd_cache_[fd].node.store_relaxed(nullptr);
  }
}

Result<Target> Runtime::target_of_any_fd(int fd) {
  struct ::stat status{};
  TRY(sys::fstat(fd, status));
  if (status.st_dev != impl_->device) return fail(EINVAL);
  const int flags = TRY(sys::fcntl(fd, F_GETFL, 0));
  if ((flags & O_PATH) != 0) return fail(EBADF);
  const shm::Access access = TRY(shm::handle_access(fd));
  const std::uint64_t now = coarse_ns();
  ProcessLock lock;
  View* view = TRY(impl_->view_of_handle(status.st_ino));
  if (static_cast<unsigned>(fd) < kCachedFds) {
    FdEntry& entry = fd_cache_[fd];
    const FdNode* node = &view->nodes_[static_cast<unsigned>(access)];
    if (entry.node.load_relaxed() != node) entry.node.store_relaxed(nullptr);
    entry.validated_at.store_relaxed(now);
    entry.node.store_release(node);  // pairs with target_of_fd
    impl_->cached_fds_end = std::max(impl_->cached_fds_end, static_cast<std::uint32_t>(fd) + 1);
  }
  return Target{view, access};
}

Result<Target> Runtime::target_of_fd_slow(int fd, Kind kind) {
  const Target target = TRY(target_of_any_fd(fd));
  if (target.view->kind() != kind) return fail(EINVAL);
  return target;
}

bool Runtime::is_handle(int fd) {
  struct ::stat status{};
  if (!sys::fstat(fd, status) || status.st_dev != impl_->device) return false;
  return impl_->find_handle(status.st_ino).has_value();
}

void Runtime::forget_fd(int fd) { forget_fds(fd, fd); }

void Runtime::forget_fds(int first, int last) {
  ProcessLock lock;
  const auto end = static_cast<std::int64_t>(impl_->cached_fds_end);
  for (std::int64_t fd = std::max(first, 0); fd <= last && fd < end; ++fd)
    fd_cache_[fd].node.store_relaxed(nullptr);
}

}  // namespace portolan::object
