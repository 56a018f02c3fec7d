// SPDX-License-Identifier: Apache-2.0
#include "hook/probed_functions.h"

#include <map>

#include "helper/function_address.h"

namespace portolan::hook {

std::vector<ProbedFunction> probed_functions(object::Runtime& runtime) {
  std::map<std::string, ProbedFunction> by_name;
  Hook::for_each(runtime, [&](Hook& hook) {
    if (hook.key().point != Point::kProbe) return;
    ProbedFunction& function = by_name[hook.key().name];
    (hook.key().attach_type == kProbeReturn ? function.ends : function.begins) = hook.id();
  });
  std::vector<ProbedFunction> functions;
  for (auto& [name, function] : by_name) {
    if (function.begins == 0 || function.ends == 0) continue;  // it is being declared, or going
    function.name = name;
    function.address = helper::address_of_probe(function.begins);
    functions.push_back(std::move(function));
  }
  return functions;
}

std::uint64_t address_of(object::Runtime& runtime, const Key& probe) {
  const Result<Hook*> begins = Hook::find(runtime, named(Point::kProbe, kProbeEntry, probe.name));
  return begins ? helper::address_of_probe((*begins)->id()) : 0;
}

}  // namespace portolan::hook
