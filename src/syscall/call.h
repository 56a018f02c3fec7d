// SPDX-License-Identifier: Apache-2.0
// One bpf(2) call, as its command sees it.
#pragma once
#include "abi/attr.h"
#include "map/map.h"
#include "map/scratch.h"
#include "object/runtime.h"
#include "syscall/caller.h"

namespace portolan::syscall {

template <class C>
struct CallOf {
  object::Runtime& runtime;
  C& caller;
  const abi::Attr& attr;  // the bytes that the command reads; what the caller left out is zero
  std::uint64_t address;  // of attr in the caller's memory
  std::uint32_t size;     // of attr, as the caller says

  Result<object::Target> target(std::uint32_t fd, object::Kind kind) const {
    const int own = TRY(caller.resolve_fd(static_cast<int>(fd)));
    return runtime.target_of_fd(own, kind);
  }
  // Writes a field of attr back.
  template <class T>
  Result<void> put(std::size_t offset, T value) const {
    return caller.copy_out(address + offset, &value, sizeof value);
  }
};
using Call = CallOf<Caller>;

// A map as one of the caller's fds gives it.
struct MapFd {
  map::Map* map;
  shm::Access access;
  bool can_read() const { return access != shm::Access::kWriteOnly; }
  bool can_write() const { return access != shm::Access::kReadOnly && !map->is_frozen(); }
};

template <class C>
inline Result<MapFd> map_of(const CallOf<C>& call, std::uint32_t fd) {
  const object::Target target = TRY(call.target(fd, object::Kind::kMap));
  return MapFd{static_cast<map::Map*>(target.view), target.access};
}

// The key at `address` in the caller's memory, staged in `room`. EINVAL: a key for a map that has none.
template <class C>
inline Result<const std::byte*> stage_key(const CallOf<C>& call, const map::Map& map, std::uint64_t address,
                                          map::Scratch& room) {
  if (map.key_size() == 0 && address != 0) [[unlikely]]
    return fail(EINVAL);
  std::byte* const key = TRY(room.take(map.key_size()));
  TRY(call.caller.copy_in(key, address, map.key_size()));
  return key;
}

// BPF_F_RDONLY and BPF_F_WRONLY as the mode of an fd (bpf_get_file_flag). EINVAL: both.
inline Result<shm::Access> access_of(std::uint32_t flags) {
  const bool reads = (flags & abi::map_flag::kRdonly) != 0, writes = (flags & abi::map_flag::kWronly) != 0;
  if (reads && writes) return fail(EINVAL);
  return reads ? shm::Access::kReadOnly : writes ? shm::Access::kWriteOnly : shm::Access::kReadWrite;
}

inline constexpr std::uint32_t kFileFlags = abi::map_flag::kRdonly | abi::map_flag::kWronly;

// A name as the kernel takes one (bpf_obj_name_cpy): letters (Latin-1), digits, '_' and '.', with a NUL; what
// follows it becomes zeros. EINVAL.
Result<void> copy_name(char (&to)[abi::kObjNameLen], const char (&from)[abi::kObjNameLen]);

// E2BIG: a byte of the caller's struct behind `known` bytes is not zero, or it is longer than a page.
Result<void> check_tail_is_zero(Caller& caller, std::uint64_t address, std::uint32_t known,
                                std::uint32_t size);

using Handler = Result<long>(const Call& call);
#define COMMAND(number, handler, ...) Handler handler;
#define HOT_COMMAND(number, handler, ...) \
  template <class C>                      \
  Result<long> handler(const CallOf<C>& call);
#define COMMAND_NOT_YET(...)
#include "syscall/commands.def"
#undef COMMAND
#undef HOT_COMMAND
#undef COMMAND_NOT_YET

}  // namespace portolan::syscall
