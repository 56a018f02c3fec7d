// SPDX-License-Identifier: Apache-2.0
// bpf(2) as numbers: commands, and where the fields of its attr lie. Written down here once more, from the
// kernel's header and not from src/abi, so that a mistake there cannot hide itself.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace portolan::conformance {

enum Command : unsigned {
  kMapCreate = 0,
  kLookup = 1,
  kUpdate = 2,
  kDelete = 3,
  kGetNextKey = 4,
  kProgLoad = 5,
  kObjPin = 6,
  kObjGet = 7,
  kProgAttach = 8,
  kProgDetach = 9,
  kProgTestRun = 10,
  kMapGetNextId = 12,
  kProgGetFdById = 13,
  kMapGetFdById = 14,
  kObjGetInfo = 15,
  kProgQuery = 16,
  kRawTracepointOpen = 17,
  kBtfLoad = 18,
  kBtfGetFdById = 19,
  kTaskFdQuery = 20,
  kLookupAndDelete = 21,
  kFreeze = 22,
  kBtfGetNextId = 23,
  kLookupBatch = 24,
  kLookupAndDeleteBatch = 25,
  kUpdateBatch = 26,
  kDeleteBatch = 27,
  kLinkCreate = 28,
  kLinkUpdate = 29,
  kLinkGetFdById = 30,
  kLinkGetNextId = 31,
  kEnableStats = 32,
  kLinkDetach = 34,
};
std::string_view command_name(unsigned command);

enum MapType : std::uint32_t {
  kHash = 1,
  kArray = 2,
  kProgArray = 3,
  kPerfEventArray = 4,
  kPerCpuHash = 5,
  kPerCpuArray = 6,
  kStackTrace = 7,
  kLruHash = 9,
  kLruPerCpuHash = 10,
  kLpmTrie = 11,
  kArrayOfMaps = 12,
  kHashOfMaps = 13,
  kQueue = 22,
  kStack = 23,
  kRingbuf = 27,
  kUserRingbuf = 31,
  kBloomFilter = 30,
};
// Those that random sequences are about.
inline constexpr std::uint32_t kRandomTypes[] = {
    kHash,    kArray,       kPerCpuHash, kPerCpuArray,    kLruHash,     kLruPerCpuHash,
    kLpmTrie, kQueue,       kStack,      kBloomFilter,    kArrayOfMaps, kHashOfMaps,
    kRingbuf, kUserRingbuf, kStackTrace, kPerfEventArray, kProgArray};
// Those whose elements random programs use.
inline constexpr std::uint32_t kProgramTypes[] = {
    kHash,      kArray,          kPerCpuHash,  kPerCpuArray, kLruHash,   kLruPerCpuHash,
    kLpmTrie,   kQueue,          kStack,       kBloomFilter, kRingbuf,   kUserRingbuf,
    kProgArray, kPerfEventArray, kArrayOfMaps, kHashOfMaps,  kStackTrace};
std::string_view map_type_name(std::uint32_t type);
// Whether elements come in no order of theirs.
constexpr bool is_lru_type(std::uint32_t type) { return type == kLruHash || type == kLruPerCpuHash; }
// The kernel gives keys up long before such a map is full, so there are places for many more keys than are
// used. Odd: with a list for each CPU it is rounded up.
constexpr std::uint32_t entries_of(std::uint32_t type, std::uint32_t wanted) {
  return is_lru_type(type) ? 4095 : wanted;
}
constexpr bool is_hash_type(std::uint32_t type) {
  return type == kHash || type == kPerCpuHash || type == kHashOfMaps || is_lru_type(type);
}
constexpr bool holds_maps(std::uint32_t type) { return type == kArrayOfMaps || type == kHashOfMaps; }
// Whose values are fds when they go in, and ids when they come out.
constexpr bool holds_objects(std::uint32_t type) {
  return holds_maps(type) || type == kProgArray || type == kPerfEventArray;
}
constexpr bool is_per_cpu_type(std::uint32_t type) {
  return type == kPerCpuHash || type == kPerCpuArray || type == kLruPerCpuHash;
}
constexpr bool has_keys(std::uint32_t type) {
  return type != kQueue && type != kStack && type != kBloomFilter && type != kRingbuf && type != kUserRingbuf;
}

enum MapFlags : std::uint32_t {
  kNoPrealloc = 1u << 0,
  kNoCommonLru = 1u << 1,
  kNumaNode = 1u << 2,
  kReadOnly = 1u << 3,
  kWriteOnly = 1u << 4,
  kStackBuildId = 1u << 5,
  kZeroSeed = 1u << 6,
  kReadOnlyProg = 1u << 7,
  kWriteOnlyProg = 1u << 8,
  kMmapable = 1u << 10,
  kPreserveElems = 1u << 11,
  kInnerMap = 1u << 12,
  kPathFd = 1u << 14,
};
enum ElementFlags : std::uint64_t { kAny = 0, kNoExist = 1, kExist = 2, kLock = 4, kCpu = 8, kAllCpus = 16 };

