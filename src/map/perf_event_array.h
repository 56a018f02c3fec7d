// SPDX-License-Identifier: Apache-2.0
// PERF_EVENT_ARRAY: events, one for each CPU as a rule, that programs write to.
#pragma once
#include "map/fd_array.h"
#include "map/perf_event.h"

namespace portolan::map {

class PerfEventArrayMap final : public FdArrayMap {
 public:
  PerfEventArrayMap(object::Mapped mapped, MapHeader* header)
      : FdArrayMap(std::move(mapped), header, object::Kind::kPerfEvent, accepts) {}
  static Result<std::unique_ptr<Map>> attach(object::Mapped mapped, MapHeader* header) {
    return std::make_unique<PerfEventArrayMap>(std::move(mapped), header);
  }
  static constexpr CheckBtf kCheckBtf = check_no_btf;

  // Events have no number that system calls show.
  Result<void> lookup_elem_copy(const std::byte*, std::byte*, std::uint64_t) override {
    return fail(kEnotsupp);
  }
  Result<void> lookup_batch(const BatchCall&) override { return fail(kEnotsupp); }
  Result<void> update_batch(const BatchCall&) override { return fail(kEnotsupp); }
  Result<void> delete_batch(const BatchCall&) override { return fail(kEnotsupp); }
  Result<std::uint32_t> fd_get_ptr(int fd) override;
  // Without BPF_F_PRESERVE_ELEMS, what was put in goes with whoever did.
  void release_uref() override {
    if (!spec().has(abi::map_flag::kPreserveElems)) references().clear();
  }
  PerfEventArrayMap* perf_events() override { return this; }
  // nullptr: none.
  PerfEvent* event_at(std::uint32_t index) { return static_cast<PerfEvent*>(references().find(index)); }

 private:
  static bool accepts(const object::View&, const object::View& found) {
    return found.kind() == object::Kind::kPerfEvent;
  }
};

}  // namespace portolan::map
