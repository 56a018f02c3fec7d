// SPDX-License-Identifier: Apache-2.0
// Keys and values, and parts of values, to which the kernel gives a meaning.
#pragma once
#include <cstddef>
#include <cstdint>

#include "abi/limits.h"

namespace portolan::abi {

// Fields that a value may contain and that BTF finds by the type's name.
struct SpinLock {  // struct bpf_spin_lock
  std::uint32_t val;
};
struct ResSpinLock {  // struct bpf_res_spin_lock: a kernel type, not in the header
  std::uint32_t val;
};
struct alignas(8) Timer {  // struct bpf_timer
  std::uint64_t opaque[2];
};
struct alignas(8) WorkQueue {  // struct bpf_wq
  std::uint64_t opaque[2];
};
struct alignas(8) TaskWork {  // struct bpf_task_work
  std::uint64_t opaque;
};
struct alignas(8) ListHead {  // struct bpf_list_head
  std::uint64_t opaque[2];
};
struct alignas(8) ListNode {  // struct bpf_list_node
  std::uint64_t opaque[3];
};
struct alignas(8) RbRoot {  // struct bpf_rb_root
  std::uint64_t opaque[2];
};
struct alignas(8) RbNode {  // struct bpf_rb_node
  std::uint64_t opaque[4];
};
struct Refcount {  // struct bpf_refcount
  std::uint32_t opaque[1];
};
static_assert(sizeof(SpinLock) == 4 && alignof(SpinLock) == 4 && sizeof(ResSpinLock) == 4);
static_assert(sizeof(Timer) == 16 && sizeof(WorkQueue) == 16 && sizeof(TaskWork) == 8);
static_assert(sizeof(ListHead) == 16 && sizeof(ListNode) == 24 && sizeof(RbRoot) == 16 &&
              sizeof(RbNode) == 32);
static_assert(sizeof(Refcount) == 4 && alignof(Refcount) == 4);

// The beginning of an LPM trie's key; the address bytes follow.
struct LpmTrieKeyHeader {  // struct bpf_lpm_trie_key_hdr
  std::uint32_t prefixlen;
};
static_assert(sizeof(LpmTrieKeyHeader) == 4);

struct CgroupStorageKey {  // struct bpf_cgroup_storage_key
  std::uint64_t cgroup_inode_id;
  std::uint32_t attach_type;
};
static_assert(sizeof(CgroupStorageKey) == 16);

// Value of a devmap; 4 bytes long (ifindex only) or whole.
struct DevmapValue {  // struct bpf_devmap_val
  std::uint32_t ifindex;
  std::int32_t prog_fd_or_id;  // an fd when written, an id when read
};
static_assert(sizeof(DevmapValue) == 8);

struct CpumapValue {  // struct bpf_cpumap_val
  std::uint32_t qsize;
  std::int32_t prog_fd_or_id;  // likewise
};
static_assert(sizeof(CpumapValue) == 8);

struct InsnArrayValue {  // struct bpf_insn_array_value
  std::uint32_t orig_off;
  std::uint32_t xlated_off;
  std::uint32_t jitted_off;
  std::uint32_t reserved;
};
static_assert(sizeof(InsnArrayValue) == 16);

enum class StackBuildIdStatus : std::int32_t { kEmpty = 0, kValid = 1, kIp = 2 };
struct StackBuildId {  // struct bpf_stack_build_id
  std::int32_t status;
  std::uint8_t build_id[kBuildIdSize];
  std::uint64_t offset_or_ip;
};
static_assert(sizeof(StackBuildId) == 32 && offsetof(StackBuildId, offset_or_ip) == 24);

}  // namespace portolan::abi
