// SPDX-License-Identifier: Apache-2.0
// Structs that clients see whole (UAPI) are whole here; of those inside the kernel there are the members that
// something here fills in. Where each lies is no matter: programs are relocated to what this says.
#include "helper/kernel_types.h"

#include <fmt/format.h>

#include <string>

#include "btf/declarations.h"
#include "map/map.h"

namespace portolan::helper {
namespace {

constexpr std::string_view kNumbers = R"(
typedef signed char __s8;
typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __s8 s8;
typedef __u8 u8;
typedef __s16 s16;
typedef __u16 u16;
typedef __s32 s32;
typedef __u32 u32;
typedef __s64 s64;
typedef __u64 u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u16 __sum16;
typedef __u32 __wsum;
typedef _Bool bool;
typedef unsigned long __kernel_ulong_t;
typedef __kernel_ulong_t __kernel_size_t;
typedef __kernel_size_t size_t;
typedef int __kernel_pid_t;
typedef __kernel_pid_t pid_t;
typedef unsigned short __kernel_sa_family_t;
typedef __kernel_sa_family_t sa_family_t;
)";

constexpr std::string_view kContexts = R"(
struct bpf_flow_keys {
  __u16 nhoff, thoff, addr_proto;
  __u8 is_frag, is_first_frag, is_encap, ip_proto;
  __be16 n_proto, sport, dport;
  union {
    struct { __be32 ipv4_src, ipv4_dst; };
    struct { __u32 ipv6_src[4], ipv6_dst[4]; };
  };
  __u32 flags;
  __be32 flow_label;
};
struct bpf_sock {
  __u32 bound_dev_if, family, type, protocol, mark, priority, src_ip4, src_ip6[4], src_port;
  __be16 dst_port;
  __u32 dst_ip4, dst_ip6[4], state;
  __s32 rx_queue_mapping;
};
struct __sk_buff {
  __u32 len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto, priority;
  __u32 ingress_ifindex, ifindex, tc_index, cb[5], hash, tc_classid, data, data_end, napi_id;
  __u32 family, remote_ip4, local_ip4, remote_ip6[4], local_ip6[4], remote_port, local_port, data_meta;
  union { struct bpf_flow_keys *flow_keys; };
  __u64 tstamp;
  __u32 wire_len, gso_segs;
  union { struct bpf_sock *sk; };
  __u32 gso_size;
  __u8 tstamp_type;
  __u64 hwtstamp;
};
struct xdp_md { __u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex; };
struct bpf_sock_addr {
  __u32 user_family, user_ip4, user_ip6[4], user_port, family, type, protocol, msg_src_ip4, msg_src_ip6[4];
  union { struct bpf_sock *sk; };
};
struct bpf_sock_ops {
  __u32 op;
  union { __u32 args[4]; __u32 reply; __u32 replylong[4]; };
  __u32 family, remote_ip4, local_ip4, remote_ip6[4], local_ip6[4], remote_port, local_port, is_fullsock;
  __u32 snd_cwnd, srtt_us, bpf_sock_ops_cb_flags, state, rtt_min, snd_ssthresh, rcv_nxt, snd_nxt, snd_una;
  __u32 mss_cache, ecn_flags, rate_delivered, rate_interval_us, packets_out, retrans_out, total_retrans;
  __u32 segs_in, data_segs_in, segs_out, data_segs_out, lost_out, sacked_out, sk_txhash;
  __u64 bytes_received, bytes_acked;
  union { struct bpf_sock *sk; };
  union { void *skb_data; };
  union { void *skb_data_end; };
  __u32 skb_len, skb_tcp_flags;
  __u64 skb_hwtstamp;
};
struct bpf_sockopt {
  union { struct bpf_sock *sk; };
  union { void *optval; };
  union { void *optval_end; };
  __s32 level, optname, optlen, retval;
};
struct bpf_sysctl { __u32 write, file_pos; };
struct sk_msg_md {
  union { void *data; };
  union { void *data_end; };
  __u32 family, remote_ip4, local_ip4, remote_ip6[4], local_ip6[4], remote_port, local_port, size;
  union { struct bpf_sock *sk; };
};
struct sk_reuseport_md {
  union { void *data; };
  union { void *data_end; };
  __u32 len, eth_protocol, ip_protocol, bind_inany, hash;
  union { struct bpf_sock *sk; };
  union { struct bpf_sock *migrating_sk; };
};
struct bpf_sk_lookup {
  union { union { struct bpf_sock *sk; }; __u64 cookie; };
  __u32 family, protocol, remote_ip4, remote_ip6[4];
  __be16 remote_port;
  __u32 local_ip4, local_ip6[4], local_port, ingress_ifindex;
};
struct bpf_cgroup_dev_ctx { __u32 access_type, major, minor; };
struct bpf_raw_tracepoint_args { __u64 args[0]; };
struct pt_regs {
  unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip;
  union { u16 cs; u64 csx; };
  unsigned long flags, sp;
  union { u16 ss; u64 ssx; };
};
typedef struct pt_regs bpf_user_pt_regs_t;
struct bpf_perf_event_data { bpf_user_pt_regs_t regs; __u64 sample_period, addr; };
struct trace_entry { unsigned short type; unsigned char flags, preempt_count; int pid; };
struct trace_event_raw_sys_enter { struct trace_entry ent; long id; unsigned long args[6]; char __data[0]; };
struct trace_event_raw_sys_exit { struct trace_entry ent; long id, ret; char __data[0]; };
)";

