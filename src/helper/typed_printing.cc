// SPDX-License-Identifier: Apache-2.0
// bpf_snprintf_btf and bpf_seq_printf_btf: memory as one of the kernel's types says.
#include <string>
#include <vector>

#include "btf/print.h"
#include "helper/functions.h"
#include "helper/kernel_btf.h"
#include "helper/memory.h"

namespace portolan::helper::functions {
namespace {

constexpr std::uint64_t kAllFlags = abi::btf::show_flag::kCompact | abi::btf::show_flag::kNoname |
                                    abi::btf::show_flag::kPtrRaw | abi::btf::show_flag::kZero;
constexpr std::uint32_t kMostBytes = 1 << 20;  // no struct of a kernel is as large

struct BtfPtr {  // struct btf_ptr
  std::uint64_t address;
  std::uint32_t type_id;
  std::uint32_t flags;
};

// As bpf_btf_printf_prepare: EINVAL, ENOENT. ERANGE, EFAULT: nothing can be read there, which would be no
// address of the kernel's, or would.
Result<std::string> typed_text(Run& run, U64 what, U64 size, U64 flags) {
  if ((flags & ~kAllFlags) != 0 || static_cast<std::uint32_t>(size) != sizeof(BtfPtr)) return fail(EINVAL);
  BtfPtr pointed;
  if (!portolan_fault_copy(&pointed, pointer(what), sizeof pointed)) return fail(EFAULT);
  const Result<const btf::Btf*> types = kernel_btf(run.runtime);
  const std::uint32_t id = pointed.type_id;
  if (!types || id == 0) return fail(EINVAL);
  if ((*types)->type(id) == nullptr) return fail(ENOENT);
  const std::uint32_t bytes = (*types)->size_of(id).value_or(0);
  if (bytes > kMostBytes) return fail(E2BIG);
  std::vector<std::byte> copy(bytes);
  if (!portolan_fault_copy(copy.data(), pointer(pointed.address), bytes))
    return fail(pointed.address >> 63 == 0 ? ERANGE : EFAULT);
  std::string text;
  TRY(btf::print_value(**types, id, copy, flags, text));
  return text;
}

}  // namespace

// The length of the whole text, of which as much as fits is there, with a NUL.
U64 snprintf_btf(Run& run, U64 to, U64 size_arg, U64 what, U64 what_size, U64 flags) {
  const auto text = typed_text(run, what, what_size, flags);
  if (!text) return negative(text.error().value);
  const std::size_t kept = std::min<std::size_t>(text->size(), static_cast<std::uint32_t>(size_arg) - 1);
  if (!portolan_fault_copy(pointer(to), text->data(), kept)) return negative(EFAULT);
  clear(to + kept, 1);
  return text->size();
}

// Where it has no room, the iterator finds that out.
U64 seq_printf_btf(Run& run, U64, U64 what, U64 what_size, U64 flags, U64) {
  const auto text = typed_text(run, what, what_size, flags);
  if (!text) return negative(text.error().value);
  if (run.attachment == nullptr || run.attachment->seq_file == nullptr) return negative(EINVAL);
  (void)run.attachment->seq_file->write(*text);
  return 0;
}

}  // namespace portolan::helper::functions
