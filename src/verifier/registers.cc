// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "verifier/walk.h"

namespace portolan::verifier {

const char* name_of(RegType type) {
  switch (type) {
    case RegType::kNotInit:
      return "?";
    case RegType::kScalar:
      return "scalar";
    case RegType::kCtx:
      return "ctx";
    case RegType::kMap:
      return "map_ptr";
    case RegType::kMapKey:
      return "map_key";
    case RegType::kMapValue:
      return "map_value";
    case RegType::kStack:
      return "fp";
    case RegType::kPacketMeta:
      return "pkt_meta";
    case RegType::kPacket:
      return "pkt";
    case RegType::kPacketEnd:
      return "pkt_end";
    case RegType::kSockCommon:
      return "sock_common";
    case RegType::kSocket:
      return "sock";
    case RegType::kTcpSock:
      return "tcp_sock";
    case RegType::kMem:
      return "mem";
    case RegType::kFunc:
      return "func";
    case RegType::kDynptr:
      return "dynptr_ptr";
    case RegType::kIterator:
      return "iter";
    case RegType::kIrqFlags:
      return "irq_flag";
    case RegType::kFlowKeys:
      return "flow_keys";
    case RegType::kTracepointBuffer:
      return "tp_buffer";
    case RegType::kBuffer:
      return "buf";
    case RegType::kKernelObject:
      return "ptr_";
  }
  return "";
}

std::string to_text(const RegState& reg, std::size_t frame) {
  if (reg.is_constant()) return fmt::format("{}", static_cast<std::int64_t>(reg.bounds.value()));
  std::string details;
  const auto add = [&](const std::string& text) {
    if (text.empty()) return;
    if (!details.empty()) details += ',';
    details += text;
  };
  if (reg.type == RegType::kStack) {
    const auto offset = static_cast<std::int64_t>(reg.bounds.value()) + reg.off;
    const std::string whose = reg.frame == frame ? "" : fmt::format("[{}]", reg.frame);
    return reg.bounds.is_constant() ? fmt::format("fp{}{}", whose, offset)
                                    : fmt::format("fp{}(off={},{})", whose, reg.off, to_text(reg.bounds));
  }
  if (reg.id != 0)
    add(reg.sum_bits != 0 ? fmt::format("id={}{:+d}", reg.id, reg.off) : fmt::format("id={}", reg.id));
  if (reg.map != nullptr) {
    const std::string_view name(reg.map->name);
    add(name.empty() ? fmt::format("ks={},vs={}", reg.map->key_size, reg.map->value_size)
                     : fmt::format("map={},ks={},vs={}", name, reg.map->key_size, reg.map->value_size));
  }
  if (!reg.is_scalar() && reg.off != 0) add(fmt::format("off={}", reg.off));
  if (reg.type == RegType::kPacket || reg.type == RegType::kPacketMeta) add(fmt::format("r={}", reg.range));
  if (reg.type == RegType::kMem) add(fmt::format("sz={}", reg.mem_size));
  if (reg.is_scalar() || !reg.bounds.is_constant())
    add(to_text(reg.bounds));
  else if (reg.bounds.value() != 0)
    add(fmt::format("imm={:x}", reg.bounds.value()));
  return fmt::format("{}({})", type_text(reg), details);
}

// With what the type's name does not say.
std::string type_text(const RegState& reg) {
  if (reg.type == RegType::kKernelObject) {
    constexpr const char* kTrust[] = {"", "trusted_", "untrusted_", "user_", "percpu_"};
    return fmt::format("{}{}{}", kTrust[static_cast<unsigned>(reg.trust)], name_of(reg.type),
                       reg.maybe_null ? "or_null_" : "");
  }
  const char* name = name_of(reg.type);
  if (reg.type == RegType::kMem && reg.is_record) name = "ringbuf_mem";
  if (reg.type == RegType::kBuffer && reg.is_read_only) name = "rdonly_buf";
  if (reg.type == RegType::kMap && reg.maybe_null) name = "map_value";  // of a map that holds maps
  return fmt::format("{}{}", name, reg.maybe_null ? "_or_null" : "");
}

Result<void> Walk::check_readable(unsigned number) {
  if (number >= isa::kRegisters) return refuse(EINVAL, "R{} is invalid", number);
  touched_.registers |= 1u << number;
  if (state_.reg(number).type == RegType::kNotInit) return refuse(EACCES, "R{} !read_ok", number);
  return {};
}

Result<void> Walk::check_writable(unsigned number) {
  if (number >= isa::kRegisters) return refuse(EINVAL, "R{} is invalid", number);
  touched_.registers |= 1u << number;
  if (number == isa::kFramePointer) return refuse(EACCES, "frame pointer is read only");
  return {};
}

void Walk::give_id(RegState& number) {
  if (number.sum_bits != 0) number.unlink();
  if (number.id == 0 && !number.is_constant()) number.id = new_id();
}

void Walk::clobber_caller_saved() {
  touched_.registers |= 0x3f;
  for (unsigned number = 0; number <= 5; ++number) state_.reg(number) = RegState{};
}

}  // namespace portolan::verifier
