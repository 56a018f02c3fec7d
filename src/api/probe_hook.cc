// SPDX-License-Identifier: Apache-2.0
#include "portolan/probe_hook.hpp"

#include <algorithm>

#include "abi/context.h"
#include "api/hook_state.h"
#include "helper/function_address.h"

namespace portolan {

static_assert(sizeof(Registers) == abi::kPtRegsBytes);

namespace {

using Programs = std::span<const hook::Hook::Attached>;

// Longer than any record that a program may look at: one that another calls by a tail call is not asked how
// much of it there is.
constexpr std::size_t kMostRecordBytes = 8192;  // PERF_MAX_TRACE_SIZE

}  // namespace

void ProbeHook::Part::run_attached(const Registers& registers) const {
  Registers shown = registers;
  helper::Attachment attachment;
  attachment.function = helper::kFirstProbe + state_->hook.id();
  if (shown.ip == 0) shown.ip = helper::function_address(attachment.function);
  (void)state_->hook.run([&](vm::Runner& runner, Programs programs) {
    for (const auto& one : programs) (void)detail::run_one(runner, one, &shown, attachment);
  });
}

TraceEventHook::TraceEventHook(std::unique_ptr<detail::HookState> state, std::uint32_t bytes)
    : Hook(std::move(state)), bytes_(bytes) {}

void TraceEventHook::run_attached(std::span<const std::byte> record) const {
  if (record.size() != bytes_) return;
  alignas(8) static thread_local std::byte room[kMostRecordBytes];
  std::ranges::copy(record, room);
  (void)state_->hook.run([&](vm::Runner& runner, Programs programs) {
    for (const auto& one : programs) (void)detail::run_one(runner, one, room);
  });
}

}  // namespace portolan
