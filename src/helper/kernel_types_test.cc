// SPDX-License-Identifier: Apache-2.0
#include "helper/kernel_types.h"

#include <gtest/gtest.h>
#include <sys/utsname.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <string>

#include "btf/declarations.h"
#include "helper/kfunc.h"

namespace portolan::helper {
namespace {

using btf::Btf;
using btf::Kind;

std::vector<std::byte> machine_bytes() {
  std::ifstream file("/sys/kernel/btf/vmlinux", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}
bool machine_is_6_18() {
  struct ::utsname names{};
  return ::uname(&names) == 0 && std::string_view(names.release).starts_with("6.18.");
}

// A type as C spells it.
std::string spelled(const Btf& types, std::uint32_t id) {
  if (id == 0) return "void";
  const btf::Type& type = *types.type(id);
  if (btf::is(type, Kind::kPtr)) return spelled(types, type.type) + " *";
  if (btf::is(type, Kind::kConst)) return "const " + spelled(types, type.type);
  return types.name(type);
}
std::string prototype(const Btf& types, const btf::Type& function) {
  const btf::Type& prototype = *types.type(function.type);
  std::string text = spelled(types, prototype.type) + " " + types.name(function);
  for (const abi::btf::Param& one : types.params(prototype))
    text += ", " + spelled(types, one.type) + " " + types.name(one.name_off);
  return text;
}

class KernelTypes : public testing::Test {
 protected:
  KernelTypes() : own_(*Btf::parse(own_kernel_types())) {}
  const Btf own_;
};
class KernelTypesOfMachine : public KernelTypes {
 protected:
  void SetUp() override {
    bytes_ = machine_bytes();
    auto parsed = Btf::parse(bytes_);
    if (!parsed || !machine_is_6_18()) GTEST_SKIP() << "this machine has no BTF of Linux 6.18";
    machine_.emplace(std::move(*parsed));
  }
  std::vector<std::byte> bytes_;
  std::optional<Btf> machine_;
};

TEST_F(KernelTypes, every_kfunc_that_is_here_has_a_prototype_and_a_tag) {
  std::set<std::uint32_t> tagged;
  for (std::uint32_t id = 1; id < own_.type_count(); ++id)
    if (btf::is(*own_.type(id), Kind::kDeclTag)) tagged.insert(own_.type(id)->type);
#define KFUNC_NOT_HERE(name, note)
#define KFUNC(name, ...) names.push_back("bpf_" #name);
  std::vector<std::string> names;
#include "helper/kfuncs.def"
#undef KFUNC
#undef KFUNC_NOT_HERE
  for (std::string& name : names) {
    if (name.ends_with('_')) name.pop_back();
    const Kfunc* const kfunc = find_kfunc(name);
    const auto id = own_.find_by_name(name, Kind::kFunc);
    ASSERT_TRUE(kfunc != nullptr && id) << name;
    EXPECT_TRUE(tagged.contains(*id)) << name;
    const auto wanted = std::ranges::count_if(
        kfunc->args, [](const KfuncArgument& one) { return one.kind != KfuncArg::kNone; });
    EXPECT_EQ(own_.params(*own_.type(own_.type(*id)->type)).size(), static_cast<std::size_t>(wanted)) << name;
  }
  EXPECT_EQ(tagged.size(), names.size());
}

TEST_F(KernelTypes, they_are_the_same_each_time) { EXPECT_EQ(own_kernel_types(), own_kernel_types()); }

TEST_F(KernelTypes, an_older_kernel_gets_the_functions_that_it_lacks) {
  const Btf old = *Btf::parse(
      btf::types_declared("struct bpf_dynptr { long it_was_so[2]; }; struct task_struct { int pid; };"));
  const Btf both = *Btf::parse(completed(old));
  const auto size = both.find_by_name("bpf_dynptr_size", Kind::kFunc);
  ASSERT_TRUE(size);
  EXPECT_GE(*size, old.type_count());
  EXPECT_EQ(prototype(both, *both.type(*size)), "__u32 bpf_dynptr_size, const bpf_dynptr * p");
  EXPECT_EQ(both.find_by_name("bpf_dynptr", Kind::kStruct), old.find_by_name("bpf_dynptr", Kind::kStruct));
}

TEST_F(KernelTypesOfMachine, functions_are_as_in_linux) {
  for (std::uint32_t id = 1; id < own_.type_count(); ++id) {
    const btf::Type& function = *own_.type(id);
    if (!btf::is(function, Kind::kFunc)) continue;
    const auto there = machine_->find_by_name(own_.name(function), Kind::kFunc);
    ASSERT_TRUE(there) << own_.name(function);
    EXPECT_EQ(prototype(own_, function), prototype(*machine_, *machine_->type(*there)));
  }
}

TEST_F(KernelTypesOfMachine, nothing_is_missing_there) { EXPECT_EQ(completed(*machine_), bytes_); }

// Of those inside the kernel there are only some members, wherever.
TEST_F(KernelTypesOfMachine, structs_that_clients_see_are_as_in_linux) {
  const std::set<std::string_view> inside = {
      "seq_file",        "sock_common",     "sock",          "sk_buff",          "task_struct", "bpf_map",
      "bpf_prog_aux",    "bpf_prog",        "bpf_link",      "bpf_array",        "bpf_htab",    "lpm_trie",
      "bpf_queue_stack", "bpf_ringbuf_map", "bpf_stack_map", "bpf_bloom_filter", "xdp_buff"};
  int compared = 0;
  for (std::uint32_t id = 1; id < own_.type_count(); ++id) {
    const btf::Type& type = *own_.type(id);
    const std::string_view name = own_.name(type);
    if (!btf::is(type, Kind::kStruct) || name.empty() || inside.contains(name)) continue;
    const auto there = machine_->find_by_name(name, Kind::kStruct);
    ASSERT_TRUE(there) << name;
    EXPECT_EQ(type.size, machine_->type(*there)->size) << name;
    const auto mine = own_.members(type), theirs = machine_->members(*machine_->type(*there));
    ASSERT_EQ(mine.size(), theirs.size()) << name;
    for (std::size_t i = 0; i < mine.size(); ++i) {
      EXPECT_STREQ(own_.name(mine[i].name_off), machine_->name(theirs[i].name_off)) << name;
      EXPECT_EQ(mine[i].offset, theirs[i].offset) << name << " " << own_.name(mine[i].name_off);
    }
    ++compared;
  }
  EXPECT_GT(compared, 60);
}

TEST_F(KernelTypesOfMachine, enumerators_are_as_in_linux) {
  for (std::uint32_t id = 1; id < own_.type_count(); ++id) {
    const btf::Type& type = *own_.type(id);
    const std::string_view name = own_.name(type);
    if (!btf::is(type, Kind::kEnum) || name == "bpf_map_type") continue;  // that has newer ones
    const auto there = machine_->find_by_name(name, Kind::kEnum);
    ASSERT_TRUE(there) << name;
    std::set<std::pair<std::string, std::int32_t>> values;
    for (const abi::btf::Enum& one : machine_->enums(*machine_->type(*there)))
      values.emplace(machine_->name(one.name_off), one.val);
    for (const abi::btf::Enum& one : own_.enums(type))
      EXPECT_TRUE(values.contains({own_.name(one.name_off), one.val})) << own_.name(one.name_off);
  }
}

}  // namespace
}  // namespace portolan::helper
