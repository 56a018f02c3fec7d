// SPDX-License-Identifier: Apache-2.0
// Views: how an object is mapped into this process, and when it is unmapped again.
//
// A view is made at the first use of its object and is the only one of it in the process. It is taken away
// when the table no longer has the object (`deaths` counts up with each that goes): out of `views`, out of
// the fd cache, into limbo with a new call epoch. It is destroyed when no thread is inside a call that began
// before that epoch and no ViewRef is left. A thread that is inside a call itself does so at one of its later
// calls.
#include "base/assert.h"
#include "object/impl.h"
#include "sync/call_epoch.h"

namespace portolan::object {
namespace {

std::mutex process_mutex;
thread_local constinit int process_lock_depth = 0;

}  // namespace

ProcessLock::ProcessLock() {
  // A fork while another thread holds the mutex would leave it locked in the child for ever.
  [[maybe_unused]] static const int registered = ::pthread_atfork(
      [] { process_mutex.lock(); }, [] { process_mutex.unlock(); }, [] { process_mutex.unlock(); });
  if (process_lock_depth++ == 0) process_mutex.lock();
}
ProcessLock::~ProcessLock() {
  if (--process_lock_depth == 0) process_mutex.unlock();
}

ViewRef::ViewRef(View& view) : view_(&view) { view.references_.fetch_add_relaxed(1); }
ViewRef::ViewRef(ViewRef&& other) noexcept : view_(std::exchange(other.view_, nullptr)) {}
ViewRef& ViewRef::operator=(ViewRef&& other) noexcept {
  std::swap(view_, other.view_);
  return *this;
}
ViewRef::~ViewRef() {
  if (view_ != nullptr) view_->references_.fetch_add_acq_rel(~0u);  // pairs with collect()
}

bool Runtime::Impl::still_lives(const View& view) const {
  const auto found = read_entry(view.mapped_.entry);
  return found && found->serial == view.mapped_.serial;
}

Result<Mapped> Runtime::Impl::map_object(const Found& found) {
  Mapped mapped;
  mapped.runtime = runtime;
  mapped.kind = found.kind;
  mapped.id = found.id;
  mapped.entry = found.index;
  mapped.serial = found.serial;
  mapped.handle_inode = found.handle_inode;
  mapped.state = TRY(shm::Region::open(root.get(), object_path(found.kind, found.id, "state").c_str(),
                                       sizeof(ObjectHeader)));
  const ObjectHeader& header = *mapped.state.at<ObjectHeader>(0);
  const shm::Fingerprint expected = shm::make_fingerprint(
      region_kind(found.kind), control->fingerprint.possible_cpus, control->fingerprint.kernel_version);
  if (!shm::explain_mismatch(header.fingerprint, expected).empty()) return fail(EINVAL);
  if (header.uuid[0] != control->uuid[0] || header.uuid[1] != control->uuid[1]) return fail(EINVAL);
  // Another object took the id between the look at the table and the open.
  if (header.serial != found.serial) return fail(ENOENT);
  mapped.payload_offset = header.payload_offset;
  if (mapped.payload_offset < kEdgesOffset || mapped.payload_offset > mapped.state.size() ||
      header.max_edges > (mapped.payload_offset - kEdgesOffset) / sizeof(EdgeWord))
    return fail(EINVAL);
  const std::string handle = object_path(found.kind, found.id, handle_name(found.kind));
  struct ::stat status{};
  TRY(sys::fstatat(root.get(), handle.c_str(), status, AT_SYMLINK_NOFOLLOW));
  if (status.st_ino != found.handle_inode) return fail(EINVAL);
  if (status.st_size != 0) mapped.user_pages = TRY(shm::Region::open(root.get(), handle.c_str(), 1));
  mapped.state.close_file();
  mapped.user_pages.close_file();
  return mapped;
}

Result<View*> Runtime::Impl::make_view(Mapped mapped) {
  const ViewFactory factory = factories[number(mapped.kind)];
  if (factory == nullptr) return fail(EINVAL);
  const std::uint64_t serial = mapped.serial, inode = mapped.handle_inode;
  std::unique_ptr<View> made = TRY(factory(std::move(mapped)));
  PORTOLAN_ASSERT(made->mapped_.serial == serial);
  View* view = made.get();
  // No serial comes twice, unless somebody has written to the region: the view that had it goes as others do.
  if (const auto known = views.find(serial); known != views.end()) {
    std::unique_ptr<View> other = std::move(known->second);
    views.erase(known);
    retire(std::move(other));
  }
  views[serial] = std::move(made);
  by_handle[inode] = view;
  return view;
}

Result<View*> Runtime::Impl::view_of(const Found& found) {
  if (const auto known = views.find(found.serial); known != views.end()) return known->second.get();
  return make_view(TRY(map_object(found)));
}

void Runtime::Impl::retire(std::unique_ptr<View> view) {
  forget_view(*view);
  if (const auto at = by_handle.find(view->mapped_.handle_inode);
      at != by_handle.end() && at->second == view.get())
    by_handle.erase(at);
  limbo.push_back({std::move(view), sync::begin_epoch()});
}

// Whose were the deaths of its own hand a process knows. All views are looked at after those of others, and
// now and then, for a view may have been made while its object was dying.
void Runtime::Impl::retire_dead(std::uint64_t deaths) {
  const auto first = own_deaths.upper_bound(deaths_seen), end = own_deaths.upper_bound(deaths);
  const std::uint64_t count = deaths - deaths_seen;
  const bool knows_all = static_cast<std::uint64_t>(std::distance(first, end)) == count;
  deaths_since_look += count;
  const auto retire_at = [&](auto at) {
    std::unique_ptr<View> dead = std::move(at->second);
    const auto next = views.erase(at);
    retire(std::move(dead));
    return next;
  };
  if (knows_all && deaths_since_look < views.size()) {
    for (auto death = first; death != end; ++death)
      if (const auto at = views.find(death->second); at != views.end()) retire_at(at);
  } else {
    deaths_since_look = 0;
    for (auto at = views.begin(); at != views.end();)
      at = still_lives(*at->second) ? std::next(at) : retire_at(at);
  }
  own_deaths.erase(own_deaths.begin(), end);
  deaths_seen = deaths;
}

void Runtime::Impl::collect() {
  ProcessLock lock;
  const std::uint64_t deaths = control->deaths.load_acquire();  // pairs with bury
  if (deaths != deaths_seen) retire_dead(deaths);
  // Destructors may come back here, so what is destroyed is taken out first.
  std::vector<Limbo> gone;
  for (std::size_t at = 0; at < limbo.size();) {
    if (limbo[at].view->references_.load_acquire() == 0 &&
        sync::quiesced(limbo[at].epoch)) {  // pairs with ~ViewRef
      gone.push_back(std::move(limbo[at]));
      limbo.erase(limbo.begin() + static_cast<std::ptrdiff_t>(at));
    } else {
      ++at;
    }
  }
}

}  // namespace portolan::object
