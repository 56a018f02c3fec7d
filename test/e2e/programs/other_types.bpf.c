// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// One program of each type that BPF_PROG_TEST_RUN cannot run: each does with its context what such programs
// do.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16);
  __type(key, __u32);
  __type(value, __u64);
} seen SEC(".maps");

static __always_inline void saw(__u32 what) {
  __u64 now = bpf_ktime_get_ns();
  bpf_map_update_elem(&seen, &what, &now, BPF_ANY);
}

struct registers {
  unsigned long words[21];
};
SEC("kprobe/do_unlinkat")
int on_function(struct registers* ctx) {
  char name[16] = {};
  bpf_probe_read_kernel_str(name, sizeof name, (void*)ctx->words[14]);
  saw(ctx->words[14] + name[0] + (bpf_get_current_pid_tgid() >> 32));
  return 0;
}
struct open_enter {
  unsigned long common;
  long number, directory;
  const char* path;
};
SEC("tracepoint/syscalls/sys_enter_openat")
int on_open(struct open_enter* ctx) {
  char path[32];
  if (bpf_probe_read_user_str(path, sizeof path, ctx->path) > 0) saw(path[0] + (__u32)ctx->directory);
  return 0;
}
struct sample {
  struct registers registers;
  __u64 period, address;
};
SEC("perf_event")
int on_sample(struct sample* ctx) {
  saw((__u32)(ctx->registers.words[16] + ctx->period));
  return 0;
}
struct task_struct {
  int pid;
} __attribute__((preserve_access_index));
SEC("tp_btf/sched_switch")
int on_switch(unsigned long long* ctx) {
  struct task_struct *previous = (void*)ctx[1], *next = (void*)ctx[2];
  saw((__u32)(previous->pid + next->pid));
  return 0;
}
SEC("raw_tracepoint.w/nbd_send_request")
int on_request(struct bpf_raw_tracepoint_args* ctx) {
  *(__u32*)ctx->args[0] = 0;
  return 0;
}
SEC("cgroup/sock_create")
int on_socket(struct bpf_sock* ctx) {
  ctx->mark = ctx->family + ctx->type + ctx->protocol;
  return 1;
}
SEC("cgroup/connect4")
int on_connect(struct bpf_sock_addr* ctx) {
  if (ctx->user_ip4 == 0x0100007f && ctx->user_port == 0x5000) ctx->user_port = 0x901f;
  return 1;
}
SEC("cgroup/dev")
int on_device(struct bpf_cgroup_dev_ctx* ctx) { return (ctx->access_type & 0xffff) == 2 && ctx->major == 1; }
SEC("cgroup/sysctl")
int on_sysctl(struct bpf_sysctl* ctx) { return !ctx->write; }
SEC("cgroup/getsockopt")
int on_getsockopt(struct bpf_sockopt* ctx) {
  __u8 *value = ctx->optval, *end = ctx->optval_end;
  if (value + 4 <= end && ctx->level == 6) value[0] = 1, ctx->retval = 0;
  return 1;
}
SEC("sockops")
int on_tcp(struct bpf_sock_ops* ctx) {
  saw(ctx->op + ctx->snd_cwnd + ctx->local_port);
  ctx->reply = 1;
  return 1;
}
SEC("sk_msg")
int on_message(struct sk_msg_md* ctx) {
  __u8 *data = ctx->data, *end = ctx->data_end;
  return data + 1 <= end && data[0] == 'x' ? SK_DROP : SK_PASS;
}
SEC("sk_skb/stream_parser")
int on_stream(struct __sk_buff* ctx) { return ctx->len + ctx->remote_port; }
SEC("sk_reuseport")
int on_group(struct sk_reuseport_md* ctx) { return ctx->hash & 1 ? SK_PASS : SK_DROP; }
char _license[] SEC("license") = "GPL";