// What programs hand to helpers, get from them, or keep in values.
constexpr std::string_view kValues = R"(
struct bpf_sock_tuple {
  union {
    struct { __be32 saddr, daddr; __be16 sport, dport; } ipv4;
    struct { __be32 saddr[4], daddr[4]; __be16 sport, dport; } ipv6;
  };
};
struct bpf_tcp_sock {
  __u32 snd_cwnd, srtt_us, rtt_min, snd_ssthresh, rcv_nxt, snd_nxt, snd_una, mss_cache, ecn_flags;
  __u32 rate_delivered, rate_interval_us, packets_out, retrans_out, total_retrans, segs_in, data_segs_in;
  __u32 segs_out, data_segs_out, lost_out, sacked_out;
  __u64 bytes_received, bytes_acked;
  __u32 dsack_dups, delivered, delivered_ce, icsk_retransmits;
};
struct bpf_fib_lookup {
  __u8 family, l4_protocol;
  __be16 sport, dport;
  union { __u16 tot_len; __u16 mtu_result; };
  __u32 ifindex;
  union { __u8 tos; __be32 flowinfo; __u32 rt_metric; };
  union { __be32 ipv4_src; __u32 ipv6_src[4]; };
  union { __be32 ipv4_dst; __u32 ipv6_dst[4]; };
  union { struct { __be16 h_vlan_proto, h_vlan_TCI; }; __u32 tbid; };
  union { struct { __u32 mark; }; struct { __u8 smac[6], dmac[6]; }; };
};
struct bpf_redir_neigh { __u32 nh_family; union { __be32 ipv4_nh; __u32 ipv6_nh[4]; }; };
struct bpf_tunnel_key {
  __u32 tunnel_id;
  union { __u32 remote_ipv4; __u32 remote_ipv6[4]; };
  __u8 tunnel_tos, tunnel_ttl;
  union { __u16 tunnel_ext; __be16 tunnel_flags; };
  __u32 tunnel_label;
  union { __u32 local_ipv4; __u32 local_ipv6[4]; };
};
struct bpf_xfrm_state { __u32 reqid, spi; __u16 family, ext; union { __u32 remote_ipv4; __u32 remote_ipv6[4]; }; };
struct bpf_perf_event_value { __u64 counter, enabled, running; };
struct bpf_pidns_info { __u32 pid, tgid; };
struct bpf_stack_build_id { __s32 status; unsigned char build_id[20]; union { __u64 offset; __u64 ip; }; };
struct bpf_devmap_val { __u32 ifindex; union { int fd; __u32 id; } bpf_prog; };
struct bpf_cpumap_val { __u32 qsize; union { int fd; __u32 id; } bpf_prog; };
struct bpf_cgroup_storage_key { __u64 cgroup_inode_id; __u32 attach_type; };
struct bpf_lpm_trie_key_hdr { __u32 prefixlen; };
struct bpf_lpm_trie_key_u8 { union { struct bpf_lpm_trie_key_hdr hdr; __u32 prefixlen; }; __u8 data[0]; };
struct btf_ptr { void *ptr; __u32 type_id, flags; };
struct bpf_spin_lock { __u32 val; };
struct bpf_timer { __u64 __opaque[2]; };
struct bpf_wq { __u64 __opaque[2]; };
struct bpf_dynptr { __u64 __opaque[2]; };
struct bpf_dynptr_kern { void *data; u32 size, offset; };
struct bpf_refcount { __u32 __opaque[1]; };
struct bpf_list_head { __u64 __opaque[2]; };
struct bpf_list_node { __u64 __opaque[3]; };
struct bpf_rb_root { __u64 __opaque[2]; };
struct bpf_rb_node { __u64 __opaque[4]; };
struct bpf_iter_num { __u64 __opaque[1]; };
struct bpf_iter_bits { __u64 __opaque[2]; };
)";

