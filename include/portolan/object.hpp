// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "portolan/raw_map.hpp"

namespace portolan {

namespace detail {
struct ObjectState;
}

struct ObjectOptions {
  std::string name =
      {};  // of the object, which begins the names of .rodata, .data and .bss; empty: the file's
  // Maps, by name, that get another number of elements than the object says.
  std::vector<std::pair<std::string, std::uint32_t>> max_entries = {};
  std::uint32_t log_level = 0;  // of the verifier; it matters for its time only
};

// What BPF_PROG_TEST_RUN is given. Which of it a type of program takes is the kernel's rule: packets are
// `data`, programs of type syscall and raw_tracepoint have a `context` only.
struct TestRun {
  std::span<const std::byte> data = {};
  std::span<std::byte> data_out = {};  // empty: not wanted
  std::span<const std::byte> context = {};
  std::span<std::byte> context_out = {};  // for type syscall as long as context, or empty
  std::uint32_t repeat = 1;
  std::uint32_t flags = 0;
  std::uint32_t cpu = 0;
};
struct TestRunResult {
  std::uint32_t retval = 0;
  std::size_t data_size = 0;     // of the packet afterwards, though there may have been less room for it
  std::size_t context_size = 0;  // as much of the context as came back
  std::chrono::nanoseconds duration{};  // of one run, on average
};

struct Packet;  // hook.hpp
struct Socket;  // this one and the next two: socket.hpp
struct Message;
struct ReuseportPacket;
struct PerfSample;  // perf_sample.hpp

// A loaded program; a part of its Object, and valid as long as that is. Thread-safe.
class Program {
 public:
  const std::string& name() const { return name_; }
  const std::string& section() const { return section_; }
  std::uint32_t type() const { return type_; }  // enum bpf_prog_type
  int fd() const { return fd_; }                // the object's
  // EINVAL, ENOTSUPP, ENOSPC (data_out is too short, though filled) … as BPF_PROG_TEST_RUN.
  PORTOLAN_EXPORT Expected<TestRunResult> test_run(const TestRun& run) const;
  // Runs it on each packet where that lies, on one CPU that is entered once for 64 of them; for types xdp,
  // socket_filter, sched_cls, sched_act and cgroup_skb. `results`, as many at least: what it returned.
  // EINVAL: another type, or a packet that has no Ethernet header or that is IP without its header: those
  // before it have been run. EOPNOTSUPP: the kernel's runtime. EAGAIN: this process cannot join the runtime.
  PORTOLAN_EXPORT Expected<void> run(std::span<Packet> packets, std::span<std::uint32_t> results) const;
  // The same for programs that look at a socket's data. Of type sk_skb: what has come in at it, without
  // headers; a stream parser returns how long the message is that it begins with (0: that cannot be told yet,
  // negative: an error), a verdict SK_PASS (1), and anything else is SK_DROP. EINVAL: a packet beyond its
  // room.
  PORTOLAN_EXPORT Expected<void> run(std::span<Packet> data, std::span<std::uint32_t> results,
                                     const Socket& socket) const;
  // Of type sk_msg: what it is to send; likewise a verdict. EINVAL: more pieces than there may be, or 4 GiB.
  PORTOLAN_EXPORT Expected<void> run(std::span<Message> messages, std::span<std::uint32_t> results,
                                     const Socket& socket) const;
  // Of type sk_reuseport: packets for the group that it is one of; likewise a verdict, and which of the group
  // is not the program's to say. EINVAL: a packet without the headers that it should have, or of 4 GiB.
  PORTOLAN_EXPORT Expected<void> run(std::span<const ReuseportPacket> packets,
                                     std::span<std::uint32_t> results, const Socket& socket) const;
  // Of type perf_event: on what a perf event of the host's has come upon.
  PORTOLAN_EXPORT Expected<void> run(std::span<const PerfSample> samples,
                                     std::span<std::uint32_t> results) const;

 private:
  friend class Object;
  Program(Runtime runtime, std::string name, std::string section, std::uint32_t type, int fd)
      : runtime_(std::move(runtime)),
        name_(std::move(name)),
        section_(std::move(section)),
        type_(type),
        fd_(fd) {}
  Runtime runtime_;
  std::string name_, section_;
  std::uint32_t type_;
  int fd_;
};

// The maps and programs of an object file, made in a runtime or in the kernel. Objects with maps by BTF are
// loaded by libbpf; those with SEC("maps") as the old load_bpf_file() did. Moving is cheap. Thread-safe.
class Object {
 public:
  // Errors are those of open(2) and bpf(2); EINVAL for what is no such object. The message says which
  // section, symbol, map or program it was, and ends with the verifier's log. On failure nothing is left
  // behind.
  PORTOLAN_EXPORT static Expected<Object> load(const Runtime& runtime, const std::string& path,
                                               const ObjectOptions& options = {});
  // The same of a file's bytes.
  PORTOLAN_EXPORT static Expected<Object> load(const Runtime& runtime, std::span<const std::byte> bytes,
                                               const ObjectOptions& options = {});
  PORTOLAN_EXPORT Object(Object&& other) noexcept;
  PORTOLAN_EXPORT Object& operator=(Object&& other) noexcept;
  PORTOLAN_EXPORT ~Object();

  // A map by its name, or ".data" and the like by how it ends: as a typed map, which lives on by itself.
  // ENOENT: there is none of that name; EINVAL: it has another type or other sizes.
  //   auto flows = object->map<portolan::Hash<Flow, Counters>>("flows");
  template <class M>
  Expected<M> map(std::string_view name) const {
    auto fd = duplicate(name);
    if (!fd) return std::unexpected(fd.error());
    return M::from_fd(runtime(), *fd);
  }
  // By their place in the section "maps", or as libbpf lists them.
  PORTOLAN_EXPORT std::vector<std::string> map_names() const;
  PORTOLAN_EXPORT std::vector<int> map_fds() const;  // the object's

  // By section, and by their place in it.
  PORTOLAN_EXPORT const std::vector<Program>& programs() const;
  PORTOLAN_EXPORT const Program* program(std::string_view name) const;  // nullptr: none of that name
  PORTOLAN_EXPORT const Runtime& runtime() const;

 private:
  explicit Object(std::unique_ptr<detail::ObjectState> state);
  PORTOLAN_EXPORT Expected<int> duplicate(std::string_view name) const;
  std::unique_ptr<detail::ObjectState> state_;
};

}  // namespace portolan
