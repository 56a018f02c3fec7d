// SPDX-License-Identifier: Apache-2.0
// RINGBUF: what programs put in, what a consumer finds in the pages, and what the verifier asks of
// reservations.
#include <sys/mman.h>

#include "cases.h"
#include "program_types.h"

namespace portolan::conformance {
namespace {

constexpr std::uint32_t kXdp = 6, kPage = 4096;
constexpr std::int32_t kOutput = 130, kReserve = 131, kSubmit = 132, kDiscard = 133, kQuery = 134,
                       kLoop = 181, kTailCall = 12, kMapLookup = 1;
constexpr std::uint8_t kIfEqual = 0x15;
constexpr std::uint32_t kBusy = 1u << 31, kDiscarded = 1u << 30;

class RingBuffer : public Case {
 protected:
  int ring(std::uint32_t size = kPage) { return map({kRingbuf, 0, 0, size, 0}); }
  long try_map(int fd, std::size_t length, int protection, std::uint64_t offset, int flags = MAP_SHARED) {
    const long at = backend().mmap(length, protection, flags, fd, static_cast<std::uint32_t>(offset));
    if (at < 0 && at >= -4095) return at;
    backend().munmap(reinterpret_cast<void*>(at), length);
    return 0;
  }
  // The pages of a ring, as libbpf maps them.
  struct Pages {
    volatile std::uint64_t* consumer;
    const volatile std::uint64_t* producer;
    const std::byte* data;
  };
  Pages pages(int fd, std::size_t size = kPage) {
    const long first = map_pages(kPage, PROT_READ | PROT_WRITE, fd, 0),
               second = map_pages(kPage + 2 * size, PROT_READ, fd, kPage);
    return {reinterpret_cast<volatile std::uint64_t*>(first),
            reinterpret_cast<const volatile std::uint64_t*>(second),
            reinterpret_cast<const std::byte*>(second) + kPage};
  }
  long map_pages(std::size_t length, int protection, int fd, std::uint32_t offset) {
    const long at = backend().map_ring(length, protection, fd, offset);
    EXPECT_FALSE(at < 0 && at >= -4095) << result_text(at);
    return at;
  }
  static std::uint32_t word(const Pages& pages, std::size_t offset) {
    return load_unaligned<std::uint32_t>(pages.data + offset);
  }
  static Data bytes(const Pages& pages, std::size_t offset, std::size_t size) {
    return {pages.data + offset, pages.data + offset + size};
  }

