// SPDX-License-Identifier: Apache-2.0
#include "btf_blob.h"

#include <cstring>

namespace portolan::conformance {
namespace {

enum Kind : std::uint32_t { kKindInt = 1, kKindArray = 3, kKindStruct = 4, kKindTypedef = 8 };
constexpr std::uint32_t kIntSigned = 1;

std::uint32_t info_of(Kind kind, std::size_t length) {
  return kind << 24 | static_cast<std::uint32_t>(length);
}

}  // namespace

std::uint32_t BtfBlob::add_name(std::string_view name) {
  if (name.empty()) return 0;
  const auto offset = static_cast<std::uint32_t>(strings_.size());
  strings_.append(name);
  strings_.push_back('\0');
  return offset;
}

BtfBlob& BtfBlob::add_raw(std::initializer_list<std::uint32_t> words) {
  types_.insert(types_.end(), words);
  return *this;
}

BtfBlob& BtfBlob::add_int(std::string_view name, std::uint32_t size, bool is_signed) {
  return add_raw({add_name(name), info_of(kKindInt, 0), size, (is_signed ? kIntSigned << 24 : 0) | size * 8});
}

BtfBlob& BtfBlob::add_struct(std::string_view name, std::uint32_t size,
                             std::initializer_list<Member> members) {
  add_raw({add_name(name), info_of(kKindStruct, members.size()), size});
  for (const Member& member : members) add_raw({add_name(member.name), member.type, member.bit_offset});
  return *this;
}

BtfBlob& BtfBlob::add_typedef(std::string_view name, std::uint32_t type) {
  return add_raw({add_name(name), info_of(kKindTypedef, 0), type});
}

BtfBlob& BtfBlob::add_array(std::uint32_t element, std::uint32_t index, std::uint32_t count) {
  return add_raw({0, info_of(kKindArray, 0), 0, element, index, count});
}

std::vector<std::byte> BtfBlob::bytes() const {
  constexpr std::uint32_t kHeaderSize = 24;
  const auto types_size = static_cast<std::uint32_t>(types_.size() * 4);
  const std::uint32_t header[] = {0x0001eb9f, kHeaderSize, 0,
                                  types_size, types_size,  static_cast<std::uint32_t>(strings_.size())};
  std::vector<std::byte> out(kHeaderSize + types_size + strings_.size());
  std::memcpy(out.data(), header, kHeaderSize);
  std::memcpy(out.data() + kHeaderSize, types_.data(), types_size);
  std::memcpy(out.data() + kHeaderSize + types_size, strings_.data(), strings_.size());
  return out;
}

std::vector<std::byte> map_types_btf() {
  return BtfBlob()
      .add_int("u32", 4)
      .add_int("u64", 8)
      .add_struct("bpf_spin_lock", 4, {{"val", kU32, 0}})
      .add_struct("locked_value", 16, {{"lock", kSpinLockType, 0}, {"count", kU32, 32}, {"sum", kU64, 64}})
      .add_struct("pair", 8, {{"a", kU32, 0}, {"b", kU32, 32}})
      .add_struct("late_lock", 16, {{"sum", kU64, 0}, {"lock", kSpinLockType, 64}, {"count", kU32, 96}})
      .add_struct("bpf_timer", 16, {{"first", kU64, 0}, {"second", kU64, 64}})
      .add_struct("timer_value", 24, {{"count", kU64, 0}, {"timer", kTimerType, 64}})
      .add_typedef("pair_t", kPair)
      .add_int("char", 1, true)
      .add_array(kChar, kU32, 16)
      .bytes();
}

}  // namespace portolan::conformance
