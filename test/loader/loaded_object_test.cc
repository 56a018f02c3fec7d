// SPDX-License-Identifier: Apache-2.0
// Objects are loaded, run and looked into, on Portolan and, where it is permitted, on the kernel.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <portolan/portolan.hpp>
#include <thread>

namespace portolan {
namespace {

std::string path_of(const std::string& name) { return std::string(OBJECTS) + "/" + name + ".bpf.o"; }

std::vector<std::byte> bytes_of(const std::string& name) {
  std::ifstream file(path_of(name), std::ios::binary);
  std::vector<char> text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

class Objects : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "kernel") {
      runtime_.emplace(Runtime::kernel());
      const auto probe = Array<std::uint64_t>::create(*runtime_, 1);
      if (!probe) GTEST_SKIP() << "the kernel's bpf(2) is not to be had here: " << probe.error().message();
    } else {
      auto made = Runtime::create_private();
      ASSERT_TRUE(made) << made.error().message();
      runtime_.emplace(std::move(*made));
    }
  }
  const Runtime& runtime() const { return *runtime_; }
  Object load(const std::string& name, const ObjectOptions& options = {}) {
    auto object = Object::load(runtime(), path_of(name), options);
    EXPECT_TRUE(object) << object.error().message();
    return std::move(object.value());
  }
  static std::uint32_t run(const Object& object, std::string_view name, std::size_t size = 64) {
    const Program* program = object.program(name);
    if (program == nullptr) {
      ADD_FAILURE() << "no program " << name;
      return ~0u;
    }
    const std::vector<std::byte> packet(size);
    const auto result = program->test_run({.data = packet});
    EXPECT_TRUE(result) << result.error().message();
    return result ? result->retval : ~0u;
  }

 private:
  std::optional<Runtime> runtime_;
};
INSTANTIATE_TEST_SUITE_P(Backends, Objects, ::testing::Values("kernel", "portolan"),
                         [](const auto& one) { return one.param; });

TEST_P(Objects, a_legacy_object_loads_and_runs) {
  const Object object = load("legacy");
  EXPECT_THAT(object.map_names(), ::testing::ElementsAre("packets", "sizes", "outer", "next"));
  std::vector<std::string> programs;
  for (const Program& program : object.programs())
    programs.push_back(program.section() + " " + program.name());
  EXPECT_THAT(programs, ::testing::ElementsAre("xdp count_packets", "xdp/second always_aborts",
                                               "socket keep_some", "socket/sum sum_up"));
  EXPECT_EQ(run(object, "count_packets", 64), 2u);
  EXPECT_EQ(run(object, "count_packets", 100), 2u);
  EXPECT_EQ(run(object, "count_packets", 64), 1u);
  auto packets = object.map<Array<std::uint64_t>>("packets");
  ASSERT_TRUE(packets) << packets.error().message();
  EXPECT_EQ(packets->lookup(0).value(), 3u);
  EXPECT_EQ(packets->lookup(1).value(), 3u);
  auto sizes = object.map<Hash<std::uint32_t, std::uint64_t>>("sizes");
  ASSERT_TRUE(sizes) << sizes.error().message();
  EXPECT_EQ(sizes->lookup(100).value(), 2u);
  EXPECT_EQ(sizes->lookup(64).value(), 3u);
  EXPECT_EQ(sizes->info().flags & kNoPrealloc, kNoPrealloc);
  EXPECT_EQ(run(object, "sum_up"), 4u + 4u + 1u + 1u);
}

TEST_P(Objects, tail_calls_and_inner_maps_of_a_legacy_object) {
  const Object object = load("legacy");
  auto next = RawMap::from_fd(runtime(), ::dup(object.map_fds()[3]));
  ASSERT_TRUE(next);
  const std::uint32_t zero = 0, one = 1;
  const int target = object.program("always_aborts")->fd();
  ASSERT_TRUE(next->update(std::as_bytes(std::span(&zero, 1)), std::as_bytes(std::span(&target, 1))));
  EXPECT_EQ(run(object, "count_packets"), 0u);  // XDP_ABORTED, by the other program
  EXPECT_EQ(run(object, "keep_some"), 0u);
  auto outer = RawMap::from_fd(runtime(), ::dup(object.map_fds()[2]));
  ASSERT_TRUE(outer);
  // One that is younger than what refers to it, and goes before it when the runtime ends.
  auto younger = Array<std::uint64_t>::create(runtime(), 4);
  ASSERT_TRUE(younger);
  ASSERT_TRUE(younger->update(0, 33));
  int inner = younger->fd();
  ASSERT_TRUE(outer->update(std::as_bytes(std::span(&one, 1)), std::as_bytes(std::span(&inner, 1))));
  EXPECT_EQ(run(object, "keep_some"), 33u);
  inner = object.map_fds()[0];
  ASSERT_TRUE(outer->update(std::as_bytes(std::span(&one, 1)), std::as_bytes(std::span(&inner, 1))));
  EXPECT_EQ(run(object, "keep_some"), 1u);
}

