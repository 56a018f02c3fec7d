// SPDX-License-Identifier: Apache-2.0
// What the kinds of BPF_PROG_TEST_RUN share. Each kind is a file of its own.
#pragma once
#include <cstring>
#include <vector>

#include "syscall/call.h"
#include "vm/runner.h"

namespace portolan::syscall {

inline constexpr std::uint32_t kEthernetHeader = 14;
inline constexpr std::uint32_t kLoopback = 1;  // ifindex of the only device there is

class TestRun {
 public:
  TestRun(const Call& test_call, verifier::Program& of)
      : call(test_call), attr(test_call.attr.test), program(of) {}

  // The caller's context of `Context`'s shape: longer ones must end in zeros (E2BIG). Zeros if only the way
  // back is asked for; had() false: neither.
  template <class T>
  class Context {
   public:
    bool had() const { return had_; }
    T* operator->() { return &value_; }
    T& operator*() { return value_; }

   private:
    friend class TestRun;
    T value_{};
    bool had_ = false;
  };
  template <class T>
  Result<Context<T>> context_in() const {
    Context<T> context;
    context.had_ = attr.ctx_in != 0 || attr.ctx_out != 0;
    if (attr.ctx_in == 0) return context;
    TRY(check_tail_is_zero(call.caller, attr.ctx_in, sizeof(T), attr.ctx_size_in));
    TRY(call.caller.copy_in(&context.value_, attr.ctx_in,
                            std::min<std::size_t>(sizeof(T), attr.ctx_size_in)));
    return context;
  }
  // ENOSPC when the caller's room is short: what fits is there, with the whole length.
  template <class T>
  Result<void> context_out(Context<T>& context) const {
    if (!context.had_ || attr.ctx_out == 0) return {};
    constexpr auto size = static_cast<std::uint32_t>(sizeof(T));
    TRY(call.caller.copy_out(attr.ctx_out, &context.value_, std::min(size, attr.ctx_size_out)));
    TRY(call.put(offsetof(abi::TestAttr, ctx_size_out), size));
    if (attr.ctx_size_out < size) return fail(ENOSPC);
    return {};
  }

  struct Outcome {
    std::uint32_t result;       // of the last run
    std::uint32_t duration_ns;  // of one run, on average
  };
  // attr.repeat times on the same context, whatever the runs before have made of it, or, with `next`, on what
  // that returns for each, from `context` and the result of the run before; 0 is once.
  using Next = void* (*)(void* context, std::uint64_t result);
  Result<Outcome> run(void* context, Next next = nullptr) const;
  // Once; for types that are not repeated and not timed.
  Result<std::uint32_t> run_once(void* context) const;
  // The packet and the outcome. ENOSPC as above; without a size the caller's room is taken to be enough.
  Result<void> finish(const std::byte* data, std::uint32_t size, const Outcome& outcome) const;

  const Call& call;
  const abi::TestAttr& attr;
  verifier::Program& program;
};

Result<long> test_run_xdp(const TestRun& test);
Result<long> test_run_skb(const TestRun& test);
Result<long> test_run_syscall(const TestRun& test);
Result<long> test_run_raw_tracepoint(const TestRun& test);
Result<long> test_run_flow_dissector(const TestRun& test);
Result<long> test_run_sk_lookup(const TestRun& test);
Result<long> test_run_tracing(const TestRun& test);
Result<long> test_run_netfilter(const TestRun& test);

}  // namespace portolan::syscall
