// SPDX-License-Identifier: Apache-2.0
// SYN cookies, made and checked of bare headers: a sequence number that says when it was given, and which of
// a few segment sizes the other end takes, to whoever knows the runtime's secret.
#include <arpa/inet.h>

#include <bit>
#include <span>
#include <vector>

#include "base/clock.h"
#include "helper/functions.h"
#include "helper/memory.h"

namespace portolan::helper::functions {
namespace {

constexpr std::uint32_t kDataBits = 24, kDataMask = (1u << kDataBits) - 1;
constexpr std::uint64_t kPeriodNs = 60'000'000'000;
constexpr std::uint32_t kMostPeriods = 2;  // MAX_SYNCOOKIE_AGE
constexpr std::uint16_t kSizes4[] = {536, 1300, 1440, 1460}, kSizes6[] = {1220, 1420, 1440, 8940};
constexpr std::uint16_t kDefaultSize4 = 536, kDefaultSize6 = 1220;  // of segments

struct TcpHeader {
  std::uint16_t source, dest;
  std::uint32_t seq, ack_seq;
  std::uint8_t offset, flags;
  std::uint16_t window, check, urgent;
};
static_assert(sizeof(TcpHeader) == 20);

// SipHash-2-4 of whole words (Aumasson and Bernstein), so that cookies say nothing about the next.
std::uint64_t siphash(std::pair<std::uint64_t, std::uint64_t> key, std::span<const std::uint64_t> words) {
  std::uint64_t v0 = key.first ^ 0x736f'6d65'7073'6575, v1 = key.second ^ 0x646f'7261'6e64'6f6d,
                v2 = key.first ^ 0x6c79'6765'6e65'7261, v3 = key.second ^ 0x7465'6462'7974'6573;
  const auto round = [&] {
    v0 += v1, v1 = std::rotl(v1, 13), v1 ^= v0, v0 = std::rotl(v0, 32);
    v2 += v3, v3 = std::rotl(v3, 16), v3 ^= v2;
    v0 += v3, v3 = std::rotl(v3, 21), v3 ^= v0;
    v2 += v1, v1 = std::rotl(v1, 17), v1 ^= v2, v2 = std::rotl(v2, 32);
  };
  const auto absorb = [&](std::uint64_t word) {
    v3 ^= word;
    round(), round();
    v0 ^= word;
  };
  for (const std::uint64_t word : words) absorb(word);
  absorb(std::uint64_t{words.size() * 8} << 56);
  v2 ^= 0xff;
  round(), round(), round(), round();
  return v0 ^ v1 ^ v2 ^ v3;
}

// What a cookie is for: both ends, at `addresses` of an IP header, and the SYN's sequence number.
struct Flow {
  const object::Runtime& runtime;
  std::span<const std::byte> addresses;  // 8 or 32 bytes
  std::uint32_t ports, sequence;

