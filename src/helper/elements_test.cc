// SPDX-License-Identifier: Apache-2.0
// Elements of maps, loops, and what tells of the machine.
#include <sys/prctl.h>

#include <set>
#include <thread>

#include "abi/map_flags.h"
#include "abi/map_type.h"
#include "helper/world_for_test.h"
#include "map/family.h"

namespace portolan::helper {
namespace {

class Elements : public testing::Test {
 protected:
  void SetUp() override { world_.runtime().set_view_factory(object::Kind::kMap, map::make_map_view); }

  map::Map& make(abi::MapType type, std::uint32_t key_size, std::uint32_t value_size,
                 std::uint32_t max_entries, bool has_lock = false) {
    map::MapSpec spec;
    spec.type = static_cast<std::uint32_t>(type);
    spec.key_size = key_size;
    spec.value_size = value_size;
    spec.max_entries = max_entries;
    spec.cpus = world_.runtime().possible_cpus();
    if (has_lock) {
      spec.field_count = 1;
      spec.fields[0] = {map::FieldKind::kSpinLock, 4, 4};
    }
    auto draft = map::draft_map(world_.runtime(), spec);
    if (!draft) std::abort();
    auto published = world_.runtime().publish(std::move(*draft), {}, shm::Access::kReadWrite);
    if (!published) std::abort();
    fds_.push_back(std::move(published->fd));
    return *static_cast<map::Map*>(published->view);
  }

