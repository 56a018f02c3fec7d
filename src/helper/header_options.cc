// SPDX-License-Identifier: Apache-2.0
// Options of TCP headers, as programs of connections read them, make room for them and write them.
#include <algorithm>
#include <array>
#include <cstring>

#include "base/errno.h"
#include "helper/functions.h"
#include "helper/memory.h"
#include "helper/socket_data.h"

namespace portolan::helper::functions {
namespace {

constexpr std::uint32_t kMakesRoom = 14, kWrites = 15;  // BPF_SOCK_OPS_HDR_OPT_LEN_CB, _WRITE_HDR_OPT_CB
constexpr U64 kOfSyn = 1;                               // BPF_LOAD_HDR_OPT_TCP_SYN
constexpr std::uint32_t kTcpHeader = 20, kLeastOption = 2, kMostOption = 255;
constexpr unsigned kEnd = 0, kNop = 1, kExperiment = 253, kOtherExperiment = 254;

unsigned byte_at(const std::byte* at) { return std::to_integer<unsigned>(*at); }
bool is_experiment(unsigned kind) { return kind == kExperiment || kind == kOtherExperiment; }

// A kind, and of an experiment the number that it begins with.
struct Wanted {
  unsigned kind;
  std::array<std::byte, 4> magic;
  std::uint32_t magic_size;
  bool is(const std::byte* option, unsigned size) const {
    return byte_at(option) == kind && magic_size + kLeastOption <= size &&
           std::memcmp(option + kLeastOption, magic.data(), magic_size) == 0;
  }
};

struct Found {
  const std::byte* option;  // nullptr: `error`
  int error;
  bool has_end;  // nothing stands behind the options that were looked at
};
Found find_option(const std::byte* at, const std::byte* end, const Wanted& wanted) {
  while (at < end) {
    const unsigned kind = byte_at(at);
    if (kind == kEnd) return {nullptr, ENOMSG, true};
    if (kind == kNop) {
      ++at;
      continue;
    }
    if (end - at < kLeastOption) return {nullptr, EFAULT, false};
    const unsigned size = byte_at(at + 1);
    if (size < kLeastOption || end - at < static_cast<std::ptrdiff_t>(size)) return {nullptr, EFAULT, false};
    if (kind == wanted.kind && wanted.magic_size + kLeastOption > size) return {nullptr, ENOMSG, false};
    if (wanted.is(at, size)) return {at, 0, false};
    at += size;
  }
  return {nullptr, ENOMSG, false};
}

}  // namespace

U64 load_hdr_opt(Run&, U64 context, U64 to, U64 size_arg, U64 flags, U64) {
  auto& connection = at<Connection>(context);
  const auto size = static_cast<std::uint32_t>(size_arg);
  if (size < kLeastOption || (flags & ~kOfSyn) != 0) return negative(EINVAL);
  std::array<std::byte, 6> asked{};  // kind, size, and what an experiment begins with
  if (!portolan_fault_copy(asked.data(), bytes_at(to), std::min<std::size_t>(size, asked.size())))
    return negative(EFAULT);
  const unsigned kind = byte_at(&asked[0]), asked_size = byte_at(&asked[1]);
  if (asked_size > size || kind == kNop || kind == kEnd) return negative(EINVAL);
  if (is_experiment(kind) ? asked_size != 4 && asked_size != 6 : asked_size != 0) return negative(EINVAL);
  Wanted wanted{kind, {}, is_experiment(kind) ? asked_size - kLeastOption : 0};
  std::copy_n(asked.begin() + kLeastOption, wanted.magic_size, wanted.magic.begin());
  const std::byte *begin = bytes_at(connection.seen.skb_data), *end = bytes_at(connection.seen.skb_data_end);
  if ((flags & kOfSyn) != 0) {
    if (connection.syn.empty()) return negative(ENOENT);
    begin = connection.syn.data();
    end = begin + connection.syn.size();
  } else if (begin == nullptr || connection.seen.op == kMakesRoom) {
    return negative(EPERM);
  }
  if (end - begin < static_cast<std::ptrdiff_t>(kTcpHeader)) return negative(ENOMSG);
  const Found found = find_option(begin + kTcpHeader, end, wanted);
  if (found.option == nullptr) return negative(found.error);
  const unsigned length = byte_at(found.option + 1);
  if (!portolan_fault_copy(mutable_bytes_at(to), found.option, std::min(length, size)))
    return negative(EFAULT);
  return length > size ? negative(ENOSPC) : length;
}

U64 store_hdr_opt(Run&, U64 context, U64 from, U64 size_arg, U64 flags, U64) {
  auto& connection = at<Connection>(context);
  const auto size = static_cast<std::uint32_t>(size_arg);
  if (connection.seen.op != kWrites) return negative(EPERM);
  if (size < kLeastOption || flags != 0) return negative(EINVAL);
  std::array<std::byte, kMostOption> option{};
  if (!portolan_fault_copy(option.data(), bytes_at(from), std::min<std::size_t>(size, option.size())))
    return negative(EFAULT);
  const unsigned kind = byte_at(&option[0]), length = byte_at(&option[1]);
  if (length > size || kind == kNop || kind == kEnd) return negative(EINVAL);
  if (length > connection.option_room) return negative(ENOSPC);
  Wanted wanted{kind, {}, 0};
  if (is_experiment(kind)) {
    if (length < 4) return negative(EINVAL);
    wanted = {kind, {option[2], option[3]}, 2};
  }
  std::byte* const end = mutable_bytes_at(connection.seen.skb_data_end);
  const Found found = find_option(bytes_at(connection.seen.skb_data) + kTcpHeader, end, wanted);
  if (found.option != nullptr) return negative(EEXIST);
  if (found.error != ENOMSG) return negative(found.error);
  if (found.has_end) return negative(ENOSPC);
  std::copy_n(option.begin(), length, end);
  connection.option_room -= length;
  connection.seen.skb_data_end += length;
  return 0;
}

U64 reserve_hdr_opt(Run&, U64 context, U64 size_arg, U64 flags, U64, U64) {
  auto& connection = at<Connection>(context);
  const auto size = static_cast<std::uint32_t>(size_arg);
  if (connection.seen.op != kMakesRoom) return negative(EPERM);
  if (flags != 0 || size < kLeastOption) return negative(EINVAL);
  if (size > connection.option_room) return negative(ENOSPC);
  connection.option_room -= size;
  return 0;
}

}  // namespace portolan::helper::functions