constexpr std::string_view kPackets = R"(
struct ethhdr { unsigned char h_dest[6], h_source[6]; __be16 h_proto; };
struct vlan_hdr { __be16 h_vlan_TCI, h_vlan_encapsulated_proto; };
struct iphdr {
  __u8 ihl : 4, version : 4;
  __u8 tos;
  __be16 tot_len, id, frag_off;
  __u8 ttl, protocol;
  __sum16 check;
  union { struct { __be32 saddr, daddr; }; struct { __be32 saddr, daddr; } addrs; };
};
struct in_addr { __be32 s_addr; };
struct in6_addr { union { __u8 u6_addr8[16]; __be16 u6_addr16[8]; __be32 u6_addr32[4]; } in6_u; };
struct ipv6hdr {
  __u8 priority : 4, version : 4;
  __u8 flow_lbl[3];
  __be16 payload_len;
  __u8 nexthdr, hop_limit;
  union { struct { struct in6_addr saddr, daddr; }; struct { struct in6_addr saddr, daddr; } addrs; };
};
struct tcphdr {
  __be16 source, dest;
  __be32 seq, ack_seq;
  __u16 ae : 1, res1 : 3, doff : 4, fin : 1, syn : 1, rst : 1, psh : 1, ack : 1, urg : 1, ece : 1, cwr : 1;
  __be16 window;
  __sum16 check;
  __be16 urg_ptr;
};
struct udphdr { __be16 source, dest, len; __sum16 check; };
struct icmphdr {
  __u8 type, code;
  __sum16 checksum;
  union {
    struct { __be16 id, sequence; } echo;
    __be32 gateway;
    struct { __be16 __unused, mtu; } frag;
    __u8 reserved[4];
  } un;
};
struct icmp6hdr {
  __u8 icmp6_type, icmp6_code;
  __sum16 icmp6_cksum;
  union { __be32 un_data32[1]; __be16 un_data16[2]; __u8 un_data8[4]; } icmp6_dataun;
};
struct sockaddr { sa_family_t sa_family; union { char sa_data_min[14]; struct { char sa_data[0]; }; }; };
struct sockaddr_in { __kernel_sa_family_t sin_family; __be16 sin_port; struct in_addr sin_addr; unsigned char __pad[8]; };
struct sockaddr_in6 {
  unsigned short sin6_family;
  __be16 sin6_port;
  __be32 sin6_flowinfo;
  struct in6_addr sin6_addr;
  __u32 sin6_scope_id;
};
)";

