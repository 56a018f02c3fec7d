// SPDX-License-Identifier: Apache-2.0
// Functions of the kernel that programs call by BTF: iterators, sections, dynptrs of packets, strings,
// exceptions.
#include "cases.h"
#include "kfuncs.h"

namespace portolan::conformance {
namespace {

constexpr std::uint32_t kTc = 3, kXdp = 6;
constexpr std::uint8_t kIfEqual = 0x15, kAdd = 0x0f;
using Body = std::function<void(Bytecode&)>;

class Kfunc : public Case {
 protected:
  void SetUp() override {
    Case::SetUp();
    if (kfunc_id("bpf_iter_num_new") == 0) GTEST_SKIP() << "this kernel's BTF has no such functions";
  }
  static Bytecode& call(Bytecode& code, std::string_view name) { return code.call_kfunc(kfunc_id(name)); }
  static Bytecode& stack(Bytecode& code, int to, std::int32_t at) { return code.move(to, 10).add(to, at); }
  static Bytecode& made(Bytecode& code, std::int32_t begin, std::int32_t end, std::int32_t at = -8) {
    return call(stack(code, 1, at).set(2, begin).set(3, end), "bpf_iter_num_new");
  }
  static Bytecode& of_iterator(Bytecode& code, std::string_view name, std::int32_t at = -8) {
    return call(stack(code, 1, at), name);
  }
  static Bytecode& destroyed(Bytecode& code, std::int32_t at = -8) {
    return of_iterator(code, "bpf_iter_num_destroy", at);
  }
  long verdict(const Body& body, std::uint32_t type = kTc) {
    Bytecode code;
    body(code);
    return std::min(load(type, code.set(0, 0).exit().finish()), 0l);
  }
  long result(Bytecode& code, std::uint32_t type = kTc) {
    const long got = run(program(type, code.exit().finish()));
    return got < 0 ? got : static_cast<std::int32_t>(got);
  }
};
ON_BOTH_BACKENDS(Kfunc);

TEST_P(Kfunc, iterators_count) {
  const auto sum = [&](std::int32_t begin, std::int32_t end) {
    Bytecode code;
    const int again = code.new_label(), out = code.new_label();
    made(code.set(6, 0), begin, end).move(7, 0).here(again);
    of_iterator(code, "bpf_iter_num_next").jump(kIfEqual, 0, 0, out).load(Bytecode::kWord, 1, 0, 0);
    code.raw(kAdd, 6, 1, 0, 0).jump(0x05, 0, 0, again).here(out);
    return result(destroyed(code).move(0, 6).raw(kAdd, 0, 7, 0, 0));
  };
  EXPECT_ANSWER(45, sum(0, 10));
  EXPECT_ANSWER(0, sum(10, 10));
  EXPECT_ANSWER(-EINVAL, sum(11, 10));
  EXPECT_ANSWER(-E2BIG, sum(0, 8 * 1024 * 1024 + 1));
}

TEST_P(Kfunc, iterators_are_made_once_and_destroyed_once) {
  const struct {
    const char* what;
    long expected;
    Body body;
  } rows[] = {
      {"made and destroyed", 0, [](Bytecode& c) { made(c, 0, 3), destroyed(c); }},
      {"never destroyed", -EINVAL, [](Bytecode& c) { made(c, 0, 3); }},
      {"made twice", -EINVAL, [](Bytecode& c) { made(c, 0, 3), made(c, 0, 3), destroyed(c); }},
      {"destroyed twice", -EINVAL, [](Bytecode& c) { made(c, 0, 3), destroyed(c), destroyed(c); }},
      {"next of none", -EINVAL, [](Bytecode& c) { of_iterator(c, "bpf_iter_num_next"); }},
      {"of another kind", -EINVAL,
       [](Bytecode& c) { made(c, 0, 3), of_iterator(c, "bpf_iter_bits_next", -16), destroyed(c); }},
      {"read", -EACCES, [](Bytecode& c) { made(c, 0, 3).load(Bytecode::kDouble, 1, 10, -8), destroyed(c); }},
      {"written", -EINVAL,
       [](Bytecode& c) { made(c, 0, 3).store_imm(Bytecode::kDouble, 10, -8, 0), destroyed(c); }},
      {"across two words", -EINVAL, [](Bytecode& c) { made(c, 0, 3, -12), destroyed(c, -12); }},
      {"outside of the stack", -EACCES, [](Bytecode& c) { made(c, 0, 3, -520), destroyed(c, -520); }},
      {"an element written", -EACCES,
       [](Bytecode& c) {
         const int none = c.new_label();
         made(c, 0, 3);
         of_iterator(c, "bpf_iter_num_next").jump(kIfEqual, 0, 0, none);
         destroyed(c.store_imm(Bytecode::kWord, 0, 0, 1).here(none));
       }},
      {"an element that outlives it", -EACCES,
       [](Bytecode& c) {
         const int none = c.new_label();
         made(c, 0, 3);
         of_iterator(c, "bpf_iter_num_next").move(6, 0);
         destroyed(c).jump(kIfEqual, 6, 0, none).load(Bytecode::kWord, 1, 6, 0).here(none);
       }},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.what);
    EXPECT_ANSWER(row.expected, verdict(row.body));
  }
}

TEST_P(Kfunc, sections_begin_and_end) {
  const auto irq = [](Bytecode& c, const char* name, std::int32_t at) { call(stack(c, 1, at), name); };
  const struct {
    const char* what;
    long expected;
    Body body;
  } rows[] = {
      {"RCU", 0, [](Bytecode& c) { call(c, "bpf_rcu_read_lock"), call(c, "bpf_rcu_read_unlock"); }},
      {"RCU left open", -EINVAL, [](Bytecode& c) { call(c, "bpf_rcu_read_lock"); }},
      {"RCU only ended", -EINVAL, [](Bytecode& c) { call(c, "bpf_rcu_read_unlock"); }},
      {"preemption left disabled", -EINVAL, [](Bytecode& c) { call(c, "bpf_preempt_disable"); }},
      {"preemption enabled twice", -EINVAL,
       [](Bytecode& c) {
         call(c, "bpf_preempt_disable"), call(c, "bpf_preempt_enable"), call(c, "bpf_preempt_enable");
       }},
      {"interrupts, one in the other", 0,
       [&](Bytecode& c) {
         irq(c, "bpf_local_irq_save", -8), irq(c, "bpf_local_irq_save", -16);
         irq(c, "bpf_local_irq_restore", -16), irq(c, "bpf_local_irq_restore", -8);
       }},
      {"interrupts, crosswise", -EACCES,
       [&](Bytecode& c) {
         irq(c, "bpf_local_irq_save", -8), irq(c, "bpf_local_irq_save", -16);
         irq(c, "bpf_local_irq_restore", -8), irq(c, "bpf_local_irq_restore", -16);
       }},
      {"interrupts left disabled", -EINVAL, [&](Bytecode& c) { irq(c, "bpf_local_irq_save", -8); }},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.what);
    EXPECT_ANSWER(row.expected, verdict(row.body));
  }
}

