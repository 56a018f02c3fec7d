// SPDX-License-Identifier: Apache-2.0
// A fresh runtime, and bpf(2) on it as a client in this process calls it.
#pragma once
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <filesystem>
#include <string>
#include <vector>

#include "abi/attr.h"
#include "abi/command.h"
#include "abi/info.h"
#include "abi/map_flags.h"
#include "abi/map_type.h"
#include "base/fault_copy.h"
#include "syscall/dispatch.h"

namespace portolan::syscall {

class World : public testing::Test {
 protected:
  void SetUp() override {
    install_fault_handler();
    std::string pattern = "/dev/shm/portolan-syscall-test-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    open({});
  }
  void TearDown() override {
    runtime_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  void open(const object::RuntimeOptions& options) {
    runtime_.reset();
    std::filesystem::remove_all(directory_);
    std::string why;
    auto opened = object::Runtime::open(directory_, options, &why);
    ASSERT_TRUE(opened) << why;
    runtime_ = std::move(*opened);
    prepare(*runtime_);
  }

  static std::uint64_t address(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }
  long call(abi::Command command, const void* attr, std::uint32_t size) {
    return bpf(*runtime_, caller_, static_cast<int>(command), address(attr), size);
  }
  long call(abi::Command command, const abi::Attr& attr) { return call(command, &attr, sizeof attr); }

  struct Shape {
    abi::MapType type = abi::MapType::kHash;
    std::uint32_t key_size = 4, value_size = 8, max_entries = 8, flags = 0;
    std::uint64_t extra = 0;
  };
  long create(const Shape& shape) {
    abi::Attr attr{};
    attr.map_create.map_type = static_cast<std::uint32_t>(shape.type);
    attr.map_create.key_size = shape.key_size;
    attr.map_create.value_size = shape.value_size;
    attr.map_create.max_entries = shape.max_entries;
    attr.map_create.map_flags = shape.flags;
    attr.map_create.map_extra = shape.extra;
    return call(abi::Command::kMapCreate, attr);
  }
  long element(abi::Command command, long fd, const void* key, const void* value, std::uint64_t flags = 0) {
    abi::Attr attr{};
    attr.elem.map_fd = static_cast<std::uint32_t>(fd);
    attr.elem.key = address(key);
    if (command != abi::Command::kMapDeleteElem) attr.elem.value = address(value);
    attr.elem.flags = flags;
    return call(command, attr);
  }

  std::string directory_;
  std::unique_ptr<object::Runtime> runtime_;
  LocalCaller caller_;
};

// Two pages, of which the second cannot be touched.
class Cliff {
 public:
  Cliff() : pages_(*sys::mmap(nullptr, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    EXPECT_EQ(::mprotect(pages_, 4096, PROT_READ | PROT_WRITE), 0);
  }
  ~Cliff() { (void)sys::munmap(pages_, 8192); }
  Cliff(const Cliff&) = delete;
  Cliff& operator=(const Cliff&) = delete;
  std::byte* last(std::size_t bytes) const { return static_cast<std::byte*>(pages_) + 4096 - bytes; }

 private:
  void* pages_;
};

}  // namespace portolan::syscall
