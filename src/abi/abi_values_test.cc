// SPDX-License-Identifier: Apache-2.0
// Every number here against the one of the same name in the system's headers. This file and
// abi_layout_test.cc are the only ones that include both.
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/magic.h>

#include <cstdint>

#include "abi/btf.h"
#include "abi/command.h"
#include "abi/insn.h"
#include "abi/limits.h"
#include "abi/map_flags.h"
#include "abi/map_type.h"
#include "abi/map_value.h"
#include "abi/prog_flags.h"
#include "abi/prog_type.h"

namespace portolan::abi {
namespace {

#define SAME(ours, system) \
  EXPECT_EQ(static_cast<std::uint64_t>(ours), static_cast<std::uint64_t>(system)) << #system

TEST(AbiValues, map_types_are_the_systems) {
  SAME(MapType::kUnspec, BPF_MAP_TYPE_UNSPEC);
  SAME(MapType::kHash, BPF_MAP_TYPE_HASH);
  SAME(MapType::kArray, BPF_MAP_TYPE_ARRAY);
  SAME(MapType::kProgArray, BPF_MAP_TYPE_PROG_ARRAY);
  SAME(MapType::kPerfEventArray, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
  SAME(MapType::kPerCpuHash, BPF_MAP_TYPE_PERCPU_HASH);
  SAME(MapType::kPerCpuArray, BPF_MAP_TYPE_PERCPU_ARRAY);
  SAME(MapType::kStackTrace, BPF_MAP_TYPE_STACK_TRACE);
  SAME(MapType::kCgroupArray, BPF_MAP_TYPE_CGROUP_ARRAY);
  SAME(MapType::kLruHash, BPF_MAP_TYPE_LRU_HASH);
  SAME(MapType::kLruPerCpuHash, BPF_MAP_TYPE_LRU_PERCPU_HASH);
  SAME(MapType::kLpmTrie, BPF_MAP_TYPE_LPM_TRIE);
  SAME(MapType::kArrayOfMaps, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  SAME(MapType::kHashOfMaps, BPF_MAP_TYPE_HASH_OF_MAPS);
  SAME(MapType::kDevmap, BPF_MAP_TYPE_DEVMAP);
  SAME(MapType::kSockmap, BPF_MAP_TYPE_SOCKMAP);
  SAME(MapType::kCpumap, BPF_MAP_TYPE_CPUMAP);
  SAME(MapType::kXskmap, BPF_MAP_TYPE_XSKMAP);
  SAME(MapType::kSockhash, BPF_MAP_TYPE_SOCKHASH);
  SAME(MapType::kCgroupStorage, BPF_MAP_TYPE_CGROUP_STORAGE);
  SAME(MapType::kReuseportSockarray, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY);
  SAME(MapType::kPerCpuCgroupStorage, BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE);
  SAME(MapType::kQueue, BPF_MAP_TYPE_QUEUE);
  SAME(MapType::kStack, BPF_MAP_TYPE_STACK);
  SAME(MapType::kSkStorage, BPF_MAP_TYPE_SK_STORAGE);
  SAME(MapType::kDevmapHash, BPF_MAP_TYPE_DEVMAP_HASH);
  SAME(MapType::kStructOps, BPF_MAP_TYPE_STRUCT_OPS);
  SAME(MapType::kRingbuf, BPF_MAP_TYPE_RINGBUF);
  SAME(MapType::kInodeStorage, BPF_MAP_TYPE_INODE_STORAGE);
  SAME(MapType::kTaskStorage, BPF_MAP_TYPE_TASK_STORAGE);
  SAME(MapType::kBloomFilter, BPF_MAP_TYPE_BLOOM_FILTER);
  SAME(MapType::kUserRingbuf, BPF_MAP_TYPE_USER_RINGBUF);
}

TEST(AbiValues, commands_are_the_systems) {
  SAME(Command::kMapCreate, BPF_MAP_CREATE);
  SAME(Command::kMapLookupElem, BPF_MAP_LOOKUP_ELEM);
  SAME(Command::kMapUpdateElem, BPF_MAP_UPDATE_ELEM);
  SAME(Command::kMapDeleteElem, BPF_MAP_DELETE_ELEM);
  SAME(Command::kMapGetNextKey, BPF_MAP_GET_NEXT_KEY);
  SAME(Command::kProgLoad, BPF_PROG_LOAD);
  SAME(Command::kObjPin, BPF_OBJ_PIN);
  SAME(Command::kObjGet, BPF_OBJ_GET);
  SAME(Command::kProgAttach, BPF_PROG_ATTACH);
  SAME(Command::kProgDetach, BPF_PROG_DETACH);
  SAME(Command::kProgTestRun, BPF_PROG_TEST_RUN);
  SAME(Command::kProgGetNextId, BPF_PROG_GET_NEXT_ID);
  SAME(Command::kMapGetNextId, BPF_MAP_GET_NEXT_ID);
  SAME(Command::kProgGetFdById, BPF_PROG_GET_FD_BY_ID);
  SAME(Command::kMapGetFdById, BPF_MAP_GET_FD_BY_ID);
  SAME(Command::kObjGetInfoByFd, BPF_OBJ_GET_INFO_BY_FD);
  SAME(Command::kProgQuery, BPF_PROG_QUERY);
  SAME(Command::kRawTracepointOpen, BPF_RAW_TRACEPOINT_OPEN);
  SAME(Command::kBtfLoad, BPF_BTF_LOAD);
  SAME(Command::kBtfGetFdById, BPF_BTF_GET_FD_BY_ID);
  SAME(Command::kTaskFdQuery, BPF_TASK_FD_QUERY);
  SAME(Command::kMapLookupAndDeleteElem, BPF_MAP_LOOKUP_AND_DELETE_ELEM);
  SAME(Command::kMapFreeze, BPF_MAP_FREEZE);
  SAME(Command::kBtfGetNextId, BPF_BTF_GET_NEXT_ID);
  SAME(Command::kMapLookupBatch, BPF_MAP_LOOKUP_BATCH);
  SAME(Command::kMapLookupAndDeleteBatch, BPF_MAP_LOOKUP_AND_DELETE_BATCH);
  SAME(Command::kMapUpdateBatch, BPF_MAP_UPDATE_BATCH);
  SAME(Command::kMapDeleteBatch, BPF_MAP_DELETE_BATCH);
  SAME(Command::kLinkCreate, BPF_LINK_CREATE);
  SAME(Command::kLinkUpdate, BPF_LINK_UPDATE);
  SAME(Command::kLinkGetFdById, BPF_LINK_GET_FD_BY_ID);
  SAME(Command::kLinkGetNextId, BPF_LINK_GET_NEXT_ID);
  SAME(Command::kEnableStats, BPF_ENABLE_STATS);
  SAME(Command::kIterCreate, BPF_ITER_CREATE);
  SAME(Command::kLinkDetach, BPF_LINK_DETACH);
  SAME(Command::kProgBindMap, BPF_PROG_BIND_MAP);
}

TEST(AbiValues, program_types_are_the_systems) {
  SAME(ProgType::kUnspec, BPF_PROG_TYPE_UNSPEC);
  SAME(ProgType::kSocketFilter, BPF_PROG_TYPE_SOCKET_FILTER);
  SAME(ProgType::kKprobe, BPF_PROG_TYPE_KPROBE);
  SAME(ProgType::kSchedCls, BPF_PROG_TYPE_SCHED_CLS);
  SAME(ProgType::kSchedAct, BPF_PROG_TYPE_SCHED_ACT);
  SAME(ProgType::kTracepoint, BPF_PROG_TYPE_TRACEPOINT);
  SAME(ProgType::kXdp, BPF_PROG_TYPE_XDP);
  SAME(ProgType::kPerfEvent, BPF_PROG_TYPE_PERF_EVENT);
  SAME(ProgType::kCgroupSkb, BPF_PROG_TYPE_CGROUP_SKB);
  SAME(ProgType::kCgroupSock, BPF_PROG_TYPE_CGROUP_SOCK);
  SAME(ProgType::kLwtIn, BPF_PROG_TYPE_LWT_IN);
  SAME(ProgType::kLwtOut, BPF_PROG_TYPE_LWT_OUT);
  SAME(ProgType::kLwtXmit, BPF_PROG_TYPE_LWT_XMIT);
  SAME(ProgType::kSockOps, BPF_PROG_TYPE_SOCK_OPS);
  SAME(ProgType::kSkSkb, BPF_PROG_TYPE_SK_SKB);
  SAME(ProgType::kCgroupDevice, BPF_PROG_TYPE_CGROUP_DEVICE);
  SAME(ProgType::kSkMsg, BPF_PROG_TYPE_SK_MSG);
  SAME(ProgType::kRawTracepoint, BPF_PROG_TYPE_RAW_TRACEPOINT);
  SAME(ProgType::kCgroupSockAddr, BPF_PROG_TYPE_CGROUP_SOCK_ADDR);
  SAME(ProgType::kLwtSeg6local, BPF_PROG_TYPE_LWT_SEG6LOCAL);
  SAME(ProgType::kLircMode2, BPF_PROG_TYPE_LIRC_MODE2);
  SAME(ProgType::kSkReuseport, BPF_PROG_TYPE_SK_REUSEPORT);
  SAME(ProgType::kFlowDissector, BPF_PROG_TYPE_FLOW_DISSECTOR);
  SAME(ProgType::kCgroupSysctl, BPF_PROG_TYPE_CGROUP_SYSCTL);
  SAME(ProgType::kRawTracepointWritable, BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE);
  SAME(ProgType::kCgroupSockopt, BPF_PROG_TYPE_CGROUP_SOCKOPT);
  SAME(ProgType::kTracing, BPF_PROG_TYPE_TRACING);
  SAME(ProgType::kStructOps, BPF_PROG_TYPE_STRUCT_OPS);
  SAME(ProgType::kExt, BPF_PROG_TYPE_EXT);
  SAME(ProgType::kLsm, BPF_PROG_TYPE_LSM);
  SAME(ProgType::kSkLookup, BPF_PROG_TYPE_SK_LOOKUP);
  SAME(ProgType::kSyscall, BPF_PROG_TYPE_SYSCALL);
}

TEST(AbiValues, attach_types_are_the_systems) {
  SAME(AttachType::kCgroupInetIngress, BPF_CGROUP_INET_INGRESS);
  SAME(AttachType::kCgroupInetEgress, BPF_CGROUP_INET_EGRESS);
  SAME(AttachType::kCgroupInetSockCreate, BPF_CGROUP_INET_SOCK_CREATE);
  SAME(AttachType::kCgroupSockOps, BPF_CGROUP_SOCK_OPS);
  SAME(AttachType::kSkSkbStreamParser, BPF_SK_SKB_STREAM_PARSER);
  SAME(AttachType::kSkSkbStreamVerdict, BPF_SK_SKB_STREAM_VERDICT);
  SAME(AttachType::kCgroupDevice, BPF_CGROUP_DEVICE);
  SAME(AttachType::kSkMsgVerdict, BPF_SK_MSG_VERDICT);
  SAME(AttachType::kCgroupInet4Bind, BPF_CGROUP_INET4_BIND);
  SAME(AttachType::kCgroupInet6Bind, BPF_CGROUP_INET6_BIND);
  SAME(AttachType::kCgroupInet4Connect, BPF_CGROUP_INET4_CONNECT);
  SAME(AttachType::kCgroupInet6Connect, BPF_CGROUP_INET6_CONNECT);
  SAME(AttachType::kCgroupInet4PostBind, BPF_CGROUP_INET4_POST_BIND);
  SAME(AttachType::kCgroupInet6PostBind, BPF_CGROUP_INET6_POST_BIND);
  SAME(AttachType::kCgroupUdp4Sendmsg, BPF_CGROUP_UDP4_SENDMSG);
  SAME(AttachType::kCgroupUdp6Sendmsg, BPF_CGROUP_UDP6_SENDMSG);
  SAME(AttachType::kLircMode2, BPF_LIRC_MODE2);
  SAME(AttachType::kFlowDissector, BPF_FLOW_DISSECTOR);
  SAME(AttachType::kCgroupSysctl, BPF_CGROUP_SYSCTL);
  SAME(AttachType::kCgroupUdp4Recvmsg, BPF_CGROUP_UDP4_RECVMSG);
  SAME(AttachType::kCgroupUdp6Recvmsg, BPF_CGROUP_UDP6_RECVMSG);
  SAME(AttachType::kCgroupGetsockopt, BPF_CGROUP_GETSOCKOPT);
  SAME(AttachType::kCgroupSetsockopt, BPF_CGROUP_SETSOCKOPT);
  SAME(AttachType::kTraceRawTp, BPF_TRACE_RAW_TP);
  SAME(AttachType::kTraceFentry, BPF_TRACE_FENTRY);
  SAME(AttachType::kTraceFexit, BPF_TRACE_FEXIT);
  SAME(AttachType::kModifyReturn, BPF_MODIFY_RETURN);
  SAME(AttachType::kLsmMac, BPF_LSM_MAC);
  SAME(AttachType::kTraceIter, BPF_TRACE_ITER);
  SAME(AttachType::kCgroupInet4Getpeername, BPF_CGROUP_INET4_GETPEERNAME);
  SAME(AttachType::kCgroupInet6Getpeername, BPF_CGROUP_INET6_GETPEERNAME);
  SAME(AttachType::kCgroupInet4Getsockname, BPF_CGROUP_INET4_GETSOCKNAME);
  SAME(AttachType::kCgroupInet6Getsockname, BPF_CGROUP_INET6_GETSOCKNAME);
  SAME(AttachType::kXdpDevmap, BPF_XDP_DEVMAP);
  SAME(AttachType::kCgroupInetSockRelease, BPF_CGROUP_INET_SOCK_RELEASE);
  SAME(AttachType::kXdpCpumap, BPF_XDP_CPUMAP);
  SAME(AttachType::kSkLookup, BPF_SK_LOOKUP);
  SAME(AttachType::kXdp, BPF_XDP);
  SAME(AttachType::kSkSkbVerdict, BPF_SK_SKB_VERDICT);
  SAME(AttachType::kSkReuseportSelect, BPF_SK_REUSEPORT_SELECT);
  SAME(AttachType::kSkReuseportSelectOrMigrate, BPF_SK_REUSEPORT_SELECT_OR_MIGRATE);
  SAME(AttachType::kPerfEvent, BPF_PERF_EVENT);
  SAME(AttachType::kTraceKprobeMulti, BPF_TRACE_KPROBE_MULTI);
  SAME(AttachType::kLsmCgroup, BPF_LSM_CGROUP);
}

TEST(AbiValues, link_types_are_the_systems) {
  SAME(LinkType::kUnspec, BPF_LINK_TYPE_UNSPEC);
  SAME(LinkType::kRawTracepoint, BPF_LINK_TYPE_RAW_TRACEPOINT);
  SAME(LinkType::kTracing, BPF_LINK_TYPE_TRACING);
  SAME(LinkType::kCgroup, BPF_LINK_TYPE_CGROUP);
  SAME(LinkType::kIter, BPF_LINK_TYPE_ITER);
  SAME(LinkType::kNetns, BPF_LINK_TYPE_NETNS);
  SAME(LinkType::kXdp, BPF_LINK_TYPE_XDP);
  SAME(LinkType::kPerfEvent, BPF_LINK_TYPE_PERF_EVENT);
  SAME(LinkType::kKprobeMulti, BPF_LINK_TYPE_KPROBE_MULTI);
  SAME(LinkType::kStructOps, BPF_LINK_TYPE_STRUCT_OPS);
}

TEST(AbiValues, map_flags_are_the_systems) {
  SAME(map_flag::kNoPrealloc, BPF_F_NO_PREALLOC);
  SAME(map_flag::kNoCommonLru, BPF_F_NO_COMMON_LRU);
  SAME(map_flag::kNumaNode, BPF_F_NUMA_NODE);
  SAME(map_flag::kRdonly, BPF_F_RDONLY);
  SAME(map_flag::kWronly, BPF_F_WRONLY);
  SAME(map_flag::kStackBuildId, BPF_F_STACK_BUILD_ID);
  SAME(map_flag::kZeroSeed, BPF_F_ZERO_SEED);
  SAME(map_flag::kRdonlyProg, BPF_F_RDONLY_PROG);
  SAME(map_flag::kWronlyProg, BPF_F_WRONLY_PROG);
  SAME(map_flag::kClone, BPF_F_CLONE);
  SAME(map_flag::kMmapable, BPF_F_MMAPABLE);
  SAME(map_flag::kPreserveElems, BPF_F_PRESERVE_ELEMS);
  SAME(map_flag::kInnerMap, BPF_F_INNER_MAP);
}

TEST(AbiValues, element_flags_are_the_systems) {
  SAME(element_flag::kAny, BPF_ANY);
  SAME(element_flag::kNoExist, BPF_NOEXIST);
  SAME(element_flag::kExist, BPF_EXIST);
  SAME(element_flag::kLock, BPF_F_LOCK);
}

TEST(AbiValues, program_flags_are_the_systems) {
  SAME(prog_flag::kStrictAlignment, BPF_F_STRICT_ALIGNMENT);
  SAME(prog_flag::kAnyAlignment, BPF_F_ANY_ALIGNMENT);
  SAME(prog_flag::kTestRndHi32, BPF_F_TEST_RND_HI32);
  SAME(prog_flag::kTestStateFreq, BPF_F_TEST_STATE_FREQ);
  SAME(prog_flag::kSleepable, BPF_F_SLEEPABLE);
  SAME(prog_flag::kXdpHasFrags, BPF_F_XDP_HAS_FRAGS);
}

TEST(AbiValues, attach_and_run_flags_are_the_systems) {
  SAME(attach_flag::kAllowOverride, BPF_F_ALLOW_OVERRIDE);
  SAME(attach_flag::kAllowMulti, BPF_F_ALLOW_MULTI);
  SAME(attach_flag::kReplace, BPF_F_REPLACE);
  SAME(link_flag::kKprobeMultiReturn, BPF_F_KPROBE_MULTI_RETURN);
  SAME(query_flag::kEffective, BPF_F_QUERY_EFFECTIVE);
  SAME(test_flag::kRunOnCpu, BPF_F_TEST_RUN_ON_CPU);
  SAME(test_flag::kXdpLiveFrames, BPF_F_TEST_XDP_LIVE_FRAMES);
}

TEST(AbiValues, pseudo_sources_are_the_systems) {
  SAME(PseudoLoad::kMapFd, BPF_PSEUDO_MAP_FD);
  SAME(PseudoLoad::kMapValue, BPF_PSEUDO_MAP_VALUE);
  SAME(PseudoLoad::kBtfId, BPF_PSEUDO_BTF_ID);
  SAME(PseudoLoad::kFunc, BPF_PSEUDO_FUNC);
  SAME(PseudoLoad::kMapIdx, BPF_PSEUDO_MAP_IDX);
  SAME(PseudoLoad::kMapIdxValue, BPF_PSEUDO_MAP_IDX_VALUE);
  SAME(PseudoCall::kSubprogram, BPF_PSEUDO_CALL);
  SAME(PseudoCall::kKfunc, BPF_PSEUDO_KFUNC_CALL);
  SAME(CoreReloKind::kFieldByteOffset, BPF_CORE_FIELD_BYTE_OFFSET);
  SAME(CoreReloKind::kFieldByteSize, BPF_CORE_FIELD_BYTE_SIZE);
  SAME(CoreReloKind::kFieldExists, BPF_CORE_FIELD_EXISTS);
  SAME(CoreReloKind::kFieldSigned, BPF_CORE_FIELD_SIGNED);
  SAME(CoreReloKind::kFieldLshiftU64, BPF_CORE_FIELD_LSHIFT_U64);
  SAME(CoreReloKind::kFieldRshiftU64, BPF_CORE_FIELD_RSHIFT_U64);
  SAME(CoreReloKind::kTypeIdLocal, BPF_CORE_TYPE_ID_LOCAL);
  SAME(CoreReloKind::kTypeIdTarget, BPF_CORE_TYPE_ID_TARGET);
  SAME(CoreReloKind::kTypeExists, BPF_CORE_TYPE_EXISTS);
  SAME(CoreReloKind::kTypeSize, BPF_CORE_TYPE_SIZE);
  SAME(CoreReloKind::kEnumvalExists, BPF_CORE_ENUMVAL_EXISTS);
  SAME(CoreReloKind::kEnumvalValue, BPF_CORE_ENUMVAL_VALUE);
  SAME(CoreReloKind::kTypeMatches, BPF_CORE_TYPE_MATCHES);
}

TEST(AbiValues, perf_event_and_stack_values_are_the_systems) {
  SAME(StatsType::kRunTime, BPF_STATS_RUN_TIME);
  SAME(StackBuildIdStatus::kEmpty, BPF_STACK_BUILD_ID_EMPTY);
  SAME(StackBuildIdStatus::kValid, BPF_STACK_BUILD_ID_VALID);
  SAME(StackBuildIdStatus::kIp, BPF_STACK_BUILD_ID_IP);
}

TEST(AbiValues, sizes_are_the_systems) {
  SAME(kObjNameLen, BPF_OBJ_NAME_LEN);
  SAME(kTagSize, BPF_TAG_SIZE);
  SAME(kBuildIdSize, BPF_BUILD_ID_SIZE);
  SAME(kBpfFsMagic, BPF_FS_MAGIC);
}

TEST(AbiValues, btf_kinds_are_the_systems) {
  SAME(btf::Kind::kUnkn, BTF_KIND_UNKN);
  SAME(btf::Kind::kInt, BTF_KIND_INT);
  SAME(btf::Kind::kPtr, BTF_KIND_PTR);
  SAME(btf::Kind::kArray, BTF_KIND_ARRAY);
  SAME(btf::Kind::kStruct, BTF_KIND_STRUCT);
  SAME(btf::Kind::kUnion, BTF_KIND_UNION);
  SAME(btf::Kind::kEnum, BTF_KIND_ENUM);
  SAME(btf::Kind::kFwd, BTF_KIND_FWD);
  SAME(btf::Kind::kTypedef, BTF_KIND_TYPEDEF);
  SAME(btf::Kind::kVolatile, BTF_KIND_VOLATILE);
  SAME(btf::Kind::kConst, BTF_KIND_CONST);
  SAME(btf::Kind::kRestrict, BTF_KIND_RESTRICT);
  SAME(btf::Kind::kFunc, BTF_KIND_FUNC);
  SAME(btf::Kind::kFuncProto, BTF_KIND_FUNC_PROTO);
  SAME(btf::Kind::kVar, BTF_KIND_VAR);
  SAME(btf::Kind::kDatasec, BTF_KIND_DATASEC);
  SAME(btf::Kind::kFloat, BTF_KIND_FLOAT);
  SAME(btf::Kind::kDeclTag, BTF_KIND_DECL_TAG);
  SAME(btf::Kind::kTypeTag, BTF_KIND_TYPE_TAG);
  SAME(btf::Kind::kEnum64, BTF_KIND_ENUM64);
}

TEST(AbiValues, btf_values_are_the_systems) {
  SAME(btf::kMagic, BTF_MAGIC);
  SAME(btf::kVersion, BTF_VERSION);
  SAME(btf::kMaxType, BTF_MAX_TYPE);
  SAME(btf::kMaxNameOffset, BTF_MAX_NAME_OFFSET);
  SAME(btf::kMaxVlen, BTF_MAX_VLEN);
  SAME(btf::kIntSigned, BTF_INT_SIGNED);
  SAME(btf::kIntChar, BTF_INT_CHAR);
  SAME(btf::kIntBool, BTF_INT_BOOL);
  SAME(btf::VarLinkage::kStatic, BTF_VAR_STATIC);
  SAME(btf::VarLinkage::kGlobalAllocated, BTF_VAR_GLOBAL_ALLOCATED);
  SAME(btf::VarLinkage::kGlobalExtern, BTF_VAR_GLOBAL_EXTERN);
  SAME(btf::FuncLinkage::kStatic, BTF_FUNC_STATIC);
  SAME(btf::FuncLinkage::kGlobal, BTF_FUNC_GLOBAL);
  SAME(btf::FuncLinkage::kExtern, BTF_FUNC_EXTERN);
  SAME(btf::show_flag::kCompact, BTF_F_COMPACT);
  SAME(btf::show_flag::kNoname, BTF_F_NONAME);
  SAME(btf::show_flag::kPtrRaw, BTF_F_PTR_RAW);
  SAME(btf::show_flag::kZero, BTF_F_ZERO);
}

TEST(AbiValues, btf_bit_fields_are_read_as_the_systems_macros_read_them) {
  for (std::uint32_t word : {0u, 0x8400'0003u, 0x9300'ffffu, 0x0200'0001u, 0x0104'0820u}) {
    SAME(btf::info_kind(word), BTF_INFO_KIND(word));
    SAME(btf::info_vlen(word), BTF_INFO_VLEN(word));
    SAME(btf::info_kind_flag(word), BTF_INFO_KFLAG(word));
    SAME(btf::int_encoding(word), BTF_INT_ENCODING(word));
    SAME(btf::int_offset(word), BTF_INT_OFFSET(word));
    SAME(btf::int_bits(word), BTF_INT_BITS(word));
    SAME(btf::member_bitfield_size(word), BTF_MEMBER_BITFIELD_SIZE(word));
    SAME(btf::member_bit_offset(word), BTF_MEMBER_BIT_OFFSET(word));
  }
}

TEST(AbiValues, btf_info_is_read_as_it_was_made) {
  const std::uint32_t info = btf::make_info(btf::Kind::kEnum64, 0xabcd, true);
  EXPECT_EQ(btf::info_kind(info), 19u);
  EXPECT_EQ(btf::info_vlen(info), 0xabcdu);
  EXPECT_TRUE(btf::info_kind_flag(info));
  EXPECT_EQ(info & ~btf::kInfoMask, 0u);
}

TEST(AbiValues, line_info_splits_line_and_column_as_the_system_does) {
  const LineInfo info{0, 0, 0, 0x0012'3456};
  SAME(info.line(), BPF_LINE_INFO_LINE_NUM(info.line_col));
  SAME(info.column(), BPF_LINE_INFO_LINE_COL(info.line_col));
}

}  // namespace
}  // namespace portolan::abi
