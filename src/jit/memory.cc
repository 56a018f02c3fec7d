// SPDX-License-Identifier: Apache-2.0
// Loads, stores and atomic operations. This CPU's plain loads acquire and its plain stores release.
#include "helper/packet_load.h"
#include "jit/emitter.h"
#include "jit/registers.h"

namespace portolan::jit {

Xbyak::Address Emitter::memory_at(const Reg64& base, std::uint32_t bytes) {
  const Xbyak::RegExp place = base + insn_.off;
  switch (bytes) {
    case 1:
      return byte[place];
    case 2:
      return word[place];
    case 4:
      return dword[place];
    default:
      return qword[place];
  }
}

void Emitter::load_immediate() {
  const Reg64 to = native(insn_.dst());
  if (insn_.src() == static_cast<std::uint8_t>(abi::PseudoLoad::kFunc)) {
    lea(to, ptr[rip + function_at(static_cast<std::int64_t>(at_) + 1 + insn_.imm)]);
  } else if (random_ != 0 && insn_.src() == 0) {
    blind(static_cast<std::int64_t>(source_.wide[at_]));
    mov(to, rdi);
  } else {
    mov(to, source_.wide[at_]);
  }
}

void Emitter::load(std::uint32_t bytes) {
  const Reg64 to = native(insn_.dst());
  const Xbyak::Address from = memory_at(native(insn_.src()), bytes);
  may_fault(OnFault::kZeroTo);
  if (bytes == 8)
    mov(to, from);
  else if (bytes == 4)
    mov(to.cvt32(), from);
  else
    movzx(to.cvt32(), from);
}

void Emitter::load_signed(std::uint32_t bytes) {
  const Reg64 to = native(insn_.dst());
  const Xbyak::Address from = memory_at(native(insn_.src()), bytes);
  may_fault(OnFault::kZeroTo);
  if (bytes == 4)
    movsxd(to, from);
  else
    movsx(to, from);
}

void Emitter::store(std::uint32_t bytes) { store_from(native(insn_.src()), bytes); }

void Emitter::store_from(const Reg64& from, std::uint32_t bytes) {
  const Xbyak::Address to = memory_at(native(insn_.dst()), bytes);
  may_fault(OnFault::kGoOn);
  switch (bytes) {
    case 1:
      return mov(to, from.cvt8());
    case 2:
      return mov(to, from.cvt16());
    case 4:
      return mov(to, from.cvt32());
    default:
      return mov(to, from);
  }
}

void Emitter::store_immediate(std::uint32_t bytes) {
  if (random_ != 0) {
    blind(insn_.imm);
    return store_from(rdi, bytes);
  }
  const std::uint32_t mask = bytes == 1 ? 0xff : bytes == 2 ? 0xffff : 0xffffffff;
  const Xbyak::Address to = memory_at(native(insn_.dst()), bytes);
  may_fault(OnFault::kGoOn);
  if (bytes == 8)
    mov(to, static_cast<std::uint64_t>(static_cast<std::int64_t>(insn_.imm)));
  else
    mov(to, static_cast<std::uint32_t>(insn_.imm) & mask);
}

void Emitter::combine(Combine how, bool is_wide) {
  const Xbyak::Address to = memory_at(native(insn_.dst()), is_wide ? 8 : 4);
  const Xbyak::Reg32e from = sized(native(insn_.src()), is_wide);
  may_fault(OnFault::kGoOn);
  lock();
  switch (how) {
    case Combine::kAdd:
      return add(to, from);
    case Combine::kOr:
      return or_(to, from);
    case Combine::kAnd:
      return and_(to, from);
    case Combine::kXor:
      return xor_(to, from);
  }
}

void Emitter::atomic_fetch_add(bool is_wide) {
  const Xbyak::Address to = memory_at(native(insn_.dst()), is_wide ? 8 : 4);
  may_fault(OnFault::kZeroFrom);
  lock();
  xadd(to, sized(native(insn_.src()), is_wide));
}

void Emitter::atomic_xchg(bool is_wide) {
  const Xbyak::Address to = memory_at(native(insn_.dst()), is_wide ? 8 : 4);
  may_fault(OnFault::kZeroFrom);
  xchg(to, sized(native(insn_.src()), is_wide));
}

void Emitter::compare_exchange(bool is_wide) {
  const Xbyak::Address to = memory_at(native(insn_.dst()), is_wide ? 8 : 4);
  may_fault(OnFault::kZeroR0);
  lock();
  cmpxchg(to, sized(native(insn_.src()), is_wide));
  if (!is_wide) mov(eax, eax);  // which is not written where it was as expected
}

// The CPU has no such instruction: compare and exchange until nobody came in between. R0 waits in r11.
void Emitter::fetch_and_combine(Combine how, bool is_wide) {
  const Reg64 source = native(insn_.src()), base = native(insn_.dst());
  const bool into_r0 = source.getIdx() == rax.getIdx();
  const Xbyak::Address to = memory_at(base.getIdx() == rax.getIdx() ? Reg64(r11) : base, is_wide ? 8 : 4);
  const Xbyak::Reg32e operand = sized(into_r0 ? Reg64(r11) : source, is_wide);
  const Xbyak::Reg32e old = sized(rax, is_wide), combined = sized(rdi, is_wide);
  const OnFault on_fault = into_r0 ? OnFault::kZeroR0 : OnFault::kRestoreR0AndZeroFrom;
  mov(r11, rax);
  may_fault(on_fault);
  mov(old, to);
  Label again;
  L(again);
  mov(combined, old);
  switch (how) {
    case Combine::kAdd:
      add(combined, operand);
      break;
    case Combine::kOr:
      or_(combined, operand);
      break;
    case Combine::kAnd:
      and_(combined, operand);
      break;
    case Combine::kXor:
      xor_(combined, operand);
      break;
  }
  may_fault(on_fault);
  lock();
  cmpxchg(to, combined);
  jne(again);
  if (!is_wide) mov(eax, eax);
  if (into_r0) return;
  mov(source, rax);
  mov(rax, r11);
}

void Emitter::load_packet(std::uint32_t bytes, bool indirect) {
  if (indirect) {
    const Reg64 index = native(insn_.src());
    lea(esi, ptr[index + insn_.imm]);
  } else {
    mov(esi, static_cast<std::uint32_t>(insn_.imm));
  }
  mov(rdi, native(6));
  using Load = helper::PacketLoad (*)(const helper::SkBuff&, std::int32_t);
  const Load one = bytes == 1   ? helper::load_packet<std::uint8_t>
                   : bytes == 2 ? helper::load_packet<std::uint16_t>
                                : helper::load_packet<std::uint32_t>;
  call_native(reinterpret_cast<const void*>(one));
  test(dl, dl);
  if (!zero_exit_) zero_exit_.emplace();
  jz(*zero_exit_);
}

void Emitter::will_land(OnFault what) {
  landings_.push_back(
      {static_cast<std::uint32_t>(getSize()), what, native(insn_.dst()), native(insn_.src()), Label()});
}

void Emitter::landings() {
  for (Landing& one : landings_) {
    recoveries_.push_back({one.at, static_cast<std::uint32_t>(getSize())});
    switch (one.what) {
      case OnFault::kGoOn:
        break;
      case OnFault::kZeroTo:
        xor_(one.to.cvt32(), one.to.cvt32());
        break;
      case OnFault::kRestoreR0AndZeroFrom:
        mov(rax, r11);
        [[fallthrough]];
      case OnFault::kZeroFrom:
        xor_(one.from.cvt32(), one.from.cvt32());
        break;
      case OnFault::kZeroR0:
        xor_(eax, eax);
        break;
    }
    jmp(one.back);
  }
  landings_.clear();
}

}  // namespace portolan::jit
