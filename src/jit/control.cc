// SPDX-License-Identifier: Apache-2.0
// Jumps, calls and frames.
#include <algorithm>
#include <cstddef>

#include "helper/helper.h"
#include "helper/loops.h"
#include "jit/emitter.h"
#include "jit/registers.h"

namespace portolan::jit {
namespace {

using isa::Jump;

// Run holds references, so that the standard does not say what this is; the compilers do.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"
constexpr int kThrownToAt = offsetof(helper::Run, thrown_to);
#pragma GCC diagnostic pop

}  // namespace

void Emitter::compare(Jump condition, const Operands& by) {
  const Xbyak::Reg32e a = sized(by.to, by.is_wide), b = sized(by.from, by.is_wide);
  const auto imm = static_cast<std::uint32_t>(by.imm);
  if (condition == Jump::kJset)
    by.by_register ? test(a, b) : test(a, imm);
  else if (by.by_register)
    cmp(a, b);
  else if (by.imm == 0)
    test(a, a);  // sets the flags that cmp would
  else
    cmp(a, imm);
}

void Emitter::branch(Jump condition, const Operands& by) {
  compare(condition, by);
  const Label& target = label_of(static_cast<std::int64_t>(at_) + 1 + insn_.off);
  switch (condition) {
    case Jump::kJeq:
      return je(target);
    case Jump::kJgt:
      return ja(target);
    case Jump::kJge:
      return jae(target);
    case Jump::kJset:
    case Jump::kJne:
      return jne(target);
    case Jump::kJsgt:
      return jg(target);
    case Jump::kJsge:
      return jge(target);
    case Jump::kJlt:
      return jb(target);
    case Jump::kJle:
      return jbe(target);
    case Jump::kJslt:
      return jl(target);
    case Jump::kJsle:
      return jle(target);
    case Jump::kJa:
    case Jump::kCall:
    case Jump::kExit:
    case Jump::kJcond:
      throw Xbyak::Error(Xbyak::ERR_BAD_PARAMETER);
  }
}

void Emitter::go_to(std::int64_t distance) { jmp(label_of(static_cast<std::int64_t>(at_) + 1 + distance)); }

void Emitter::may_go_to() {
  const Xbyak::Address left = dword[rbp - static_cast<int>(stack_bytes_ + 8)];
  cmp(left, 0);
  je(label_of(static_cast<std::int64_t>(at_) + 1 + insn_.off));
  dec(left);
}

void Emitter::call_native(const void* target) {
  mov(rax, reinterpret_cast<std::uintptr_t>(target));
  call(rax);
}

void Emitter::call_helper() {
  if (call_inline()) return;
  const helper::Prototype* prototype = helper::find(static_cast<std::uint32_t>(insn_.imm));
  if (prototype == nullptr || prototype->function == nullptr) throw Xbyak::Error(Xbyak::ERR_BAD_PARAMETER);
  mov(rdi, r12);
  call_native(reinterpret_cast<const void*>(prototype->function));
}

void Emitter::call_kfunc() {
  const helper::Kfunc* const kfunc = source_.notes[at_].kfunc;
  if (kfunc == nullptr || kfunc->function == nullptr) throw Xbyak::Error(Xbyak::ERR_BAD_PARAMETER);
  if (helper::throws(kfunc)) return throw_out();
  mov(rdi, r12);
  call_native(reinterpret_cast<const void*>(kfunc->function));
}

// The stack is that of the main function again, as its own code has it.
void Emitter::throw_out() { jmp(thrown_); }

void Emitter::land_thrown() {
  L(thrown_);
  mov(rsp, qword[r12 + kThrownToAt]);
  lea(rbp, ptr[rsp + static_cast<int>(8 + 8 * kept_.size() + frame_bytes_)]);
  const auto& all = source_.subprograms;
  const auto callback = std::find_if(
      all.begin(), all.end(), [](const verifier::Subprogram& one) { return one.is_exception_callback; });
  if (callback == all.end())
    mov(rax, rsi);
  else
    call(functions_[static_cast<std::size_t>(callback - all.begin())]);
  return_from();
}

void Emitter::call_function() { call(function_at(static_cast<std::int64_t>(at_) + 1 + insn_.imm)); }

void Emitter::look_at_gate(std::size_t function) {
  if (function >= source_.gates.size()) return;
  body_.emplace();
  gate_.emplace();
  mov(r11, reinterpret_cast<std::uintptr_t>(&source_.gates[function]));
  cmp(qword[r11], 0);
  jne(*gate_);
  L(*body_);
}

// R1 to R5 are what `gate` is given the address of: with them the stack is aligned as calls want it.
void Emitter::pass_gate(std::size_t function) {
  if (function >= source_.gates.size()) return;
  L(*gate_);
  for (unsigned number = 5; number >= 1; --number) push(native(number));
  mov(rdi, r12);
  mov(rsi, reinterpret_cast<std::uintptr_t>(source_.owner));
  mov(edx, static_cast<std::uint32_t>(function));
  mov(rcx, rsp);
  lea(r8, ptr[rip + *body_]);
  call_native(reinterpret_cast<const void*>(source_.gate));
  add(rsp, 5 * 8);
  ret();
}

void Emitter::enter_frame() {
  push(rbp);
  mov(rbp, rsp);
  frame_bytes_ = stack_bytes_ + (counts_loops_ ? 8 : 0);
  const std::size_t pushed = kept_.size() + (is_main_of_throwing_ ? 1 : 0);
  if ((frame_bytes_ + 8 * pushed) % 16 != 0) frame_bytes_ += 8;
  if (frame_bytes_ != 0) sub(rsp, frame_bytes_);
  if (clears_stack_) clear_stack();
  if (counts_loops_) mov(dword[rbp - static_cast<int>(stack_bytes_ + 8)], helper::kMaxLoops);
  for (const Reg64& one : kept_) push(one);
  if (!is_main_of_throwing_) return;
  push(qword[r12 + kThrownToAt]);
  mov(qword[r12 + kThrownToAt], rsp);
}

void Emitter::clear_stack() {
  if (stack_bytes_ >= 16) xorps(xmm0, xmm0);
  std::uint32_t done = 0;
  for (; done + 16 <= stack_bytes_; done += 16) movups(xword[rbp - static_cast<int>(done + 16)], xmm0);
  if (done < stack_bytes_) mov(qword[rbp - static_cast<int>(done + 8)], 0);
}

void Emitter::leave_frame() {
  if (is_main_of_throwing_) pop(qword[r12 + kThrownToAt]);
  for (auto one = kept_.rbegin(); one != kept_.rend(); ++one) pop(*one);
  leave();
}

void Emitter::return_from() {
  leave_frame();
  ret();
}

}  // namespace portolan::jit