TEST_P(Kfunc, dynptrs_of_packets) {
  const auto of_packet = [&](Bytecode& c, const char* name) {
    return call(stack(c.set(2, 0), 3, -16), name).move(6, 0);
  };
  for (const std::uint32_t type : {kTc, kXdp}) {
    SCOPED_TRACE(type);
    const char* const from = type == kTc ? "bpf_dynptr_from_skb" : "bpf_dynptr_from_xdp";
    const auto asked = [&](const Body& body) {
      Bytecode code;
      of_packet(code, from);
      body(code);
      return result(code, type);
    };
    EXPECT_ANSWER(64, asked([](Bytecode& c) { call(stack(c, 1, -16), "bpf_dynptr_size"); }));
    EXPECT_ANSWER(0, asked([](Bytecode& c) { call(stack(c, 1, -16), "bpf_dynptr_is_rdonly"); }));
    EXPECT_ANSWER(-ERANGE, asked([](Bytecode& c) {
      call(stack(c, 1, -16).set(2, 0).set(3, 65), "bpf_dynptr_adjust");
    }));
    EXPECT_ANSWER(24, asked([](Bytecode& c) {
                    call(stack(c, 1, -16).set(2, 8).set(3, 32), "bpf_dynptr_adjust");
                    call(stack(c, 1, -16), "bpf_dynptr_size");
                  }));
    EXPECT_ANSWER(-E2BIG, asked([](Bytecode& c) {
      call(stack(c, 1, -16).set(2, 60).set(3, 8).set(4, 7), "bpf_dynptr_memset");
    }));
    EXPECT_ANSWER(7, asked([](Bytecode& c) {
                    const int none = c.new_label();
                    call(stack(c, 1, -16).set(2, 40).set(3, 8).set(4, 7), "bpf_dynptr_memset");
                    call(stack(c, 1, -16).set(2, 44).set(3, 0).set(4, 4), "bpf_dynptr_slice");
                    c.jump(kIfEqual, 0, 0, none).load(Bytecode::kByte, 0, 0, 3).here(none);
                  }));
    EXPECT_ANSWER(-EACCES, verdict(
                               [&](Bytecode& c) {
                                 of_packet(c, from);
                                 call(stack(c, 1, -16).set(2, 0).set(3, 0).set(4, 4), "bpf_dynptr_slice");
                                 c.load(Bytecode::kByte, 0, 0, 0);
                               },
                               type));
  }
}

