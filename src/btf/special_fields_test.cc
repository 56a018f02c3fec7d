// SPDX-License-Identifier: Apache-2.0
#include "btf/special_fields.h"

#include <gtest/gtest.h>

#include "btf/kernel_for_test.h"
#include "btf/samples_for_test.h"

namespace portolan::btf {
namespace {

Result<std::vector<Field>> fields_of(const Btf& btf, const char* name, std::uint32_t mask = ~0u) {
  const Type& type = *btf.type(btf.find_by_name(name, Kind::kStruct).value());
  return find_fields(btf, type, mask, type.size);
}

void expect_load_error(const Blob& blob, int error) {
  const auto parsed = Btf::parse(blob.bytes());
  EXPECT_EQ(parsed ? 0 : parsed.error().value, error);
  const int kernel = kernel_load(blob.bytes()).error;
  if (kernel == EPERM || kernel == ENOSYS) return;
  EXPECT_EQ(kernel, error) << "the kernel itself";
}

TEST(SpecialFieldsTest, all_kinds_are_found_with_offset_and_size) {
  const Btf btf = Btf::parse(sample_of_special_fields()).value();
  const auto fields = fields_of(btf, "portolan_value").value();
  const auto object = btf.find_by_name("portolan_object", Kind::kStruct).value();
  const std::vector<Field> wanted = {
      {FieldKind::kSpinLock, 0, 4, 0},        {FieldKind::kTimer, 8, 16, 0},
      {FieldKind::kListHead, 24, 16, object}, {FieldKind::kRbRoot, 40, 16, object},
      {FieldKind::kKptr, 56, 8, object},      {FieldKind::kKptr, 64, 8, object},
      {FieldKind::kWorkQueue, 72, 16, 0},
  };
  ASSERT_EQ(fields.size(), wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_EQ(fields[i].kind, wanted[i].kind) << i;
    EXPECT_EQ(fields[i].offset, wanted[i].offset) << i;
    EXPECT_EQ(fields[i].size, wanted[i].size) << i;
    EXPECT_EQ(fields[i].type_id, wanted[i].type_id) << i;
  }
}

TEST(SpecialFieldsTest, only_the_kinds_asked_for_are_found) {
  const Btf btf = Btf::parse(sample_of_special_fields()).value();
  const auto fields = fields_of(btf, "portolan_value", bit(FieldKind::kSpinLock)).value();
  ASSERT_EQ(fields.size(), 1u);
  EXPECT_EQ(fields[0].kind, FieldKind::kSpinLock);
}

TEST(SpecialFieldsTest, fields_of_nested_structs_are_found_where_they_lie) {
  const Btf btf = Btf::parse(sample_of_special_fields()).value();
  const auto fields = fields_of(btf, "portolan_nest").value();
  ASSERT_EQ(fields.size(), 2u);
  EXPECT_EQ(fields[0].offset, 0u);
  EXPECT_EQ(fields[1].offset, 8u);
}

struct LockBlob : Blob {
  std::uint32_t u32 = integer("unsigned int", 4);
  std::uint32_t u64 = integer("unsigned long", 8);
  std::uint32_t lock = structure("bpf_spin_lock", 4, {{"val", u32, 0}});
  std::uint32_t timer = structure("bpf_timer", 16, {{"opaque", array(u64, u32, 2), 0}});
};

TEST(SpecialFieldsTest, two_spin_locks_are_too_many) {
  LockBlob blob;
  blob.structure("value", 8, {{"a", blob.lock, 0}, {"b", blob.lock, 32}});
  expect_load_error(blob, E2BIG);
}

TEST(SpecialFieldsTest, a_misaligned_spin_lock_is_a_fault) {
  LockBlob blob;
  blob.structure("value", 8, {{"lock", blob.lock, 8}});
  expect_load_error(blob, EFAULT);
}

TEST(SpecialFieldsTest, two_timers_load_but_are_not_found) {
  LockBlob blob;
  blob.structure("value", 32, {{"a", blob.timer, 0}, {"b", blob.timer, 128}});
  expect_load_error(blob, 0);
  EXPECT_EQ(fields_of(Btf::parse(blob.bytes()).value(), "value").error().value, E2BIG);
}

TEST(SpecialFieldsTest, a_list_needs_a_lock_and_to_say_what_it_holds) {
  for (const bool has_lock : {false, true})
    for (const bool has_tag : {false, true}) {
      LockBlob blob;
      const auto head =
          blob.structure("bpf_list_head", 16, {{"opaque", blob.array(blob.u64, blob.u32, 2), 0}});
      const auto node =
          blob.structure("bpf_list_node", 24, {{"opaque", blob.array(blob.u64, blob.u32, 3), 0}});
      blob.structure("portolan_item", 24, {{"node", node, 0}});
      const auto value =
          blob.structure("value", 24, {{"lock", has_lock ? blob.lock : blob.u32, 0}, {"head", head, 64}});
      if (has_tag) blob.decl_tag("contains:portolan_item:node", value, 1);
      expect_load_error(blob, has_lock && has_tag ? 0 : EINVAL);
    }
}

TEST(SpecialFieldsTest, lists_may_not_own_lists_of_themselves) {
  LockBlob blob;
  const auto head = blob.structure("bpf_list_head", 16, {{"opaque", blob.array(blob.u64, blob.u32, 2), 0}});
  const auto node = blob.structure("bpf_list_node", 24, {{"opaque", blob.array(blob.u64, blob.u32, 3), 0}});
  const auto item =
      blob.structure("portolan_item", 48, {{"lock", blob.lock, 0}, {"head", head, 64}, {"node", node, 192}});
  blob.decl_tag("contains:portolan_item:node", item, 1);
  expect_load_error(blob, ELOOP);
}

TEST(SpecialFieldsTest, structs_of_twice_the_one_before_are_searched_in_no_time) {
  LockBlob blob;
  std::uint32_t last = blob.structure("s", 0, {});
  for (int i = 0; i < 30; ++i) last = blob.structure("s", 0, {{"a", last, 0}, {"b", last, 0}});
  blob.structure("value", 4, {{"lock", blob.lock, 0}, {"s", last, 32}});
  EXPECT_TRUE(Btf::parse(blob.bytes()));
}

TEST(SpecialFieldsTest, structs_nested_32_deep_are_too_deep) {
  for (const int depth : {30, 31}) {
    LockBlob blob;
    std::uint32_t last = blob.structure("s", 0, {});
    for (int i = 0; i < depth; ++i) last = blob.structure("s", 0, {{"a", last, 0}});
    blob.structure("value", 4, {{"lock", blob.lock, 0}, {"s", last, 32}});
    expect_load_error(blob, depth == 30 ? 0 : E2BIG);
  }
}

TEST(SpecialFieldsTest, a_pointer_with_an_unknown_tag_is_refused_as_a_field) {
  LockBlob blob;
  const auto target = blob.structure("portolan_item", 4, {{"x", blob.u32, 0}});
  const auto pointer = blob.type(Kind::kPtr, "", 0, blob.type(Kind::kTypeTag, "kpointer", 0, target));
  blob.structure("value", 16, {{"lock", blob.lock, 0}, {"p", pointer, 64}});
  expect_load_error(blob, EINVAL);
}

}  // namespace
}  // namespace portolan::btf
