// SPDX-License-Identifier: Apache-2.0
// Kfuncs that read memory which may not be there to what a dynptr holds. As for probe reads, a program's
// kernel memory and user memory are both this process's.
#include <algorithm>

#include "helper/dynptr.h"
#include "helper/functions.h"
#include "helper/memory.h"

namespace portolan::helper::functions {
namespace {

std::uint32_t low(U64 number) { return static_cast<std::uint32_t>(number); }

// What a kfunc returns that reads so many bytes to `to`.
using Read = U64 (*)(std::byte* to, U64 from, std::uint32_t size);

U64 read_bytes(std::byte* to, U64 from, std::uint32_t size) {
  return portolan_fault_copy(to, pointer(from), size) ? 0 : negative_int(EFAULT);
}

// What could be read stays, and zeros are behind it.
U64 copy_bytes(std::byte* to, U64 from, std::uint32_t size) {
  if (portolan_fault_copy(to, pointer(from), size)) return 0;
  for (std::uint32_t done = 0; done < size; ++done)
    if (!portolan_fault_copy(to + done, bytes_at(from) + done, 1)) {
      clear(reinterpret_cast<std::uintptr_t>(to) + done, size - done);
      break;
    }
  return negative_int(EFAULT);
}

// The length with its NUL; a string that does not fit is cut off.
U64 read_string(std::byte* to, U64 from, std::uint32_t size) {
  if (size == 0) return 0;
  const long length =
      portolan_fault_copy_string(reinterpret_cast<char*>(to), static_cast<const char*>(pointer(from)), size);
  if (length < 0) return negative_int(EFAULT);
  if (static_cast<U64>(length) < size) return static_cast<U64>(length) + 1;
  clear(reinterpret_cast<std::uintptr_t>(to) + size - 1, 1);
  return size;
}

// Where nothing can be written, memory that cannot be read is told of first.
U64 read_to(U64 of, U64 offset, U64 size, U64 from, Read read) {
  const auto& dynptr = at<Dynptr>(of);
  if (!dynptr.holds(low(offset), low(size))) return negative_int(E2BIG);
  std::byte* const room =
      dynptr.data == nullptr || dynptr.is_read_only() ? nullptr : dynptr.bytes(low(offset), low(size));
  if (room != nullptr) return read(room, from, low(size));
  if (low(size) == 0) return 0;
  std::byte piece[256];
  const auto error =
      static_cast<std::int32_t>(low(read(piece, from, std::min<std::uint32_t>(low(size), sizeof piece))));
  return error < 0 ? low(static_cast<U64>(error)) : negative_int(EINVAL);
}

}  // namespace

U64 probe_read_user_dynptr(Run&, U64 of, U64 offset, U64 size, U64 from, U64) {
  return read_to(of, offset, size, from, read_bytes);
}
U64 probe_read_kernel_dynptr(Run&, U64 of, U64 offset, U64 size, U64 from, U64) {
  return read_to(of, offset, size, from, read_bytes);
}
U64 probe_read_user_str_dynptr(Run&, U64 of, U64 offset, U64 size, U64 from, U64) {
  return read_to(of, offset, size, from, read_string);
}
U64 probe_read_kernel_str_dynptr(Run&, U64 of, U64 offset, U64 size, U64 from, U64) {
  return read_to(of, offset, size, from, read_string);
}
U64 copy_from_user_dynptr(Run&, U64 of, U64 offset, U64 size, U64 from, U64) {
  return read_to(of, offset, size, from, copy_bytes);
}
U64 copy_from_user_str_dynptr(Run&, U64 of, U64 offset, U64 size, U64 from, U64) {
  return read_to(of, offset, size, from, read_string);
}

}  // namespace portolan::helper::functions
