// SPDX-License-Identifier: Apache-2.0
// The bytes of a link: what it attaches, and to what, behind them its places, if it has many, and the path
// of its file, if it is of uprobes; its program is its first edge, since that may change, the map that an
// iterator goes through, the perf event, or the program whose function it is attached to, its second. Whether
// it is attached, its hooks say (hook.cc): who is killed while it attaches a link to many leaves one that
// only some of them refer to, and that goes as every link does.
#include "hook/link.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "abi/prog_flags.h"
#include "helper/function_address.h"
#include "hook/order.h"
#include "hook/probed_functions.h"

namespace portolan::hook {
namespace {

constexpr std::uint64_t kMagic = 0x34'4b4e'494c'4c54'50ull;  // "PTLLINK4"

}  // namespace

struct Link::Stored {
  std::uint64_t magic;
  Attributes attributes;
  std::uint32_t places, path_bytes;  // that follow
};

Result<object::Runtime::Published> Link::publish(object::Runtime& runtime, const Attributes& attributes,
                                                 std::uint32_t program_id, std::span<const Place> places,
                                                 std::string_view path) {
  object::Edge second{object::Kind::kMap, attributes.map_id};
  if (attributes.event_id != 0) second = {object::Kind::kPerfEvent, attributes.event_id};
  if (attributes.target_id != 0) second = {object::Kind::kProg, attributes.target_id};
  const object::Edge edges[] = {{object::Kind::kProg, program_id}, second};
  const std::uint32_t count = second.id != 0 ? 2 : 1;
  const std::uint64_t path_offset = sizeof(Stored) + places.size_bytes(), size = path_offset + path.size();
  object::Draft draft = TRY(runtime.draft(object::Kind::kLink, size, size, 0, count));
  auto* stored = draft.state.at<Stored>(draft.payload_offset);
  stored->attributes = attributes;
  stored->places = static_cast<std::uint32_t>(places.size());
  stored->path_bytes = static_cast<std::uint32_t>(path.size());
  std::ranges::copy(places, draft.state.at<Place>(draft.payload_offset + sizeof(Stored), places.size()));
  std::ranges::copy(path, draft.state.at<char>(draft.payload_offset + path_offset, path.size()));
  stored->magic = kMagic;
  return runtime.publish(std::move(draft), {edges, count}, shm::Access::kReadWrite);
}

Result<std::unique_ptr<object::View>> Link::make(object::Mapped mapped) {
  const auto* stored = mapped.state.at<Stored>(mapped.payload_offset);
  if (stored == nullptr || stored->magic != kMagic) return fail(EINVAL);
  const std::uint32_t count = stored->places, path_bytes = stored->path_bytes;
  const std::uint64_t places_at = mapped.payload_offset + sizeof(Stored);
  const auto* places = mapped.state.at<Place>(places_at, count);
  const char* path = mapped.state.at<char>(places_at + count * sizeof(Place), path_bytes);
  if (places == nullptr || path == nullptr) return fail(EINVAL);
  return std::unique_ptr<object::View>(
      new Link(std::move(mapped), *stored, {places, count}, {path, path_bytes}));
}

Link::Link(object::Mapped mapped, const Stored& stored, std::span<const Place> places, std::string_view path)
    : View(std::move(mapped)),
      attributes_(stored.attributes),
      places_(places.begin(), places.end()),
      path_(path) {
  attributes_.key.name[sizeof attributes_.key.name - 1] = '\0';
}

bool Link::is_changed(abi::LinkType type) {
  using T = abi::LinkType;
  return type != T::kRawTracepoint && type != T::kTracing && type != T::kPerfEvent &&
         type != T::kKprobeMulti && type != T::kUprobeMulti;
}

std::uint32_t Link::program_id() const {
  const auto places = object::Runtime::edge_places(*this);
  return places.empty() ? 0
                        : static_cast<std::uint32_t>(places[0].load_acquire());  // pairs with replace_edge
}

std::uint64_t Link::cookie_at(const Member& member) const {
  if (places_.empty()) return attributes_.cookie;
  const std::size_t place = member.flags & ~kPlaceOfLink;
  return place < places_.size() ? places_[place].cookie : 0;
}

Result<Hook*> Link::hook_of(std::uint32_t hook_id) const {
  runtime().settle(object::Kind::kHook, hook_id);
  const auto view = runtime().view_by_id(object::Kind::kHook, hook_id);
  if (!view) return fail(ENOLINK);
  auto* const hook = static_cast<Hook*>(*view);
  for (const Member& member : hook->list().members)
    if (member.link_id == id()) return hook;
  return fail(ENOLINK);
}

Result<Hook*> Link::hook() const { return hook_of(attributes_.hook_id); }

void Link::release_uref() { (void)detach(); }

Result<void> Link::detach() {
  Result<void> done = leave(attributes_.hook_id);
  for (const Place& place : places_)
    for (const std::uint32_t hook_id : place.hooks)
      if (const Result<void> left = leave(hook_id); !left) done = left;
  return done;
}

Result<void> Link::leave(std::uint32_t hook_id) {
  if (hook_id == 0) return {};
  const Result<Hook*> there = hook_of(hook_id);
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
void show_event(const Link& link, std::string& text) {
  const Key& key = link.attributes().key;
  const auto to = std::back_inserter(text);
  const char* const end = key.attach_type == kProbeReturn ? "ret" : "";
  if (key.point == Point::kProbe)
    fmt::format_to(to, "name:\t{}\noffset:\t0\nmissed:\t0\naddr:\t{:#x}\nevent_type:\tk{}probe\n", key.name,
                   address_of(link.runtime(), key), end);
  else if (key.point == Point::kUprobe)
    fmt::format_to(to, "name:\t{}\noffset:\t{:#x}\nref_ctr_offset:\t0\nevent_type:\tu{}probe\n", link.path(),
                   offset_of(key), end);
  else
    fmt::format_to(to, "tp_name:\t{}\nevent_type:\ttracepoint\n", event_name(key));
  fmt::format_to(to, "cookie:\t{}\n", link.attributes().cookie);
}

// bpf_kprobe_multi_show_fdinfo
void show_functions(const Link& link, std::string& text) {
  std::unordered_map<std::uint64_t, std::string> names;
  for (const ProbedFunction& one : probed_functions(link.runtime())) names[one.address] = one.name;
  const auto to = std::back_inserter(text);
  fmt::format_to(to, "kprobe_cnt:\t{}\nmissed:\t0\ncookie\t func\n", link.places().size());
  for (const Link::Place& place : link.places()) {
    const auto name = names.find(place.address);
    if (name != names.end())
      fmt::format_to(to, "{}\t {}+0x0/{:#x}\n", place.cookie, name->second, helper::kBytesOfFunction);
    else
      fmt::format_to(to, "{}\t {:#x}\n", place.cookie, place.address);
  }
}

// bpf_uprobe_multi_show_fdinfo
void show_uprobes(const Link& link, std::string& text) {
  const auto to = std::back_inserter(text);
  fmt::format_to(to, "uprobe_cnt:\t{}\npid:\t{}\npath:\t{}\ncookie\t offset\t ref_ctr_offset\n",
                 link.places().size(), link.attributes().process, link.path());
  for (const Link::Place& place : link.places())
    fmt::format_to(to, "{}\t {:#x}\t 0\n", place.cookie, place.address);
}

const char* type_name(const Link::Attributes& attributes) {
  constexpr const char* kNames[] = {
      "unspec", "raw_tracepoint", "tracing",    "cgroup",    "iter", "netns",       "xdp",
      "perf",   "kprobe_multi",   "struct_ops", "netfilter", "tcx",  "uprobe_multi"};
  const bool is_return = attributes.flags == abi::link_flag::kKprobeMultiReturn;
  if (is_return && attributes.type == abi::LinkType::kKprobeMulti) return "kretprobe_multi";
  if (is_return && attributes.type == abi::LinkType::kUprobeMulti) return "uretprobe_multi";
  const auto type = static_cast<std::size_t>(attributes.type);
  return type < std::size(kNames) ? kNames[type] : "unspec";
}

}  // namespace

std::string Link::show_fdinfo() const {
  const bool is_attached = hook().has_value();
  const std::uint64_t number = is_attached ? attributes_.key.number : 0;
  std::string text;
  const auto line = [&text](const char* name, const auto& value) {
    fmt::format_to(std::back_inserter(text), "{}:\t{}\n", name, value);
  };
  line("link_type", type_name(attributes_));
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
      show_event(*this, text);
      break;
    case abi::LinkType::kKprobeMulti:
      show_functions(*this, text);
      break;
    case abi::LinkType::kUprobeMulti:
      show_uprobes(*this, text);
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
