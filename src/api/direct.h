// SPDX-License-Identifier: Apache-2.0
// The short way of a Portolan map's hot operations: past bpf(2), straight to its Map, with the same rules.
#pragma once
#include "portolan/raw_map.hpp"

namespace portolan::detail {

struct MapState;

// Finds the Map behind state.fd and keeps it mapped; maps an mmapable array of the kernel's.
Expected<void> attach_map(MapState& state);
FastPath fast_path_of(const MapState& state);

// BPF_MAP_UPDATE_ELEM and BPF_MAP_DELETE_ELEM on an fd that may write. Errors as -errno.
long update_directly(MapState& state, const void* key, const void* value, std::uint64_t flags);
long erase_directly(MapState& state, const void* key);

// BPF_MAP_LOOKUP_BATCH of a plain_hash; the cursor is that of bpf(2). How many elements were copied.
std::size_t walk_directly(const MapState& state, BatchCursor& cursor, std::byte* keys, std::byte* values,
                          std::uint32_t count);

}  // namespace portolan::detail
