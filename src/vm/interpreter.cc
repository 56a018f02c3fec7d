// SPDX-License-Identifier: Apache-2.0
#include "vm/interpreter.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/fault_copy.h"
#include "helper/packet_load.h"
#include "sync/program_atomics.h"
#include "vm/gate.h"
#include "vm/tail_call.h"

// Labels are values here: each handler ends with a jump of its own to the next, which the CPU predicts by
// where it stands.
#pragma GCC diagnostic ignored "-Wpedantic"
#if defined(__clang__)
#pragma GCC diagnostic ignored "-Wgnu-label-as-value"
#pragma GCC diagnostic ignored "-Winitializer-overrides"
#endif

namespace portolan::vm {
namespace {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

template <class T>
T* pointer(u64 address) {
  return reinterpret_cast<T*>(address);
}

}  // namespace

template <class Memory>
u64 Execution<Memory>::run_on(u64 context) {
  Registers registers{};
  registers[1] = context;
  return start(executable_->main(), registers);
}

template <class Memory>
u64 Execution<Memory>::call(Executable::Function function, u64 a, u64 b, u64 c) {
  Registers registers{0, a, b, c};
  memory_.before_callback({a, b, c, 0, 0});
  return start(function, registers);
}

template <class Memory>
u64 Execution<Memory>::call_back(u64 function, u64 a, u64 b, u64 c, u64 d, u64 e) {
  Registers registers{0, a, b, c, d, e};
  memory_.before_callback({a, b, c, d, e});
  return start(executable_->function(function), registers);
}

template <class Memory>
u64 Execution<Memory>::call_main(const u64* arguments) {
  Registers registers{};
  std::copy_n(arguments, verifier::kFunctionArguments, &registers[1]);
  return start(executable_->main(), registers);
}

template <class Memory>
u64 Execution<Memory>::start(Executable::Function function, Registers& registers) {
  if (executable_->has_attached(function.index)) [[unlikely]]
    return pass_gate(function, registers);
  return start_body(function, registers);
}

// What is attached to the function runs with it. What that throws is thrown once more by who called this.
template <class Memory>
[[gnu::noinline]] u64 Execution<Memory>::pass_gate(Executable::Function function,
                                                   const Registers& registers) {
  struct Interpreted {
    Execution& self;
    Executable::Function function;
  } interpreted{*this, function};
  verifier::FunctionCall call;
  call.arguments = &registers[1];
  call.runner = &interpreted;
  call.run = [](const verifier::FunctionCall& it) -> verifier::FunctionCall::Outcome {
    auto& [self, body] = *static_cast<Interpreted*>(it.runner);
    Registers own{};
    std::copy_n(it.arguments, verifier::kFunctionArguments, &own[1]);
    const u64 result = self.start_body(body, own);
    return {result, self.is_thrown_};
  };
  return vm::pass_gate(run_, *executable_, function.index, call).result;
}

template <class Memory>
u64 Execution<Memory>::start_body(Executable::Function function, Registers& registers) {
  registers[isa::kFramePointer] = push_frame(function.stack_bytes);
  frames_[depth_ - 1].resume = nullptr;
  return interpret(this, function.code, registers, nullptr);
}

// The frame pointer of a new frame, whose bytes are zeros: programs of root may read what they never wrote.
template <class Memory>
inline u64 Execution<Memory>::push_frame(u32 stack_bytes) {
  PORTOLAN_ASSERT(depth_ < isa::kMaxFrames);  // the verifier counts frames, those of callbacks too
  std::byte* const top = stacks_[depth_] + kFrameBytes;
  if (stack_bytes != 0) std::memset(top - stack_bytes, 0, stack_bytes);
  if constexpr (std::is_same_v<Memory, CheckedMemory>)
    memory_.judge->add_stack(top - stack_bytes, stack_bytes);
  frames_[depth_].loops_left = kMaxLoops;
  ++depth_;
  return reinterpret_cast<std::uintptr_t>(top);
}

template <class Memory>
template <class T>
inline T Execution<Memory>::load(u64 address) {
  memory_.check(address, sizeof(T), false);
  return sync::program::load<T>(pointer<const T>(address));
}
template <class Memory>
template <class T>
inline void Execution<Memory>::store(u64 address, T value) {
  memory_.check(address, sizeof(T), true);
  sync::program::store<T>(pointer<T>(address), value);
}
template <class Memory>
template <class T>
inline void* Execution<Memory>::place(u64 address) {
  memory_.check(address, sizeof(T), true);
  return pointer<void>(address);
}

// Pages that a user has mapped may be gone: then a load gives 0, as the kernel's probe reads, and a store
// stores nothing.
template <class Memory>
template <class T>
T Execution<Memory>::load_or_zero(u64 address) {
  memory_.check(address, sizeof(T), false);
  T value{};
  if (!portolan_fault_copy(&value, pointer<const void>(address), sizeof value)) return T{};
  return value;
}
template <class Memory>
template <class T>
void Execution<Memory>::store_if_there(u64 address, T value) {
  memory_.check(address, sizeof(T), true);
  (void)!portolan_fault_copy(pointer<void>(address), &value, sizeof value);
}
template <class Memory>
bool Execution<Memory>::is_there(u64 address, u32 bytes) {
  u64 ignored;
  return portolan_fault_copy(&ignored, pointer<const void>(address), bytes);
}

// self nullptr: only tells where the handlers are.
template <class Memory>
[[gnu::noinline]] u64 Execution<Memory>::interpret(Execution* self, const Code* at, Registers& r,
                                                   const void* const** handlers) {
  if (self == nullptr) {
    static const void* const table[] = {
        &&none,
#define ALU(name, ...) &&name##64_imm, &&name##64_reg, &&name##32_imm, &&name##32_reg,
#define MOVSX(name, ...) &&name,
#define UNARY(name, ...) &&name,
#define JUMP(name, ...) &&name##64_imm, &&name##64_reg, &&name##32_imm, &&name##32_reg,
#define SIZE(name, ...) \
  &&load_##name, &&store_imm_##name, &&store_##name, &&load_acquire_##name, &&store_release_##name,
#define SIGNED_SIZE(name, ...) &&load_##name,
#define PACKET_SIZE(name, ...) &&packet_abs_##name, &&packet_ind_##name,
#define ATOMIC(name, ...) &&atomic_##name##32, &&atomic_##name##64,
#define COMPARE_EXCHANGE(name, ...) &&name,
#define OTHER(name, ...) &&name,
#include "isa/opcodes.def"
        // Those that may fault; what touches no memory does as it always does.
        &&none,
#define ALU(name, ...) &&name##64_imm, &&name##64_reg, &&name##32_imm, &&name##32_reg,
#define MOVSX(name, ...) &&name,
#define UNARY(name, ...) &&name,
#define JUMP(name, ...) &&name##64_imm, &&name##64_reg, &&name##32_imm, &&name##32_reg,
#define SIZE(name, ...)                                                              \
  &&load_##name##_or_zero, &&store_imm_##name##_if_there, &&store_##name##_if_there, \
      &&load_##name##_or_zero, &&store_##name##_if_there,
#define SIGNED_SIZE(name, ...) &&load_##name##_or_zero,
#define PACKET_SIZE(name, ...) &&packet_abs_##name, &&packet_ind_##name,
#define ATOMIC(name, ...) &&atomic_##name##32_if_there, &&atomic_##name##64_if_there,
#define COMPARE_EXCHANGE(name, ...) &&name##_if_there,
#define OTHER(name, ...) &&name,
#include "isa/opcodes.def"
        &&tail_call,
        &&throw_,
    };
    static_assert(std::size(table) == kThrowHandler + 1);
    *handlers = table;
    return 0;
  }
  const u32 outermost = self->depth_;

#define TO r[at->to]
#define FROM r[at->from]
#define NEXT            \
  do {                  \
    ++at;               \
    goto * at->handler; \
  } while (false)
#define ADDRESS(base) ((base) + static_cast<u64>(static_cast<std::int64_t>(at->off)))

  goto * at->handler;

none:
  PORTOLAN_ASSERT(false);  // prepare() lets no program have it

#define CALCULATE(label, T_, S_, second, result)        \
  label: {                                              \
    using T = T_;                                       \
    using S = S_;                                       \
    [[maybe_unused]] constexpr T kBits = sizeof(T) * 8; \
    [[maybe_unused]] const T a = static_cast<T>(TO);    \
    const T b = static_cast<T>(second);                 \
    static_assert(sizeof(S) == sizeof(T));              \
    TO = static_cast<T>(result);                        \
    NEXT;                                               \
  }
#define IMM static_cast<std::int64_t>(at->imm)
#define ALU(name, operation, off, text, result)            \
  CALCULATE(name##64_imm, u64, std::int64_t, IMM, result)  \
  CALCULATE(name##64_reg, u64, std::int64_t, FROM, result) \
  CALCULATE(name##32_imm, u32, std::int32_t, IMM, result)  \
  CALCULATE(name##32_reg, u32, std::int32_t, FROM, result)
#define MOVSX(name, kind, off, type, text)                                                                 \
  name: {                                                                                                  \
    const auto extended = static_cast<std::int64_t>(static_cast<type>(FROM));                              \
    TO = isa::Class::kind == isa::Class::kAlu64 ? static_cast<u64>(extended) : static_cast<u32>(extended); \
    NEXT;                                                                                                  \
  }
#define UNARY(name, kind, source, operation, imm, text, T, result) \
  name: {                                                          \
    const T a = static_cast<T>(TO);                                \
    TO = static_cast<T>(result);                                   \
    NEXT;                                                          \
  }
#define BRANCH(label, T_, S_, second, condition) \
  label: {                                       \
    using T = T_;                                \
    using S = S_;                                \
    static_assert(sizeof(S) == sizeof(T));       \
    const T a = static_cast<T>(TO);              \
    const T b = static_cast<T>(second);          \
    if (condition) {                             \
      at = at->target;                           \
      goto * at->handler;                        \
    }                                            \
    NEXT;                                        \
  }
#define JUMP(name, operation, text, condition)             \
  BRANCH(name##64_imm, u64, std::int64_t, IMM, condition)  \
  BRANCH(name##64_reg, u64, std::int64_t, FROM, condition) \
  BRANCH(name##32_imm, u32, std::int32_t, IMM, condition)  \
  BRANCH(name##32_reg, u32, std::int32_t, FROM, condition)
#define SIZE(name, size, type, text)                                                                 \
  load_##name : TO = self->load<type>(ADDRESS(FROM));                                                \
  NEXT;                                                                                              \
  load_##name##_or_zero : TO = self->load_or_zero<type>(ADDRESS(FROM));                              \
  NEXT;                                                                                              \
  store_imm_##name : self->store<type>(ADDRESS(TO), static_cast<type>(IMM));                         \
  NEXT;                                                                                              \
  store_imm_##name##_if_there : self->store_if_there<type>(ADDRESS(TO), static_cast<type>(IMM));     \
  NEXT;                                                                                              \
  store_##name : self->store<type>(ADDRESS(TO), static_cast<type>(FROM));                            \
  NEXT;                                                                                              \
  store_##name##_if_there : self->store_if_there<type>(ADDRESS(TO), static_cast<type>(FROM));        \
  NEXT;                                                                                              \
  load_acquire_##name : self->memory_.check(ADDRESS(FROM), sizeof(type), false);                     \
  TO = sync::program::load_acquire<type>(pointer<const type>(ADDRESS(FROM)));                        \
  NEXT;                                                                                              \
  store_release_##name                                                                               \
      : sync::program::store_release<type>(self->place<type>(ADDRESS(TO)), static_cast<type>(FROM)); \
  NEXT;
#define SIGNED_SIZE(name, size, type, text)                                                        \
  load_##name : TO = static_cast<u64>(static_cast<std::int64_t>(                                   \
                    static_cast<type>(self->load<std::make_unsigned_t<type>>(ADDRESS(FROM)))));    \
  NEXT;                                                                                            \
  load_##name##_or_zero                                                                            \
      : TO = static_cast<u64>(static_cast<std::int64_t>(self->load_or_zero<type>(ADDRESS(FROM)))); \
  NEXT;
#define PACKET_SIZE(name, size, type)                                                              \
  packet_abs_##name : {                                                                            \
    const auto found = helper::load_packet<type>(*pointer<const helper::SkBuff>(r[6]), at->imm);   \
    if (!found.is_there) goto leave_with_zero;                                                     \
    r[0] = found.value;                                                                            \
    NEXT;                                                                                          \
  }                                                                                                \
  packet_ind_##name : {                                                                            \
    const auto offset = static_cast<std::int32_t>(static_cast<u32>(FROM + static_cast<u64>(IMM))); \
    const auto found = helper::load_packet<type>(*pointer<const helper::SkBuff>(r[6]), offset);    \
    if (!found.is_there) goto leave_with_zero;                                                     \
    r[0] = found.value;                                                                            \
    NEXT;                                                                                          \
  }
#define ATOMIC_OF(label, type, function, fetches)                                                            \
  label##_if_there : if (!self->is_there(ADDRESS(TO), sizeof(type))) {                                       \
    if (fetches) FROM = 0;                                                                                   \
    NEXT;                                                                                                    \
  }                                                                                                          \
  label: {                                                                                                   \
    const type was = sync::program::function<type>(self->place<type>(ADDRESS(TO)), static_cast<type>(FROM)); \
    if (fetches) FROM = was;                                                                                 \
    NEXT;                                                                                                    \
  }
#define ATOMIC(name, imm, function, fetches, text)     \
  ATOMIC_OF(atomic_##name##32, u32, function, fetches) \
  ATOMIC_OF(atomic_##name##64, u64, function, fetches)
#define COMPARE_EXCHANGE(name, size, type)                                                              \
  name##_if_there : if (!self->is_there(ADDRESS(TO), sizeof(type))) {                                   \
    r[0] = 0;                                                                                           \
    NEXT;                                                                                               \
  }                                                                                                     \
  name:                                                                                                 \
  r[0] = sync::program::compare_exchange<type>(self->place<type>(ADDRESS(TO)), static_cast<type>(r[0]), \
                                               static_cast<type>(FROM));                                \
  NEXT;
#include "isa/opcodes.def"

load_imm64:
  TO = at->wide;
  at += 2;
  goto * at->handler;

goto_:
gotol:
  at = at->target;
  goto * at->handler;

may_goto: {
  u32& left = self->frames_[self->depth_ - 1].loops_left;
  if (left == 0) {
    at = at->target;
    goto * at->handler;
  }
  --left;
  NEXT;
}

call_kfunc:
  r[0] = at->function(self->run_, r[1], r[2], r[3], r[4], r[5]);
  NEXT;

call_helper: {
  const HelperArguments given{r[1], r[2], r[3], r[4], r[5]};
  self->memory_.before_call(static_cast<u32>(at->imm), given);
  r[0] = at->function(self->run_, given[0], given[1], given[2], given[3], given[4]);
  self->memory_.after_call(static_cast<u32>(at->imm), given, r[0]);
  NEXT;
}

tail_call: {
  const Executable* const next = tail_target(self->run_, r[2], static_cast<u32>(r[3])).executable;
  if (next == nullptr) NEXT;
  if (self->depth_ == 1 && !next->has_attached(0)) {
    // Nothing is to come back to: the program is left for the other one.
    self->executable_ = next;
    self->depth_ = 0;
    const Executable::Function main = next->main();
    r[isa::kFramePointer] = self->push_frame(main.stack_bytes);
    at = main.code;
    goto * at->handler;
  }
  // A function that makes one ends with what the other program returns.
  r[0] = self->run_nested(*next, r[1]);
  goto exit_;
}

call_function: {
  if (self->executable_->has_attached(static_cast<u32>(at->imm))) [[unlikely]] {
    r[0] = self->pass_gate(self->executable_->function_at(static_cast<u32>(at->imm)), r);
    if (self->is_thrown_) {
      r[1] = r[0];
      goto throw_;
    }
    NEXT;
  }
  const u64 frame_pointer = self->push_frame(static_cast<u32>(at->off));
  Frame& frame = self->frames_[self->depth_ - 1];
  frame.resume = at + 1;
  std::memcpy(frame.kept.data(), &r[6], sizeof frame.kept);
  r[isa::kFramePointer] = frame_pointer;
  at = at->target;
  goto * at->handler;
}

throw_: {
  // Whatever functions are active are left; none of them was called by a helper. Below a gate, whoever passed
  // it goes on with this.
  self->is_thrown_ = outermost != 1;
  if (self->is_thrown_) {
    self->depth_ = outermost - 1;
    return r[1];
  }
  const Executable::Function callback = self->executable_->exception_callback();
  self->depth_ = 0;
  if (callback.code == nullptr) return r[1];
  r[isa::kFramePointer] = self->push_frame(callback.stack_bytes);
  at = callback.code;
  goto * at->handler;
}

leave_with_zero:
  r[0] = 0;
exit_: {
  const Frame& frame = self->frames_[--self->depth_];
  if (self->depth_ + 1 == outermost) return r[0];
  std::memcpy(&r[6], frame.kept.data(), sizeof frame.kept);
  at = frame.resume;
  goto * at->handler;
}
}

template <class Memory>
[[gnu::noinline]] u64 Execution<Memory>::run_nested(const Executable& executable, u64 context) {
  Execution nested(executable, run_, memory_);
  const u64 result = nested.run_on(context);
  run_.program = this;
  return result;
}

template <class Memory>
const void* const* Execution<Memory>::handlers() {
  const void* const* found = nullptr;
  Registers none{};
  interpret(nullptr, nullptr, none, &found);
  return found;
}

template class Execution<NativeMemory>;
template class Execution<CheckedMemory>;

const void* const* native_handlers() { return Execution<NativeMemory>::handlers(); }
const void* const* checked_handlers() { return Execution<CheckedMemory>::handlers(); }

}  // namespace portolan::vm
