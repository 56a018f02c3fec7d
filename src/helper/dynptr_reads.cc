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

std::int32_t as_int(U64 result) { return static_cast<std::int32_t>(low(result)); }

// Where there is no memory for the whole, what is read goes by a buffer. Where nothing can be written, memory
// that cannot be read is told of first.
struct ByParts {
  Run& run;
  U64 of;
  std::uint32_t offset, size;
  U64 from;
  std::byte buffer[256];

  std::uint32_t part_at(std::uint32_t done) const {
    return std::min<std::uint32_t>(size - done, sizeof buffer);
  }
  U64 write(std::uint32_t done, std::uint32_t length) {
    return low(dynptr_write(run, of, offset + done, reinterpret_cast<std::uintptr_t>(buffer), length, 0));
  }
  U64 bytes(Read read) {
    for (std::uint32_t done = 0, part; done < size; done += part) {
      part = part_at(done);
      if (const U64 error = read(buffer, from + done, part); error != 0) return error;
      if (const U64 error = write(done, part); error != 0) return error;
    }
    return 0;
  }
  // The NUL of each part but the last is written over.
  U64 string() {
    for (std::uint32_t done = 0, part; done < size; done += part - 1) {
      part = part_at(done);
      const U64 length = read_string(buffer, from + done, part);
      if (as_int(length) < 0) return length;
      if (const U64 error = write(done, low(length)); error != 0) return error;
      if (length < part || part == 1) return done + length;
    }
    return 0;
  }
};

U64 read_to(Run& run, U64 of, U64 offset, U64 size, U64 from, Read read) {
  const auto& dynptr = at<Dynptr>(of);
  if (!dynptr.holds(low(offset), low(size))) return negative_int(E2BIG);
  std::byte* const room =
      dynptr.data == nullptr || dynptr.is_read_only() ? nullptr : dynptr.bytes(low(offset), low(size));
  if (room != nullptr) return read(room, from, low(size));
  ByParts parts{run, of, low(offset), low(size), from, {}};
  return read == read_string ? parts.string() : parts.bytes(read);
}

}  // namespace

U64 probe_read_user_dynptr(Run& run, U64 of, U64 offset, U64 size, U64 from, U64) {
  return read_to(run, of, offset, size, from, read_bytes);
}
U64 probe_read_kernel_dynptr(Run& run, U64 of, U64 offset, U64 size, U64 from, U64) {
  return read_to(run, of, offset, size, from, read_bytes);
}
U64 probe_read_user_str_dynptr(Run& run, U64 of, U64 offset, U64 size, U64 from, U64) {
  return read_to(run, of, offset, size, from, read_string);
}
U64 probe_read_kernel_str_dynptr(Run& run, U64 of, U64 offset, U64 size, U64 from, U64) {
  return read_to(run, of, offset, size, from, read_string);
}
U64 copy_from_user_dynptr(Run& run, U64 of, U64 offset, U64 size, U64 from, U64) {
  return read_to(run, of, offset, size, from, copy_bytes);
}
U64 copy_from_user_str_dynptr(Run& run, U64 of, U64 offset, U64 size, U64 from, U64) {
  return read_to(run, of, offset, size, from, read_string);
}

}  // namespace portolan::helper::functions
