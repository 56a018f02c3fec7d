// SPDX-License-Identifier: Apache-2.0
#include "btf/map_check.h"

#include <gtest/gtest.h>

#include "abi/map_flags.h"
#include "abi/map_type.h"
#include "btf/kernel_for_test.h"
#include "btf/samples_for_test.h"
#include "btf/special_fields.h"

namespace portolan::btf {
namespace {

using abi::MapType;

struct World {
  std::vector<std::byte> blob;
  std::uint32_t u32, i32, u64, odd, alias, void_const;
  std::vector<std::uint32_t> values;
};

World make_world() {
  Blob blob;
  World world;
  world.u32 = blob.integer("unsigned int", 4);
  world.i32 = blob.integer("int", 4, abi::btf::kIntSigned);
  world.u64 = blob.integer("unsigned long", 8);
  world.odd = blob.type(Kind::kInt, "odd", 0, 4, {31});
  world.alias = blob.type(Kind::kTypedef, "key_t", 0, blob.type(Kind::kConst, "", 0, world.u32));
  world.void_const = blob.type(Kind::kConst, "", 0, 0);
  const auto words = [&](std::uint32_t count) { return blob.array(world.u64, world.u32, count); };
  const auto lock = blob.structure("bpf_spin_lock", 4, {{"val", world.u32, 0}});
  const auto res_lock = blob.structure("bpf_res_spin_lock", 4, {{"val", world.u32, 0}});
  const auto timer = blob.structure("bpf_timer", 16, {{"o", words(2), 0}});
  const auto work = blob.structure("bpf_wq", 16, {{"o", words(2), 0}});
  const auto task_work = blob.structure("bpf_task_work", 8, {{"o", world.u64, 0}});
  const auto head = blob.structure("bpf_list_head", 16, {{"o", words(2), 0}});
  const auto node = blob.structure("bpf_list_node", 24, {{"o", words(3), 0}});
  const auto count = blob.structure("bpf_refcount", 4, {{"o", world.u32, 0}});
  const auto object = blob.structure("portolan_object", 32, {{"n", node, 0}, {"c", count, 192}});
  const auto tagged = [&](std::string_view tag) {
    return blob.type(Kind::kPtr, "", 0, blob.type(Kind::kTypeTag, tag, 0, object));
  };
  const auto add = [&](std::uint32_t member, std::uint32_t bit_offset = 0) {
    world.values.push_back(blob.structure("", 32, {{"m", member, bit_offset}, {"x", world.u32, 224}}));
  };
  for (const std::uint32_t member : {lock, res_lock, timer, work, task_work, count, tagged("kptr"),
                                     tagged("kptr_untrusted"), tagged("percpu_kptr"), tagged("uptr")})
    add(member);
  add(timer, 32);  // misaligned: not found
  add(blob.array(timer, world.u32, 1));
  world.values.push_back(blob.structure("", 32, {{"a", timer, 0}, {"b", timer, 128}}));  // one too many
  const auto list = blob.structure("portolan_list", 32, {{"lock", lock, 0}, {"head", head, 64}});
  blob.decl_tag("contains:portolan_object:n", list, 1);
  world.values.push_back(list);
  world.values.push_back(blob.array(world.u64, world.u32, 4));
  world.values.push_back(
      blob.type(Kind::kDatasec, ".data", 1, 32, {blob.type(Kind::kVar, "v", 0, list, {1}), 0, 32}));
  world.blob = blob.bytes();
  return world;
}

int kernel_create(const MapTypes& types, int btf_fd) {
  abi::MapCreateAttr attr{};
  attr.map_type = types.map_type;
  attr.map_flags = types.map_flags;
  attr.key_size = types.key_size;
  attr.value_size = types.value_size;
  attr.max_entries = 1;
  attr.btf_fd = static_cast<std::uint32_t>(btf_fd);
  attr.btf_key_type_id = types.key_type_id;
  attr.btf_value_type_id = types.value_type_id;
  const long fd = ::syscall(SYS_bpf, abi::Command::kMapCreate, &attr, sizeof attr);
  if (fd < 0) return errno;
  ::close(static_cast<int>(fd));
  return 0;
}

bool is_array(std::uint32_t type) {
  return type == static_cast<std::uint32_t>(MapType::kArray) ||
         type == static_cast<std::uint32_t>(MapType::kPerCpuArray);
}

int our_create(const Btf& btf, const MapTypes& types) {
  const auto checked = check_map_types(btf, types);
  if (!checked) return checked.error().value;
  if (!is_array(types.map_type)) return 0;
  const auto array = check_array_types(btf, types, *checked, 1);
  return array ? 0 : array.error().value;
}

TEST(MapCheckTest, maps_are_refused_as_by_the_kernel) {
  const World world = make_world();
  Log log(1, 1 << 16);
  const auto btf = Btf::parse(world.blob, &log);
  ASSERT_TRUE(btf) << log.image();
  int btf_fd = -1;
  if (const int error = kernel_load(world.blob, 0, 0, &btf_fd).error; error != 0)
    GTEST_SKIP() << "the kernel does not load BTF for this user: errno " << error;
  int cases = 0;
  for (const MapType type : {MapType::kHash, MapType::kArray, MapType::kPerCpuHash, MapType::kPerCpuArray,
                             MapType::kLruHash, MapType::kLruPerCpuHash})
    for (const std::uint32_t flags : {0u, abi::map_flag::kRdonlyProg, abi::map_flag::kWronlyProg})
      for (const std::uint32_t key :
           {world.u32, world.i32, world.u64, world.odd, world.alias, world.void_const, 0u, 99u})
        for (const std::uint32_t value : world.values)
          for (const std::uint32_t value_size : {32u, 24u}) {
            const auto number = static_cast<std::uint32_t>(type);
            const MapTypes types{number, flags, 4, value_size, key, value, is_array(number)};
            EXPECT_EQ(our_create(*btf, types), kernel_create(types, btf_fd))
                << "map type " << number << " flags " << flags << " key " << key << " value " << value
                << " size " << value_size;
            ++cases;
          }
  ::close(btf_fd);
  EXPECT_GT(cases, 1000);
}

TEST(MapCheckTest, the_fields_of_the_value_are_given) {
  const World world = make_world();
  const Btf btf = Btf::parse(world.blob).value();
  const MapTypes types{
      static_cast<std::uint32_t>(MapType::kHash), 0, 4, 32, world.u32, world.values[0], false};
  const CheckedTypes checked = check_map_types(btf, types).value();
  ASSERT_EQ(checked.fields.size(), 1u);
  EXPECT_EQ(checked.fields[0].kind, FieldKind::kSpinLock);
  EXPECT_TRUE(is(*checked.key, Kind::kInt));
}

}  // namespace
}  // namespace portolan::btf
