// SPDX-License-Identifier: Apache-2.0
#include "syscall/program_system.h"

#include "syscall/dispatch.h"

namespace portolan::syscall {
namespace {

class ProgramAsCaller final : public Caller {
 public:
  explicit ProgramAsCaller(Caller& outer) : outer_(outer) {}
  Result<void> copy_in(void* to, std::uint64_t from, std::size_t size) override {
    return memory_.copy_in(to, from, size);
  }
  Result<void> copy_out(std::uint64_t to, const void* from, std::size_t size) override {
    return memory_.copy_out(to, from, size);
  }
  Result<std::size_t> copy_in_string(char* to, std::uint64_t from, std::size_t size) override {
    return memory_.copy_in_string(to, from, size);
  }
  Result<int> resolve_fd(int fd) override { return outer_.resolve_fd(fd); }
  Result<int> install_fd(UniqueFd fd) override { return outer_.install_fd(std::move(fd)); }

 private:
  LocalCaller memory_;
  Caller& outer_;
};

}  // namespace

long ProgramSystem::bpf(int command, void* attr, std::uint32_t size) {
  ProgramAsCaller caller(caller_);
  return syscall::bpf(runtime_, static_cast<Caller&>(caller), command, reinterpret_cast<std::uintptr_t>(attr),
                      size);
}

long ProgramSystem::close(int fd) {
  const Result<int> own = caller_.resolve_fd(fd);
  if (!own) return -own.error().value;
  const Result<object::Target> target = runtime_.target_of_any_fd(*own);
  runtime_.forget_fd(*own);
  if (const Result<void> closed = sys::close(*own); !closed) return -closed.error().value;
  if (target) runtime_.settle(target->view->kind(), target->view->id());
  return 0;
}

}  // namespace portolan::syscall
