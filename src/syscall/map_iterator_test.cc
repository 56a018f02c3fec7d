// SPDX-License-Identifier: Apache-2.0
// BPF_TRACE_ITER: what such programs may do with keys and values, and what reading an iterator gives.
#include <sys/wait.h>
#include <unistd.h>

#include "abi/prog_type.h"
#include "hook/iterator.h"
#include "sync/call_epoch.h"
#include "syscall/by_kernel_btf_for_test.h"
#include "vm/prepare.h"

namespace portolan::syscall::verdicts {
namespace {

constexpr std::int32_t kCurrentComm = 16, kSeqWrite = 127;
constexpr auto kIter = static_cast<std::uint32_t>(abi::AttachType::kTraceIter);

// R6 = the key, or the value, where there is one; else the program ends.
Code member(std::int16_t offset) { return {load(8, r6, r1, offset), if_not(r6, 0, 2), mov(r0, 0), kExit}; }
Code key() { return member(16); }
Code value() { return member(24); }
// R7 = meta->seq
Code seq_file() { return {load(8, r7, r1, 0), load(8, r7, r7, 0)}; }
// Writes `size` bytes of what R6 points to.
Code written(std::int32_t size) { return {move(r1, r7), move(r2, r6), mov(r3, size), ask(kSeqWrite)}; }

class MapIterators : public ByKernelBtf {
 protected:
  long load_program(const Code& code, std::string* log = nullptr,
                    const char* target = "bpf_iter_bpf_map_elem") {
    std::string text(1 << 16, '\0');
    const auto id = (*helper::kernel_btf(*runtime_))->find_by_name(target, btf::Kind::kFunc);
    EXPECT_TRUE(id);
    abi::Attr attr{};
    attr.prog_load.prog_type = static_cast<std::uint32_t>(abi::ProgType::kTracing);
    attr.prog_load.expected_attach_type = kIter;
    attr.prog_load.attach_btf_id = id.value_or(0);
    attr.prog_load.insns = address(code.data());
    attr.prog_load.insn_cnt = static_cast<std::uint32_t>(code.size());
    attr.prog_load.license = address("GPL");
    attr.prog_load.log_buf = address(text.data());
    attr.prog_load.log_size = static_cast<std::uint32_t>(text.size());
    attr.prog_load.log_level = 1;
    const long fd = call(kProgLoad, attr);
    text.resize(std::min(text.find("processed "), std::strlen(text.c_str())));
    if (!text.empty() && text.back() == '\n') text.pop_back();
    if (log != nullptr) *log = text.substr(text.rfind('\n') + 1);
    return fd;
  }
  void passes(const char* name, const Code& code) {
    std::string log;
    EXPECT_GE(load_program(code, &log), 0) << name << ": " << log;
  }
  void fails(const char* name, const Code& code, int error, const char* last_line) {
    std::string log;
    EXPECT_EQ(load_program(code, &log), -error) << name;
    EXPECT_EQ(log, last_line) << name;
  }