TEST_P(Objects, an_object_with_btf_loads_and_runs) {
  const Object object = load("variables");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(run(object, "limited"), 2u);
  EXPECT_EQ(run(object, "limited"), 1u);
  auto seen = object.map<Hash<std::uint32_t, std::uint64_t>>("seen");
  ASSERT_TRUE(seen) << seen.error().message();
  EXPECT_EQ(seen->lookup(64).value(), 6u);
  auto runs = object.map<Array<std::uint64_t>>(".bss");
  ASSERT_TRUE(runs) << runs.error().message();
  EXPECT_EQ(runs->lookup(0).value(), 12u);
  auto limit = object.map<Array<std::uint32_t>>(".data");
  ASSERT_TRUE(limit) << limit.error().message();
  ASSERT_TRUE(limit->update(0, 100));
  EXPECT_EQ(run(object, "limited"), 2u);
  EXPECT_EQ(object.map<Array<std::uint32_t>>(".rodata")->update(0, 5).error().code(), EPERM);
}

TEST_P(Objects, a_program_of_type_syscall_changes_its_context) {
  const Object object = load("variables");
  std::uint64_t context = 21;
  const auto bytes = std::as_writable_bytes(std::span(&context, 1));
  const auto result = object.program("doubled")->test_run({.context = bytes, .context_out = bytes});
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(result->retval, 7u);
  EXPECT_EQ(context, 42u);
}

TEST_P(Objects, test_run_gives_the_packet_back) {
  const Object object = load("legacy");
  std::vector<std::byte> packet(80, std::byte{7}), out(80);
  const auto result =
      object.program("count_packets")->test_run({.data = packet, .data_out = out, .repeat = 3});
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(result->data_size, 80u);
  EXPECT_EQ(out, packet);
  std::vector<std::byte> little(10);
  EXPECT_EQ(object.program("count_packets")->test_run({.data = packet, .data_out = little}).error().code(),
            ENOSPC);
  EXPECT_EQ(object.program("count_packets")->test_run({.data = {}}).error().code(), EINVAL);
}

TEST_P(Objects, a_program_runs_on_many_packets_where_they_lie) {
  const Object object = load("legacy");
  std::vector<std::byte> room(100 * 256);
  std::vector<Packet> packets;
  for (std::size_t i = 0; i < 100; ++i)
    packets.push_back({.room = std::span(room).subspan(i * 256, 256), .offset = 64, .size = 64});
  std::vector<std::uint32_t> results(packets.size());
  const Program& program = *object.program("count_packets");
  const auto ran = program.run(packets, results);
  if (GetParam() == "kernel") {
    ASSERT_FALSE(ran);
    EXPECT_EQ(ran.error().code(), EOPNOTSUPP);
    return;
  }
  ASSERT_TRUE(ran) << ran.error().message();
  constexpr std::uint32_t kDrop = 1, kPass = 2;
  for (std::size_t i = 0; i < packets.size(); ++i) EXPECT_EQ(results[i], i < 2 ? kPass : kDrop) << i;
  EXPECT_EQ(program.run(packets, std::span(results).first(99)).error().code(), EINVAL);
  packets[1].size = 13;  // shorter than its header
  EXPECT_EQ(program.run(packets, results).error().code(), EINVAL);
}