constexpr std::string_view kConstants = R"(
enum xdp_action { XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX, XDP_REDIRECT };
enum sk_action { SK_DROP, SK_PASS };
enum bpf_ret_code { BPF_OK, BPF_DROP = 2, BPF_REDIRECT = 7, BPF_LWT_REROUTE = 128, BPF_FLOW_DISSECTOR_CONTINUE = 129 };
enum bpf_prog_type {
  BPF_PROG_TYPE_UNSPEC, BPF_PROG_TYPE_SOCKET_FILTER, BPF_PROG_TYPE_KPROBE, BPF_PROG_TYPE_SCHED_CLS,
  BPF_PROG_TYPE_SCHED_ACT, BPF_PROG_TYPE_TRACEPOINT, BPF_PROG_TYPE_XDP, BPF_PROG_TYPE_PERF_EVENT,
  BPF_PROG_TYPE_CGROUP_SKB, BPF_PROG_TYPE_CGROUP_SOCK, BPF_PROG_TYPE_LWT_IN, BPF_PROG_TYPE_LWT_OUT,
  BPF_PROG_TYPE_LWT_XMIT, BPF_PROG_TYPE_SOCK_OPS, BPF_PROG_TYPE_SK_SKB, BPF_PROG_TYPE_CGROUP_DEVICE,
  BPF_PROG_TYPE_SK_MSG, BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
  BPF_PROG_TYPE_LWT_SEG6LOCAL, BPF_PROG_TYPE_LIRC_MODE2, BPF_PROG_TYPE_SK_REUSEPORT,
  BPF_PROG_TYPE_FLOW_DISSECTOR, BPF_PROG_TYPE_CGROUP_SYSCTL, BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE,
  BPF_PROG_TYPE_CGROUP_SOCKOPT, BPF_PROG_TYPE_TRACING, BPF_PROG_TYPE_STRUCT_OPS, BPF_PROG_TYPE_EXT,
  BPF_PROG_TYPE_LSM, BPF_PROG_TYPE_SK_LOOKUP, BPF_PROG_TYPE_SYSCALL, BPF_PROG_TYPE_NETFILTER
};
enum bpf_link_type {
  BPF_LINK_TYPE_UNSPEC, BPF_LINK_TYPE_RAW_TRACEPOINT, BPF_LINK_TYPE_TRACING, BPF_LINK_TYPE_CGROUP,
  BPF_LINK_TYPE_ITER, BPF_LINK_TYPE_NETNS, BPF_LINK_TYPE_XDP, BPF_LINK_TYPE_PERF_EVENT,
  BPF_LINK_TYPE_KPROBE_MULTI, BPF_LINK_TYPE_STRUCT_OPS, BPF_LINK_TYPE_NETFILTER, BPF_LINK_TYPE_TCX,
  BPF_LINK_TYPE_UPROBE_MULTI, BPF_LINK_TYPE_NETKIT, BPF_LINK_TYPE_SOCKMAP
};
enum bpf_attach_type {
  BPF_CGROUP_INET_INGRESS, BPF_CGROUP_INET_EGRESS, BPF_CGROUP_INET_SOCK_CREATE, BPF_CGROUP_SOCK_OPS,
  BPF_SK_SKB_STREAM_PARSER, BPF_SK_SKB_STREAM_VERDICT, BPF_CGROUP_DEVICE, BPF_SK_MSG_VERDICT,
  BPF_CGROUP_INET4_BIND, BPF_CGROUP_INET6_BIND, BPF_CGROUP_INET4_CONNECT, BPF_CGROUP_INET6_CONNECT,
  BPF_CGROUP_INET4_POST_BIND, BPF_CGROUP_INET6_POST_BIND, BPF_CGROUP_UDP4_SENDMSG, BPF_CGROUP_UDP6_SENDMSG,
  BPF_LIRC_MODE2, BPF_FLOW_DISSECTOR, BPF_CGROUP_SYSCTL, BPF_CGROUP_UDP4_RECVMSG, BPF_CGROUP_UDP6_RECVMSG,
  BPF_CGROUP_GETSOCKOPT, BPF_CGROUP_SETSOCKOPT, BPF_TRACE_RAW_TP, BPF_TRACE_FENTRY, BPF_TRACE_FEXIT,
  BPF_MODIFY_RETURN, BPF_LSM_MAC, BPF_TRACE_ITER, BPF_CGROUP_INET4_GETPEERNAME, BPF_CGROUP_INET6_GETPEERNAME,
  BPF_CGROUP_INET4_GETSOCKNAME, BPF_CGROUP_INET6_GETSOCKNAME, BPF_XDP_DEVMAP, BPF_CGROUP_INET_SOCK_RELEASE,
  BPF_XDP_CPUMAP, BPF_SK_LOOKUP, BPF_XDP, BPF_SK_SKB_VERDICT, BPF_SK_REUSEPORT_SELECT,
  BPF_SK_REUSEPORT_SELECT_OR_MIGRATE, BPF_PERF_EVENT, BPF_TRACE_KPROBE_MULTI, BPF_LSM_CGROUP, BPF_STRUCT_OPS,
  BPF_NETFILTER, BPF_TCX_INGRESS, BPF_TCX_EGRESS, BPF_TRACE_UPROBE_MULTI, BPF_CGROUP_UNIX_CONNECT,
  BPF_CGROUP_UNIX_SENDMSG, BPF_CGROUP_UNIX_RECVMSG, BPF_CGROUP_UNIX_GETPEERNAME, BPF_CGROUP_UNIX_GETSOCKNAME,
  BPF_NETKIT_PRIMARY, BPF_NETKIT_PEER, BPF_TRACE_KPROBE_SESSION, BPF_TRACE_UPROBE_SESSION
};
)";

