// SPDX-License-Identifier: Apache-2.0
#include "helper/kernel_btf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "base/fault_copy.h"
#include "btf/declarations.h"
#include "helper/kernel_types.h"
#include "sync/process_for_test.h"

namespace portolan::helper {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class KernelBtf : public testing::Test {
 protected:
  void SetUp() override {
    install_fault_handler();
    runtime_ = open();
  }
  std::unique_ptr<object::Runtime> open() {
    std::string why;
    auto runtime = object::Runtime::open(directory(), {.possible_cpus = 2}, &why);
    EXPECT_TRUE(runtime) << why;
    (*runtime)->extend(object::Extended::kKernelTypes, kernel_types_of(**runtime));
    return std::move(*runtime);
  }
  std::string directory() const { return directory_.path() + "/runtime"; }
  std::string kept() const { return directory() + "/" + kKernelBtfFile; }
  std::string file(const char* name, std::string_view text) const {
    const std::string path = directory_.path() + "/" + name;
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  std::string file_of_types(const char* name, std::string_view declarations) const {
    const std::vector<std::byte> blob = btf::types_declared(declarations);
    return file(name, {reinterpret_cast<const char*>(blob.data()), blob.size()});
  }
  int give(const std::string& file) {
    why_.clear();
    const Result<void> done = give_kernel_btf(*runtime_, file, &why_);
    return done ? 0 : done.error().value;
  }
  std::uint32_t function(object::Runtime& runtime, const char* name) {
    const auto types = kernel_btf(runtime);
    return types ? (*types)->find_by_name(name, btf::Kind::kFunc).value_or(0) : 0;
  }

  sync::DirectoryForTest directory_;
  std::unique_ptr<object::Runtime> runtime_;
  std::string why_;
};

TEST_F(KernelBtf, every_runtime_has_the_functions_that_are_here) {
  EXPECT_NE(function(*runtime_, "bpf_iter_num_new"), 0u);
  EXPECT_NE(function(*runtime_, "bpf_iter_bpf_map_elem"), 0u);
  struct ::stat status{};
  ASSERT_EQ(::stat(kept().c_str(), &status), 0);
  EXPECT_EQ(status.st_nlink, 1u);
  EXPECT_EQ(status.st_mode & 0777, 0444u);
  EXPECT_TRUE(std::filesystem::is_empty(directory() + "/staging"));
}

TEST_F(KernelBtf, ours_are_had_for_the_asking) {
  ASSERT_EQ(give("builtin"), 0) << why_;
  EXPECT_EQ(*read_kernel_btf(*runtime_), own_kernel_types());
  EXPECT_EQ(give("builtin"), 0) << why_;
}

TEST_F(KernelBtf, a_given_file_is_completed_and_kept_when_it_goes) {
  const std::string given =
      file_of_types("kernel", "struct first { int a; }; int security_something(int a);");
  ASSERT_EQ(give(given), 0) << why_;
  EXPECT_NE(function(*runtime_, "security_something"), 0u);
  const std::uint32_t id = function(*runtime_, "bpf_throw");
  EXPECT_NE(id, 0u);
  EXPECT_EQ(give(given), 0) << why_;
  std::filesystem::remove(given);
  runtime_.reset();
  runtime_ = open();
  EXPECT_EQ(function(*runtime_, "bpf_throw"), id);
  EXPECT_EQ(kernel_struct(*runtime_, "first").value_or(0),
            (*kernel_btf(*runtime_))->find_by_name("first", btf::Kind::kStruct));
}

TEST_F(KernelBtf, a_runtime_keeps_the_types_that_it_has) {
  ASSERT_EQ(give(file_of_types("one", "struct first { int a; };")), 0) << why_;
  const std::string other = file_of_types("two", "struct first { long a; };");
  EXPECT_EQ(give(other), EEXIST);
  EXPECT_THAT(why_, AllOf(HasSubstr(other), HasSubstr(directory())));
  EXPECT_EQ(give("builtin"), EEXIST);
  const auto second = open();
  EXPECT_EQ(*kernel_btf(*second), *kernel_btf(*runtime_));
}

TEST_F(KernelBtf, a_bad_file_is_refused_with_its_name_and_the_reason) {
  const std::string missing = directory_.path() + "/nowhere";
  EXPECT_EQ(give(missing), ENOENT);
  EXPECT_THAT(why_, AllOf(HasSubstr(missing), HasSubstr("No such file")));
  const std::string zeros = file("zeros", std::string(100, char{0}));
  EXPECT_EQ(give(zeros), EINVAL);
  EXPECT_THAT(why_, AllOf(HasSubstr(zeros), HasSubstr("Invalid magic")));
  EXPECT_EQ(give(file("elf", "\177ELF and so on")), EINVAL);
  EXPECT_THAT(why_, HasSubstr("--only-section=.BTF"));
  EXPECT_EQ(give(directory_.path()), EINVAL);
  EXPECT_FALSE(std::filesystem::exists(kept()));
}

TEST_F(KernelBtf, a_broken_file_in_the_runtime_is_an_error_and_found_by_fsck) {
  std::ofstream(kept()) << "nonsense";
  EXPECT_EQ(kernel_btf(*runtime_).error().value, EINVAL);
  shm::Findings findings;
  runtime_->check(findings);
  EXPECT_FALSE(findings.clean());
}

TEST_F(KernelBtf, who_comes_at_once_gets_the_same) {
  std::vector<std::unique_ptr<object::Runtime>> runtimes;
  for (int i = 0; i < 4; ++i) runtimes.push_back(open());
  std::vector<std::vector<std::byte>> read(runtimes.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < runtimes.size(); ++i)
    threads.emplace_back([&, i] {
      // Odd ones want others: whoever is first decides.
      std::string why;
      (void)give_kernel_btf(*runtimes[i], i % 2 == 0 ? "builtin" : "/sys/kernel/btf/vmlinux", &why);
      read[i] = read_kernel_btf(*runtimes[i]).value_or(std::vector<std::byte>{});
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(read[0].empty());
  for (const auto& one : read) EXPECT_EQ(one, read[0]);
}

}  // namespace
}  // namespace portolan::helper
