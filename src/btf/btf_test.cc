// SPDX-License-Identifier: Apache-2.0
#include "btf/btf.h"

#include <gtest/gtest.h>

#include <functional>

#include "btf/kernel_for_test.h"
#include "btf/samples_for_test.h"

namespace portolan::btf {
namespace {

using Bytes = std::vector<std::byte>;

// What both must answer. The last line of the log is looked for in ours.
void expect_error(const Bytes& blob, int error, std::string_view text) {
  Log log(1, 1 << 20);
  const auto parsed = Btf::parse(blob, &log);
  EXPECT_EQ(parsed ? 0 : parsed.error().value, error) << text;
  EXPECT_NE(log.image().find(text), std::string::npos) << "wanted: " << text << "\ngot: " << log.image();
  const KernelAnswer kernel = kernel_load(blob, 1, 1 << 20);
  if (kernel.error == EPERM || kernel.error == ENOSYS) return;
  EXPECT_EQ(kernel.error, error) << "the kernel itself; " << text;
  EXPECT_EQ(kernel.log.substr(0, log.image().size()), log.image());
}

Bytes with_header(const std::function<void(abi::btf::Header&)>& change) {
  Bytes blob = sample_of_all_kinds();
  auto header = load_unaligned<abi::btf::Header>(blob.data());
  change(header);
  std::memcpy(blob.data(), &header, sizeof header);
  return blob;
}

TEST(BtfTest, samples_are_valid) {
  for (const Bytes& blob : sample_blobs()) {
    Log log(1, 1 << 20);
    EXPECT_TRUE(Btf::parse(blob, &log)) << log.image();
  }
}

TEST(BtfTest, every_type_is_logged_in_the_kernels_words) {
  Log log(1, 1 << 20);
  ASSERT_TRUE(Btf::parse(sample_of_all_kinds(), &log));
  const std::string text = log.image();
  EXPECT_NE(text.find("[1] INT int size=4 bits_offset=0 nr_bits=32 encoding=SIGNED\n"), text.npos) << text;
  EXPECT_NE(text.find("STRUCT outer size=144 vlen=11\n\ttext type_id=9 bits_offset=0\n"), text.npos) << text;
  EXPECT_NE(text.find("FUNC_PROTO (anon) return=1 args=(1 x, 6 y, vararg)\n"), text.npos) << text;
}

TEST(BtfTest, a_bad_header_is_refused) {
  expect_error(Bytes(4), EINVAL, "hdr_len not found");
  expect_error(with_header([](auto& h) { h.hdr_len = 1 << 20; }), EINVAL, "btf_header not found");
  expect_error(with_header([](auto& h) { h.hdr_len = 40; }), E2BIG, "Unsupported btf_header");
  expect_error(with_header([](auto& h) { h.magic = 0; }), EINVAL, "Invalid magic");
  expect_error(with_header([](auto& h) { h.version = 2; }), kEnotsupp, "Unsupported version");
  expect_error(with_header([](auto& h) { h.flags = 1; }), kEnotsupp, "Unsupported flags");
  expect_error(with_header([](auto& h) { h.hdr_len = 20; }), EINVAL, "");
  expect_error(with_header([](auto& h) { h.str_off += 1 << 20; }), EINVAL, "Invalid section offset");
  expect_error(with_header([](auto& h) { h.str_off += 1; }), EINVAL, "Unsupported section found");
  expect_error(with_header([](auto& h) { h.str_off -= 4; }), EINVAL, "Section overlap found");
  expect_error(with_header([](auto& h) { h.str_len += 1; }), EINVAL, "Total section length too long");
  expect_error(with_header([](auto& h) { h.str_len -= 1; }), EINVAL, "Unsupported section found");
}

TEST(BtfTest, a_longer_header_of_zeros_is_fine) {
  const Bytes blob = sample_of_all_kinds();
  for (const std::uint32_t extra : {1u, 8u, 13u}) {
    Bytes longer(blob.begin(), blob.begin() + sizeof(abi::btf::Header));
    longer.resize(longer.size() + extra);
    longer.insert(longer.end(), blob.begin() + sizeof(abi::btf::Header), blob.end());
    longer[offsetof(abi::btf::Header, hdr_len)] = std::byte(sizeof(abi::btf::Header) + extra);
    EXPECT_TRUE(Btf::parse(longer));
  }
}

TEST(BtfTest, a_struct_that_contains_itself_is_refused) {
  Blob blob;
  blob.structure("ring", 8, {{"m", 2, 0}});
  blob.structure("other", 8, {{"m", 1, 0}});
  expect_error(blob.bytes(), EEXIST, "Loop detected");
}

TEST(BtfTest, a_pointer_to_itself_is_refused) {
  Blob blob;
  blob.type(Kind::kPtr, "", 0, 2);
  blob.type(Kind::kConst, "", 0, 1);
  expect_error(blob.bytes(), EEXIST, "Loop detected");
}

TEST(BtfTest, a_struct_may_point_to_itself) {
  Blob blob;
  blob.structure("node", 8, {{"next", 2, 0}});
  blob.type(Kind::kPtr, "", 0, 1);
  EXPECT_TRUE(Btf::parse(blob.bytes()));
}

TEST(BtfTest, nesting_deeper_than_32_is_refused) {
  Blob blob;
  for (std::uint32_t i = 1; i <= 33; ++i) blob.type(Kind::kPtr, "", 0, i + 1);
  blob.integer("int", 4);
  expect_error(blob.bytes(), E2BIG, "Exceeded max resolving depth:32");
}

TEST(BtfTest, types_that_are_wrong_by_themselves_are_refused) {
  const auto refused = [](int error, std::string_view text, const std::function<void(Blob&)>& add) {
    Blob blob;
    blob.integer("int", 4);
    add(blob);
    expect_error(blob.bytes(), error, text);
  };
  refused(EINVAL, "vlen != 0", [](Blob& b) { b.type(Kind::kInt, "i", 1, 4, {32}); });
  refused(EINVAL, "nr_bits exceeds type_size", [](Blob& b) { b.type(Kind::kInt, "i", 0, 4, {33}); });
  refused(EINVAL, "nr_bits exceeds 128", [](Blob& b) { b.type(Kind::kInt, "i", 0, 32, {129}); });
  refused(kEnotsupp, "Unsupported encoding", [](Blob& b) { b.type(Kind::kInt, "i", 0, 4, {3u << 24 | 32}); });
  refused(EINVAL, "Invalid kind:0", [](Blob& b) { b.type(Kind::kUnkn, "i", 0, 4); });
  refused(EINVAL, "Invalid kind:20", [](Blob& b) { b.type(Kind{20}, "i", 0, 4); });
  refused(EINVAL, "Invalid name", [](Blob& b) { b.structure("a b", 0, {}); });
  refused(EINVAL, "Invalid name", [](Blob& b) { b.type(Kind::kTypedef, "", 0, 1); });
  refused(EINVAL, "Invalid name", [](Blob& b) { b.type(Kind::kConst, "c", 0, 1); });
  refused(EINVAL, "Invalid type_id", [](Blob& b) { b.type(Kind::kPtr, "", 0, 99); });
  refused(EINVAL, "Invalid elem", [](Blob& b) { b.array(0, 1, 1); });
  refused(EINVAL, "Invalid index", [](Blob& b) { b.array(1, 0, 1); });
  refused(EINVAL, "Array size overflows U32_MAX", [](Blob& b) { b.array(1, 1, 0x4000'0000); });
  refused(EINVAL, "Member exceeds struct_size", [](Blob& b) { b.structure("s", 4, {{"m", 1, 8}}); });
  refused(EINVAL, "Invalid member bits_offset",
          [](Blob& b) { b.structure("s", 8, {{"m", 1, 32}, {"n", 1, 0}}); });
  refused(EINVAL, "Unexpected size", [](Blob& b) { b.type(Kind::kEnum, "e", 0, 3); });
  refused(EINVAL, "Invalid type_size", [](Blob& b) { b.type(Kind::kFloat, "f", 0, 3); });
  refused(EINVAL, "type != 0", [](Blob& b) { b.type(Kind::kFwd, "f", 0, 1); });
  refused(EINVAL, "Invalid func linkage", [](Blob& b) { b.type(Kind::kFunc, "f", 2, 1); });
  refused(EINVAL, "Invalid type_id", [](Blob& b) { b.type(Kind::kFunc, "f", 0, 1); });
  refused(EINVAL, "Linkage not supported", [](Blob& b) { b.type(Kind::kVar, "v", 0, 1, {2}); });
  refused(EINVAL, "Not a VAR kind member", [](Blob& b) { b.type(Kind::kDatasec, ".d", 1, 4, {1, 0, 4}); });
  refused(EINVAL, "Invalid component_idx", [](Blob& b) { b.decl_tag("t", b.structure("s", 0, {}), 0); });
  refused(EINVAL, "Type tags don't precede modifiers",
          [](Blob& b) { b.type(Kind::kConst, "", 0, b.type(Kind::kTypeTag, "t", 0, 1)); });
  refused(EINVAL, "meta_left:0 meta_needed:4", [](Blob& b) { b.type(Kind::kInt, "i", 0, 4); });
}

TEST(BtfTest, a_chain_of_more_than_32_modifiers_is_refused) {
  Blob blob;
  blob.type(Kind::kPtr, "", 0, 20);  // so that no walk is deeper than 32
  for (std::uint32_t id = 2; id < 40; ++id) blob.type(Kind::kConst, "", 0, id + 1);
  blob.integer("int", 4);
  expect_error(blob.bytes(), ELOOP, "Max chain length or cycle detected");
}

TEST(BtfTest, types_beyond_the_last_id_have_none) {
  for (const std::uint32_t reference : {abi::btf::kMaxType - 1, abi::btf::kMaxType}) {
    Blob blob;
    blob.type(Kind::kTypeTag, "t", 0, reference);
    for (std::uint32_t id = 2; id < abi::btf::kMaxType + 5; ++id) blob.type(Kind::kPtr, "", 0, 0);
    const Bytes bytes = blob.bytes();
    const auto parsed = Btf::parse(bytes);
    const int error = parsed ? 0 : parsed.error().value;
    EXPECT_EQ(error, reference < abi::btf::kMaxType ? 0 : EINVAL);
    const int kernel = kernel_load(bytes).error;
    if (kernel != EPERM && kernel != ENOSYS) {
      EXPECT_EQ(kernel, error) << "the kernel itself";
    }
  }
}

TEST(BtfTest, sizes_are_those_of_what_is_behind_modifiers_and_arrays) {
  Blob blob;
  const auto i32 = blob.integer("int", 4);
  const auto matrix = blob.array(blob.array(i32, i32, 3), i32, 2);
  const auto alias = blob.type(Kind::kTypedef, "t", 0, matrix);
  const auto constant = blob.type(Kind::kConst, "", 0, alias);
  const auto nothing = blob.type(Kind::kConst, "", 0, 0);
  const Btf btf = Btf::parse(blob.bytes()).value();
  EXPECT_EQ(btf.size_of(constant), 24u);
  EXPECT_EQ(btf.resolve(constant), matrix);
  EXPECT_FALSE(btf.size_of(nothing));
  EXPECT_FALSE(btf.size_of(0));
  EXPECT_FALSE(btf.size_of(99));
}

TEST(BtfTest, types_are_found_by_name_and_kind) {
  const Btf btf = Btf::parse(sample_of_all_kinds()).value();
  const auto id = btf.find_by_name("outer", Kind::kStruct);
  ASSERT_TRUE(id);
  EXPECT_EQ(btf.members(*btf.type(*id)).size(), 11u);
  EXPECT_STREQ(btf.name(btf.members(*btf.type(*id))[0].name_off), "text");
  EXPECT_EQ(btf.find_by_name("outer", Kind::kUnion).error().value, ENOENT);
  EXPECT_EQ(btf.type(btf.type_count()), nullptr);
}

}  // namespace
}  // namespace portolan::btf