  std::uint32_t hash(std::uint32_t count, std::uint32_t which) const {
    std::uint64_t words[6] = {};
    std::memcpy(words, addresses.data(), addresses.size());
    words[4] = std::uint64_t{ports} << 32 | count;
    words[5] = addresses.size() << 32 | which;
    return static_cast<std::uint32_t>(siphash(runtime.uuid(), words));
  }
};

std::uint32_t period_now() { return static_cast<std::uint32_t>(boottime_ns() / kPeriodNs); }

// secure_tcp_syn_cookie
std::uint32_t cookie_of(const Flow& flow, std::uint32_t data) {
  const std::uint32_t now = period_now();
  return flow.hash(0, 0) + flow.sequence + (now << kDataBits) + ((flow.hash(now, 1) + data) & kDataMask);
}
// check_tcp_syn_cookie: the data; more than any: the cookie is none.
std::uint32_t data_of(const Flow& flow, std::uint32_t cookie) {
  const std::uint32_t now = period_now();
  const std::uint32_t rest = cookie - flow.hash(0, 0) - flow.sequence;
  const std::uint32_t age = (now - (rest >> kDataBits)) & (~0u >> kDataBits);
  return age >= kMostPeriods ? ~0u : (rest - flow.hash(now - age, 1)) & kDataMask;
}

// tcp_parse_mss_option: 0, where there is none.
std::uint16_t segment_size(std::span<const std::byte> options) {
  constexpr unsigned kEnd = 0, kNothing = 1, kSize = 2;
  std::uint16_t size = 0;
  while (!options.empty()) {
    const auto kind = std::to_integer<unsigned>(options[0]);
    if (kind == kEnd) break;
    if (kind == kNothing) {
      options = options.subspan(1);
      continue;
    }
    if (options.size() < 2) break;
    const auto length = std::to_integer<std::size_t>(options[1]);
    if (length < 2 || length > options.size()) break;
    if (kind == kSize && length == 4) {
      const std::uint16_t given = ntohs(load_unaligned<std::uint16_t>(options.data() + 2));
      if (given != 0) size = given;
    }
    options = options.subspan(length);
  }
  return size;
}

// The addresses of an IP header follow each other.
template <std::size_t offset, std::size_t size>
struct Addresses {
  std::byte bytes[size];
  bool read(U64 ip) { return portolan_fault_copy(bytes, bytes_at(ip) + offset, size); }
};
using Addresses4 = Addresses<12, 8>;
using Addresses6 = Addresses<8, 32>;

template <class Ends>
U64 generate(Run& run, U64 ip, U64 tcp, U64 size_arg, std::span<const std::uint16_t, 4> sizes,
             std::uint16_t otherwise) {
  const auto size = static_cast<std::uint32_t>(size_arg);
  constexpr std::uint32_t kMost = 60;
  std::byte bytes[kMost];
  if (size < sizeof(TcpHeader) || size > kMost) return negative(EINVAL);
  Ends ends;
  if (!portolan_fault_copy(bytes, bytes_at(tcp), size) || !ends.read(ip)) return negative(EFAULT);
  TcpHeader header;
  std::memcpy(&header, bytes, sizeof header);
  if (size != (header.offset >> 4) * 4u) return negative(EINVAL);
  const std::uint16_t parsed = segment_size(std::span<const std::byte>(bytes, size).subspan(sizeof header));
  const std::uint16_t wanted = parsed != 0 ? parsed : otherwise;
  std::uint32_t index = sizes.size() - 1;
  while (index != 0 && wanted < sizes[index]) --index;
  const Flow flow{run.runtime, ends.bytes, std::uint32_t{header.source} << 16 | header.dest,
                  ntohl(header.seq)};
  return cookie_of(flow, index) | U64{sizes[index]} << 32;
}

// Of the ACK that answers: it acknowledges the cookie, and follows the SYN.
template <class Ends>
U64 check(Run& run, U64 ip, U64 tcp, std::size_t sizes) {
  TcpHeader header;
  Ends ends;
  if (!portolan_fault_copy(&header, bytes_at(tcp), sizeof header) || !ends.read(ip)) return negative(EFAULT);
  const Flow flow{run.runtime, ends.bytes, std::uint32_t{header.source} << 16 | header.dest,
                  ntohl(header.seq) - 1};
  return data_of(flow, ntohl(header.ack_seq) - 1) < sizes ? 0 : negative(EACCES);
}

}  // namespace

U64 tcp_raw_gen_syncookie_ipv4(Run& run, U64 ip, U64 tcp, U64 size, U64, U64) {
  return generate<Addresses4>(run, ip, tcp, size, kSizes4, kDefaultSize4);
}
U64 tcp_raw_gen_syncookie_ipv6(Run& run, U64 ip, U64 tcp, U64 size, U64, U64) {
  return generate<Addresses6>(run, ip, tcp, size, kSizes6, kDefaultSize6);
}
U64 tcp_raw_check_syncookie_ipv4(Run& run, U64 ip, U64 tcp, U64, U64, U64) {
  return check<Addresses4>(run, ip, tcp, std::size(kSizes4));
}
U64 tcp_raw_check_syncookie_ipv6(Run& run, U64 ip, U64 tcp, U64, U64, U64) {
  return check<Addresses6>(run, ip, tcp, std::size(kSizes6));
}

}  // namespace portolan::helper::functions
