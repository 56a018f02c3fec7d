// SPDX-License-Identifier: Apache-2.0
// Links of programs to many places of a file that hosts have declared uprobes at.
#include <climits>
#include <map>

#include "abi/prog_flags.h"
#include "hook/uprobe.h"
#include "syscall/new_link.h"

namespace portolan::syscall {
namespace {

using A = abi::AttachType;
using Attr = abi::link_create::UprobeMulti;
using Place = hook::Link::Place;

constexpr std::uint32_t kMostUprobes = 1u << 20;  // MAX_UPROBE_MULTI_CNT

Result<void> check(const Call& call, const verifier::Program& program, const Attr& asked) {
  const auto expected = static_cast<A>(program.attributes().expected_attach_type);
  if (call.attr.link_create.flags != 0) return fail(EINVAL);
  if (expected != A::kTraceUprobeMulti && expected != A::kTraceUprobeSession) return fail(EINVAL);
  if ((asked.flags & ~abi::link_flag::kUprobeMultiReturn) != 0) return fail(EINVAL);
  const bool has_pid = static_cast<std::int32_t>(asked.pid) >= 0;
  if (asked.path == 0 || asked.offsets == 0 || asked.cnt == 0 || !has_pid) return fail(EINVAL);
  if (asked.cnt > kMostUprobes) return fail(E2BIG);
  return {};
}

// As open(2); EINVAL: the path is too long; EBADF: it is no file that could be mapped.
Result<hook::ProbedFile> file_of(const Call& call, const Attr& asked) {
  char path[PATH_MAX];
  if (TRY(call.caller.copy_in_string(path, asked.path, sizeof path)) == sizeof path) return fail(EINVAL);
  if (path[0] == '\0') return fail(EBADF);  // to the kernel it is the working directory
  hook::ProbedFile file = TRY(hook::probed_file(path));
  if (!file.is_regular) return fail(EBADF);
  return file;
}

Result<std::uint64_t> word_in(const Call& call, std::uint64_t words, std::uint32_t at) {
  std::uint64_t word = 0;
  if (words != 0) TRY(call.caller.copy_in(&word, words + at * sizeof word, sizeof word));
  return word;
}

struct Wanted {
  Place place;
  std::uint64_t counter_offset;
};
Result<std::vector<Wanted>> wanted_of(const Call& call, const Attr& asked) {
  std::vector<Wanted> wanted(asked.cnt);
  for (std::uint32_t i = 0; i < asked.cnt; ++i) {
    wanted[i].place.address = TRY(word_in(call, asked.offsets, i));
    if (static_cast<std::int64_t>(wanted[i].place.address) < 0) return fail(EINVAL);
    wanted[i].counter_offset = TRY(word_in(call, asked.ref_ctr_offsets, i));
    wanted[i].place.cookie = TRY(word_in(call, asked.cookies, i));
  }
  return wanted;
}

// EINVAL, as check_uprobe; ENOENT: nobody has declared it.
Result<std::vector<Place>> places_of(const Call& call, const hook::ProbedFile& file,
                                     std::span<const Wanted> wanted, bool begins, bool ends) {
  std::map<std::uint64_t, std::pair<std::uint32_t, std::uint32_t>> declared;
  hook::Hook::for_each(call.runtime, [&](hook::Hook& hook) {
    const hook::Key& key = hook.key();
    if (key.point != hook::Point::kUprobe || key.device != file.device || key.number != file.inode) return;
    auto& [begin, end] = declared[offset_of(key)];
    (key.attach_type == hook::kProbeReturn ? end : begin) = hook.id();
  });
  std::vector<Place> places;
  for (const Wanted& one : wanted) {
    TRY(hook::check_uprobe(file, one.place.address, one.counter_offset));
    const auto at = declared.find(one.place.address);
    if (at == declared.end() || at->second.first == 0 || at->second.second == 0) return fail(ENOENT);
    places.push_back(one.place);
    places.back().hooks[0] = begins ? at->second.first : 0;
    places.back().hooks[1] = ends ? at->second.second : 0;
  }
  return places;
}

}  // namespace

Result<long> link_uprobe_multi(const Call& call, verifier::Program& program) {
  const Attr& asked = call.attr.link_create.uprobe_multi;
  TRY(check(call, program, asked));
  const hook::ProbedFile file = TRY(file_of(call, asked));
  if (asked.pid != 0 && TRY(hook::process_of_thread(asked.pid)) != asked.pid) return fail(ESRCH);
  const std::vector<Wanted> wanted = TRY(wanted_of(call, asked));
  const bool is_return = (asked.flags & abi::link_flag::kUprobeMultiReturn) != 0;
  const bool is_session = hook::is_session(program);
  const std::vector<Place> places = TRY(places_of(call, file, wanted, !is_return, is_return || is_session));
  hook::Link::Attributes attributes;
  attributes.type = abi::LinkType::kUprobeMulti;
  attributes.attach_type = call.attr.link_create.attach_type;
  attributes.flags = asked.flags;
  attributes.process = asked.pid;
  return create_link_to_places(call, program, attributes, places, file.path);
}

}  // namespace portolan::syscall
