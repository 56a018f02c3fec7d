// SPDX-License-Identifier: Apache-2.0
// Helpers without a call, or with a shorter one. Each does what the helper does.
#include <bit>
#include <cstddef>

#include "jit/emitter.h"
#include "jit/registers.h"

namespace portolan::jit {
namespace {

using InlineLookup = map::Map::InlineLookup;

constexpr std::int32_t kMapLookup = 1, kSmpProcessorId = 8;

// Run holds references, so that the standard does not say what this is; the compilers do.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"
constexpr int kCpuAt = offsetof(helper::Run, cpu);
#pragma GCC diagnostic pop

}  // namespace

void Emitter::load_cpu(const Xbyak::Reg32& to) { mov(to, dword[r12 + kCpuAt]); }

bool Emitter::call_inline() {
  if (insn_.imm == kMapLookup) return lookup_inline();
  if (insn_.imm != kSmpProcessorId) return false;
  load_cpu(eax);
  return true;
}

bool Emitter::lookup_inline() {
  const std::int32_t number = source_.notes[at_].map;
  if (number < 0) return false;
  map::Map& map = *source_.maps[static_cast<std::size_t>(number)];
  const InlineLookup lookup = map.gen_lookup();
  switch (lookup.way) {
    case InlineLookup::Way::kNone:
      return false;
    case InlineLookup::Way::kArray:
    case InlineLookup::Way::kPerCpuArray:
      lookup_by_index(lookup);
      return true;
    case InlineLookup::Way::kWordKey:
      lookup_by_word(map, lookup);
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

}  // namespace portolan::jit
