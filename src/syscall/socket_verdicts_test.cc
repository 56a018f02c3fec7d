// SPDX-License-Identifier: Apache-2.0
// Programs of sockets: their contexts, and helpers that get those or the socket.
#include "syscall/verdicts_for_test.h"

namespace portolan::syscall::verdicts {
namespace {

using abi::AttachType;

constexpr std::uint32_t kSockOps = 13, kSkSkb = 14, kSkMsg = 16, kSockAddr = 18, kReuseport = 21,
                        kSockopt = 25;
constexpr std::int32_t kSetsockopt = 49, kGetsockopt = 57, kApplyBytes = 61, kPullData = 63, kBind = 64,
                       kPushData = 90, kPopData = 91, kLoadOption = 142, kStoreOption = 143;
const Code kOne{mov(r0, 1), kExit};

class SocketVerdicts : public Verdicts {};

TEST_F(SocketVerdicts, options_are_those_of_the_context_s_socket_or_of_the_socket_itself) {
  constexpr AttachType kConnect = AttachType::kCgroupInet4Connect, kSet = AttachType::kCgroupSetsockopt,
                       kGet = AttachType::kCgroupGetsockopt;
  // helper(R1, 1, 2, &8 bytes of the stack, 4)
  const Code arguments{mov(r2, 1), mov(r3, 2), move(r4, r10), add(r4, -8), mov(r5, 4)};
  const Code set = Code{put(r10, -8, 0)} + arguments + Code{ask(kSetsockopt)} + kOne;
  const Code get = arguments + Code{ask(kGetsockopt)} + kOne;
  const Code sk_of_address{load(8, r1, r1, 64)}, sk_of_option{load(8, r1, r1, 0)};
  expect({
      {"an address's context", kSockAddr, set, 0, "", {}, 0, kConnect},
      {"that is asked", kSockAddr, get, 0, "", {}, 0, kConnect},
      {"its socket", kSockAddr, sk_of_address + set, EACCES, "R1 type=sock expected=ctx", {}, 0, kConnect},
      {"a connection's context", kSockOps, get, 0, ""},
      {"an option's socket", kSockopt, sk_of_option + set, 0, "", {}, 0, kSet},
      {"that is asked", kSockopt, sk_of_option + get, 0, "", {}, 0, kSet},
      {"an option's context",
       kSockopt,
       set,
       EACCES,
       "R1 type=ctx expected=sock_common, sock, tcp_sock, xdp_sock, ptr_, trusted_ptr_",
       {},
       0,
       kSet},
      {"when one is asked for",
       kSockopt,
       sk_of_option + get,
       EINVAL,
       "program of this type cannot use helper bpf_getsockopt#57",
       {},
       0,
       kGet},
  });
}

TEST_F(SocketVerdicts, sockets_are_bound_before_they_connect) {
  const Code binds{put(r10, -16, 2), put(r10, -8, 0), move(r2, r10), add(r2, -16), mov(r3, 16), ask(kBind)};
  expect({
      {"connect", kSockAddr, binds + kOne, 0, "", {}, 0, AttachType::kCgroupInet4Connect},
      {"bind",
       kSockAddr,
       binds + kOne,
       EINVAL,
       "program of this type cannot use helper bpf_bind#64",
       {},
       0,
       AttachType::kCgroupInet4Bind},
  });
}

TEST_F(SocketVerdicts, what_changes_a_message_leaves_no_pointers_into_it) {
  // Before and behind a change, R7 is where the first byte was, and R6 the context.
  const auto around = [](const Code& change, const Code& after) {
    return Code{move(r6, r1), load(8, r7, r6, 0),         load(8, r3, r6, 8), move(r4, r7),
                add(r4, 1),   {0xbd, regs(r4, r3), 2, 0}, mov(r0, 0),         kExit} +
           change + after + kZero;
  };
  const auto asks = [](std::int32_t helper) {
    return Code{move(r1, r6), mov(r2, 0), mov(r3, 1), mov(r4, 0), ask(helper)};
  };
  const Code read{load(1, r0, r7, 0)}, write{store(1, r7, 0, r7)};
  constexpr const char* kGone = "R7 invalid mem access 'scalar'";
  expect({
      {"read", kSkMsg, around({}, read), 0, ""},
      {"written", kSkMsg, around({}, write), 0, ""},
      {"applied", kSkMsg, around(asks(kApplyBytes), read), 0, ""},
      {"pulled", kSkMsg, around(asks(kPullData), read), EACCES, kGone},
      {"pushed", kSkMsg, around(asks(kPushData), read), EACCES, kGone},
      {"popped", kSkMsg, around(asks(kPopData), read), EACCES, kGone},
      {"of no message", kSkMsg, Code{mov(r1, 0), mov(r2, 0), mov(r3, 1), mov(r4, 0), ask(kPullData), kExit},
       EACCES, "R1 type=scalar expected=ctx"},
      {"of a group of sockets, read", kReuseport, around({}, read), 0, ""},
      {"written", kReuseport, around({}, write), EACCES, "cannot write into packet"},
  });
}

TEST_F(SocketVerdicts, an_option_that_is_written_leaves_no_pointers_into_the_header) {
  // R7 = the first byte of the segment, there before a call with an option on the stack.
  const auto around = [](std::int32_t helper) {
    return Code{move(r6, r1),         load(8, r7, r6, 192),
                load(8, r3, r6, 200), move(r4, r7),
                add(r4, 1),           {0xbd, regs(r4, r3), 2, 0},
                mov(r0, 0),           kExit,
                put(r10, -8, 2),      move(r1, r6),
                move(r2, r10),        add(r2, -8),
                mov(r3, 4),           mov(r4, 0),
                ask(helper),          load(1, r0, r7, 0)} +
           kZero;
  };
  const auto written = [](const Code& change) {
    return Code{load(8, r7, r1, 192),       load(8, r3, r1, 200), move(r4, r7), add(r4, 1),
                {0xbd, regs(r4, r3), 2, 0}, mov(r0, 0),           kExit} +
           change + kZero;
  };
  expect({
      {"read", kSockOps, around(kLoadOption), 0, ""},
      {"stored", kSockOps, around(kStoreOption), EACCES, "R7 invalid mem access 'scalar'"},
      {"written by the program itself", kSockOps, written({store(1, r7, 0, r7)}), EACCES,
       "cannot write into packet"},
  });
}

TEST_F(SocketVerdicts, contexts_of_data_have_the_socket) {
  const auto reads = [](std::int16_t at, std::int16_t field) {
    return Code{load(8, r1, r1, at), mov(r0, 0), if_equal(r1, 0, 1), load(4, r0, r1, field), kExit};
  };
  expect({
      {"the family of a stream's", kSkSkb, reads(168, 4), 0, ""},
      {"its type", kSkSkb, reads(168, 8), EACCES, "R1 invalid sock_common access off=8 size=4"},
      {"the type of a message's", kSkMsg, {load(8, r1, r1, 72), load(4, r0, r1, 8), kExit}, 0, ""},
      {"the state of a group's", kReuseport, {load(8, r1, r1, 40), load(4, r0, r1, 72), kExit}, 0, ""},
      {"the family of one that goes", kReuseport, reads(48, 4), 0, ""},
      {"its type", kReuseport, reads(48, 8), EACCES, "R1 invalid sock_common access off=8 size=4"},
  });
}

}  // namespace
}  // namespace portolan::syscall::verdicts
