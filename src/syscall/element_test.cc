// SPDX-License-Identifier: Apache-2.0
#include "base/sys.h"
#include "map/kernel_version.h"
#include "syscall/world_for_test.h"

namespace portolan::syscall {
namespace {

using abi::MapType;
using enum abi::Command;
namespace flag = abi::element_flag;

class Elements : public World {};

TEST_F(Elements, an_update_is_what_a_lookup_gives_on_every_type) {
  for (const MapType type : {MapType::kHash, MapType::kArray, MapType::kPerCpuHash, MapType::kPerCpuArray}) {
    const long fd = create({.type = type});
    ASSERT_GE(fd, 0);
    const std::uint32_t key = 3;
    std::vector<std::uint64_t> value(runtime_->possible_cpus()), shown(value.size());
    for (std::size_t i = 0; i < value.size(); ++i) value[i] = 100 + i;
    EXPECT_EQ(element(kMapUpdateElem, fd, &key, value.data()), 0);
    EXPECT_EQ(element(kMapLookupElem, fd, &key, shown.data()), 0);
    if (type == MapType::kHash || type == MapType::kArray) value.resize(1), shown.resize(1);
    EXPECT_EQ(shown, value);
  }
}

TEST_F(Elements, bytes_beyond_a_value_are_not_touched) {
  const Cliff cliff;
  for (const MapType type : {MapType::kHash, MapType::kArray})
    for (const std::uint32_t size : {1u, 3u, 7u, 9u, 600u}) {
      const long fd = create({.type = type, .value_size = size});
      const std::uint32_t key = 1;
      EXPECT_EQ(element(kMapUpdateElem, fd, &key, cliff.last(size)), 0);
      EXPECT_EQ(element(kMapLookupElem, fd, &key, cliff.last(size)), 0);
      EXPECT_EQ(element(kMapLookupElem, fd, &key, cliff.last(size - 1)), -EFAULT);
      EXPECT_EQ(element(kMapUpdateElem, fd, &key, cliff.last(size - 1)), -EFAULT);
      EXPECT_EQ(element(kMapLookupElem, fd, cliff.last(3), cliff.last(size)), -EFAULT);
    }
}

TEST_F(Elements, a_new_map_under_the_number_of_one_closed_unseen_is_the_new_one) {
  const Shape shape{.type = MapType::kArray, .value_size = 8};
  const std::uint32_t key = 1;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t written = 7;
    const long first = create(shape);
    ASSERT_EQ(element(kMapUpdateElem, first, &key, &written), 0);
    ASSERT_TRUE(sys::close(static_cast<int>(first)));
    const long second = create(shape);
    EXPECT_EQ(second, first);
    std::uint64_t shown = 99;
    EXPECT_EQ(element(kMapLookupElem, second, &key, &shown), 0);
    EXPECT_EQ(shown, 0u);
    ASSERT_TRUE(sys::close(static_cast<int>(second)));
  }
}

TEST_F(Elements, an_attr_may_end_where_the_page_ends) {
  const Cliff cliff;
  const long fd = create({});
  const std::uint32_t key = 1;
  abi::Attr attr{};
  attr.elem.map_fd = static_cast<std::uint32_t>(fd);
  attr.elem.key = address(&key);
  std::memcpy(cliff.last(16), &attr, 16);
  EXPECT_EQ(call(kMapDeleteElem, cliff.last(16), 16), -ENOENT);
  EXPECT_EQ(call(kMapDeleteElem, cliff.last(16), 17), -EFAULT);
}

TEST_F(Elements, flags_of_single_cpus_need_a_newer_kernel) {
  const std::uint32_t key = 1;
  const std::uint64_t one = 7;
  const std::uint64_t on_cpu_0 = flag::kCpu;
  long fd = create({.type = MapType::kPerCpuArray});
  EXPECT_EQ(element(kMapUpdateElem, fd, &key, &one, on_cpu_0), -EINVAL);
  open({.kernel_version = map::kCpuFlagsSince});
  for (const MapType type : {MapType::kPerCpuHash, MapType::kPerCpuArray}) {
    fd = create({.type = type});
    ASSERT_GE(fd, 0);
    std::vector<std::uint64_t> all(runtime_->possible_cpus(), 1);
    EXPECT_EQ(element(kMapUpdateElem, fd, &key, all.data()), 0);
    EXPECT_EQ(element(kMapUpdateElem, fd, &key, &one, on_cpu_0), 0);
    EXPECT_EQ(element(kMapLookupElem, fd, &key, all.data()), 0);
    EXPECT_EQ(all.front(), 7u);
    if (all.size() > 1) {
      EXPECT_EQ(all.back(), 1u);
    }
    EXPECT_EQ(element(kMapUpdateElem, fd, &key, &one, flag::kAllCpus), 0);
    EXPECT_EQ(element(kMapLookupElem, fd, &key, all.data()), 0);
    EXPECT_EQ(all.back(), 7u);
    std::uint64_t shown = 0;
    EXPECT_EQ(element(kMapLookupElem, fd, &key, &shown, on_cpu_0), 0);
    EXPECT_EQ(shown, 7u);
    const std::uint64_t no_such_cpu = flag::kCpu | std::uint64_t{runtime_->possible_cpus()}
                                                       << flag::kCpuShift;
    EXPECT_EQ(element(kMapLookupElem, fd, &key, &shown, no_such_cpu), -ERANGE);
    EXPECT_EQ(element(kMapLookupElem, fd, &key, &shown, flag::kAllCpus), -EINVAL);
  }
  EXPECT_EQ(element(kMapLookupElem, create({}), &key, &fd, on_cpu_0), -EINVAL);
}

TEST_F(Elements, user_pages_cut_short_by_a_holder_are_efault) {
  const long fd = create({.type = MapType::kArray, .flags = abi::map_flag::kMmapable});
  ASSERT_GE(fd, 0);
  const std::uint32_t key = 1;
  std::uint64_t value = 5;
  EXPECT_EQ(element(kMapUpdateElem, fd, &key, &value), 0);
  ASSERT_TRUE(sys::ftruncate(static_cast<int>(fd), 0));
  EXPECT_EQ(element(kMapLookupElem, fd, &key, &value), -EFAULT);
  EXPECT_EQ(element(kMapUpdateElem, fd, &key, &value), -EFAULT);
}

}  // namespace
}  // namespace portolan::syscall
