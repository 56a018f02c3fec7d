// SPDX-License-Identifier: Apache-2.0
// Sysctls: their names, what they have and what they are to have.
#include <algorithm>

#include "helper/functions.h"
#include "helper/memory.h"
#include "helper/sysctl.h"

namespace portolan::helper::functions {
namespace {

constexpr U64 kBaseName = 1;  // BPF_F_SYSCTL_BASE_NAME

// As the kernel's copy_sysctl_value(): the length, or E2BIG of what is cut off; zeros behind it.
U64 value_out(U64 to, U64 room, const void* value, std::size_t size) {
  if (size == 0) {
    clear(to, room);
    return negative(EINVAL);
  }
  const std::size_t copied = std::min<std::size_t>(room, size);
  if (!portolan_fault_copy(mutable_bytes_at(to), value, copied)) return negative(EFAULT);
  clear(to + copied, room - copied);
  if (room > size) return size;
  clear(to + room - 1, 1);
  return negative(E2BIG);
}

}  // namespace

U64 sysctl_get_name(Run&, U64 context, U64 to, U64 room, U64 flags, U64) {
  std::string_view name = at<SysctlContext>(context).name;
  if ((flags & kBaseName) != 0) name.remove_prefix(name.rfind('/') + 1);
  const std::size_t size = std::min<std::size_t>(name.size(), room - 1);
  if (!portolan_fault_copy(mutable_bytes_at(to), name.data(), size)) return negative(EFAULT);
  clear(to + size, 1);
  return size == name.size() ? size : negative(E2BIG);
}

U64 sysctl_get_current_value(Run&, U64 context, U64 to, U64 room, U64, U64) {
  const std::string_view value = at<SysctlContext>(context).current;
  return value_out(to, room, value.data(), value.size());
}

U64 sysctl_get_new_value(Run&, U64 context, U64 to, U64 room, U64, U64) {
  const auto& sysctl = at<SysctlContext>(context);
  return value_out(to, room, sysctl.new_value, sysctl.new_value == nullptr ? 0 : sysctl.new_size);
}

U64 sysctl_set_new_value(Run&, U64 context, U64 from, U64 size, U64, U64) {
  auto& sysctl = at<SysctlContext>(context);
  if (sysctl.new_value == nullptr || sysctl.new_size == 0) return negative(EINVAL);
  if (size > kMostSysctlBytes - 1) return negative(E2BIG);
  if (!portolan_fault_copy(sysctl.new_value, bytes_at(from), size)) return negative(EFAULT);
  sysctl.new_size = static_cast<std::uint32_t>(size);
  sysctl.is_replaced = true;
  return 0;
}

}  // namespace portolan::helper::functions
