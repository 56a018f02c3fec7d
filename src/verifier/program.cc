// SPDX-License-Identifier: Apache-2.0
#include "verifier/program.h"

#include "map/sha256.h"

namespace portolan::verifier {
namespace {

constexpr std::uint64_t kProgramMagic = 0x31'4752'504c'5450ull;  // "PTLPRG1"
struct ProgramHeader {                                           // the instructions follow
  std::uint64_t magic;
  ProgramAttributes attributes;
};
static_assert(sizeof(ProgramHeader) % alignof(abi::Insn) == 0);

}  // namespace

Result<object::Draft> draft_program(object::Runtime& runtime, const VerifiedProgram& program,
                                    ProgramAttributes attributes) {
  const std::uint64_t bytes = program.insns().size() * sizeof(abi::Insn);
  attributes.type = program.type();
  attributes.insn_count = static_cast<std::uint32_t>(program.insns().size());
  attributes.verified_insns = program.verified_insns();
  map::Sha256 hash;
  hash.add(std::as_bytes(std::span(program.insns())));
  std::byte digest[map::Sha256::kSize];
  hash.finish(digest);
  std::memcpy(attributes.tag, digest, sizeof attributes.tag);

  const std::uint64_t size = sizeof(ProgramHeader) + bytes;
  object::Draft draft = TRY(runtime.draft(object::Kind::kProg, size, size, 0, abi::kMaxUsedMaps));
  auto* header = draft.state.at<ProgramHeader>(draft.payload_offset);
  *header = {kProgramMagic, attributes};
  std::memcpy(draft.state.at<std::byte>(draft.payload_offset + sizeof(ProgramHeader), bytes),
              program.insns().data(), bytes);
  return draft;
}

Result<std::unique_ptr<object::View>> make_program_view(object::Mapped mapped) {
  const auto* header = mapped.state.at<ProgramHeader>(mapped.payload_offset);
  if (header == nullptr || header->magic != kProgramMagic) return fail(EINVAL);
  const ProgramAttributes attributes = header->attributes;
  const auto* insns =
      mapped.state.at<abi::Insn>(mapped.payload_offset + sizeof(ProgramHeader), attributes.insn_count);
  if (insns == nullptr || attributes.insn_count > abi::kMaxInsns) return fail(EINVAL);
  return std::make_unique<Program>(std::move(mapped), attributes,
                                   std::span<const abi::Insn>(insns, attributes.insn_count));
}

}  // namespace portolan::verifier
