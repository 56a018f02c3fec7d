// SPDX-License-Identifier: Apache-2.0
// Batches that go by the single operations: what is written back, and when, is the kernel's.
#include <utility>

#include "map/map.h"
#include "map/scratch.h"

namespace portolan::map {

using namespace abi::element_flag;

namespace {

// elem_flags before version 7.0; check_op_flags knows the later ones.
Result<void> check_batch_flags(const Map& map, std::uint64_t flags, std::uint64_t allowed) {
  if (!map.knows_cpu_flags() && (flags & ~kLock) != 0) return fail(EINVAL);
  return map.check_op_flags(flags, allowed);
}

}  // namespace

Result<void> Map::generic_lookup_batch(const BatchCall& call) {
  const abi::BatchAttr& attr = call.attr;
  TRY(check_batch_flags(*this, attr.elem_flags, kLock | kCpu));
  if (attr.count == 0) return {};
  TRY(call.put_count(0));
  Scratch first, second, third;
  std::byte* previous = TRY(first.take(key_size()));
  std::byte* key = TRY(second.take(key_size()));
  const std::uint64_t value_length = value_bytes(attr.elem_flags);
  std::byte* const value = TRY(third.take(value_length));
  bool started = attr.in_batch != 0;
  if (started) TRY(call.memory.copy_in(previous, attr.in_batch, key_size()));
  Result<void> status;
  std::uint32_t done = 0;
  while (done < attr.count) {
    status = get_next_key(started ? previous : nullptr, key);
    if (!status) break;
    const Result<void> found = lookup_elem_copy(key, value, attr.elem_flags);
    if (!found && found.error().value != ENOENT) return found;
    if (found) {
      TRY(call.memory.copy_out(attr.keys + std::uint64_t{done} * key_size(), key, key_size()));
      TRY(call.memory.copy_out(attr.values + done * value_length, value, value_length));
      ++done;
    }
    started = true;
    std::swap(previous, key);
  }
  TRY(call.put_count(done));
  if (done != 0) TRY(call.memory.copy_out(attr.out_batch, previous, key_size()));
  return status;
}

Result<void> Map::generic_update_batch(const BatchCall& call) {
  const abi::BatchAttr& attr = call.attr;
  TRY(check_batch_flags(*this, attr.elem_flags, kLock | kCpu | kAllCpus));
  if (attr.count == 0) return {};
  TRY(call.put_count(0));
  Scratch first, second;
  std::byte* const key = TRY(first.take(key_size()));
  const std::uint64_t length = value_bytes(attr.elem_flags);
  std::byte* const value = TRY(second.take(length));
  std::memset(value + length, 0, round_up(length, 8) - length);
  Result<void> status;
  std::uint32_t done = 0;
  for (; done < attr.count; ++done) {
    status = call.memory.copy_in(key, attr.keys + std::uint64_t{done} * key_size(), key_size());
    if (status) status = call.memory.copy_in(value, attr.values + done * length, length);
    if (status && takes_fds()) call.memory.resolve_fd_in(value);
    if (status) status = update_elem_copy(key, value, attr.elem_flags);
    if (!status) break;
  }
  TRY(call.put_count(done));
  return status;
}

Result<void> Map::generic_delete_batch(const BatchCall& call) {
  const abi::BatchAttr& attr = call.attr;
  TRY(check_batch_flags(*this, attr.elem_flags, kLock));
  if (attr.count == 0) return {};
  TRY(call.put_count(0));
  Scratch room;
  std::byte* const key = TRY(room.take(key_size()));
  Result<void> status;
  std::uint32_t done = 0;
  for (; done < attr.count; ++done) {
    status = call.memory.copy_in(key, attr.keys + std::uint64_t{done} * key_size(), key_size());
    if (status) status = delete_elem(key);
    if (!status) break;
  }
  TRY(call.put_count(done));
  return status;
}

}  // namespace portolan::map
