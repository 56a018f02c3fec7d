// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iterator>

#include "helper/functions.h"
#include "helper/kfunc.h"
#include "helper/program_sets.h"

namespace portolan::helper {
namespace {

using namespace programs;

constexpr Set kAll = ~Set{0};
constexpr Set kGeneric =
    set(Type::kSchedCls, Type::kTracepoint, Type::kXdp, Type::kPerfEvent, Type::kCgroupSkb, Type::kCgroupSock,
        Type::kSockOps, Type::kCgroupDevice, Type::kCgroupSockAddr, Type::kCgroupSysctl, Type::kCgroupSockopt,
        Type::kSyscall) |
    kByBtf;
// Those whose context is a socket buffer, or leads to one: of others that the kernel has among them, none has
// one here.
constexpr Set kSkbPrograms =
    set(Type::kSocketFilter, Type::kSchedCls, Type::kSchedAct, Type::kCgroupSkb, Type::kLwtIn, Type::kLwtOut,
        Type::kLwtXmit, Type::kSkSkb, Type::kLwtSeg6local, Type::kNetfilter);

// Flags of a row.
constexpr unsigned kNew = 1;             // is_new
constexpr unsigned kNext = 2;            // is_next
constexpr unsigned kDestroy = 4;         // is_destroy
constexpr unsigned kSleeps = 8;          // might_sleep
constexpr unsigned kWrites = 16;         // writes
constexpr unsigned kTrusts = 32;         // trusts
constexpr unsigned kChangesPacket = 64;  // changes_packet

// Arguments of a row.
constexpr KfuncArgument number{KfuncArg::kScalar};
constexpr KfuncArgument constant{KfuncArg::kConstant};
constexpr KfuncArgument ctx{KfuncArg::kCtx};
constexpr KfuncArgument map{KfuncArg::kMap};
constexpr KfuncArgument work{KfuncArg::kWork};
constexpr KfuncArgument map_of_work{KfuncArg::kMapOfWork};
constexpr KfuncArgument callback{KfuncArg::kFunc};
constexpr KfuncArgument own_program{KfuncArg::kOwnProgram};
constexpr KfuncArgument dynptr{KfuncArg::kDynptr};
constexpr KfuncArgument dynptr_out{KfuncArg::kDynptrOut};
constexpr KfuncArgument buffer{KfuncArg::kMem};
constexpr KfuncArgument buffer_or_null{KfuncArg::kMemOrNull};
constexpr KfuncArgument size{KfuncArg::kSize};
constexpr KfuncArgument const_size{KfuncArg::kConstSize};
constexpr KfuncArgument ignored{KfuncArg::kIgnored};
constexpr KfuncArgument irq_flags{KfuncArg::kIrqFlags};
constexpr KfuncArgument iter_num{KfuncArg::kIterator, IteratorKind::kNum};
constexpr KfuncArgument iter_bits{KfuncArg::kIterator, IteratorKind::kBits};

constexpr Kfunc row(KfuncId id, std::string_view name, Function function, KfuncRet ret, Set programs,
                    unsigned flags, const Kfunc& arguments, const char* note) {
  Kfunc kfunc = arguments;
  kfunc.id = id;
  kfunc.name = name.ends_with('_') ? name.substr(0, name.size() - 1) : name;
  kfunc.function = function;
  kfunc.ret = ret;
  kfunc.programs = programs;
  kfunc.is_new = (flags & kNew) != 0;
  kfunc.is_next = (flags & kNext) != 0;
  kfunc.is_destroy = (flags & kDestroy) != 0;
  kfunc.might_sleep = (flags & kSleeps) != 0;
  kfunc.writes = (flags & kWrites) != 0;
  kfunc.trusts = (flags & kTrusts) != 0;
  kfunc.changes_packet = (flags & kChangesPacket) != 0;
  kfunc.note = note;
  return kfunc;
}

constexpr Kfunc kTable[] = {
#define ARGS(...)           \
  Kfunc {                   \
    .args = { __VA_ARGS__ } \
  }
#define KFUNC(name, returns, programs, flags, major, minor, args, note) \
  row(KfuncId::name, "bpf_" #name, functions::name, KfuncRet::returns, programs, flags, args, note),
#define KFUNC_NOT_HERE(name, note) \
  row(KfuncId::name, "bpf_" #name, nullptr, KfuncRet::kVoid, kAll, 0, Kfunc{}, note),
#include "helper/kfuncs.def"
#undef KFUNC
#undef KFUNC_NOT_HERE
#undef ARGS
};

}  // namespace

const Kfunc* find_kfunc(std::string_view name) {
  const auto found = std::find_if(std::begin(kTable), std::end(kTable),
                                  [name](const Kfunc& one) { return one.name == name; });
  return found == std::end(kTable) ? nullptr : found;
}

bool is_available(const Kfunc& kfunc, abi::ProgType type, std::uint32_t expected_attach_type) {
  return (kfunc.programs & set_of(type, expected_attach_type)) != 0;
}

const char* name_of(IteratorKind kind) {
  switch (kind) {
    case IteratorKind::kNum:
      return "num";
    case IteratorKind::kBits:
      return "bits";
  }
  return "";
}

std::uint32_t bytes_of(IteratorKind kind) {
  switch (kind) {
    case IteratorKind::kNum:
      return 8;
    case IteratorKind::kBits:
      return 16;
  }
  return 0;
}

}  // namespace portolan::helper
