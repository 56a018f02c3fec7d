// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "portolan/runtime.hpp"

namespace portolan {

namespace detail {

struct HookState;
struct UsdtPlace;

// What programs see of an argument: its bytes, as a number of 64 bits; pointers as addresses.
template <class T>
std::uint64_t argument(T value) {
  if constexpr (std::is_pointer_v<T> || std::is_null_pointer_v<T>)
    return reinterpret_cast<std::uintptr_t>(value);
  else
    return static_cast<std::uint64_t>(value);
}

// The arguments of one call. Programs may look at all of them, whatever the host passes: the rest are zeros.
struct Words {
  static constexpr std::size_t kMost = 12;
  std::array<std::uint64_t, kMost + 1> words;
  std::uint32_t count;
  template <class... Args>
  explicit Words(Args... args) : count(sizeof...(Args)) {
    static_assert(sizeof...(Args) <= kMost, "a hook has at most 12 arguments");
    std::size_t at = 0;
    ((words[at++] = argument(args)), ...);
    if constexpr (sizeof...(Args) % 2 == 0) words[at++] = 0;
    clear(at, std::make_index_sequence<(kMost + 1 - sizeof...(Args)) / 2>());
  }

 private:
  // Two by two: compilers turn the clearing of an array into an instruction that takes 8 ns.
  template <std::size_t... kPairs>
  void clear(std::size_t from, std::index_sequence<kPairs...>) {
    (std::memset(&words[from + 2 * kPairs], 0, 2 * sizeof(std::uint64_t)), ...);
  }
};

}  // namespace detail

// A packet in memory of the host's. Programs see it from its first byte, may change it, and may grow or move
// it within `room`: XDP programs leave 40 bytes at its beginning and 320 at its end alone, as the kernel
// does.
struct Packet {
  std::span<std::byte> room = {};
  std::size_t offset = 0;  // of the packet's first byte in `room`; it begins with its Ethernet header
  std::size_t size = 0;
  std::uint32_t rx_queue = 0;
  std::uint32_t mark = 0;      // in and out, but for XDP
  std::uint32_t priority = 0;  // likewise
};

class Tracepoint;
class WritableTracepoint;
class FunctionHook;
class LsmHook;
class PacketHook;
class DeviceHook;
class LookupHook;
class FlowHook;
class SockHook;  // this one and the next five: cgroup_hook.hpp
class SockAddrHook;
class SysctlHook;
class SetsockoptHook;
class GetsockoptHook;
class SockOpsHook;
class NetfilterHook;  // netfilter_hook.hpp
class ProbeHook;      // this one and the next: probe_hook.hpp
class TraceEventHook;
class UsdtHook;  // usdt_hook.hpp
// NFPROTO_*, enum nf_inet_hooks
enum class NetfilterFamily : std::uint8_t { kIpv4 = 2, kIpv6 = 10 };
enum class NetfilterPlace : std::uint8_t { kPreRouting, kLocalIn, kForward, kLocalOut, kPostRouting };
// enum bpf_attach_type
enum class TcxDirection : std::uint32_t { kIngress = 46, kEgress = 47 };
enum class SkbDirection : std::uint32_t { kIngress = 0, kEgress = 1 };
enum class SockEvent : std::uint32_t { kCreate = 2, kRelease = 34, kPostBind4 = 12, kPostBind6 = 13 };
enum class SockAddrEvent : std::uint32_t {
  kBind4 = 8,
  kBind6 = 9,
  kConnect4 = 10,
  kConnect6 = 11,
  kSendmsg4 = 14,
  kSendmsg6 = 15,
  kRecvmsg4 = 19,
  kRecvmsg6 = 20,
  kGetpeername4 = 29,
  kGetpeername6 = 30,
  kGetsockname4 = 31,
  kGetsockname6 = 32,
  kConnectUnix = 49,
  kSendmsgUnix = 50,
  kRecvmsgUnix = 51,
  kGetpeernameUnix = 52,
  kGetsocknameUnix = 53,
};

// A place in this program where other processes attach BPF programs, by the bpf(2) calls that attach them to
// a kernel:
//
//   auto hook = portolan::Hook::raw_tracepoint(runtime, "request");
//   hook->run(id, bytes);   // one load and a branch while nothing is attached
//
// Hooks live in a runtime, and as long as a process that has declared them: when the last one destroys its
// Hook or ends, links to it come loose. Several processes may declare the same one. Running is thread-safe
// and takes no lock; a program that was detached runs no more when the detaching call has returned. What was
// attached by a process that was killed goes within 256 runs, and at most 100 ms later. A program that cannot
// run in this process is passed over, and so are all if the process cannot join the runtime (its 4096 places
// are taken). Moving is cheap; not while somebody runs it.
//
// Errors of all that declare: EINVAL, a name that no client could say; EOPNOTSUPP, the kernel's runtime;
// ENOMEM, EAGAIN.
class Hook {
 public:
  // For RAW_TRACEPOINT_OPEN by this name (up to 127 characters), and for tp_btf programs of a tracepoint that
  // the machine's kernel has under it.
  PORTOLAN_EXPORT static Expected<Tracepoint> raw_tracepoint(const Runtime& runtime, std::string_view name);
  // The same, with memory of so many bytes, which programs of type raw_tracepoint_writable may write: those
  // that touch no more of it are attached. EINVAL, too: another process has declared it with another number.
  PORTOLAN_EXPORT static Expected<WritableTracepoint> writable_raw_tracepoint(const Runtime& runtime,
                                                                              std::string_view name,
                                                                              std::uint32_t bytes);
  // For fentry, fexit and fmod_ret programs of that function of the machine's kernel: whose arguments the
  // program's BTF says.
  PORTOLAN_EXPORT static Expected<FunctionHook> function(const Runtime& runtime, std::string_view name);
  // For kprobe and kretprobe programs of that name, which need not be a function of any kernel's.
  PORTOLAN_EXPORT static Expected<ProbeHook> probe(const Runtime& runtime, std::string_view name);
  // For uprobe and uretprobe programs of a function of this program's, or of a library's that it has mapped.
  // Clients name it as tools do that find it by its name: by the file and the offset in it. EINVAL: no file
  // lies there.
  template <class R, class... Args>
  static Expected<ProbeHook> uprobe(const Runtime& runtime, R (*function)(Args...));
  PORTOLAN_EXPORT static Expected<ProbeHook> uprobe(const Runtime& runtime, const void* function);
  // The same for a place in a file, which need not be mapped: programs see its offset as its address. As
  // open(2); EINVAL: it is no regular file, or ends before the offset.
  PORTOLAN_EXPORT static Expected<ProbeHook> uprobe(const Runtime& runtime, const std::string& path,
                                                    std::uint64_t offset);
  // For uprobe programs of all places of that name that this program (or library) passes by PORTOLAN_USDT.
  // EINVAL: there is none.
  [[gnu::always_inline]] static Expected<UsdtHook> usdt(const Runtime& runtime, std::string_view provider,
                                                        std::string_view name);
  PORTOLAN_EXPORT static Expected<UsdtHook> usdt(const Runtime& runtime, std::string_view provider,
                                                 std::string_view name,
                                                 std::span<const detail::UsdtPlace> places);
  // For tracepoint programs: "sched", "sched_switch". `record_bytes`: of the record, from 8 to 8192; programs
  // that look at more are not attached. EINVAL, too: another process has declared it with another number.
  PORTOLAN_EXPORT static Expected<TraceEventHook> tracepoint(const Runtime& runtime,
                                                             std::string_view category, std::string_view name,
                                                             std::uint32_t record_bytes);
  // For lsm programs of a hook of the machine's kernel: "file_open".
  PORTOLAN_EXPORT static Expected<LsmHook> lsm(const Runtime& runtime, std::string_view name);
  // For XDP links to that ifindex, which need not be a device's.
  PORTOLAN_EXPORT static Expected<PacketHook> xdp(const Runtime& runtime, std::uint32_t ifindex);
  // For TCX programs and links of that ifindex.
  PORTOLAN_EXPORT static Expected<PacketHook> tcx(const Runtime& runtime, std::uint32_t ifindex,
                                                  TcxDirection direction);
  // For cgroup_skb programs and links of a cgroup: any directory; clients name it by an fd of it. Programs of
  // the directories above that are declared for the same run there, too, as the kernel has it.
  PORTOLAN_EXPORT static Expected<PacketHook> cgroup_skb(const Runtime& runtime, const std::string& directory,
                                                         SkbDirection direction);
  // For cgroup_device, cgroup_sock, cgroup_sock_addr, cgroup_sysctl, cgroup_sockopt and sock_ops programs,
  // likewise.
  PORTOLAN_EXPORT static Expected<DeviceHook> cgroup_device(const Runtime& runtime,
                                                            const std::string& directory);
  PORTOLAN_EXPORT static Expected<SockHook> cgroup_sock(const Runtime& runtime, const std::string& directory,
                                                        SockEvent event);
  PORTOLAN_EXPORT static Expected<SockAddrHook> cgroup_sock_addr(const Runtime& runtime,
                                                                 const std::string& directory,
                                                                 SockAddrEvent event);
  PORTOLAN_EXPORT static Expected<SysctlHook> cgroup_sysctl(const Runtime& runtime,
                                                            const std::string& directory);
  PORTOLAN_EXPORT static Expected<SetsockoptHook> cgroup_setsockopt(const Runtime& runtime,
                                                                    const std::string& directory);
  PORTOLAN_EXPORT static Expected<GetsockoptHook> cgroup_getsockopt(const Runtime& runtime,
                                                                    const std::string& directory);
  PORTOLAN_EXPORT static Expected<SockOpsHook> sock_ops(const Runtime& runtime, const std::string& directory);

