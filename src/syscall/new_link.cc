// SPDX-License-Identifier: Apache-2.0
#include "syscall/new_link.h"

#include <string_view>

#include "helper/kernel_btf.h"
#include "hook/function_rules.h"

namespace portolan::syscall {
namespace {

using A = abi::AttachType;
using P = abi::ProgType;

constexpr std::string_view kTracepointPrefix = "btf_trace_";
constexpr std::size_t kMostFunctionMembers = 38;  // BPF_MAX_TRAMP_LINKS

Result<std::string_view> target_name(const verifier::Program& program) {
  const btf::Btf& types = *TRY(helper::kernel_btf(program.runtime()));
  const btf::Type* const type = types.type(program.attributes().attach_btf_id);
  if (type == nullptr) return fail(EINVAL);
  return std::string_view(types.name(*type));
}

Result<hook::Hook*> hook_of(const Call& call, const hook::Key& key) {
  const Result<hook::Hook*> there = hook::Hook::find(call.runtime, key);
  if (there) (*there)->settle_links();
  return there;
}

Result<void> add_last(hook::List& list, hook::Pair added) {
  list.members.push_back({added.program_id, added.link_id, 0, hook::kNoPlace});
  return {};
}

// The newest runs first; a program runs once.
Result<void> add_to_function(hook::List& list, hook::Pair added) {
  if (list.members.size() >= kMostFunctionMembers) return fail(E2BIG);
  for (const hook::Member& member : list.members)
    if (member.program_id == added.program_id) return fail(EBUSY);
  list.members.insert(list.members.begin(), {added.program_id, added.link_id, 0, hook::kNoPlace});
  return {};
}

// Has `attach` attach a new link; the caller's fd.
Result<long> publish_link(const Call& call, const verifier::Program& program,
                          const hook::Link::Attributes& attributes, std::span<const hook::Link::Place> places,
                          std::string_view path,
                          const std::function<Result<void>(hook::Pair added)>& attach) {
  auto published = TRY(hook::Link::publish(call.runtime, attributes, program.id(), places, path));
  if (const Result<void> attached = attach({program.id(), published.id}); !attached) {
    call.runtime.forget_fd(published.fd.get());
    published.fd.reset();
    call.runtime.settle(object::Kind::kLink, published.id);
    return fail(attached.error());
  }
  return TRY(call.caller.install_fd(std::move(published.fd)));
}

}  // namespace

Result<long> create_link(const Call& call, verifier::Program& program, hook::Hook& hook,
                         const hook::Link::Attributes& attributes, const AddLink& add) {
  hook::Link::Attributes complete = attributes;
  complete.hook_id = hook.id();
  complete.key = hook.key();
  return publish_link(call, program, complete, {}, hook.path(), [&](hook::Pair added) {
    return hook.edit([&](hook::List& list) { return add(list, added); });
  });
}

Result<long> create_link_to_places(const Call& call, verifier::Program& program,
                                   const hook::Link::Attributes& attributes,
                                   std::span<const hook::Link::Place> places, std::string_view path) {
  return publish_link(call, program, attributes, places, path, [&](hook::Pair added) -> Result<void> {
    for (std::uint32_t i = 0; i < places.size(); ++i)
      for (const std::uint32_t id : places[i].hooks) {
        if (id == 0) continue;
        auto& hook = *static_cast<hook::Hook*>(TRY(call.runtime.view_by_id(object::Kind::kHook, id)));
        hook.settle_links();
        TRY(hook.edit([&](hook::List& list) { return hook::place_attach(list, added, i); }));
      }
    return {};
  });
}

Result<long> link_raw_tracepoint(const Call& call, verifier::Program& program, std::uint64_t tracepoint,
                                 std::uint64_t cookie) {
  char name[sizeof(hook::Key::name)] = "";
  if (tracepoint != 0) {
    const std::size_t length = TRY(call.caller.copy_in_string(name, tracepoint, sizeof name - 1));
    name[std::min(length, sizeof name - 1)] = '\0';
  }
  std::string_view wanted = name;
  if (static_cast<P>(program.attributes().type) == P::kTracing) {
    wanted = TRY(target_name(program));
    wanted.remove_prefix(std::min(kTracepointPrefix.size(), wanted.size()));
  }
  hook::Hook& hook = *TRY(hook_of(call, hook::named(hook::Point::kTracepoint, 0, wanted)));
  if (!hook::fits(hook.key(), program)) return fail(EINVAL);
  if (program.attributes().buffer_bytes.tracepoint > hook.bytes()) return fail(EINVAL);
  return create_link(call, program, hook,
                     {.type = abi::LinkType::kRawTracepoint,
                      .attach_type = program.attributes().expected_attach_type,
                      .hook_id = 0,
                      .target_btf_id = 0,
                      .cookie = cookie,
                      .key = {}},
                     add_last);
}

namespace {

// The target, and its function by BTF: those that the caller names, or those that the program was loaded for,
// until it has been attached once.
struct Wanted {
  verifier::Program* target;
  std::uint32_t type_id;
};
Result<Wanted> wanted_function(const Call& call, const verifier::Program& program, std::uint32_t target_fd,
                               std::uint32_t target_btf_id) {
  if (target_fd != 0) return Wanted{TRY(program_of(call, target_fd)), target_btf_id};
  if (program.was_attached()) return fail(EINVAL);
  return Wanted{TRY(program.target()), program.attributes().attach_btf_id};
}

Result<long> link_to_program(const Call& call, verifier::Program& program, const Wanted& wanted,
                             std::uint32_t attach_type, std::uint64_t cookie) {
  const hook::Key key = TRY(hook::key_of_function(*wanted.target, wanted.type_id));
  TRY(hook::check_function(key, program));
  auto declared = TRY(hook::Hook::declare(call.runtime, key));
  declared.hook->settle_links();
  const Result<long> fd = create_link(call, program, *declared.hook,
                                      {.type = abi::LinkType::kTracing,
                                       .attach_type = attach_type,
                                       .hook_id = 0,
                                       .target_btf_id = wanted.type_id,
                                       .cookie = cookie,
                                       .target_id = wanted.target->id(),
                                       .key = {}},
                                      [&](hook::List& list, hook::Pair added) {
                                        return hook::add_to_program(list, added, program, *wanted.target);
                                      });
  // From here on the target keeps the hook, while anything is attached.
  const std::uint32_t hook_id = declared.hook->id();
  call.runtime.forget_fd(declared.fd.get());
  declared.fd.reset();
  if (fd)
    program.note_attached();
  else
    call.runtime.settle(object::Kind::kHook, hook_id);
  return fd;
}

}  // namespace

Result<long> link_function(const Call& call, verifier::Program& program, std::uint32_t attach_type,
                           std::uint32_t target_fd, std::uint32_t target_btf_id, std::uint64_t cookie) {
  switch (static_cast<A>(program.attributes().expected_attach_type)) {
    case A::kTraceFentry:
    case A::kTraceFexit:
    case A::kModifyReturn:
    case A::kLsmMac:
      break;
    default:
      if (!program.is_extension()) return fail(EINVAL);
  }
  if ((target_fd != 0) != (target_btf_id != 0)) return fail(EINVAL);
  if (target_fd != 0 && !program.is_extension()) return fail(EINVAL);
  if (program.is_extension() || program.attributes().target_id != 0) {
    const Wanted wanted = TRY(wanted_function(call, program, target_fd, target_btf_id));
    return link_to_program(call, program, wanted, attach_type, cookie);
  }
  const std::string_view name = TRY(target_name(program));
  hook::Hook& hook = *TRY(hook_of(call, hook::named(hook::Point::kFunction, attach_type, name)));
  return create_link(call, program, hook,
                     {.type = abi::LinkType::kTracing,
                      .attach_type = attach_type,
                      .hook_id = 0,
                      .target_btf_id = program.attributes().attach_btf_id,
                      .cookie = cookie,
                      .key = {}},
                     add_to_function);
}

}  // namespace portolan::syscall
