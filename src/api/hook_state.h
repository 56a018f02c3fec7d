// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "api/backend.h"
#include "hook/hook.h"
#include "portolan/hook.hpp"

namespace portolan::detail {

// A declared hook: its fd keeps it there for others, its view mapped here.
struct HookState {
  HookState(std::shared_ptr<Backend> owner, hook::Hook& declared, int its_fd)
      : backend(std::move(owner)), view(declared), hook(declared), fd(its_fd) {}
  HookState(const HookState&) = delete;
  HookState& operator=(const HookState&) = delete;
  ~HookState();

  std::shared_ptr<Backend> backend;
  object::ViewRef view;
  hook::Hook& hook;
  int fd;
};

// EOPNOTSUPP: the runtime is the kernel's.
Expected<std::unique_ptr<HookState>> declare(const Runtime& runtime, const hook::Key& key,
                                             const hook::Hook::Details& details = {});
// A hook of a cgroup, which is any directory.
Expected<std::unique_ptr<HookState>> declare_cgroup(const Runtime& runtime, const std::string& directory,
                                                    std::uint32_t attach_type);

// A run of one attached program by a runner that is Inside. `attachment`: what helpers are told of the hook,
// but for the cookie, which is filled in.
inline std::uint64_t run_one(vm::Runner& runner, const hook::Hook::Attached& attached, void* context,
                             helper::Attachment& attachment) {
  attachment.cookie = attached.cookie;
  if (attached.program->runtime().counts_runs()) [[unlikely]]
    return runner.run_counted(*attached.executable, *attached.program, context, &attachment);
  return runner.run_inside(*attached.executable, attached.program->id(), context, &attachment);
}
inline std::uint64_t run_one(vm::Runner& runner, const hook::Hook::Attached& attached, void* context) {
  helper::Attachment attachment;
  return run_one(runner, attached, context, attachment);
}

// bpf_prog_run_array_cg: all programs of a cgroup run, and what they make of the operation's result, which is
// retval. `socket`: the host's fd of that which it is about, if it says so. With `flags`, only the lowest bit
// of what they return says whether they allow it; the others are gathered there.
int run_cgroup(HookState& state, void* context, std::int32_t& retval, int socket = -1,
               std::uint32_t* flags = nullptr);

}  // namespace portolan::detail