TEST_P(Kfunc, dynptrs_of_metadata_hold_nothing_where_there_is_none) {
  const auto asked = [&](std::int32_t flags, const Body& body) {
    Bytecode code;
    call(stack(code.set(2, flags), 3, -16), "bpf_dynptr_from_skb_meta");
    body(code);
    return result(code);
  };
  constexpr std::int32_t kRead = 201, kWrite = 202, kData = 203;
  const auto access = [](std::int32_t helper, std::int32_t size, std::int32_t flags) {
    return [=](Bytecode& c) {
      c.store_imm(Bytecode::kDouble, 10, -24, 7);
      if (helper == kRead) stack(stack(c, 1, -24).set(2, size), 3, -16).set(4, 0).set(5, flags).call(kRead);
      if (helper == kWrite) stack(stack(c, 1, -16).set(2, 0), 3, -24).set(4, size).set(5, flags).call(kWrite);
    };
  };
  EXPECT_ANSWER(0, asked(0, [](Bytecode&) {}));
  EXPECT_ANSWER(-EINVAL, asked(1, [](Bytecode&) {}));
  EXPECT_ANSWER(0, asked(0, [](Bytecode& c) { call(stack(c, 1, -16), "bpf_dynptr_size"); }));
  EXPECT_ANSWER(0, asked(0, [](Bytecode& c) { call(stack(c, 1, -16), "bpf_dynptr_is_rdonly"); }));
  EXPECT_ANSWER(0, asked(0, [](Bytecode& c) { call(stack(c, 1, -16), "bpf_dynptr_is_null"); }));
  EXPECT_ANSWER(0, asked(0, access(kRead, 0, 0)));
  EXPECT_ANSWER(-E2BIG, asked(0, access(kRead, 4, 0)));
  EXPECT_ANSWER(0, asked(0, access(kWrite, 0, 0)));
  EXPECT_ANSWER(-EINVAL, asked(0, access(kWrite, 0, 1)));
  EXPECT_ANSWER(-E2BIG, asked(0, access(kWrite, 4, 0)));
  EXPECT_ANSWER(
      0, asked(0, [](Bytecode& c) {
        const int none = c.new_label();
        stack(c, 1, -16).set(2, 0).set(3, 0).call(kData).jump(kIfEqual, 0, 0, none).set(0, 1).here(none);
      }));
  EXPECT_ANSWER(0, asked(0, [](Bytecode& c) {
                  const int none = c.new_label();
                  call(stack(c, 1, -16).set(2, 0).set(3, 0).set(4, 4), "bpf_dynptr_slice");
                  c.jump(kIfEqual, 0, 0, none).set(0, 1).here(none);
                }));
  const Body only_made = [](Bytecode& c) { call(stack(c.set(2, 0), 3, -16), "bpf_dynptr_from_skb_meta"); };
  EXPECT_ANSWER(0, verdict(only_made, 4));        // an action of tc
  EXPECT_ANSWER(-EACCES, verdict(only_made, 8));  // of a cgroup
  EXPECT_ANSWER(-EACCES, verdict(only_made, kXdp));
}

