// SPDX-License-Identifier: Apache-2.0
// Types of the kernel as nobody has them: what comes out is right only if whoever loads this puts it right.
#include <linux/types.h>

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

struct task_struct___backwards {
  int tgid, pid, no_such_member;
} __attribute__((preserve_access_index));
struct xdp_md___wide {
  unsigned long long ingress_ifindex;
} __attribute__((preserve_access_index));
enum bpf_map_type___other { BPF_MAP_TYPE_ARRAY___other = 9, BPF_MAP_TYPE_NO_SUCH = 10 };
struct no_such_struct {
  int member;
} __attribute__((preserve_access_index));

unsigned long long tgid_behind_pid, task_is_large, enumerator, ifindex, found[4], unreached = 5;

SEC("xdp")
int look_around(struct xdp_md* ctx) {
  struct task_struct___backwards* const task = 0;
  tgid_behind_pid = bpf_core_field_offset(task->tgid) - bpf_core_field_offset(task->pid);
  task_is_large = bpf_core_type_size(struct task_struct___backwards) > 1000;
  enumerator = bpf_core_enum_value(enum bpf_map_type___other, BPF_MAP_TYPE_ARRAY___other);
  ifindex = ((struct xdp_md___wide*)ctx)->ingress_ifindex;
  found[0] = bpf_core_field_exists(task->pid);
  found[1] = bpf_core_field_exists(task->no_such_member);
  found[2] = bpf_core_type_exists(struct no_such_struct);
  found[3] = bpf_core_enum_value_exists(enum bpf_map_type___other, BPF_MAP_TYPE_NO_SUCH);
  if (bpf_core_field_exists(task->no_such_member)) unreached = bpf_core_field_offset(task->no_such_member);
  return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
