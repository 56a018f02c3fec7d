// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdio>
#include <portolan/portolan.hpp>

int main() {
  auto runtime = portolan::Runtime::create_private();
  if (!runtime) return std::puts(runtime.error().message().c_str()), 1;
  auto flows = portolan::Hash<std::uint32_t, std::uint64_t>::create(*runtime, 16);
  if (!flows || !flows->update(7, 49)) return 1;
  std::printf("%llu\n", static_cast<unsigned long long>(flows->lookup(7).value()));
}
