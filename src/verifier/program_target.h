// SPDX-License-Identifier: Apache-2.0
// Programs that are attached to programs: tracing programs to any function, extensions in the place of a
// global one.
#pragma once
#include "verifier/attach_target.h"

namespace portolan::verifier {

// What is known of a program that is to be attached.
struct Attacher {
  bool is_extension, is_sleepable;
  std::uint32_t expected_attach_type;  // of an extension that of its target
  const btf::Btf* btf;
  std::uint32_t main_type_id;  // of its main program's FUNC; 0: there is none
  bool changes_packet, might_sleep;
  // What its main program takes; none: it takes what no program can, and is refused for that when it is
  // checked.
  std::optional<std::vector<GlobalArgument>> arguments;
};

// As bpf_check_attach_target with the function `btf_id` of a program. EINVAL.
Result<AttachTarget> find_program_target(const Attacher& attacher, const TargetProgram& target,
                                         std::uint32_t btf_id, btf::Log* log);
// The number of the function, or -1.
std::int64_t function_of_type(std::span<const Subprogram> functions, std::uint32_t btf_id);

// As btf_distill_func_proto. EINVAL.
Result<void> check_prototype(const btf::Btf& types, const btf::Type& prototype, const char* name,
                             btf::Log* log);

}  // namespace portolan::verifier
