// SPDX-License-Identifier: Apache-2.0
// Maps that hold objects: ARRAY_OF_MAPS, HASH_OF_MAPS, PROG_ARRAY.
#include "cases.h"
#include "program_types.h"

namespace portolan::conformance {
namespace {

constexpr std::uint32_t kSocketFilter = 1, kXdp = 6;
constexpr std::uint32_t kFlags = 0;  // nothing special
constexpr std::int32_t kMapLookup = 1, kMapUpdate = 2, kTailCall = 12;
constexpr std::uint8_t kIfEqual = 0x15;

class Referring : public Case {
 protected:
  long create_outer(std::uint32_t type, int inner, MapSpec spec = {}) {
    spec.type = type;
    spec.key_size = 4;
    spec.value_size = 4;
    return create(spec,
                  [inner](Attr& attr) { attr.set(create::kInnerMapFd, static_cast<std::uint64_t>(inner)); });
  }
  int outer(std::uint32_t type, int inner, std::uint32_t entries = 4) {
    const long fd = create_outer(type, inner, {0, 4, 4, entries, kFlags});
    EXPECT_GE(fd, 0) << result_text(fd);
    return static_cast<int>(fd);
  }
  long put(int fd, std::uint32_t key, int value, std::uint64_t flags = 0) {
    return update(fd, number32(key), number32(static_cast<std::uint32_t>(value)), flags);
  }
  // What the map says is there: an id, or -errno.
  long held(int fd, std::uint32_t key) {
    Data value(4);
    const long found = lookup(fd, number32(key), &value);
    return found < 0 ? found : static_cast<long>(load_unaligned<std::uint32_t>(value.data()));
  }
  // r0 = the element `key` of `fd`, which is a map for those of maps; key at r10 - 4.
  static Bytecode& look_up(Bytecode& code, int fd, std::int32_t key) {
    return code.store_imm(Bytecode::kWord, 10, -4, key).map(1, fd).move(2, 10).add(2, -4).call(kMapLookup);
  }
  // Returns the first word of element 0 of the map that is element `key` of `fd`; 77 or 78 if there is none.
  static std::vector<Bytecode::Insn> reader(int fd, std::int32_t key) {
    Bytecode code;
    const int no_map = code.new_label(), no_value = code.new_label();
    look_up(code, fd, key).jump(kIfEqual, 0, 0, no_map).move(1, 0);
    code.store_imm(Bytecode::kWord, 10, -4, 0).move(2, 10).add(2, -4).call(kMapLookup);
    code.jump(kIfEqual, 0, 0, no_value).load(Bytecode::kWord, 0, 0, 0).exit();
    code.here(no_map).set(0, 77).exit().here(no_value).set(0, 78).exit();
    return code.finish();
  }
};
ON_BOTH_BACKENDS(Referring);

TEST_P(Referring, maps_of_maps_that_may_be_created) {
  const int array = map({kArray, 4, 8, 2, 0}), hash = map({kHash, 4, 8, 2, 0});
  for (const std::uint32_t type : {kArrayOfMaps, kHashOfMaps}) {
    SCOPED_TRACE(map_type_name(type));
    const bool is_hash = type == kHashOfMaps;
    EXPECT_ANSWER(0, std::min(create_outer(type, array), 0l));
    EXPECT_ANSWER(0, std::min(create_outer(type, hash), 0l));
    EXPECT_ANSWER(-EINVAL, create_outer(type, outer(type, array)));
    EXPECT_ANSWER(-EBADF, create_outer(type, -1));
    EXPECT_ANSWER(-EBADF, create_outer(type, 19000));
    EXPECT_ANSWER(-EINVAL, create_outer(type, types_btf()));
    EXPECT_ANSWER(-524, create_outer(type, map({kProgArray, 4, 4, 2, 0})));
    EXPECT_ANSWER(0, std::min(create_outer(type, map({kQueue, 0, 4, 2, 0})), 0l));
    const auto with = [&](const MapSpec& spec) {
      return std::min(
          create(spec,
                 [array](Attr& attr) { attr.set(create::kInnerMapFd, static_cast<std::uint64_t>(array)); }),
          0l);
    };
    EXPECT_ANSWER(-EINVAL, with({type, 4, 8, 4, 0}));
    EXPECT_ANSWER(-EINVAL, with({type, 4, 4, 0, 0}));
    EXPECT_ANSWER(is_hash ? 0 : -EINVAL, with({type, 8, 4, 4, 0}));
    EXPECT_ANSWER(is_hash ? 0 : -EINVAL, with({type, 4, 4, 4, kNoPrealloc}));
    EXPECT_ANSWER(is_hash ? 0 : -EINVAL, with({type, 4, 4, 4, kReadOnlyProg}));
    EXPECT_ANSWER(is_hash ? 0 : -EINVAL, with({type, 4, 4, 4, kWriteOnlyProg}));
    EXPECT_ANSWER(0, with({type, 4, 4, 4, kReadOnly}));
    EXPECT_ANSWER(-EINVAL, with({type, 4, 4, 4, kMmapable}));
    EXPECT_ANSWER(-EINVAL, with({type, 4, 4, 4, kInnerMap}));
  }
}

TEST_P(Referring, maps_of_maps_have_no_types) {
  const int inner = map({kArray, 4, 8, 2, 0});
  const auto btf = static_cast<std::uint32_t>(types_btf());
  for (const std::uint32_t type : {kArrayOfMaps, kHashOfMaps})
    EXPECT_ANSWER(-524, create({type, 4, 4, 4, 0}, [&](Attr& attr) {
      attr.set(create::kInnerMapFd, static_cast<std::uint64_t>(inner)).set(create::kBtfFd, btf);
      attr.set(create::kBtfKeyTypeId, kU32).set(create::kBtfValueTypeId, kU32);
    }));
}

TEST_P(Referring, fds_go_in_and_ids_come_out) {
  const int first = map({kArray, 4, 8, 2, 0}), second = map({kArray, 4, 8, 2, 0});
  for (const std::uint32_t type : {kArrayOfMaps, kHashOfMaps}) {
    SCOPED_TRACE(map_type_name(type));
    const bool is_hash = type == kHashOfMaps;
    const int fd = outer(type, first);
    EXPECT_ANSWER(-ENOENT, held(fd, 1));
    EXPECT_ANSWER(0, put(fd, 1, first));
    EXPECT_ANSWER(id(first), held(fd, 1));
    EXPECT_ANSWER(0, put(fd, 1, second));
    EXPECT_ANSWER(id(second), held(fd, 1));
    EXPECT_ANSWER(-EBADF, put(fd, 1, -1));
    EXPECT_ANSWER(-EBADF, put(fd, 1, 19000));
    EXPECT_ANSWER(-EINVAL, put(fd, 1, types_btf()));
    EXPECT_ANSWER(id(second), held(fd, 1));
    EXPECT_ANSWER(is_hash ? -EEXIST : -EINVAL, put(fd, 1, first, kNoExist));
    EXPECT_ANSWER(is_hash ? 0 : -EINVAL, put(fd, 1, first, kExist));
    EXPECT_ANSWER(is_hash ? -ENOENT : -EINVAL, put(fd, 2, first, kExist));
    EXPECT_ANSWER(-EINVAL, put(fd, 2, first, 3));
    EXPECT_ANSWER(-EINVAL, put(fd, 2, first, kLock));
    EXPECT_ANSWER(is_hash ? -EBADF : -EINVAL, put(fd, 2, -1, kExist));
    EXPECT_ANSWER(is_hash ? 0 : -E2BIG, put(fd, 4, first));
    Data value(4), following(4);
    EXPECT_ANSWER(-524, take(fd, number32(4), &value));
    EXPECT_ANSWER(0, erase(fd, number32(1)));
    EXPECT_ANSWER(-ENOENT, erase(fd, number32(1)));
    EXPECT_ANSWER(is_hash ? 0 : -E2BIG, erase(fd, number32(4)));
    EXPECT_ANSWER(is_hash ? -ENOENT : 0, next(fd, nullptr, &following));
  }
}

TEST_P(Referring, inner_maps_are_like_the_example) {
  const int example = map({kHash, 4, 8, 16, 0});
  const int fd = outer(kArrayOfMaps, example);
  EXPECT_ANSWER(0, put(fd, 0, map({kHash, 4, 8, 3, 0})));
  EXPECT_ANSWER(-EINVAL, put(fd, 0, map({kHash, 8, 8, 16, 0})));
  EXPECT_ANSWER(-EINVAL, put(fd, 0, map({kHash, 4, 4, 16, 0})));
  EXPECT_ANSWER(-EINVAL, put(fd, 0, map({kHash, 4, 8, 16, kNoPrealloc})));
  EXPECT_ANSWER(-EINVAL, put(fd, 0, map({kArray, 4, 8, 16, 0})));
  EXPECT_ANSWER(-EINVAL, put(fd, 0, map({kProgArray, 4, 4, 16, 0})));
  EXPECT_ANSWER(-EINVAL, put(fd, 0, fd));
  const int arrays = outer(kHashOfMaps, map({kArray, 4, 8, 16, 0}));
  EXPECT_ANSWER(0, put(arrays, 0, map({kArray, 4, 8, 16, 0})));
  EXPECT_ANSWER(-EINVAL, put(arrays, 0, map({kArray, 4, 8, 15, 0})));
  EXPECT_ANSWER(-EINVAL, put(arrays, 0, map({kArray, 4, 8, 16, kInnerMap})));
  const int any_size = outer(kArrayOfMaps, map({kArray, 4, 8, 16, kInnerMap}));
  EXPECT_ANSWER(0, put(any_size, 0, map({kArray, 4, 8, 7, kInnerMap})));
  EXPECT_ANSWER(-EINVAL, put(any_size, 0, map({kArray, 4, 8, 16, 0})));
  const auto btf = static_cast<std::uint32_t>(types_btf());
  const auto locked = [&](std::uint32_t value) {
    return keep(create({kHash, 4, 16, 3, 0}, [&](Attr& attr) {
      attr.set(create::kBtfFd, btf).set(create::kBtfKeyTypeId, kU32).set(create::kBtfValueTypeId, value);
    }));
  };
  const int with_locks = outer(kArrayOfMaps, locked(kLockedValue));
  EXPECT_ANSWER(0, put(with_locks, 0, locked(kLockedValue)));
  EXPECT_ANSWER(-EINVAL, put(with_locks, 0, locked(kLateLock)));
  EXPECT_ANSWER(-EINVAL, put(with_locks, 0, map({kHash, 4, 16, 3, 0})));
}

TEST_P(Referring, the_outer_map_keeps_its_maps_alive) {
  for (const std::uint32_t type : {kArrayOfMaps, kHashOfMaps}) {
    SCOPED_TRACE(map_type_name(type));
    const auto inner = static_cast<int>(create({kArray, 4, 8, 2, 0}));
    const std::uint32_t inner_id = id(inner);
    const int fd = outer(type, inner);
    const auto is_there = [&] {
      const long found = call(kMapGetFdById, Attr().set(by_id::kId, inner_id));
      if (found >= 0) backend().close(static_cast<int>(found));
      return std::min(found, 0l);
    };
    ASSERT_ANSWER(0, put(fd, 0, inner));
    ASSERT_ANSWER(0, put(fd, 3, inner));
    backend().close(inner);
    EXPECT_ANSWER(0, is_there());
    EXPECT_ANSWER(0, erase(fd, number32(0)));
    EXPECT_ANSWER(0, is_there());
    EXPECT_ANSWER(inner_id, held(fd, 3));
  }
}

TEST_P(Referring, a_hash_of_maps_has_exactly_its_entries) {
  const int inner = map({kArray, 4, 8, 2, 0});
  const int fd = outer(kHashOfMaps, inner, 3);
  for (std::uint32_t round = 0; round < 4; ++round) {
    for (std::uint32_t key = 0; key < 3; ++key) ASSERT_ANSWER(0, put(fd, key + round, inner));
    EXPECT_ANSWER(-E2BIG, put(fd, 100, inner));
    EXPECT_ANSWER(0, put(fd, round, inner));
    for (std::uint32_t key = 0; key < 3; ++key) ASSERT_ANSWER(0, erase(fd, number32(key + round)));
  }
}

TEST_P(Referring, batches_of_ids) {
  const int inner = map({kArray, 4, 8, 2, 0});
  const std::uint32_t number = id(inner);
  for (const std::uint32_t type : {kArrayOfMaps, kHashOfMaps}) {
    SCOPED_TRACE(map_type_name(type));
    const int fd = outer(type, inner, 3);
    const auto inner_fd = static_cast<std::uint32_t>(inner);
    Batch in;
    in.keys = joined({number32(0), number32(2)});
    in.values = joined({number32(inner_fd), number32(inner_fd)});
    in.count = 2;
    EXPECT_ANSWER(0, batch(kUpdateBatch, fd, in));
    EXPECT_EQ(2u, in.count);
    EXPECT_ANSWER(number, held(fd, 2));
    Batch out;
    out.keys = out.values = Data(12);
    out.count = 3;
    EXPECT_ANSWER(-ENOENT, batch(kLookupBatch, fd, out));
    EXPECT_EQ(2u, out.count);
    EXPECT_EQ(joined({number32(number), number32(number), number32(0)}), out.values);
    Batch bad;
    bad.keys = number32(1);
    bad.values = number32(19000);
    bad.count = 1;
    EXPECT_ANSWER(-EBADF, batch(kUpdateBatch, fd, bad));
    EXPECT_EQ(0u, bad.count);
    Batch gone;
    gone.keys = number32(0);
    gone.count = 1;
    EXPECT_ANSWER(type == kHashOfMaps ? 0 : -524, batch(kDeleteBatch, fd, gone));
  }
}

TEST_P(Referring, programs_reach_inner_maps) {
  for (const std::uint32_t type : {kArrayOfMaps, kHashOfMaps}) {
    SCOPED_TRACE(map_type_name(type));
    const int one = map({kHash, 4, 8, 2, 0}), two = map({kHash, 4, 8, 2, 0}),
              empty = map({kHash, 4, 8, 2, 0});
    const int fd = outer(type, one);
    ASSERT_ANSWER(0, update(one, number32(0), number64(111)));
    ASSERT_ANSWER(0, update(two, number32(0), number64(222)));
    const int reads = program(kXdp, reader(fd, 1));
    EXPECT_ANSWER(77, run(reads));
    ASSERT_ANSWER(0, put(fd, 1, one));
    EXPECT_ANSWER(111, run(reads));
    ASSERT_ANSWER(0, put(fd, 1, two));
    EXPECT_ANSWER(222, run(reads));
    ASSERT_ANSWER(0, put(fd, 1, empty));
    EXPECT_ANSWER(78, run(reads));
    ASSERT_ANSWER(0, erase(fd, number32(1)));
    EXPECT_ANSWER(77, run(reads));
    const int outside = program(kXdp, reader(fd, 9));
    EXPECT_ANSWER(77, run(outside));
  }
}

TEST_P(Referring, what_programs_may_not_do_to_maps_of_maps) {
  const int inner = map({kHash, 4, 8, 2, 0});
  const int fd = outer(kArrayOfMaps, inner);
  {
    Bytecode code;  // an update
    code.store_imm(Bytecode::kWord, 10, -4, 0).map(1, fd).move(2, 10).add(2, -4).move(3, 2).set(4, 0);
    EXPECT_ANSWER(-EINVAL, load(kXdp, code.call(kMapUpdate).set(0, 0).exit().finish()));
  }
  {
    Bytecode code;  // no look whether there is a map
    look_up(code, fd, 0).move(1, 0).move(2, 10).add(2, -4).call(kMapLookup).set(0, 0).exit();
    EXPECT_ANSWER(-EACCES, load(kXdp, code.finish()));
  }
  {
    Bytecode code;  // a value beyond the inner map's
    const int none = code.new_label();
    look_up(code, fd, 0).jump(kIfEqual, 0, 0, none).move(1, 0).move(2, 10).add(2, -4).call(kMapLookup);
    code.jump(kIfEqual, 0, 0, none).load(Bytecode::kDouble, 0, 0, 8).here(none).set(0, 0).exit();
    EXPECT_ANSWER(-EACCES, load(kXdp, code.finish()));
  }
}

class ProgArray : public Referring {
 protected:
  // Tail call to element `index` of `fd`; R0 after one that fails is `otherwise`.
  static std::vector<Bytecode::Insn> caller(int fd, std::int32_t index, std::int32_t otherwise) {
    return Bytecode().map(2, fd).set(3, index).call(kTailCall).set(0, otherwise).exit().finish();
  }
  static std::vector<Bytecode::Insn> constant(std::int32_t value) {
    return Bytecode().set(0, value).exit().finish();
  }
  // One with a function at `start`.
  long load_two(const std::vector<Bytecode::Insn>& insns, std::uint32_t start) {
    const auto btf = static_cast<std::uint32_t>(load_btf(program_types()));
    const FuncInfo functions[] = {{0, kMainFunction}, {start, kStaticFunction}};
    return load(kXdp, insns, [&](Attr& attr) {
      attr.set(load::kProgBtfFd, btf).set(load::kFuncInfoRecSize, sizeof(FuncInfo));
      attr.set(load::kFuncInfo, reinterpret_cast<std::uint64_t>(functions)).set(load::kFuncInfoCnt, 2);
    });
  }
  int array(std::uint32_t entries = 4) { return map({kProgArray, 4, 4, entries, 0}); }
  std::uint32_t program_id(int fd) {
    Data details(64);
    Attr attr;
    attr.set(info::kBpfFd, static_cast<std::uint64_t>(fd)).set(info::kInfoLen, details.size());
    attr.set(info::kInfo, reinterpret_cast<std::uint64_t>(details.data()));
    EXPECT_ANSWER(0, call(kObjGetInfo, attr, info::kSize));
    return load_unaligned<std::uint32_t>(details.data() + 4);
  }
};
ON_BOTH_BACKENDS(ProgArray);

TEST_P(ProgArray, what_may_be_created_and_put_in) {
  EXPECT_ANSWER(-EINVAL, create({kProgArray, 4, 8, 4, 0}));
  EXPECT_ANSWER(-EINVAL, create({kProgArray, 8, 4, 4, 0}));
  EXPECT_ANSWER(-EINVAL, create({kProgArray, 4, 4, 0, 0}));
  EXPECT_ANSWER(-EINVAL, create({kProgArray, 4, 4, 4, kNoPrealloc}));
  EXPECT_ANSWER(-EINVAL, create({kProgArray, 4, 4, 4, kReadOnlyProg}));
  const int fd = array(), other = array();
  const int returns_7 = program(kXdp, constant(7));
  EXPECT_ANSWER(-ENOENT, held(fd, 0));
  EXPECT_ANSWER(0, put(fd, 0, returns_7));
  EXPECT_ANSWER(program_id(returns_7), held(fd, 0));
  EXPECT_ANSWER(-E2BIG, put(fd, 4, returns_7));
  EXPECT_ANSWER(-EINVAL, put(fd, 0, returns_7, kNoExist));
  EXPECT_ANSWER(-EINVAL, put(fd, 0, returns_7, kExist));
  EXPECT_ANSWER(-EBADF, put(fd, 0, 19000));
  EXPECT_ANSWER(-EINVAL, put(fd, 0, other));
  Data value(4), following(4);
  EXPECT_ANSWER(-524, take(fd, number32(0), &value));
  EXPECT_ANSWER(0, next(fd, nullptr, &following));
  EXPECT_ANSWER(-E2BIG, erase(fd, number32(4)));
  EXPECT_ANSWER(-ENOENT, erase(fd, number32(1)));
  EXPECT_ANSWER(0, erase(fd, number32(0)));
  for (unsigned command : {kLookupBatch, kLookupAndDeleteBatch, kUpdateBatch, kDeleteBatch}) {
    Batch one;
    one.count = 1;
    one.keys = one.values = Data(8);
    EXPECT_ANSWER(-524, batch(command, fd, one));
  }
}

TEST_P(ProgArray, its_programs_are_of_one_kind) {
  const int fd = array();
  const int xdp = program(kXdp, constant(1)), filter = program(kSocketFilter, constant(1));
  const auto with = [&](std::uint64_t attach_type, std::uint64_t flags) {
    return static_cast<int>(load(kXdp, constant(1), [&](Attr& attr) {
      attr.set(load::kAttachType, attach_type).set(load::kProgFlags, flags);
    }));
  };
  constexpr std::uint64_t kXdpAttach = 37, kXdpDevmap = 33, kHasFrags = 32;
  EXPECT_ANSWER(0, put(fd, 0, xdp));
  EXPECT_ANSWER(-EINVAL, put(fd, 1, filter));
  EXPECT_ANSWER(-EINVAL, put(fd, 1, with(0, kHasFrags)));
  EXPECT_ANSWER(-EINVAL, put(fd, 1, with(kXdpDevmap, 0)));
  EXPECT_ANSWER(-EINVAL, put(fd, 1, with(kXdpAttach, 0)));
  EXPECT_ANSWER(0, put(fd, 1, with(0, 0)));
  EXPECT_ANSWER(0, erase(fd, number32(0)));
  EXPECT_ANSWER(0, erase(fd, number32(1)));
  EXPECT_ANSWER(-EINVAL, put(fd, 1, filter));
  EXPECT_ANSWER(-EINVAL, load(kSocketFilter, caller(fd, 0, 1)));
  // A program that uses it decides, too; one that is not let through does not.
  const int used = array(), refused = array();
  EXPECT_ANSWER(0, std::min(load(kSocketFilter, caller(used, 0, 1)), 0l));
  EXPECT_ANSWER(-EINVAL, put(used, 0, xdp));
  EXPECT_ANSWER(-EACCES,
                load(kSocketFilter, Bytecode().map(2, refused).set(3, 0).call(kTailCall).exit().finish()));
  EXPECT_ANSWER(0, put(refused, 0, xdp));
}

// Which maps a program that may sleep can use.
TEST_P(ProgArray, maps_of_sleepable_programs) {
  constexpr std::uint32_t kSyscall = 31, kSleepable = 16;
  const int inner = map({kArray, 4, 8, 2, 0});
  const struct {
    int fd;
    bool may;
  } rows[] = {{map({kHash, 4, 8, 2, 0}), true},
              {inner, true},
              {map({kPerCpuHash, 4, 8, 2, 0}), true},
              {map({kPerCpuArray, 4, 8, 2, 0}), true},
              {outer(kArrayOfMaps, inner), true},
              {outer(kHashOfMaps, inner), true},
              {map({kQueue, 0, 8, 2, 0}), true},
              {map({kStack, 0, 8, 2, 0}), true},
              {map({kRingbuf, 0, 0, 4096, 0}), true},
              {map({kBloomFilter, 0, 8, 2, 0}), false},
              {array(), false}};
  for (const auto& row : rows) {
    SCOPED_TRACE(&row - rows);
    const auto insns = Bytecode().map(1, row.fd).set(0, 0).exit().finish();
    EXPECT_ANSWER(
        row.may ? 0 : -EINVAL,
        std::min(load(kSyscall, insns, [](Attr& attr) { attr.set(load::kProgFlags, kSleepable); }), 0l));
  }
}

TEST_P(ProgArray, tail_calls_go_on_in_the_other_program) {
  const int fd = array();
  const int calls = program(kXdp, caller(fd, 1, 100)), beyond = program(kXdp, caller(fd, 4, 101)),
            negative = program(kXdp, caller(fd, -1, 102));
  EXPECT_ANSWER(100, run(calls));
  ASSERT_ANSWER(0, put(fd, 1, program(kXdp, constant(7))));
  EXPECT_ANSWER(7, run(calls));
  EXPECT_ANSWER(101, run(beyond));
  EXPECT_ANSWER(102, run(negative));
  ASSERT_ANSWER(0, put(fd, 1, program(kXdp, constant(8))));
  EXPECT_ANSWER(8, run(calls));
  ASSERT_ANSWER(0, erase(fd, number32(1)));
  EXPECT_ANSWER(100, run(calls));
}

TEST_P(ProgArray, a_tail_call_of_one_place_or_another) {
  const int fd = array(), choice = map({kArray, 4, 8, 1, 0});
  Bytecode code;
  const int call = code.new_label();
  code.move(6, 1).map_value(1, choice).load(Bytecode::kDouble, 7, 1, 0).move(1, 6).map(2, fd);
  code.set(3, 1).jump(kIfEqual, 7, 0, call).set(3, 2).here(call).call(kTailCall).set(0, 100).exit();
  const int calls = program(kXdp, code.finish());
  ASSERT_ANSWER(0, put(fd, 1, program(kXdp, constant(7))));
  ASSERT_ANSWER(0, put(fd, 2, program(kXdp, constant(8))));
  EXPECT_ANSWER(7, run(calls));
  ASSERT_ANSWER(0, update(choice, number32(0), number64(1)));
  EXPECT_ANSWER(8, run(calls));
}

// A program that counts in a map and goes on as itself.
TEST_P(ProgArray, thirty_three_tail_calls_and_no_more) {
  const int fd = array(), count = map({kArray, 4, 8, 1, 0});
  Bytecode code;
  code.move(6, 1).map_value(1, count).load(Bytecode::kDouble, 2, 1, 0).add(2, 1);
  code.store(Bytecode::kDouble, 1, 0, 2).move(1, 6).map(2, fd).set(3, 0).call(kTailCall).set(0, 5).exit();
  const int itself = program(kXdp, code.finish());
  ASSERT_ANSWER(0, put(fd, 0, itself));
  EXPECT_ANSWER(5, run(itself));
  Data value(8);
  ASSERT_ANSWER(0, lookup(count, number32(0), &value));
  EXPECT_EQ(number64(34), value);
}

// What the other program returns is what the function returns.
TEST_P(ProgArray, a_function_that_makes_a_tail_call_ends_with_it) {
  const int fd = array();
  Bytecode code;
  const int function = code.new_label();
  code.move(6, 1).call_to(function).raw(0x07, 0, 0, 0, 1000).exit();
  const auto start = static_cast<std::uint32_t>(code.size());
  code.here(function).map(2, fd).set(3, 0).call(kTailCall).set(0, 5).exit();
  const auto calls = static_cast<int>(load_two(code.finish(), start));
  EXPECT_ANSWER(1005, run(calls));
  ASSERT_ANSWER(0, put(fd, 0, program(kXdp, constant(7))));
  EXPECT_ANSWER(1007, run(calls));
  ASSERT_ANSWER(0, put(fd, 0, calls));  // itself, a function deeper each time
  EXPECT_ANSWER(1005 + 33 * 1000, run(calls));
}

TEST_P(ProgArray, a_tail_call_below_a_deep_stack_is_refused) {
  const int fd = array();
  for (const std::int32_t deep : {-240, -248, -256}) {
    Bytecode code;
    const int function = code.new_label();
    code.store_imm(Bytecode::kDouble, 10, deep, 0).call_to(function).exit();
    const auto start = static_cast<std::uint32_t>(code.size());
    code.here(function).map(2, fd).set(3, 0).call(kTailCall).set(0, 5).exit();
    EXPECT_ANSWER(deep > -248 ? 0 : -EACCES, std::min(load_two(code.finish(), start), 0l));
  }
}

TEST_P(ProgArray, what_the_verifier_asks_of_tail_calls) {
  const int fd = array(), other = map({kArray, 4, 4, 4, 0});
  EXPECT_ANSWER(-EINVAL, load(kXdp, caller(other, 0, 1)));
  Bytecode lookup;
  EXPECT_ANSWER(-EINVAL, load(kXdp, look_up(lookup, fd, 0).set(0, 0).exit().finish()));
  EXPECT_ANSWER(
      -EACCES,
      load(kXdp, Bytecode().set(1, 0).map(2, fd).set(3, 0).call(kTailCall).set(0, 0).exit().finish()));
  // R0 to R5 are gone after one that failed.
  EXPECT_ANSWER(-EACCES, load(kXdp, Bytecode().map(2, fd).set(3, 0).call(kTailCall).exit().finish()));
  EXPECT_ANSWER(-EACCES,
                load(kXdp, Bytecode().map(2, fd).set(3, 0).call(kTailCall).move(0, 3).exit().finish()));
}

// Without fds its programs go, so that a cycle ends.
TEST_P(ProgArray, is_emptied_when_its_last_user_goes) {
  const auto fd = static_cast<int>(create({kProgArray, 4, 4, 2, 0}));
  const auto calls = static_cast<int>(load(kXdp, caller(fd, 0, 100)));
  const std::uint32_t map_id = id(fd);
  ASSERT_ANSWER(0, put(fd, 0, program(kXdp, constant(7))));
  EXPECT_ANSWER(7, run(calls));
  backend().close(fd);
  // The program still uses the map.
  const long again = call(kMapGetFdById, Attr().set(by_id::kId, map_id));
  ASSERT_GE(again, 0);
  keep(again);
  for (int tries = 0; tries < 10000 && run(calls) == 7; ++tries)
    continue;  // the kernel does it a moment later
  EXPECT_ANSWER(100, run(calls));
  EXPECT_ANSWER(-ENOENT, held(static_cast<int>(again), 0));
}

}  // namespace
}  // namespace portolan::conformance