  // For sk_lookup links of a network namespace: a file such as /proc/self/ns/net; clients name it by an fd of
  // it.
  PORTOLAN_EXPORT static Expected<LookupHook> sk_lookup(const Runtime& runtime, const std::string& netns);
  // For the flow dissector of a network namespace, likewise.
  PORTOLAN_EXPORT static Expected<FlowHook> flow_dissector(const Runtime& runtime, const std::string& netns);
  // For netfilter links of a network namespace, which clients that are in it name by family and place.
  PORTOLAN_EXPORT static Expected<NetfilterHook> netfilter(const Runtime& runtime, const std::string& netns,
                                                           NetfilterFamily family, NetfilterPlace place);

  // Whether anything is attached: one load of shared memory.
  bool is_attached() const { return __atomic_load_n(attached_, __ATOMIC_RELAXED) != 0; }

  PORTOLAN_EXPORT Hook(Hook&& other) noexcept;
  PORTOLAN_EXPORT Hook& operator=(Hook&& other) noexcept;
  PORTOLAN_EXPORT ~Hook();

 protected:
  explicit Hook(std::unique_ptr<detail::HookState> state);
  std::unique_ptr<detail::HookState> state_;

 private:
  static Expected<ProbeHook> declare_uprobe(const Runtime& runtime, const std::string& path,
                                            std::uint64_t offset, std::uint64_t address);
  template <class Kind>
  static Expected<Kind> declare_at_cgroup(const Runtime& runtime, const std::string& directory,
                                          std::uint32_t attach_type);
  const std::uint8_t* attached_;
};

// All attached programs run; what they return counts for nothing.
class Tracepoint : public Hook {
 public:
  template <class... Args>
  void run(Args... args) const {
    if (is_attached()) [[unlikely]]
      run_attached(detail::Words(args...));
  }

