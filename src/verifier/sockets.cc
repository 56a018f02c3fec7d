// SPDX-License-Identifier: Apache-2.0
// Sockets as programs see them: struct bpf_sock, of some only the fields that all sockets have, and struct
// bpf_tcp_sock. They are read only, and only field by field.
#include "verifier/walk.h"

namespace portolan::verifier {
namespace {

struct SocketField {
  std::int32_t offset;
  std::uint32_t bytes;
  enum Parts : std::uint8_t { kWhole, kFromStart, kAnyPart } parts;  // which narrower loads there are
  bool is_common;
};
using enum SocketField::Parts;

constexpr SocketField kSock[] = {
    {0, 4, kWhole, true},        // bound_dev_if
    {4, 4, kFromStart, true},    // family
    {8, 4, kFromStart, false},   // type
    {12, 4, kFromStart, false},  // protocol
    {16, 4, kWhole, false},      // mark
    {20, 4, kWhole, false},      // priority
    {24, 4, kAnyPart, true},     // src_ip4
    {28, 4, kAnyPart, true},     // src_ip6
    {32, 4, kAnyPart, true},    {36, 4, kAnyPart, true},
    {40, 4, kAnyPart, true},    {44, 4, kFromStart, true},  // src_port
    {48, 2, kAnyPart, true},                                // dst_port
    {52, 4, kAnyPart, true},                                // dst_ip4
    {56, 4, kAnyPart, true},                                // dst_ip6
    {60, 4, kAnyPart, true},    {64, 4, kAnyPart, true},
    {68, 4, kAnyPart, true},    {72, 4, kFromStart, true},  // state
    {76, 4, kFromStart, true},                              // rx_queue_mapping
};
constexpr std::int32_t kDstPort = 48;  // once of four bytes, and still read so

bool is_field_of_sock(std::int32_t offset, std::uint32_t size, bool common_only) {
  if (offset == kDstPort && size == 4) return true;
  for (const SocketField& field : kSock) {
    if (offset < field.offset || offset >= field.offset + static_cast<std::int32_t>(field.bytes)) continue;
    if (common_only && !field.is_common) return false;
    if (field.parts == kWhole || (field.parts == kFromStart && offset != field.offset))
      return size == field.bytes;
    return size <= field.bytes;
  }
  return false;
}

bool is_field_of_tcp_sock(std::int32_t offset, std::uint32_t size) {
  constexpr std::int32_t kBytesReceived = 80, kBytesAcked = 88, kEnd = 112;
  if (offset >= kEnd) return false;
  return size == (offset == kBytesReceived || offset == kBytesAcked ? 8 : 4);
}

}  // namespace

Result<void> Walk::check_socket(unsigned number, const RegState& reg, std::int32_t offset,
                                std::uint32_t size) {
  const bool is_aligned = offset >= 0 && offset % static_cast<std::int32_t>(size) == 0;
  const bool is_field = reg.type == RegType::kTcpSock
                            ? is_field_of_tcp_sock(offset, size)
                            : is_field_of_sock(offset, size, reg.type == RegType::kSockCommon);
  if (is_aligned && is_field) return {};
  return refuse(EACCES, "R{} invalid {} access off={} size={}", number, type_text(reg), offset, size);
}

// A socket, or NULL. One that is another as a different type goes when that is given back.
void Walk::set_socket(RegType type, const CallMeta& meta) {
  RegState& result = state_.reg(0);
  result = RegState::pointer(type);
  result.maybe_null = true;
  result.id = new_id();
  if (meta.prototype->acquires) acquire(result);
  if (meta.prototype->casts) result.reference = meta.reference;
}

}  // namespace portolan::verifier