TEST_P(Kfunc, pulling_moves_the_packet) {
  const auto pull = [](Bytecode& c, std::int32_t length) {
    call(c.move(6, 1).set(2, length), "bpf_xdp_pull_data");
  };
  const auto asked = [&](std::int32_t length) {
    Bytecode code;
    pull(code, length);
    return result(code, kXdp);
  };
  EXPECT_ANSWER(0, asked(0));
  EXPECT_ANSWER(0, asked(64));  // all of it lies together as it is
  EXPECT_ANSWER(-EINVAL, asked(65));
  EXPECT_ANSWER(-EINVAL, asked(-1));
  const struct {
    const char* what;
    long expected;
    bool looks_again;
  } rows[] = {{"pointers from before", -EACCES, false}, {"new pointers", 0, true}};
  for (const auto& row : rows) {
    SCOPED_TRACE(row.what);
    const auto look = [](Bytecode& c) { c.load(Bytecode::kWord, 7, 6, 0).load(Bytecode::kWord, 8, 6, 4); };
    EXPECT_ANSWER(row.expected, verdict(
                                    [&](Bytecode& c) {
                                      const int out = c.new_label();
                                      c.move(6, 1);
                                      look(c);
                                      if (!row.looks_again) c.move(9, 7).add(9, 4).jump_to(0x2d, 9, 8, out);
                                      pull(c.move(1, 6), 32);
                                      if (row.looks_again) {
                                        look(c);
                                        c.move(9, 7).add(9, 4).jump_to(0x2d, 9, 8, out);
                                      }
                                      c.load(Bytecode::kWord, 0, 7, 0).here(out);
                                    },
                                    kXdp));
  }
}

TEST_P(Kfunc, memory_is_read_to_dynptrs) {
  static const char text[] = "abcdefghijkl";
  const auto user = reinterpret_cast<std::uintptr_t>(text);
  // Into the packet's bytes from 16 on; then the byte at 20, or what the call returned.
  const auto asked = [&](const char* name, std::uint64_t from, std::int32_t size, bool byte,
                         std::int32_t offset = 16) {
    Bytecode code;
    const int none = code.new_label();
    call(stack(code.set(2, 0), 3, -16), "bpf_dynptr_from_skb");
    call(stack(code, 1, -16).set(2, offset).set(3, size).set64(4, from), name);
    if (byte) {
      call(stack(code, 1, -16).set(2, 20).set(3, 0).set(4, 1), "bpf_dynptr_slice");
      code.jump(kIfEqual, 0, 0, none).load(Bytecode::kByte, 0, 0, 0).here(none);
    }
    return result(code);
  };
  EXPECT_ANSWER(0, asked("bpf_probe_read_user_dynptr", user, 8, false));
  EXPECT_ANSWER('e', asked("bpf_probe_read_user_dynptr", user, 8, true));
  EXPECT_ANSWER(0, asked("bpf_probe_read_user_dynptr", user, 4, true));
  EXPECT_ANSWER(13, asked("bpf_probe_read_user_str_dynptr", user, 32, false));
  EXPECT_ANSWER(5, asked("bpf_probe_read_user_str_dynptr", user, 5, false));
  EXPECT_ANSWER(0, asked("bpf_probe_read_user_str_dynptr", user, 5, true));
  EXPECT_ANSWER('e', asked("bpf_probe_read_user_str_dynptr", user, 6, true));
  for (const char* name : {"bpf_probe_read_user_dynptr", "bpf_probe_read_user_str_dynptr"}) {
    SCOPED_TRACE(name);
    EXPECT_ANSWER(-EFAULT, asked(name, 8, 8, false));
    EXPECT_ANSWER(0, asked(name, 8, 0, false));
    EXPECT_ANSWER(-E2BIG, asked(name, user, 49, false));
    EXPECT_ANSWER(-E2BIG, asked(name, user, 0, false, 65));
  }
  EXPECT_ANSWER(-EACCES, verdict([](Bytecode& c) {
    call(stack(c.set(2, 0), 3, -16), "bpf_dynptr_from_skb");
    call(stack(c, 1, -16).set(2, 0).set(3, 4).set(4, 0), "bpf_copy_from_user_dynptr");
  }));
}

