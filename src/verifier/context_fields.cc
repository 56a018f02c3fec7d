// SPDX-License-Identifier: Apache-2.0
#include "verifier/context_fields.h"

#include <cstddef>
#include <type_traits>

#include "abi/context.h"

namespace portolan::verifier {
namespace {

enum class Context : std::uint8_t {
  kNone,
  kSock,
  kSockAddr,
  kSockOps,
  kSkMsgMd,
  kSkReuseportMd,
  kSkLookup,
  kCgroupDevice,
  kSysctl,
  kSockopt,
  kPerfEventData,
  kNetfilter
};
Context context_of(abi::ProgType type) {
  using enum abi::ProgType;
  switch (type) {
    case kCgroupSock:
      return Context::kSock;
    case kCgroupSockAddr:
      return Context::kSockAddr;
    case kSockOps:
      return Context::kSockOps;
    case kSkMsg:
      return Context::kSkMsgMd;
    case kSkReuseport:
      return Context::kSkReuseportMd;
    case kSkLookup:
      return Context::kSkLookup;
    case kCgroupDevice:
      return Context::kCgroupDevice;
    case kCgroupSysctl:
      return Context::kSysctl;
    case kCgroupSockopt:
      return Context::kSockopt;
    case kPerfEvent:
      return Context::kPerfEventData;
    case kNetfilter:
      return Context::kNetfilter;
    default:
      return Context::kNone;
  }
}

// How a unit of a field (the field, or an element of an array) may be accessed.
enum class FieldAccess : std::uint8_t {
  kNever,
  kWhole,
  kFirst,         // kWhole, of the first element only
  kPart,          // any aligned part of it
  kHalf,          // any aligned part of two bytes or more
  kFromStart,     // its first bytes
  kPartOrTwo,     // kPart, or two elements together
  kWholeOrTwo,    // kWhole, or two elements together
  kPartOrPadded,  // kPart, or with the padding behind it
};
using enum FieldAccess;

// Sets of expected_attach_type.
using Attaches = std::uint64_t;
template <class... Types>
constexpr Attaches attaches(Types... types) {
  return (0 | ... | (Attaches{1} << static_cast<unsigned>(types)));
}
using A = abi::AttachType;
constexpr Attaches kNobody = 0, kEvery = ~Attaches{0};
constexpr Attaches kCreates = attaches(A::kCgroupInetSockCreate, A::kCgroupInetSockRelease);
constexpr Attaches kPostBind4 = attaches(A::kCgroupInet4PostBind);
constexpr Attaches kPostBind6 = attaches(A::kCgroupInet6PostBind);
constexpr Attaches kPostBind = kPostBind4 | kPostBind6;
constexpr Attaches kSendmsg4 = attaches(A::kCgroupUdp4Sendmsg), kSendmsg6 = attaches(A::kCgroupUdp6Sendmsg);
constexpr Attaches kAddress4 =
    kSendmsg4 | attaches(A::kCgroupInet4Bind, A::kCgroupInet4Connect, A::kCgroupInet4Getpeername,
                         A::kCgroupInet4Getsockname, A::kCgroupUdp4Recvmsg);
constexpr Attaches kAddress6 =
    kSendmsg6 | attaches(A::kCgroupInet6Bind, A::kCgroupInet6Connect, A::kCgroupInet6Getpeername,
                         A::kCgroupInet6Getsockname, A::kCgroupUdp6Recvmsg);
constexpr Attaches kGetsockopt = attaches(A::kCgroupGetsockopt), kSetsockopt = attaches(A::kCgroupSetsockopt);

struct Field {
  Context context;
  std::uint32_t offset, bytes, unit;
  FieldAccess loads;
  Attaches readers;
  FieldAccess stores;
  Attaches writers;
  ContextValue value;
};
constexpr Field kFields[] = {
#define FIELD(context, member, loads, readers, stores, writers)  \
  {Context::k##context,                                          \
   offsetof(abi::context, member),                               \
   sizeof(abi::context::member),                                 \
   sizeof(std::remove_extent_t<decltype(abi::context::member)>), \
   loads,                                                        \
   readers,                                                      \
   stores,                                                       \
   writers,                                                      \
   ContextValue::kScalar},
#define POINTER(context, member, readers, value) \
  {Context::k##context,                          \
   offsetof(abi::context, member),               \
   sizeof(abi::context::member),                 \
   8,                                            \
   kWhole,                                       \
   readers,                                      \
   kNever,                                       \
   kNobody,                                      \
   ContextValue::value},
#include "verifier/plain_contexts.def"
#undef FIELD
#undef POINTER
};

bool is_allowed(const Field& field, FieldAccess access, std::uint32_t offset, std::uint32_t size) {
  const std::uint32_t in_field = offset - field.offset, in_unit = in_field % field.unit;
  const bool is_whole = in_unit == 0 && size == field.unit;
  const bool is_part = in_unit + size <= field.unit;
  const bool is_double = size == 2 * field.unit && in_unit == 0;
  const bool is_two = is_double && in_field + size <= field.bytes;
  switch (access) {
    case kNever:
      return false;
    case kWhole:
      return is_whole;
    case kFirst:
      return is_whole && in_field == 0;
    case kPart:
      return is_part;
    case kHalf:
      return is_part && size >= 2;
    case kFromStart:
      return is_part && in_unit == 0;
    case kPartOrTwo:
      return is_part || is_two;
    case kWholeOrTwo:
      return is_whole || is_two;
    case kPartOrPadded:
      return is_part || is_double;
  }
  return false;
}

}  // namespace

bool has_plain_context(abi::ProgType type) { return context_of(type) != Context::kNone; }

ContextAccess check_plain_context(abi::ProgType type, std::uint32_t expected_attach_type, std::int32_t offset,
                                  std::uint32_t size, bool writes) {
  const auto at = static_cast<std::uint32_t>(offset);
  const Attaches attach = expected_attach_type < 64 ? Attaches{1} << expected_attach_type : 0;
  for (const Field& field : kFields) {
    if (field.context != context_of(type) || at < field.offset || at >= field.offset + field.bytes) continue;
    if (((writes ? field.writers : field.readers) & attach) == 0) return {};
    return {is_allowed(field, writes ? field.stores : field.loads, at, size), field.value, 0};
  }
  return {};
}

}  // namespace portolan::verifier
