// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/stat.h>

#include "api/backend.h"
#include "backend.h"
#include "base/bytes.h"
#include "base/sys.h"
#include "hook/hook.h"
#include "map/perf_event.h"
#include "sync/call_epoch.h"
#include "uapi.h"

namespace portolan::conformance {
namespace {

class Portolan final : public Backend {
 public:
  explicit Portolan(std::shared_ptr<detail::Backend> backend)
      : backend_(std::move(backend)), pins_(backend_->directory() + "/bpffs/pins") {}
  const char* name() const override { return "portolan"; }
  long bpf(unsigned command, void* attr, unsigned size) override {
    return backend_->bpf(static_cast<int>(command), attr, size);
  }
  void close(int fd) override { backend_->close_fd(fd); }
  void unlink(const std::string& path) override {
    (void)sys::unlinkat(AT_FDCWD, path.c_str(), 0);
    // Nobody has seen it but us: whatever goes with the pin goes when it is named.
    std::uint32_t attr[3] = {};
    while (bpf(kMapGetNextId, attr, sizeof attr) == 0) attr[0] = attr[1];
  }
  long map_ring(std::size_t length, int protection, int fd, std::size_t offset) override {
    return sys::call(SYS_mmap, 0, static_cast<long>(length), protection, MAP_SHARED, fd,
                     static_cast<long>(offset));
  }
  // As the preload library does it.
  long open_event(std::uint32_t cpu) override {
    const sync::CallEpoch epoch;
    map::PerfEventSpec spec;
    spec.sample_type = PERF_SAMPLE_RAW;
    spec.cpu = static_cast<std::int32_t>(cpu);
    spec.wakeup_events = 1;
    auto draft = map::PerfEvent::draft(*backend_->runtime(), spec);
    if (!draft) return -draft.error().value;
    auto published = backend_->runtime()->publish(std::move(*draft), {}, shm::Access::kReadWrite);
    return published ? published->fd.release() : -published.error().value;
  }
  long map_event(int fd, std::size_t pages) override {
    const sync::CallEpoch epoch;
    const std::size_t length = (1 + pages) * kPageSize;
    const auto target = backend_->runtime()->target_of_fd(fd, portolan::object::Kind::kPerfEvent);
    if (!target) return -target.error().value;
    if (auto may = static_cast<map::PerfEvent*>(target->view)->mmap(true, true, 0, length); !may)
      return -may.error().value;
    return map_ring(length, PROT_READ | PROT_WRITE, fd, 0);
  }
  const std::string& pin_directory() const override { return pins_; }
  // A host program's hooks, in this very process.
  const AttachPoints& attach_points() override {
    if (!hooks_.empty()) return points_;
    const auto declare = [this](const hook::Key& key, std::span<const std::uint64_t> above = {}) {
      const sync::CallEpoch epoch;
      if (auto declared = hook::Hook::declare(*backend_->runtime(), key, {.above = above}))
        hooks_.push_back(std::move(declared->fd));
    };
    const auto open = [](const char* path) {
      return sys::openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC).value_or(-1);
    };
    for (const std::uint32_t type : {attach_type::kXdp, attach_type::kTcxIngress, attach_type::kTcxEgress})
      declare(hook::of_device(points_.ifindex, static_cast<abi::AttachType>(type)));
    points_.cgroup = open(backend_->directory().c_str());
    points_.netns = open("/proc/self/ns/net");
    struct ::stat status{};
    if (::fstat(points_.cgroup, &status) == 0)
      for (const std::uint32_t type :
           {attach_type::kCgroupIngress, attach_type::kCgroupEgress, attach_type::kSockCreate,
            attach_type::kSockOps, attach_type::kCgroupDevice, attach_type::kBind4, attach_type::kConnect6,
            attach_type::kPostBind4, attach_type::kSysctl, attach_type::kRecvmsg4, attach_type::kGetsockopt,
            attach_type::kSetsockopt, attach_type::kConnectUnix})
        declare({hook::Point::kCgroup, type, status.st_dev, status.st_ino, {}});
    std::vector<std::uint64_t> above;
    std::string below = backend_->directory();
    for (int& cgroup : points_.cgroups_below) {
      above.insert(above.begin(), status.st_ino);
      below += "/below";
      (void)::mkdir(below.c_str(), 0700);
      cgroup = open(below.c_str());
      if (::fstat(cgroup, &status) == 0)
        declare({hook::Point::kCgroup, attach_type::kCgroupEgress, status.st_dev, status.st_ino, {}}, above);
    }
    if (::fstat(points_.netns, &status) == 0)
      for (const std::uint32_t type : {attach_type::kFlowDissector, attach_type::kSkLookup})
        declare({hook::Point::kNetns, type, status.st_dev, status.st_ino, {}});
    constexpr std::uint32_t kIpv4 = 2, kLocalOut = 3;
    declare(hook::of_netfilter(status.st_dev, status.st_ino, kIpv4, kLocalOut));
    return points_;
  }

 private:
  AttachPoints points_;
  std::vector<UniqueFd> hooks_;
  std::shared_ptr<detail::Backend> backend_;
  std::string pins_;
};

}  // namespace

std::unique_ptr<Backend> open_portolan(std::string* why) {
  auto backend = detail::open_portolan_backend("", why);
  if (!backend) return nullptr;
  auto portolan = std::make_unique<Portolan>(std::move(*backend));
  if (::mkdir(portolan->pin_directory().c_str(), 0700) != 0) {
    *why = "no directory for pins in " + portolan->pin_directory();
    return nullptr;
  }
  return portolan;
}

}  // namespace portolan::conformance
