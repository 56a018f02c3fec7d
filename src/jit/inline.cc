// SPDX-License-Identifier: Apache-2.0
// Helpers without a call, or with a shorter one. Each does what the helper does.
#include <bit>
#include <cstddef>

#include "abi/limits.h"
#include "base/errno.h"
#include "helper/loops.h"
#include "jit/emitter.h"
#include "jit/registers.h"
#include "map/references.h"

namespace portolan::jit {
namespace {

using InlineLookup = map::Map::InlineLookup;

constexpr std::int32_t kMapLookup = 1, kSmpProcessorId = 8, kTailCall = 12, kLoop = 181;

// Run holds references, so that the standard does not say what this is; the compilers do.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"
constexpr int kCpuAt = offsetof(helper::Run, cpu), kTailCallsAt = offsetof(helper::Run, tail_calls);
#pragma GCC diagnostic pop

}  // namespace

void Emitter::load_cpu(const Xbyak::Reg32& to) { mov(to, dword[r12 + kCpuAt]); }

bool Emitter::call_inline() {
  switch (insn_.imm) {
    case kMapLookup:
      return lookup_inline();
    case kSmpProcessorId:
      load_cpu(eax);
      return true;
    case kTailCall:
      tail_call();
      return true;
    case kLoop:
      loop();
      return true;
    default:
      return false;
  }
}

// The map of this call, if it is always the same.
map::Map* Emitter::known_map() const {
  const std::int32_t number = source_.notes[at_].map;
  return number < 0 ? nullptr : source_.maps[static_cast<std::size_t>(number)];
}

bool Emitter::lookup_inline() {
  map::Map* const map = known_map();
  if (map == nullptr) return false;
  const InlineLookup lookup = map->gen_lookup();
  switch (lookup.way) {
    case InlineLookup::Way::kNone:
      return false;
    case InlineLookup::Way::kArray:
    case InlineLookup::Way::kPerCpuArray:
      lookup_by_index(lookup);
      return true;
    case InlineLookup::Way::kWordKey:
      lookup_by_word(*map, lookup);
      return true;
  }
  return false;
}

// R2 says where the key lies. A key that is gone is found nowhere.
void Emitter::lookup_by_index(const InlineLookup& lookup) {
  Label done;
  xor_(eax, eax);
  will_land(OnFault::kZeroR0);
  mov(edi, dword[rdx]);
  cmp(edi, lookup.max_entries);
  jae(done);
  mov(rax, reinterpret_cast<std::uintptr_t>(lookup.base));
  if (lookup.way == InlineLookup::Way::kPerCpuArray) {
    load_cpu(r11d);
    mov(rdx, lookup.cpu_stride);
    imul(r11, rdx);
    add(rax, r11);
  }
  if (lookup.stride <= 8 && std::has_single_bit(lookup.stride)) {
    lea(rax, ptr[rax + rdi * static_cast<int>(lookup.stride)]);
  } else {
    if (std::has_single_bit(lookup.stride)) {
      shl(rdi, std::countr_zero(lookup.stride));
    } else {
      mov(rdx, lookup.stride);
      imul(rdi, rdx);
    }
    add(rax, rdi);
  }
  L(done);
}

void Emitter::lookup_by_word(map::Map& map, const InlineLookup& lookup) {
  will_land(OnFault::kZeroR0);
  if (map.key_size() == 4)
    mov(esi, dword[rdx]);
  else
    mov(rsi, qword[rdx]);
  load_cpu(edx);
  mov(rdi, reinterpret_cast<std::uintptr_t>(&map));
  call_native(reinterpret_cast<const void*>(lookup.find));
}

// R1 says how often, R2 which function, R3 is its second argument, R4 the flags. The function gives back what
// it uses of rbx and r13 to r15, and this does so too.
void Emitter::loop() {
  Label refused, too_often, next, last, done;
  test(r8, r8);
  jnz(refused);
  cmp(esi, helper::kMaxLoops);
  ja(too_often);
  mov(eax, esi);
  test(esi, esi);
  jz(done);
  for (const Reg64& one : {rbx, r13, r14, r15}) push(one);
  xor_(ebx, ebx);
  mov(r13d, esi);
  mov(r14, rdx);
  mov(r15, rcx);
  L(next);
  mov(esi, ebx);
  mov(rdx, r15);
  call(r14);
  inc(ebx);
  test(rax, rax);
  jnz(last);
  cmp(ebx, r13d);
  jb(next);
  L(last);
  mov(eax, ebx);
  for (const Reg64& one : {r15, r14, r13, rbx}) pop(one);
  jmp(done);
  L(refused);
  mov(rax, -std::int64_t{EINVAL});
  jmp(done);
  L(too_often);
  mov(rax, -std::int64_t{E2BIG});
  L(done);
}

// R1 to R3 lie where a function of C++ takes its second to fourth argument.
void Emitter::tail_call() {
  Label none;
  map::Map* const map = known_map();
  const map::References* const programs =
      map == nullptr ? nullptr : map->gen_tail_call(static_cast<std::uint32_t>(source_.type));
  if (programs != nullptr) tail_call_of(*programs, none);
  mov(rdi, r12);
  call_native(reinterpret_cast<const void*>(source_.tail_call));
  test(rax, rax);
  jz(none);
  mov(rsi, rdx);
  leave_frame();
  jmp(rax);
  L(none);
}

// What References::find() does; where it knows nothing, or nothing of the code, the run goes on behind this.
void Emitter::tail_call_of(const map::References& programs, Label& none) {
  const map::References::Tables tables = programs.tables();
  Label unknown;
  if (const std::int64_t index = source_.notes[at_].index; index >= 0) {
    if (index >= tables.count) return jmp(none);
    mov(rax, reinterpret_cast<std::uintptr_t>(&tables.words[index]));
    mov(r11, reinterpret_cast<std::uintptr_t>(&tables.known[index]));
    mov(rax, qword[rax]);
    mov(r11, qword[r11]);
  } else {
    mov(edi, ecx);
    cmp(edi, tables.count);
    jae(none);
    mov(rax, reinterpret_cast<std::uintptr_t>(tables.words));
    mov(r11, reinterpret_cast<std::uintptr_t>(tables.known));
    mov(rax, qword[rax + rdi * 8]);
    mov(r11, qword[r11 + rdi * 8]);
  }
  test(r11, r11);
  jz(unknown);
  cmp(qword[r11 + tables.word_at], rax);
  jne(unknown);
  mov(edi, dword[r12 + kTailCallsAt]);
  cmp(edi, abi::kMaxTailCalls);
  jae(none);
  inc(edi);
  mov(dword[r12 + kTailCallsAt], edi);
  leave_frame();
  jmp(ptr[r11 + tables.code_at]);
  L(unknown);
}

}  // namespace portolan::jit
