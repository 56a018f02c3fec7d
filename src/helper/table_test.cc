// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>

#include "helper/helper.h"

namespace portolan::helper {
namespace {

using abi::ProgType;

bool has(ProgType type, std::uint32_t id, std::uint32_t attach_type = 0) {
  return is_available(*find(id), type, attach_type);
}

TEST(Helpers, ids_begin_at_one_and_end_with_the_newest) {
  EXPECT_EQ(find(0), nullptr);
  EXPECT_STREQ(find(1)->name, "bpf_map_lookup_elem");
  EXPECT_STREQ(find(kHelperEnd - 1)->name, "bpf_cgrp_storage_delete");
  EXPECT_EQ(find(kHelperEnd), nullptr);
  EXPECT_EQ(find(0xffff'ffff), nullptr);
}

TEST(Helpers, what_is_not_here_says_why) {
  for (std::uint32_t id = 1; id < kHelperEnd; ++id)
    if (find(id)->function == nullptr) {
      EXPECT_STRNE(find(id)->note, "") << find(id)->name;
    }
}

TEST(Helpers, prototypes_of_those_that_take_memory_pair_it_with_a_size) {
  for (std::uint32_t id = 1; id < kHelperEnd; ++id) {
    const Prototype& prototype = *find(id);
    for (int i = 0; i < 5; ++i) {
      const bool sized = i < 4 && (prototype.args[i + 1].kind == Arg::kConstSize ||
                                   prototype.args[i + 1].kind == Arg::kConstSizeOrZero);
      const bool fixed = (prototype.args[i].flags & arg_flag::kFixed) != 0;
      if (prototype.args[i].kind == Arg::kMem) {
        EXPECT_NE(sized, fixed) << prototype.name << " argument " << i + 1;
        EXPECT_EQ(fixed, prototype.args[i].fixed_size != 0) << prototype.name;
      }
      if (i > 0 && prototype.args[i].kind != Arg::kNone) {
        EXPECT_NE(prototype.args[i - 1].kind, Arg::kNone) << prototype.name;
      }
    }
  }
}

// A context is what the function takes it for only in programs that have such a context.
TEST(Helpers, functions_that_look_into_the_context_go_to_programs_that_have_it) {
  const ProgType skb_types[] = {ProgType::kSocketFilter, ProgType::kSchedCls, ProgType::kSchedAct,
                                ProgType::kCgroupSkb,    ProgType::kLwtIn,    ProgType::kLwtOut,
                                ProgType::kLwtXmit,      ProgType::kSkSkb,    ProgType::kLwtSeg6local,
                                ProgType::kFlowDissector};
  for (std::uint32_t id = 1; id < kHelperEnd; ++id) {
    const Prototype& prototype = *find(id);
    const std::string_view name = prototype.name;
    if (prototype.function == nullptr || prototype.args[0].kind != Arg::kCtx) continue;
    if (name == "bpf_get_socket_cookie" || name == "bpf_get_socket_uid" || name == "bpf_tail_call" ||
        name == "bpf_get_netns_cookie" || name.starts_with("bpf_sk_lookup") || name == "bpf_skc_lookup_tcp" ||
        name.starts_with("bpf_get_stack") || name == "bpf_get_attach_cookie" || name == "bpf_fib_lookup" ||
        name.starts_with("bpf_get_func_"))
      continue;                                                                // do not look
    if (name == "bpf_perf_event_output" || name == "bpf_check_mtu") continue;  // ask which it is first
    for (std::uint32_t type = 1; type < abi::kProgTypeEnd; ++type) {
      if (!is_available(prototype, static_cast<ProgType>(type), 0)) continue;
      if (!takes_context_of(prototype, static_cast<ProgType>(type))) continue;
      const bool is_xdp = static_cast<ProgType>(type) == ProgType::kXdp;
      const bool is_skb = std::find(std::begin(skb_types), std::end(skb_types),
                                    static_cast<ProgType>(type)) != std::end(skb_types);
      const bool is_sysctl = static_cast<ProgType>(type) == ProgType::kCgroupSysctl;
      const bool is_sock_ops = static_cast<ProgType>(type) == ProgType::kSockOps;
      const bool is_sk_msg = static_cast<ProgType>(type) == ProgType::kSkMsg;
      const bool is_perf_event = static_cast<ProgType>(type) == ProgType::kPerfEvent;
      const bool loads = name.starts_with("bpf_skb_load_bytes");
      const bool is_packet = is_skb || (loads && static_cast<ProgType>(type) == ProgType::kSkReuseport);
      EXPECT_TRUE(name.starts_with("bpf_xdp_")        ? is_xdp
                  : name.starts_with("bpf_msg_")      ? is_sk_msg
                  : name.starts_with("bpf_sysctl_")   ? is_sysctl
                  : name.starts_with("bpf_sock_ops_") ? is_sock_ops
                  : name.ends_with("_hdr_opt")        ? is_sock_ops
                  : name.starts_with("bpf_perf_prog") ? is_perf_event
                                                      : is_packet)
          << name << " in type " << type;
    }
  }
}

TEST(Helpers, types_have_what_linux_gives_them) {
  EXPECT_TRUE(has(ProgType::kXdp, 44));  // xdp_adjust_head
  EXPECT_FALSE(has(ProgType::kSchedCls, 44));
  EXPECT_TRUE(has(ProgType::kSchedCls, 9));  // skb_store_bytes
  EXPECT_FALSE(has(ProgType::kXdp, 9));
  EXPECT_TRUE(has(ProgType::kSyscall, 166));  // sys_bpf
  EXPECT_FALSE(has(ProgType::kXdp, 166));
  EXPECT_TRUE(has(ProgType::kLircMode2, 1));     // map_lookup_elem
  EXPECT_FALSE(has(ProgType::kLircMode2, 181));  // loop
  EXPECT_TRUE(has(ProgType::kTracing, 1));
  constexpr auto kFentry = static_cast<std::uint32_t>(abi::AttachType::kTraceFentry);
  constexpr auto kFexit = static_cast<std::uint32_t>(abi::AttachType::kTraceFexit);
  EXPECT_TRUE(has(ProgType::kTracing, 183, kFentry));   // get_func_arg
  EXPECT_FALSE(has(ProgType::kTracing, 184, kFentry));  // get_func_ret
  EXPECT_TRUE(has(ProgType::kTracing, 184, kFexit));
  EXPECT_FALSE(has(static_cast<ProgType>(999), 1));
}

}  // namespace
}  // namespace portolan::helper