TEST_P(Kfunc, memory_is_read_from_the_programs_own) {
  const auto asked = [&](const char* name, std::int32_t size) {
    Bytecode code;
    code.move(6, 1)
        .set64(2, 0x0000'0062'6160'6162)
        .store(Bytecode::kDouble, 10, -24, 2)
        .move(1, 6);  // "ba`ab"
    call(stack(code.set(2, 0), 3, -16), "bpf_dynptr_from_skb");
    stack(stack(code, 1, -16).set(2, 8).set(3, size), 4, -24);
    return result(call(code, name));
  };
  EXPECT_ANSWER(0, asked("bpf_probe_read_kernel_dynptr", 8));
  EXPECT_ANSWER(6, asked("bpf_probe_read_kernel_str_dynptr", 8));
  EXPECT_ANSWER(3, asked("bpf_probe_read_kernel_str_dynptr", 3));
}

TEST_P(Kfunc, a_program_ends_with_what_it_throws) {
  Bytecode code;
  EXPECT_ANSWER(42, result(call(code.set(1, 42), "bpf_throw").set(0, 0)));
  EXPECT_ANSWER(-EINVAL,
                verdict([](Bytecode& c) { made(c, 0, 3), call(c.set(1, 1), "bpf_throw"), destroyed(c); }));
  EXPECT_ANSWER(-EACCES, verdict([](Bytecode& c) { call(c.set(1, 1), "bpf_throw"); }, 1));
}

TEST_P(Kfunc, strings_are_compared_by_what_they_are) {
  const int array = map({kArray, 4, 64, 1, 0});
  Data text(64);
  std::memcpy(text.data(), "abcdab", 7);
  std::memcpy(text.data() + 32, "dab", 4);
  ASSERT_EQ(0, update(array, number32(0), text));
  const auto asked = [&](const char* name, std::int32_t second_number) {
    Bytecode code;
    code.map_value(1, array).map_value(2, array).add(2, 32);
    if (second_number >= 0) code.set(2, second_number);
    return result(call(code, name));
  };
  EXPECT_ANSWER(6, asked("bpf_strlen", 0));
  EXPECT_ANSWER(4, asked("bpf_strnlen", 4));
  EXPECT_ANSWER(1, asked("bpf_strchr", 'b'));
  EXPECT_ANSWER(5, asked("bpf_strrchr", 'b'));
  EXPECT_ANSWER(-ENOENT, asked("bpf_strchr", 'x'));
  EXPECT_ANSWER(3, asked("bpf_strstr", -1));
  EXPECT_ANSWER(-1, asked("bpf_strcmp", -1));
  EXPECT_ANSWER(-ERANGE, asked("bpf_strcmp", 0));
}

}  // namespace
}  // namespace portolan::conformance
