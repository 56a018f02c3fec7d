// SPDX-License-Identifier: Apache-2.0
#include "portolan/hook.hpp"

#include <fcntl.h>

#include <algorithm>

#include "abi/context.h"
#include "api/hook_state.h"
#include "base/sys.h"
#include "helper/function_address.h"
#include "portolan/netfilter_hook.hpp"
#include "portolan/probe_hook.hpp"

namespace portolan {
namespace {

using detail::declare;
using detail::HookState;
using hook::Key;
using hook::Point;
using A = abi::AttachType;

std::unexpected<Error> failed(int code, std::string detail = {}) {
  return std::unexpected(Error(Operation::kDeclareHook, code, std::move(detail)));
}

Expected<std::unique_ptr<HookState>> declare_named(const Runtime& runtime, Point point, A attach_type,
                                                   std::string_view name, std::uint32_t bytes = 0) {
  if (name.empty() || name.size() >= sizeof Key::name || name.find('\0') != name.npos)
    return failed(EINVAL, "a hook's name has 1 to 127 characters");
  return declare(runtime, hook::named(point, static_cast<std::uint32_t>(attach_type), name),
                 {.bytes = bytes});
}

// The file that clients have an fd of.
Expected<struct ::stat> look_at(const std::string& path) {
  struct ::stat status{};
  if (auto found = sys::fstatat(AT_FDCWD, path.c_str(), status, 0); !found)
    return failed(found.error().value, path + ": cannot be looked at");
  return status;
}

Expected<std::unique_ptr<HookState>> declare_in_netns(const Runtime& runtime, A attach_type,
                                                      const std::string& path) {
  const auto status = look_at(path);
  if (!status) return std::unexpected(status.error());
  return declare(
      runtime, {Point::kNetns, static_cast<std::uint32_t>(attach_type), status->st_dev, status->st_ino, {}});
}

// The inodes of the directories above one of the same file system, as far as they can be seen.
std::vector<std::uint64_t> directories_above(const std::string& path, const struct ::stat& directory) {
  std::vector<std::uint64_t> above;
  struct ::stat last = directory;
  std::string up = path;
  while (above.size() < hook::kMostLevels) {
    struct ::stat next{};
    if (!sys::fstatat(AT_FDCWD, (up += "/..").c_str(), next, 0)) break;
    if (next.st_dev != last.st_dev || next.st_ino == last.st_ino) break;
    above.push_back(next.st_ino);
    last = next;
  }
  return above;
}

}  // namespace

namespace detail {

HookState::~HookState() {
  backend->close_fd(fd);
  const sync::CallEpoch epoch;
  if (hook.key().point == Point::kCgroup) hook::Hook::tell_below(*backend->runtime(), hook.key());
}

Expected<std::unique_ptr<HookState>> declare(const Runtime& runtime, const Key& key,
                                             const hook::Hook::Details& details) {
  object::Runtime* const where = runtime.backend()->runtime();
  if (where == nullptr) return failed(EOPNOTSUPP, "hooks of the kernel are the kernel's own");
  sync::CallEpoch epoch;
  auto declared = hook::Hook::declare(*where, key, details);
  if (!declared) return failed(declared.error().value);
  return std::make_unique<HookState>(runtime.backend(), *declared->hook, declared->fd.release());
}

Expected<std::unique_ptr<HookState>> declare_cgroup(const Runtime& runtime, const std::string& directory,
                                                    std::uint32_t attach_type) {
  const auto status = look_at(directory);
  if (!status) return std::unexpected(status.error());
  if (!S_ISDIR(status->st_mode)) return failed(ENOTDIR, directory + ": is no directory");
  return declare(runtime, {Point::kCgroup, attach_type, status->st_dev, status->st_ino, {}},
                 {.above = directories_above(directory, *status)});
}

}  // namespace detail

Hook::Hook(std::unique_ptr<HookState> state)
    : state_(std::move(state)), attached_(const_cast<const std::uint8_t*>(state_->hook.attached())) {}
Hook::Hook(Hook&&) noexcept = default;
Hook& Hook::operator=(Hook&&) noexcept = default;
Hook::~Hook() = default;

Expected<Tracepoint> Hook::raw_tracepoint(const Runtime& runtime, std::string_view name) {
  auto state = declare_named(runtime, Point::kTracepoint, A{}, name);
  if (!state) return std::unexpected(state.error());
  return Tracepoint(std::move(*state));
}

Expected<WritableTracepoint> Hook::writable_raw_tracepoint(const Runtime& runtime, std::string_view name,
                                                           std::uint32_t bytes) {
  auto state = declare_named(runtime, Point::kTracepoint, A{}, name, bytes);
  if (!state) return std::unexpected(state.error());
  return WritableTracepoint(std::move(*state), bytes);
}

Expected<ProbeHook> Hook::probe(const Runtime& runtime, std::string_view name) {
  auto entry = declare_named(runtime, Point::kProbe, static_cast<A>(hook::kProbeEntry), name);
  if (!entry) return std::unexpected(entry.error());
  auto exit = declare_named(runtime, Point::kProbe, static_cast<A>(hook::kProbeReturn), name);
  if (!exit) return std::unexpected(exit.error());
  using Part = ProbeHook::Part;
  const std::uint64_t address = helper::address_of_probe((*entry)->hook.id());
  return ProbeHook(Part(std::move(*entry)), Part(std::move(*exit)), address);
}

Expected<TraceEventHook> Hook::tracepoint(const Runtime& runtime, std::string_view category,
                                          std::string_view name, std::uint32_t record_bytes) {
  constexpr std::uint32_t kLeast = 8, kMost = 8192;  // PERF_MAX_TRACE_SIZE
  if (category.empty() || name.empty() || category.contains('/') || name.contains('/'))
    return failed(EINVAL, "a tracepoint has a category and a name, without slashes");
  if (record_bytes < kLeast || record_bytes > kMost)
    return failed(EINVAL, "a tracepoint's record has 8 to 8192 bytes");
  const std::string path = std::string(category) + '/' + std::string(name);
  auto state = declare_named(runtime, Point::kTraceEvent, A{}, path, record_bytes);
  if (!state) return std::unexpected(state.error());
  return TraceEventHook(std::move(*state), record_bytes);
}

Expected<LsmHook> Hook::lsm(const Runtime& runtime, std::string_view name) {
  auto state = declare_named(runtime, Point::kFunction, A::kLsmMac, "bpf_lsm_" + std::string(name));
  if (!state) return std::unexpected(state.error());
  return LsmHook(std::move(*state));
}

Expected<FunctionHook> Hook::function(const Runtime& runtime, std::string_view name) {
  auto entry = declare_named(runtime, Point::kFunction, A::kTraceFentry, name);
  if (!entry) return std::unexpected(entry.error());
  auto modify = declare_named(runtime, Point::kFunction, A::kModifyReturn, name);
  if (!modify) return std::unexpected(modify.error());
  auto exit = declare_named(runtime, Point::kFunction, A::kTraceFexit, name);
  if (!exit) return std::unexpected(exit.error());
  using Part = FunctionHook::Part;
  return FunctionHook(Part(std::move(*entry)), Part(std::move(*modify)), Part(std::move(*exit)));
}

Expected<PacketHook> Hook::xdp(const Runtime& runtime, std::uint32_t ifindex) {
  auto state = declare(runtime, hook::of_device(ifindex, A::kXdp));
  if (!state) return std::unexpected(state.error());
  constexpr int kXdpPass = 2;
  return PacketHook(std::move(*state), kXdpPass);
}

Expected<PacketHook> Hook::tcx(const Runtime& runtime, std::uint32_t ifindex, TcxDirection direction) {
  auto state = declare(runtime, hook::of_device(ifindex, static_cast<A>(direction)));
  if (!state) return std::unexpected(state.error());
  constexpr int kTcxNext = -1;
  return PacketHook(std::move(*state), kTcxNext);
}

Expected<PacketHook> Hook::cgroup_skb(const Runtime& runtime, const std::string& directory,
                                      SkbDirection direction) {
  auto state = detail::declare_cgroup(runtime, directory, static_cast<std::uint32_t>(direction));
  if (!state) return std::unexpected(state.error());
  return PacketHook(std::move(*state), 0);
}

Expected<LookupHook> Hook::sk_lookup(const Runtime& runtime, const std::string& netns) {
  auto state = declare_in_netns(runtime, A::kSkLookup, netns);
  if (!state) return std::unexpected(state.error());
  return LookupHook(std::move(*state));
}

Expected<FlowHook> Hook::flow_dissector(const Runtime& runtime, const std::string& netns) {
  auto state = declare_in_netns(runtime, A::kFlowDissector, netns);
  if (!state) return std::unexpected(state.error());
  return FlowHook(std::move(*state));
}

Expected<NetfilterHook> Hook::netfilter(const Runtime& runtime, const std::string& netns,
                                        NetfilterFamily family, NetfilterPlace place) {
  const auto status = look_at(netns);
  if (!status) return std::unexpected(status.error());
  auto state =
      declare(runtime, hook::of_netfilter(status->st_dev, status->st_ino, static_cast<std::uint32_t>(family),
                                          static_cast<std::uint32_t>(place)));
  if (!state) return std::unexpected(state.error());
  return NetfilterHook(std::move(*state));
}

WritableTracepoint::WritableTracepoint(std::unique_ptr<HookState> state, std::uint32_t bytes)
    : Tracepoint(std::move(state)), bytes_(bytes) {}

void Tracepoint::run_attached(const detail::Words& words) const {
  (void)state_->hook.run([&](vm::Runner& runner, std::span<const hook::Hook::Attached> programs) {
    // Each sees the host's arguments: no program of a tracepoint may write its context.
    for (const auto& one : programs)
      (void)detail::run_one(runner, one, const_cast<std::uint64_t*>(words.words.data()));
  });
}

namespace {

using Programs = std::span<const hook::Hook::Attached>;

// Programs of a function, with a word for its result behind the arguments. Until one gives something else
// than 0, if that counts; what the last one gave.
std::uint64_t run_function(HookState& state, detail::Words words, std::uint64_t result, bool has_result,
                           bool ends_at_nonzero) {
  std::uint64_t& place = words.words[words.count];
  place = result;
  helper::Attachment attachment{
      .arguments = words.words.data(), .argument_count = words.count, .has_result = has_result};
  (void)state.hook.run([&](vm::Runner& runner, Programs programs) {
    for (const auto& one : programs) {
      attachment.function = one.program->attributes().attach_btf_id;
      const std::uint64_t given = detail::run_one(runner, one, words.words.data(), attachment);
      if (!ends_at_nonzero) continue;
      place = given;
      if (static_cast<int>(given) != 0) break;
    }
  });
  return place;
}

}  // namespace

int LsmHook::run_attached(const detail::Words& words) const {
  return static_cast<int>(run_function(*state_, words, 0, true, true));
}

bool FunctionHook::begin(const detail::Words& words, std::uint64_t* result) const {
  if (entry_.is_attached()) (void)run_function(*entry_.state_, words, 0, false, false);
  if (!modify_.is_attached()) return false;
  const auto modified = static_cast<int>(run_function(*modify_.state_, words, 0, true, true));
  *result = static_cast<std::uint64_t>(std::int64_t{modified});
  return modified != 0;
}

void FunctionHook::end(const detail::Words& words, std::uint64_t result) const {
  if (exit_.is_attached()) (void)run_function(*exit_.state_, words, result, true, false);
}

int LookupHook::run_attached(std::span<const std::byte> lookup) const {
  constexpr std::uint64_t kSkDrop = 0;
  abi::SkLookup context{};
  std::ranges::copy(lookup.first(std::min(lookup.size(), sizeof context)),
                    std::as_writable_bytes(std::span(&context, 1)).begin());
  context.sk = 0;
  int verdict = 1;
  (void)state_->hook.run([&](vm::Runner& runner, Programs programs) {
    for (const auto& one : programs)
      if (detail::run_one(runner, one, &context) == kSkDrop) verdict = 0;
  });
  return verdict;
}

struct Burst::State {
  std::shared_ptr<detail::Backend> backend;
  std::unique_ptr<vm::Burst> burst;
};

Expected<Burst> Burst::begin(const Runtime& runtime) {
  object::Runtime* const where = runtime.backend()->runtime();
  if (where == nullptr) return std::unexpected(Error(Operation::kTestRun, EOPNOTSUPP));
  auto burst = vm::Burst::begin(*where);
  if (!burst) return std::unexpected(Error(Operation::kTestRun, burst.error().value));
  return Burst(std::make_unique<State>(runtime.backend(), std::move(*burst)));
}

Burst::Burst(std::unique_ptr<State> state) : state_(std::move(state)) {}
Burst::Burst(Burst&&) noexcept = default;
Burst::~Burst() = default;

}  // namespace portolan
