// SPDX-License-Identifier: Apache-2.0
// Kfuncs one by one: dynptrs with their parts and slices, strings, sums of elements, casts.
#include "syscall/kfuncs_for_test.h"

namespace portolan::syscall::verdicts {
namespace {

constexpr std::int32_t kFromMem = 197, kDynptrWrite = 202, kPullData = 39;

class DynptrKfuncs : public Kfuncs {
 protected:
  // Of the 48 bytes of a map's value, at fp-24; the value's address in R7.
  Code local() const {
    return looked_up() + Code{move(r7, r0), move(r1, r0), mov(r2, 48), mov(r3, 0)} + stack_at(r4, -24) +
           Code{ask(kFromMem)};
  }
  // Of the packet, at fp-24; the context in R6.
  Code of_packet() const {
    return Code{move(r6, r1), mov(r2, 0)} + stack_at(r3, -24) + Code{kfunc("bpf_dynptr_from_skb")};
  }
  Code slice(const char* name, std::int32_t offset, std::int32_t size) const {
    return stack_at(r1, -24) + Code{mov(r2, offset), mov(r3, 0), mov(r4, size), kfunc(name)};
  }
  Code of_dynptr(const char* name) const { return stack_at(r1, -24) + Code{kfunc(name)}; }
  Code adjusted(std::int32_t begin, std::int32_t end) const {
    return stack_at(r1, -24) + Code{mov(r2, begin), mov(r3, end), kfunc("bpf_dynptr_adjust")};
  }
};

TEST_F(DynptrKfuncs, slices_are_as_long_as_they_say_and_may_be_null) {
  const Code read = slice("bpf_dynptr_slice", 0, 8), write = slice("bpf_dynptr_slice_rdwr", 0, 8);
  expect({
      {"read", kTc, of_packet() + read + Code{if_equal(r0, 0, 1), load(8, r1, r0, 0)} + kZero, 0, ""},
      {"not asked for NULL", kTc, of_packet() + read + Code{load(8, r1, r0, 0)} + kZero, EACCES,
       "R0 invalid mem access 'mem_or_null'"},
      {"beyond", kTc, of_packet() + read + Code{if_equal(r0, 0, 1), load(8, r1, r0, 1)} + kZero, EACCES,
       "R0 min value is outside of the allowed memory range"},
      {"written", kTc, of_packet() + write + Code{if_equal(r0, 0, 1), store(8, r0, 0, r0)} + kZero, 0, ""},
      {"written, but for reading", kTc,
       of_packet() + read + Code{mov(r1, 0), if_equal(r0, 0, 1), store(8, r0, 0, r1)} + kZero, EACCES,
       "R0 cannot write into rdonly_mem"},
      {"by a program that may not write packets", kFilter, of_packet() + write + kZero, EINVAL,
       "the prog does not allow writes to packet data"},
      {"of a size that is not known", kTc,
       of_packet() + Code{ask(kRandom), move(r4, r0), bit_and(r4, 7)} + stack_at(r1, -24) +
           Code{mov(r2, 0), mov(r3, 0), kfunc("bpf_dynptr_slice")} + kZero,
       EINVAL, "R4 must be a known constant"},
  });
}

TEST_F(DynptrKfuncs, slices_of_packets_go_when_the_packet_changes) {
  const Code held =
      of_packet() + slice("bpf_dynptr_slice", 0, 8) + Code{if_not(r0, 0, 2), mov(r0, 0), kExit, move(r8, r0)};
  const Code read = Code{load(8, r1, r8, 0)} + kZero;
  expect({
      {"by a helper", kTc, held + Code{move(r1, r6), mov(r2, 0), ask(kPullData)} + read, EACCES,
       "R8 invalid mem access 'scalar'"},
      {"by a write through the dynptr", kTc,
       held + stack_at(r1, -24) + Code{mov(r2, 0)} + stack_at(r3, -8) +
           Code{mov(r4, 8), mov(r5, 0), ask(kDynptrWrite)} + read,
       EACCES, "R8 invalid mem access 'scalar'"},
      {"by nothing", kTc, held + read, 0, ""},
  });
}

TEST_F(DynptrKfuncs, slices_of_a_record_go_with_it) {
  const Code reserved{
      ring_of(r1), kRest, mov(r2, 64), mov(r3, 0), move(r4, r10), add(r4, -16), ask(kRingbufReserveDynptr)};
  const Code submitted = Code{move(r6, r0)} + stack_at(r1, -16) +
                         Code{mov(r2, 0), ask(kRingbufSubmitDynptr), if_equal(r6, 0, 1), put(r6, 0, 1)} +
                         kZero;
  const Code slice = Code{mov(r2, 0), mov(r3, 0), mov(r4, 8), kfunc("bpf_dynptr_slice_rdwr")};
  const Code callee =
      stack_at(r2, -16) + Code{kfunc("bpf_dynptr_clone")} + stack_at(r1, -16) + slice + Code{kExit};
  expect({
      {"of the dynptr that it was made with", kTc, reserved + stack_at(r1, -16) + slice + submitted, EACCES,
       "R6 invalid mem access 'scalar'"},
      {"of another one, which was a callee's", kTc,
       reserved + stack_at(r1, -16) + Code{call_function(static_cast<std::int32_t>(submitted.size()))} +
           submitted + callee,
       EACCES, "R6 invalid mem access 'scalar'"},
  });
}

TEST_F(DynptrKfuncs, arguments_are_dynptrs_on_the_stack) {
  expect({
      {"none was made", kTc, of_dynptr("bpf_dynptr_size") + kZero, EINVAL,
       "Expected an initialized dynptr as arg #0"},
      {"no pointer to the stack", kTc, Code{kfunc("bpf_dynptr_size")} + kZero, EINVAL,
       "arg#0 expected pointer to stack or const struct bpf_dynptr"},
      {"no number", kTc,
       of_packet() + stack_at(r1, -24) + Code{move(r2, r10), mov(r3, 0)} + Code{kfunc("bpf_dynptr_adjust")} +
           kZero,
       EINVAL, "R2 is not a scalar"},
      {"no context", kTc,
       Code{move(r1, r10), mov(r2, 0)} + stack_at(r3, -24) + Code{kfunc("bpf_dynptr_from_skb")} + kZero,
       EINVAL, "arg#0 expected pointer to ctx, but got fp"},
      {"NULL for a context", kTc,
       Code{mov(r1, 0), mov(r2, 0)} + stack_at(r3, -24) + Code{kfunc("bpf_dynptr_from_skb")} + kZero, EACCES,
       "Possibly NULL pointer passed to trusted arg0"},
      {"of another context", kXdp, of_packet() + kZero, EACCES,
       "calling kernel function bpf_dynptr_from_skb is not allowed"},
  });
}

TEST_F(DynptrKfuncs, parts_are_counted_from_the_part_before) {
  const auto result = [&](const Code& code) {
    // What the call before returned, or the size: whichever is asked for.
    return run(Code{mov(r0, 0), map_of(r1), kRest} + stack_at(r2, -8) + Code{put(r10, -8, 0)} +
               stack_at(r3, -64) + Code{mov(r4, 0), ask(2)} + local() + code + Code{kExit});
  };
  EXPECT_EQ(result(of_dynptr("bpf_dynptr_size")), 48u);
  EXPECT_EQ(result(adjusted(8, 40) + of_dynptr("bpf_dynptr_size")), 32u);
  EXPECT_EQ(result(adjusted(8, 40) + adjusted(4, 32) + of_dynptr("bpf_dynptr_size")), 28u);
  EXPECT_EQ(result(adjusted(8, 40) + adjusted(0, 33)), static_cast<std::uint32_t>(-ERANGE));
  EXPECT_EQ(result(adjusted(9, 8)), static_cast<std::uint32_t>(-EINVAL));
  EXPECT_EQ(result(of_dynptr("bpf_dynptr_is_null")), 0u);
  EXPECT_EQ(result(of_dynptr("bpf_dynptr_is_rdonly")), 0u);
  // The slice of a part begins where the part does.
  EXPECT_EQ(result(adjusted(8, 48) + slice("bpf_dynptr_slice", 4, 8) +
                   Code{if_equal(r0, 0, 1), {0x1f, regs(r0, r7), 0, 0}}),
            12u);
}

TEST_F(DynptrKfuncs, memory_is_read_to_where_dynptrs_say) {
  static const char text[] = "abcdefgh";
  const auto result = [&](const char* name, const void* from, std::int32_t size) {
    const std::uint64_t at = address(from);
    return run(Code{mov(r0, 0), map_of(r1), kRest} + stack_at(r2, -8) + Code{put(r10, -8, 0)} +
               stack_at(r3, -64) + Code{mov(r4, 0), ask(2)} + local() + stack_at(r1, -24) +
               Code{mov(r2, 40),
                    mov(r3, size),
                    {0x18, r4, 0, static_cast<std::int32_t>(at)},
                    {0, 0, 0, static_cast<std::int32_t>(at >> 32)},
                    kfunc(name),
                    kExit});
  };
  const auto* const nowhere = reinterpret_cast<const void*>(8);
  const Cliff cliff;
  std::memcpy(cliff.last(4), "wxyz", 4);
  EXPECT_EQ(result("bpf_copy_from_user_dynptr", text, 8), 0u);
  EXPECT_EQ(result("bpf_copy_from_user_dynptr", text, 9), static_cast<std::uint32_t>(-E2BIG));
  EXPECT_EQ(result("bpf_copy_from_user_dynptr", nowhere, 8), static_cast<std::uint32_t>(-EFAULT));
  EXPECT_EQ(result("bpf_copy_from_user_dynptr", cliff.last(4), 8), static_cast<std::uint32_t>(-EFAULT));
  EXPECT_EQ(result("bpf_copy_from_user_str_dynptr", text, 8), 8u);
  EXPECT_EQ(result("bpf_copy_from_user_str_dynptr", text + 3, 8), 6u);
  EXPECT_EQ(result("bpf_copy_from_user_str_dynptr", nowhere, 8), static_cast<std::uint32_t>(-EFAULT));
  EXPECT_EQ(result("bpf_copy_from_user_str_dynptr", text, 0), 0u);
}

TEST_F(DynptrKfuncs, maps_tell_how_many_elements_they_have) {
  EXPECT_EQ(run(Code{map_of(r1), kRest} + stack_at(r2, -8) + Code{put(r10, -8, 0)} + stack_at(r3, -64) +
                Code{mov(r4, 0), ask(2), map_of(r1), kRest, kfunc("bpf_map_sum_elem_count"), kExit}),
            1u);
  EXPECT_EQ(run(Code{array_of(r1), kRest, kfunc("bpf_map_sum_elem_count"), kExit}), 0u);
}

TEST_F(DynptrKfuncs, strings_end_or_say_why_not) {
  // "abcdab" on the stack.
  const Code text{{0x18, r1, 0, 0x64636261}, {0, 0, 0, 0x00006261}, store(8, r10, -8, r1)};
  const auto result = [&](const Code& arguments, const char* name) {
    return run(text + arguments + Code{kfunc(name), kExit});
  };
  const Code whole = stack_at(r1, -8), tail = stack_at(r2, -5);  // "dab"
  EXPECT_EQ(result(whole, "bpf_strlen"), 6u);
  EXPECT_EQ(result(whole + Code{mov(r2, 3)}, "bpf_strnlen"), 3u);
  EXPECT_EQ(result(whole + Code{mov(r2, 'b')}, "bpf_strchr"), 1u);
  EXPECT_EQ(result(whole + Code{mov(r2, 'b')}, "bpf_strrchr"), 5u);
  EXPECT_EQ(result(whole + Code{mov(r2, 'x')}, "bpf_strchr"), static_cast<std::uint32_t>(-ENOENT));
  EXPECT_EQ(result(whole + Code{mov(r2, 'x')}, "bpf_strchrnul"), 6u);
  EXPECT_EQ(result(whole + tail, "bpf_strstr"), 3u);
  EXPECT_EQ(result(whole + tail, "bpf_strcmp"), static_cast<std::uint32_t>(-1));
  EXPECT_EQ(result(Code{mov(r1, 0)} + tail, "bpf_strcmp"), static_cast<std::uint32_t>(-ERANGE));
  EXPECT_EQ(result(Code{mov(r1, 1 << 13)}, "bpf_strlen"), static_cast<std::uint32_t>(-EFAULT));
}

TEST_F(DynptrKfuncs, casts_are_to_structs_or_bytes_of_the_kernel) {
  const auto types = helper::kernel_btf(*runtime_);
  ASSERT_TRUE(types);
  const auto id = [&](const char* name, btf::Kind kind) {
    return static_cast<std::int32_t>((*types)->find_by_name(name, kind).value_or(0));
  };
  const auto cast = [&](std::int32_t type, const Code& after) {
    return Code{mov(r1, 64), mov(r2, type), kfunc("bpf_rdonly_cast")} + after + kZero;
  };
  const Code read{load(4, r1, r0, 0)}, write{mov(r1, 0), store(4, r0, 0, r1)};
  expect({
      {"a struct, read", kFilter, cast(id("task_struct", btf::Kind::kStruct), read), 0, ""},
      {"a union", kFilter, cast(id("bpf_attr", btf::Kind::kUnion), {}), 0, ""},
      {"bytes, read", kFilter, cast(0, read), 0, ""},
      {"bytes, written", kFilter, cast(0, write), EACCES, "R0 cannot write into rdonly_untrusted_mem"},
      {"a number", kFilter, cast(id("int", btf::Kind::kInt), {}), EINVAL,
       "kfunc bpf_rdonly_cast type ID argument must be of a struct or void"},
  });
  // Nothing is there, and nothing but zeros is read.
  EXPECT_EQ(run(Code{mov(r1, 64), mov(r2, 0), kfunc("bpf_rdonly_cast"), load(4, r0, r0, 0), kExit}), 0u);
}

}  // namespace
}  // namespace portolan::syscall::verdicts
