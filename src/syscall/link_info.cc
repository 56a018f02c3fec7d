// SPDX-License-Identifier: Apache-2.0
#include "syscall/link_info.h"

#include <cstring>

#include "hook/probed_functions.h"

namespace portolan::syscall {
namespace {

// As much of the name as there is room for, with a NUL.
Result<void> name_out(const Call& call, const char* name, std::uint64_t to, std::uint32_t room) {
  const std::size_t size = std::strlen(name) + 1;
  if (room >= size) return call.caller.copy_out(to, name, size);
  const char end = '\0';
  TRY(call.caller.copy_out(to, name, room - 1));
  TRY(call.caller.copy_out(to + room - 1, &end, 1));
  return fail(ENOSPC);
}

// bpf_perf_link_fill_common, whose length counts the NUL.
Result<void> event_name_out(const Call& call, const char* name, std::uint64_t to, std::uint32_t* length) {
  const std::uint32_t room = *length;
  if ((room == 0) != (to == 0)) return fail(EINVAL);
  *length = static_cast<std::uint32_t>(std::strlen(name) + 1);
  if (room == 0) return {};
  return name_out(call, name, to, room);
}

Result<void> fill_event(const Call& call, const hook::Link& link, abi::link_info::PerfEvent& out) {
  using Type = abi::PerfEventType;
  const hook::Link::Attributes& attributes = link.attributes();
  const hook::Key& key = attributes.key;
  const bool is_return = key.attach_type == hook::kProbeReturn;
  if (key.point == hook::Point::kTraceEvent) {
    TRY(event_name_out(call, hook::event_name(key), out.tracepoint.tp_name, &out.tracepoint.name_len));
    out.type = static_cast<std::uint32_t>(Type::kTracepoint);
    out.tracepoint.cookie = attributes.cookie;
    return {};
  }
  if (key.point == hook::Point::kUprobe) {
    TRY(event_name_out(call, link.path().c_str(), out.uprobe.file_name, &out.uprobe.name_len));
    out.type = static_cast<std::uint32_t>(is_return ? Type::kUretprobe : Type::kUprobe);
    out.uprobe.offset = static_cast<std::uint32_t>(hook::offset_of(key));
    out.uprobe.cookie = attributes.cookie;
    out.uprobe.ref_ctr_offset = 0;
    return {};
  }
  TRY(event_name_out(call, key.name, out.kprobe.func_name, &out.kprobe.name_len));
  out.type = static_cast<std::uint32_t>(is_return ? Type::kKretprobe : Type::kKprobe);
  out.kprobe.offset = 0;
  out.kprobe.addr = hook::address_of(call.runtime, key);
  out.kprobe.missed = 0;
  out.kprobe.cookie = attributes.cookie;
  return {};
}

using Place = hook::Link::Place;

// Of each place one word, if the caller wants them.
Result<void> words_out(const Call& call, std::span<const Place> places, std::uint64_t Place::* word,
                       std::uint64_t to) {
  for (std::size_t i = 0; to != 0 && i < places.size(); ++i)
    TRY(call.caller.copy_out(to + i * sizeof(std::uint64_t), &(places[i].*word), sizeof(std::uint64_t)));
  return {};
}

// bpf_kprobe_multi_link_fill_link_info. Everybody may see where functions are, as /proc/kallsyms says it.
Result<void> fill_kprobe_multi(const Call& call, const hook::Link& link, abi::link_info::KprobeMulti& out) {
  const auto places = link.places();
  const std::uint32_t room = out.count;
  if ((out.addrs == 0) != (room == 0)) return fail(EINVAL);
  if (out.cookies != 0 && room == 0) return fail(EINVAL);
  out.count = static_cast<std::uint32_t>(places.size());
  out.flags = link.attributes().flags;
  out.missed = 0;
  const std::size_t shown = std::min<std::size_t>(room, places.size());
  TRY(words_out(call, places.first(shown), &Place::cookie, out.cookies));
  TRY(words_out(call, places.first(shown), &Place::address, out.addrs));
  if (room != 0 && room < places.size()) return fail(ENOSPC);
  return {};
}

// d_path, which needs room for the path's end, too: ENAMETOOLONG.
Result<void> path_out(const Call& call, const std::string& path, std::uint64_t to, std::uint32_t* room) {
  const auto size = static_cast<std::uint32_t>(path.size() + 1);
  if (*room != 0 && *room < size) return fail(ENAMETOOLONG);
  *room = size;
  if (to == 0) return {};
  return call.caller.copy_out(to, path.c_str(), size);
}

// bpf_uprobe_multi_link_fill_link_info
Result<void> fill_uprobe_multi(const Call& call, const hook::Link& link, abi::link_info::UprobeMulti& out) {
  const auto places = link.places();
  const std::uint32_t room = out.count;
  if ((out.path == 0) != (out.path_size == 0)) return fail(EINVAL);
  const bool wants_places = out.offsets != 0 || out.ref_ctr_offsets != 0 || out.cookies != 0;
  if (wants_places && room == 0) return fail(EINVAL);
  out.count = static_cast<std::uint32_t>(places.size());
  out.flags = link.attributes().flags;
  out.pid = link.attributes().process;
  TRY(path_out(call, link.path(), out.path, &out.path_size));
  if (!wants_places) return {};
  const std::size_t shown = std::min<std::size_t>(room, places.size());
  TRY(words_out(call, places.first(shown), &Place::address, out.offsets));
  TRY(words_out(call, places.first(shown), &Place::cookie, out.cookies));
  const std::uint64_t no_counter = 0;
  for (std::size_t i = 0; out.ref_ctr_offsets != 0 && i < shown; ++i)
    TRY(call.caller.copy_out(out.ref_ctr_offsets + i * sizeof no_counter, &no_counter, sizeof no_counter));
  if (room < places.size()) return fail(ENOSPC);
  return {};
}

}  // namespace

Result<void> fill_link_info(const Call& call, const hook::Link& link, abi::LinkInfo& info) {
  const hook::Link::Attributes& attributes = link.attributes();
  // What it was attached to is 0 once it has come loose.
  const std::uint64_t number = link.hook() ? attributes.key.number : 0;
  info.type = static_cast<std::uint32_t>(attributes.type);
  info.id = link.id();
  info.prog_id = link.program_id();
  switch (attributes.type) {
    case abi::LinkType::kRawTracepoint: {
      auto& out = info.raw_tracepoint;
      const std::uint32_t room = out.tp_name_len;
      if ((room == 0) != (out.tp_name == 0)) return fail(EINVAL);
      out.tp_name_len = static_cast<std::uint32_t>(std::strlen(attributes.key.name) + 1);
      out.cookie = attributes.cookie;
      if (room == 0) return {};
      return name_out(call, attributes.key.name, out.tp_name, room);
    }
    case abi::LinkType::kIter: {
      auto& out = info.iter;
      const std::uint32_t room = out.target_name_len;
      if ((room == 0) != (out.target_name == 0)) return fail(EINVAL);
      out.target_name_len = static_cast<std::uint32_t>(std::strlen(attributes.key.name) + 1);
      if (room != 0) TRY(name_out(call, attributes.key.name, out.target_name, room));
      if (attributes.map_id != 0) out.map_id = attributes.map_id;
      return {};
    }
    case abi::LinkType::kTracing:
      info.tracing.attach_type = attributes.attach_type;
      info.tracing.target_obj_id = attributes.target_object();
      info.tracing.target_btf_id = attributes.target_btf_id;
      info.tracing.cookie = attributes.cookie;
      return {};
    case abi::LinkType::kCgroup:
      info.cgroup = {number, attributes.attach_type};
      return {};
    case abi::LinkType::kNetns:
      info.netns = {static_cast<std::uint32_t>(number), attributes.attach_type};
      return {};
    case abi::LinkType::kPerfEvent:
      return fill_event(call, link, info.perf_event);
    case abi::LinkType::kKprobeMulti:
      return fill_kprobe_multi(call, link, info.kprobe_multi);
    case abi::LinkType::kUprobeMulti:
      return fill_uprobe_multi(call, link, info.uprobe_multi);
    case abi::LinkType::kNetfilter: {
      const auto& at = attributes.netfilter;
      info.netfilter = {at.pf, at.hooknum, at.priority, at.flags};
      return {};
    }
    case abi::LinkType::kXdp:
      info.xdp = {static_cast<std::uint32_t>(number)};
      return {};
    case abi::LinkType::kTcx:
      info.tcx = {static_cast<std::uint32_t>(number), attributes.attach_type};
      return {};
    default:
      return {};
  }
}

}  // namespace portolan::syscall
