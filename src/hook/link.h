// SPDX-License-Identifier: Apache-2.0
// A link: a program's being attached to a hook, as an object with fds and pins. It ends when the last of them
// goes, and with the hook it comes loose.
#pragma once
#include <string>

#include "abi/attr.h"
#include "hook/hook.h"

namespace portolan::hook {

class Link final : public object::View {
 public:
  struct Attributes {
    abi::LinkType type{};
    std::uint32_t attach_type = 0;
    std::uint32_t hook_id = 0;
    std::uint32_t target_btf_id = 0;  // of a function
    std::uint64_t cookie = 0;
    std::uint32_t map_id = 0;     // that an iterator goes through; 0: none
    std::uint32_t event_id = 0;   // the perf event that the program is at; 0: none
    std::uint32_t target_id = 0;  // of the program whose function it is; 0: of no program's
    abi::link_create::Netfilter netfilter = {};
    // What info calls target_obj_id.
    std::uint32_t target_object() const { return target_id != 0 ? target_id : object::kKernelBtfId; }
    Key key;  // of the hook
  };
  struct Stored;
  // Not attached yet. ENOMEM.
  static Result<object::Runtime::Published> publish(object::Runtime& runtime, const Attributes& attributes,
                                                    std::uint32_t program_id);
  static Result<std::unique_ptr<object::View>> make(object::Mapped mapped);

  Link(object::Mapped mapped, const Stored& stored);
  void release_uref() override;

  const Attributes& attributes() const { return attributes_; }
  std::uint32_t program_id() const;
  // ENOLINK: the hook has gone, or the link has been detached. Call it inside a CallEpoch.
  Result<Hook*> hook() const;
  Result<void> detach();
  // The same of an iterator, which is at no hook: what is read from fds that are made of it from now on.
  Result<void> replace_iterated(std::uint32_t program_id);
  // Runs `program` from now on, as `change` finds right. What `change` says, ENOLINK.
  Result<void> replace_program(std::uint32_t program_id, const std::function<Result<void>(List&)>& change);
  // /proc/self/fdinfo/N, as the kernel writes it, without the lines of any file.
  std::string show_fdinfo() const;

 private:
  Attributes attributes_;
};

}  // namespace portolan::hook
