// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "api/backend.h"
#include "map/hash.h"
#include "portolan/raw_map.hpp"

namespace portolan::detail {

// What a RawMap is behind its header. Its address never changes, so FastPath may point into what it keeps
// mapped.
struct MapState {
  explicit MapState(Runtime owner) : runtime(std::move(owner)), backend(runtime.backend()) {}
  MapState(const MapState&) = delete;
  MapState& operator=(const MapState&) = delete;
  ~MapState();

  Runtime runtime;
  std::shared_ptr<Backend> backend;
  int fd = -1;
  MapInfo info;
  std::size_t value_bytes = 0;

  // A Portolan map, kept mapped by `view`; nullptr for the kernel's.
  object::ViewRef view;
  map::Map* map = nullptr;
  map::HashMap* plain_hash = nullptr;     // the same, if a hash whose values need no staging
  bool readable = true, writable = true;  // by how the fd was opened

  // An mmapable array of the kernel's.
  void* kernel_pages = nullptr;
  std::size_t kernel_pages_size = 0;
};

}  // namespace portolan::detail
