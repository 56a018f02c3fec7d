// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <vector>

#include "ds/record_ring.h"
#include "helper/seq_file.h"
#include "map/program_invoker.h"
#include "object/runtime.h"

namespace portolan::map {
class RingBufferMap;
}

namespace portolan::helper {

// bpf(2), for programs of type syscall.
class SystemCalls {
 public:
  virtual long bpf(int command, void* attr, std::uint32_t size) = 0;  // as the system call: -errno
  virtual long close(int fd) = 0;

 protected:
  ~SystemCalls() = default;
};

// Of a program that sees both ends of a call: what it keeps from the one to the other.
struct Session {
  std::uint64_t cookie = 0;
  bool is_return = false;
};

// How a program is attached to the hook that runs it.
struct Attachment {
  std::uint64_t cookie = 0;
  // Of a function that the program is attached to: its arguments, and behind them its result, if there is one
  // yet.
  const std::uint64_t* arguments = nullptr;
  std::uint32_t argument_count = 0;
  bool has_result = false;
  std::uint32_t function = 0;  // by the kernel's BTF
  std::uint64_t address = 0;   // of a program's function
  Session* session = nullptr;
  std::int32_t* retval = nullptr;  // of a cgroup's hook: what its programs make of the operation's result
  std::int32_t socket = -1;        // of a cgroup's hook: the host's fd of it; -1: it has not said
  SeqFile* seq_file = nullptr;     // of an iterator
};

// A run of a program, on a vCPU that this thread has leased and entered: what helpers may reach.
struct Run {
  // Not an aggregate: compilers clear those with an instruction that takes 8 ns.
  Run(object::Runtime& its_runtime, const sync::Actor& its_actor, std::uint32_t its_cpu,
      SystemCalls* its_system)
      : runtime(its_runtime), actor(its_actor), cpu(its_cpu), system(its_system) {}

  // Before each run of a program; what else it has, the one before left as it found it.
  void begin(std::uint32_t its_program_type, std::uint32_t its_program_id, void* its_context,
             const Attachment* its_attachment, const void* its_frame) {
    context = its_context;
    program_type = its_program_type;
    program_id = its_program_id;
    attachment = its_attachment;
    tail_calls = 0;
    frame = its_frame;
  }

  object::Runtime& runtime;
  sync::Actor actor;
  std::uint32_t cpu;                       // the vCPU
  map::ProgramInvoker* program = nullptr;  // set by whoever executes it
  SystemCalls* system;                     // nullptr: none
  void* context = nullptr;         // XdpBuff, SkBuff, or the bytes that a syscall or tracing program gets
  std::uint32_t program_type = 0;  // abi::ProgType
  std::uint32_t program_id = 0;
  const Attachment* attachment = nullptr;  // nullptr: a run that is no hook's
  std::uint32_t tail_calls = 0;            // that have been made
  // Records that the program has reserved and not given back yet.
  struct Reserved {
    map::RingBufferMap* ring = nullptr;  // nullptr: nothing is
    ds::RecordRing::Record record = {};
  };
  Reserved reserved = {};  // mostly there is one
  std::vector<Reserved> more_reserved = {};
  const void* thrown_to = nullptr;  // the frame of the program that is run, if it may throw (jit)
  ds::TimerName timer = 0;          // of which it is the callback; 0: of none
  const void* frame = nullptr;      // of the function that runs it: where user space begins on this stack
};

}  // namespace portolan::helper