 protected:
  friend class Hook;
  using Hook::Hook;

 private:
  PORTOLAN_EXPORT void run_attached(const detail::Words& words) const;
};

// A tracepoint whose programs may change what they are shown.
class WritableTracepoint : public Tracepoint {
 public:
  // `buffer`: at least as many bytes as were declared, or no program runs; the other arguments are numbers.
  template <class... Args>
  void run(std::span<std::byte> buffer, Args... args) const {
    if (is_attached() && buffer.size() >= bytes_) [[unlikely]]
      Tracepoint::run(buffer.data(), args...);
  }

 private:
  friend class Hook;
  WritableTracepoint(std::unique_ptr<detail::HookState> state, std::uint32_t bytes);
  std::uint32_t bytes_;
};

// A security decision: programs run until one says no.
class LsmHook : public Hook {
 public:
  // 0, or the first program's -errno.
  template <class... Args>
  int run(Args... args) const {
    if (!is_attached()) [[likely]]
      return 0;
    return run_attached(detail::Words(args...));
  }

 private:
  friend class Hook;
  using Hook::Hook;
  PORTOLAN_EXPORT int run_attached(const detail::Words& words) const;
};

// A function that programs see the beginning and the end of, and may put an end to.
class FunctionHook {
 public:
  // body(args...), which gives a number, after fentry programs and before fexit programs. It is left out when
  // an fmod_ret program returns something else than 0: then that is what the function gives.
  template <class Body, class... Args>
  auto call(Body&& body, Args... args) const -> std::invoke_result_t<Body, Args...> {
    using R = std::invoke_result_t<Body, Args...>;
    if (!is_attached()) [[likely]]
      return std::forward<Body>(body)(args...);
    const detail::Words words(args...);
    std::uint64_t result = 0;
    if (!begin(words, &result)) result = detail::argument(std::forward<Body>(body)(args...));
    end(words, result);
    return static_cast<R>(result);
  }
  bool is_attached() const { return entry_.is_attached() || modify_.is_attached() || exit_.is_attached(); }

