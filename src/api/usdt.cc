// SPDX-License-Identifier: Apache-2.0
#include "portolan/usdt_hook.hpp"

namespace portolan {

Expected<UsdtHook> Hook::usdt(const Runtime& runtime, std::string_view provider, std::string_view name,
                              std::span<const detail::UsdtPlace> places) {
  UsdtHook hook;
  for (const detail::UsdtPlace& place : places) {
    if (place.provider != provider || place.name != name) continue;
    auto probe = uprobe(runtime, place.address);
    if (!probe) return std::unexpected(probe.error());
    hook.places_.push_back({place.address, std::move(*probe)});
  }
  if (hook.places_.empty())
    return std::unexpected(Error(Operation::kDeclareHook, EINVAL, "this program has no place of that name"));
  return hook;
}

}  // namespace portolan