// A field of union bpf_attr: where, how long.
struct Field {
  std::uint16_t offset;
  std::uint16_t size;
  const char* name;
};

namespace create {
inline constexpr Field kMapType{0, 4, "map_type"}, kKeySize{4, 4, "key_size"}, kValueSize{8, 4, "value_size"},
    kMaxEntries{12, 4, "max_entries"}, kMapFlags{16, 4, "map_flags"}, kInnerMapFd{20, 4, "inner_map_fd"},
    kNumaNode{24, 4, "numa_node"}, kMapName{28, 16, "map_name"}, kMapIfindex{44, 4, "map_ifindex"},
    kBtfFd{48, 4, "btf_fd"}, kBtfKeyTypeId{52, 4, "btf_key_type_id"},
    kBtfValueTypeId{56, 4, "btf_value_type_id"}, kBtfVmlinuxValueTypeId{60, 4, "btf_vmlinux_value_type_id"},
    kMapExtra{64, 8, "map_extra"}, kValueTypeBtfObjFd{72, 4, "value_type_btf_obj_fd"},
    kMapTokenFd{76, 4, "map_token_fd"}, kExclProgHash{80, 8, "excl_prog_hash"},
    kExclProgHashSize{88, 4, "excl_prog_hash_size"};
inline constexpr unsigned kSize = 92;
}  // namespace create
namespace element {
inline constexpr Field kMapFd{0, 4, "map_fd"}, kKey{8, 8, "key"}, kValue{16, 8, "value"},
    kFlags{24, 8, "flags"};
inline constexpr unsigned kSize = 32;
}  // namespace element
namespace batch {
inline constexpr Field kInBatch{0, 8, "in_batch"}, kOutBatch{8, 8, "out_batch"}, kKeys{16, 8, "keys"},
    kValues{24, 8, "values"}, kCount{32, 4, "count"}, kMapFd{36, 4, "map_fd"},
    kElemFlags{40, 8, "elem_flags"}, kFlags{48, 8, "flags"};
inline constexpr unsigned kSize = 56;
}  // namespace batch
namespace object {
inline constexpr Field kPathname{0, 8, "pathname"}, kBpfFd{8, 4, "bpf_fd"}, kFileFlags{12, 4, "file_flags"},
    kPathFdField{16, 4, "path_fd"};
inline constexpr unsigned kSize = 20;
}  // namespace object
namespace by_id {
inline constexpr Field kId{0, 4, "id"}, kNextId{4, 4, "next_id"}, kOpenFlags{8, 4, "open_flags"},
    kTokenFd{12, 4, "fd_by_id_token_fd"};
inline constexpr unsigned kSize = 12;
}  // namespace by_id
namespace info {
inline constexpr Field kBpfFd{0, 4, "bpf_fd"}, kInfoLen{4, 4, "info_len"}, kInfo{8, 8, "info"};
inline constexpr unsigned kSize = 16;
// struct bpf_map_info and struct bpf_btf_info
inline constexpr unsigned kMapIdOffset = 4, kMapBtfIdOffset = 64, kMapSize = 104, kBtfIdOffset = 12,
                          kBtfSize = 32;
}  // namespace info
namespace btf {
inline constexpr Field kBtf{0, 8, "btf"}, kLogBuf{8, 8, "btf_log_buf"}, kBtfSize{16, 4, "btf_size"},
    kLogSize{20, 4, "btf_log_size"}, kLogLevel{24, 4, "btf_log_level"},
    kLogTrueSize{28, 4, "btf_log_true_size"}, kFlags{32, 4, "btf_flags"}, kTokenFd{36, 4, "btf_token_fd"};
inline constexpr unsigned kSize = 40;
}  // namespace btf

namespace load {
inline constexpr Field kProgType{0, 4, "prog_type"}, kInsnCnt{4, 4, "insn_cnt"}, kInsns{8, 8, "insns"},
    kLicense{16, 8, "license"}, kLogLevel{24, 4, "log_level"}, kLogSize{28, 4, "log_size"},
    kLogBuf{32, 8, "log_buf"}, kProgFlags{44, 4, "prog_flags"}, kAttachType{68, 4, "expected_attach_type"},
    kProgBtfFd{72, 4, "prog_btf_fd"}, kFuncInfoRecSize{76, 4, "func_info_rec_size"},
    kFuncInfo{80, 8, "func_info"}, kFuncInfoCnt{88, 4, "func_info_cnt"},
    kAttachBtfId{108, 4, "attach_btf_id"}, kCoreReloCnt{116, 4, "core_relo_cnt"},
    kCoreRelos{128, 8, "core_relos"}, kCoreReloRecSize{136, 4, "core_relo_rec_size"};
}  // namespace load
namespace test {
inline constexpr Field kProgFd{0, 4, "prog_fd"}, kRetval{4, 4, "retval"}, kDataSizeIn{8, 4, "data_size_in"},
    kDataSizeOut{12, 4, "data_size_out"}, kDataIn{16, 8, "data_in"}, kDataOut{24, 8, "data_out"},
    kRepeat{32, 4, "repeat"}, kCtxSizeIn{40, 4, "ctx_size_in"}, kCtxIn{48, 8, "ctx_in"};
}  // namespace test

