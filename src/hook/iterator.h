// SPDX-License-Identifier: Apache-2.0
// What BPF_ITER_CREATE gives: an fd whose bytes a program writes, object by object, as they are read. See
// iterator.cc.
#pragma once
#include "helper/seq_file.h"
#include "hook/link.h"
#include "sync/robust_lock.h"

namespace portolan::hook {

class Iterated;

class Iterator final : public object::View {
 public:
  struct Stored;
  // The file by which it was opened, as fstat(2) shows it; device 0: none.
  struct Pin {
    std::uint64_t device = 0, inode = 0;
  };
  // An iterator of that link's program, at its beginning. EINVAL: the link is of none. ENOMEM.
  static Result<UniqueFd> create(const Link& link, const Pin& pin);
  static Result<std::unique_ptr<object::View>> make(object::Mapped mapped);

  Iterator(object::Mapped mapped, Stored* stored);
  const Pin& pin() const { return pin_; }
  // read(2), as the kernel's bpf_seq_read: runs the program for one object after the other until it has
  // written `size` bytes. 0: it is at its end. EAGAIN: the program wants to be asked for the same object once
  // more; E2BIG: what it writes of one object has no room; EFAULT, EACCES (see LINK_UPDATE), ENOMEM.
  Result<std::size_t> read(void* to, std::size_t size);

 private:
  class Reading;
  Stored* stored_;
  Pin pin_;
};

}  // namespace portolan::hook
