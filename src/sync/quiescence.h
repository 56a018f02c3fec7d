// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "sync/vcpu.h"

namespace portolan::sync {

// Waits until every program run that had begun, in any process, has ended or its process has died: then
// nobody uses what was unlinked before the call (synchronize_rcu). Not from inside a program: two that wait
// for each other would wait for ever; the caller's own vCPU must be at rest.
void wait_quiescent(const VcpuTable& vcpus, const Actor& actor);

}  // namespace portolan::sync
