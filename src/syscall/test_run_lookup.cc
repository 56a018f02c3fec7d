// SPDX-License-Identifier: Apache-2.0
// Programs that choose a socket for a packet: sk_lookup.
#include "abi/context.h"
#include "syscall/test_run.h"

namespace portolan::syscall {
namespace {

constexpr std::uint32_t kAfInet = 2, kAfInet6 = 10;

// What the program finds: fields that have 16 bits, and of the addresses those of the family.
Result<abi::SkLookup> seen_by_program(const abi::SkLookup& asked) {
  if (asked.sk != 0 || asked.ingress_ifindex != 0 || asked.padding_at_end != 0) return fail(EINVAL);
  if (asked.local_port > UINT16_MAX) return fail(ERANGE);
  abi::SkLookup seen = asked;
  seen.family &= UINT16_MAX;
  seen.protocol &= UINT16_MAX;
  seen.padding = 0;
  if (seen.family == kAfInet) {
    std::memset(seen.remote_ip6, 0, sizeof seen.remote_ip6);
    std::memset(seen.local_ip6, 0, sizeof seen.local_ip6);
  } else if (seen.family == kAfInet6) {
    seen.remote_ip4 = seen.local_ip4 = 0;
  } else {
    return fail(EAFNOSUPPORT);
  }
  return seen;
}

}  // namespace

Result<long> test_run_sk_lookup(const TestRun& test) {
  const abi::TestAttr& attr = test.attr;
  if (attr.flags != 0 || attr.cpu != 0 || attr.batch_size != 0) return fail(EINVAL);
  if (attr.data_in != 0 || attr.data_size_in != 0 || attr.data_out != 0 || attr.data_size_out != 0)
    return fail(EINVAL);
  auto context = TRY(test.context_in<abi::SkLookup>());
  if (!context.had()) return fail(EINVAL);
  abi::SkLookup seen = TRY(seen_by_program(*context));
  const TestRun::Outcome outcome = TRY(test.run(&seen));
  context->sk = 0;  // the cookie of the socket: there are none to choose
  TRY(test.finish(nullptr, 0, outcome));
  TRY(test.context_out(context));
  return 0;
}

}  // namespace portolan::syscall
