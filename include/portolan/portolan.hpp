// SPDX-License-Identifier: Apache-2.0
// Portolan's typed C++ API: eBPF maps without, or with, a kernel.
//
//   auto runtime = portolan::Runtime::open("/dev/shm/flows");
//   auto flows = portolan::Hash<FlowKey, Counters>::create(*runtime, 65536, {.name = "flows"});
//   flows->update(key, {1, 60});
//   for (auto [key, counters] : *flows) …
//
// Nothing throws but std::bad_alloc; errors come as portolan::Expected with an errno and a sentence.
#pragma once
#include "portolan/array.hpp"
#include "portolan/bloom_filter.hpp"
#include "portolan/cgroup_hook.hpp"
#include "portolan/hash.hpp"
#include "portolan/hook.hpp"
#include "portolan/lpm_trie.hpp"
#include "portolan/netfilter_hook.hpp"
#include "portolan/object.hpp"
#include "portolan/percpu.hpp"
#include "portolan/perf_sample.hpp"
#include "portolan/probe_hook.hpp"
#include "portolan/queue.hpp"
#include "portolan/ring_buffer.hpp"
#include "portolan/runtime.hpp"
#include "portolan/socket.hpp"
#include "portolan/usdt_hook.hpp"