  long numbers(std::uint32_t count) {
    const long map = create({.type = abi::MapType::kArray, .max_entries = count});
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint64_t value = 'a' + i;
      EXPECT_EQ(element(kMapUpdateElem, map, &i, &value), 0);
    }
    return map;
  }
  long link(long program, long map) {
    abi::IterLinkInfo info{};
    info.map.map_fd = static_cast<std::uint32_t>(map);
    abi::Attr attr{};
    attr.link_create.prog_fd = static_cast<std::uint32_t>(program);
    attr.link_create.attach_type = kIter;
    attr.link_create.iter = {address(&info), sizeof info};
    return call(kLinkCreate, attr);
  }
  long iterator(long link_fd) {
    abi::Attr attr{};
    attr.iter_create.link_fd = static_cast<std::uint32_t>(link_fd);
    return call(kIterCreate, attr);
  }
  // As many bytes, or -errno.
  long read(long fd, void* to, std::size_t size) {
    const sync::CallEpoch epoch;
    const auto target = runtime_->target_of_fd(static_cast<int>(fd), object::Kind::kIterator);
    EXPECT_TRUE(target);
    const auto done = static_cast<hook::Iterator*>(target->view)->read(to, size);
    return done ? static_cast<long>(*done) : -done.error().value;
  }
  std::string text_of(long fd) {
    char text[64];
    const long size = read(fd, text, sizeof text);
    return size < 0 ? "error" : std::string(text, static_cast<std::size_t>(size));
  }
};

TEST_F(MapIterators, keys_are_read_and_values_written_once_they_are_known_to_be_there) {
  passes("a key", key() + Code{load(4, r0, r6, 0)} + kZero);
  passes("a value", value() + Code{mov(r1, 1), store(4, r6, 0, r1)} + kZero);
  passes("as memory of a helper", seq_file() + value() + written(8) + kZero);
  passes("spilled", value() + Code{store(8, r10, -8, r6), load(8, r7, r10, -8), load(8, r0, r7, 0)} + kZero);
  fails("an unknown one", Code{load(8, r6, r1, 16), load(4, r6, r6, 0)} + kZero, EACCES,
        "R6 invalid mem access 'rdonly_buf_or_null'");
  fails("a written key", key() + Code{store(4, r6, 0, r6)} + kZero, EACCES,
        "R6 cannot write into rdonly_buf");
  fails("a key that a helper writes", key() + Code{move(r1, r6), mov(r2, 16), ask(kCurrentComm)} + kZero,
        EACCES,
        "R1 type=rdonly_buf expected=fp, pkt, pkt_meta, map_key, map_value, mem, ringbuf_mem, buf, "
        "trusted_ptr_");
  fails("before it", value() + Code{load(8, r0, r6, -8)} + kZero, EACCES,
        "R6 invalid rdwr buffer access: off=-8, size=8");
  fails("one of four bytes", Code{load(4, r6, r1, 16)} + kZero, EACCES,
        "invalid bpf_context access off=16 size=4");
}

TEST_F(MapIterators, only_the_iterators_own_file_is_written_to) {
  const char* const other = "R1 is of type bpf_iter_meta but seq_file is expected";
  fails("its meta", Code{load(8, r7, r1, 0)} + value() + written(8) + kZero, EACCES, other);
  fails("a number", Code{mov(r7, 8)} + value() + written(8) + kZero, EACCES,
        "R1 type=scalar expected=ptr_, trusted_ptr_, rcu_ptr_");
  fails("inside of it", seq_file() + Code{add(r7, 8)} + value() + written(8) + kZero, EACCES,
        "R1 is of type seq_file but seq_file is expected");
}

TEST_F(MapIterators, a_program_is_run_for_each_element_by_either_engine) {
  const Code first_byte = seq_file() + value() + written(1) + kZero;
  for (const bool by_jit : {false, true}) {
    vm::set_jit_for_test(by_jit);
    const long fd = iterator(link(load_program(first_byte), numbers(5)));
    ASSERT_GE(fd, 0);
    EXPECT_EQ(text_of(fd), "abcde");
    EXPECT_EQ(text_of(fd), "");
  }
}

TEST_F(MapIterators, each_object_and_the_end_count_as_a_run) {
  const sync::CallEpoch epoch;
  const long program = load_program(seq_file() + value() + written(1) + kZero);
  const auto target = runtime_->target_of_fd(static_cast<int>(program), object::Kind::kProg);
  ASSERT_TRUE(target);
  const auto runs = [&] { return static_cast<verifier::Program*>(target->view)->run_counts().runs; };
  const long uncounted = iterator(link(program, numbers(5)));
  EXPECT_EQ(text_of(uncounted), "abcde");
  EXPECT_EQ(runs(), 0u);
  abi::Attr attr{};
  ASSERT_GE(call(kEnableStats, attr), 0);
  EXPECT_EQ(text_of(iterator(link(program, numbers(5)))), "abcde");
  EXPECT_EQ(runs(), 6u);
}

TEST_F(MapIterators, a_read_goes_on_where_the_last_one_ended) {
  const long fd = iterator(link(load_program(seq_file() + value() + written(1) + kZero), numbers(5)));
  char one;
  for (const char wanted : {'a', 'b', 'c', 'd', 'e'}) {
    ASSERT_EQ(read(fd, &one, 1), 1);
    EXPECT_EQ(one, wanted);
  }
  EXPECT_EQ(read(fd, &one, 1), 0);
}

TEST_F(MapIterators, what_could_not_be_copied_out_is_there_for_the_next_read) {
  const Cliff cliff;
  const long fd = iterator(link(load_program(seq_file() + value() + written(1) + kZero), numbers(3)));
  EXPECT_EQ(read(fd, cliff.last(1), 3), -EFAULT);
  EXPECT_EQ(text_of(fd), "abc");
}

TEST_F(MapIterators, elements_that_went_are_not_shown) {
  const long map = create({.type = abi::MapType::kHash, .max_entries = 8});
  for (std::uint32_t i = 0; i < 4; ++i) {
    const std::uint64_t number = 'a' + i;
    ASSERT_EQ(element(kMapUpdateElem, map, &i, &number), 0);
  }
  const long fd = iterator(link(load_program(seq_file() + value() + written(1) + kZero), map));
  char one;
  ASSERT_EQ(read(fd, &one, 1), 1);
  for (std::uint32_t i = 0; i < 4; ++i) ASSERT_EQ(element(kMapDeleteElem, map, &i, nullptr), 0);
  EXPECT_EQ(read(fd, &one, 1), 0);
}

TEST_F(MapIterators, a_program_that_looks_further_than_a_value_reaches_does_not_run_on_it) {
  const Code far = value() + Code{load(8, r0, r6, 8)} + kZero;
  EXPECT_EQ(link(load_program(far), numbers(2)), -EACCES);
  // The kernel does not look again when the link gets another program.
  const long near = link(load_program(value() + Code{load(8, r0, r6, 0)} + kZero), numbers(2));
  abi::Attr attr{};
  attr.link_update.link_fd = static_cast<std::uint32_t>(near);
  attr.link_update.new_prog_fd = static_cast<std::uint32_t>(load_program(far));
  ASSERT_EQ(call(kLinkUpdate, attr), 0);
  char one;
  EXPECT_EQ(read(iterator(near), &one, 1), -EACCES);
}

TEST_F(MapIterators, a_program_that_touches_a_buffer_is_not_reached_by_a_tail_call) {
  const long programs =
      create({.type = abi::MapType::kProgArray, .key_size = 4, .value_size = 4, .max_entries = 1});
  const Code caller{{0x18, regs(r2, 1), 0, static_cast<std::int32_t>(programs)},
                    kRest,
                    mov(r3, 0),
                    ask(kTailCall),
                    mov(r0, 0),
                    kExit};
  const Code from_stack =
      seq_file() + Code{put(r10, -8, 'y'), move(r6, r10), add(r6, -8)} + written(1) + kZero;
  const Code from_value = seq_file() + value() + written(1) + kZero;
  for (const bool by_jit : {false, true}) {
    vm::set_jit_for_test(by_jit);
    const auto text_through = [&](const Code& callee) {
      const std::uint32_t place = 0, program = static_cast<std::uint32_t>(load_program(callee));
      EXPECT_EQ(element(kMapUpdateElem, programs, &place, &program), 0);
      return text_of(iterator(link(load_program(caller), numbers(2))));
    };
    EXPECT_EQ(text_through(from_stack), "yyy");  // the end, too
    EXPECT_EQ(text_through(from_value), "");
    EXPECT_EQ(text_through(from_stack), "yyy");
  }
}

TEST_F(MapIterators, a_position_that_somebody_else_has_written_leads_nowhere) {
  const long fd = iterator(link(load_program(seq_file() + value() + written(1) + kZero), numbers(3)));
  const sync::CallEpoch epoch;
  const auto target = runtime_->target_of_fd(static_cast<int>(fd), object::Kind::kIterator);
  ASSERT_TRUE(target);
  // All behind the magic number and the lock, as far as the text.
  std::memset(target->view->payload().data() + 32, 0xff, 32);
  char bytes[64];
  EXPECT_EQ(read(fd, bytes, sizeof bytes), -EINVAL);
}

#ifdef PORTOLAN_SEAMS

TEST_F(MapIterators, a_reader_that_is_killed_at_any_store_leaves_the_rest_to_others) {
  const std::string all = "abcde";
  const long link_fd = link(load_program(seq_file() + value() + written(1) + kZero), numbers(5));
  for (std::uint64_t seam = 1; seam < 3000; ++seam) {
    SCOPED_TRACE(seam);
    const long fd = iterator(link_fd);
    char first;
    ASSERT_EQ(read(fd, &first, 1), 1);
    const pid_t child = ::fork();
    if (child == 0) {
      sync::kill_at_seam(seam);
      (void)text_of(fd);
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    const std::string rest = text_of(fd);
    EXPECT_TRUE(rest.empty() || rest == all.substr(1)) << rest;
    EXPECT_EQ(text_of(fd), "");
    EXPECT_EQ(text_of(iterator(link_fd)), all);
    if (WIFEXITED(status)) {
      EXPECT_GT(seam, 5u);  // else the seams were not there
      return;
    }
    if (HasFailure()) return;
  }
  ADD_FAILURE() << "never got through";
}

#endif

TEST_F(MapIterators, of_targets_that_need_a_kernel_nothing_is_made) {
  EXPECT_EQ(link(load_program(kZero, nullptr, "bpf_iter_task"), numbers(1)), -ENOENT);
}

}  // namespace
}  // namespace portolan::syscall::verdicts
