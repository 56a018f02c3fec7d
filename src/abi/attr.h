// SPDX-License-Identifier: Apache-2.0
// The second argument of bpf(2): union bpf_attr. The kernel leaves most of its members anonymous; here each
// family of commands has a named one, with the kernel's names for the fields. Addresses and fds are the
// caller's.
#pragma once
#include <cstddef>
#include <cstdint>

#include "abi/limits.h"

namespace portolan::abi {

struct MapCreateAttr {
  std::uint32_t map_type;
  std::uint32_t key_size;
  std::uint32_t value_size;
  std::uint32_t max_entries;
  std::uint32_t map_flags;  // map_flag::
  std::uint32_t inner_map_fd;
  std::uint32_t numa_node;
  char map_name[kObjNameLen];
  std::uint32_t map_ifindex;
  std::uint32_t btf_fd;
  std::uint32_t btf_key_type_id;
  std::uint32_t btf_value_type_id;
  std::uint32_t btf_vmlinux_value_type_id;
  std::uint64_t map_extra;  // bloom filter: number of hashes; arena: address; rhash: size hint
  std::int32_t value_type_btf_obj_fd;
  std::int32_t map_token_fd;
  std::uint64_t excl_prog_hash;
  std::uint32_t excl_prog_hash_size;
};
static_assert(offsetof(MapCreateAttr, map_name) == 28 && offsetof(MapCreateAttr, map_ifindex) == 44);
static_assert(offsetof(MapCreateAttr, btf_vmlinux_value_type_id) == 60 &&
              offsetof(MapCreateAttr, map_extra) == 64);
static_assert(offsetof(MapCreateAttr, excl_prog_hash) == 80 &&
              offsetof(MapCreateAttr, excl_prog_hash_size) == 88);

// LOOKUP, UPDATE, DELETE, LOOKUP_AND_DELETE, GET_NEXT_KEY; FREEZE takes map_fd alone.
struct ElemAttr {
  std::uint32_t map_fd;
  std::uint64_t key;  // an address, as the next
  union {
    std::uint64_t value;
    std::uint64_t next_key;
  };
  std::uint64_t flags;  // element_flag::
};
static_assert(sizeof(ElemAttr) == 32 && offsetof(ElemAttr, key) == 8 && offsetof(ElemAttr, flags) == 24);

struct BatchAttr {
  std::uint64_t in_batch;   // 0: from the beginning
  std::uint64_t out_batch;  // where the next in_batch goes
  std::uint64_t keys;
  std::uint64_t values;
  std::uint32_t count;  // in: room; out: elements done
  std::uint32_t map_fd;
  std::uint64_t elem_flags;
  std::uint64_t flags;
};
static_assert(sizeof(BatchAttr) == 56 && offsetof(BatchAttr, count) == 32 &&
              offsetof(BatchAttr, flags) == 48);

struct ProgLoadAttr {
  std::uint32_t prog_type;
  std::uint32_t insn_cnt;
  std::uint64_t insns;
  std::uint64_t license;
  std::uint32_t log_level;
  std::uint32_t log_size;
  std::uint64_t log_buf;
  std::uint32_t kern_version;
  std::uint32_t prog_flags;  // prog_flag::
  char prog_name[kObjNameLen];
  std::uint32_t prog_ifindex;
  std::uint32_t expected_attach_type;
  std::uint32_t prog_btf_fd;
  std::uint32_t func_info_rec_size;
  std::uint64_t func_info;
  std::uint32_t func_info_cnt;
  std::uint32_t line_info_rec_size;
  std::uint64_t line_info;
  std::uint32_t line_info_cnt;
  std::uint32_t attach_btf_id;
  union {
    std::uint32_t attach_prog_fd;
    std::uint32_t attach_btf_obj_fd;
  };
  std::uint32_t core_relo_cnt;
  std::uint64_t fd_array;
  std::uint64_t core_relos;
  std::uint32_t core_relo_rec_size;
  std::uint32_t log_true_size;  // out
  std::int32_t prog_token_fd;
  std::uint32_t fd_array_cnt;
  std::uint64_t signature;
  std::uint32_t signature_size;
  std::int32_t keyring_id;
};
static_assert(sizeof(ProgLoadAttr) == 168 && offsetof(ProgLoadAttr, prog_name) == 48);
static_assert(offsetof(ProgLoadAttr, func_info) == 80 && offsetof(ProgLoadAttr, attach_prog_fd) == 112);
static_assert(offsetof(ProgLoadAttr, log_true_size) == 140 && offsetof(ProgLoadAttr, signature) == 152);

// OBJ_PIN, OBJ_GET
struct ObjAttr {
  std::uint64_t pathname;
  std::uint32_t bpf_fd;
  std::uint32_t file_flags;  // map_flag::kRdonly, kWronly, path_flag::
  std::int32_t path_fd;
};
static_assert(sizeof(ObjAttr) == 24 && offsetof(ObjAttr, path_fd) == 16);

// PROG_ATTACH, PROG_DETACH
struct AttachAttr {
  union {
    std::uint32_t target_fd;
    std::uint32_t target_ifindex;
  };
  std::uint32_t attach_bpf_fd;
  std::uint32_t attach_type;
  std::uint32_t attach_flags;  // attach_flag::
  std::uint32_t replace_bpf_fd;
  union {
    std::uint32_t relative_fd;
    std::uint32_t relative_id;
  };
  std::uint64_t expected_revision;
};
static_assert(sizeof(AttachAttr) == 32 && offsetof(AttachAttr, expected_revision) == 24);

// PROG_TEST_RUN
struct TestAttr {
  std::uint32_t prog_fd;
  std::uint32_t retval;  // out
  std::uint32_t data_size_in;
  std::uint32_t data_size_out;  // in: room; out: length
  std::uint64_t data_in;
  std::uint64_t data_out;
  std::uint32_t repeat;
  std::uint32_t duration;  // out, ns
  std::uint32_t ctx_size_in;
  std::uint32_t ctx_size_out;  // in: room; out: length
  std::uint64_t ctx_in;
  std::uint64_t ctx_out;
  std::uint32_t flags;  // test_flag::
  std::uint32_t cpu;
  std::uint32_t batch_size;
};
static_assert(sizeof(TestAttr) == 80 && offsetof(TestAttr, ctx_in) == 48 &&
              offsetof(TestAttr, batch_size) == 72);

// *_GET_NEXT_ID, *_GET_FD_BY_ID
struct IdAttr {
  union {
    std::uint32_t start_id;
    std::uint32_t prog_id;
    std::uint32_t map_id;
    std::uint32_t btf_id;
    std::uint32_t link_id;
  };
  std::uint32_t next_id;  // out
  std::uint32_t open_flags;
  std::int32_t fd_by_id_token_fd;
};
static_assert(sizeof(IdAttr) == 16);

// OBJ_GET_INFO_BY_FD
struct InfoAttr {
  std::uint32_t bpf_fd;
  std::uint32_t info_len;  // in: room; out: what was written
  std::uint64_t info;
};
static_assert(sizeof(InfoAttr) == 16);

// PROG_QUERY
struct QueryAttr {
  union {
    std::uint32_t target_fd;
    std::uint32_t target_ifindex;
  };
  std::uint32_t attach_type;
  std::uint32_t query_flags;
  std::uint32_t attach_flags;  // out
  std::uint64_t prog_ids;
  union {
    std::uint32_t prog_cnt;  // in: room; out: count
    std::uint32_t count;
  };
  std::uint32_t reserved;
  std::uint64_t prog_attach_flags;
  std::uint64_t link_ids;
  std::uint64_t link_attach_flags;
  std::uint64_t revision;  // out
};
static_assert(sizeof(QueryAttr) == 64 && offsetof(QueryAttr, prog_attach_flags) == 32);

struct RawTracepointAttr {
  std::uint64_t name;
  std::uint32_t prog_fd;
  std::uint32_t reserved;
  std::uint64_t cookie;
};
static_assert(sizeof(RawTracepointAttr) == 24);

struct BtfLoadAttr {
  std::uint64_t btf;
  std::uint64_t btf_log_buf;
  std::uint32_t btf_size;
  std::uint32_t btf_log_size;
  std::uint32_t btf_log_level;
  std::uint32_t btf_log_true_size;  // out
  std::uint32_t btf_flags;
  std::int32_t btf_token_fd;
};
static_assert(sizeof(BtfLoadAttr) == 40 && offsetof(BtfLoadAttr, btf_log_true_size) == 28);

struct TaskFdQueryAttr {
  std::uint32_t pid;
  std::uint32_t fd;
  std::uint32_t flags;
  std::uint32_t buf_len;  // in: room; out: length
  std::uint64_t buf;
  std::uint32_t prog_id;  // out, as all below
  std::uint32_t fd_type;
  std::uint64_t probe_offset;
  std::uint64_t probe_addr;
};
static_assert(sizeof(TaskFdQueryAttr) == 48);

// What link_create carries for one attach type each; they share their bytes.
namespace link_create {
struct Iter {
  std::uint64_t iter_info;
  std::uint32_t iter_info_len;
};
struct PerfEvent {
  std::uint64_t bpf_cookie;
};
struct KprobeMulti {
  std::uint32_t flags;
  std::uint32_t cnt;
  std::uint64_t syms;
  std::uint64_t addrs;
  std::uint64_t cookies;
};
struct Tracing {
  std::uint32_t target_btf_id;
  std::uint64_t cookie;
};
struct Netfilter {
  std::uint32_t pf;
  std::uint32_t hooknum;
  std::int32_t priority;
  std::uint32_t flags;
};
struct Anchored {  // tcx, netkit, cgroup: where among the others
  union {
    std::uint32_t relative_fd;
    std::uint32_t relative_id;
  };
  std::uint64_t expected_revision;
};
struct UprobeMulti {
  std::uint64_t path;
  std::uint64_t offsets;
  std::uint64_t ref_ctr_offsets;
  std::uint64_t cookies;
  std::uint32_t cnt;
  std::uint32_t flags;
  std::uint32_t pid;
  std::uint32_t path_fd;
};
struct TracingMulti {
  std::uint64_t ids;
  std::uint64_t cookies;
  std::uint32_t cnt;
};
static_assert(sizeof(KprobeMulti) == 32 && sizeof(UprobeMulti) == 48 && sizeof(TracingMulti) == 24);
static_assert(offsetof(Tracing, cookie) == 8 && offsetof(Anchored, expected_revision) == 8);
}  // namespace link_create

struct LinkCreateAttr {
  union {
    std::uint32_t prog_fd;
    std::uint32_t map_fd;
  };
  union {
    std::uint32_t target_fd;
    std::uint32_t target_ifindex;
  };
  std::uint32_t attach_type;
  std::uint32_t flags;
  union {
    std::uint32_t target_btf_id;
    link_create::Iter iter;
    link_create::PerfEvent perf_event;
    link_create::KprobeMulti kprobe_multi;
    link_create::Tracing tracing;
    link_create::Netfilter netfilter;
    link_create::Anchored tcx;
    link_create::UprobeMulti uprobe_multi;
    link_create::Anchored netkit;
    link_create::Anchored cgroup;
    link_create::TracingMulti tracing_multi;
  };
};
static_assert(sizeof(LinkCreateAttr) == 64 && offsetof(LinkCreateAttr, iter) == 16);

struct LinkUpdateAttr {
  std::uint32_t link_fd;
  union {
    std::uint32_t new_prog_fd;
    std::uint32_t new_map_fd;
  };
  std::uint32_t flags;
  union {
    std::uint32_t old_prog_fd;
    std::uint32_t old_map_fd;
  };
};
static_assert(sizeof(LinkUpdateAttr) == 16);

struct LinkDetachAttr {
  std::uint32_t link_fd;
};

struct EnableStatsAttr {
  std::uint32_t type;  // StatsType
};

struct IterCreateAttr {
  std::uint32_t link_fd;
  std::uint32_t flags;
};

struct ProgBindMapAttr {
  std::uint32_t prog_fd;
  std::uint32_t map_fd;
  std::uint32_t flags;
};

struct TokenCreateAttr {
  std::uint32_t flags;
  std::uint32_t bpffs_fd;
};

struct ProgStreamReadAttr {
  std::uint64_t stream_buf;
  std::uint32_t stream_buf_len;
  std::uint32_t stream_id;  // StreamId
  std::uint32_t prog_fd;
};
static_assert(sizeof(ProgStreamReadAttr) == 24);

struct ProgAssocStructOpsAttr {
  std::uint32_t map_fd;
  std::uint32_t prog_fd;
  std::uint32_t flags;
};
static_assert(sizeof(ProgAssocStructOpsAttr) == 12);

union alignas(8) Attr {
  std::uint64_t words[21];  // first, so that Attr{} is zero bytes throughout
  MapCreateAttr map_create;
  ElemAttr elem;
  BatchAttr batch;
  ProgLoadAttr prog_load;
  ObjAttr obj;
  AttachAttr attach;
  TestAttr test;
  IdAttr id;
  InfoAttr info;
  QueryAttr query;
  RawTracepointAttr raw_tracepoint;
  BtfLoadAttr btf_load;
  TaskFdQueryAttr task_fd_query;
  LinkCreateAttr link_create;
  LinkUpdateAttr link_update;
  LinkDetachAttr link_detach;
  EnableStatsAttr enable_stats;
  IterCreateAttr iter_create;
  ProgBindMapAttr prog_bind_map;
  TokenCreateAttr token_create;
  ProgStreamReadAttr prog_stream_read;
  ProgAssocStructOpsAttr prog_assoc_struct_ops;
};
// The size of v6.18's union and of the newest: bytes beyond it must be zero (E2BIG).
static_assert(sizeof(Attr) == 168 && alignof(Attr) == 8);

// union bpf_iter_link_info, behind link_create.iter.iter_info
union IterLinkInfo {
  struct Map {
    std::uint32_t map_fd;
  } map;
  struct Cgroup {
    std::uint32_t order;
    std::uint32_t cgroup_fd;
    std::uint64_t cgroup_id;
  } cgroup;
  struct Task {
    std::uint32_t tid;
    std::uint32_t pid;
    std::uint32_t pid_fd;
  } task;
};
static_assert(sizeof(IterLinkInfo) == 16);

}  // namespace portolan::abi
