// SPDX-License-Identifier: Apache-2.0
#include "map/prog_array.h"

#include <fmt/format.h>

namespace portolan::map {
namespace {

// What the map's programs have in common, in the header's word: it is never 0.
std::uint64_t word_of(const ProgramTraits& traits) {
  return std::uint64_t{traits.expected_attach_type} << 32 | std::uint64_t{traits.type} << 8 |
         (traits.is_sleepable ? 4 : 0) | (traits.has_frags ? 2 : 0) | 1;
}
std::uint32_t type_of(std::uint64_t word) { return static_cast<std::uint32_t>(word) >> 8; }

}  // namespace

Result<std::unique_ptr<Map>> ProgArrayMap::attach(object::Mapped mapped, MapHeader* header) {
  return std::make_unique<ProgArrayMap>(std::move(mapped), header);
}

// The first program, in it or with it, decides.
bool ProgArrayMap::takes_program(const ProgramTraits& traits) {
  const std::uint64_t wanted = word_of(traits);
  std::uint64_t known = 0;
  return header().owner_traits.cas_acq_rel(known, wanted) || known == wanted;  // pairs with itself
}

bool ProgArrayMap::is_like_the_others(const object::View& owner, const object::View& found) {
  const MapHeader& header = static_cast<const ProgArrayMap&>(owner).header();
  return header.owner_traits.load_acquire() ==  // pairs with takes_program
         word_of(static_cast<const ProgramView&>(found).traits());
}

Result<std::uint32_t> ProgArrayMap::fd_get_ptr(int fd) {
  const object::Target target = TRY(runtime().target_of_fd(fd, object::Kind::kProg));
  auto& program = static_cast<ProgramView&>(*target.view);
  const ProgramTraits traits = program.traits();
  if (program.is_extension() || !takes_program(traits)) return fail(EINVAL);
  if (program.is_extended()) return fail(EBUSY);
  return target.view->id();
}

ProgramView* ProgArrayMap::program_at(std::uint32_t index) {
  return static_cast<ProgramView*>(references().find(index));
}

const References* ProgArrayMap::gen_tail_call(std::uint32_t type) {
  std::uint32_t known = 0;
  return code_type_.cas_acq_rel(known, type) || known == type ? &references() : nullptr;  // pairs with itself
}

void ProgArrayMap::note_code(std::uint32_t index, const ProgramView& program, std::uint32_t type,
                             const void* code) {
  if (type == code_type_.load_acquire())  // pairs with gen_tail_call
    references().note_code(index, program, code);
}

std::string ProgArrayMap::show_fdinfo() const {
  std::string text = FdArrayMap::show_fdinfo();
  const std::uint64_t traits = header().owner_traits.load_acquire();  // pairs with takes_program
  if (traits != 0)
    fmt::format_to(std::back_inserter(text), "owner_prog_type:\t{}\nowner_jited:\t0\n", type_of(traits));
  return text;
}

}  // namespace portolan::map
