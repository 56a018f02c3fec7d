// SPDX-License-Identifier: Apache-2.0
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

// Made under another name and linked to its own when it is whole: of two who make it, one wins.
Result<void> make_control(int root, std::uint32_t possible_cpus, std::uint32_t kernel_version) {
  const std::string name = fmt::format("staging/control-{:016x}", random_u64());
  const shm::Region region =
      TRY(shm::Region::create(root, name.c_str(), sizeof(Control), offsetof(Control, vcpu_room), 0666));
  auto& control = *region.at<Control>(0);
  control.fingerprint = shm::make_fingerprint(shm::RegionKind::kControl, possible_cpus, kernel_version);
  control.uuid[0] = random_u64();
  control.uuid[1] = random_u64();
  PORTOLAN_SEAM();
  auto linked = sys::linkat(root, name.c_str(), root, "control", 0);
  PORTOLAN_SEAM();
  (void)sys::unlinkat(root, name.c_str(), 0);
  // ENOENT: somebody swept staging/, and so there is a control file by now.
  if (!linked && linked.error().value != EEXIST && linked.error().value != ENOENT) return linked;
  return {};
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
  if (!sys::fstatat(root_fd, "control", status, AT_SYMLINK_NOFOLLOW)) {
    if (!options.create)
      return explain(why, Errno{ENOENT},
                     fmt::format("'{}' is no Portolan runtime: it has no control file", directory));
    for (const char* part : {"staging", "objects", "participants", "bpffs"})
      if (auto made = sys::mkdirat(root_fd, part, 0777); !made && made.error().value != EEXIST)
        return cannot(why, "make", directory + "/" + part, made.error());
    const std::uint32_t cpus = options.possible_cpus != 0 ? options.possible_cpus : count_possible_cpus();
    const std::uint32_t version =
        options.kernel_version != 0 ? options.kernel_version : kDefaultKernelVersion;
    if (auto made = make_control(root_fd, cpus, version); !made)
      return cannot(why, "make the control file of the runtime", directory, made.error());
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
  if (const std::uint32_t cpus = impl->control->fingerprint.possible_cpus; cpus == 0 || cpus > 65536)
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
  auto cache = sys::mmap(nullptr, kCachedFds * sizeof(FdEntry), PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (!cache) return cannot(why, "find memory for the runtime", directory, cache.error());
  auto runtime = std::unique_ptr<Runtime>(new Runtime(std::move(impl)));
  runtime->fd_cache_ = static_cast<FdEntry*>(*cache);
  // What was left by processes that all died, or before a reboot.
  if (runtime->impl_->entries_in_use() != 0 && !runtime->others_alive()) runtime->sweep();
  return runtime;
}

Runtime::Runtime(std::unique_ptr<Impl> impl) : revalidate_after_tsc_(tsc_per_ms()), impl_(std::move(impl)) {
  impl_->runtime = this;
}

Runtime::~Runtime() {
  {
    ProcessLock lock;
    impl_->by_handle.clear();
    impl_->views.clear();
    impl_->limbo.clear();
  }
  (void)sys::munmap(fd_cache_, kCachedFds * sizeof(FdEntry));
}

const std::string& Runtime::directory() const { return impl_->directory; }
std::uint32_t Runtime::kernel_version() const { return impl_->control->fingerprint.kernel_version; }
std::uint32_t Runtime::possible_cpus() const { return impl_->control->fingerprint.possible_cpus; }
void Runtime::set_view_factory(Kind kind, ViewFactory factory) { impl_->factories[number(kind)] = factory; }
Result<sync::Actor> Runtime::actor() { return impl_->participants->actor(); }
bool Runtime::others_alive() const { return impl_->participants->others_alive(); }

std::vector<int> Runtime::own_fds() const {
  ProcessLock lock;
  std::vector<int> fds{impl_->root.get(), impl_->bpffs.get(), impl_->participants_fd.get(),
                       impl_->control_region.fd()};
  if (const int fd = impl_->participants->lock_fd(); fd >= 0) fds.push_back(fd);
  auto add = [&](const View& view) {
    fds.push_back(view.state().fd());
    if (view.user_pages()) fds.push_back(view.user_pages().fd());
  };
  for (const auto& [serial, view] : impl_->views) add(*view);
  for (const Impl::Limbo& waiting : impl_->limbo) add(*waiting.view);
  return fds;
}

}  // namespace portolan::object
