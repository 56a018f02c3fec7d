// SPDX-License-Identifier: Apache-2.0
// A runtime of its own, and a run in it, for calling helpers without a program.
#pragma once
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "abi/prog_type.h"
#include "base/fault_copy.h"
#include "helper/helper.h"
#include "sync/process_for_test.h"

namespace portolan::helper {

class WorldForTest : public map::ProgramInvoker {
 public:
  WorldForTest() {
    install_fault_handler();
    std::string why;
    auto runtime = object::Runtime::open(directory_.path() + "/runtime", {.possible_cpus = 2}, &why);
    if (!runtime) {
      ADD_FAILURE() << why;
      std::abort();
    }
    runtime_ = std::move(*runtime);
    actor_ = *runtime_->actor();
    cpu_ = runtime_->vcpus().lease(actor_);
    runtime_->vcpus().enter(cpu_);
  }
  virtual ~WorldForTest() {
    runtime_->vcpus().leave(cpu_);
    runtime_->vcpus().release(actor_, cpu_);
  }

  object::Runtime& runtime() { return *runtime_; }
  std::uint32_t cpu() const { return cpu_; }
  Run run(abi::ProgType type = abi::ProgType::kSyscall) {
    Run run(*runtime_, actor_, cpu_, system);
    run.begin(static_cast<std::uint32_t>(type), 1, nullptr, nullptr, nullptr);
    run.program = this;
    return run;
  }

  // The helper of that name, called with these registers.
  template <class... Arguments>
  std::int64_t call(const char* name, Arguments... arguments) {
    return call_from(abi::ProgType::kSyscall, name, arguments...);
  }
  template <class... Arguments>
  std::int64_t call_from(abi::ProgType type, const char* name, Arguments... arguments) {
    std::uint64_t registers[5] = {word(arguments)...};
    Run now = run(type);
    const Prototype& prototype = named(name);
    return static_cast<std::int64_t>(
        prototype.function(now, registers[0], registers[1], registers[2], registers[3], registers[4]));
  }

  static const Prototype& named(const char* name) {
    for (std::uint32_t id = 1; id < kHelperEnd; ++id)
      if (std::string("bpf_") + name == find(id)->name) return *find(id);
    ADD_FAILURE() << "no helper " << name;
    std::abort();
  }

  std::uint64_t call_back(std::uint64_t, std::uint64_t a, std::uint64_t b, std::uint64_t, std::uint64_t,
                          std::uint64_t) override {
    ++calls;
    last[0] = a;
    last[1] = b;
    return calls == stop_after ? 1 : 0;
  }
  std::uint32_t calls = 0, stop_after = 0;
  std::uint64_t last[2] = {};
  SystemCalls* system = nullptr;

 private:
  template <class T>
  static std::uint64_t word(T value) {
    if constexpr (std::is_pointer_v<T>)
      return reinterpret_cast<std::uintptr_t>(value);
    else
      return static_cast<std::uint64_t>(value);
  }
  sync::DirectoryForTest directory_;
  std::unique_ptr<object::Runtime> runtime_;
  sync::Actor actor_;
  std::uint32_t cpu_;
};

}  // namespace portolan::helper
