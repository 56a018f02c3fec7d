// SPDX-License-Identifier: Apache-2.0
// The bytes of a program:
//
//   Stored             what it is, how long the rows below are, how often it ran
//   source, insns      instructions as they were checked (maps by index), and as info shows them (maps by id)
//   func_info ×2, line_info ×2   of both
//   tags               of its functions
//   map ids            of the maps that the instructions name, by index
//
// Of its edges, those behind the first kMostProgramEdges are the gates: what is attached to each function
// (hook/function_hook.cc).
//
// All but the run counts, and whether it was ever attached, is written before the program is published and
// never again. What this process runs is not read from here: it is kept from the check, or checked anew.
#include "verifier/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>

#include "abi/prog_flags.h"
#include "isa/insn.h"
#include "map/btf_object.h"

namespace portolan::verifier {

struct Program::Stored {
  std::uint64_t magic;
  ProgramAttributes attributes;
  std::uint32_t source_insns, insns, source_func_info, func_info, source_line_info, line_info, tags, maps;
  std::uint32_t gates;
  sync::Atomic<std::uint32_t> was_attached;
  sync::Atomic<std::uint64_t> runs, run_ns;
};

namespace {

constexpr std::uint64_t kProgramMagic = 0x35'4752'504c'5450ull;  // "PTLPRG5"

// Hands out the rows one after the other.
class Rows {
 public:
  Rows(const shm::Region& region, std::uint64_t offset) : region_(region), offset_(offset) {}
  template <class T>
  T* next(std::uint32_t count) {
    T* row = region_.at<T>(offset_, count);
    offset_ += round_up(std::uint64_t{count} * sizeof(T), 8);
    return row;
  }

 private:
  const shm::Region& region_;
  std::uint64_t offset_;
};

template <class T>
std::uint64_t bytes_of(std::span<const T> row) {
  return round_up(row.size_bytes(), 8);
}
template <class T>
std::uint32_t length(const std::vector<T>& row) {
  return static_cast<std::uint32_t>(row.size());
}
template <class T>
void fill(Rows& rows, const std::vector<T>& from) {
  T* const to = rows.next<T>(length(from));
  if (!from.empty()) std::memcpy(to, from.data(), from.size() * sizeof(T));
}

std::vector<std::uint32_t> ids_of(const std::vector<map::Map*>& maps) {
  std::vector<std::uint32_t> ids;
  for (const map::Map* map : maps) ids.push_back(map->id());
  return ids;
}

// As bpf_insn_prepare_dump: maps by id, called functions by number.
std::vector<abi::Insn> shown(const VerifiedProgram& program) {
  std::vector<abi::Insn> insns = program.insns();
  const auto function_number = [&](std::int64_t start) {
    std::int32_t number = 0;
    for (const Subprogram& one : program.subprograms()) {
      if (one.start == start) break;
      ++number;
    }
    return number;
  };
  const auto source = [](abi::Insn& insn, abi::PseudoLoad pseudo) {
    insn.registers = static_cast<std::uint8_t>(insn.dst() | static_cast<unsigned>(pseudo) << 4);
  };
  for (std::size_t at = 0; at < insns.size(); ++at) {
    abi::Insn& insn = insns[at];
    if (insn.code == isa::kCallCode &&
        insn.src() == static_cast<std::uint8_t>(abi::PseudoCall::kSubprogram)) {
      insn.off = static_cast<std::int16_t>(insn.imm);
      insn.imm = function_number(static_cast<std::int64_t>(at) + 1 + insn.imm);
    }
    if (!isa::is_wide(insn)) continue;
    const auto pseudo = static_cast<abi::PseudoLoad>(insn.src());
    if (pseudo == abi::PseudoLoad::kMapIdx || pseudo == abi::PseudoLoad::kMapIdxValue) {
      insn.imm = static_cast<std::int32_t>(program.maps()[static_cast<std::size_t>(insn.imm)]->id());
      source(insn, pseudo == abi::PseudoLoad::kMapIdx ? abi::PseudoLoad::kMapFd : abi::PseudoLoad::kMapValue);
    }
    if (pseudo == kOwnProgram) source(insn, abi::PseudoLoad::kNone);
    ++at;
  }
  return insns;
}

std::vector<Tag> tags_of(const VerifiedProgram& program, std::span<const abi::Insn> insns, const Tag& whole) {
  const auto& functions = program.subprograms();
  if (functions.size() < 2) return {whole};
  std::vector<Tag> tags;
  for (std::size_t i = 0; i < functions.size(); ++i) {
    const std::size_t end = i + 1 < functions.size() ? functions[i + 1].start : insns.size();
    tags.push_back(tag_of(insns.subspan(functions[i].start, end - functions[i].start)));
  }
  return tags;
}

constexpr std::uint32_t kMostFunctions = 256;
std::uint32_t gate_count(const VerifiedProgram& program) {
  return program.func_info().empty() ? 0 : static_cast<std::uint32_t>(program.subprograms().size());
}
bool is_attached_here(const object::View& program, const object::View& found) {
  return static_cast<const Attachments&>(found).is_of(program);
}

// A program's own maps, by the order that its source names them in.
class OwnMaps final : public MapSource {
 public:
  OwnMaps(object::Runtime& runtime, std::span<const std::uint32_t> ids) : runtime_(runtime), ids_(ids) {}
  Result<map::Map*> by_fd(int) override { return fail(EBADF); }
  Result<map::Map*> by_index(std::uint32_t index) override {
    if (index >= ids_.size()) return fail(EBADF);
    return static_cast<map::Map*>(TRY(runtime_.view_by_id(object::Kind::kMap, ids_[index])));
  }