TEST_P(Objects, bytes_and_options) {
  for (const std::string name : {"legacy", "variables"}) {
    const std::string map = name == "legacy" ? "sizes" : "seen";
    const auto object = Object::load(runtime(), bytes_of(name), {.max_entries = {{map, 3}}});
    ASSERT_TRUE(object) << object.error().message();
    auto small = object->map<Hash<std::uint32_t, std::uint64_t>>(map);
    ASSERT_TRUE(small) << small.error().message();
    EXPECT_EQ(small->info().max_entries, 3u);
    const auto unknown = Object::load(runtime(), bytes_of(name), {.max_entries = {{"sizs", 3}}});
    ASSERT_FALSE(unknown);
    EXPECT_THAT(unknown.error().message(), ::testing::HasSubstr("\"sizs\""));
  }
}

TEST_P(Objects, what_is_not_there_is_said) {
  const Object object = load("legacy");
  EXPECT_EQ(object.program("nobody"), nullptr);
  const auto none = object.map<Array<std::uint64_t>>("packet");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), ENOENT);
  EXPECT_THAT(none.error().message(), ::testing::HasSubstr("packets, sizes, outer, next"));
  EXPECT_EQ((object.map<Hash<std::uint32_t, std::uint64_t>>("packets").error().code()), EINVAL);
  const auto absent = Object::load(runtime(), "/absent/x.bpf.o");
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code(), ENOENT);
  EXPECT_THAT(absent.error().message(), ::testing::HasSubstr("/absent/x.bpf.o"));
  const auto nonsense = Object::load(runtime(), "/etc/passwd");
  ASSERT_FALSE(nonsense);
  EXPECT_THAT(nonsense.error().message(), ::testing::HasSubstr("/etc/passwd"));
}

TEST(PortolanObjects, functions_are_those_of_the_runtimes_kernel_types) {
  const auto runtime = Runtime::create_private({.kernel_btf = "builtin"});
  ASSERT_TRUE(runtime) << runtime.error().message();
  const auto object = Object::load(*runtime, path_of("kernel_functions"));
  ASSERT_TRUE(object) << object.error().message();
  const auto result = object->program("sum_up")->test_run({.data = std::vector<std::byte>(64)});
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(result->retval, 12u);
}

TEST_P(Objects, what_the_verifier_refuses_comes_with_its_log) {
  const auto refused = Object::load(runtime(), path_of("refused"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), EACCES);
  EXPECT_THAT(refused.error().message(), ::testing::HasSubstr("reads_beyond"));
  EXPECT_THAT(refused.error().message(), ::testing::HasSubstr("invalid access to packet"));
}

// The ids of all maps and programs.
std::vector<std::uint32_t> ids(const Runtime& runtime) {
  std::vector<std::uint32_t> all;
  for (const int command : {11, 12}) {  // PROG_GET_NEXT_ID, MAP_GET_NEXT_ID
    std::uint32_t attr[3] = {};
    while (runtime.bpf(command, attr, sizeof attr) == 0) {
      all.push_back(attr[1]);
      attr[0] = attr[1];
      attr[1] = 0;
    }
  }
  return all;
}

TEST(ObjectsOfARuntime, nothing_is_left_of_what_failed_or_went) {
  const auto made = Runtime::create_private();
  ASSERT_TRUE(made) << made.error().message();
  const Runtime& runtime = *made;
  for (const std::string name : {"legacy", "variables", "refused"}) {
    {
      const auto object = Object::load(runtime, path_of(name));
    }
    EXPECT_THAT(ids(runtime), ::testing::IsEmpty()) << name;
  }
  auto bytes = bytes_of("legacy");
  const auto broken = Object::load(runtime, bytes, {.max_entries = {{"next", 0}}});  // the last map
  ASSERT_FALSE(broken);
  EXPECT_THAT(broken.error().message(), ::testing::HasSubstr("symbol \"next\""));
  EXPECT_THAT(ids(runtime), ::testing::IsEmpty());
}

TEST(ObjectsOfARuntime, two_threads_load_into_two_runtimes) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i)
    threads.emplace_back([i] {
      auto runtime = Runtime::create_private();
      ASSERT_TRUE(runtime) << runtime.error().message();
      for (int round = 0; round < 10; ++round) {
        const auto object = Object::load(*runtime, path_of(round % 2 == 0 ? "variables" : "legacy"));
        ASSERT_TRUE(object) << object.error().message();
        EXPECT_EQ(object->runtime().directory(), runtime->directory()) << i;
        EXPECT_EQ(ids(*runtime).size(), object->map_fds().size() + object->programs().size());
      }
    });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace portolan