  WorldForTest world_;
  std::vector<UniqueFd> fds_;
};

TEST_F(Elements, of_a_hash_come_and_go) {
  map::Map& map = make(abi::MapType::kHash, 5, 3, 4);
  // Neither aligned nor with room behind, as on a program's stack.
  struct [[gnu::packed]] {
    char before = 1;
    char key[5] = {'a', 'b', 'c', 'd', 'e'};
    char value[3] = {1, 2, 3};
    char after = 7;
  } place;
  EXPECT_EQ(world_.call("map_lookup_elem", &map, place.key), 0);
  EXPECT_EQ(world_.call("map_delete_elem", &map, place.key), -ENOENT);
  EXPECT_EQ(world_.call("map_update_elem", &map, place.key, place.value, 2), -ENOENT);
  EXPECT_EQ(world_.call("map_update_elem", &map, place.key, place.value, 3), -EINVAL);
  EXPECT_EQ(world_.call("map_update_elem", &map, place.key, place.value, 0), 0);
  EXPECT_EQ(world_.call("map_update_elem", &map, place.key, place.value, 1), -EEXIST);
  const auto found = static_cast<std::uint64_t>(world_.call("map_lookup_elem", &map, place.key));
  ASSERT_NE(found, 0u);
  EXPECT_EQ(std::memcmp(reinterpret_cast<const void*>(found), place.value, 3), 0);
  EXPECT_EQ(world_.call("map_delete_elem", &map, place.key), 0);
  EXPECT_EQ(world_.call("map_lookup_elem", &map, place.key), 0);
}

TEST_F(Elements, of_an_array_are_always_there) {
  map::Map& map = make(abi::MapType::kArray, 4, 8, 2);
  const std::uint32_t one = 1, two = 2;
  const std::uint64_t value = 99;
  EXPECT_EQ(world_.call("map_update_elem", &map, &two, &value, 0), -E2BIG);
  EXPECT_EQ(world_.call("map_update_elem", &map, &one, &value, 1), -EEXIST);
  EXPECT_EQ(world_.call("map_update_elem", &map, &one, &value, 4), -EINVAL);  // BPF_F_LOCK, but no lock
  EXPECT_EQ(world_.call("map_update_elem", &map, &one, &value, 0), 0);
  EXPECT_EQ(world_.call("map_delete_elem", &map, &one), -EINVAL);
  EXPECT_EQ(world_.call("map_lookup_elem", &map, &two), 0);
  const auto found = static_cast<std::uint64_t>(world_.call("map_lookup_elem", &map, &one));
  EXPECT_EQ(*reinterpret_cast<const std::uint64_t*>(found), 99u);
}

TEST_F(Elements, of_each_cpu_are_those_of_the_vcpu) {
  map::Map& map = make(abi::MapType::kPerCpuArray, 4, 8, 1);
  const std::uint32_t zero = 0;
  const std::uint64_t value = 5;
  EXPECT_EQ(world_.call("map_update_elem", &map, &zero, &value, 0), 0);
  for (std::uint32_t cpu = 0; cpu < 2; ++cpu) {
    const auto found = static_cast<std::uint64_t>(world_.call("map_lookup_percpu_elem", &map, &zero, cpu));
    ASSERT_NE(found, 0u);
    EXPECT_EQ(*reinterpret_cast<const std::uint64_t*>(found), cpu == world_.cpu() ? 5u : 0u);
    if (cpu == world_.cpu()) {
      EXPECT_EQ(static_cast<std::uint64_t>(world_.call("map_lookup_elem", &map, &zero)), found);
    }
  }
  EXPECT_EQ(world_.call("map_lookup_percpu_elem", &map, &zero, 2), 0);
  EXPECT_EQ(world_.call("map_lookup_percpu_elem", &map, &zero, -1), 0);
}

TEST_F(Elements, locked_by_a_program_keep_their_lock_when_others_write_them) {
  for (const auto type : {abi::MapType::kArray, abi::MapType::kHash}) {
    map::Map& map = make(type, 4, 16, 1, true);
    const std::uint32_t zero = 0;
    struct {
      std::uint32_t before, lock;
      std::uint64_t after;
    } value{1, 0xffff'ffff, 2};
    EXPECT_EQ(world_.call("map_update_elem", &map, &zero, &value, 0), 0);
    const auto found = static_cast<std::uint64_t>(world_.call("map_lookup_elem", &map, &zero));
    auto* const words = reinterpret_cast<volatile std::uint32_t*>(found);
    EXPECT_EQ(words[1], 0u);  // not what the writer had there
    EXPECT_EQ(world_.call("spin_lock", found + 4), 0);
    const std::uint32_t held = words[1];
    EXPECT_NE(held, 0u);
    if (type == abi::MapType::kArray) {
      value.before = 3;
      EXPECT_EQ(world_.call("map_update_elem", &map, &zero, &value, 0), 0);
      EXPECT_EQ(words[0], 3u);
      EXPECT_EQ(words[1], held);
    }
    EXPECT_EQ(world_.call("spin_unlock", found + 4), 0);
    EXPECT_EQ(words[1], 0u);
    value.before = 4;
    EXPECT_EQ(world_.call("map_update_elem", &map, &zero, &value, 4), 0);  // BPF_F_LOCK
    EXPECT_EQ(words[0], 4u);
    EXPECT_EQ(words[1], 0u);
  }
}

TEST_F(Elements, memory_that_is_gone_is_not_there) {
  map::Map& map = make(abi::MapType::kHash, 4, 8, 1);
  const std::uint32_t key = 0;
  EXPECT_EQ(world_.call("map_lookup_elem", &map, 16), 0);
  EXPECT_EQ(world_.call("map_update_elem", &map, 16, &key, 0), -EFAULT);
  EXPECT_EQ(world_.call("map_update_elem", &map, &key, 16, 0), -EFAULT);
  EXPECT_EQ(world_.call("map_delete_elem", &map, 16), -EFAULT);
}

TEST_F(Elements, are_shown_one_by_one_until_the_callback_has_enough) {
  map::Map& map = make(abi::MapType::kArray, 4, 8, 10);
  EXPECT_EQ(world_.call("for_each_map_elem", &map, 1, 0, 1), -EINVAL);
  EXPECT_EQ(world_.call("for_each_map_elem", &map, 1, 0, 0), 10);
  EXPECT_EQ(world_.calls, 10u);
  EXPECT_EQ(world_.last[0], reinterpret_cast<std::uintptr_t>(&map));
  world_.calls = 0;
  world_.stop_after = 3;
  EXPECT_EQ(world_.call("for_each_map_elem", &map, 1, 0, 0), 3);
}

TEST(Loop, calls_as_often_as_told_or_until_stopped) {
  WorldForTest world;
  EXPECT_EQ(world.call("loop", 5, 1, 0, 0), 5);
  EXPECT_EQ(world.last[0], 4u);
  EXPECT_EQ(world.call("loop", 0, 1, 0, 0), 0);
  EXPECT_EQ(world.call("loop", 5, 1, 0, 1), -EINVAL);
  EXPECT_EQ(world.call("loop", (8 << 20) + 1, 1, 0, 0), -E2BIG);
  world.calls = 0;
  world.stop_after = 2;
  EXPECT_EQ(world.call("loop", 5, 1, 0, 0), 2);
}

TEST(Machine, is_the_thread_and_the_vcpu) {
  WorldForTest world;
  EXPECT_EQ(world.call("get_smp_processor_id"), world.cpu());
  EXPECT_EQ(world.call("get_current_pid_tgid"), static_cast<std::int64_t>(::getpid()) << 32 | ::gettid());
  EXPECT_EQ(sync::run_child([&] {
              const auto own = static_cast<std::int64_t>(::getpid()) << 32 | ::getpid();
              return world.call("get_current_pid_tgid") == own ? 0 : 1;
            }),
            0);
  std::thread([&] {
    EXPECT_EQ(world.call("get_current_pid_tgid"), static_cast<std::int64_t>(::getpid()) << 32 | ::gettid());
  }).join();
  EXPECT_EQ(world.call("get_current_uid_gid"), static_cast<std::int64_t>(::getgid()) << 32 | ::getuid());
  char comm[20], expected[16] = {};
  std::memset(comm, '!', sizeof comm);
  ::prctl(PR_GET_NAME, expected);
  EXPECT_EQ(world.call("get_current_comm", comm, 16), 0);
  EXPECT_STREQ(comm, expected);
  EXPECT_EQ(comm[16], '!');
  EXPECT_EQ(world.call("get_current_comm", comm, 3), 0);
  EXPECT_EQ(std::string(comm), std::string(expected).substr(0, 2));
  EXPECT_EQ(world.call("get_current_comm", comm, 20), 0);
  EXPECT_EQ(comm[19], 0);
}

TEST(Machine, clocks_go_on_and_random_numbers_differ) {
  WorldForTest world;
  for (const char* clock :
       {"ktime_get_ns", "ktime_get_boot_ns", "ktime_get_coarse_ns", "ktime_get_tai_ns", "jiffies64"}) {
    const std::int64_t first = world.call(clock);
    EXPECT_GT(first, 0) << clock;
    EXPECT_GE(world.call(clock), first) << clock;
  }
  std::set<std::int64_t> numbers;
  for (int i = 0; i < 100; ++i) {
    numbers.insert(world.call("get_prandom_u32"));
    EXPECT_LE(*numbers.rbegin(), std::int64_t{0xffff'ffff});
  }
  EXPECT_GT(numbers.size(), 90u);
}

class Recorder : public SystemCalls {
 public:
  long bpf(int command, void*, std::uint32_t size) override {
    return command * 1000 + static_cast<long>(size);
  }
  long close(int fd) override { return fd == 3 ? 0 : -EBADF; }
};

TEST(SystemCallsOfPrograms, go_to_the_runner) {
  WorldForTest world;
  std::uint64_t attr[2] = {};
  EXPECT_EQ(world.call("sys_bpf", 0, attr, 16), -EINVAL);  // nobody serves them
  EXPECT_EQ(world.call("sys_close", 3), -EBADF);
  Recorder recorder;
  world.system = &recorder;
  EXPECT_EQ(world.call("sys_bpf", 2, attr, 16), 2016);     // MAP_UPDATE_ELEM
  EXPECT_EQ(world.call("sys_bpf", 1, attr, 16), -EINVAL);  // MAP_LOOKUP_ELEM is not for programs
  EXPECT_EQ(world.call("sys_close", 3), 0);
  std::uint64_t value = 1;
  EXPECT_EQ(world.call("btf_find_by_name_kind", "file", 5, 4, 0), -ENOENT);
  EXPECT_EQ(world.call("btf_find_by_name_kind", "file", 4, 4, 0), -EINVAL);
  EXPECT_EQ(world.call("btf_find_by_name_kind", "file", 5, 4, 1), -EINVAL);
  EXPECT_EQ(world.call("kallsyms_lookup_name", "jiffies", 8, 0, &value), -ENOENT);
  EXPECT_EQ(value, 0u);
}

}  // namespace
}  // namespace portolan::helper
