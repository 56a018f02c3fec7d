// SPDX-License-Identifier: Apache-2.0
// clang-format off
// A runtime is a directory; an object is a directory in it; a user's fd is an fd of a file in that.
//
// The ideas: that the kernel keep count of who uses what (open file descriptions, hard links), so that no
// death can upset a count; and that a file's inode be its name, so that no holder of it can forge one. Making
// aside and renaming is as old as mail spools.
//
// Layout
//   control                Control (control.h): fingerprint, object lock, id cursors, participants, vCPUs, entries
//   objects/map7/bpf-map   handle: what users' fds name; holds only pages that users mmap. Each open description
//                          of it carries an OFD lock (shm/handle.h), taken before anybody else can find the object
//   objects/map7/state     ObjectHeader, then edges, then the kind's own bytes
//   objects/map7/pin       an empty file; a pin is a hard link to it from below bpffs/
//   staging/S-I-N          a draft of incarnation I of participant S;  staging/dead-N: on its way out
//   participants/S         see sync/participants.cc
//   bpffs/…                directories and pins
//
// Invariants
//   - An entry is kLive exactly while its object can be found. Its fields are written while it is not, so whoever
//     sees kLive with an acquire, before and after, and the same serial, has read one object. Serials never repeat.
//   - Identity is (device of the control file now, inode). The device may change over a reboot, so it is not stored.
//   - An object lives while it is held, or pinned (st_nlink of its pin file > 1), or has referrers.
//   - Whoever makes an unused object used again (open by id, open of a pin, a pin, an edge) holds the object lock and
//     has seen kLive under it; whoever buries holds it and has asked all three under it. A held object becomes held
//     more than once (dup, fork, SCM_RIGHTS) without a lock: it was not buried then, and asking is a single F_GETLK.
//   - Edges lie in the state of the one who refers. The target's `referrers` is their sum, kept under the object lock.
//   - Lock order: ProcessLock, then the object lock. Nothing calls out of this room under the object lock.
//
// Linearization
//   publish        the release store of kLive          open_by_id  the open, under the object lock
//   end            the store of kDying                 pin, unpin  linkat, unlink
//   add/remove_edge  the store of the edge's word      join, death see sync/participants.cc
//
// Progress: finding by fd, id or pin takes no lock and waits for nobody. All else waits for the object lock, whose
// holder does a bounded number of system calls; a stopped holder makes others wait, a dead one does not.
//
// Crash table: killed …                       others see                  put right by
//   while drafting                             a directory in staging/     sweep: its owner is dead
//   under the lock, before the rename          the same; an id left out    the same; ids are never promised dense
//   between rename and kLive                   nothing                     repair: a directory without an entry goes;
//                                                                          referrers are counted anew
//   after kLive, before its fd was used        an object nobody holds      settle, by id or in a sweep
//   between kDying and kFree                   nothing                     repair: kFree; the directory without an
//                                                                          entry goes; referrers are counted anew
//   after kFree, files still in staging/       a directory in staging/     sweep: names no living owner
//   between an edge's word, or a state of      a wrong count, locked       repair counts anew, before anybody reads it
//     an entry, and the count of such
//   in pin                                     the link, or not            nobody: the file system counts links
//   with the last fd of an object              an object nobody holds      settle, by id or in a sweep
//   inside release_uref, before it was noted   kUrefGone not set           the next settle calls it again
// repair() is run by the next one to take the object lock, and may itself be killed anywhere: it starts anew. Targets
// of an object whose burial was cut short are settled by the next sweep. Sweeps are made by whoever opens a runtime in
// which nobody else lives, once in as many publications as there are entries (256 at least), and when there is no room.
//
// A reboot is the death of everybody: locks are gone, participants are dead, pins are there, and the next to open the
// runtime sweeps.
// clang-format on
#include "object/runtime.h"

#include <fmt/format.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>

#include <cstring>

#include "base/random.h"
#include "object/impl.h"

