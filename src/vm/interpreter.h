// SPDX-License-Identifier: Apache-2.0
// Carries programs out: threaded code, one handler per operation of isa/opcodes.def.
#pragma once
#include <array>

#include "helper/loops.h"
#include "vm/executable.h"

namespace portolan::vm {

inline constexpr std::size_t kRegisters = 12;  // R11 is for what the library inserts
// Of one function, with room below the program's own for what fixups keep there.
inline constexpr std::uint32_t kFrameBytes = isa::kStackBytes + 64;
using helper::kMaxLoops;

using HelperArguments = std::array<std::uint64_t, 5>;

// How a program's accesses reach memory. The verifier has allowed each: nothing is left to check.
struct NativeMemory {
  void check(std::uint64_t, std::uint32_t, bool) {}
  void before_call(std::uint32_t, const HelperArguments&) {}
  void after_call(std::uint32_t, const HelperArguments&, std::uint64_t) {}
  void before_callback(const HelperArguments&) {}
};
// A fuzzer doubts that: this one asks about every access of the program's own.
struct CheckedMemory {
  struct Judge {
    virtual void check(std::uint64_t address, std::uint32_t bytes, bool writes) = 0;
    virtual void add_stack(const std::byte* low, std::size_t bytes) = 0;  // a frame that the program may use
    // What a helper is given, and what it returns; what one of the program's functions is given by it.
    virtual void before_call(std::uint32_t /*helper*/, const HelperArguments& /*given*/) {}
    virtual void after_call(std::uint32_t /*helper*/, const HelperArguments& /*given*/,
                            std::uint64_t /*result*/) {}
    virtual void before_callback(const HelperArguments& /*given*/) {}

   protected:
    ~Judge() = default;
  };
  Judge* judge;
  void check(std::uint64_t address, std::uint32_t bytes, bool writes) {
    judge->check(address, bytes, writes);
  }
  void before_call(std::uint32_t helper, const HelperArguments& given) { judge->before_call(helper, given); }
  void after_call(std::uint32_t helper, const HelperArguments& given, std::uint64_t result) {
    judge->after_call(helper, given, result);
  }
  void before_callback(const HelperArguments& given) { judge->before_callback(given); }
};

// One run. It lies on the C++ stack of the thread, with the stacks of the program's functions.
template <class Memory>
class Execution final : public map::ProgramInvoker {
 public:
  Execution(const Executable& executable, helper::Run& run, Memory memory)
      : executable_(&executable), run_(run), memory_(memory) {
    run.program = this;
  }
  // The main program on run.context; R0.
  std::uint64_t run() { return run_on(reinterpret_cast<std::uintptr_t>(run_.context)); }
  std::uint64_t run_on(std::uint64_t context);
  std::uint64_t call_main(const std::uint64_t* arguments);  // five
  // The same of one of the executable's functions.
  std::uint64_t call(Executable::Function function, std::uint64_t a, std::uint64_t b, std::uint64_t c);
  std::uint64_t call_back(std::uint64_t function, std::uint64_t a, std::uint64_t b, std::uint64_t c,
                          std::uint64_t d, std::uint64_t e) override;

  // By operation; those of instructions that may fault follow, kOperations further on, and the tail call
  // last.
  static const void* const* handlers();

 private:
  using Registers = std::array<std::uint64_t, kRegisters>;
  struct Frame {
    const Code* resume;
    std::array<std::uint64_t, 5> kept;  // R6 to R10 of the caller
    std::uint32_t loops_left;
  };

  static std::uint64_t interpret(Execution* self, const Code* at, Registers& r, const void* const** handlers);
  std::uint64_t start(Executable::Function function, Registers& registers);
  std::uint64_t start_body(Executable::Function function, Registers& registers);
  std::uint64_t pass_gate(Executable::Function function, const Registers& registers);
  std::uint64_t push_frame(std::uint32_t stack_bytes);
  std::uint64_t run_nested(const Executable& executable, std::uint64_t context);
  template <class T>
  T load(std::uint64_t address);
  template <class T>
  T load_or_zero(std::uint64_t address);
  template <class T>
  void store(std::uint64_t address, T value);
  template <class T>
  void store_if_there(std::uint64_t address, T value);
  template <class T>
  void* place(std::uint64_t address);
  bool is_there(std::uint64_t address, std::uint32_t bytes);

  const Executable* executable_;  // another one after a tail call
  helper::Run& run_;
  [[no_unique_address]] Memory memory_;
  std::uint32_t depth_ = 0;  // frames in use
  bool is_thrown_ = false;   // a function behind a gate was left: those that called it are left, too
  std::array<Frame, isa::kMaxFrames> frames_;
  alignas(16) std::byte stacks_[isa::kMaxFrames][kFrameBytes];
};

extern template class Execution<NativeMemory>;
extern template class Execution<CheckedMemory>;

const void* const* native_handlers();
const void* const* checked_handlers();

}  // namespace portolan::vm
