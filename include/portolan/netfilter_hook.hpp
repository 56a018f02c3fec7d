// SPDX-License-Identifier: Apache-2.0
// Hooks of netfilter: whether packets go on. See Hook in hook.hpp for how they are declared.
#pragma once
#include "portolan/hook.hpp"

namespace portolan {

class NetfilterHook : public Hook {
 public:
  static constexpr int kDrop = 0, kAccept = 1;  // NF_DROP, NF_ACCEPT
  // kAccept, or kDrop if a program says so: those behind it, in the order of their priorities, then see
  // nothing of the packet. Programs see it from its IP header on, and cannot change it; `in` and `out` are
  // the ifindexes of the devices that it comes from and goes to, 0: there is none. -EINVAL of a packet that
  // is not of the hook's family, or has no whole header.
  int run(Packet& packet, std::uint32_t in = 0, std::uint32_t out = 0) const {
    if (!is_attached()) [[likely]]
      return kAccept;
    return run_attached(packet, in, out);
  }

 private:
  friend class Hook;
  using Hook::Hook;
  PORTOLAN_EXPORT int run_attached(Packet& packet, std::uint32_t in, std::uint32_t out) const;
};

}  // namespace portolan
