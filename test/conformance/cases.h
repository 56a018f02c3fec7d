// SPDX-License-Identifier: Apache-2.0
// Hand-written cases: each says what Linux answers, and is put to every backend that there is.
#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "arena.h"
#include "backend.h"
#include "btf_blob.h"
#include "bytecode.h"
#include "observe.h"
#include "uapi.h"
#include "world.h"

namespace portolan::conformance {

void set_case_backends(Backend* kernel, Backend* portolan);
Backend* case_backend(std::string_view name);

// Results are those of the system call: values, or -errno. They compare as text, so that a failure names the
// error.
struct Answer {
  long value;
  friend bool operator==(Answer, Answer) = default;
  friend void PrintTo(Answer answer, std::ostream* out) { *out << result_text(answer.value); }
};

struct MapSpec {
  std::uint32_t type = kHash, key_size = 4, value_size = 8, max_entries = 4, flags = 0;
};

using Data = std::vector<std::byte>;
Data data(std::initializer_list<unsigned> bytes);
Data number32(std::uint32_t value);
Data number64(std::uint64_t value);
Data repeated(std::size_t size, unsigned byte);
Data joined(std::initializer_list<Data> parts);

class Case : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override;
  void TearDown() override;

  Backend& backend() { return *backend_; }
  long call(unsigned command, Attr attr, unsigned size = kAttrSize);
  // Leaves what the call wrote into the attr in `attr`.
  long call_back(unsigned command, Attr& attr, unsigned size = kAttrSize);
  Answer answer(long value) { return {value}; }

  long create(const MapSpec& spec, const std::function<void(Attr&)>& edit = {});
  int map(const MapSpec& spec);  // must succeed
  long load_btf(const Data& blob);
  int types_btf();    // the BTF of btf_blob.h
  int keep(long fd);  // closes it after the test

  long update(int fd, const Data& key, const Data& value, std::uint64_t flags = 0);
  long lookup(int fd, const Data& key, Data* value, std::uint64_t flags = 0);
  long take(int fd, const Data& key, Data* value, std::uint64_t flags = 0);
  long erase(int fd, const Data& key);
  long next(int fd, const Data* key, Data* following);
  long freeze(int fd);
  // Programs: the fd, closed after the test, or -errno; and a run on 64 bytes of packet: R0, or -errno.
  long load(std::uint32_t type, const std::vector<Bytecode::Insn>& insns,
            const std::function<void(Attr&)>& edit = {});
  int program(std::uint32_t type, const std::vector<Bytecode::Insn>& insns);  // must load
  long run(int program);
  long info(int fd, Data* details);
  std::uint32_t id(int fd);
  long pin(int fd, const std::string& path, std::uint32_t flags = 0);
  long get(const std::string& path, std::uint32_t flags = 0);
  std::string pin_path(const std::string& name) { return backend().pin_directory() + "/" + name; }

  // A batch call; what it wrote is left in the arguments.
  struct Batch {
    Data in, out = Data(64), keys, values;
    bool from_start = true;
    std::uint32_t count = 0;
    std::uint64_t elem_flags = 0, flags = 0;
  };
  long batch(unsigned command, int fd, Batch& batch);

 private:
  Backend* backend_ = nullptr;
  std::vector<int> fds_;
};

#define EXPECT_ANSWER(expected, actual) EXPECT_EQ(Answer{expected}, Answer{actual})
#define ASSERT_ANSWER(expected, actual) ASSERT_EQ(Answer{expected}, Answer{actual})
// Declares the cases of a fixture for both backends.
#define ON_BOTH_BACKENDS(Fixture)                                                      \
  INSTANTIATE_TEST_SUITE_P(Backends, Fixture, ::testing::Values("kernel", "portolan"), \
                           [](const auto& case_info) { return case_info.param; })

}  // namespace portolan::conformance
