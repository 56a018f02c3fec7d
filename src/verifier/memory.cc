// SPDX-License-Identifier: Apache-2.0
// Loads and stores, by what the pointer points to.
#include <algorithm>

#include "isa/insn.h"
#include "verifier/walk.h"

namespace portolan::verifier {
namespace {

using isa::Class;
using isa::Mode;

constexpr std::uint64_t kMostVariable = std::uint64_t{1} << 29;

// As the kernel names fields that programs must not touch.
const char* name_of(map::FieldKind kind) {
  switch (kind) {
    case map::FieldKind::kSpinLock:
      return "bpf_spin_lock";
    case map::FieldKind::kResSpinLock:
      return "bpf_res_spin_lock";
    case map::FieldKind::kTimer:
      return "bpf_timer";
    case map::FieldKind::kWorkQueue:
      return "bpf_wq";
    case map::FieldKind::kTaskWork:
      return "bpf_task_work";
    case map::FieldKind::kKptr:
      return "kptr";
    case map::FieldKind::kUptr:
      return "uptr";
    case map::FieldKind::kListHead:
      return "bpf_list_head";
    case map::FieldKind::kListNode:
      return "bpf_list_node";
    case map::FieldKind::kRbRoot:
      return "bpf_rb_root";
    case map::FieldKind::kRbNode:
      return "bpf_rb_node";
    case map::FieldKind::kRefcount:
      return "bpf_refcount";
  }
  return "field";
}

// Where a load is not a load of just those bytes, or the bytes lie anyhow.
bool allows_atomics(const RegState& reg) {
  return reg.type != RegType::kCtx && !reg.is_packet() && reg.type != RegType::kFlowKeys && !reg.is_socket();
}

}  // namespace

RegState Walk::number_of(std::uint32_t size, bool is_signed) {
  RegState reg = RegState::unknown();
  if (is_signed) {
    Bounds any;
    sign_extend(reg.bounds, any, size * 8, true);
  } else if (size < 8) {
    reg.bounds.bits = Tnum::unknown().low(size);
    reg.bounds.sync();
  }
  return reg;
}

Result<void> Walk::check_fixed(const RegState& reg, unsigned number) {
  if (reg.off < 0)
    return refuse(EACCES, "negative offset {} ptr R{} off={} disallowed", name_of(reg.type), number, reg.off);
  if (reg.off != 0)
    return refuse(EACCES, "dereference of modified {} ptr R{} off={} disallowed", name_of(reg.type), number,
                  reg.off);
  if (!reg.bounds.is_constant() || reg.bounds.value() != 0)
    return refuse(EACCES, "variable {} access var_off=({:#x}; {:#x}) disallowed", name_of(reg.type),
                  reg.bounds.bits.value, reg.bounds.bits.mask);
  return {};
}

// Both ends of where the variable part may lead must lie in the region.
Result<void> Walk::check_region(unsigned number, const RegState& reg, std::int64_t offset, std::uint64_t size,
                                std::uint64_t region, bool zero_is_fine) {
  const std::int64_t fixed = offset + reg.off;
  const auto is_inside = [&](std::int64_t at) {
    if (at < 0 || (size == 0 && !zero_is_fine)) return false;
    return static_cast<std::uint64_t>(at) <= region && size <= region - static_cast<std::uint64_t>(at);
  };
  const auto say = [&](std::int64_t at) {
    switch (reg.type) {
      case RegType::kMapKey:
        return refuse(EACCES, "invalid access to map key, key_size={} off={} size={}", region, at, size);
      case RegType::kMapValue:
        return refuse(EACCES, "invalid access to map value, value_size={} off={} size={}", region, at, size);
      default:
        return refuse(EACCES, "invalid access to memory, mem_size={} off={} size={}", region, at, size);
    }
  };
  const Range<std::uint64_t>& range = reg.bounds.wide;
  if (range.smin < 0 && (range.smin == std::numeric_limits<std::int64_t>::min() || range.smin + fixed < 0))
    return refuse(
        EACCES, "R{} min value is negative, either use unsigned index or do a if (index >=0) check.", number);
  if (!is_inside(range.smin + fixed)) {
    (void)say(range.smin + fixed);
    return refuse(EACCES, "R{} min value is outside of the allowed memory range", number);
  }
  if (range.umax >= kMostVariable)
    return refuse(EACCES, "R{} unbounded memory access, make sure to bounds check any such access", number);
  if (!is_inside(static_cast<std::int64_t>(range.umax) + fixed)) {
    (void)say(static_cast<std::int64_t>(range.umax) + fixed);
    return refuse(EACCES, "R{} max value is outside of the allowed memory range", number);
  }
  return {};
}

Result<void> Walk::check_map_value(unsigned number, const RegState& reg, std::int32_t offset,
                                   std::uint64_t size, Access kind, bool zero_is_fine) {
  const map::MapSpec& spec = *reg.map;
  if (kind == Access::kWrite && spec.has(abi::map_flag::kRdonlyProg))
    return refuse(EACCES, "write into map forbidden, value_size={} off={} size={}", spec.value_size,
                  reg.off + offset, size);
  if (kind == Access::kRead && spec.has(abi::map_flag::kWronlyProg))
    return refuse(EACCES, "read from map forbidden, value_size={} off={} size={}", spec.value_size,
                  reg.off + offset, size);
  TRY(check_region(number, reg, offset, size, spec.value_size, zero_is_fine));
  const std::int64_t first = reg.bounds.wide.smin + reg.off + offset;
  const std::int64_t end =
      static_cast<std::int64_t>(reg.bounds.wide.umax) + reg.off + offset + static_cast<std::int64_t>(size);
  for (std::uint32_t i = 0; i < spec.field_count; ++i) {
    const map::ValueField& field = spec.fields[i];
    if (first < field.offset + field.size && field.offset < end)
      return refuse(EACCES, "{} cannot be accessed directly by load/store", name_of(field.kind));
  }
  return {};
}

Result<void> Walk::check_packet(unsigned number, const RegState& reg, std::int32_t offset, std::uint64_t size,
                                bool zero_is_fine) {
  if (reg.bounds.wide.smin < 0)
    return refuse(
        EACCES, "R{} min value is negative, either use unsigned index or do a if (index >=0) check.", number);
  const std::int64_t at = std::int64_t{reg.off} + offset;
  const bool is_inside =
      at >= 0 && (size != 0 || zero_is_fine) && at + static_cast<std::int64_t>(size) <= reg.range;
  if (is_inside) return {};
  if (reg.range < 0) return refuse(EINVAL, "R{} offset is outside of the packet", number);
  (void)refuse(EACCES, "invalid access to packet, off={} size={}, R{}(id={},off={},r={})", at, size, number,
               reg.id, reg.off, reg.range);
  return refuse(EACCES, "R{} offset is outside of the packet", number);
}

Result<RegState> Walk::context_value(const RegState& reg, unsigned number, std::int32_t offset,
                                     std::uint32_t size, Access kind) {
  TRY(check_fixed(reg, number));
  if (target_.types != nullptr) {
    RegState value = TRY(attached_value(offset, size, kind));
    touch_context(offset, size);
    return value;
  }
  const ContextAccess access = check_context_access(program_.type, program_.expected_attach_type, offset,
                                                    size, kind == Access::kWrite, program_.gpl_compatible);
  if (offset < 0 || !access.allowed)
    return refuse(EACCES, "invalid bpf_context access off={} size={}", offset, size);
  touch_context(offset, size);
  switch (access.value) {
    case ContextValue::kPacket:
      return RegState::pointer(RegType::kPacket);
    case ContextValue::kPacketMeta:
      return RegState::pointer(RegType::kPacketMeta);
    case ContextValue::kPacketEnd:
      return RegState::pointer(RegType::kPacketEnd);
    case ContextValue::kFlowKeys:
      return RegState::pointer(RegType::kFlowKeys);
    case ContextValue::kTracepointBuffer:
      return RegState::pointer(RegType::kTracepointBuffer);
    case ContextValue::kSkBuff:
      return kernel_object("sk_buff");
    case ContextValue::kHookState:
      return kernel_object("nf_hook_state");
    case ContextValue::kSocket:
      return RegState::pointer(RegType::kSocket);
    case ContextValue::kSocketOrNull:
    case ContextValue::kSockCommonOrNull: {
      RegState sock = RegState::pointer(access.value == ContextValue::kSocketOrNull ? RegType::kSocket
                                                                                    : RegType::kSockCommon);
      sock.maybe_null = true;
      sock.id = new_id();
      return sock;
    }
    case ContextValue::kScalar:
      break;
  }
  return number_of(size, false);
}

const ReadOnlyCopy* Walk::read_only_copy(const RegState& reg) const {
  for (const ReadOnlyCopy& copy : facts_.read_only_copies)
    if (&facts_.maps[copy.map]->spec() == reg.map) return &copy;
  return nullptr;
}

// Of a map that nobody can change any more, the bytes themselves.
Result<RegState> Walk::map_constant(const RegState& reg, std::int32_t offset, std::uint32_t size) const {
  const std::int64_t at = static_cast<std::int64_t>(reg.bounds.value()) + reg.off + offset;
  const ReadOnlyCopy* const copy = read_only_copy(reg);
  if (copy == nullptr || static_cast<std::size_t>(at) + size > copy->bytes.size()) return fail(ENOENT);
  std::uint64_t value = 0;
  std::memcpy(&value, copy->bytes.data() + at, size);
  return RegState::number(value);
}

// What the maps in it are like; nullptr: it holds values.
const map::MapSpec* Walk::inner_map(const map::MapSpec& spec) const {
  for (const map::Map* map : facts_.maps)
    if (&map->spec() == &spec) return map->inner_spec();
  return nullptr;
}

Result<void> Walk::check_aligned(const RegState& reg, std::int32_t offset, std::uint32_t size) {
  // The Ethernet header lies so that what follows it is aligned.
  constexpr unsigned kPacketShift = 2;
  const bool is_in_packet = reg.type == RegType::kPacket || reg.type == RegType::kPacketMeta;
  const std::int64_t at = std::int64_t{reg.off} + offset + (is_in_packet ? kPacketShift : 0);
  if ((reg.bounds.bits + Tnum::constant(static_cast<std::uint64_t>(at))).is_aligned(size)) return {};
  const std::string bits = to_text(reg.bounds.bits);
  if (is_in_packet)
    return refuse(EACCES, "misaligned packet access off {}+{}+{}+{} size {}", kPacketShift, bits, reg.off,
                  offset, size);
  const char* const what = reg.type == RegType::kStack      ? "stack "
                           : reg.type == RegType::kCtx      ? "context "
                           : reg.type == RegType::kMapValue ? "value "
                           : reg.type == RegType::kMapKey   ? "key "
                                                            : "";
  return refuse(EACCES, "misaligned {}access off {}+{}+{} size {}", what, bits, reg.off, offset, size);
}

Result<void> Walk::access(unsigned base, std::int32_t offset, std::uint32_t size, Access kind, int to,
                          bool is_signed, const RegState* stored, bool is_atomic) {
  const RegState reg = state_.reg(base);
  InsnFacts& facts = facts_.insns[at_];
  if (reg.maybe_null) return refuse(EACCES, "R{} invalid mem access '{}'", base, type_text(reg));
  RegState loaded = number_of(size, is_signed);
  if (reg.type == RegType::kStack || is_atomic || (program_.flags & abi::prog_flag::kStrictAlignment) != 0)
    TRY(check_aligned(reg, offset, size));
  switch (reg.type) {
    case RegType::kMapKey:
      if (kind == Access::kWrite) return refuse(EACCES, "write to change key R{} not allowed", base);
      TRY(check_region(base, reg, offset, size, reg.map->key_size, false));
      break;
    case RegType::kMapValue:
      TRY(check_map_value(base, reg, offset, size, kind, false));
      facts.may_fault |= reg.map->has(abi::map_flag::kMmapable);
      if (kind == Access::kRead && reg.is_direct && reg.bounds.is_constant()) {
        if (const Result<RegState> constant = map_constant(reg, offset, size)) {
          loaded = *constant;
          if (is_signed) {
            loaded = RegState::unknown();
            sign_extend(loaded.bounds, constant->bounds, size * 8, true);
          }
        }
      }
      break;
    case RegType::kMem:
      if (kind == Access::kWrite && reg.is_read_only)
        return refuse(EACCES, "R{} cannot write into rdonly_mem", base);
      TRY(check_region(base, reg, offset, size, reg.mem_size, false));
      // Records lie in pages that others map; a dynptr's bytes, and what a global function is given, may.
      facts.may_fault = true;
      break;
    case RegType::kCtx:
      loaded = TRY(context_value(reg, base, offset, size, kind));
      if (is_signed) {
        if (!loaded.is_scalar())
          return refuse(EACCES, "invalid bpf_context access off={} size={}", offset, size);
        loaded = number_of(size, true);
      }
      break;
    case RegType::kStack:
      TRY(check_stack_bounds(base, reg, offset, size, kind));
      if (kind == Access::kWrite) {
        TRY(write_stack(base, offset, size, stored));
      } else {
        loaded = TRY(read_stack(base, offset, size, is_signed));
        if (is_signed) {
          const RegState before = loaded;
          loaded = RegState::unknown();
          sign_extend(loaded.bounds, before.is_scalar() ? before.bounds : Bounds{}, size * 8, true);
          loaded.from = before.from;
        }
      }
      break;
    case RegType::kSockCommon:
    case RegType::kSocket:
    case RegType::kTcpSock:
      if (kind == Access::kWrite) return refuse(EACCES, "R{} cannot write into {}", base, type_text(reg));
      TRY(check_socket(base, reg, offset, size));
      break;
    case RegType::kPacket:
    case RegType::kPacketMeta:
      if (kind == Access::kWrite && !may_write_packet(program_.type))
        return refuse(EACCES, "cannot write into packet");
      TRY(check_packet(base, reg, offset, size, false));
      break;
    case RegType::kFlowKeys:
      TRY(check_flow_keys(reg, offset, size));
      break;
    case RegType::kTracepointBuffer:
      TRY(check_buffer(reg, base, offset, size));
      facts.may_fault = true;
      break;
    case RegType::kBuffer:
      if (kind == Access::kWrite && reg.is_read_only)
        return refuse(EACCES, "R{} cannot write into {}", base, type_text(reg));
      TRY(check_buffer(reg, base, offset, size));
      facts.may_fault = true;
      break;
    case RegType::kKernelObject:
      loaded = TRY(load_kernel_object(reg, base, offset, size, kind));
      if (is_signed && loaded.is_scalar()) loaded = number_of(size, true);
      facts.may_fault = true;
      break;
    case RegType::kMap:
      loaded = TRY(load_map(reg, base, offset, size, kind));
      if (is_signed && loaded.is_scalar()) loaded = number_of(size, true);
      break;
    default:
      return refuse(EACCES, "R{} invalid mem access '{}'", base, type_text(reg));
  }
  // What becomes of the instruction depends on what it goes through.
  const bool is_converted = reg.type == RegType::kCtx || reg.type == RegType::kMap || reg.is_socket();
  const RegType through = is_converted ? reg.type : RegType::kNotInit;
  if (facts.seen_access && facts.through != through)
    return refuse(EINVAL, "same insn cannot be used with different pointers");
  facts.seen_access = true;
  facts.through = through;
  if (kind == Access::kRead && to >= 0) state_.reg(static_cast<unsigned>(to)) = loaded;
  return {};
}

Result<void> Walk::load(const abi::Insn& insn) {
  TRY(check_readable(insn.src()));
  TRY(check_writable(insn.dst()));
  return access(insn.src(), insn.off, isa::bytes_of(isa::size_of(insn)), Access::kRead, insn.dst(),
                isa::mode_of(insn) == Mode::kMemSx);
}

Result<void> Walk::store(const abi::Insn& insn) {
  TRY(check_readable(insn.dst()));
  const std::uint32_t size = isa::bytes_of(isa::size_of(insn));
  if (isa::class_of(insn) == Class::kStx) {
    TRY(check_readable(insn.src()));
    return access(insn.dst(), insn.off, size, Access::kWrite, -1, false, &state_.reg(insn.src()));
  }
  const RegState constant = RegState::number(static_cast<std::uint64_t>(std::int64_t{insn.imm}));
  return access(insn.dst(), insn.off, size, Access::kWrite, -1, false, &constant);
}

Result<void> Walk::atomic(const abi::Insn& insn) {
  const std::uint32_t size = isa::bytes_of(isa::size_of(insn));
  if (insn.imm == isa::atomic::kLoadAcquire || insn.imm == isa::atomic::kStoreRelease) {
    const bool loads = insn.imm == isa::atomic::kLoadAcquire;
    const unsigned base = loads ? insn.src() : insn.dst(), other = loads ? insn.dst() : insn.src();
    TRY(check_readable(base));
    if (loads)
      TRY(check_writable(other));
    else
      TRY(check_readable(other));
    const RegState& reg = state_.reg(base);
    if (!allows_atomics(reg))
      return refuse(EACCES, "BPF_ATOMIC {} R{} {} is not allowed", loads ? "loads from" : "stores into", base,
                    name_of(reg.type));
    if (loads)
      return access(base, insn.off, size, Access::kRead, static_cast<int>(other), false, nullptr, true);
    return access(base, insn.off, size, Access::kWrite, -1, false, &state_.reg(other), true);
  }
  TRY(check_readable(insn.src()));
  TRY(check_readable(insn.dst()));
  const bool exchanges = insn.imm == isa::atomic::kCompareExchange;
  if (exchanges) TRY(check_readable(0));
  const RegState& reg = state_.reg(insn.dst());
  if (!allows_atomics(reg))
    return refuse(EACCES, "BPF_ATOMIC stores into R{} {} is not allowed", insn.dst(), name_of(reg.type));
  int result = -1;
  if (exchanges)
    result = 0;
  else if ((insn.imm & isa::atomic::kFetch) != 0)
    result = insn.src();
  if (result > 0) TRY(check_writable(static_cast<unsigned>(result)));
  // Read first, then written, with what was loaded in its register: the place must allow both, and still be
  // pointed at.
  TRY(access(insn.dst(), insn.off, size, Access::kRead, result, false, nullptr, true));
  TRY(access(insn.dst(), insn.off, size, Access::kWrite, -1, false, nullptr, true));
  return {};
}

// Bytes of a packet as classic BPF read them: R6 holds the context, and the function ends with 0 where there
// are none.
Result<void> Walk::load_packet(const abi::Insn& insn) {
  const bool is_indirect = isa::mode_of(insn) == Mode::kInd;
  using enum abi::ProgType;
  if (program_.type != kSocketFilter && program_.type != kSchedCls && program_.type != kSchedAct)
    return refuse(EINVAL, "BPF_LD_[ABS|IND] instructions not allowed for this program type");
  TRY(check_readable(6));
  if (state_.lock.map != nullptr)
    return refuse(EINVAL, "BPF_LD_[ABS|IND] cannot be used inside bpf_spin_lock-ed region");
  TRY(check_nothing_held("BPF_LD_[ABS|IND]"));
  if (state_.reg(6).type != RegType::kCtx)
    return refuse(EINVAL, "at the time of BPF_LD_ABS|IND R6 != pointer to skb");
  if (is_indirect) TRY(check_readable(insn.src()));
  TRY(check_fixed(state_.reg(6), 6));
  TRY(leave_early(RegState::number(0), false));
  clobber_caller_saved();
  state_.reg(0) = RegState::unknown();
  return {};
}

Result<void> Walk::load_immediate(const abi::Insn& insn) {
  TRY(check_writable(insn.dst()));
  const abi::Insn& high = program_.insns[at_ + 1];
  RegState& reg = state_.reg(insn.dst());
  switch (static_cast<abi::PseudoLoad>(insn.src())) {
    case abi::PseudoLoad::kNone:
      reg = RegState::number(static_cast<std::uint32_t>(insn.imm) |
                             std::uint64_t{static_cast<std::uint32_t>(high.imm)} << 32);
      return {};
    case abi::PseudoLoad::kMapIdx:
      reg = RegState::pointer(RegType::kMap);
      reg.map = &facts_.maps[static_cast<std::size_t>(insn.imm)]->spec();
      return {};
    case abi::PseudoLoad::kMapIdxValue:
      reg = RegState::pointer(RegType::kMapValue);
      reg.map = &facts_.maps[static_cast<std::size_t>(insn.imm)]->spec();
      reg.off = high.imm;
      reg.is_direct = true;
      return {};
    case abi::PseudoLoad::kFunc: {
      const std::uint32_t function = structure_.function_at(at_ + 1 + static_cast<std::uint32_t>(insn.imm));
      const btf::Type* type = function_at(program_, structure_.functions[function].start);
      if (type == nullptr) return refuse(EINVAL, "missing btf func_info");
      if (abi::btf::vlen(*type) != static_cast<std::uint32_t>(abi::btf::FuncLinkage::kStatic))
        return refuse(EINVAL, "callback function not static");
      reg = RegState::pointer(RegType::kFunc);
      reg.mem_size = function;
      return {};
    }
    default:
      return refuse(EINVAL, "unrecognized bpf_ld_imm64 insn");
  }
}

}  // namespace portolan::verifier
