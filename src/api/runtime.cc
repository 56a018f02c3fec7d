// SPDX-License-Identifier: Apache-2.0
#include "portolan/runtime.hpp"

#include "api/backend.h"

namespace portolan {
namespace {

Expected<std::shared_ptr<detail::Backend>> open_backend(const std::string& directory,
                                                        const RuntimeOptions& options) {
  std::string why;
  auto backend = detail::open_portolan_backend(directory, &why, options.kernel_btf);
  if (!backend) return std::unexpected(Error(Operation::kOpenRuntime, backend.error().value, std::move(why)));
  return std::move(*backend);
}

}  // namespace

Expected<Runtime> Runtime::open(const std::string& directory, const RuntimeOptions& options) {
  if (directory.empty())
    return std::unexpected(Error(Operation::kOpenRuntime, EINVAL, "the directory's name is empty"));
  auto backend = open_backend(directory, options);
  if (!backend) return std::unexpected(backend.error());
  return Runtime(std::move(*backend));
}

Expected<Runtime> Runtime::create_private(const RuntimeOptions& options) {
  auto backend = open_backend("", options);
  if (!backend) return std::unexpected(backend.error());
  return Runtime(std::move(*backend));
}

Runtime Runtime::kernel() { return Runtime(detail::kernel_backend()); }

std::string Runtime::directory() const { return backend_->directory(); }
bool Runtime::is_kernel() const { return backend_ == detail::kernel_backend(); }
std::uint32_t Runtime::possible_cpus() const { return backend_->possible_cpus(); }
long Runtime::bpf(int command, void* attr, std::uint32_t size) const {
  return backend_->bpf(command, attr, size);
}

}  // namespace portolan
