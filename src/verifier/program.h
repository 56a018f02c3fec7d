// SPDX-License-Identifier: Apache-2.0
// A loaded program as an object of the runtime. See program.cc for its bytes.
#pragma once
#include <memory>

#include "abi/limits.h"
#include "map/program_view.h"
#include "map/references.h"
#include "object/runtime.h"
#include "verifier/attachments.h"
#include "verifier/program_tag.h"
#include "verifier/program_target.h"
#include "verifier/verifier.h"

namespace portolan::verifier {

// What is kept of a program besides its instructions.
struct ProgramAttributes {
  std::uint32_t type = 0;  // abi::ProgType
  std::uint32_t flags = 0;
  std::uint32_t expected_attach_type = 0;
  std::uint16_t gpl_compatible = 0;
  std::uint16_t keeps_attach_type = 0;  // 1: as VerifiedProgram
  std::uint32_t verified_insns = 0;
  std::uint32_t created_by_uid = 0;
  std::uint64_t load_time_ns = 0;  // since boot
  std::uint32_t btf_id = 0;        // 0: none
  std::uint32_t max_context_offset = 0;
  std::uint32_t attach_btf_id = 0;  // 0: none
  std::uint32_t target_id = 0;      // of the program that it was loaded to be attached to; 0: none
  std::uint32_t target_type = 0, target_attach_type = 0;
  BufferBytes buffer_bytes;
  Tag tag = {};
  char name[abi::kObjNameLen] = {};
};

class Program;

// A program as whoever executes it has made it ready. Immutable, but that it gets to know which.
class Prepared {
 public:
  virtual ~Prepared() = default;
  virtual std::span<const Subprogram> functions() const = 0;
  // The program of the runtime that this is; nullptr: none yet.
  Program* program() const { return program_.load_relaxed(); }
  void belongs_to(Program& program) const { program_.store_relaxed(&program); }

 private:
  mutable sync::Atomic<Program*> program_;
};

// By type, attach type and BPF_F_* of PROG_LOAD.
map::ProgramTraits traits_of(std::uint32_t type, std::uint32_t expected_attach_type, std::uint32_t flags);

// Runs since statistics were switched on, of all processes.
struct RunCounts {
  std::uint64_t runs, ns;
};

class Program final : public map::ProgramView {
 public:
  struct Stored;  // its bytes in the region
  Program(object::Mapped mapped, Stored* stored);
  ~Program() override;
  void let_go() override;

  const ProgramAttributes& attributes() const { return attributes_; }
  map::ProgramTraits traits() const override {
    return traits_of(is_extension() ? attributes_.target_type : attributes_.type,
                     attributes_.expected_attach_type, attributes_.flags);
  }
  bool is_extension() const override {
    return attributes_.type == static_cast<std::uint32_t>(abi::ProgType::kExt);
  }
  bool is_extended() override;
  // What runs, as info shows it: references to maps by id. They lie in a region: for show, not to be run.
  std::span<const abi::Insn> shown_insns() const { return shown_insns_; }
  std::span<const abi::FuncInfo> func_info() const { return func_info_; }  // at shown_insns()
  std::span<const abi::LineInfo> line_info() const { return line_info_; }
  // Of each function, the main program first.
  std::span<const Tag> tags() const { return tags_; }
  // The ids of its maps: those that the instructions name, then those that were bound to it.
  Result<std::vector<std::uint32_t>> map_ids();

  // The program that it was loaded to be attached to. EINVAL: there is none, as far as can be seen.
  Result<Program*> target() const;
  // Once it is prepared(): for programs that are attached to it. EINVAL: it is not.
  Result<TargetProgram> as_target();
  Result<Attacher> as_attacher();
  // Whether it has ever been attached: from then on, who attaches it must say to which program.
  bool was_attached() const;
  void note_attached();

  // One word for each function: not 0 while something is attached to it. None of a program without BTF.
  using Gates = std::span<const sync::Atomic<std::uint64_t>>;
  Gates gates() const;
  static Gates gates(const object::Draft& draft, const VerifiedProgram& program);
  // What is attached to a function, or nullptr. Call it inside a CallEpoch.
  Attachments* attachments(std::uint32_t function);
  // From now on `hook_id` is; 0: nothing. ENOENT: the program, or the hook, is gone.
  Result<void> set_gate(std::uint32_t function, std::uint32_t hook_id);

  // Made ready by this process, or nullptr.
  const Prepared* prepared() const {
    const Adopted* adopted = adopted_.load_acquire();  // pairs with adopt
    return adopted == nullptr ? nullptr : adopted->prepared.get();
  }
  // The first one stays, with its maps and BTF mapped; what is prepared() then. Thread-safe.
  Result<const Prepared*> adopt(std::unique_ptr<const Prepared> prepared, std::span<map::Map* const> maps);
  // A program that this process has not checked itself is checked again before it runs here: what verify()
  // says. Call it inside a CallEpoch.
  Result<VerifiedProgram> verify_again();

  void count_runs(std::uint64_t runs, std::uint64_t ns);
  RunCounts run_counts() const;
  // /proc/self/fdinfo/N, as the kernel writes it, without the lines of any file.
  std::string show_fdinfo() const;

 private:
  friend Result<std::unique_ptr<object::View>> make_program_view(object::Mapped mapped);
  Result<void> find_rows(std::uint64_t offset);

  Stored* stored_;
  ProgramAttributes attributes_;
  map::References gates_;
  std::span<const abi::Insn> source_insns_, shown_insns_;
  std::span<const abi::FuncInfo> source_func_info_, func_info_;
  std::span<const abi::LineInfo> source_line_info_, line_info_;
  std::span<const std::uint32_t> used_map_ids_;
  std::span<const Tag> tags_;
  // What this process has made of the program, with what must stay mapped for it.
  struct Adopted {
    std::unique_ptr<const Prepared> prepared;
    std::vector<object::ViewRef> objects;
  };
  sync::Atomic<const Adopted*> adopted_;
};

// ENOMEM. Fills in what of `attributes` the verified program says.
Result<object::Draft> draft_program(object::Runtime& runtime, const VerifiedProgram& program,
                                    ProgramAttributes attributes);
// What the program refers to: to be published with the draft.
// How many of its first places they may take, with the maps that are bound to it.
inline constexpr std::uint32_t kMostProgramEdges = 1024;
std::vector<object::Edge> edges_of(const VerifiedProgram& program, const ProgramAttributes& attributes);
// object::ViewFactory of programs.
Result<std::unique_ptr<object::View>> make_program_view(object::Mapped mapped);

}  // namespace portolan::verifier
