// SPDX-License-Identifier: Apache-2.0
#include "uapi.h"

namespace portolan::conformance {
namespace {

constexpr Field kCreateFields[] = {create::kMapType,
                                   create::kKeySize,
                                   create::kValueSize,
                                   create::kMaxEntries,
                                   create::kMapFlags,
                                   create::kInnerMapFd,
                                   create::kNumaNode,
                                   create::kMapName,
                                   create::kMapIfindex,
                                   create::kBtfFd,
                                   create::kBtfKeyTypeId,
                                   create::kBtfValueTypeId,
                                   create::kBtfVmlinuxValueTypeId,
                                   create::kMapExtra,
                                   create::kValueTypeBtfObjFd,
                                   create::kMapTokenFd,
                                   create::kExclProgHash,
                                   create::kExclProgHashSize};
constexpr Field kElementFields[] = {element::kMapFd, element::kKey, element::kValue, element::kFlags};
constexpr Field kBatchFields[] = {batch::kInBatch, batch::kOutBatch, batch::kKeys,      batch::kValues,
                                  batch::kCount,   batch::kMapFd,    batch::kElemFlags, batch::kFlags};
constexpr Field kObjectFields[] = {object::kPathname, object::kBpfFd, object::kFileFlags,
                                   object::kPathFdField};
constexpr Field kIdFields[] = {by_id::kId, by_id::kNextId, by_id::kOpenFlags, by_id::kTokenFd};
constexpr Field kInfoFields[] = {info::kBpfFd, info::kInfoLen, info::kInfo};
constexpr Field kBtfFields[] = {btf::kBtf,      btf::kLogBuf,      btf::kBtfSize, btf::kLogSize,
                                btf::kLogLevel, btf::kLogTrueSize, btf::kFlags,   btf::kTokenFd};
constexpr Field kTypeField[] = {{0, 4, "type"}};

template <std::size_t n>
Fields all(const Field (&fields)[n]) {
  return {fields, fields + n};
}

struct CommandRow {
  unsigned command;
  std::string_view name;
  Fields fields;
  unsigned size;
};

const CommandRow kCommands[] = {
    {kMapCreate, "MAP_CREATE", all(kCreateFields), create::kSize},
    {kLookup, "MAP_LOOKUP_ELEM", all(kElementFields), element::kSize},
    {kUpdate, "MAP_UPDATE_ELEM", all(kElementFields), element::kSize},
    {kDelete, "MAP_DELETE_ELEM", all(kElementFields), 16},
    {kGetNextKey, "MAP_GET_NEXT_KEY", all(kElementFields), 24},
    {kObjPin, "OBJ_PIN", all(kObjectFields), object::kSize},
    {kObjGet, "OBJ_GET", all(kObjectFields), object::kSize},
    {kMapGetNextId, "MAP_GET_NEXT_ID", all(kIdFields), 8},
    {kMapGetFdById, "MAP_GET_FD_BY_ID", all(kIdFields), by_id::kSize},
    {kObjGetInfo, "OBJ_GET_INFO_BY_FD", all(kInfoFields), info::kSize},
    {kBtfLoad, "BTF_LOAD", all(kBtfFields), btf::kSize},
    {kBtfGetFdById, "BTF_GET_FD_BY_ID", all(kIdFields), 16},
    {kLookupAndDelete, "MAP_LOOKUP_AND_DELETE_ELEM", all(kElementFields), element::kSize},
    {kFreeze, "MAP_FREEZE", all(kElementFields), 4},
    {kBtfGetNextId, "BTF_GET_NEXT_ID", all(kIdFields), 8},
    {kLookupBatch, "MAP_LOOKUP_BATCH", all(kBatchFields), batch::kSize},
    {kLookupAndDeleteBatch, "MAP_LOOKUP_AND_DELETE_BATCH", all(kBatchFields), batch::kSize},
    {kUpdateBatch, "MAP_UPDATE_BATCH", all(kBatchFields), batch::kSize},
    {kDeleteBatch, "MAP_DELETE_BATCH", all(kBatchFields), batch::kSize},
    {kEnableStats, "ENABLE_STATS", all(kTypeField), 4},
};

const CommandRow* row_of(unsigned command) {
  for (const CommandRow& row : kCommands)
    if (row.command == command) return &row;
  return nullptr;
}

}  // namespace

std::string_view command_name(unsigned command) {
  const CommandRow* row = row_of(command);
  return row != nullptr ? row->name : "unknown command";
}

std::string_view map_type_name(std::uint32_t type) {
  switch (type) {
    case kHash:
      return "hash";
    case kArray:
      return "array";
    case kPerCpuHash:
      return "percpu_hash";
    case kPerCpuArray:
      return "percpu_array";
    case kLruHash:
      return "lru_hash";
    case kLruPerCpuHash:
      return "lru_percpu_hash";
    case kLpmTrie:
      return "lpm_trie";
    case kUserRingbuf:
      return "user_ringbuf";
    case kPerfEventArray:
      return "perf_event_array";
    case kStackTrace:
      return "stack_trace";
    case kProgArray:
      return "prog_array";
    case kArrayOfMaps:
      return "array_of_maps";
    case kHashOfMaps:
      return "hash_of_maps";
    case kQueue:
      return "queue";
    case kStack:
      return "stack";
    case kRingbuf:
      return "ringbuf";
    case kBloomFilter:
      return "bloom_filter";
  }
  return "other";
}

Fields fields_of(unsigned command) {
  const CommandRow* row = row_of(command);
  return row != nullptr ? row->fields : Fields{nullptr, nullptr};
}

unsigned size_of(unsigned command) {
  const CommandRow* row = row_of(command);
  return row != nullptr ? row->size : kAttrSize;
}

}  // namespace portolan::conformance
