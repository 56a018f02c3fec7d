// SPDX-License-Identifier: Apache-2.0
// What a process has made of a hook's list: programs, ready to run. hook.cc has the essay.
#include "base/clock.h"
#include "hook/function_rules.h"
#include "hook/link.h"
#include "hook/order.h"
#include "hook/probe_event.h"
#include "hook/stored.h"
#include "vm/prepare.h"

namespace portolan::hook {
namespace {

constexpr std::uint64_t kNsPerLook = 100'000'000;

}  // namespace

// The region is outside data: a program that cannot run here is passed over.
Result<Hook::Attached> Hook::prepare(const Member& member, std::vector<object::ViewRef>& views) {
  auto* const program =
      static_cast<verifier::Program*>(TRY(runtime().view_by_id(object::Kind::kProg, member.program_id)));
  if (!fits(key_, *program)) return fail(EINVAL);
  if (key_.point == Point::kProgram) TRY(check_function(key_, *program));
  const vm::Executable* const executable = TRY(vm::executable_of(*program));
  if (executable->buffer_bytes().tracepoint > vouched_bytes_.load_relaxed()) return fail(EINVAL);
  Attached one{executable,          program, 0, std::uint64_t{member.link_id} << 32 | member.flags, 0,
               is_session(*program)};
  if (member.link_id != 0) {
    auto* const link = static_cast<Link*>(TRY(runtime().view_by_id(object::Kind::kLink, member.link_id)));
    one.cookie = link->cookie_at(member);
    one.process = link->attributes().process;
  } else if (member.event_id != 0) {
    const auto event = TRY(runtime().view_by_id(object::Kind::kPerfEvent, member.event_id));
    one.process = ProbeEvent::process(static_cast<const map::PerfEvent&>(*event));
  }
  views.emplace_back(*program);
  return one;
}

Result<void> Hook::refresh() {
  auto made = std::make_unique<Snapshot>();
  do {
    *made = {};
    made->current = current_->load_acquire();  // pairs with commit
    made->sources = sources();
    if (key_.point == Point::kProgram) made->arguments = TRY(arguments_of_function());
    const std::vector<Member> members = members_that_run();
    if (key_.point == Point::kCgroup && counted(members) != (made->current & 0xff)) update_effective();
    for (const Member& member : members)
      if (const auto one = prepare(member, made->views)) made->programs.push_back(*one);
  } while (current_->load_acquire() != made->current);  // pairs with commit
  if (Snapshot* const before = snapshot_.exchange_acq_rel(made.release()); before != nullptr)
    retire(before);  // pairs with run
  free_retired();
  return {};
}

void Hook::retire(Snapshot* snapshot) {
  snapshot->epoch = sync::begin_epoch();
  Snapshot* head = retired_.load_relaxed();
  do {
    snapshot->next = head;
  } while (!retired_.cas_acq_rel(head, snapshot));
}

void Hook::free_retired() {
  Snapshot* old = retired_.exchange_acq_rel(nullptr);
  while (old != nullptr) {
    Snapshot* const next = const_cast<Snapshot*>(old->next);  // ours: it is in no list
    if (sync::quiesced(old->epoch))
      delete old;
    else
      retire(old);
    old = next;
  }
}

// Holders of links that were killed, and of the hook's lock.
void Hook::look_after_one() {
  settle_links();
  const sync::Owner holder = stored_->lock.owner();
  const auto self = runtime().actor();
  if (self && !holder.is_nobody() && !self->liveness->alive(holder)) locked(*self, [] {});
  if (key_.point == Point::kProgram) return;
  if (const Snapshot* const known = snapshot_.load_acquire(); known != nullptr)  // pairs with refresh
    for (const Attached& one : known->programs) look_after_functions(*one.program);
}

void Hook::look_after_the_dead() {
  const std::uint64_t now = coarse_ns(), before = looked_at_.load_relaxed();
  if (now - before < kNsPerLook) return;
  looked_at_.store_relaxed(now);
  for (Hook* const hook : chain()) hook->look_after_one();
  // Who attaches to a cgroup above may have been killed before it told us, and the host above too.
  const Snapshot* const known = snapshot_.load_acquire();  // pairs with refresh
  if (key_.point == Point::kCgroup && known != nullptr && known->sources != sources()) update_effective();
}

}  // namespace portolan::hook