namespace attach {
inline constexpr Field kTarget{0, 4, "target_fd"}, kProgFd{4, 4, "attach_bpf_fd"}, kType{8, 4, "attach_type"},
    kFlags{12, 4, "attach_flags"}, kReplaceFd{16, 4, "replace_bpf_fd"}, kRelative{20, 4, "relative_fd"},
    kRevision{24, 8, "expected_revision"};
}  // namespace attach
namespace query {
inline constexpr Field kTarget{0, 4, "target_fd"}, kType{4, 4, "attach_type"},
    kQueryFlags{8, 4, "query_flags"}, kAttachFlags{12, 4, "attach_flags"}, kProgIds{16, 8, "prog_ids"},
    kCount{24, 4, "count"}, kProgFlags{32, 8, "prog_attach_flags"}, kLinkIds{40, 8, "link_ids"},
    kLinkFlags{48, 8, "link_attach_flags"}, kRevision{56, 8, "revision"};
}  // namespace query
namespace tracepoint {
inline constexpr Field kName{0, 8, "name"}, kProgFd{8, 4, "prog_fd"}, kCookie{16, 8, "cookie"};
}  // namespace tracepoint
namespace task_fd {
inline constexpr Field kPid{0, 4, "pid"}, kFd{4, 4, "fd"}, kFlags{8, 4, "flags"};
}  // namespace task_fd
namespace link {
inline constexpr Field kProgFd{0, 4, "prog_fd"}, kTarget{4, 4, "target_fd"}, kType{8, 4, "attach_type"},
    kFlags{12, 4, "flags"}, kRelative{16, 4, "relative_fd"}, kRevision{24, 8, "expected_revision"};
inline constexpr unsigned kSize = 60;
inline constexpr Field kFamily{16, 4, "pf"}, kHook{20, 4, "hooknum"}, kPriority{24, 4, "priority"},
    kNetfilterFlags{28, 4, "netfilter.flags"};
// LINK_UPDATE, LINK_DETACH
inline constexpr Field kLinkFd{0, 4, "link_fd"}, kNewProgFd{4, 4, "new_prog_fd"}, kUpdateFlags{8, 4, "flags"},
    kOldProgFd{12, 4, "old_prog_fd"};
// struct bpf_link_info
inline constexpr unsigned kInfoSize = 64, kInfoIdOffset = 4;
}  // namespace link
// enum bpf_attach_type, BPF_F_*
namespace attach_type {
enum AttachType : std::uint32_t {
  kCgroupIngress = 0,
  kCgroupEgress = 1,
  kSockCreate = 2,
  kSockOps = 3,
  kCgroupDevice = 6,
  kBind4 = 8,
  kConnect6 = 11,
  kPostBind4 = 12,
  kFlowDissector = 17,
  kSysctl = 18,
  kRecvmsg4 = 19,
  kGetsockopt = 21,
  kSetsockopt = 22,
  kTraceFentry = 24,
  kSkLookup = 36,
  kXdp = 37,
  kNetfilter = 45,
  kTcxIngress = 46,
  kTcxEgress = 47,
  kConnectUnix = 49,
};
}  // namespace attach_type
enum AttachFlags : std::uint32_t {
  kAllowOverride = 1,
  kAllowMulti = 2,
  kReplace = 4,
  kBefore = 8,
  kAfter = 16,
  kById = 32,
  kPreorder = 64,
  kOfLink = 1 << 13,
};

inline constexpr unsigned kAttrSize = 168;       // sizeof(union bpf_attr) of the newest header
inline constexpr unsigned kAttrCapacity = 4224;  // room for sizes past a page

// A union bpf_attr to be.
struct Attr {
  std::array<std::byte, kAttrSize> bytes{};

  Attr& set(Field field, std::uint64_t value) {
    std::memcpy(bytes.data() + field.offset, &value, field.size < 8 ? field.size : 8);
    return *this;
  }
  Attr& set_text(Field field, std::string_view text) {
    std::memcpy(bytes.data() + field.offset, text.data(),
                text.size() < field.size ? text.size() : field.size);
    return *this;
  }
  std::uint64_t get(Field field) const {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data() + field.offset, field.size < 8 ? field.size : 8);
    return value;
  }
};

// The fields of a command's attr, for printing.
struct Fields {
  const Field* begin_;
  const Field* end_;
  const Field* begin() const { return begin_; }
  const Field* end() const { return end_; }
};
Fields fields_of(unsigned command);
// Up to where the command looks; what follows must be zero.
unsigned size_of(unsigned command);

}  // namespace portolan::conformance
