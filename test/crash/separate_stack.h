// SPDX-License-Identifier: Apache-2.0
// A stack at whose bottom the chain of callers ends: a trace of what runs there is the same whoever runs it.
#pragma once
#include <ucontext.h>

#include <cstddef>
#include <functional>
#include <vector>

namespace portolan::stress {

class SeparateStack {
 public:
  // From `depth` frames below the bottom. One at a time.
  long run(std::uint32_t depth, const std::function<long()>& body) {
    call_ = {depth, &body, 0};
    ::getcontext(&inside_);
    inside_.uc_stack.ss_sp = bytes_.data();
    inside_.uc_stack.ss_size = bytes_.size();
    inside_.uc_link = &outside_;
    ::makecontext(&inside_, start, 0);
    inside_.uc_mcontext.gregs[REG_RBP] = 0;
    ::swapcontext(&outside_, &inside_);
    return call_.result;
  }

 private:
  static void start() { call_.result = descend(call_.depth); }
  [[gnu::noinline]] static long descend(std::uint32_t depth) {
    const long result = depth == 0 ? (*call_.body)() : descend(depth - 1);
    asm volatile("" ::: "memory");  // no tail call
    return result;
  }

  struct Call {
    std::uint32_t depth;
    const std::function<long()>* body;
    long result;
  };
  static inline Call call_{};
  std::vector<std::byte> bytes_ = std::vector<std::byte>(256 << 10);
  ucontext_t inside_, outside_;
};

}  // namespace portolan::stress
