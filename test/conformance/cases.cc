// SPDX-License-Identifier: Apache-2.0
#include "cases.h"

namespace portolan::conformance {
namespace {
Backend* kernel_backend = nullptr;
Backend* portolan_backend = nullptr;
}  // namespace

void set_case_backends(Backend* kernel, Backend* portolan) {
  kernel_backend = kernel;
  portolan_backend = portolan;
}

Backend* case_backend(std::string_view name) { return name == "kernel" ? kernel_backend : portolan_backend; }

}  // namespace portolan::conformance
