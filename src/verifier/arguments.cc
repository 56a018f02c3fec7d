// SPDX-License-Identifier: Apache-2.0
// Arguments of helpers: each must be what the prototype says.
#include <algorithm>

#include "verifier/helper_ids.h"
#include "verifier/map_helpers.h"
#include "verifier/walk.h"

namespace portolan::verifier {
namespace {

using helper::Arg;
namespace arg_flag = helper::arg_flag;

constexpr std::uint64_t kMostVariable = std::uint64_t{1} << 29;

bool is_tc(abi::ProgType type) {
  return type == abi::ProgType::kSchedCls || type == abi::ProgType::kSchedAct;
}

// The kernel's, of an argument that is a pointer to one.
const char* struct_of(Arg kind) {
  switch (kind) {
    case Arg::kSeqFile:
      return "seq_file";
    case Arg::kSkBuff:
      return "sk_buff";
    case Arg::kXdpBuff:
      return "xdp_buff";
    default:
      return "task_struct";
  }
}

}  // namespace

Result<void> Walk::check_type(unsigned number, const helper::Argument& argument) {
  const RegState& reg = state_.reg(number);
  // `names`: as the kernel lists what it would have taken.
  const auto expect = [&](std::initializer_list<RegType> types, const char* names) -> Result<void> {
    for (RegType type : types)
      if (reg.type == type && !reg.maybe_null) return {};
    return refuse(EACCES, "R{} type={} expected={}", number, type_text(reg), names);
  };
  constexpr const char* kMemoryNames =
      "fp, pkt, pkt_meta, map_key, map_value, mem, ringbuf_mem, buf, trusted_ptr_";
  switch (argument.kind) {
    case Arg::kConstMapPtr:
      return expect({RegType::kMap}, "map_ptr");
    case Arg::kSocket:
      return expect({RegType::kSockCommon, RegType::kSocket, RegType::kTcpSock},
                    "sock_common, sock, tcp_sock, xdp_sock");
    case Arg::kBtfSocket:
      if (reg.type == RegType::kKernelObject && !reg.maybe_null &&
          (reg.trust == Trust::kNone || reg.trust == Trust::kTrusted))
        return check_kernel_type(number, "sock_common");
      return expect({RegType::kSockCommon, RegType::kSocket, RegType::kTcpSock},
                    "sock_common, sock, tcp_sock, xdp_sock, ptr_, trusted_ptr_");
    case Arg::kCtx:
    case Arg::kCtxOfTc:
      TRY(expect({RegType::kCtx}, "ctx"));
      return check_fixed(reg, number);
    case Arg::kCtxOrSocket:
      return check_type(number,
                        {program_.type == abi::ProgType::kCgroupSockopt ? Arg::kBtfSocket : Arg::kCtx});
    case Arg::kMapKey:
    case Arg::kMapValue:
    case Arg::kMem:
      if ((argument.flags & arg_flag::kWrites) != 0 && reg.type == RegType::kBuffer && reg.is_read_only)
        return expect({}, kMemoryNames);
      return expect({RegType::kStack, RegType::kPacket, RegType::kPacketMeta, RegType::kMapKey,
                     RegType::kMapValue, RegType::kMem, RegType::kBuffer},
                    kMemoryNames);
    case Arg::kSpinLock:
    case Arg::kTimer:
    case Arg::kConstStr:
      return expect({RegType::kMapValue}, "map_value");
    case Arg::kFunc:
      return expect({RegType::kFunc}, "func");
    case Arg::kStackOrNull:
      return expect({RegType::kStack}, "fp");
    case Arg::kReserved:
      if (reg.type == RegType::kMem && !reg.is_record)
        return refuse(EACCES, "R{} type=mem expected=ringbuf_mem", number);
      return expect({RegType::kMem}, "ringbuf_mem");
    case Arg::kDynptr:
      return expect({RegType::kStack, RegType::kDynptr}, "fp, dynptr_ptr");
    case Arg::kXdpBuff:
      if (program_.type == abi::ProgType::kXdp) return check_type(number, {Arg::kCtx});
      [[fallthrough]];
    case Arg::kSeqFile:  // a program comes by none but its iterator's
    case Arg::kSkBuff:
    case Arg::kTask:
      TRY(expect({RegType::kKernelObject}, "ptr_, trusted_ptr_, rcu_ptr_"));
      return check_struct(number, struct_of(argument.kind));
    case Arg::kAllocSize:
    case Arg::kConstSize:
    case Arg::kConstSizeOrZero:
      return expect({RegType::kScalar}, "scalar");
    default:
      return refuse(EACCES, "R{} type={} is nothing that this helper takes", number, type_text(reg));
  }
}

Result<void> Walk::check_argument(unsigned number, const helper::Argument& argument, CallMeta& meta) {
  if (argument.kind == Arg::kCtxOfTc && !is_tc(program_.type)) return {};
  TRY(check_readable(number));
  if (argument.kind == Arg::kAnything) return {};
  const RegState& reg = state_.reg(number);
  const bool may_be_null = (argument.flags & arg_flag::kOrNull) != 0 || argument.kind == Arg::kStackOrNull;
  const bool is_null = may_be_null && reg.is_null();
  if (reg.is_packet() && !(meta.prototype->pkt_access && may_read_packet(program_.type)))
    return refuse(EACCES, "helper access to the packet is not allowed");
  if (is_null) depend_on(reg);
  if (!is_null) TRY(check_type(number, argument));
  if ((argument.flags & arg_flag::kReleases) != 0 && argument.kind != Arg::kDynptr)
    TRY(check_released(number, meta));
  if (reg.reference != 0) {
    if (meta.reference != 0)
      return refuse(EACCES, "more than one arg with ref_obj_id R{} {} {}", number, reg.reference,
                    meta.reference);
    meta.reference = reg.reference;
  }
  const Access kind = (argument.flags & arg_flag::kWrites) != 0 ? Access::kWrite : Access::kRead;
  switch (argument.kind) {
    case Arg::kConstMapPtr:
      if (meta.map != nullptr) TRY(check_map_of_timer(reg, "timer", meta));
      meta.map = reg.map;
      meta.map_uid = reg.map_uid;
      return {};
    case Arg::kTimer:
      return check_timer(number, map::FieldKind::kTimer, meta);
    case Arg::kMapKey:
      if (meta.map == nullptr) return refuse(EACCES, "invalid map_ptr to access map->key");
      if (has_every_index(*meta.map)) meta.key = stack_constant(reg, meta.map->key_size);
      return check_memory(number, meta.map->key_size, kind, false, meta);
    case Arg::kMapValue:
      if (is_null) return {};
      if (meta.map == nullptr) return refuse(EACCES, "invalid map_ptr to access map->value");
      return check_memory(number, meta.map->value_size, peek_reads_value(*meta.map) ? Access::kRead : kind,
                          false, meta);
    case Arg::kMem:
      if ((argument.flags & arg_flag::kFixed) == 0 || is_null) return {};  // with the size that follows
      TRY(check_memory(number, argument.fixed_size, kind, false, meta));
      if ((argument.flags & arg_flag::kAligned) != 0 && reg.type == RegType::kStack)
        TRY(check_aligned(reg, 0, argument.fixed_size));
      return {};
    case Arg::kConstSize:
    case Arg::kConstSizeOrZero: {
      // Memory comes with its size behind it.
      const helper::Argument& memory = meta.prototype->args[number - 2];
      if (meta.prototype->id == kDynptrFromMem && state_.reg(number - 1).type != RegType::kMapValue)
        return refuse(EACCES, "Unsupported reg type {} for bpf_dynptr_from_mem data",
                      name_of(state_.reg(number - 1).type));
      const Access access = (memory.flags & arg_flag::kWrites) != 0 ? Access::kWrite : Access::kRead;
      return check_sized_memory(number, argument.kind == Arg::kConstSizeOrZero, access, meta);
    }
    case Arg::kFunc:
      meta.callback = reg.mem_size;
      return {};
    case Arg::kAllocSize:
      if (!reg.bounds.is_constant()) return refuse(EACCES, "R{} is not a known constant'", number);
      depend_on(reg);
      meta.size = reg.bounds.value();
      return {};
    case Arg::kDynptr:
      return check_dynptr(number, argument, meta);
    case Arg::kConstStr:
      return check_constant_string(number);
    default:
      return {};
  }
}

Result<void> Walk::check_sized_memory(unsigned number, bool zero_is_fine, Access kind, CallMeta& meta) {
  const RegState& reg = state_.reg(number);
  const Range<std::uint64_t>& range = reg.bounds.wide;
  meta.most = static_cast<std::int64_t>(range.umax);
  depend_on(reg);
  if (range.smin < 0)
    return refuse(EACCES, "R{} min value is negative, either use unsigned or 'var &= const'", number);
  if (range.umin == 0 && !zero_is_fine)
    return refuse(EACCES, "R{} invalid zero-sized read: u64=[{},{}]", number, range.umin, range.umax);
  if (range.umax >= kMostVariable)
    return refuse(EACCES, "R{} unbounded memory access, use 'var &= const' or 'if (var < const)'", number);
  return check_memory(number - 1, range.umax, kind, zero_is_fine, meta);
}

Result<void> Walk::check_memory(unsigned number, std::uint64_t size, Access kind, bool zero_is_fine,
                                CallMeta& meta) {
  const RegState reg = state_.reg(number);
  switch (reg.type) {
    case RegType::kPacket:
    case RegType::kPacketMeta:
      if (kind == Access::kWrite && !may_write_packet(program_.type))
        return refuse(EACCES, "cannot write into packet");
      return check_packet(number, reg, 0, size, zero_is_fine);
    case RegType::kMapKey:
      if (kind == Access::kWrite) return refuse(EACCES, "R{} cannot write into map_key", number);
      return check_region(number, reg, 0, size, reg.map->key_size, zero_is_fine);
    case RegType::kMapValue:
      return check_map_value(number, reg, 0, size, kind, zero_is_fine);
    case RegType::kMem:
      if (kind == Access::kWrite && reg.is_read_only)
        return refuse(EACCES, "R{} cannot write into rdonly_mem", number);
      return check_region(number, reg, 0, size, reg.mem_size, zero_is_fine);
    case RegType::kBuffer:
      if (kind == Access::kWrite && reg.is_read_only)
        return refuse(EACCES, "R{} cannot write into {}", number, type_text(reg));
      return check_buffer(reg, number, 0, size);
    case RegType::kStack: {
      if (size == 0 && !zero_is_fine)
        return refuse(EACCES, "R{} invalid zero-sized {}", number, kind == Access::kRead ? "read" : "write");
      TRY(check_stack_bounds(number, reg, 0, size, kind));
      if (size == 0) return {};
      const std::int64_t least = reg.bounds.wide.smin + reg.off;
      const std::int64_t end = reg.bounds.wide.smax + reg.off + static_cast<std::int64_t>(size);
      if (kind == Access::kWrite)
        TRY(check_no_dynptr(reg, least, end));
      else
        TRY(check_not_opaque(reg, least, end, fmt::format("R{} ", number)));
      read_slots(reg, least, end);  // written ones, too: not all of them may be
      if (kind == Access::kWrite) TRY(forget_stack(reg, least, end, false));
      return {};
    }
    case RegType::kCtx: {
      // Only where the context is nothing but bytes.
      if (has_converted_context(program_.type) || most_context_bytes(program_.type) == 0) break;
      TRY(check_fixed(reg, number));
      if (size > most_context_bytes(program_.type))
        return refuse(EACCES, "invalid bpf_context access off=0 size={}", size);
      if (size != 0 && !check_context_access(program_.type, program_.expected_attach_type, 0, 8,
                                             kind == Access::kWrite, program_.gpl_compatible)
                            .allowed)
        break;
      facts_.max_context_offset = std::max(facts_.max_context_offset, static_cast<std::uint32_t>(size));
      return {};
    }
    default:
      if (zero_is_fine && size == 0 && reg.is_null()) {
        depend_on(reg);
        return {};
      }
      break;
  }
  (void)meta;
  return refuse(EACCES, "R{} type={} expected=fp", number, name_of(reg.type));
}

// A string that ends, in memory that nobody can write.
Result<void> Walk::check_constant_string(unsigned number) {
  const RegState& reg = state_.reg(number);
  const ReadOnlyCopy* const copy = read_only_copy(reg);
  if (!reg.map->has(abi::map_flag::kRdonlyProg) || (reg.is_direct && copy == nullptr))
    return refuse(EACCES, "R{} does not point to a readonly map'", number);
  if (!reg.bounds.is_constant()) return refuse(EACCES, "R{} is not a constant address'", number);
  if (!reg.is_direct) return refuse(EACCES, "R{} is not the address of a variable", number);
  TRY(check_map_value(number, reg, 0, 1, Access::kRead, false));
  const auto begin = copy->bytes.begin() + (reg.off + static_cast<std::int64_t>(reg.bounds.value()));
  if (std::find(begin, copy->bytes.end(), std::byte{0}) != copy->bytes.end()) return {};
  return refuse(EINVAL, "string is not zero-terminated");
}

}  // namespace portolan::verifier
