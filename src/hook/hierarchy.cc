// SPDX-License-Identifier: Apache-2.0
// clang-format off
// Cgroups run the programs of those above them, too. So that a host looks at one word only, each hook of a cgroup has, beside
// `current`, a word `effective`: version << 8 | how many programs run there (255: or more). It is what the cgroup's hosts
// look at, and what their snapshots are of.
//
// Invariant     When nobody is in tell_hosts(), `effective` counts what the lists of the cgroup and those above say now.
//
// Why it holds  Who changes a list stores `current`, then walks the hooks and updates those below: load `effective`, read
//               the lists, CAS. Of two who update the same word, the later CAS is of one who has read the lists after the
//               earlier CAS, and so after the list that was changed before it. Who declares a hook below publishes it, then
//               updates it: either it sees the new list, or it is seen by who walks (both have a full fence between).
//
// Crash table   killed between a list and the words below: hosts that run something compare the word with the lists when they
//               make a snapshot, and what that was made of when they look after the dead, and update the word; where
//               nothing runs, nothing does until the next change (the call had not returned). A cgroup above whose host goes: the same; a host that
//               destroys its hook walks.
// clang-format on
#include "hook/order.h"
#include "hook/stored.h"

namespace portolan::hook {

void Hook::for_each_cgroup(object::Runtime& runtime, std::uint64_t device,
                           const std::function<void(Hook&)>& body) {
  for_each(runtime, [&](Hook& hook) {
    if (hook.key_.point == Point::kCgroup && hook.key_.device == device) body(hook);
  });
}

namespace {

// The hooks of one attach type at the directories above, the nearest first.
class Above {
 public:
  Above(std::span<const std::uint64_t> inodes, std::uint32_t attach_type)
      : inodes_(inodes), attach_type_(attach_type), hooks_(inodes.size()) {}
  void look_at(Hook& hook) {
    if (hook.key().attach_type != attach_type_) return;
    for (std::size_t i = 0; i < inodes_.size(); ++i)
      if (inodes_[i] == hook.key().number) hooks_[i] = &hook;
  }
  std::vector<Hook*> hooks() {
    std::erase(hooks_, nullptr);
    return std::move(hooks_);
  }

 private:
  std::span<const std::uint64_t> inodes_;
  std::uint32_t attach_type_;
  std::vector<Hook*> hooks_;
};

}  // namespace

std::vector<Hook*> Hook::chain() {
  std::vector<Hook*> chain{this};
  if (above_.empty()) return chain;
  Above above(above_, key_.attach_type);
  for_each_cgroup(runtime(), key_.device, [&](Hook& hook) { above.look_at(hook); });
  for (Hook* const hook : above.hooks()) chain.push_back(hook);
  return chain;
}

Hook::Sources Hook::sources() {
  Sources sources;
  for (const Hook* const hook : chain())
    sources.emplace_back(hook->id(), hook->stored_->current.load_acquire());  // pairs with commit
  return sources;
}

std::vector<Member> Hook::members_that_run() {
  if (key_.point != Point::kCgroup) return list().members;
  std::vector<List> lists;
  for (const Hook* const hook : chain()) lists.push_back(hook->list());
  return effective_members(lists);
}

std::vector<List> Hook::lists_above() {
  std::vector<List> lists;
  for (Hook* const hook : chain()) {
    if (hook == this) continue;
    hook->settle_links();
    lists.push_back(hook->list());
  }
  return lists;
}

Result<std::vector<List>> Hook::lists_at(object::Runtime& runtime, const Key& key) {
  const Hook* there = nullptr;
  for_each_cgroup(runtime, key.device, [&](Hook& hook) {
    if (hook.key_.number == key.number) there = &hook;
  });
  if (there == nullptr) return fail(ENOENT);
  std::vector<std::uint64_t> inodes{key.number};
  inodes.insert(inodes.end(), there->above_.begin(), there->above_.end());
  Above chain(inodes, key.attach_type);
  for_each_cgroup(runtime, key.device, [&](Hook& hook) { chain.look_at(hook); });
  std::vector<List> lists;
  for (Hook* const hook : chain.hooks()) {
    hook->settle_links();
    lists.push_back(hook->list());
  }
  return lists;
}

void Hook::update_effective() {
  std::uint64_t before = stored_->effective.load_acquire();  // pairs with itself
  for (;;) {
    const std::uint64_t count = counted(members_that_run());
    if (stored_->effective.cas_acq_rel(before, (version_of(before) + 1) << 8 | count)) return;
  }
}

void Hook::tell_hosts() {
  if (key_.point != Point::kCgroup) return;
  sync::fence_seq_cst();  // between the list and the walk, or between the hook and the lists
  update_effective();
  tell_below(runtime(), key_);
}

void Hook::tell_below(object::Runtime& runtime, const Key& key) {
  for_each_cgroup(runtime, key.device, [&](Hook& hook) {
    if (hook.key_.attach_type == key.attach_type &&
        std::ranges::find(hook.above_, key.number) != hook.above_.end())
      hook.update_effective();
  });
}

}  // namespace portolan::hook
