// SPDX-License-Identifier: Apache-2.0
// A link: a program's being attached to a hook, or to many, as an object with fds and pins. It ends when the
// last of them goes, and with the hook it comes loose.
#pragma once
#include <span>
#include <string>
#include <vector>

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
    std::uint32_t flags = 0;      // of one with many places: BPF_F_KPROBE_MULTI_RETURN
    std::uint32_t process = 0;    // of uprobes: that they are for; 0: for all
    abi::link_create::Netfilter netfilter = {};
    // What info calls target_obj_id.
    std::uint32_t target_object() const { return target_id != 0 ? target_id : object::kKernelBtfId; }
    Key key;  // of the hook
  };
  // One of many, of a link that has no hook of its own.
  struct Place {
    std::uint64_t address = 0;  // of the function; of a uprobe: the offset in the file
    std::uint64_t cookie = 0;
    std::uint32_t hooks[2] = {};  // of its beginning and its end; 0: the program is not there
  };
  struct Stored;
  // Not attached yet. ENOMEM.
  static Result<object::Runtime::Published> publish(object::Runtime& runtime, const Attributes& attributes,
                                                    std::uint32_t program_id,
                                                    std::span<const Place> places = {},
                                                    std::string_view path = {});
  static Result<std::unique_ptr<object::View>> make(object::Mapped mapped);

  Link(object::Mapped mapped, const Stored& stored, std::span<const Place> places, std::string_view path);
  void release_uref() override;

  // Whether the links of a type take another program, and may be detached before they end (but for
  // iterators').
  static bool is_changed(abi::LinkType type);
  const Attributes& attributes() const { return attributes_; }
  std::span<const Place> places() const { return places_; }
  const std::string& path() const { return path_; }  // of uprobes: the file's
  // What the program is told where it runs as that member of a hook's list.
  std::uint64_t cookie_at(const Member& member) const;
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
  Result<Hook*> hook_of(std::uint32_t hook_id) const;
  Result<void> leave(std::uint32_t hook_id);

  Attributes attributes_;
  std::vector<Place> places_;
  std::string path_;
};

}  // namespace portolan::hook