// Members by which StructImage and the verifier know them.
constexpr std::string_view kObjects = R"(
struct seq_file { void *private; };
struct sock_common { unsigned short skc_family; };
struct sock { struct sock_common __sk_common; };
struct sk_buff { unsigned int len; unsigned char *data; };
struct xdp_buff { void *data, *data_end, *data_meta; };
struct nf_hook_state {
  u8 hook, pf;
  struct net_device *in, *out;
  struct sock *sk;
  struct net *net;
  int (*okfn)(struct net *, struct sock *, struct sk_buff *);
};
struct bpf_nf_ctx { const struct nf_hook_state *state; struct sk_buff *skb; };
struct task_struct {
  pid_t pid, tgid;
  struct task_struct *real_parent, *group_leader;
  u64 start_time;
  char comm[16];
};
struct bpf_map {
  enum bpf_map_type map_type;
  u32 key_size, value_size, max_entries;
  u64 map_extra;
  u32 map_flags, id, btf_key_type_id, btf_value_type_id;
  char name[16];
  bool frozen;
};
struct bpf_array { struct bpf_map map; u32 elem_size, index_mask; };
struct bpf_htab { struct bpf_map map; u32 n_buckets, elem_size; };
struct lpm_trie { struct bpf_map map; u64 max_prefixlen, data_size; };
struct bpf_queue_stack { struct bpf_map map; u32 size; };
struct bpf_ringbuf_map { struct bpf_map map; };
struct bpf_stack_map { struct bpf_map map; u32 n_buckets; };
struct bpf_bloom_filter { struct bpf_map map; u32 bitset_mask, nr_hash_funcs; };
struct bpf_prog_aux {
  u32 id, attach_btf_id, max_ctx_offset, verified_insns;
  const char *attach_func_name;
  u64 load_time;
  char name[16];
  struct bpf_prog *prog;
};
struct bpf_prog {
  enum bpf_prog_type type;
  enum bpf_attach_type expected_attach_type;
  u32 len;
  u8 tag[8];
  struct bpf_prog_aux *aux;
};
struct bpf_link { u32 id; enum bpf_link_type type; struct bpf_prog *prog; };
struct bpf_iter_meta { union { struct seq_file *seq; }; u64 session_id, seq_num; };
struct bpf_iter__bpf_map { union { struct bpf_iter_meta *meta; }; union { struct bpf_map *map; }; };
struct bpf_iter__bpf_map_elem {
  union { struct bpf_iter_meta *meta; };
  union { struct bpf_map *map; };
  union { void *key; };
  union { void *value; };
};
struct bpf_iter__bpf_prog { union { struct bpf_iter_meta *meta; }; union { struct bpf_prog *prog; }; };
struct bpf_iter__bpf_link { union { struct bpf_iter_meta *meta; }; union { struct bpf_link *link; }; };
int bpf_iter_bpf_map(struct bpf_iter_meta *meta, struct bpf_map *map);
int bpf_iter_bpf_map_elem(struct bpf_iter_meta *meta, struct bpf_map *map, void *key, void *value);
int bpf_iter_bpf_prog(struct bpf_iter_meta *meta, struct bpf_prog *prog);
int bpf_iter_bpf_link(struct bpf_iter_meta *meta, struct bpf_link *link);
)";

