// SPDX-License-Identifier: Apache-2.0
// Reads of memory that may not be there. A program's kernel memory and user memory are both this process's.
#include "helper/functions.h"
#include "helper/memory.h"

namespace portolan::helper::functions {
namespace {

U64 read(U64 to, U64 size_arg, U64 from) {
  const auto size = static_cast<std::uint32_t>(size_arg);
  if (portolan_fault_copy(pointer(to), pointer(from), size)) return 0;
  clear(to, size);
  return negative(EFAULT);
}

// The length with its NUL; a string that does not fit is cut off.
U64 read_string(U64 to, U64 size_arg, U64 from) {
  const auto size = static_cast<std::uint32_t>(size_arg);
  if (size == 0) return 0;
  const long length = portolan_fault_copy_string(static_cast<char*>(pointer(to)),
                                                 static_cast<const char*>(pointer(from)), size);
  if (length < 0) {
    clear(to, size);
    return negative(EFAULT);
  }
  if (static_cast<U64>(length) < size) return static_cast<U64>(length) + 1;
  clear(to + size - 1, 1);
  return size;
}

}  // namespace

U64 probe_read(Run&, U64 to, U64 size, U64 from, U64, U64) { return read(to, size, from); }
U64 probe_read_user(Run&, U64 to, U64 size, U64 from, U64, U64) { return read(to, size, from); }
U64 probe_read_kernel(Run&, U64 to, U64 size, U64 from, U64, U64) { return read(to, size, from); }
U64 copy_from_user(Run&, U64 to, U64 size, U64 from, U64, U64) { return read(to, size, from); }
U64 probe_read_str(Run&, U64 to, U64 size, U64 from, U64, U64) { return read_string(to, size, from); }
U64 probe_read_user_str(Run&, U64 to, U64 size, U64 from, U64, U64) { return read_string(to, size, from); }
U64 probe_read_kernel_str(Run&, U64 to, U64 size, U64 from, U64, U64) { return read_string(to, size, from); }

U64 copy_from_user_str(Run&, U64 to, U64 size_arg, U64 from, U64 flags, U64) {
  constexpr U64 kPadZeros = 1;
  const auto size = static_cast<std::uint32_t>(size_arg);
  if ((flags & ~kPadZeros) != 0) return negative_int(EINVAL);
  if (size == 0) return 0;
  long length = 0;
  if (size > 1)
    length = portolan_fault_copy_string(static_cast<char*>(pointer(to)),
                                        static_cast<const char*>(pointer(from)), size - 1);
  if (length < 0) {
    if ((flags & kPadZeros) != 0) clear(to, size);
    return negative_int(EFAULT);
  }
  const auto end = static_cast<std::uint32_t>(length);
  clear(to + end, (flags & kPadZeros) != 0 ? size - end : 1);
  return end + 1;
}

}  // namespace portolan::helper::functions
