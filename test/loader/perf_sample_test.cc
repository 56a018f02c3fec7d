// SPDX-License-Identifier: Apache-2.0
// Programs of perf events, run by a host.
#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <portolan/portolan.hpp>

namespace portolan {
namespace {

class PerfSamples : public ::testing::Test {
 protected:
  void SetUp() override {
    auto runtime = Runtime::create_private();
    ASSERT_TRUE(runtime) << runtime.error().message();
    auto object = Object::load(*runtime, OBJECTS "/samples.bpf.o");
    ASSERT_TRUE(object) << object.error().message();
    object_.emplace(std::move(*object));
  }
  Expected<void> run(const char* name, std::span<const PerfSample> samples,
                     std::span<std::uint32_t> results) const {
    return object_->program(name)->run(samples, results);
  }
  std::optional<Object> object_;
};

TEST_F(PerfSamples, are_seen_by_programs_one_after_the_other) {
  std::array<PerfSample, 3> samples;
  for (std::uint32_t i = 0; i < 3; ++i) {
    samples[i].registers.ip = 1000 * i;
    samples[i].period = 10 + i;
    samples[i].address = 100;
  }
  std::array<std::uint32_t, 3> results{};
  ASSERT_TRUE(run("reads_its_sample", samples, results));
  EXPECT_EQ(results, (std::array<std::uint32_t, 3>{110, 1111, 2112}));
}

TEST_F(PerfSamples, tell_of_their_event) {
  PerfSample sample;
  sample.counter = 3;
  sample.enabled_ns = 40;
  sample.running_ns = 500;
  std::uint32_t result = 0;
  ASSERT_TRUE(run("reads_the_event", {&sample, 1}, {&result, 1}));
  EXPECT_EQ(result, 543u);
  ASSERT_TRUE(run("reads_half_of_it", {&sample, 1}, {&result, 1}));
  EXPECT_EQ(static_cast<std::int32_t>(result), -EINVAL);  // and zeros
}

TEST_F(PerfSamples, are_for_programs_of_their_type) {
  PerfSample sample;
  std::uint32_t result = 0;
  Packet packet;
  EXPECT_EQ(object_->program("reads_the_event")->run({&packet, 1}, {&result, 1}).error().code(), EINVAL);
  EXPECT_EQ(run("reads_the_event", {&sample, 1}, {}).error().code(), EINVAL);
}

}  // namespace
}  // namespace portolan
