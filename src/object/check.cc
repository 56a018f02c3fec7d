// SPDX-License-Identifier: Apache-2.0
// fsck of a runtime: what must be true of its table, its directories, its headers, its references and its
// pins.
#include <fmt/format.h>

#include <cstring>
#include <map>
#include <set>

#include "object/impl.h"
#include "sync/call_epoch.h"

namespace portolan::object {
namespace {

std::string label(Kind kind, std::uint32_t id) {
  return object_path(kind, id).substr(std::strlen("objects/"));
}

std::uint64_t inode_of(int root, const std::string& path) {
  struct ::stat status{};
  return sys::fstatat(root, path.c_str(), status, AT_SYMLINK_NOFOLLOW) ? status.st_ino : 0;
}

}  // namespace

void Runtime::check(shm::Findings& findings) {
  Impl& impl = *impl_;
  sync::CallEpoch epoch;
  const auto self = actor();
  if (!self) return findings.note("participants", "this process cannot join, so nothing was looked at");

  std::vector<Found> objects;
  impl.locked(*self, [&] {
    const Control& control = *impl.control;
    const std::uint32_t high_water = control.high_water.load_relaxed();
    if (high_water > kMaxObjects)
      findings.corrupt("control", fmt::format("says {} entries, {} is the most", high_water, kMaxObjects));

    std::set<std::uint64_t> serials, handles, pins;
    std::set<std::pair<std::uint32_t, std::uint32_t>> names;
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> referrers;
    for (std::uint32_t index = 0; index < impl.entries_in_use(); ++index) {
      const Entry& entry = control.entries[index];
      const std::uint32_t state = entry.state.load_relaxed();
      const std::string where = fmt::format("control: entry {}", index);
      if (state == static_cast<std::uint32_t>(EntryState::kFree)) continue;
      if (state != static_cast<std::uint32_t>(EntryState::kLive)) {
        findings.corrupt(where, fmt::format("has state {}", state));
        continue;
      }
      const auto found = impl.read_entry(index);
      if (!found) {
        findings.corrupt(where, fmt::format("has kind {}", entry.kind.load_relaxed()));
        continue;
      }
      if (!serials.insert(found->serial).second || !handles.insert(found->handle_inode).second ||
          !pins.insert(found->pin_inode).second || !names.insert({number(found->kind), found->id}).second)
        findings.corrupt(where, "shares its name, serial, handle or pin with another");
      if (found->serial > control.next_serial.load_relaxed())
        findings.corrupt(where, fmt::format("has serial {}, which was not given out yet", found->serial));
      objects.push_back(*found);
    }
    if (const std::uint32_t live = control.live.load_relaxed(); live != objects.size())
      findings.corrupt("control", fmt::format("says {} entries are live, {} are", live, objects.size()));
    for (const Found& object : objects) {
      const std::string where = label(object.kind, object.id);
      const std::string handle = object_path(object.kind, object.id, handle_name(object.kind));
      if (inode_of(impl.root.get(), handle) != object.handle_inode)
        findings.corrupt(where, "its handle is another file");
      if (inode_of(impl.root.get(), object_path(object.kind, object.id, "pin")) != object.pin_inode)
        findings.corrupt(where, "its pin file is another file");
      const auto edges = impl.edges_in_file(object_path(object.kind, object.id, "state"));
      if (!edges) {
        findings.corrupt(where, "its state cannot be read");
        continue;
      }
      for (const Edge& edge : *edges) {
        ++referrers[{number(edge.kind), edge.id}];
        if (!names.contains({number(edge.kind), edge.id}))
          findings.corrupt(where, fmt::format("refers to {}, which is not there", label(edge.kind, edge.id)));
      }
    }
    for (const Found& object : objects) {
      const std::string where = label(object.kind, object.id);
      const std::uint32_t counted = control.entries[object.index].referrers.load_relaxed();
      const std::uint32_t real = referrers[{number(object.kind), object.id}];
      if (counted != real)
        findings.corrupt(where, fmt::format("is counted to have {} referrers and has {}", counted, real));
      if (const auto use = impl.use_of(object); use && *use == Use::kNone)
        findings.note(where, "nobody uses it any more; a sweep removes it");
    }
    if (const auto listed = names_in(impl.root.get(), "objects"))
      for (const std::string& name : *listed) {
        const auto object = parse_object_name(name);
        if (!object || !names.contains({number(object->kind), object->id}))
          findings.corrupt("objects/" + name, "is in no entry of the table");
      }
  });
  if (const auto staged = names_in(impl.root.get(), "staging"))
    for (const std::string& name : *staged)
      findings.note("staging/" + name, "is being made, or was left by a death");

  for (const Found& object : objects) {
    ProcessLock lock;
    if (impl.factories[number(object.kind)] == nullptr) continue;
    const auto view = impl.view_of(object);
    if (view)
      (*view)->check(findings);
    else if (impl.find(object.kind, object.id))
      findings.corrupt(label(object.kind, object.id),
                       fmt::format("cannot be mapped: {}", std::strerror(view.error().value)));
  }
  for (const auto& extension : impl.extensions)
    if (extension != nullptr) extension->check(findings);
}

}  // namespace portolan::object
