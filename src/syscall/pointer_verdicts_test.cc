// SPDX-License-Identifier: Apache-2.0
// Pointers to packets, values and sockets, and helpers that get them.
#include "syscall/verdicts_for_test.h"

namespace portolan::syscall::verdicts {
namespace {

class PointerVerdicts : public Verdicts {};

// Linux 6.18 lets the last one pass: it takes the pointer to be beyond the packet still.
TEST_F(PointerVerdicts, a_pointer_beyond_the_packet_stays_there_until_it_steps_back) {
  const Code packet{load(4, r2, r1, 0), load(4, r3, r1, 4), add(r2, 8)};
  expect({
      {"twice the same question", kXdp,
       packet + Code{{0x2d, regs(r2, r3), 2, 0},
                     mov(r0, 1),
                     kExit,
                     {0x2d, regs(r2, r3), 1, 0},
                     load(8, r0, r9, 0),
                     mov(r0, 0),
                     kExit},
       0, ""},
      {"a read there", kXdp,
       packet + Code{{0x2d, regs(r2, r3), 2, 0}, mov(r0, 1), kExit, load(1, r0, r2, -8), mov(r0, 0), kExit},
       EINVAL, "R2 offset is outside of the packet"},
      {"back again", kXdp,
       packet + Code{{0x2d, regs(r2, r3), 2, 0},
                     mov(r0, 1),
                     kExit,
                     add(r2, -4),
                     {0x2d, regs(r2, r3), 1, 0},
                     load(8, r0, r9, 0),
                     mov(r0, 0),
                     kExit},
       EACCES, "R9 !read_ok"},
  });
}

TEST_F(PointerVerdicts, an_array_has_a_value_for_each_key_that_is_small_enough) {
  const auto program = [](std::int32_t bytes, std::int32_t key) -> Code {
    const abi::Insn put_key = bytes == 8 ? put(r10, -8, key) : abi::Insn{0x62, r10, -8, key};
    return {put_key,      move(r2, r10),       add(r2, -8), array_of(r1), kRest,
            ask(kLookup), load(8, r0, r0, 40), mov(r0, 0),  kExit};
  };
  const auto chosen = [](std::int32_t key, std::int32_t other) -> Code {
    return {ask(kRandom),   mov(r1, key),          if_equal(r0, 0, 1),
            mov(r1, other), store(4, r10, -8, r1), move(r2, r10),
            add(r2, -8),    array_of(r1),          kRest,
            ask(kLookup),   load(8, r0, r0, 40),   mov(r0, 0),
            kExit};
  };
  constexpr const char* kMayBeNull = "R0 invalid mem access 'map_value_or_null'";
  expect({
      {"the first", kFilter, program(4, 0), 0, ""},
      {"the last", kFilter, program(4, 3), 0, ""},
      {"one beyond", kFilter, program(4, 4), EACCES, kMayBeNull},
      {"zero of more bytes", kFilter, program(8, 0), EACCES, kMayBeNull},
      {"another number of more bytes", kFilter, program(8, 1), EACCES, kMayBeNull},
      {"one of two", kFilter, chosen(1, 2), 0, ""},
      {"one of two, one of which is beyond", kFilter, chosen(1, 5), EACCES, kMayBeNull},
  });
}

TEST_F(PointerVerdicts, what_equals_a_pointer_is_one_but_for_those_to_objects_of_the_kernel) {
  // R0 = a value or NULL, R6 = what it is compared with; read where they are the same.
  const auto compared = [](const Code& with) {
    return with +
           Code{put(r10, -8, 0),
                move(r2, r10),
                add(r2, -8),
                map_of(r1),
                kRest,
                ask(kLookup),
                {0x1d, regs(r0, r6), 2, 0},
                mov(r0, 0),
                kExit,
                load(8, r0, r0, 0)} +
           kZero;
  };
  expect({
      {"the stack", kTc, compared({move(r6, r10)}), 0, ""},
      {"the current task", kTc, compared({ask(kCurrentTaskBtf), move(r6, r0)}), EACCES,
       "R0 invalid mem access 'map_value_or_null'"},
  });
}

TEST_F(PointerVerdicts, sockets_are_given_back_and_read_by_field) {
  const Code release{move(r1, r0), ask(kSkRelease)};
  expect({
      {"found and kept", kTc, looked_for_socket() + kZero, EINVAL,
       "BPF_EXIT instruction in main prog would lead to reference leak"},
      {"given back unseen", kTc, looked_for_socket() + release + kZero, EACCES,
       "R1 type=sock_or_null expected=sock_common, sock, tcp_sock, xdp_sock, ptr_, trusted_ptr_"},
      {"given back", kTc, looked_for_socket() + Code{if_equal(r0, 0, 2)} + release + kZero, 0, ""},
      {"given back twice", kTc,
       looked_for_socket() + Code{move(r6, r0), if_equal(r0, 0, 4)} + release +
           Code{move(r1, r6), ask(kSkRelease)} + kZero,
       EACCES, "R1 type=scalar expected=sock_common, sock, tcp_sock, xdp_sock, ptr_, trusted_ptr_"},
      {"read after that", kTc,
       looked_for_socket() + Code{if_not(r0, 0, 1), kExit, move(r6, r0)} + release +
           Code{load(4, r0, r6, 4)} + kZero,
       EACCES, "R6 invalid mem access 'scalar'"},
      {"a cast ends with what it is", kTc,
       looked_for_socket() +
           Code{if_not(r0, 0, 1), kExit, move(r6, r0), move(r1, r0), ask(kTcpSock), if_not(r0, 0, 3),
                move(r1, r6), ask(kSkRelease), kExit, move(r7, r0), move(r1, r6), ask(kSkRelease),
                load(4, r0, r7, 0)} +
           kZero,
       EACCES, "R7 invalid mem access 'scalar'"},
      {"a cast to a type of the kernel, too", kTc,
       looked_for_socket() +
           Code{if_not(r0, 0, 1), kExit, move(r6, r0), move(r1, r0), ask(kSkcToTcpSock), if_not(r0, 0, 3),
                move(r1, r6), ask(kSkRelease), kExit, move(r7, r0), move(r1, r6), ask(kSkRelease),
                load(1, r0, r7, 0)} +
           kZero,
       EACCES, "R7 invalid mem access 'scalar'"},
      {"which may be NULL, and is not trusted", kTc,
       looked_for_socket() +
           Code{if_not(r0, 0, 1), kExit, move(r1, r0), ask(kSkcToTcpSock), load(4, r1, r0, 0)} + kZero,
       EACCES, "R0 invalid mem access 'ptr_or_null_'"},
      {"which may be cast again, as what it begins with", kTc,
       looked_for_socket() +
           Code{if_not(r0, 0, 1), kExit, move(r6, r0), move(r1, r0), ask(kSkcToTcpSock), if_equal(r0, 0, 2),
                move(r1, r0), ask(kSkcToTcpSock), move(r1, r6), ask(kSkRelease)} +
           kZero,
       0, ""},
      {"unlike other objects of the kernel", kTc,
       Code{ask(kCurrentTaskBtf), move(r1, r0), ask(kSkcToTcpSock)} + kZero, EACCES,
       "R1 is of type task_struct but sock_common is expected"},
      {"a listener does not", kTc,
       looked_for_socket() +
           Code{if_not(r0, 0, 1), kExit, move(r6, r0), move(r1, r0), ask(kListenerSock), if_not(r0, 0, 3),
                move(r1, r6), ask(kSkRelease), kExit, move(r7, r0), move(r1, r6), ask(kSkRelease),
                load(4, r0, r7, 4)} +
           kZero,
       0, ""},
      {"not ours to give back", kTc, packet_sock() + release + kZero, EINVAL,
       "R1 must be referenced when passed to release function"},
      {"moved", kTc, looked_for_socket() + Code{add(r0, 8)} + kZero, EACCES,
       "R0 pointer arithmetic on sock_or_null prohibited, null-check it first"},
      {"the packet's, unseen", kCgroupSkb, Code{load(8, r1, r1, 168), load(4, r0, r1, 4)} + kZero, EACCES,
       "R1 invalid mem access 'sock_common_or_null'"},
      {"a field of all sockets", kCgroupSkb, packet_socket() + Code{load(4, r0, r0, 4)} + kZero, 0, ""},
      {"a field of some", kCgroupSkb, packet_socket() + Code{load(4, r0, r0, 8)} + kZero, EACCES,
       "R0 invalid sock_common access off=8 size=4"},
      {"that field, of a full one", kCgroupSkb, packet_sock() + Code{load(1, r0, r0, 8)} + kZero, 0, ""},
      {"its second byte", kCgroupSkb, packet_sock() + Code{load(1, r0, r0, 9)} + kZero, EACCES,
       "R0 invalid sock access off=9 size=1"},
      {"the padding of the port", kCgroupSkb, packet_sock() + Code{load(2, r0, r0, 50)} + kZero, EACCES,
       "R0 invalid sock access off=50 size=2"},
      {"beyond the last field", kCgroupSkb, packet_sock() + Code{load(4, r0, r0, 80)} + kZero, EACCES,
       "R0 invalid sock access off=80 size=4"},
      {"written", kCgroupSkb, packet_sock() + Code{store(4, r0, 4, r0)} + kZero, EACCES,
       "R0 cannot write into sock"},
      {"a field with its sign", kTc, packet_socket() + Code{{0x81, regs(r0, r0), 76, 0}} + kZero, 0, ""},
      {"one of two", kTc,
       Code{move(r6, r1)} + packet_sock() +
           Code{load(8, r1, r6, 168),
                if_equal(r1, 0, 4),
                ask(kSkFullsock),
                {0x5d, regs(r0, r0), 2, 0},
                if_equal(r0, 0, 1),
                load(4, r0, r0, 4)} +
           kZero,
       0, ""},
  });
}

TEST_F(PointerVerdicts, helpers_get_what_they_ask_for) {
  expect({
      {"the class of a tc program's context", kTc, {ask(kClassid), kExit}, 0, ""},
      {"of none", kTc, {mov(r1, 1), ask(kClassid), kExit}, EACCES, "R1 type=scalar expected=ctx"},
      {"of another type's process", kXdp, {mov(r1, 1), ask(kClassid), kExit}, 0, ""},
      {"a cookie of no context", kTc, {mov(r1, 0), ask(kNetnsCookie), mov(r0, 0), kExit}, 0, ""},
      {"a cookie of a number",
       kTc,
       {mov(r1, 1), ask(kNetnsCookie), mov(r0, 0), kExit},
       EACCES,
       "R1 type=scalar expected=ctx"},
      {"a hash to tail call into",
       kTc,
       {map_of(r2), kRest, mov(r3, 0), ask(kTailCall), mov(r0, 0), kExit},
       EINVAL,
       "expected prog array map for tail call"},
      {"the context as memory",
       kTc,
       {move(r3, r1), mov(r2, 0), mov(r4, 8), ask(kLoadBytes), mov(r0, 0), kExit},
       EACCES,
       "R3 type=ctx expected=fp, pkt, pkt_meta, map_key, map_value, mem, ringbuf_mem, buf, trusted_ptr_"},
  });
}

TEST_F(PointerVerdicts, helpers_take_one_thing_that_must_be_given_back) {
  constexpr std::int32_t kReserve = 131, kDiscard = 133, kUpdate = 2;
  const Code reserved{ring_of(r1),      kRest,      mov(r2, 48), mov(r3, 0),   ask(kReserve),
                      if_not(r0, 0, 2), mov(r0, 0), kExit,       move(r6, r0), put(r6, 0, 0)};
  const Code updated{map_of(r1), kRest, move(r3, r6), mov(r4, 0), ask(kUpdate)};
  const Code discarded{move(r1, r6), mov(r2, 0), ask(kDiscard)};
  expect({
      {"a value", kTc,
       reserved + Code{put(r10, -8, 0), move(r2, r10), add(r2, -8)} + updated + discarded + kZero, 0, ""},
      {"a key and a value", kTc, reserved + Code{move(r2, r6)} + updated + discarded + kZero, EACCES,
       "more than one arg with ref_obj_id R3 2 2"},
  });
}

TEST_F(PointerVerdicts, one_instruction_goes_through_one_kind_of_pointer) {
  expect(Verdict{"a socket or the context",
                 kCgroupSkb,
                 {move(r6, r1), load(8, r2, r1, 168), if_not(r2, 0, 1), move(r2, r6), load(4, r0, r2, 0),
                  mov(r0, 0), kExit},
                 EINVAL,
                 "same insn cannot be used with different pointers"});
}

TEST_F(PointerVerdicts, nothing_but_plain_memory_is_loaded_as_an_atomic) {
  constexpr abi::Insn load_acquire{0xc3, regs(r1, r0), 4, 0x100};
  expect({{"from a socket", kTc, packet_socket() + Code{load_acquire} + kZero, EACCES,
           "BPF_ATOMIC loads from R0 sock_common is not allowed"}});
}

TEST_F(PointerVerdicts, a_dynptr_that_a_callback_was_given_does_not_outlive_it) {
  const Code drain{put(r10, -8, 0),
                   user_ring_of(r1),
                   kRest,
                   {0x18, regs(r2, 4), 0, 12},
                   kRest,
                   move(r3, r10),
                   add(r3, -8),
                   mov(r4, 0),
                   ask(kUserRingbufDrain),
                   load(8, r1, r10, -8),
                   if_equal(r1, 0, 3),
                   mov(r2, 0),
                   mov(r3, 8),
                   ask(kDynptrData)};
  const Code callback{store(8, r2, 0, r1), mov(r0, 0), kExit};
  expect(Verdict{"kept on the stack",
                 kTc,
                 drain + kZero + callback,
                 EACCES,
                 "R1 type=scalar expected=fp, dynptr_ptr",
                 {0, 16}});
}

TEST_F(PointerVerdicts, a_callback_makes_no_tail_calls) {
  const Code once{store(8, r10, -8, r1),
                  mov(r1, 1),
                  {0x18, regs(r2, 4), 0, 7},
                  kRest,
                  move(r3, r10),
                  add(r3, -8),
                  mov(r4, 0),
                  ask(kLoop)};
  const Code callback{load(8, r1, r2, 0), programs_of(r2), kRest, mov(r3, 0),
                      ask(kTailCall),     mov(r0, 0),      kExit};
  expect(Verdict{"of bpf_loop",
                 kTc,
                 once + kZero + callback,
                 EFAULT,
                 "verifier bug: callback unexpected regs 1",
                 {0, 10}});
}

}  // namespace
}  // namespace portolan::syscall::verdicts
