// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "api/backend.h"
#include "base/fault_copy.h"
#include "base/sys.h"
#include "helper/kernel_btf.h"
#include "sync/call_epoch.h"
#include "syscall/caller.h"
#include "syscall/dispatch.h"

namespace portolan::detail {
namespace {

class PortolanBackend final : public Backend {
 public:
  PortolanBackend(std::unique_ptr<object::Runtime> runtime, bool is_private)
      : runtime_(std::move(runtime)), directory_(runtime_->directory()), is_private_(is_private) {}

  ~PortolanBackend() override {
    runtime_.reset();
    // EBUSY: another process lives in it, and its last one removes it.
    if (is_private_) (void)object::Runtime::remove_private_directory(directory_);
  }

  long bpf(int command, void* attr, std::uint32_t size) override {
    return syscall::bpf(*runtime_, caller_, command, reinterpret_cast<std::uintptr_t>(attr), size);
  }

  void close_fd(int fd) override {
    sync::CallEpoch epoch;
    const Result<object::Target> target = runtime_->target_of_any_fd(fd);
    runtime_->forget_fd(fd);
    (void)sys::close(fd);
    if (target) runtime_->settle(target->view->kind(), target->view->id());
  }

  // It is there once it has been opened.
  std::string kernel_types_file() override {
    (void)helper::open_kernel_btf(*runtime_);
    return directory_ + "/" + helper::kKernelBtfFile;
  }

  std::string directory() const override { return directory_; }
  std::uint32_t possible_cpus() const override { return runtime_->possible_cpus(); }
  object::Runtime* runtime() override { return runtime_.get(); }

 private:
  std::unique_ptr<object::Runtime> runtime_;
  syscall::LocalCaller caller_;
  std::string directory_;
  bool is_private_;
};

}  // namespace

Result<std::shared_ptr<Backend>> open_portolan_backend(const std::string& directory, std::string* why,
                                                       const std::string& kernel_btf) {
  install_fault_handler();
  const bool is_private = directory.empty();
  const std::string place = is_private ? TRY(object::Runtime::make_private_directory(why)) : directory;
  std::unique_ptr<object::Runtime> runtime = TRY(object::Runtime::open(place, {}, why));
  syscall::prepare(*runtime);
  auto backend = std::make_shared<PortolanBackend>(std::move(runtime), is_private);
  const char* const named = std::getenv("PORTOLAN_BTF");
  const std::string types = !kernel_btf.empty() || named == nullptr ? kernel_btf : named;
  if (!types.empty()) TRY(helper::give_kernel_btf(*backend->runtime(), types, why));
  return backend;
}

}  // namespace portolan::detail
