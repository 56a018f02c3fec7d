// SPDX-License-Identifier: Apache-2.0
// Stack traces: of the thread that runs the program, in user space. There is no other stack.
#include <algorithm>
#include <vector>

#include "abi/limits.h"
#include "abi/map_flags.h"
#include "ds/jhash.h"
#include "helper/call_chain.h"
#include "helper/functions.h"
#include "helper/memory.h"
#include "map/stack_trace.h"

namespace portolan::helper::functions {
namespace {

using namespace abi::stack_flag;

std::vector<abi::StackBuildId> build_ids(std::span<const std::uint64_t> frames) {
  std::vector<abi::StackBuildId> ids(frames.size());
  std::transform(frames.begin(), frames.end(), ids.begin(), build_id_of);
  return ids;
}

}  // namespace

U64 get_stackid(Run& run, U64, U64 map_arg, U64 flags, U64, U64) {
  if ((flags & ~(kSkipMask | kUserStack | kFastStackCmp | kReuseStackid)) != 0) return negative(EINVAL);
  if ((flags & kUserStack) == 0) return negative(EFAULT);
  map::StackTraceMap& map = *at<map::Map>(map_arg).stack_traces();
  const auto skip = static_cast<std::uint32_t>(flags & kSkipMask);
  std::uint64_t room[abi::kMaxStackFrames];
  const std::uint32_t most = std::min(map.most_frames() + skip, abi::kMaxStackFrames);
  const std::uint32_t count = call_chain({room, most}, run.frame);
  if (count <= skip) return negative(EFAULT);
  const std::span<const std::uint64_t> frames(room + skip, std::min(count - skip, map.most_frames()));
  const auto size = static_cast<std::uint32_t>(frames.size_bytes());
  const std::uint32_t hash =
      ds::jhash2(reinterpret_cast<const std::byte*>(frames.data()), size / 4, ds::kJhashStart + size);
  std::vector<abi::StackBuildId> ids;
  ds::StackTable::Trace trace{hash, size, frames.data()};
  if (map.has_build_ids()) {
    ids = build_ids(frames);
    trace = {hash, static_cast<std::uint32_t>(ids.size() * sizeof ids[0]), ids.data()};
  }
  const auto number = map.table().put(run.actor, trace,
                                      {.by_hash_only = (flags & kFastStackCmp) != 0,
                                       .may_replace = (flags & kReuseStackid) != 0,
                                       .needs_room = map.has_build_ids()});
  return number ? *number : negative(number.error().value);
}

// Whatever happens, no byte of the buffer stays as it was.
U64 get_stack(Run& run, U64, U64 to, U64 size_arg, U64 flags, U64) {
  const auto size = static_cast<std::uint32_t>(size_arg);
  const auto fail_with = [&](int error) {
    clear(to, size);
    return negative(error);
  };
  if ((flags & ~(kSkipMask | kUserStack | kUserBuildId)) != 0) return fail_with(EINVAL);
  const bool with_ids = (flags & kUserBuildId) != 0;
  if (with_ids && (flags & kUserStack) == 0) return fail_with(EINVAL);
  const std::uint32_t each = with_ids ? sizeof(abi::StackBuildId) : sizeof(std::uint64_t);
  if (size % each != 0) return fail_with(EINVAL);
  if ((flags & kUserStack) == 0) return fail_with(EFAULT);
  const auto skip = static_cast<std::uint32_t>(flags & kSkipMask);
  std::uint64_t room[abi::kMaxStackFrames];
  const std::uint32_t most = std::min(size / each + skip, abi::kMaxStackFrames);
  const std::uint32_t count = call_chain({room, most}, run.frame);
  if (count < skip) return fail_with(EFAULT);
  const std::span<const std::uint64_t> frames(room + skip, std::min(count - skip, size / each));
  std::vector<abi::StackBuildId> ids;
  if (with_ids) ids = build_ids(frames);
  const auto length = static_cast<std::uint32_t>(frames.size()) * each;
  const void* const from = with_ids ? static_cast<const void*>(ids.data()) : frames.data();
  clear(to, size);
  (void)!portolan_fault_copy(pointer(to), from, length);
  return length;
}

// Of others there is none to be seen.
U64 get_task_stack(Run& run, U64 task, U64 to, U64 size, U64 flags, U64) {
  const bool is_current = task == get_current_task_btf(run, 0, 0, 0, 0, 0);
  if (is_current) return get_stack(run, 0, to, size, flags, 0);
  clear(to, static_cast<std::uint32_t>(size));
  return negative((flags & kUserStack) != 0 ? EOPNOTSUPP : EFAULT);
}

}  // namespace portolan::helper::functions
