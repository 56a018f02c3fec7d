// SPDX-License-Identifier: Apache-2.0
// The bytes of a link: what it attaches, and to what; its program is its first edge, since that may change,
// the map that an iterator goes through, the perf event, or the program whose function it is attached to, its
// second. Whether it is attached, its hook says (hook.cc).
#include "hook/link.h"

#include <fmt/format.h>

#include <algorithm>

#include "hook/order.h"

namespace portolan::hook {
namespace {

constexpr std::uint64_t kMagic = 0x33'4b4e'494c'4c54'50ull;  // "PTLLINK3"

}  // namespace

struct Link::Stored {
  std::uint64_t magic;
  Attributes attributes;
};

Result<object::Runtime::Published> Link::publish(object::Runtime& runtime, const Attributes& attributes,
                                                 std::uint32_t program_id) {
  object::Edge second{object::Kind::kMap, attributes.map_id};
  if (attributes.event_id != 0) second = {object::Kind::kPerfEvent, attributes.event_id};
  if (attributes.target_id != 0) second = {object::Kind::kProg, attributes.target_id};
  const object::Edge edges[] = {{object::Kind::kProg, program_id}, second};
  const std::uint32_t count = second.id != 0 ? 2 : 1;
  object::Draft draft = TRY(runtime.draft(object::Kind::kLink, sizeof(Stored), sizeof(Stored), 0, count));
  auto* stored = draft.state.at<Stored>(draft.payload_offset);
  stored->attributes = attributes;
  stored->magic = kMagic;
  return runtime.publish(std::move(draft), {edges, count}, shm::Access::kReadWrite);
}

Result<std::unique_ptr<object::View>> Link::make(object::Mapped mapped) {
  const auto* stored = mapped.state.at<Stored>(mapped.payload_offset);
  if (stored == nullptr || stored->magic != kMagic) return fail(EINVAL);
  return std::unique_ptr<object::View>(new Link(std::move(mapped), *stored));
}

Link::Link(object::Mapped mapped, const Stored& stored)
    : View(std::move(mapped)), attributes_(stored.attributes) {
  attributes_.key.name[sizeof attributes_.key.name - 1] = '\0';
}

std::uint32_t Link::program_id() const {
  const auto places = object::Runtime::edge_places(*this);
  return places.empty() ? 0
                        : static_cast<std::uint32_t>(places[0].load_acquire());  // pairs with replace_edge
}

Result<Hook*> Link::hook() const {
  runtime().settle(object::Kind::kHook, attributes_.hook_id);
  const auto view = runtime().view_by_id(object::Kind::kHook, attributes_.hook_id);
  if (!view) return fail(ENOLINK);
  auto* const hook = static_cast<Hook*>(*view);
  for (const Member& member : hook->list().members)
    if (member.link_id == id()) return hook;
  return fail(ENOLINK);
}

void Link::release_uref() { (void)detach(); }

Result<void> Link::detach() {
  const Result<Hook*> there = hook();
  if (!there) return {};
  return (*there)->edit([&](List& list) -> Result<void> {
    if (std::erase_if(list.members, [&](const Member& member) { return member.link_id == id(); }) != 0)
      ++list.revision;
    if (list.members.empty()) forget_settings(list, (*there)->key());
    return {};
  });
}

Result<void> Link::replace_program(std::uint32_t new_program,
                                   const std::function<Result<void>(List&)>& change) {
  Hook& there = *TRY(hook());
  std::uint32_t before = 0;
  const auto replace = [&](List& list) -> Result<void> {
    const auto is_this = [&](const Member& member) { return member.link_id == id(); };
    if (std::none_of(list.members.begin(), list.members.end(), is_this)) return fail(ENOLINK);
    TRY(change(list));
    before = TRY(runtime().replace_edge(*this, 0, {object::Kind::kProg, new_program}));
    return {};
  };
  TRY(there.edit(replace));
  wait_for_runs(runtime());
  runtime().settle(object::Kind::kProg, before);
  return {};
}

Result<void> Link::replace_iterated(std::uint32_t new_program) {
  const std::uint32_t before = TRY(runtime().replace_edge(*this, 0, {object::Kind::kProg, new_program}));
  runtime().settle(object::Kind::kProg, before);
  return {};
}

namespace {

// What a perf event is of.
void show_event(const Link::Attributes& attributes, std::string& text) {
  const Key& key = attributes.key;
  const auto to = std::back_inserter(text);
  if (key.point == Point::kProbe)
    fmt::format_to(to, "name:\t{}\noffset:\t0\nmissed:\t0\naddr:\t0\nevent_type:\t{}\n", key.name,
                   key.attach_type == kProbeReturn ? "kretprobe" : "kprobe");
  else
    fmt::format_to(to, "tp_name:\t{}\nevent_type:\ttracepoint\n", event_name(key));
  fmt::format_to(to, "cookie:\t{}\n", attributes.cookie);
}

}  // namespace

std::string Link::show_fdinfo() const {
  constexpr const char* kNames[] = {"unspec",       "raw_tracepoint", "tracing",   "cgroup",
                                    "iter",         "netns",          "xdp",       "perf",
                                    "kprobe_multi", "struct_ops",     "netfilter", "tcx"};
  const bool is_attached = hook().has_value();
  const std::uint64_t number = is_attached ? attributes_.key.number : 0;
  std::string text;
  const auto line = [&text](const char* name, const auto& value) {
    fmt::format_to(std::back_inserter(text), "{}:\t{}\n", name, value);
  };
  const auto type = static_cast<std::size_t>(attributes_.type);
  line("link_type", type < std::size(kNames) ? kNames[type] : "unspec");
  line("link_id", id());
  if (const auto program = runtime().view_by_id(object::Kind::kProg, program_id())) {
    std::string tag;
    for (const std::byte byte : static_cast<verifier::Program*>(*program)->attributes().tag.bytes)
      fmt::format_to(std::back_inserter(tag), "{:02x}", std::to_integer<unsigned>(byte));
    line("prog_tag", tag);
    line("prog_id", program_id());
  }
  switch (attributes_.type) {
    case abi::LinkType::kRawTracepoint:
      line("tp_name", attributes_.key.name);
      line("cookie", attributes_.cookie);
      break;
    case abi::LinkType::kTracing:
      line("attach_type", attributes_.attach_type);
      line("target_obj_id", attributes_.target_object());
      line("target_btf_id", attributes_.target_btf_id);
      line("cookie", attributes_.cookie);
      break;
    case abi::LinkType::kCgroup:
      line("cgroup_id", number);
      line("attach_type", attributes_.attach_type);
      break;
    case abi::LinkType::kNetns:
      line("netns_ino", number);
      line("attach_type", attributes_.attach_type);
      break;
    case abi::LinkType::kXdp:
      line("ifindex", number);
      break;
    case abi::LinkType::kTcx: {
      const bool is_ingress =
          attributes_.attach_type == static_cast<std::uint32_t>(abi::AttachType::kTcxIngress);
      line("ifindex", number);
      line("attach_type", fmt::format("{} ({})", attributes_.attach_type, is_ingress ? "ingress" : "egress"));
      break;
    }
    case abi::LinkType::kPerfEvent:
      show_event(attributes_, text);
      break;
    case abi::LinkType::kNetfilter:
      fmt::format_to(std::back_inserter(text), "pf:\t{}\thooknum:\t{}\tprio:\t{}\n", attributes_.netfilter.pf,
                     attributes_.netfilter.hooknum, attributes_.netfilter.priority);
      break;
    case abi::LinkType::kIter:
      line("target_name", attributes_.key.name);
      if (attributes_.map_id != 0) line("map_id", attributes_.map_id);
      break;
    default:
      break;
  }
  return text;
}

}  // namespace portolan::hook
