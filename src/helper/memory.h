// SPDX-License-Identifier: Apache-2.0
// Memory that a program hands to a helper. The verifier has seen to it that it is there; but it may lie in
// pages that another process can truncate, or change while they are read. So it is copied once, by copies
// that survive, and looked at afterwards.
#pragma once
#include <cstdint>
#include <cstring>

#include "base/fault_access.h"
#include "base/fault_copy.h"
#include "map/scratch.h"

namespace portolan::helper {

inline void* pointer(std::uint64_t address) {
  return reinterpret_cast<void*>(static_cast<std::uintptr_t>(address));
}
inline const std::byte* bytes_at(std::uint64_t address) {
  return static_cast<const std::byte*>(pointer(address));
}
inline std::byte* mutable_bytes_at(std::uint64_t address) {
  return static_cast<std::byte*>(pointer(address));
}

template <class T>
T& at(std::uint64_t address) {
  return *static_cast<T*>(pointer(address));
}

// As far as the memory lets itself be touched.
inline void clear(std::uint64_t address, std::uint64_t size) {
  static constexpr std::byte zeros[512] = {};
  for (std::uint64_t done = 0; done < size; done += sizeof zeros) {
    const std::uint64_t part = size - done < sizeof zeros ? size - done : sizeof zeros;
    if (!portolan_fault_copy(mutable_bytes_at(address) + done, zeros, part)) return;
  }
}

// A key or value of 4 or 8 bytes, as maps want it. False: it has another size, or cannot be read; Staged says
// which.
[[nodiscard]] inline bool take_word(std::uint64_t address, std::uint32_t size, std::uint64_t& word) {
  if (size == sizeof word) return try_load(bytes_at(address), word);
  std::uint32_t half = 0;
  if (size != sizeof half || !try_load(bytes_at(address), half)) return false;
  word = half;
  return true;
}

// A key or value as maps want them: 8-aligned, with zeros up to the next multiple of 8. EFAULT, ENOMEM.
class Staged {
 public:
  Result<std::byte*> take(std::uint64_t address, std::uint32_t size) {
    std::byte* const room = TRY(scratch_.take(size));
    if (size % 8 != 0) std::memset(room + size / 8 * 8, 0, 8);
    if (!portolan_fault_copy(room, bytes_at(address), size)) return fail(EFAULT);
    return room;
  }
  Result<std::byte*> room(std::uint32_t size) { return scratch_.take(size); }

 private:
  map::Scratch scratch_;
};

}  // namespace portolan::helper