 private:
  friend class Hook;
  class Part : public Hook {  // programs of one attach type
    friend class Hook;
    friend class FunctionHook;
    using Hook::Hook;
  };
  FunctionHook(Part entry, Part modify, Part exit)
      : entry_(std::move(entry)), modify_(std::move(modify)), exit_(std::move(exit)) {}
  // Whether the body is to be left out.
  PORTOLAN_EXPORT bool begin(const detail::Words& words, std::uint64_t* result) const;
  PORTOLAN_EXPORT void end(const detail::Words& words, std::uint64_t result) const;
  Part entry_, modify_, exit_;
};

class PacketHook : public Hook {
 public:
  // What the programs decide. XDP: enum xdp_action, XDP_PASS if none is attached. TCX: the first that is not
  // TCX_NEXT, and that if there is none. cgroup_skb: 0, or -EPERM if one of them says so; for egress also
  // NET_XMIT_CN, or NET_XMIT_DROP instead of -EPERM, if one wants congestion to be noticed. -EINVAL of a
  // packet that has no Ethernet header, or of an IP packet without its header.
  int run(Packet& packet) const {
    if (!is_attached()) [[likely]]
      return nothing_attached_;
    int verdict;
    run_attached({&packet, 1}, {&verdict, 1});
    return verdict;
  }
  // The same for many, which enters and leaves the programs' CPU once for 64 of them. `verdicts` is as long.
  void run(std::span<Packet> packets, std::span<int> verdicts) const {
    if (is_attached()) [[unlikely]]
      return run_attached(packets, verdicts);
    for (int& verdict : verdicts) verdict = nothing_attached_;
  }

 private:
  friend class Hook;
  PacketHook(std::unique_ptr<detail::HookState> state, int nothing_attached);
  PORTOLAN_EXPORT void run_attached(std::span<Packet> packets, std::span<int> verdicts) const;
  int nothing_attached_;
};

// Whether a device may be opened.
class DeviceHook : public Hook {
 public:
  // 0, or -EPERM if one of the programs says no. `access`: BPF_DEVCG_ACC_* << 16 | BPF_DEVCG_DEV_*.
  int run(std::uint32_t access, std::uint32_t major, std::uint32_t minor) const {
    if (!is_attached()) [[likely]]
      return 0;
    return run_attached(access, major, minor);
  }

 private:
  friend class Hook;
  using Hook::Hook;
  PORTOLAN_EXPORT int run_attached(std::uint32_t access, std::uint32_t major, std::uint32_t minor) const;
};

// Which socket a packet is for. There are no sockets that a program could choose: it lets the lookup pass or
// not.
class LookupHook : public Hook {
 public:
  // SK_PASS (1), or SK_DROP (0) if one of the programs says so. `lookup`: struct bpf_sk_lookup, or the
  // beginning of one.
  int run(std::span<const std::byte> lookup) const {
    if (!is_attached()) [[likely]]
      return 1;
    return run_attached(lookup);
  }

 private:
  friend class Hook;
  using Hook::Hook;
  PORTOLAN_EXPORT int run_attached(std::span<const std::byte> lookup) const;
};

// What flow a packet belongs to.
class FlowHook : public Hook {
 public:
  // enum bpf_ret_code of the program, which has filled in `keys`: struct bpf_flow_keys, or the beginning of
  // one. BPF_FLOW_DISSECTOR_CONTINUE (129) if none is attached. -EINVAL as PacketHook::run.
  int run(const Packet& packet, std::span<std::byte> keys) const {
    if (!is_attached()) [[likely]]
      return 129;
    return run_attached(packet, keys);
  }

 private:
  friend class Hook;
  using Hook::Hook;
  PORTOLAN_EXPORT int run_attached(const Packet& packet, std::span<std::byte> keys) const;
};

// While one lives, this thread keeps the programs' CPU: runs of hooks then cost much less. Other threads
// cannot have that CPU meanwhile, so keep it short; destroy it on the thread that made it.
class Burst {
 public:
  // EOPNOTSUPP: the kernel's runtime. EAGAIN: this process cannot join the runtime.
  PORTOLAN_EXPORT static Expected<Burst> begin(const Runtime& runtime);
  PORTOLAN_EXPORT Burst(Burst&& other) noexcept;
  Burst& operator=(Burst&&) = delete;
  PORTOLAN_EXPORT ~Burst();

 private:
  struct State;
  explicit Burst(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace portolan
