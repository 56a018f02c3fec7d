// SPDX-License-Identifier: Apache-2.0
#include "syscall/dispatch.h"

#include "abi/command.h"
#include "helper/kernel_btf.h"
#include "hook/iterator.h"
#include "hook/link.h"
#include "hook/probe_event.h"
#include "map/btf_object.h"
#include "map/family.h"
#include "sync/call_epoch.h"
#include "syscall/call.h"
#include "verifier/program.h"
#include "vm/timer_thread.h"

namespace portolan::syscall {
namespace {

using map::kernel_version;
using enum abi::Command;

// Bytes of attr that the command reads must be there, those behind them zero (CHECK_ATTR); what the caller
// left out is zero.
[[gnu::always_inline]] inline bool fits(abi::Attr& attr, std::uint32_t used, std::uint32_t given) {
  auto* const bytes = reinterpret_cast<std::byte*>(&attr);
  if (given == used) [[likely]]
    return true;
  if (given < used) {
    std::memset(bytes + given, 0, used - given);
    return true;
  }
  std::uint32_t at = used;
  for (; at + 8 <= given; at += 8)
    if (load_unaligned<std::uint64_t>(bytes + at) != 0) return false;
  for (; at < given; ++at)
    if (bytes[at] != std::byte{0}) return false;
  return true;
}

template <class C>
[[gnu::always_inline]] inline Result<long> dispatch(object::Runtime& runtime, C& caller, int command,
                                                    std::uint64_t address, std::uint32_t size) {
  std::uint32_t given = size;
  if (size > sizeof(abi::Attr)) [[unlikely]] {
    TRY(check_tail_is_zero(caller, address, sizeof(abi::Attr), size));
    given = sizeof(abi::Attr);
  }
  alignas(abi::Attr) std::byte room[sizeof(abi::Attr)];  // not cleared: a command clears what it reads
  auto& attr = reinterpret_cast<abi::Attr&>(room);
  TRY(caller.copy_in(&attr, address, given));
  const auto is_known = [&](std::uint32_t since) {
    // Every runtime knows what was there at the beginning, without a look at its version.
    return since <= kernel_version(4, 4) || runtime.kernel_version() >= since;
  };
  switch (static_cast<abi::Command>(command)) {
#define HOT_COMMAND(number, handler, used, major, minor, note)                                    \
  case number:                                                                                    \
    if (!is_known(kernel_version(major, minor)) || !fits(attr, used, given)) return fail(EINVAL); \
    return handler(CallOf<C>{runtime, caller, attr, address, size});
#define COMMAND(number, handler, used, major, minor, note)                                        \
  case number:                                                                                    \
    if (!is_known(kernel_version(major, minor)) || !fits(attr, used, given)) return fail(EINVAL); \
    return handler(Call{runtime, caller, attr, address, size});
#define COMMAND_NOT_YET(number, ...) \
  case number:                       \
    return fail(EINVAL);
#include "syscall/commands.def"
#undef COMMAND
#undef HOT_COMMAND
#undef COMMAND_NOT_YET
  }
  return fail(EINVAL);
}

template <class C>
inline long answer(object::Runtime& runtime, C& caller, int command, std::uint64_t attr, std::uint32_t size) {
  sync::CallEpoch epoch;
  const Result<long> result = dispatch(runtime, caller, command, attr, size);
  return result ? *result : -result.error().value;
}

}  // namespace

void prepare(object::Runtime& runtime) {
  runtime.set_view_factory(object::Kind::kMap, map::make_map_view);
  runtime.set_view_factory(object::Kind::kBtf, map::make_btf_view);
  runtime.set_view_factory(object::Kind::kProg, verifier::make_program_view);
  runtime.set_view_factory(object::Kind::kPerfEvent, map::PerfEvent::make<hook::ProbeEvent>);
  runtime.set_view_factory(object::Kind::kLink, hook::Link::make);
  runtime.set_view_factory(object::Kind::kHook, hook::Hook::make);
  runtime.set_view_factory(object::Kind::kIterator, hook::Iterator::make);
  runtime.extend(object::Extended::kTimers, std::make_unique<vm::TimerThread>(runtime));
  runtime.extend(object::Extended::kKernelTypes, helper::kernel_types_of(runtime));
}

long bpf(object::Runtime& runtime, Caller& caller, int command, std::uint64_t attr, std::uint32_t size) {
  return answer(runtime, caller, command, attr, size);
}
long bpf(object::Runtime& runtime, LocalCaller& caller, int command, std::uint64_t attr, std::uint32_t size) {
  return answer(runtime, caller, command, attr, size);
}

}  // namespace portolan::syscall
