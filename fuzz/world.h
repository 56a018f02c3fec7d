// SPDX-License-Identifier: Apache-2.0
// What the fuzzers share: a runtime of their own, a buffer that attrs may point into, and the fds they were
// given.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "abi/attr.h"
#include "abi/command.h"
#include "object/runtime.h"

namespace portolan::fuzz {

// Bytes of the input, taken from its front; zero when it has run out.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}
  bool empty() const { return left_ == 0; }
  std::size_t left() const { return left_; }
  std::size_t take(void* to, std::size_t size);  // how many there were
  template <class T>
  T take() {
    T value{};
    take(&value, sizeof value);
    return value;
  }

 private:
  const std::uint8_t* data_;
  std::size_t left_;
};

// 64 KiB that end at a page nobody may touch.
class Arena {
 public:
  static constexpr std::size_t kSize = 64 << 10;
  Arena();
  void fill(Input& input, std::size_t size);  // zero bytes after those of the input
  std::byte* bytes() const { return base_; }
  std::uint64_t address(std::size_t offset = 0) const;
  // Whatever number the fuzzer made up, as an address that can do no harm: null, in the arena, across its
  // end, or nowhere.
  std::uint64_t tame(std::uint64_t number) const;

 private:
  std::byte* base_;
};

class World {
 public:
  World();
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  object::Runtime& runtime() { return *runtime_; }
  const std::string& directory() const { return directory_; }
  // Opens the runtime again; false: it was refused, and there is none now.
  bool reopen();
  void close_runtime() { runtime_.reset(); }

  // bpf(2). An fd that the command makes is kept for fd().
  long call(abi::Command command, abi::Attr& attr, std::uint32_t size = sizeof(abi::Attr));
  long make_map(std::uint32_t type, std::uint32_t key_size, std::uint32_t value_size,
                std::uint32_t max_entries, std::uint32_t flags);
  int fd(std::size_t which) const;  // one of those kept; -1: none
  void close_fds();
  // fsck; true: nothing is corrupt. Prints what is, if `loud`.
  bool check(bool loud);

 private:
  std::string directory_, refusal_;
  std::unique_ptr<object::Runtime> runtime_;
  std::vector<int> fds_;
};

// Before the first runtime: small files only, so that made-up sizes are refused rather than reserved.
inline constexpr std::size_t kLargestFile = 32 << 20;  // bytes
void limit_file_size();

}  // namespace portolan::fuzz
