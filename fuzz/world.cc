// SPDX-License-Identifier: Apache-2.0
#include "fuzz/world.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/assert.h"
#include "base/fault_copy.h"
#include "sync/call_epoch.h"
#include "syscall/dispatch.h"

namespace portolan::fuzz {

std::size_t Input::take(void* to, std::size_t size) {
  const std::size_t taken = std::min(size, left_);
  std::memcpy(to, data_, taken);
  data_ += taken;
  left_ -= taken;
  return taken;
}

Arena::Arena() {
  void* pages = ::mmap(nullptr, kSize + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  PORTOLAN_ASSERT(pages != MAP_FAILED);
  base_ = static_cast<std::byte*>(pages);
  PORTOLAN_ASSERT(::mprotect(base_ + kSize, 4096, PROT_NONE) == 0);
}

void Arena::fill(Input& input, std::size_t size) {
  const std::size_t taken = input.take(base_, std::min(size, kSize));
  std::memset(base_ + taken, 0, kSize - taken);
}

std::uint64_t Arena::address(std::size_t offset) const {
  return reinterpret_cast<std::uintptr_t>(base_) + offset;
}

std::uint64_t Arena::tame(std::uint64_t number) const {
  if (number == 0) return 0;
  switch (number >> 62) {
    case 0:
    case 1:
      return address(number % kSize);
    case 2:
      return address(kSize - number % 16);  // across the end
    default:
      return 0xdead'0000'0000'0000 | number;  // not canonical
  }
}

World::World() {
  std::string why;
  auto directory = object::Runtime::make_private_directory(&why);
  if (!directory) std::fprintf(stderr, "no private directory: %s\n", why.c_str());
  PORTOLAN_ASSERT(directory.has_value());
  directory_ = std::move(*directory);
  const bool opened = reopen();
  if (!opened) std::fprintf(stderr, "a fresh runtime is refused: %s\n", refusal_.c_str());
  PORTOLAN_ASSERT(opened);
}

World::~World() {
  close_fds();
  runtime_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

bool World::reopen() {
  runtime_.reset();
  std::string why;
  auto runtime = object::Runtime::open(directory_, {}, &why);
  if (!runtime) {
    PORTOLAN_ASSERT(!why.empty());
    refusal_ = std::move(why);
    return false;
  }
  runtime_ = std::move(*runtime);
  syscall::prepare(*runtime_);
  install_fault_handler();
  return true;
}

long World::call(abi::Command command, abi::Attr& attr, std::uint32_t size) {
  using abi::Command;
  syscall::LocalCaller caller;
  const long result = syscall::bpf(*runtime_, caller, static_cast<int>(command),
                                   reinterpret_cast<std::uintptr_t>(&attr), size);
  PORTOLAN_ASSERT(result > -4096);
  switch (command) {
    case Command::kMapCreate:
    case Command::kProgLoad:
    case Command::kObjGet:
    case Command::kBtfLoad:
    case Command::kRawTracepointOpen:
    case Command::kLinkCreate:
    case Command::kIterCreate:
    case Command::kMapGetFdById:
    case Command::kProgGetFdById:
    case Command::kLinkGetFdById:
    case Command::kBtfGetFdById:
    case Command::kEnableStats:
      if (result >= 0) fds_.push_back(static_cast<int>(result));
      break;
    default:
      break;
  }
  return result;
}

long World::make_map(std::uint32_t type, std::uint32_t key_size, std::uint32_t value_size,
                     std::uint32_t max_entries, std::uint32_t flags) {
  abi::Attr attr{};
  attr.map_create.map_type = type;
  attr.map_create.key_size = key_size;
  attr.map_create.value_size = value_size;
  attr.map_create.max_entries = max_entries;
  attr.map_create.map_flags = flags;
  return call(abi::Command::kMapCreate, attr);
}

int World::fd(std::size_t which) const { return fds_.empty() ? -1 : fds_[which % fds_.size()]; }

void World::close_fds() {
  for (int fd : fds_) {
    if (runtime_ == nullptr) {
      (void)sys::close(fd);
      continue;
    }
    sync::CallEpoch epoch;
    const auto target = runtime_->target_of_any_fd(fd);
    const object::View* view = target ? target->view : nullptr;
    const object::Kind kind = view != nullptr ? view->kind() : object::Kind::kMap;
    const std::uint32_t id = view != nullptr ? view->id() : 0;
    runtime_->forget_fd(fd);
    (void)sys::close(fd);
    if (view != nullptr) runtime_->settle(kind, id);
  }
  fds_.clear();
}

bool World::check(bool loud) {
  shm::Findings findings;
  runtime_->check(findings);
  if (loud)
    for (const shm::Finding& finding : findings.list())
      if (finding.severity == shm::Severity::kCorrupt)
        std::fprintf(stderr, "fsck: %s: %s\n", finding.where.c_str(), finding.what.c_str());
  return findings.clean();
}

void limit_file_size() {
  rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, kLargestFile);
  ::setrlimit(RLIMIT_FSIZE, &limit);
}

}  // namespace portolan::fuzz
