// SPDX-License-Identifier: Apache-2.0
// Making objects: aside first, then seen by all with one store. Opening them by id.
#include <fmt/format.h>

#include <bit>

#include "object/impl.h"

namespace portolan::object {
namespace {

constexpr std::uint64_t kPublicationsPerSweep = 256;  // at least

std::uint64_t inode_of(int root, const std::string& path) {
  struct ::stat status{};
  return sys::fstatat(root, path.c_str(), status, AT_SYMLINK_NOFOLLOW) ? status.st_ino : 0;
}

// Two runtimes of one directory may be open in a process, under one participant's name.
sync::Atomic<std::uint64_t> drafts_of_this_process;

}  // namespace

Draft::Draft(Draft&& other) noexcept
    : kind(other.kind),
      state(std::move(other.state)),
      payload_offset(other.payload_offset),
      user_pages(std::move(other.user_pages)),
      runtime(other.runtime),
      staging(std::exchange(other.staging, {})),
      root_fd(other.root_fd) {}

Draft& Draft::operator=(Draft&& other) noexcept {
  std::swap(kind, other.kind);
  std::swap(state, other.state);
  std::swap(payload_offset, other.payload_offset);
  std::swap(user_pages, other.user_pages);
  std::swap(runtime, other.runtime);
  std::swap(staging, other.staging);
  std::swap(root_fd, other.root_fd);
  return *this;
}

Draft::~Draft() {
  if (!staging.empty()) remove_object(root_fd, staging, kind);
}

Result<Draft> Runtime::Impl::build(Kind kind, const Sizes& sizes) {
  const sync::Actor self = TRY(participants->actor());
  Draft draft;
  draft.kind = kind;
  draft.payload_offset = round_up(kEdgesOffset + std::uint64_t{sizes.max_edges} * sizeof(EdgeWord), 64);
  draft.runtime = runtime;
  draft.root_fd = root.get();
  const std::string staging = fmt::format("staging/{}-{}-{}", self.self.slot(), self.self.incarnation(),
                                          drafts_of_this_process.fetch_add_relaxed(1));
  TRY(sys::mkdirat(root.get(), staging.c_str(), 0700));
  draft.staging = staging;
  draft.state =
      TRY(shm::Region::create(root.get(), (staging + "/state").c_str(), draft.payload_offset + sizes.payload,
                              draft.payload_offset + sizes.payload_reserved, 0600));
  const std::string handle = staging + "/" + handle_name(kind);
  if (sizes.user == 0)
    TRY(shm::create_handle(root.get(), handle.c_str()));
  else
    draft.user_pages =
        TRY(shm::Region::create(root.get(), handle.c_str(), sizes.user, sizes.user_reserved, 0600));
  const UniqueFd pin(
      TRY(sys::openat(root.get(), (staging + "/pin").c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)));

  auto& header = *draft.state.at<ObjectHeader>(0);
  header.fingerprint = shm::make_fingerprint(region_kind(kind), control->fingerprint.possible_cpus,
                                             control->fingerprint.kernel_version);
  header.uuid[0] = control->uuid[0];
  header.uuid[1] = control->uuid[1];
  header.kind = number(kind);
  header.payload_offset = draft.payload_offset;
  header.max_edges = sizes.max_edges;
  return draft;
}

Result<Draft> Runtime::draft(Kind kind, std::uint64_t payload_size, std::uint64_t payload_reserved,
                             std::uint64_t user_bytes, std::uint64_t user_reserved, std::uint32_t max_edges) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 46;
  if (payload_size > kMost || user_bytes > kMost || max_edges > kMostEdges) return fail(ENOMEM);
  if (payload_reserved > payload_size || user_reserved > user_bytes) return fail(EINVAL);
  impl_->collect();
  const Impl::Sizes sizes{payload_size, payload_reserved, user_bytes, user_reserved, max_edges};
  auto draft = impl_->build(kind, sizes);
  if (draft || draft.error().value != ENOMEM) return draft;
  sweep();  // the room may be taken by what nobody uses
  return impl_->build(kind, sizes);
}

