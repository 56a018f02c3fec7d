// SPDX-License-Identifier: Apache-2.0
#include "map/fd_array.h"

namespace portolan::map {

using namespace abi::element_flag;
using namespace abi::map_flag;

// What programs may do to a map of objects is not theirs to choose.
Result<void> FdArrayMap::alloc_check(const MapSpec& spec, std::uint32_t) {
  if (spec.value_size != sizeof(std::uint32_t) || spec.has(kRdonlyProg) || spec.has(kWronlyProg))
    return fail(EINVAL);
  return check_sizes(spec);
}

Result<void> FdArrayMap::lookup_elem_copy(const std::byte* key, std::byte* value, std::uint64_t) {
  const std::uint32_t id = references_.id_at(index_of(key));
  if (id == 0) return fail(ENOENT);
  std::memcpy(value, &id, sizeof id);
  return {};
}

Result<void> FdArrayMap::update_elem_copy(const std::byte* key, const std::byte* value, std::uint64_t flags) {
  if (flags != kAny) return fail(EINVAL);
  const std::uint32_t index = index_of(key);
  if (index >= max_entries()) return fail(E2BIG);
  const std::uint32_t id = TRY(fd_get_ptr(load_unaligned<int>(value)));
  const auto before = references_.exchange(index, id);
  if (!before) return fail(before.error().value == ENOENT ? EBADF : before.error().value);
  references_.release(*before);
  return {};
}

Result<void> FdArrayMap::delete_elem(const std::byte* key) {
  const std::uint32_t index = index_of(key);
  if (index >= max_entries()) return fail(E2BIG);
  const std::uint32_t before = TRY(references_.exchange(index, 0));
  if (before == 0) return fail(ENOENT);
  references_.release(before);
  return {};
}

std::uint64_t FdArrayMap::mem_usage() const { return state().size(); }

}  // namespace portolan::map
