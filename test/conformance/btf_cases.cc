// SPDX-License-Identifier: Apache-2.0
// BPF_BTF_LOAD: what is BTF and what is not.
#include "cases.h"

namespace portolan::conformance {
namespace {

class BtfLoad : public Case {
 protected:
  void expect(const char* what, long expected, const BtfBlob& blob) {
    SCOPED_TRACE(what);
    EXPECT_ANSWER(expected, std::min(load_btf(blob.bytes()), 0l));
  }
  // The map types' BTF with one word of its header changed.
  Data with_header_word(std::size_t offset, std::uint32_t value) {
    Data blob = map_types_btf();
    std::memcpy(blob.data() + offset, &value, 4);
    return blob;
  }
  static constexpr std::uint32_t info_word(std::uint32_t kind, std::uint32_t length = 0, bool flag = false) {
    return kind << 24 | length | static_cast<std::uint32_t>(flag) << 31;
  }
};
ON_BOTH_BACKENDS(BtfLoad);

TEST_P(BtfLoad, header) {
  EXPECT_ANSWER(0, std::min(load_btf(map_types_btf()), 0l));
  const struct {
    const char* what;
    std::size_t offset;
    std::uint32_t value;
    long expected;
  } rows[] = {{"magic", 0, 0x0001eb9e, -EINVAL},
              {"byte-swapped magic", 0, 0x00019feb, -EINVAL},
              {"version 2", 0, 0x0002eb9f, -kEnotsupp},
              {"flags", 0, 0x0101eb9f, -kEnotsupp},
              {"header of 0", 4, 0, -EINVAL},
              {"header of 20", 4, 20, -EINVAL},
              {"header longer than known, with something there", 4, 28, -E2BIG},
              {"header as long as the blob", 4, 1 << 20, -EINVAL},
              {"types at 4", 8, 4, -EINVAL},
              {"types at 1", 8, 1, -EINVAL},
              {"no types", 12, 0, -EINVAL},
              {"too many types", 12, 1 << 20, -EINVAL},
              {"strings too early", 16, 0, -EINVAL},
              {"no strings", 20, 0, -EINVAL},
              {"too many strings", 20, 1 << 20, -EINVAL}};
  for (const auto& row : rows) {
    SCOPED_TRACE(row.what);
    EXPECT_ANSWER(row.expected, std::min(load_btf(with_header_word(row.offset, row.value)), 0l));
  }
}

TEST_P(BtfLoad, sizes_and_addresses) {
  const Data blob = map_types_btf();
  const auto with = [&](std::uint64_t at, std::uint64_t size) {
    return Attr().set(btf::kBtf, at).set(btf::kBtfSize, size);
  };
  const auto at = reinterpret_cast<std::uint64_t>(blob.data());
  EXPECT_ANSWER(-EFAULT, call(kBtfLoad, with(0, blob.size())));
  EXPECT_ANSWER(-E2BIG, call(kBtfLoad, with(at, (16 << 20) + 1)));
  EXPECT_ANSWER(-E2BIG, call(kBtfLoad, with(at, ~0u)));
  EXPECT_ANSWER(-EINVAL, call(kBtfLoad, with(at, 0)));
  EXPECT_ANSWER(-EINVAL, call(kBtfLoad, with(at, 23)));
  EXPECT_ANSWER(-EINVAL, call(kBtfLoad, with(at, blob.size() - 1)));
  EXPECT_ANSWER(-EINVAL, call(kBtfLoad, with(at, blob.size()).set(btf::kFlags, 1)));
  EXPECT_ANSWER(-EINVAL, call(kBtfLoad, with(at, blob.size()).set(btf::kTokenFd, 1).set(btf::kFlags, 2)));
}

TEST_P(BtfLoad, logs) {
  Data blob = map_types_btf(), log = repeated(4096, 0xcc);
  const auto attr = [&](std::uint32_t level, std::uint32_t size, const Data* into) {
    return Attr()
        .set(btf::kBtf, reinterpret_cast<std::uint64_t>(blob.data()))
        .set(btf::kBtfSize, blob.size())
        .set(btf::kLogLevel, level)
        .set(btf::kLogSize, size)
        .set(btf::kLogBuf, into ? reinterpret_cast<std::uint64_t>(into->data()) : 0);
  };
  const auto result = [&](const Attr& with) { return std::min<long>(keep(call(kBtfLoad, with)), 0); };
  EXPECT_ANSWER(0, result(attr(1, 4096, &log)));
  EXPECT_NE(std::byte{0xcc}, log[0]);
  EXPECT_ANSWER(-EINVAL, result(attr(0, 4096, &log)));
  EXPECT_ANSWER(-EINVAL, result(attr(1, 0, &log)));
  EXPECT_ANSWER(-EINVAL, result(attr(1, 4096, nullptr)));
  EXPECT_ANSWER(-EINVAL, result(attr(16, 4096, &log)));
  EXPECT_ANSWER(-ENOSPC, result(attr(1, 128, &log)));
  EXPECT_ANSWER(0, result(attr(1, 0, nullptr)));
  blob[0] = std::byte{0};
  EXPECT_ANSWER(-EINVAL, result(attr(1, 4096, &log)));
  EXPECT_NE(std::byte{0}, log[0]);
}

TEST_P(BtfLoad, ints) {
  const auto one = [](std::uint32_t info, std::uint32_t size, std::uint32_t data, bool named = true) {
    BtfBlob blob;
    const std::uint32_t name = named ? blob.add_name("number") : 0;
    return blob.add_raw({name, info, size, data});
  };
  const std::uint32_t integer = info_word(1);
  expect("plain", 0, one(integer, 4, 32));
  expect("signed", 0, one(integer, 4, 1u << 24 | 32));
  expect("char", 0, one(integer, 1, 2u << 24 | 8));
  expect("bool", 0, one(integer, 1, 4u << 24 | 8));
  expect("two encodings", -kEnotsupp, one(integer, 1, 3u << 24 | 8));
  expect("unknown encoding", -kEnotsupp, one(integer, 1, 8u << 24 | 8));
  expect("16 bytes", 0, one(integer, 16, 128));
  expect("more than 128 bits", -EINVAL, one(integer, 32, 129));
  expect("no bits", 0, one(integer, 4, 0));
  expect("fewer bits than bytes", 0, one(integer, 4, 20));
  expect("more bits than bytes", -EINVAL, one(integer, 4, 33));
  expect("3 bytes", 0, one(integer, 3, 24));
  expect("5 bytes", 0, one(integer, 5, 40));
  expect("bits at an offset", 0, one(integer, 4, 8u << 16 | 16));
  expect("bits past the end", -EINVAL, one(integer, 4, 20u << 16 | 16));
  expect("no name", 0, one(integer, 4, 32, false));
  expect("vlen", -EINVAL, one(integer | 1, 4, 32));
  expect("kind_flag", -EINVAL, one(info_word(1, 0, true), 4, 32));
  expect("odd bits of data", -EINVAL, one(integer, 4, 1u << 28 | 32));
}

TEST_P(BtfLoad, structs) {
  const auto base = [] { return BtfBlob().add_int("u32", 4).add_int("u64", 8); };
  expect("plain", 0, base().add_struct("s", 12, {{"a", 1, 0}, {"b", 2, 32}}));
  expect("empty", 0, base().add_struct("s", 0, {}));
  expect("no name", 0, base().add_struct("", 4, {{"a", 1, 0}}));
  expect("member without a name", 0, base().add_struct("s", 4, {{"", 1, 0}}));
  expect("same name twice", 0, base().add_struct("s", 8, {{"a", 1, 0}, {"a", 1, 32}}));
  expect("member past the end", -EINVAL, base().add_struct("s", 4, {{"a", 1, 32}}));
  expect("member partly past the end", -EINVAL, base().add_struct("s", 6, {{"a", 1, 32}}));
  expect("members out of order", -EINVAL, base().add_struct("s", 8, {{"a", 1, 32}, {"b", 1, 0}}));
  expect("members on each other", 0, base().add_struct("s", 8, {{"a", 1, 0}, {"b", 1, 0}}));
  expect("member of a type that is not there", -EINVAL, base().add_struct("s", 4, {{"a", 9, 0}}));
  expect("member of type void", -EINVAL, base().add_struct("s", 4, {{"a", 0, 0}}));
  expect("a struct in itself", -EEXIST, base().add_struct("s", 4, {{"a", 3, 0}}));
  expect("odd name", -EINVAL, base().add_struct("a-b", 4, {{"a", 1, 0}}));
  expect("odd member name", -EINVAL, base().add_struct("s", 4, {{"a b", 1, 0}}));
  expect("member at half a byte", 0, base().add_struct("s", 8, {{"a", 1, 4}}));
}

TEST_P(BtfLoad, other_kinds) {
  const auto base = [] { return BtfBlob().add_int("u32", 4); };
  const auto named = [&](std::uint32_t info, std::initializer_list<std::uint32_t> rest, bool name = true) {
    BtfBlob blob = base();
    const std::uint32_t name_offset = name ? blob.add_name("name") : 0;
    blob.add_raw({name_offset, info});
    return blob.add_raw(rest);
  };
  expect("pointer", 0, named(info_word(2), {1}, false));
  expect("named pointer", -EINVAL, named(info_word(2), {1}));
  expect("pointer to void", 0, named(info_word(2), {0}, false));
  expect("pointer to nothing", -EINVAL, named(info_word(2), {7}, false));
  expect("array", 0, named(info_word(3), {0, 1, 1, 4}, false));
  expect("named array", -EINVAL, named(info_word(3), {0, 1, 1, 4}));
  expect("array with a size", -EINVAL, named(info_word(3), {4, 1, 1, 4}, false));
  expect("array of void", -EINVAL, named(info_word(3), {0, 0, 1, 4}, false));
  expect("array indexed by void", -EINVAL, named(info_word(3), {0, 1, 0, 4}, false));
  expect("array of all there is", -EINVAL, named(info_word(3), {0, 1, 1, 1u << 31}, false));
  expect("union", 0, named(info_word(5, 1), {4, 0, 1, 0}));
  expect("enum", 0, named(info_word(6, 1), {4, 1, 5}));
  expect("empty enum", 0, named(info_word(6, 0), {4}));
  expect("enum of 3 bytes", -EINVAL, named(info_word(6, 1), {3, 1, 5}));
  expect("enum value without a name", -EINVAL, named(info_word(6, 1), {4, 0, 5}));
  expect("forward", 0, named(info_word(7), {0}));
  expect("forward union", 0, named(info_word(7, 0, true), {0}));
  expect("forward without a name", -EINVAL, named(info_word(7), {0}, false));
  expect("forward with a type", -EINVAL, named(info_word(7), {1}));
  expect("typedef", 0, named(info_word(8), {1}));
  expect("typedef without a name", -EINVAL, named(info_word(8), {1}, false));
  expect("typedef of itself", -EEXIST, named(info_word(8), {2}));
  expect("volatile", 0, named(info_word(9), {1}, false));
  expect("const", 0, named(info_word(10), {1}, false));
  expect("restrict", 0, named(info_word(11), {1}, false));
  expect("named const", -EINVAL, named(info_word(10), {1}));
  expect("const of itself", -EEXIST, named(info_word(10), {2}, false));
  expect("function of no prototype", -EINVAL, named(info_word(12), {1}));
  expect("prototype", 0, named(info_word(13, 1), {1, 0, 1}, false));
  expect("named prototype", -EINVAL, named(info_word(13, 1), {1, 0, 1}));
  expect("variable", 0, named(info_word(14), {1, 1}));
  expect("variable of void", -EINVAL, named(info_word(14), {0, 1}));
  expect("variable of odd linkage", -EINVAL, named(info_word(14), {1, 3}));
  expect("section", -EINVAL, named(info_word(15, 1), {4, 1, 0, 4}));
  expect("float", 0, named(info_word(16), {4}));
  expect("float of 3 bytes", -EINVAL, named(info_word(16), {3}));
  expect("decl tag on an int", -EINVAL, named(info_word(17), {1, ~0u}));
  expect("decl tag on a struct", 0,
         base().add_struct("s", 4, {{"a", 1, 0}}).add_raw({1, info_word(17), 2, ~0u}));
  expect("decl tag on a member", 0,
         base().add_struct("s", 4, {{"a", 1, 0}}).add_raw({1, info_word(17), 2, 0}));
  expect("decl tag on a member that is not there", -EINVAL,
         base().add_struct("s", 4, {{"a", 1, 0}}).add_raw({1, info_word(17), 2, 1}));
  expect("type tag", 0, named(info_word(18), {1}));
  expect("enum64", 0, named(info_word(19, 1), {8, 1, 5, 0}));
  expect("kind 0", -EINVAL, named(info_word(0), {1}));
  expect("kind 20", -EINVAL, named(info_word(20), {1}));
  expect("kind 31", -EINVAL, named(info_word(31), {1}));
  expect("reserved bits of info", -EINVAL, named(info_word(8) | 1u << 16, {1}));
  expect("name behind the strings", -EINVAL, base().add_raw({10000, info_word(8), 1}));
  expect("nothing but half a type", -EINVAL, base().add_raw({1, info_word(8)}));
}

TEST_P(BtfLoad, fields_of_the_kernels) {
  const auto base = [] {
    return BtfBlob()
        .add_int("u32", 4)
        .add_int("u64", 8)
        .add_struct("bpf_spin_lock", 4, {{"val", 1, 0}})
        .add_struct("bpf_timer", 16, {{"a", 2, 0}, {"b", 2, 64}});
  };
  expect("lock", 0, base().add_struct("s", 8, {{"lock", 3, 0}, {"n", 1, 32}}));
  expect("two locks", -E2BIG, base().add_struct("s", 8, {{"one", 3, 0}, {"two", 3, 32}}));
  expect("lock at byte 2", -EFAULT, base().add_struct("s", 8, {{"lock", 3, 16}}));
  expect("timer", 0, base().add_struct("s", 24, {{"n", 2, 0}, {"timer", 4, 64}}));
  expect("timer at byte 4", 0, base().add_struct("s", 24, {{"timer", 4, 32}}));
  expect("two timers", 0, base().add_struct("s", 32, {{"one", 4, 0}, {"two", 4, 128}}));
  expect("lock and timer", 0, base().add_struct("s", 24, {{"lock", 3, 0}, {"timer", 4, 64}}));
}

}  // namespace
}  // namespace portolan::conformance
