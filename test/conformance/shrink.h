// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <vector>

#include "operation.h"

namespace portolan::conformance {

// Delta debugging: the shortest sequence found, in part of `sequence`'s order, for which `fails` still says
// true.
std::vector<Operation> shrink(std::vector<Operation> sequence,
                              const std::function<bool(const std::vector<Operation>&)>& fails);

}  // namespace portolan::conformance