Result<Runtime::Published> Runtime::publish(Draft draft, std::span<const Edge> edges, shm::Access access,
                                            std::uint32_t wanted_id) {
  const sync::Actor self = TRY(actor());
  Impl& impl = *impl_;
  const int root = impl.root.get();
  const Kind kind = draft.kind;
  auto& header = *draft.state.at<ObjectHeader>(0);
  if (edges.size() > header.max_edges) return fail(EINVAL);
  auto* words = draft.state.at<EdgeWord>(kEdgesOffset, header.max_edges);
  for (std::size_t at = 0; at < edges.size(); ++at) words[at].store_relaxed(edge_word(edges[at]));

  const std::string handle = draft.staging + "/" + handle_name(kind);
  UniqueFd fd = TRY(shm::open_handle(root, handle.c_str(), access));  // held before anybody can find it
  forget_fd(fd.get());  // what had the number before may have been closed unseen, in this very tick
  Mapped mapped;
  mapped.runtime = this;
  mapped.kind = kind;
  mapped.payload_offset = draft.payload_offset;
  mapped.handle_inode = inode_of(root, handle);
  const std::uint64_t pin_inode = inode_of(root, draft.staging + "/pin");

  auto commit = [&]() -> Result<void> {
    for (const Edge& edge : edges)
      if (!impl.find(edge.kind, edge.id)) return fail(ENOENT);
    mapped.entry = TRY(impl.free_entry());
    if (wanted_id != 0 && impl.find(kind, wanted_id)) return fail(EEXIST);
    mapped.id = wanted_id != 0 ? wanted_id : TRY(impl.free_id(kind));
    mapped.serial = impl.control->next_serial.fetch_add_relaxed(1) + 1;
    header.id = mapped.id;
    header.serial = mapped.serial;
    PORTOLAN_SEAM();
    TRY(sys::renameat2(root, draft.staging.c_str(), root, object_path(kind, mapped.id).c_str(), 0));
    draft.staging.clear();
    for (const Edge& edge : edges) impl.count_referrer(edge, +1);
    Entry& entry = impl.control->entries[mapped.entry];
    entry.kind.store_relaxed(number(kind));
    entry.id.store_relaxed(mapped.id);
    entry.flags.store_relaxed(0);
    entry.serial.store_relaxed(mapped.serial);
    entry.handle_inode.store_relaxed(mapped.handle_inode);
    entry.pin_inode.store_relaxed(pin_inode);
    entry.referrers.store_relaxed(0);
    entry.state.store_release(static_cast<std::uint32_t>(EntryState::kLive));  // pairs with read_entry
    impl.add_live(+1);
    return {};
  };
  auto committed = impl.locked(self, commit);
  if (!committed && committed.error().value == ENOMEM) {
    sweep();  // the table may be full of what nobody uses
    committed = impl.locked(self, commit);
  }
  TRY(std::move(committed));

  mapped.state = std::move(draft.state);
  mapped.user_pages = std::move(draft.user_pages);
  mapped.state.close_file();  // a process may have more views than it may have fds
  mapped.user_pages.close_file();
  const std::uint32_t id = mapped.id;
  const std::uint64_t serial = mapped.serial;
  ProcessLock lock;
  auto view = impl.make_view(std::move(mapped));
  if (!view) {
    fd.reset();
    settle(kind, id);
    return fail(view.error());
  }
  // So that what the dead left does not pile up; it is looked for as often as there are objects to look at.
  const std::uint64_t period =
      std::max<std::uint64_t>(kPublicationsPerSweep, std::bit_ceil(impl.entries_in_use()));
  if (serial % period == 0) sweep();
  return Published{id, std::move(fd), *view};
}

Result<UniqueFd> Runtime::open_by_id(Kind kind, std::uint32_t id, shm::Access access) {
  settle(kind, id);
  const sync::Actor self = TRY(actor());
  Impl& impl = *impl_;
  auto opened = impl.locked(self, [&]() -> Result<UniqueFd> {
    const auto found = impl.find(kind, id);
    if (!found) return fail(ENOENT);
    const std::string handle = object_path(kind, id, handle_name(kind));
    UniqueFd fd = TRY(shm::open_handle(impl.root.get(), handle.c_str(), access));
    impl.control->entries[found->index].flags.store_relaxed(0);  // it has a user again
    return fd;
  });
  if (opened) forget_fd(opened->get());  // as in publish()
  return opened;
}

Result<std::uint32_t> Runtime::next_id(Kind kind, std::uint32_t after) {
  for (;;) {
    const auto next = impl_->find_next(kind, after);
    if (!next) return fail(ENOENT);
    settle(kind, next->id);
    if (impl_->find(kind, next->id)) return next->id;
  }
}

Result<View*> Runtime::view_by_id(Kind kind, std::uint32_t id) {
  ProcessLock lock;
  const auto found = impl_->find(kind, id);
  if (!found) return fail(ENOENT);
  return impl_->view_of(*found);
}

}  // namespace portolan::object