  // Reserves `size` bytes, fills the first eight, and ends with `helper`; returns 1, or 0 without room.
  static std::vector<Bytecode::Insn> reserver(int fd, std::int32_t size, std::uint64_t value,
                                              std::int32_t helper, std::int32_t flags = 0) {
    Bytecode code;
    const int none = code.new_label();
    code.map(1, fd).set(2, size).set(3, 0).call(kReserve).jump(kIfEqual, 0, 0, none);
    if (size >= 8) code.set64(1, value).store(Bytecode::kDouble, 0, 0, 1);
    code.move(1, 0).set(2, flags).call(helper).set(0, 1).exit().here(none).set(0, 0).exit();
    return code.finish();
  }
  static std::vector<Bytecode::Insn> outputter(int fd, std::uint64_t value, std::int32_t size,
                                               std::int32_t flags = 0) {
    return Bytecode()
        .set64(1, value)
        .store(Bytecode::kDouble, 10, -8, 1)
        .map(1, fd)
        .move(2, 10)
        .add(2, -8)
        .set(3, size)
        .set(4, flags)
        .call(kOutput)
        .exit()
        .finish();
  }
  long query(int fd, std::int32_t what) {
    return run(program(kXdp, Bytecode().map(1, fd).set(2, what).call(kQuery).exit().finish()));
  }
};
ON_BOTH_BACKENDS(RingBuffer);

TEST_P(RingBuffer, what_may_be_created) {
  EXPECT_ANSWER(0, std::min(create({kRingbuf, 0, 0, kPage, 0}), 0l));
  EXPECT_ANSWER(0, std::min(create({kRingbuf, 0, 0, 64 * kPage, 0}), 0l));
  EXPECT_ANSWER(-EINVAL, create({kRingbuf, 0, 0, 0, 0}));
  EXPECT_ANSWER(-EINVAL, create({kRingbuf, 0, 0, kPage / 2, 0}));
  EXPECT_ANSWER(-EINVAL, create({kRingbuf, 0, 0, 3 * kPage, 0}));
  EXPECT_ANSWER(-EINVAL, create({kRingbuf, 0, 0, kPage + 1, 0}));
  EXPECT_ANSWER(-EINVAL, create({kRingbuf, 4, 0, kPage, 0}));
  EXPECT_ANSWER(-EINVAL, create({kRingbuf, 0, 8, kPage, 0}));
  for (const std::uint32_t flags : {kNoPrealloc, kReadOnly, kWriteOnly, kReadOnlyProg, kMmapable, kZeroSeed})
    EXPECT_ANSWER(-EINVAL, create({kRingbuf, 0, 0, kPage, flags}));
}

TEST_P(RingBuffer, has_no_elements) {
  const int fd = ring();
  Data value(8), following(8);
  Attr attr;
  attr.set(element::kMapFd, static_cast<std::uint64_t>(fd))
      .set(element::kValue, reinterpret_cast<std::uint64_t>(value.data()));
  EXPECT_ANSWER(-524, call(kLookup, attr, element::kSize));
  EXPECT_ANSWER(-524, call(kUpdate, attr, element::kSize));
  EXPECT_ANSWER(-524,
                call(kDelete, Attr().set(element::kMapFd, static_cast<std::uint64_t>(fd)), element::kSize));
  EXPECT_ANSWER(-524, call(kLookupAndDelete, attr, element::kSize));
  EXPECT_ANSWER(-524, next(fd, nullptr, &following));
  EXPECT_ANSWER(-EINVAL, lookup(fd, number32(0), &value));
  for (unsigned command : {kLookupBatch, kUpdateBatch, kDeleteBatch}) {
    Batch one;
    one.count = 1;
    one.keys = one.values = Data(8);
    EXPECT_ANSWER(-524, batch(command, fd, one));
  }
}

// By the preload library, where that is the backend.
TEST_P(RingBuffer, what_may_be_mapped) {
  if (!backend().maps_memory()) return;
  const int fd = ring(2 * kPage);
  EXPECT_ANSWER(0, try_map(fd, kPage, PROT_READ | PROT_WRITE, 0));
  EXPECT_ANSWER(0, try_map(fd, kPage, PROT_READ, 0));
  EXPECT_ANSWER(-EPERM, try_map(fd, 2 * kPage, PROT_READ | PROT_WRITE, 0));
  EXPECT_ANSWER(-EPERM, try_map(fd, kPage, PROT_READ | PROT_WRITE, kPage));
  EXPECT_ANSWER(0, try_map(fd, kPage, PROT_READ, kPage));
  EXPECT_ANSWER(0, try_map(fd, 5 * kPage, PROT_READ, kPage));
  EXPECT_ANSWER(0, try_map(fd, 6 * kPage, PROT_READ, 0));
  EXPECT_ANSWER(-EINVAL, try_map(fd, 6 * kPage, PROT_READ, kPage));
  EXPECT_ANSWER(-EINVAL, try_map(fd, kPage, PROT_READ, 6 * kPage));
  EXPECT_ANSWER(-EINVAL, try_map(fd, kPage, PROT_READ, 0, MAP_PRIVATE));
  // What was mapped to be read stays so.
  const long at = backend().mmap(kPage, PROT_READ, MAP_SHARED, fd, kPage);
  ASSERT_GT(at, 0);
  EXPECT_ANSWER(-EACCES, backend().mprotect(reinterpret_cast<void*>(at), kPage, PROT_READ | PROT_WRITE));
  backend().munmap(reinterpret_cast<void*>(at), kPage);
}

TEST_P(RingBuffer, records_lie_as_the_kernel_lays_them) {
  const int fd = ring();
  const Pages seen = pages(fd);
  EXPECT_EQ(0u, *seen.producer);
  EXPECT_ANSWER(1, run(program(kXdp, reserver(fd, 12, 0x1122334455667788, kSubmit))));
  EXPECT_EQ(24u, *seen.producer);
  EXPECT_EQ(12u, word(seen, 0));
  EXPECT_EQ(3u, word(seen, 4));
  EXPECT_EQ(number64(0x1122334455667788), bytes(seen, 8, 8));
  EXPECT_ANSWER(1, run(program(kXdp, reserver(fd, 8, 7, kDiscard))));
  EXPECT_EQ(40u, *seen.producer);
  EXPECT_EQ(8u | kDiscarded, word(seen, 24));
  EXPECT_ANSWER(0, run(program(kXdp, outputter(fd, 0xabcdef, 5))));
  EXPECT_EQ(56u, *seen.producer);
  EXPECT_EQ(5u, word(seen, 40));
  EXPECT_EQ(data({0xef, 0xcd, 0xab, 0, 0}), bytes(seen, 48, 5));
  EXPECT_EQ(0u, *seen.consumer);
  EXPECT_ANSWER(1, run(program(kXdp, reserver(fd, 0, 0, kSubmit))));
  EXPECT_EQ(64u, *seen.producer);
  EXPECT_EQ(0u, word(seen, 56));
}

TEST_P(RingBuffer, queries) {
  const int fd = ring(2 * kPage);
  const Pages seen = pages(fd, 2 * kPage);
  ASSERT_ANSWER(1, run(program(kXdp, reserver(fd, 100, 1, kSubmit))));
  *seen.consumer = 48;
  EXPECT_ANSWER(112 - 48, query(fd, 0));
  EXPECT_ANSWER(2 * kPage, query(fd, 1));
  EXPECT_ANSWER(48, query(fd, 2));
  EXPECT_ANSWER(112, query(fd, 3));
  EXPECT_ANSWER(0, query(fd, 4));
  EXPECT_ANSWER(0, query(fd, -1));
}

TEST_P(RingBuffer, a_full_ring_takes_no_more_until_it_is_read) {
  const int fd = ring();
  const Pages seen = pages(fd);
  const int big = program(kXdp, reserver(fd, 1000, 1, kSubmit)),
            small = program(kXdp, reserver(fd, 40, 2, kSubmit)), output = program(kXdp, outputter(fd, 3, 8));
  for (int i = 0; i < 4; ++i) EXPECT_ANSWER(1, run(big));
  EXPECT_ANSWER(0, run(big));
  EXPECT_ANSWER(1, run(small));
  EXPECT_EQ(4 * 1008u + 48, *seen.producer);
  EXPECT_ANSWER(-EAGAIN, static_cast<std::int32_t>(run(output)));
  *seen.consumer = 1008;
  EXPECT_ANSWER(0, run(output));
  EXPECT_ANSWER(0, run(program(kXdp, reserver(fd, 5000, 1, kSubmit))));
  EXPECT_ANSWER(0, run(program(kXdp, reserver(fd, 1 << 30, 1, kSubmit))));
}

TEST_P(RingBuffer, a_record_across_the_end_can_be_read_both_ways) {
  const int fd = ring();
  const Pages seen = pages(fd);
  const int big = program(kXdp, reserver(fd, 1000, 0x5555, kSubmit));
  for (int i = 0; i < 4; ++i) ASSERT_ANSWER(1, run(big));
  *seen.consumer = 4 * 1008;
  // 64 bytes are left: the header and 56 bytes lie before the end.
  Bytecode code;
  const int none = code.new_label();
  code.map(1, fd).set(2, 72).set(3, 0).call(kReserve).jump(kIfEqual, 0, 0, none);
  for (std::int32_t i = 0; i < 9; ++i) code.store_imm(Bytecode::kDouble, 0, 8 * i, i + 1);
  code.move(1, 0).set(2, 0).call(kSubmit).set(0, 1).exit().here(none).set(0, 0).exit();
  ASSERT_ANSWER(1, run(program(kXdp, code.finish())));
  EXPECT_EQ(72u, word(seen, 4032));
  for (std::uint64_t i = 0; i < 9; ++i) {
    EXPECT_EQ(number64(i + 1), bytes(seen, 4040 + 8 * i, 8));
    EXPECT_EQ(number64(i + 1), bytes(seen, (4040 + 8 * i) % kPage, 8));
  }
  EXPECT_EQ(4 * 1008u + 80, *seen.producer);
}

TEST_P(RingBuffer, flags_of_the_helpers) {
  const int fd = ring();
  EXPECT_ANSWER(-EINVAL, static_cast<std::int32_t>(run(program(kXdp, outputter(fd, 1, 8, 4)))));
  for (const std::int32_t flags : {1, 2, 3}) EXPECT_ANSWER(0, run(program(kXdp, outputter(fd, 1, 8, flags))));
  Bytecode code;  // reserve takes none
  const int none = code.new_label();
  code.map(1, fd).set(2, 8).set(3, 1).call(kReserve).jump(kIfEqual, 0, 0, none);
  code.move(1, 0).set(2, 0).call(kSubmit).set(0, 1).exit().here(none).set(0, 0).exit();
  EXPECT_ANSWER(0, run(program(kXdp, code.finish())));
}

// Two records at once, ended in the other order: the consumer sees none before the first is done.
TEST_P(RingBuffer, records_are_ended_in_any_order) {
  const int fd = ring(), spy = map({kArray, 4, 8, 1, 0});
  const Pages seen = pages(fd);
  Bytecode code;
  const int none = code.new_label(), one = code.new_label();
  code.map(1, fd).set(2, 8).set(3, 0).call(kReserve).jump(kIfEqual, 0, 0, none).move(6, 0);
  code.map(1, fd).set(2, 16).set(3, 0).call(kReserve).jump(kIfEqual, 0, 0, one).move(7, 0);
  code.store_imm(Bytecode::kDouble, 7, 8, 2).move(1, 7).set(2, 0).call(kSubmit);
  code.map(1, fd).set(2, 0).call(kQuery).map_value(1, spy).store(Bytecode::kDouble, 1, 0, 0);
  code.store_imm(Bytecode::kDouble, 6, 0, 1).move(1, 6).set(2, 0).call(kSubmit).set(0, 1).exit();
  code.here(one).move(1, 6).set(2, 0).call(kDiscard).here(none).set(0, 0).exit();
  ASSERT_ANSWER(1, run(program(kXdp, code.finish())));
  Data value(8);
  ASSERT_ANSWER(0, lookup(spy, number32(0), &value));
  EXPECT_EQ(number64(40), value);
  EXPECT_EQ(8u, word(seen, 0));
  EXPECT_EQ(16u, word(seen, 16));
}

TEST_P(RingBuffer, what_the_verifier_asks_of_reservations) {
  const int fd = ring(), array = map({kArray, 4, 8, 1, 0}), programs = map({kProgArray, 4, 4, 1, 0});
  struct Row {
    const char* what;
    long expected;
    std::function<void(Bytecode&)> body;  // r6 the context; a reservation of 8 bytes in r0, not looked at
  };
  const auto checked = [](Bytecode& code, const std::function<void()>& with) {
    const int some = code.new_label();
    code.jump(0x55, 0, 0, some).set(0, 0).exit().here(some);
    with();
  };
  const auto submit = [](Bytecode& code, int from) {
    code.move(1, from).set(2, 0).call(kSubmit).set(0, 0).exit();
  };
  const Row rows[] = {
      {"not looked at", -EACCES,
       [&](Bytecode& c) { c.store_imm(Bytecode::kDouble, 0, 0, 1).set(0, 0).exit(); }},
      {"never given back", -EINVAL, [&](Bytecode& c) { checked(c, [&] { c.set(0, 0).exit(); }); }},
      {"given back", 0, [&](Bytecode& c) { checked(c, [&] { submit(c, 0); }); }},
      {"null given back", -EACCES, [&](Bytecode& c) { submit(c, 0); }},
      {"given back twice", -EACCES,
       [&](Bytecode& c) {
         checked(c, [&] {
           c.move(7, 0)
               .move(1, 0)
               .set(2, 0)
               .call(kSubmit)
               .move(1, 7)
               .set(2, 0)
               .call(kSubmit)
               .set(0, 0)
               .exit();
         });
       }},
      {"used afterwards", -EACCES,
       [&](Bytecode& c) {
         checked(c, [&] {
           c.move(7, 0).move(1, 0).set(2, 0).call(kSubmit).load(Bytecode::kDouble, 0, 7, 0).exit();
         });
       }},
      {"beyond its end", -EACCES,
       [&](Bytecode& c) {
         checked(c, [&] {
           c.store_imm(Bytecode::kDouble, 0, 8, 1);
           submit(c, 0);
         });
       }},
      {"before its beginning", -EACCES,
       [&](Bytecode& c) {
         checked(c, [&] {
           c.store_imm(Bytecode::kByte, 0, -1, 1);
           submit(c, 0);
         });
       }},
      {"moved on, then given back", -EINVAL,
       [&](Bytecode& c) {
         checked(c, [&] {
           c.add(0, 4);
           submit(c, 0);
         });
       }},
      {"read", 0,
       [&](Bytecode& c) {
         checked(c, [&] {
           c.load(Bytecode::kWord, 7, 0, 4);
           submit(c, 0);
         });
       }},
      {"over the stack", 0,
       [&](Bytecode& c) {
         checked(c, [&] {
           c.store(Bytecode::kDouble, 10, -8, 0).set(0, 0).load(Bytecode::kDouble, 3, 10, -8);
           submit(c, 3);
         });
       }},
      {"something else given back", -EACCES,
       [&](Bytecode& c) {
         checked(c, [&] {
           c.move(7, 0).move(1, 10).add(1, -8).set(2, 0).call(kSubmit);
           submit(c, 7);
         });
       }},
      {"a value given back", -EACCES,
       [&](Bytecode& c) {
         checked(c, [&] {
           c.move(7, 0).map_value(1, array).set(2, 0).call(kSubmit);
           submit(c, 7);
         });
       }},
      {"a tail call with it", -EINVAL,
       [&](Bytecode& c) {
         checked(c, [&] {
           c.move(7, 0).move(1, 6).map(2, programs).set(3, 0).call(kTailCall);
           submit(c, 7);
         });
       }},
      {"as memory of a helper", 0,
       [&](Bytecode& c) {
         checked(c, [&] {
           c.store_imm(Bytecode::kDouble, 0, 0, 0).move(7, 0).map(1, array).move(2, 0).call(kMapLookup);
           submit(c, 7);
         });
       }},
      {"only on one path", -EINVAL,
       [&](Bytecode& c) {
         const int out = c.new_label();
         checked(c, [&] {
           c.move(7, 0)
               .load(Bytecode::kWord, 1, 6, 0)
               .load(Bytecode::kWord, 2, 6, 12)
               .jump(kIfEqual, 2, 5, out);
           submit(c, 7);
         });
         c.here(out).set(0, 0).exit();
       }},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    Bytecode code;
    code.move(6, 1).map(1, fd).set(2, 8).set(3, 0).call(kReserve);
    row.body(code);
    EXPECT_ANSWER(row.expected, std::min(load(kXdp, code.finish()), 0l));
  }
  // The size must be known.
  EXPECT_ANSWER(-EACCES, load(kXdp, Bytecode()
                                        .load(Bytecode::kWord, 2, 1, 12)
                                        .map(1, fd)
                                        .set(3, 0)
                                        .call(kReserve)
                                        .set(0, 0)
                                        .exit()
                                        .finish()));
  // Only ring buffers, and for nothing else.
  EXPECT_ANSWER(-EINVAL, load(kXdp, reserver(array, 8, 1, kSubmit)));
  Bytecode lookup;
  lookup.store_imm(Bytecode::kDouble, 10, -8, 0).map(1, fd).move(2, 10).add(2, -8).call(kMapLookup);
  EXPECT_ANSWER(-EACCES, load(kXdp, lookup.set(0, 0).exit().finish()));
}

TEST_P(RingBuffer, reservations_and_callbacks) {
  const int fd = ring();
  const auto btf = static_cast<std::uint32_t>(load_btf(program_types()));
  const auto with_callback = [&](bool outer_before, const std::function<void(Bytecode&)>& body) {
    Bytecode code;
    const int function = code.new_label(), none = code.new_label();
    code.set(7, 0).store(Bytecode::kDouble, 10, -8, 7);
    if (outer_before) {
      code.map(1, fd).set(2, 8).set(3, 0).call(kReserve).jump(kIfEqual, 0, 0, none).move(7, 0);
      code.store(Bytecode::kDouble, 10, -8, 0);
    }
    code.set(1, 2).function(2, function).move(3, 10).add(3, -8).set(4, 0).call(kLoop);
    if (outer_before) code.move(1, 7).set(2, 0).call(kSubmit);
    code.here(none).set(0, 0).exit();
    const auto start = static_cast<std::uint32_t>(code.size());
    code.here(function);
    body(code);
    const FuncInfo functions[] = {{0, kMainFunction}, {start, kStaticFunction}};
    return std::min(load(kXdp, code.finish(),
                         [&](Attr& attr) {
                           attr.set(load::kProgBtfFd, btf).set(load::kFuncInfoRecSize, sizeof(FuncInfo));
                           attr.set(load::kFuncInfo, reinterpret_cast<std::uint64_t>(functions))
                               .set(load::kFuncInfoCnt, 2);
                         }),
                    0l);
  };
  const auto nothing = [](Bytecode& c) { c.set(0, 0).exit(); };
  const auto whole = [&](Bytecode& c) {
    const int empty = c.new_label();
    c.map(1, fd).set(2, 8).set(3, 0).call(kReserve).jump(kIfEqual, 0, 0, empty);
    c.move(1, 0).set(2, 0).call(kSubmit).here(empty).set(0, 0).exit();
  };
  const auto leaks = [&](Bytecode& c) { c.map(1, fd).set(2, 8).set(3, 0).call(kReserve).set(0, 0).exit(); };
  EXPECT_ANSWER(0, with_callback(false, nothing));
  EXPECT_ANSWER(0, with_callback(false, whole));
  EXPECT_ANSWER(-EINVAL, with_callback(false, leaks));
  EXPECT_ANSWER(0, with_callback(true, nothing));
  EXPECT_ANSWER(0, with_callback(true, whole));
}

}  // namespace
}  // namespace portolan::conformance
