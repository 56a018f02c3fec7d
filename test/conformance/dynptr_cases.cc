// SPDX-License-Identifier: Apache-2.0
// Dynptrs and USER_RINGBUF: what the verifier asks of them, what helpers do, what is drained.
#include <sys/mman.h>

#include "base/sys.h"
#include "cases.h"
#include "program_types.h"

namespace portolan::conformance {
namespace {

constexpr std::uint32_t kXdp = 6, kPage = 4096;
constexpr std::int32_t kMapLookup = 1, kLoop = 181, kFromMem = 197, kReserve = 198, kSubmit = 199,
                       kDiscard = 200, kRead = 201, kWrite = 202, kData = 203, kDrain = 209,
                       kSubmitRecord = 132;
constexpr std::uint8_t kIfEqual = 0x15;
using Body = std::function<void(Bytecode&)>;

class Dynptr : public Case {
 protected:
  // r6: the context; a dynptr of the first 16 bytes of an array's value at fp - 16.
  Bytecode& local(Bytecode& code, int array, std::int32_t size = 16, std::int32_t flags = 0) {
    return code.move(6, 1).map_value(1, array).set(2, size).set(3, flags).move(4, 10).add(4, -16).call(
        kFromMem);
  }
  Bytecode& reserved(Bytecode& code, int ring, std::int32_t size = 16, std::int32_t flags = 0) {
    return code.move(6, 1).map(1, ring).set(2, size).set(3, flags).move(4, 10).add(4, -16).call(kReserve);
  }
  static Bytecode& end(Bytecode& code, std::int32_t helper = kSubmit, std::int32_t at = -16) {
    return code.move(1, 10).add(1, at).set(2, 0).call(helper);
  }
  long loads(const std::vector<Bytecode::Insn>& insns) { return std::min(load(kXdp, insns), 0l); }
  // The number that the program ends with, as an int.
  long result(Bytecode& code) {
    const long got = run(program(kXdp, code.exit().finish()));
    return got < 0 ? got : static_cast<std::int32_t>(got);
  }
};
ON_BOTH_BACKENDS(Dynptr);

TEST_P(Dynptr, of_memory) {
  const int array = map({kArray, 4, 64, 1, 0});
  const auto made = [&](std::int32_t size, std::int32_t flags) {
    Bytecode code;
    return result(local(code, array, size, flags));
  };
  EXPECT_ANSWER(0, made(16, 0));
  EXPECT_ANSWER(0, made(64, 0));
  EXPECT_ANSWER(0, made(0, 0));
  EXPECT_ANSWER(-EINVAL, made(16, 1));
}

TEST_P(Dynptr, reading_and_writing) {
  const int array = map({kArray, 4, 64, 1, 0});
  const struct {
    std::int32_t offset, size, flags;
    long expected;
  } rows[] = {{0, 8, 0, 0},       {8, 8, 0, 0},       {16, 0, 0, 0},     {9, 8, 0, -E2BIG},
              {17, 0, 0, -E2BIG}, {-1, 4, 0, -E2BIG}, {0, 8, 1, -EINVAL}};
  for (const auto& row : rows) {
    SCOPED_TRACE(row.offset);
    Bytecode reads;
    local(reads, array);
    reads.store_imm(Bytecode::kDouble, 10, -24, 7)
        .move(1, 10)
        .add(1, -24)
        .set(2, row.size)
        .move(3, 10)
        .add(3, -16);
    reads.set(4, row.offset).set(5, row.flags).call(kRead);
    EXPECT_ANSWER(row.expected, result(reads));
    Bytecode writes;
    local(writes, array);
    writes.store_imm(Bytecode::kDouble, 10, -24, 7).move(1, 10).add(1, -16).set(2, row.offset).move(3, 10);
    writes.add(3, -24).set(4, row.size).set(5, row.flags).call(kWrite);
    EXPECT_ANSWER(row.expected, result(writes));
  }
  Data value(64);
  EXPECT_ANSWER(0, lookup(array, number32(0), &value));
  EXPECT_EQ(7u, load_unaligned<std::uint64_t>(value.data()));
  EXPECT_EQ(7u, load_unaligned<std::uint64_t>(value.data() + 8));
  EXPECT_EQ(0u, load_unaligned<std::uint64_t>(value.data() + 16));
  // Of one that could not be made.
  Bytecode nothing;
  local(nothing, array, 16, 1);
  nothing.store_imm(Bytecode::kDouble, 10, -24, 7).move(1, 10).add(1, -24).set(2, 8).move(3, 10).add(3, -16);
  EXPECT_ANSWER(-EINVAL, result(nothing.set(4, 0).set(5, 0).call(kRead)));
}

TEST_P(Dynptr, a_slice_of_its_bytes) {
  const int array = map({kArray, 4, 64, 1, 0});
  const auto slice = [&](std::int32_t offset, std::int32_t size) {
    Bytecode code;
    const int none = code.new_label();
    local(code, array).move(1, 10).add(1, -16).set(2, offset).set(3, size).call(kData);
    code.jump(kIfEqual, 0, 0, none).store_imm(Bytecode::kWord, 0, 0, 0x1234).set(0, 1).here(none);
    return result(code);
  };
  EXPECT_ANSWER(1, slice(0, 8));
  EXPECT_ANSWER(1, slice(8, 8));
  EXPECT_ANSWER(0, slice(12, 8));
  EXPECT_ANSWER(0, slice(100, 8));
  Data value(64);
  EXPECT_ANSWER(0, lookup(array, number32(0), &value));
  EXPECT_EQ(0x1234u, load_unaligned<std::uint64_t>(value.data() + 8));
}

TEST_P(Dynptr, records) {
  const int ring = map({kRingbuf, 0, 0, kPage, 0});
  const auto with = [&](std::int32_t size, std::int32_t flags, std::int32_t helper) {
    Bytecode code;
    reserved(code, ring, size, flags).move(7, 0);
    return result(end(code, helper).move(0, 7));
  };
  EXPECT_ANSWER(0, with(16, 0, kSubmit));
  EXPECT_ANSWER(0, with(16, 0, kDiscard));
  EXPECT_ANSWER(-EINVAL, with(16, 1, kSubmit));
  EXPECT_ANSWER(-EINVAL, with(kPage, 0, kSubmit));
  EXPECT_ANSWER(-E2BIG, with(1 << 24, 0, kDiscard));
}

TEST_P(Dynptr, what_the_verifier_lets_pass) {
  const int array = map({kArray, 4, 64, 1, 0}), ring = map({kRingbuf, 0, 0, kPage, 0});
  const auto load8 = [](Bytecode& c, int to, std::int32_t at) { c.load(Bytecode::kDouble, to, 10, at); };
  const auto slice = [](Bytecode& c) { c.move(1, 10).add(1, -16).set(2, 0).set(3, 8).call(kData); };
  const struct Row {
    const char* what;
    long expected;
    Body body;
  } rows[] = {
      {"a record that is not given back", -EINVAL, [&](Bytecode& c) { reserved(c, ring); }},
      {"one that is", 0, [&](Bytecode& c) { reserved(c, ring), end(c); }},
      {"twice", -EINVAL, [&](Bytecode& c) { reserved(c, ring), end(c), end(c); }},
      {"submitted, then discarded", -EINVAL,
       [&](Bytecode& c) { reserved(c, ring), end(c), end(c, kDiscard); }},
      {"one of memory, given back", -EINVAL, [&](Bytecode& c) { local(c, array), end(c); }},
      {"what was never made", -EINVAL, [&](Bytecode& c) { c.set(1, 0), end(c); }},
      {"from its second half", -EINVAL, [&](Bytecode& c) { reserved(c, ring), end(c, kSubmit, -8); }},
      {"read by a load", -EACCES, [&](Bytecode& c) { local(c, array), load8(c, 0, -16); }},
      {"its second half read by a load", -EACCES, [&](Bytecode& c) { local(c, array), load8(c, 0, -8); }},
      {"one of memory, written over", 0,
       [&](Bytecode& c) { local(c, array).store_imm(Bytecode::kDouble, 10, -8, 0), load8(c, 0, -8); }},
      {"written over, then used", -EINVAL,
       [&](Bytecode& c) { local(c, array).store_imm(Bytecode::kDouble, 10, -8, 0), slice(c); }},
      {"a record, written over", -EINVAL,
       [&](Bytecode& c) { reserved(c, ring).store_imm(Bytecode::kDouble, 10, -8, 0), end(c); }},
      {"made again in the same place", 0, [&](Bytecode& c) { local(c, array), local(c.move(1, 6), array); }},
      {"made again half beside", 0,
       [&](Bytecode& c) {
         local(c, array).map_value(1, array).set(2, 8).set(3, 0).move(4, 10).add(4, -24).call(kFromMem);
       }},
      {"a record's place taken by another", -EINVAL,
       [&](Bytecode& c) { reserved(c, ring), reserved(c.move(1, 6), ring), end(c); }},
      {"not aligned", -EINVAL,
       [&](Bytecode& c) {
         c.map_value(1, array).set(2, 8).set(3, 0).move(4, 10).add(4, -20).call(kFromMem);
       }},
      {"half beyond the stack", -EINVAL,
       [&](Bytecode& c) { c.map_value(1, array).set(2, 8).set(3, 0).move(4, 10).add(4, -8).call(kFromMem); }},
      {"not on the stack", -EACCES,
       [&](Bytecode& c) { c.map_value(1, array).set(2, 8).set(3, 0).map_value(4, array).call(kFromMem); }},
      {"of memory on the stack", -EACCES,
       [&](Bytecode& c) {
         c.store_imm(Bytecode::kDouble, 10, -24, 0).move(1, 10).add(1, -24).set(2, 8).set(3, 0);
         c.move(4, 10).add(4, -16).call(kFromMem);
       }},
      {"of more than there is", -EACCES, [&](Bytecode& c) { local(c, array, 65); }},
      {"a slice that may be missing", -EACCES,
       [&](Bytecode& c) { local(c, array), slice(c), c.load(Bytecode::kDouble, 0, 0, 0); }},
      {"a slice", 0,
       [&](Bytecode& c) {
         const int none = c.new_label();
         local(c, array), slice(c), c.jump(kIfEqual, 0, 0, none).load(Bytecode::kDouble, 0, 0, 0).here(none);
       }},
      {"beyond a slice", -EACCES,
       [&](Bytecode& c) {
         const int none = c.new_label();
         local(c, array), slice(c), c.jump(kIfEqual, 0, 0, none).load(Bytecode::kDouble, 0, 0, 8).here(none);
       }},
      {"a slice of what was written over", -EACCES,
       [&](Bytecode& c) {
         const int none = c.new_label();
         local(c, array), slice(c), c.jump(kIfEqual, 0, 0, none).store_imm(Bytecode::kDouble, 10, -16, 0);
         c.load(Bytecode::kDouble, 0, 0, 0).here(none);
       }},
      {"a slice of what was given back", -EACCES,
       [&](Bytecode& c) {
         const int none = c.new_label();
         reserved(c, ring), slice(c), c.move(7, 0), end(c);
         c.jump(kIfEqual, 7, 0, none).load(Bytecode::kDouble, 0, 7, 0).here(none);
       }},
      {"a slice given back as a record", -EACCES,
       [&](Bytecode& c) {
         const int none = c.new_label();
         reserved(c, ring), slice(c), c.jump(kIfEqual, 0, 0, none).move(1, 0).set(2, 0).call(kSubmitRecord);
         c.here(none), end(c);
       }},
      {"a slice of a size that is not known", -EACCES,
       [&](Bytecode& c) {
         local(c, array).load(Bytecode::kWord, 3, 6, 12).move(1, 10).add(1, -16).set(2, 0).call(kData);
       }},
      {"its bytes, as a helper's memory", -EACCES,
       [&](Bytecode& c) { local(c, array).map(1, array).move(2, 10).add(2, -16).call(kMapLookup); }},
      {"its bytes, as what a helper writes", -EACCES,
       [&](Bytecode& c) {
         local(c, array).move(1, 10).add(1, -16).set(2, 8).move(3, 10).add(3, -16).set(4, 0).set(5, 0).call(
             kRead);
       }},
      {"made on one path only", -EINVAL,
       [&](Bytecode& c) {
         const int out = c.new_label();
         c.move(6, 1).load(Bytecode::kWord, 7, 1, 12).jump(kIfEqual, 7, 5, out).move(1, 6);
         local(c, array).here(out), slice(c);
       }},
      {"a map key at a place before it", 0,
       [&](Bytecode& c) {
         local(c, array).store_imm(Bytecode::kWord, 10, -20, 0).map(1, array).move(2, 10).add(2, -20);
         c.call(kMapLookup);
       }},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    Bytecode code;
    row.body(code);
    EXPECT_ANSWER(row.expected, loads(code.set(0, 0).exit().finish()));
  }
}

class UserRing : public Dynptr {
 protected:
  struct Pages {
    const volatile std::uint64_t* consumer;
    volatile std::uint64_t* producer;
    std::byte* data;
  };
  Pages pages(int fd, std::size_t size = kPage) {
    const long first = at(kPage, PROT_READ, fd, 0),
               second = at(kPage + 2 * size, PROT_READ | PROT_WRITE, fd, kPage);
    return {reinterpret_cast<const volatile std::uint64_t*>(first),
            reinterpret_cast<volatile std::uint64_t*>(second), reinterpret_cast<std::byte*>(second) + kPage};
  }
  long at(std::size_t length, int protection, int fd, std::uint32_t offset) {
    const long mapped = backend().maps_memory() ? backend().mmap(length, protection, MAP_SHARED, fd, offset)
                                                : sys::call(SYS_mmap, 0, static_cast<long>(length),
                                                            protection, MAP_SHARED, fd, offset);
    EXPECT_FALSE(mapped < 0 && mapped >= -4095) << result_text(mapped);
    return mapped;
  }
  // One record, as libbpf puts it there.
  static void put(const Pages& pages, std::uint32_t size, std::uint64_t value, std::uint32_t bits = 0) {
    const std::uint64_t position = *pages.producer;
    std::byte* const header = pages.data + (position & (kPage - 1));
    const std::uint32_t word = size | bits, zero = 0;
    std::memcpy(pages.data + ((position + 8) & (kPage - 1)), &value, sizeof value);
    std::memcpy(header + 4, &zero, 4);
    std::memcpy(header, &word, 4);
    *pages.producer = position + (size + 15) / 8 * 8;
  }
  // Drains; each record's first eight bytes are added to the first word of `sums`, and 1 to the second. The
  // callback's result is `more`.
  long drain(int ring, int sums, std::int32_t flags = 0, std::int32_t more = 0) {
    Bytecode code;
    const int function = code.new_label(), none = code.new_label();
    code.store_imm(Bytecode::kDouble, 10, -8, 0).map(1, ring).function(2, function).move(3, 10).add(3, -8);
    code.set(4, flags).call(kDrain).exit();
    const auto start = static_cast<std::uint32_t>(code.size());
    code.here(function).set(2, 0).set(3, 8).call(kData).jump(kIfEqual, 0, 0, none);
    code.load(Bytecode::kDouble, 6, 0, 0).map_value(7, sums).load(Bytecode::kDouble, 1, 7, 0);
    code.raw(0x0f, 1, 6, 0, 0).store(Bytecode::kDouble, 7, 0, 1).load(Bytecode::kDouble, 1, 7, 8).add(1, 1);
    code.store(Bytecode::kDouble, 7, 8, 1).here(none).set(0, more).exit();
    const long fd = load_with_callback(code, start);
    if (fd < 0) return fd;
    const long got = run(static_cast<int>(fd));
    return got < 0 ? got : static_cast<std::int32_t>(got);
  }
  long load_with_callback(Bytecode& code, std::uint32_t start) {
    const auto btf = static_cast<std::uint32_t>(load_btf(program_types()));
    const FuncInfo functions[] = {{0, kMainFunction}, {start, kStaticFunction}};
    return load(kXdp, code.finish(), [&](Attr& attr) {
      attr.set(load::kProgBtfFd, btf).set(load::kFuncInfoRecSize, sizeof(FuncInfo));
      attr.set(load::kFuncInfo, reinterpret_cast<std::uint64_t>(functions)).set(load::kFuncInfoCnt, 2);
    });
  }
  std::pair<std::uint64_t, std::uint64_t> sums_of(int sums) {
    Data value(16);
    EXPECT_ANSWER(0, lookup(sums, number32(0), &value));
    return {load_unaligned<std::uint64_t>(value.data()), load_unaligned<std::uint64_t>(value.data() + 8)};
  }
  using Sums = std::pair<std::uint64_t, std::uint64_t>;
};
ON_BOTH_BACKENDS(UserRing);

TEST_P(UserRing, what_may_be_created_and_asked) {
  EXPECT_ANSWER(0, std::min(create({kUserRingbuf, 0, 0, kPage, 0}), 0l));
  EXPECT_ANSWER(-EINVAL, create({kUserRingbuf, 0, 0, 0, 0}));
  EXPECT_ANSWER(-EINVAL, create({kUserRingbuf, 0, 0, 3 * kPage, 0}));
  EXPECT_ANSWER(-EINVAL, create({kUserRingbuf, 0, 0, kPage / 2, 0}));
  EXPECT_ANSWER(-EINVAL, create({kUserRingbuf, 4, 0, kPage, 0}));
  EXPECT_ANSWER(-EINVAL, create({kUserRingbuf, 0, 8, kPage, 0}));
  for (const std::uint32_t flags : {kNoPrealloc, kReadOnly, kWriteOnly, kReadOnlyProg, kMmapable, kZeroSeed})
    EXPECT_ANSWER(-EINVAL, create({kUserRingbuf, 0, 0, kPage, flags}));
  const int fd = map({kUserRingbuf, 0, 0, kPage, 0});
  Data value(8), following(8);
  Attr attr;
  attr.set(element::kMapFd, static_cast<std::uint64_t>(fd))
      .set(element::kValue, reinterpret_cast<std::uint64_t>(value.data()));
  EXPECT_ANSWER(-524, call(kLookup, attr, element::kSize));
  EXPECT_ANSWER(-524, call(kUpdate, attr, element::kSize));
  EXPECT_ANSWER(-524, call(kLookupAndDelete, attr, element::kSize));
  EXPECT_ANSWER(-524, next(fd, nullptr, &following));
}

// By the preload library, where that is the backend.
TEST_P(UserRing, what_may_be_mapped) {
  if (!backend().maps_memory()) return;
  const int fd = map({kUserRingbuf, 0, 0, kPage, 0});
  const auto mapped = [&](std::size_t length, int protection, std::uint32_t offset, int flags = MAP_SHARED) {
    const long where = backend().mmap(length, protection, flags, fd, offset);
    if (where < 0 && where >= -4095) return where;
    backend().munmap(reinterpret_cast<void*>(where), length);
    return 0l;
  };
  EXPECT_ANSWER(0, mapped(kPage, PROT_READ, 0));
  EXPECT_ANSWER(-EPERM, mapped(kPage, PROT_READ | PROT_WRITE, 0));
  EXPECT_ANSWER(0, mapped(3 * kPage, PROT_READ | PROT_WRITE, kPage));
  EXPECT_ANSWER(0, mapped(kPage, PROT_READ | PROT_WRITE, 2 * kPage));
  EXPECT_ANSWER(-EINVAL, mapped(4 * kPage, PROT_READ | PROT_WRITE, kPage));
}

TEST_P(UserRing, records_are_drained_in_order_and_once) {
  const int ring = map({kUserRingbuf, 0, 0, kPage, 0}), sums = map({kArray, 4, 16, 1, 0});
  const Pages at = pages(ring);
  EXPECT_ANSWER(0, drain(ring, sums));
  put(at, 8, 100);
  put(at, 8, 23);
  put(at, 20, 1000);
  EXPECT_ANSWER(3, drain(ring, sums));
  EXPECT_EQ((Sums{1123, 3}), sums_of(sums));
  EXPECT_EQ(*at.producer, *at.consumer);
  EXPECT_ANSWER(0, drain(ring, sums));
  put(at, 8, 1, 1u << 30);  // discarded
  put(at, 8, 2);
  put(at, 4, 4);            // too short for the slice
  put(at, 8, 8, 1u << 31);  // busy: it ends here
  put(at, 8, 16);
  EXPECT_ANSWER(2, drain(ring, sums));
  EXPECT_EQ((Sums{1125, 4}), sums_of(sums));
  EXPECT_EQ(*at.producer - 32, *at.consumer);
}

TEST_P(UserRing, a_callback_that_has_enough) {
  const int ring = map({kUserRingbuf, 0, 0, kPage, 0}), sums = map({kArray, 4, 16, 1, 0});
  const Pages at = pages(ring);
  for (std::uint64_t n = 1; n <= 5; ++n) put(at, 8, n);
  EXPECT_ANSWER(1, drain(ring, sums, 0, 1));
  EXPECT_ANSWER(1, drain(ring, sums, 1, 1));
  EXPECT_ANSWER(3, drain(ring, sums, 2));
  EXPECT_EQ((Sums{15, 5}), sums_of(sums));
  EXPECT_ANSWER(-EINVAL, drain(ring, sums, 4));
}

TEST_P(UserRing, nonsense_of_the_producer) {
  const int sums = map({kArray, 4, 16, 1, 0});
  const struct {
    std::uint64_t producer;
    std::uint32_t length;
    long expected;
  } rows[] = {{4, 8, -EINVAL},
              {16, 100, -EINVAL},
              {kPage * 2, kPage, -E2BIG},
              {1ull << 40, 8, 131072},
              {kPage, kPage - 8, 1},
              {8, 0, 1},
              {16, 0x3fffffff, -EINVAL},
              {1ull << 40, 0x01000000, -E2BIG}};
  for (const auto& row : rows) {
    SCOPED_TRACE(row.producer);
    const int ring = map({kUserRingbuf, 0, 0, kPage, 0});
    const Pages at = pages(ring);
    for (std::size_t offset = 0; offset < 2 * kPage; offset += 16) {
      const std::uint32_t words[4] = {8, 0, 0, 0};
      std::memcpy(at.data + offset, words, sizeof words);
    }
    std::memcpy(at.data, &row.length, 4);
    *at.producer = row.producer;
    EXPECT_ANSWER(row.expected, drain(ring, sums));
  }
}

TEST_P(UserRing, a_record_that_goes_on_beyond_the_end) {
  const int ring = map({kUserRingbuf, 0, 0, kPage, 0}), sums = map({kArray, 4, 16, 1, 0});
  const Pages at = pages(ring);
  std::uint64_t expected = 0;
  for (std::uint64_t n = 1; n <= 1000; ++n) {
    put(at, 8 + n % 64, n);
    expected += n;
    ASSERT_ANSWER(1, drain(ring, sums));
  }
  EXPECT_EQ((Sums{expected, 1000}), sums_of(sums));
}

TEST_P(UserRing, what_a_callback_may_do_with_the_record) {
  const int ring = map({kUserRingbuf, 0, 0, kPage, 0}), hash = map({kHash, 4, 8, 4, 0});
  const auto with_callback = [&](int map, const Body& body) {
    Bytecode code;
    const int function = code.new_label();
    code.store_imm(Bytecode::kDouble, 10, -8, 0).map(1, map).function(2, function).move(3, 10).add(3, -8);
    code.set(4, 0).call(kDrain).set(0, 0).exit();
    const auto start = static_cast<std::uint32_t>(code.size());
    code.here(function);
    body(code);
    code.exit();
    return std::min(load_with_callback(code, start), 0l);
  };
  EXPECT_ANSWER(0, with_callback(ring, [](Bytecode& c) { c.set(0, 0); }));
  EXPECT_ANSWER(-EINVAL, with_callback(hash, [](Bytecode& c) { c.set(0, 0); }));
  EXPECT_ANSWER(-EINVAL, with_callback(ring, [](Bytecode& c) { c.set(0, 2); }));
  EXPECT_ANSWER(-EACCES,
                with_callback(ring, [](Bytecode& c) { c.load(Bytecode::kDouble, 0, 1, 0).set(0, 0); }));
  EXPECT_ANSWER(-EINVAL, with_callback(ring, [](Bytecode& c) { c.set(2, 0).call(kSubmit).set(0, 0); }));
  EXPECT_ANSWER(-EINVAL, with_callback(ring, [](Bytecode& c) { c.set(2, 0).call(kDiscard).set(0, 0); }));
  EXPECT_ANSWER(0, with_callback(ring, [](Bytecode& c) {
                  c.move(3, 1).move(1, 10).add(1, -8).set(2, 8).set(4, 0).set(5, 0).call(kRead).set(0, 0);
                }));
  EXPECT_ANSWER(0, with_callback(ring, [](Bytecode& c) { c.load(Bytecode::kDouble, 1, 2, 0).set(0, 0); }));
}

}  // namespace
}  // namespace portolan::conformance