 private:
  object::Runtime& runtime_;
  std::span<const std::uint32_t> ids_;
};

}  // namespace

Program::Program(object::Mapped mapped, Stored* stored)
    : ProgramView(std::move(mapped)),
      stored_(stored),
      attributes_(stored->attributes),
      gates_(*this, object::Kind::kHook, std::min(stored->gates, kMostFunctions), is_attached_here,
             kMostProgramEdges) {}
map::ProgramTraits traits_of(std::uint32_t type, std::uint32_t expected_attach_type, std::uint32_t flags) {
  return {type, expected_attach_type, (flags & abi::prog_flag::kSleepable) != 0,
          (flags & abi::prog_flag::kXdpHasFrags) != 0};
}

void Program::let_go() {
  gates_.forget();
  delete adopted_.exchange_acq_rel(nullptr);
}
Program::~Program() { delete adopted_.load_relaxed(); }

Result<std::vector<std::uint32_t>> Program::map_ids() {
  std::vector<std::uint32_t> ids;
  for (const object::Edge& edge : TRY(runtime().edges_of(*this)))
    if (edge.kind == object::Kind::kMap) ids.push_back(edge.id);
  return ids;
}

Result<const Prepared*> Program::adopt(std::unique_ptr<const Prepared> prepared,
                                       std::span<map::Map* const> maps) {
  prepared->belongs_to(*this);
  auto mine = std::make_unique<Adopted>();
  mine->prepared = std::move(prepared);
  for (map::Map* map : maps) mine->objects.emplace_back(*map);
  if (attributes_.btf_id != 0)
    mine->objects.emplace_back(*TRY(runtime().view_by_id(object::Kind::kBtf, attributes_.btf_id)));
  const Adopted* adopted = nullptr;
  if (!adopted_.cas_acq_rel(adopted, mine.get())) return adopted->prepared.get();  // pairs with prepared
  return mine.release()->prepared.get();
}

Result<Program*> Program::target() const {
  // Older than this one, so that no chain of targets has an end that is its beginning.
  if (attributes_.target_id == 0 || attributes_.target_id >= id()) return fail(EINVAL);
  return static_cast<Program*>(TRY(runtime().view_by_id(object::Kind::kProg, attributes_.target_id)));
}

Result<TargetProgram> Program::as_target() {
  const Prepared* const known = prepared();
  if (known == nullptr) return fail(EINVAL);
  TargetProgram target;
  const bool is_tracing = attributes_.type == static_cast<std::uint32_t>(abi::ProgType::kTracing);
  target.type = static_cast<abi::ProgType>(is_extension() ? attributes_.target_type : attributes_.type);
  target.expected_attach_type = attributes_.expected_attach_type;
  target.is_extension = is_extension();
  target.traces_tracing =
      is_tracing && attributes_.target_id != 0 && attributes_.target_type == attributes_.type;
  if (attributes_.btf_id != 0) {
    object::View* const btf = TRY(runtime().view_by_id(object::Kind::kBtf, attributes_.btf_id));
    target.btf = TRY(static_cast<map::BtfObject*>(btf)->parsed());
  }
  target.functions = known->functions();
  return target;
}

Result<Attacher> Program::as_attacher() {
  const TargetProgram self = TRY(as_target());
  if (self.functions.empty()) return fail(EINVAL);
  const Subprogram& main = self.functions.front();
  return Attacher{is_extension(),
                  (attributes_.flags & abi::prog_flag::kSleepable) != 0,
                  attributes_.expected_attach_type,
                  self.btf,
                  main.type_id,
                  main.changes_packet,
                  main.might_sleep,
                  main.arguments};
}

bool Program::was_attached() const { return stored_->was_attached.load_relaxed() != 0; }
void Program::note_attached() { stored_->was_attached.store_relaxed(1); }

Program::Gates Program::gates() const {
  const auto places = object::Runtime::edge_places(*this);
  const std::uint64_t end = std::uint64_t{kMostProgramEdges} + gates_.count();
  return places.size() < end ? Gates{} : places.subspan(kMostProgramEdges, gates_.count());
}
Program::Gates Program::gates(const object::Draft& draft, const VerifiedProgram& program) {
  return object::Runtime::edge_places(draft).subspan(kMostProgramEdges, gate_count(program));
}

Attachments* Program::attachments(std::uint32_t function) {
  return static_cast<Attachments*>(gates_.find(function));
}

Result<void> Program::set_gate(std::uint32_t function, std::uint32_t hook_id) {
  if (function >= gates_.count()) return fail(ENOENT);
  TRY(gates_.exchange(function, hook_id));
  return {};
}

bool Program::is_extended() {
  const Gates all = gates();
  for (std::uint32_t function = 0; function < all.size(); ++function) {
    if (all[function].load_acquire() == 0) continue;  // pairs with Runtime::replace_edge
    Attachments* const attached = attachments(function);
    if (attached != nullptr && attached->has_extension()) return true;
  }
  return false;
}

Result<VerifiedProgram> Program::verify_again() {
  UnverifiedProgram source;
  source.runtime = &runtime();
  source.is_loaded = true;
  source.type = static_cast<abi::ProgType>(attributes_.type);
  source.expected_attach_type = attributes_.expected_attach_type;
  source.is_extension = is_extension();
  TargetProgram target;
  if (attributes_.target_id != 0) {
    Program* const its_target = TRY(this->target());
    target = TRY(its_target->as_target());
    source.target = &target;
  }
  if (is_extension()) {
    source.type = target.type;
    source.expected_attach_type = target.expected_attach_type;
    // What maps and hooks go by, who cannot ask the target.
    if (source.target == nullptr || attributes_.target_type != static_cast<std::uint32_t>(target.type))
      return fail(EINVAL);
  }
  source.attach_btf_id = attributes_.attach_btf_id;
  source.flags = attributes_.flags;
  source.gpl_compatible = attributes_.gpl_compatible != 0;
  source.name.assign(attributes_.name, ::strnlen(attributes_.name, sizeof attributes_.name));
  source.possible_cpus = runtime().possible_cpus();
  source.insns.assign(source_insns_.begin(), source_insns_.end());
  source.func_info.assign(source_func_info_.begin(), source_func_info_.end());
  source.line_info.assign(source_line_info_.begin(), source_line_info_.end());
  if (attributes_.btf_id != 0) {
    object::View* btf = TRY(runtime().view_by_id(object::Kind::kBtf, attributes_.btf_id));
    source.btf = TRY(static_cast<map::BtfObject*>(btf)->parsed());
  } else if (!source.func_info.empty() || !source.line_info.empty()) {
    return fail(EINVAL);
  }
  OwnMaps maps(runtime(), used_map_ids_);
  return verify(std::move(source), maps, nullptr);
}

void Program::count_runs(std::uint64_t runs, std::uint64_t ns) {
  stored_->runs.fetch_add_relaxed(runs);
  stored_->run_ns.fetch_add_relaxed(ns);
}
RunCounts Program::run_counts() const {
  return {stored_->runs.load_relaxed(), stored_->run_ns.load_relaxed()};
}

std::string Program::show_fdinfo() const {
  std::string tag;
  for (std::byte byte : attributes_.tag.bytes) tag += fmt::format("{:02x}", static_cast<unsigned>(byte));
  const RunCounts counts = run_counts();
  return fmt::format(
      "prog_type:\t{}\nprog_jited:\t0\nprog_tag:\t{}\nmemlock:\t{}\nprog_id:\t{}\nrun_time_ns:\t{}\nrun_cnt:"
      "\t{}\n"
      "recursion_misses:\t0\nverified_insns:\t{}\n",
      attributes_.type, tag, state().size(), id(), counts.ns, counts.runs, attributes_.verified_insns);
}

Result<object::Draft> draft_program(object::Runtime& runtime, const VerifiedProgram& program,
                                    ProgramAttributes attributes) {
  const UnverifiedProgram& source = program.source();
  attributes.type = static_cast<std::uint32_t>(source.is_extension ? abi::ProgType::kExt : source.type);
  attributes.flags = source.flags;
  attributes.expected_attach_type = source.is_extension ? 0 : source.expected_attach_type;
  attributes.attach_btf_id = source.attach_btf_id;
  attributes.gpl_compatible = source.gpl_compatible ? 1 : 0;
  attributes.keeps_attach_type = program.keeps_attach_type() ? 1 : 0;
  attributes.verified_insns = program.verified_insns();
  attributes.max_context_offset = program.max_context_offset();
  attributes.buffer_bytes = program.buffer_bytes();
  const std::vector<abi::Insn> insns = shown(program);
  const std::vector<Tag> tags = tags_of(program, insns, attributes.tag);
  const std::vector<std::uint32_t> ids = ids_of(program.maps());

  const std::uint64_t size =
      sizeof(Program::Stored) + bytes_of(std::span(source.insns)) + bytes_of(std::span(insns)) +
      bytes_of(std::span(source.func_info)) + bytes_of(std::span(program.func_info())) +
      bytes_of(std::span(source.line_info)) + bytes_of(std::span(program.line_info())) +
      bytes_of(std::span(tags)) + bytes_of(std::span(ids));
  object::Draft draft =
      TRY(runtime.draft(object::Kind::kProg, size, size, 0, kMostProgramEdges + gate_count(program)));
  Rows rows(draft.state, draft.payload_offset);
  Program::Stored& stored = *rows.next<Program::Stored>(1);
  stored.magic = kProgramMagic;
  stored.attributes = attributes;
  stored.source_insns = length(source.insns);
  stored.insns = length(insns);
  stored.source_func_info = length(source.func_info);
  stored.func_info = length(program.func_info());
  stored.source_line_info = length(source.line_info);
  stored.line_info = length(program.line_info());
  stored.tags = length(tags);
  stored.maps = length(ids);
  stored.gates = gate_count(program);
  fill(rows, source.insns);
  fill(rows, insns);
  fill(rows, source.func_info);
  fill(rows, program.func_info());
  fill(rows, source.line_info);
  fill(rows, program.line_info());
  fill(rows, tags);
  fill(rows, ids);
  return draft;
}

std::vector<object::Edge> edges_of(const VerifiedProgram& program, const ProgramAttributes& attributes) {
  std::vector<object::Edge> edges;
  for (const map::Map* map : program.maps()) edges.push_back({object::Kind::kMap, map->id()});
  if (attributes.btf_id != 0) edges.push_back({object::Kind::kBtf, attributes.btf_id});
  if (attributes.target_id != 0) edges.push_back({object::Kind::kProg, attributes.target_id});
  return edges;
}

Result<std::unique_ptr<object::View>> make_program_view(object::Mapped mapped) {
  auto* stored = mapped.state.at<Program::Stored>(mapped.payload_offset);
  if (stored == nullptr || stored->magic != kProgramMagic) return fail(EINVAL);
  const std::uint64_t offset = mapped.payload_offset;
  auto program = std::make_unique<Program>(std::move(mapped), stored);
  TRY(program->find_rows(offset));
  return program;
}

// The lengths may be anything by now: each row must lie in the region.
Result<void> Program::find_rows(std::uint64_t offset) {
  Rows rows(state(), offset + round_up(sizeof(Stored), 8));
  bool fits = true;
  const auto find = [&]<class T>(std::span<const T>& row, std::uint32_t count) {
    if (count > abi::kMaxInsns) fits = false;
    const T* begin = fits ? rows.next<const T>(count) : nullptr;
    if (begin == nullptr && count != 0) fits = false;
    if (fits) row = {begin, count};
  };
  const Stored& stored = *stored_;
  const std::uint32_t counts[] = {stored.source_insns,
                                  stored.insns,
                                  stored.source_func_info,
                                  stored.func_info,
                                  stored.source_line_info,
                                  stored.line_info,
                                  stored.tags,
                                  stored.maps};
  find(source_insns_, counts[0]);
  find(shown_insns_, counts[1]);
  find(source_func_info_, counts[2]);
  find(func_info_, counts[3]);
  find(source_line_info_, counts[4]);
  find(line_info_, counts[5]);
  find(tags_, counts[6]);
  find(used_map_ids_, counts[7]);
  if (!fits) return fail(EINVAL);
  return {};
}

}  // namespace portolan::verifier