namespace portolan::object {
namespace {

constexpr std::uint32_t kDefaultKernelVersion = 6 << 16 | 18 << 8 | 0;

std::unexpected<Errno> explain(std::string* why, Errno error, const std::string& sentence) {
  if (why != nullptr) *why = sentence;
  return fail(error);
}
std::unexpected<Errno> cannot(std::string* why, const char* what, const std::string& path, Errno error) {
  return explain(why, error, fmt::format("cannot {} '{}': {}", what, path, std::strerror(error.value)));
}

// "0-3,8-11" counts as libbpf_num_possible_cpus() does: the CPUs in the list.
std::uint32_t count_possible_cpus() {
  auto fd = sys::openat(AT_FDCWD, "/sys/devices/system/cpu/possible", O_RDONLY | O_CLOEXEC);
  char text[512] = {};
  if (fd) {
    UniqueFd file(*fd);
    (void)sys::pread(file.get(), text, sizeof text - 1, 0);
  }
  std::uint32_t count = 0;
  for (char* at = text; *at >= '0' && *at <= '9';) {
    const unsigned long first = ::strtoul(at, &at, 10);
    const unsigned long last = *at == '-' ? ::strtoul(at + 1, &at, 10) : first;
    if (last >= first && last - first < 65536) count += static_cast<std::uint32_t>(last - first + 1);
    if (*at == ',') ++at;
  }
  if (count != 0) return count;
  const long configured = ::sysconf(_SC_NPROCESSORS_CONF);
  return configured > 0 ? static_cast<std::uint32_t>(configured) : 1;
}

// The parents of `path`, then itself.
Result<void> make_directories(const std::string& path) {
  for (std::size_t slash = path.find('/', 1); slash != path.npos; slash = path.find('/', slash + 1))
    (void)sys::mkdirat(AT_FDCWD, path.substr(0, slash).c_str(), 0777);
  auto made = sys::mkdirat(AT_FDCWD, path.c_str(), 0777);
  if (!made && made.error().value != EEXIST) return made;
  return {};
}

// Made under another name and linked to its own when it is whole: of two who make it, one wins. The fd given
// holds the shared lock that keeps the runtime from being taken away, from before anybody can see the file.
Result<UniqueFd> make_control(int root, std::uint32_t possible_cpus, std::uint32_t kernel_version) {
  const std::string name = fmt::format("staging/control-{:016x}", random_u64());
  const shm::Region region =
      TRY(shm::Region::create(root, name.c_str(), sizeof(Control),
                              offsetof(Control, vcpus) + possible_cpus * sizeof(sync::VcpuSlot), 0600));
  auto& control = *region.at<Control>(0);
  control.fingerprint = shm::make_fingerprint(shm::RegionKind::kControl, possible_cpus, kernel_version);
  control.uuid[0] = random_u64();
  control.uuid[1] = random_u64();
  UniqueFd lock(TRY(sys::fcntl(region.fd(), F_DUPFD_CLOEXEC, 0)));
  (void)sys::call(SYS_flock, lock.get(), LOCK_SH);
  PORTOLAN_SEAM();
  auto linked = sys::linkat(root, name.c_str(), root, "control", 0);
  PORTOLAN_SEAM();
  (void)sys::unlinkat(root, name.c_str(), 0);
  // ENOENT: somebody swept staging/, and so there is a control file by now.
  if (!linked && linked.error().value != EEXIST && linked.error().value != ENOENT)
    return fail(linked.error());
  return lock;
}

}  // namespace

Result<std::unique_ptr<Runtime>> Runtime::open(const std::string& directory, const RuntimeOptions& options,
                                               std::string* why) {
  auto impl = std::make_unique<Impl>();
  if (directory.empty()) return explain(why, Errno{EINVAL}, "the runtime's directory is an empty name");
  if (options.create)
    if (auto made = make_directories(directory); !made)
      return cannot(why, "make the runtime's directory", directory, made.error());
  auto root = open_directory(AT_FDCWD, (directory + "/.").c_str());
  if (!root) return cannot(why, "open the runtime's directory", directory, root.error());
  impl->root = std::move(*root);
  const int root_fd = impl->root.get();
  char resolved[PATH_MAX];
  impl->directory = ::realpath(directory.c_str(), resolved) != nullptr ? resolved : directory;

  struct ::stat status{};
  UniqueFd made_lock;
  if (!sys::fstatat(root_fd, "control", status, AT_SYMLINK_NOFOLLOW)) {
    if (!options.create)
      return explain(why, Errno{ENOENT},
                     fmt::format("'{}' is no Portolan runtime: it has no control file", directory));
    for (const char* part : {"staging", "objects", "participants", "bpffs"})
      if (auto made = sys::mkdirat(root_fd, part, part == std::string_view("bpffs") ? 01700 : 0700);
          !made && made.error().value != EEXIST)
        return cannot(why, "make", directory + "/" + part, made.error());
    const std::uint32_t cpus = options.possible_cpus != 0 ? options.possible_cpus : count_possible_cpus();
    const std::uint32_t version =
        options.kernel_version != 0 ? options.kernel_version : kDefaultKernelVersion;
    auto made = make_control(root_fd, cpus, version);
    if (!made) return cannot(why, "make the control file of the runtime", directory, made.error());
    made_lock = raised(std::move(*made));
  }
  auto region = shm::Region::open(root_fd, "control", 1);
  if (!region) return cannot(why, "open the control file of the runtime", directory, region.error());
  if (region->size() < sizeof(Control))
    return explain(why, Errno{EINVAL},
                   fmt::format("'{}' cannot be used: its control file is {} bytes long, not {}", directory,
                               region->size(), sizeof(Control)));
  impl->control_region = std::move(*region);
  impl->control = impl->control_region.at<Control>(0);
  const shm::Fingerprint expected =
      shm::make_fingerprint(shm::RegionKind::kControl, options.possible_cpus, options.kernel_version);
  if (const std::string text = shm::explain_mismatch(impl->control->fingerprint, expected); !text.empty())
    return explain(why, Errno{EINVAL}, fmt::format("'{}' cannot be used: {}", directory, text));
  if (const std::uint32_t cpus = impl->control->fingerprint.possible_cpus; cpus == 0 || cpus > kMaxVcpus)
    return explain(why, Errno{EINVAL},
                   fmt::format("'{}' cannot be used: its control file says {} CPUs", directory, cpus));

  // Says that somebody has the runtime open, so that nobody takes a private one away (private_directory.cc).
  const int control_fd = impl->control_region.fd();
  (void)sys::call(SYS_flock, control_fd, LOCK_SH);
  if (!sys::fstat(control_fd, status)) return cannot(why, "read", directory + "/control", Errno{EIO});
  if (status.st_nlink == 0)
    return explain(why, Errno{ENOENT}, fmt::format("'{}' was removed while it was being opened", directory));
  impl->device = status.st_dev;

  for (auto [name, fd] :
       {std::pair{"participants", &impl->participants_fd}, std::pair{"bpffs", &impl->bpffs}}) {
    auto opened = open_directory(root_fd, name);
    if (!opened) return cannot(why, "open", directory + "/" + name, opened.error());
    *fd = std::move(*opened);
  }
  impl->participants =
      std::make_unique<sync::Participants>(impl->control->participants, impl->participants_fd.get());
  impl->vcpus = std::make_unique<sync::VcpuTable>(
      std::span(impl->control->vcpus, impl->control->fingerprint.possible_cpus));
  auto cache = sys::mmap(nullptr, kCachedFds * sizeof(FdEntry), PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (!cache) return cannot(why, "find memory for the runtime", directory, cache.error());
  auto runtime = std::unique_ptr<Runtime>(new Runtime(std::move(impl)));
  runtime->fd_cache_ = static_cast<FdEntry*>(*cache);
  // What was left by processes that all died, or before a reboot.
  if (runtime->impl_->entries_in_use() != 0 && !runtime->others_alive()) runtime->sweep();
  return runtime;
}

Runtime::Runtime(std::unique_ptr<Impl> impl)
    : participants_(impl->participants.get()),
      statistics_(&impl->control->statistics),
      impl_(std::move(impl)) {
  impl_->runtime = this;
}

Runtime::~Runtime() {
  for (auto& extension : impl_->extensions) extension.reset();
  {
    ProcessLock lock;
    impl_->by_handle.clear();
    for (const auto& [serial, view] : impl_->views) view->let_go();
    for (const auto& one : impl_->limbo) one.view->let_go();
    impl_->views.clear();
    impl_->limbo.clear();
  }
  (void)sys::munmap(fd_cache_, kCachedFds * sizeof(FdEntry));
}

const std::string& Runtime::directory() const { return impl_->directory; }
int Runtime::directory_fd() const { return impl_->root.get(); }
std::uint32_t Runtime::kernel_version() const { return impl_->control->fingerprint.kernel_version; }
std::uint32_t Runtime::possible_cpus() const { return impl_->control->fingerprint.possible_cpus; }
std::pair<std::uint64_t, std::uint64_t> Runtime::uuid() const {
  return {impl_->control->uuid[0], impl_->control->uuid[1]};
}
void Runtime::set_view_factory(Kind kind, ViewFactory factory) { impl_->factories[number(kind)] = factory; }
void Runtime::extend(Extended what, std::unique_ptr<Extension> extension) {
  impl_->extensions[static_cast<std::size_t>(what)] = std::move(extension);
}
Extension* Runtime::extension(Extended what) const {
  return impl_->extensions[static_cast<std::size_t>(what)].get();
}
sync::VcpuTable& Runtime::vcpus() { return *impl_->vcpus; }
bool Runtime::others_alive() const { return impl_->participants->others_alive(); }

std::vector<int> Runtime::own_fds() const {
  std::vector<int> fds{impl_->root.get(), impl_->bpffs.get(), impl_->participants_fd.get(),
                       impl_->control_region.fd()};
  if (const int fd = impl_->participants->lock_fd(); fd >= 0) fds.push_back(fd);
  return fds;
}

}  // namespace portolan::object
