// SPDX-License-Identifier: Apache-2.0
#include "verifier/context_types.h"

#include <string_view>

namespace portolan::verifier {
namespace {

// The first of a type is the context's own name.
struct Context {
  abi::ProgType program;
  const char* name;
  const char* kernels;  // "": no struct
};
using enum abi::ProgType;
constexpr Context kContexts[] = {
    {kSocketFilter, "__sk_buff", "sk_buff"},
    {kKprobe, "pt_regs", "pt_regs"},
    {kKprobe, "user_pt_regs", "pt_regs"},
    {kSchedCls, "__sk_buff", "sk_buff"},
    {kSchedAct, "__sk_buff", "sk_buff"},
    {kXdp, "xdp_md", "xdp_buff"},
    {kPerfEvent, "bpf_perf_event_data", "bpf_perf_event_data_kern"},
    {kCgroupSkb, "__sk_buff", "sk_buff"},
    {kCgroupSock, "bpf_sock", "sock"},
    {kLwtIn, "__sk_buff", "sk_buff"},
    {kLwtOut, "__sk_buff", "sk_buff"},
    {kLwtXmit, "__sk_buff", "sk_buff"},
    {kSockOps, "bpf_sock_ops", "bpf_sock_ops_kern"},
    {kSkSkb, "__sk_buff", "sk_buff"},
    {kCgroupDevice, "bpf_cgroup_dev_ctx", "bpf_cgroup_dev_ctx"},
    {kSkMsg, "sk_msg_md", "sk_msg"},
    {kRawTracepoint, "bpf_raw_tracepoint_args", ""},
    {kCgroupSockAddr, "bpf_sock_addr", "bpf_sock_addr_kern"},
    {kLwtSeg6local, "__sk_buff", "sk_buff"},
    {kSkReuseport, "sk_reuseport_md", "sk_reuseport_kern"},
    {kFlowDissector, "__sk_buff", "bpf_flow_dissector"},
    {kCgroupSysctl, "bpf_sysctl", "bpf_sysctl_kern"},
    {kRawTracepointWritable, "bpf_raw_tracepoint_args", ""},
    {kCgroupSockopt, "bpf_sockopt", "bpf_sockopt_kern"},
    {kSkLookup, "bpf_sk_lookup", "bpf_sk_lookup_kern"},
    {kNetfilter, "bpf_nf_ctx", "bpf_nf_ctx"},
};

}  // namespace

const char* context_struct(abi::ProgType program) {
  for (const Context& one : kContexts)
    if (one.program == program) return one.name;
  return nullptr;
}

const char* kernel_context(const btf::Btf& btf, const btf::Type& type, abi::ProgType program) {
  for (const Context& one : kContexts)
    if (one.program == program && std::string_view(btf.name(type)) == one.name) return one.kernels;
  return nullptr;
}

}  // namespace portolan::verifier