// Those that BPF_PROG_TEST_RUN calls for a program that is attached to them, and those that programs call: a
// prototype for each row of kfuncs.def that has a function. Names of arguments say what is wanted there, as
// in the kernel (__sz, __k, __ign, __uninit, __opt …).
constexpr std::string_view kFunctions = R"(
struct bpf_fentry_test_t { struct bpf_fentry_test_t *a; };
int bpf_fentry_test1(int a);
int bpf_fentry_test2(int a, u64 b);
int bpf_fentry_test3(char a, int b, u64 c);
int bpf_fentry_test4(void *a, char b, int c, u64 d);
int bpf_fentry_test5(u64 a, void *b, short c, int d, u64 e);
int bpf_fentry_test6(u64 a, void *b, short c, int d, void *e, u64 f);
int bpf_fentry_test7(struct bpf_fentry_test_t *arg);
int bpf_fentry_test8(struct bpf_fentry_test_t *arg);
u32 bpf_fentry_test9(u32 *a);
int bpf_fentry_test10(const void *a);
int bpf_modify_return_test(int a, int *b);
int bpf_modify_return_test2(int a, int *b, short c, int d, void *e, char f, int g);
__bpf_kfunc void bpf_throw(u64 cookie);
__bpf_kfunc void bpf_rcu_read_lock(void);
__bpf_kfunc void bpf_rcu_read_unlock(void);
__bpf_kfunc void bpf_preempt_disable(void);
__bpf_kfunc void bpf_preempt_enable(void);
__bpf_kfunc void bpf_local_irq_save(unsigned long *flags__irq_flag);
__bpf_kfunc void bpf_local_irq_restore(unsigned long *flags__irq_flag);
__bpf_kfunc __u64 *bpf_session_cookie(void);
__bpf_kfunc bool bpf_session_is_return(void);
__bpf_kfunc int bpf_dynptr_adjust(const struct bpf_dynptr *p, u32 start, u32 end);
__bpf_kfunc bool bpf_dynptr_is_null(const struct bpf_dynptr *p);
__bpf_kfunc bool bpf_dynptr_is_rdonly(const struct bpf_dynptr *p);
__bpf_kfunc __u32 bpf_dynptr_size(const struct bpf_dynptr *p);
__bpf_kfunc int bpf_dynptr_clone(const struct bpf_dynptr *p, struct bpf_dynptr *clone__uninit);
__bpf_kfunc void *bpf_dynptr_slice(const struct bpf_dynptr *p, u32 offset, void *buffer__opt, u32 buffer__szk);
__bpf_kfunc void *bpf_dynptr_slice_rdwr(const struct bpf_dynptr *p, u32 offset, void *buffer__opt, u32 buffer__szk);
__bpf_kfunc int bpf_dynptr_copy(struct bpf_dynptr *dst_ptr, u32 dst_off, struct bpf_dynptr *src_ptr, u32 src_off, u32 size);
__bpf_kfunc int bpf_dynptr_memset(struct bpf_dynptr *p, u32 offset, u32 size, u8 val);
__bpf_kfunc int bpf_probe_read_user_dynptr(struct bpf_dynptr *dptr, u32 off, u32 size, const void *unsafe_ptr__ign);
__bpf_kfunc int bpf_probe_read_kernel_dynptr(struct bpf_dynptr *dptr, u32 off, u32 size, const void *unsafe_ptr__ign);
__bpf_kfunc int bpf_probe_read_user_str_dynptr(struct bpf_dynptr *dptr, u32 off, u32 size, const void *unsafe_ptr__ign);
__bpf_kfunc int bpf_probe_read_kernel_str_dynptr(struct bpf_dynptr *dptr, u32 off, u32 size, const void *unsafe_ptr__ign);
__bpf_kfunc int bpf_copy_from_user_dynptr(struct bpf_dynptr *dptr, u32 off, u32 size, const void *unsafe_ptr__ign);
__bpf_kfunc int bpf_copy_from_user_str_dynptr(struct bpf_dynptr *dptr, u32 off, u32 size, const void *unsafe_ptr__ign);
__bpf_kfunc int bpf_dynptr_from_skb(struct __sk_buff *s, u64 flags, struct bpf_dynptr *ptr__uninit);
__bpf_kfunc int bpf_dynptr_from_skb_meta(struct __sk_buff *skb_, u64 flags, struct bpf_dynptr *ptr__uninit);
__bpf_kfunc int bpf_dynptr_from_xdp(struct xdp_md *x, u64 flags, struct bpf_dynptr *ptr__uninit);
__bpf_kfunc int bpf_xdp_pull_data(struct xdp_md *x, u32 len);
__bpf_kfunc void *bpf_rdonly_cast(const void *obj__ign, u32 btf_id__k);
__bpf_kfunc int bpf_strcmp(const char *s1__ign, const char *s2__ign);
__bpf_kfunc int bpf_strcasecmp(const char *s1__ign, const char *s2__ign);
__bpf_kfunc int bpf_strchr(const char *s__ign, char c);
__bpf_kfunc int bpf_strchrnul(const char *s__ign, char c);
__bpf_kfunc int bpf_strnchr(const char *s__ign, size_t count, char c);
__bpf_kfunc int bpf_strrchr(const char *s__ign, int c);
__bpf_kfunc int bpf_strlen(const char *s__ign);
__bpf_kfunc int bpf_strnlen(const char *s__ign, size_t count);
__bpf_kfunc int bpf_strspn(const char *s__ign, const char *accept__ign);
__bpf_kfunc int bpf_strcspn(const char *s__ign, const char *reject__ign);
__bpf_kfunc int bpf_strstr(const char *s1__ign, const char *s2__ign);
__bpf_kfunc int bpf_strnstr(const char *s1__ign, const char *s2__ign, size_t len);
__bpf_kfunc int bpf_copy_from_user_str(void *dst, u32 dst__sz, const void *unsafe_ptr__ign, u64 flags);
__bpf_kfunc s64 bpf_map_sum_elem_count(const struct bpf_map *map);
__bpf_kfunc int bpf_wq_init(struct bpf_wq *wq, void *p__map, unsigned int flags);
__bpf_kfunc int bpf_wq_set_callback_impl(struct bpf_wq *wq, int (*callback_fn)(void *, int *, void *), unsigned int flags, void *aux__prog);
__bpf_kfunc int bpf_wq_start(struct bpf_wq *wq, unsigned int flags);
__bpf_kfunc int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end);
__bpf_kfunc int *bpf_iter_num_next(struct bpf_iter_num *it);
__bpf_kfunc void bpf_iter_num_destroy(struct bpf_iter_num *it);
__bpf_kfunc int bpf_iter_bits_new(struct bpf_iter_bits *it, const u64 *unsafe_ptr__ign, u32 nr_words);
__bpf_kfunc int *bpf_iter_bits_next(struct bpf_iter_bits *it);
__bpf_kfunc void bpf_iter_bits_destroy(struct bpf_iter_bits *it);
)";

