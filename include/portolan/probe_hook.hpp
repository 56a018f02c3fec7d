// SPDX-License-Identifier: Apache-2.0
// Hooks that clients attach to through perf events: probes of functions, and tracepoints with records. See
// Hook in hook.hpp for how they are declared.
#pragma once
#include "portolan/hook.hpp"

namespace portolan {

// struct pt_regs of x86-64: what probes see of a call.
struct Registers {
  std::uint64_t r15 = 0, r14 = 0, r13 = 0, r12 = 0, bp = 0, bx = 0;
  std::uint64_t r11 = 0, r10 = 0, r9 = 0, r8 = 0, ax = 0, cx = 0, dx = 0, si = 0, di = 0;
  std::uint64_t orig_ax = 0;
  std::uint64_t ip = 0;  // 0: the function's, as bpf_get_func_ip() has it: of a probe one that stands for it
  std::uint64_t cs = 0, flags = 0, sp = 0, ss = 0;

  // Of a function that has been called with up to six numbers or pointers.
  template <class... Args>
  static Registers of_call(Args... args) {
    static_assert(sizeof...(Args) <= 6, "at most six arguments are in registers");
    std::uint64_t words[6] = {};
    std::size_t at = 0;
    ((words[at++] = detail::argument(args)), ...);
    Registers registers;
    registers.di = words[0];
    registers.si = words[1];
    registers.dx = words[2];
    registers.cx = words[3];
    registers.r8 = words[4];
    registers.r9 = words[5];
    return registers;
  }
};

// One call of a function: what programs that see both its ends (sessions) know at its end.
class ProbeCall {
 public:
  ProbeCall() {}

 private:
  friend class ProbeHook;
  struct Session {
    std::uint64_t place, cookie;
  };
  static constexpr std::uint32_t kMost = 64;
  std::uint32_t count_ = 0;
  Session sessions_[kMost];
};

// A function that kprobe or uprobe programs see the beginning of, kretprobe or uretprobe programs the end,
// sessions both.
class ProbeHook {
 public:
  // body(args...), which gives a number, between the ones and the others.
  template <class Body, class... Args>
  auto call(Body&& body, Args... args) const -> std::invoke_result_t<Body, Args...> {
    if (!is_attached()) [[likely]]
      return std::forward<Body>(body)(args...);
    ProbeCall probed;
    Registers registers = Registers::of_call(args...);
    enter(registers, probed);
    const auto result = std::forward<Body>(body)(args...);
    registers.ax = detail::argument(result);
    leave(registers, probed);
    return result;
  }
  // The same in two steps: registers.ax is what the function returns.
  void enter(const Registers& registers, ProbeCall& call) const {
    if (entry_.is_attached()) [[unlikely]]
      begin(registers, call);
  }
  void leave(const Registers& registers, ProbeCall& call) const {
    if (exit_.is_attached()) [[unlikely]]
      end(registers, call);
  }
  // One of them alone: sessions see no end of it.
  void enter(const Registers& registers) const {
    ProbeCall call;
    enter(registers, call);
  }
  void leave(const Registers& registers) const {
    ProbeCall call;
    leave(registers, call);
  }
  bool is_attached() const { return entry_.is_attached() || exit_.is_attached(); }

 private:
  friend class Hook;
  class Part : public Hook {
    friend class Hook;
    friend class ProbeHook;
    using Hook::Hook;
  };
  ProbeHook(Part entry, Part exit, std::uint64_t address)
      : entry_(std::move(entry)), exit_(std::move(exit)), address_(address) {}
  PORTOLAN_EXPORT void begin(const Registers& registers, ProbeCall& call) const;
  PORTOLAN_EXPORT void end(const Registers& registers, ProbeCall& call) const;
  Registers shown(const Registers& registers) const;
  Part entry_, exit_;
  std::uint64_t address_;
};

template <class R, class... Args>
Expected<ProbeHook> Hook::uprobe(const Runtime& runtime, R (*function)(Args...)) {
  return uprobe(runtime, reinterpret_cast<const void*>(function));
}

// A tracepoint that programs see the record of, as `struct trace_event_raw_NAME` has it: the fields after
// eight bytes that are the kernel's own. All attached programs run, the oldest first.
class TraceEventHook : public Hook {
 public:
  // `record`: as many bytes as were declared, or no program runs.
  template <class Record>
    requires(std::is_trivially_copyable_v<Record> &&
             !std::is_convertible_v<const Record&, std::span<const std::byte>>)
  void run(const Record& record) const {
    if (is_attached()) [[unlikely]]
      run_attached(std::as_bytes(std::span(&record, 1)));
  }
  void run(std::span<const std::byte> record) const {
    if (is_attached()) [[unlikely]]
      run_attached(record);
  }

 private:
  friend class Hook;
  TraceEventHook(std::unique_ptr<detail::HookState> state, std::uint32_t bytes);
  PORTOLAN_EXPORT void run_attached(std::span<const std::byte> record) const;
  std::uint32_t bytes_;
};

}  // namespace portolan
