// SPDX-License-Identifier: Apache-2.0
// Writes BTF as bytes, well-formed or not.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace portolan::conformance {

class BtfBlob {
 public:
  struct Member {
    std::string_view name;
    std::uint32_t type;
    std::uint32_t bit_offset;
  };
  // Types get the ids 1, 2, 3 … in the order in which they are added.
  BtfBlob& add_int(std::string_view name, std::uint32_t size, bool is_signed = false);
  BtfBlob& add_struct(std::string_view name, std::uint32_t size, std::initializer_list<Member> members);
  BtfBlob& add_typedef(std::string_view name, std::uint32_t type);
  BtfBlob& add_array(std::uint32_t element, std::uint32_t index, std::uint32_t count);
  BtfBlob& add_raw(std::initializer_list<std::uint32_t> words);
  std::uint32_t add_name(std::string_view name);
  std::vector<std::byte> bytes() const;

 private:
  std::vector<std::uint32_t> types_;
  std::string strings_ = std::string(1, '\0');
};

// The types of the maps with BTF, by id.
enum TypeId : std::uint32_t {
  kU32 = 1,
  kU64 = 2,
  kSpinLockType = 3,
  kLockedValue = 4,  // struct { struct bpf_spin_lock lock; u32 count; u64 sum; }
  kPair = 5,         // struct { u32 a; u32 b; }
  kLateLock = 6,     // struct { u64 sum; struct bpf_spin_lock lock; u32 count; }
  kTimerType = 7,
  kTimerValue = 8,  // struct { u64 count; struct bpf_timer timer; }
  kPairTypedef = 9,
  kChar = 10,
  kName16 = 11,  // char[16]
};
std::vector<std::byte> map_types_btf();

}  // namespace portolan::conformance
