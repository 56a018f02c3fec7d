// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "loader/system.h"

namespace portolan::loader {

// Whose calls libbpf makes in this thread; nullptr: nobody's.
extern thread_local System* system_now;

}  // namespace portolan::loader
