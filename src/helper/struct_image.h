// SPDX-License-Identifier: Apache-2.0
// A struct of the kernel's for programs to read that are given one: its bytes lie where the runtime's
// kernel types have them, for that is what the program was compiled, or relocated, for. What nobody sets
// is zero.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "btf/btf.h"
#include "object/runtime.h"

namespace portolan::helper {

class StructImage {
 public:
  // ENOENT …: the runtime's kernel types have none of that name.
  static Result<StructImage> create(object::Runtime& runtime, const char* name);

  // As many of the member's bytes as there are of `from`, the lowest first; of a number, as many of its bits
  // as the member has. Members that this kernel has not are passed over.
  void set(std::string_view member, ConstBytes from);
  void set(std::string_view member, std::uint64_t value);
  void set(std::string_view member, const StructImage& pointed_to) { set(member, pointed_to.address()); }
  // Stays, wherever this object is moved.
  std::uint64_t address() const { return reinterpret_cast<std::uintptr_t>(bytes_.data()); }
  std::span<const std::uint64_t> words() const { return bytes_; }

 private:
  StructImage(const btf::Btf& types, std::uint32_t id, std::size_t bytes)
      : types_(&types), id_(id), bytes_(round_up(bytes, 8) / 8) {}
  const btf::Btf* types_;
  std::uint32_t id_;
  std::vector<std::uint64_t> bytes_;
};

// A number that is a member of a struct of the kernel's, as a program is given one, which lies at that
// address. ENOENT …: the kernel types have no such member; EFAULT: nothing is there.
Result<std::uint64_t> read_member(object::Runtime& runtime, const char* struct_name, std::string_view member,
                                  std::uint64_t address);

}  // namespace portolan::helper
