// SPDX-License-Identifier: Apache-2.0
// bpf(2) of the live kernel, and Portolan's on fresh runtimes: one with the JIT, one that interprets.
#pragma once
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "abi/attr.h"
#include "abi/command.h"
#include "abi/insn.h"
#include "abi/map_type.h"
#include "abi/prog_type.h"
#include "base/fault_copy.h"
#include "base/sys.h"
#include "syscall/dispatch.h"
#include "vm/prepare.h"

namespace portolan::isa {

class Side {
 public:
  virtual ~Side() = default;
  virtual const char* name() const = 0;
  virtual long bpf(abi::Command command, abi::Attr& attr) = 0;

  long load(abi::ProgType type, const std::vector<abi::Insn>& insns, std::string* log = nullptr,
            std::uint32_t expected_attach_type = 0, std::uint32_t flags = 0) {
    static char buffer[1 << 20];
    buffer[0] = 0;
    abi::Attr attr{};
    attr.prog_load.prog_type = static_cast<std::uint32_t>(type);
    attr.prog_load.insns = address(insns.data());
    attr.prog_load.insn_cnt = static_cast<std::uint32_t>(insns.size());
    attr.prog_load.license = address("GPL");
    attr.prog_load.expected_attach_type = expected_attach_type;
    attr.prog_load.prog_flags = flags;
    if (log != nullptr) {
      attr.prog_load.log_level = 2;
      attr.prog_load.log_buf = address(buffer);
      attr.prog_load.log_size = sizeof buffer;
    }
    const long fd = bpf(abi::Command::kProgLoad, attr);
    if (log != nullptr) *log = buffer;
    return fd;
  }
  // An array of one value.
  long make_array(std::uint32_t value_size) {
    abi::Attr attr{};
    attr.map_create.map_type = static_cast<std::uint32_t>(abi::MapType::kArray);
    attr.map_create.key_size = 4;
    attr.map_create.value_size = value_size;
    attr.map_create.max_entries = 1;
    return bpf(abi::Command::kMapCreate, attr);
  }
  long update(long map, const void* value) { return element(abi::Command::kMapUpdateElem, map, value); }
  long lookup(long map, void* value) { return element(abi::Command::kMapLookupElem, map, value); }

  static std::uint64_t address(const void* at) { return reinterpret_cast<std::uintptr_t>(at); }

 private:
  long element(abi::Command command, long map, const void* value) {
    static constexpr std::uint32_t kZero = 0;
    abi::Attr attr{};
    attr.elem.map_fd = static_cast<std::uint32_t>(map);
    attr.elem.key = address(&kZero);
    attr.elem.value = address(value);
    return bpf(command, attr);
  }
};

class Kernel final : public Side {
 public:
  const char* name() const override { return "kernel"; }
  long bpf(abi::Command command, abi::Attr& attr) override {
    return sys::call(SYS_bpf, static_cast<long>(command), static_cast<long>(address(&attr)), sizeof attr);
  }
};

enum class Engine : std::uint8_t { kInterpreter, kJit };

class Ours final : public Side {
 public:
  explicit Ours(Engine engine) : engine_(engine) {
    install_fault_handler();
    std::string pattern = "/dev/shm/portolan-isa-test-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    std::filesystem::remove_all(directory_);
    std::string why;
    runtime_ = std::move(*object::Runtime::open(directory_, {}, &why));
    syscall::prepare(*runtime_);
  }
  ~Ours() override {
    runtime_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  const char* name() const override {
    return engine_ == Engine::kJit ? "portolan's JIT" : "portolan's interpreter";
  }
  long bpf(abi::Command command, abi::Attr& attr) override {
    vm::set_jit_for_test(engine_ == Engine::kJit);
    return syscall::bpf(*runtime_, caller_, static_cast<int>(command), address(&attr), sizeof attr);
  }
  object::Runtime& runtime() { return *runtime_; }

 private:
  Engine engine_;
  std::string directory_;
  std::unique_ptr<object::Runtime> runtime_;
  syscall::LocalCaller caller_;
};

// Skips where the kernel lets nobody load and run a program.
class WithBoth : public testing::Test {
 protected:
  void SetUp() override {
    const long fd = kernel_.load(abi::ProgType::kSocketFilter, {{0xb7, 0, 0, 0}, {0x95, 0, 0, 0}});
    if (fd < 0) GTEST_SKIP() << "bpf(2) lets us load no program: error " << -fd;
    (void)sys::close(static_cast<int>(fd));
  }
  Kernel kernel_;
  Ours ours_{Engine::kJit};
  Ours interpreter_{Engine::kInterpreter};
};

}  // namespace portolan::isa
