// SPDX-License-Identifier: Apache-2.0
// What OBJ_GET_INFO_BY_FD answers. A caller's shorter struct gets the beginning; a longer one must hold zero
// bytes beyond these (E2BIG).
#pragma once
#include <cstddef>
#include <cstdint>

#include "abi/limits.h"

namespace portolan::abi {

struct alignas(8) MapInfo {  // struct bpf_map_info
  std::uint32_t type;
  std::uint32_t id;
  std::uint32_t key_size;
  std::uint32_t value_size;
  std::uint32_t max_entries;
  std::uint32_t map_flags;
  char name[kObjNameLen];
  std::uint32_t ifindex;
  std::uint32_t btf_vmlinux_value_type_id;
  std::uint64_t netns_dev;
  std::uint64_t netns_ino;
  std::uint32_t btf_id;
  std::uint32_t btf_key_type_id;
  std::uint32_t btf_value_type_id;
  std::uint32_t btf_vmlinux_id;
  std::uint64_t map_extra;
  std::uint64_t hash;  // an address, in; from v6.18 on, as the next two
  std::uint32_t hash_size;
  std::uint32_t reserved;
};
static_assert(sizeof(MapInfo) == 104 && offsetof(MapInfo, name) == 24 && offsetof(MapInfo, netns_dev) == 48);
static_assert(offsetof(MapInfo, btf_id) == 64 && offsetof(MapInfo, map_extra) == 80 &&
              offsetof(MapInfo, hash) == 88);

struct alignas(8) BtfInfo {  // struct bpf_btf_info
  std::uint64_t btf;
  std::uint32_t btf_size;  // in: room; out: the blob's size
  std::uint32_t id;
  std::uint64_t name;
  std::uint32_t name_len;  // in: room; out: length
  std::uint32_t kernel_btf;
};
static_assert(sizeof(BtfInfo) == 32 && offsetof(BtfInfo, name) == 16);

struct alignas(8) ProgInfo {  // struct bpf_prog_info
  std::uint32_t type;
  std::uint32_t id;
  std::uint8_t tag[kTagSize];
  std::uint32_t jited_prog_len;
  std::uint32_t xlated_prog_len;
  std::uint64_t jited_prog_insns;
  std::uint64_t xlated_prog_insns;
  std::uint64_t load_time;  // ns since boot
  std::uint32_t created_by_uid;
  std::uint32_t nr_map_ids;
  std::uint64_t map_ids;
  char name[kObjNameLen];
  std::uint32_t ifindex;
  std::uint32_t gpl_compatible;  // bit 0
  std::uint64_t netns_dev;
  std::uint64_t netns_ino;
  std::uint32_t nr_jited_ksyms;
  std::uint32_t nr_jited_func_lens;
  std::uint64_t jited_ksyms;
  std::uint64_t jited_func_lens;
  std::uint32_t btf_id;
  std::uint32_t func_info_rec_size;
  std::uint64_t func_info;
  std::uint32_t nr_func_info;
  std::uint32_t nr_line_info;
  std::uint64_t line_info;
  std::uint64_t jited_line_info;
  std::uint32_t nr_jited_line_info;
  std::uint32_t line_info_rec_size;
  std::uint32_t jited_line_info_rec_size;
  std::uint32_t nr_prog_tags;
  std::uint64_t prog_tags;
  std::uint64_t run_time_ns;
  std::uint64_t run_cnt;
  std::uint64_t recursion_misses;
  std::uint32_t verified_insns;
  std::uint32_t attach_btf_obj_id;
  std::uint32_t attach_btf_id;
  std::uint32_t reserved;
};
static_assert(sizeof(ProgInfo) == 232 && offsetof(ProgInfo, name) == 64 &&
              offsetof(ProgInfo, netns_dev) == 88);
static_assert(offsetof(ProgInfo, btf_id) == 128 && offsetof(ProgInfo, run_time_ns) == 192);

// What LinkInfo carries for one link type each; they share their bytes.
namespace link_info {
struct RawTracepoint {
  std::uint64_t tp_name;
  std::uint32_t tp_name_len;
  std::uint32_t reserved;
  std::uint64_t cookie;
};
struct Tracing {
  std::uint32_t attach_type;
  std::uint32_t target_obj_id;
  std::uint32_t target_btf_id;
  std::uint32_t reserved;
  std::uint64_t cookie;
};
struct Cgroup {
  std::uint64_t cgroup_id;
  std::uint32_t attach_type;
};
struct IterCgroup {
  std::uint64_t cgroup_id;
  std::uint32_t order;
};
struct IterTask {
  std::uint32_t tid;
  std::uint32_t pid;
};
struct Iter {
  std::uint64_t target_name;
  std::uint32_t target_name_len;
  std::uint32_t map_id;
  union {
    IterCgroup cgroup;
    IterTask task;
  };
};
struct Netns {
  std::uint32_t netns_ino;
  std::uint32_t attach_type;
};
struct Xdp {
  std::uint32_t ifindex;
};
struct StructOps {
  std::uint32_t map_id;
};
struct Netfilter {
  std::uint32_t pf;
  std::uint32_t hooknum;
  std::int32_t priority;
  std::uint32_t flags;
};
struct KprobeMulti {
  std::uint64_t addrs;
  std::uint32_t count;
  std::uint32_t flags;
  std::uint64_t missed;
  std::uint64_t cookies;
};
struct UprobeMulti {
  std::uint64_t path;
  std::uint64_t offsets;
  std::uint64_t ref_ctr_offsets;
  std::uint64_t cookies;
  std::uint32_t path_size;
  std::uint32_t count;
  std::uint32_t flags;
  std::uint32_t pid;
};
struct TracingMulti {
  std::uint32_t attach_type;
  std::uint32_t count;
  std::uint32_t btf_obj_id;
  std::uint32_t reserved;
  std::uint64_t ids;
  std::uint64_t addrs;
  std::uint64_t cookies;
};
struct Uprobe {
  std::uint64_t file_name;
  std::uint32_t name_len;
  std::uint32_t offset;
  std::uint64_t cookie;
  std::uint64_t ref_ctr_offset;
};
struct Kprobe {
  std::uint64_t func_name;
  std::uint32_t name_len;
  std::uint32_t offset;
  std::uint64_t addr;
  std::uint64_t missed;
  std::uint64_t cookie;
};
struct Tracepoint {
  std::uint64_t tp_name;
  std::uint32_t name_len;
  std::uint32_t reserved;
  std::uint64_t cookie;
};
struct Event {
  std::uint64_t config;
  std::uint32_t type;
  std::uint32_t reserved;
  std::uint64_t cookie;
};
struct PerfEvent {
  std::uint32_t type;  // PerfEventType
  std::uint32_t reserved;
  union {
    Uprobe uprobe;
    Kprobe kprobe;
    Tracepoint tracepoint;
    Event event;
  };
};
struct Device {  // tcx, netkit
  std::uint32_t ifindex;
  std::uint32_t attach_type;
};
struct Sockmap {
  std::uint32_t map_id;
  std::uint32_t attach_type;
};
static_assert(sizeof(Iter) == 32 && sizeof(PerfEvent) == 48 && sizeof(TracingMulti) == 40);
}  // namespace link_info

struct alignas(8) LinkInfo {  // struct bpf_link_info
  std::uint32_t type;         // LinkType
  std::uint32_t id;
  std::uint32_t prog_id;
  union {
    link_info::RawTracepoint raw_tracepoint;
    link_info::Tracing tracing;
    link_info::Cgroup cgroup;
    link_info::Iter iter;
    link_info::Netns netns;
    link_info::Xdp xdp;
    link_info::StructOps struct_ops;
    link_info::Netfilter netfilter;
    link_info::KprobeMulti kprobe_multi;
    link_info::UprobeMulti uprobe_multi;
    link_info::TracingMulti tracing_multi;
    link_info::PerfEvent perf_event;
    link_info::Device tcx;
    link_info::Device netkit;
    link_info::Sockmap sockmap;
  };
};
static_assert(sizeof(LinkInfo) == 64 && offsetof(LinkInfo, tracing) == 16);

struct alignas(8) TokenInfo {  // struct bpf_token_info
  std::uint64_t allowed_cmds;
  std::uint64_t allowed_maps;
  std::uint64_t allowed_progs;
  std::uint64_t allowed_attachs;
};
static_assert(sizeof(TokenInfo) == 32);

}  // namespace portolan::abi
