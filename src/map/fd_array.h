// SPDX-License-Identifier: Apache-2.0
// Arrays that hold objects: an fd goes in, the object's id comes out. PROG_ARRAY and ARRAY_OF_MAPS.
#pragma once
#include "map/array.h"
#include "map/references.h"

namespace portolan::map {

class FdArrayMap : public ArrayBase {
 public:
  FdArrayMap(object::Mapped mapped, MapHeader* header, object::Kind kind, References::Accepts accepts)
      : ArrayBase(std::move(mapped), header), references_(*this, kind, max_entries(), accepts) {}
  static Result<void> alloc_check(const MapSpec& spec, std::uint32_t numa_node);
  static Result<Layout> layout(const MapSpec& spec) {
    if (spec.max_entries >= kMostReferences) return fail(ENOMEM);
    return Layout{0, 0, 0, References::edges(spec.max_entries)};
  }
  static void format(const shm::Region&, std::uint64_t, const MapSpec&) {}  // the places are edges

  void let_go() override { references_.forget(); }
  bool takes_fds() const override { return true; }
  Result<void> lookup_elem_copy(const std::byte* key, std::byte* value, std::uint64_t flags) override;
  Result<void> update_elem_copy(const std::byte* key, const std::byte* value, std::uint64_t flags) override;
  Result<void> delete_elem(const std::byte* key) override;
  std::uint64_t mem_usage() const override;
  bool has_iterator() const override { return false; }

 protected:
  References& references() { return references_; }

 private:
  References references_;
};

}  // namespace portolan::map
