// SPDX-License-Identifier: Apache-2.0
#include "portolan/probe_hook.hpp"

#include <algorithm>

#include "abi/context.h"
#include "api/hook_state.h"
#include "base/sys.h"

namespace portolan {

static_assert(sizeof(Registers) == abi::kPtRegsBytes);

namespace {

using Programs = std::span<const hook::Hook::Attached>;

// Longer than any record that a program may look at: one that another calls by a tail call is not asked how
// much of it there is.
constexpr std::size_t kMostRecordBytes = 8192;  // PERF_MAX_TRACE_SIZE

// Uprobes may be of one process; asked at each call, since a host may fork.
bool is_for_us(const hook::Hook::Attached& one) {
  return one.process == 0 || one.process == static_cast<std::uint32_t>(sys::getpid());
}

}  // namespace

Registers ProbeHook::shown(const Registers& registers) const {
  Registers shown = registers;
  if (shown.ip == 0) shown.ip = address_;
  return shown;
}

void ProbeHook::begin(const Registers& registers, ProbeCall& call) const {
  static_assert(ProbeCall::kMost == hook::kMostMembers);
  Registers context = shown(registers);
  helper::Attachment attachment;
  attachment.address = address_;
  call.count_ = 0;
  (void)entry_.state_->hook.run([&](vm::Runner& runner, Programs programs) {
    for (const auto& one : programs) {
      if (!is_for_us(one)) continue;
      helper::Session session;
      attachment.session = one.is_session ? &session : nullptr;
      const std::uint64_t result = detail::run_one(runner, one, &context, attachment);
      if (one.is_session && result == 0) call.sessions_[call.count_++] = {one.place, session.cookie};
    }
  });
}

void ProbeHook::end(const Registers& registers, ProbeCall& call) const {
  Registers context = shown(registers);
  helper::Attachment attachment;
  attachment.address = address_;
  (void)exit_.state_->hook.run([&](vm::Runner& runner, Programs programs) {
    for (const auto& one : programs) {
      if (!is_for_us(one)) continue;
      const auto begun = std::find_if(call.sessions_, call.sessions_ + call.count_,
                                      [&](const auto& session) { return session.place == one.place; });
      if (one.is_session && begun == call.sessions_ + call.count_) continue;
      helper::Session session{.cookie = one.is_session ? begun->cookie : 0, .is_return = true};
      attachment.session = one.is_session ? &session : nullptr;
      (void)detail::run_one(runner, one, &context, attachment);
    }
  });
  call.count_ = 0;
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
