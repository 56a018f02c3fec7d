// SPDX-License-Identifier: Apache-2.0
// PROG_ARRAY: programs that others go on as, by tail calls.
#pragma once
#include "map/fd_array.h"
#include "map/program_view.h"

namespace portolan::map {

class ProgArrayMap final : public FdArrayMap {
 public:
  ProgArrayMap(object::Mapped mapped, MapHeader* header)
      : FdArrayMap(std::move(mapped), header, object::Kind::kProg, is_like_the_others) {}
  static Result<std::unique_ptr<Map>> attach(object::Mapped mapped, MapHeader* header);
  static constexpr CheckBtf kCheckBtf = nullptr;

  bool may_be_inner() const override { return false; }  // what its programs are like is known only later
  Result<void> lookup_batch(const BatchCall&) override { return fail(kEnotsupp); }
  Result<void> update_batch(const BatchCall&) override { return fail(kEnotsupp); }
  Result<std::uint32_t> fd_get_ptr(int fd) override;
  bool contains_programs() const override { return true; }
  bool takes_program(const ProgramTraits& traits) override;
  ProgramView* program_at(std::uint32_t index) override;
  const References* gen_tail_call(std::uint32_t type) override;
  void note_code(std::uint32_t index, const ProgramView& program, std::uint32_t type,
                 const void* code) override;
  // Without users nobody can change it any more: its programs go, which may refer to it themselves.
  void release_uref() override { references().clear(); }
  std::string show_fdinfo() const override;

 private:
  // Of the first program that this process has made code of: the region, which is outside data, has no say in
  // where that code jumps to.
  sync::Atomic<std::uint32_t> code_type_;
  static bool is_like_the_others(const object::View& owner, const object::View& found);
};

}  // namespace portolan::map