std::string enumeration_of_helpers() {
  std::string text = "enum bpf_func_id { BPF_FUNC_unspec";
#define HELPER(id, name, returns, programs, flags, major, minor, args, note) ", BPF_FUNC_" #name " = " #id
#define HELPER_NOT_HERE HELPER
  text +=
#include "helper/helpers.def"
      ;
#undef HELPER
#undef HELPER_NOT_HERE
  return text + " };\n";
}

std::string enumeration_of_map_types() {
  std::string text = "enum bpf_map_type { BPF_MAP_TYPE_UNSPEC";
  const auto add = [&text](std::string_view name, abi::MapType type) {
    text += ", BPF_MAP_TYPE_";
    for (const char letter : name)
      text += letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
    text += fmt::format(" = {}", static_cast<std::uint32_t>(type));
  };
#define MAP_TYPE(name, number, ...) add(#name, abi::MapType::number);
#define MAP_TYPE_NOT_YET(name, number, ...) add(#name, abi::MapType::number);
#include "map/map_types.def"
#undef MAP_TYPE
#undef MAP_TYPE_NOT_YET
  return text + " };\n";
}

}  // namespace

std::string kernel_declarations() {
  std::string text;
  for (const std::string_view part :
       {kNumbers, kContexts, kValues, kPackets, kConstants, kObjects, kFunctions})
    text += part;
  return text + enumeration_of_helpers() + enumeration_of_map_types();
}

std::vector<std::byte> own_kernel_types() { return btf::types_declared(kernel_declarations()); }

std::vector<std::byte> completed(const btf::Btf& kernel) {
  return btf::types_completed(kernel, kernel_declarations());
}

}  // namespace portolan::helper
