// SPDX-License-Identifier: Apache-2.0
// The walk over all paths of a program: each instruction is carried out on what is known of registers and
// stack, and refused where that could do harm. As do_check() of the kernel, and what it calls.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>

#include "helper/helper.h"
#include "helper/kfunc.h"
#include "verifier/attach_target.h"
#include "verifier/context.h"
#include "verifier/facts.h"
#include "verifier/global_arguments.h"
#include "verifier/refuse.h"
#include "verifier/state.h"
#include "verifier/structure.h"

namespace portolan::verifier {

// What a helper call has said about itself so far, argument by argument.
struct CallMeta {
  const helper::Prototype* prototype = nullptr;
  const map::MapSpec* map = nullptr;
  std::uint32_t map_uid = 0;
  std::optional<std::uint64_t> key;  // where that is known
  std::uint32_t callback = 0;
  std::uint64_t size = 0;           // of the memory that is returned
  std::uint32_t given_back = 0;     // a reference
  std::uint32_t reference = 0;      // of what was given that must be given back
  RegState dynptr;                  // that is read, or given back
  std::int64_t most = 0;            // the largest size that was given
  std::uint8_t iterator_frame = 0;  // of the iterator that was given: where its first word lies
  std::size_t iterator_slot = 0;
};

enum class Access : std::uint8_t { kRead, kWrite };

// What the walk took.
struct Statistics {
  std::uint32_t insns = 0, most_states_of_insn = 0, total_states = 0, peak_states = 0;
};
std::string to_text(const Statistics& all);

class Walk {
 public:
  Walk(const UnverifiedProgram& program, const AttachTarget& target, Structure& structure, Facts& facts,
       btf::Log* log);

  // The main program with all that it calls, or a global function by itself. EINVAL, EACCES …: see verify().
  Result<void> run(std::uint32_t function);
  // Functions that are global and were called, and have not been walked.
  bool is_called(std::uint32_t function) const { return called_[function]; }
  // After all functions have been walked, and no chain of calls is without end: E2BIG, if more of them may be
  // active at one time than whoever runs the program has room for.
  Result<void> check_frames();
  Statistics statistics() const { return {insns_walked_, most_states_of_insn_, total_states_, peak_states_}; }

 private:
  enum class Next : std::uint8_t {
    kFollow,
    kJumped,
    kEnd
  };  // go on after this instruction, where at_ points, or nowhere

  // --- walk.cc
  Result<void> start(std::uint32_t function);
  Result<void> follow_path();
  Result<Next> step();
  void push(State state, std::uint32_t insn);
  bool pop();
  void finish_path(Checkpoint* parent);
  template <class... Args>
  std::unexpected<Errno> refuse(int error, fmt::format_string<Args...> format, Args&&... args) {
    return verifier::refuse(log_, error, format, std::forward<Args>(args)...);
  }
  std::unexpected<Errno> too_many_jumps(int error) {
    return refuse(error, "The sequence of {} jumps is too complex.", kMostPending + 1);
  }

  // --- walk_log.cc
  // What an instruction has had to do with, of the innermost frame: that is what the log shows behind it.
  struct Touched {
    std::uint32_t registers = 0;
    std::uint64_t slots = 0;
    static constexpr Touched all() { return {~std::uint32_t{0}, ~std::uint64_t{0}}; }
  };
  bool is_logged() const { return (log_level_ & 3) != 0; }
  void log_insn();
  void log_touched();
  void log_path(std::uint32_t from, std::uint32_t to);
  void log_call();
  void log_return(std::uint32_t to);    // before the frame goes
  void log_caller(std::uint32_t from);  // after that
  std::string text_of(const State& state, std::size_t frame, const Dependencies& precise,
                      Touched shown = Touched::all()) const;
  std::string text_of(const State& state, const Dependencies& precise) const {
    return text_of(state, state.frames.size() - 1, precise);
  }

  // --- prune.cc
  Result<bool>
  was_seen();  // a state that allows as much was here before; else this one may become a checkpoint
  // `from`: where to look for that visit, backwards.
  void widen_from_last_visit(State& state, std::uint32_t insn, const Checkpoint* from);

  // --- marks.cc
  // The program's safety has been seen to depend on this number.
  void depend_on(const RegState& number) {
    if (number.is_scalar()) depend_on(number.from);
  }
  void depend_on(const Dependencies& places);
  // What these bytes of stack hold matters to this path.
  void read_slots(const RegState& reg, std::int64_t least, std::int64_t end);
  void read_slots(std::size_t frame, std::uint64_t slots);
  void note_unwritten(const RegState& reg, std::int64_t least, std::int64_t end);
  void note_unwritten(const State& old, const std::array<std::uint64_t, isa::kMaxFrames>& read);
  void start_from_checkpoint(Checkpoint& checkpoint);
  bool may_end_at(Checkpoint& old) const;
  void end_path_at(Checkpoint& old);  // that covers it
  void settle_loops(const Checkpoint& head);

  // --- registers.cc
  Result<void> check_readable(unsigned number);
  Result<void> check_writable(unsigned number);
  void clobber_caller_saved();
  std::uint32_t new_id() { return ++ids_; }
  void give_id(RegState& number);  // before it is copied: what one of the two learns, the other knows

  // --- alu.cc
  Result<void> alu(const abi::Insn& insn);
  Result<void> move(const abi::Insn& insn);
  Result<void> pointer_arithmetic(const abi::Insn& insn, isa::Alu op, RegState pointer,
                                  const RegState& number, unsigned pointer_number);
  Result<void> check_sane_offset(const RegState& reg);

  // --- branches.cc
  Result<Next> jump(const abi::Insn& insn);
  Result<Next> may_goto(const abi::Insn& insn);
  int foretell(const abi::Insn& insn, bool is_wide, const RegState& left, const RegState& right) const;
  static void copy_bounds_to_equals(State& state, const RegState& known);
  static void settle_null(State& state, std::uint32_t id, bool is_null);
  void learn_packet_ranges(const abi::Insn& insn, State& fallen, State& jumped) const;

  // --- memory.cc: `to`: the register that a load writes, or -1; `stored`: what a store writes, if that is
  // known
  Result<void> access(unsigned base, std::int32_t offset, std::uint32_t size, Access kind, int to,
                      bool is_signed, const RegState* stored = nullptr, bool is_atomic = false);
  Result<void> check_aligned(const RegState& reg, std::int32_t offset, std::uint32_t size);
  Result<void> load(const abi::Insn& insn);
  Result<void> store(const abi::Insn& insn);
  Result<void> atomic(const abi::Insn& insn);
  Result<void> load_packet(const abi::Insn& insn);  // LD_ABS, LD_IND
  Result<void> load_immediate(const abi::Insn& insn);
  Result<void> check_region(unsigned number, const RegState& reg, std::int64_t offset, std::uint64_t size,
                            std::uint64_t region, bool zero_is_fine);
  Result<void> check_map_value(unsigned number, const RegState& reg, std::int32_t offset, std::uint64_t size,
                               Access kind, bool zero_is_fine);
  Result<void> check_packet(unsigned number, const RegState& reg, std::int32_t offset, std::uint64_t size,
                            bool zero_is_fine);
  Result<void> check_fixed(const RegState& reg, unsigned number);
  Result<RegState> context_value(const RegState& reg, unsigned number, std::int32_t offset,
                                 std::uint32_t size, Access kind);
  void touch_context(std::int32_t offset, std::uint32_t size) {
    facts_.max_context_offset =
        std::max(facts_.max_context_offset, static_cast<std::uint32_t>(offset) + size);
  }
  // A number of so many bytes, as a register holds it.
  static RegState number_of(std::uint32_t size, bool is_signed);
  const ReadOnlyCopy* read_only_copy(const RegState& reg) const;
  const map::MapSpec* inner_map(const map::MapSpec& spec) const;
  Result<RegState> map_constant(const RegState& reg, std::int32_t offset, std::uint32_t size) const;

  // --- kernel_objects.cc
  Result<RegState> kernel_object(const char* struct_name);
  Result<void> check_kernel_type(unsigned number, const char* struct_name);
  Result<RegState> attached_value(std::int32_t offset, std::uint32_t size, Access kind);
  Result<RegState> load_kernel_object(const RegState& reg, unsigned number, std::int32_t offset,
                                      std::uint32_t size, Access kind);
  Result<RegState> load_map(const RegState& reg, unsigned number, std::int32_t offset, std::uint32_t size,
                            Access kind);
  Result<void> check_struct(unsigned number, const char* name);
  Result<void> check_trusted(unsigned number, std::uint32_t wanted, bool may_be_null);
  Result<void> check_buffer(const RegState& reg, unsigned number, std::int32_t offset, std::uint64_t size);
  Result<void> check_flow_keys(const RegState& reg, std::int32_t offset, std::uint32_t size);

  // --- stack.cc
  Result<void> check_stack_bounds(unsigned number, const RegState& reg, std::int32_t offset,
                                  std::uint64_t size, Access kind);
  Result<void> write_stack(unsigned number, std::int32_t offset, std::uint32_t size, const RegState* value);
  Result<RegState> read_stack(unsigned number, std::int32_t offset, std::uint32_t size, bool is_signed);
  std::optional<std::uint64_t> stack_constant(const RegState& reg, std::uint32_t size);
  Result<void> forget_stack(const RegState& reg, std::int64_t least, std::int64_t end, bool are_zeros);
  Frame& frame_of(const RegState& reg) { return state_.frames[reg.frame]; }
  void need_stack(const RegState& reg, std::int64_t least);
  void touch_stack(const RegState& reg, std::int64_t least);
  void show_slots(std::int64_t least, std::int64_t end);  // in the log
  Result<void> check_not_opaque(const RegState& reg, std::int64_t least, std::int64_t end,
                                const std::string& through);
  Result<void> overwrite_opaque(Frame& frame, std::size_t number);

  // --- calls.cc
  Result<Next> call(const abi::Insn& insn);
  Result<void> call_helper(const abi::Insn& insn);
  Result<void> check_map_allows(const CallMeta& meta);
  void note_map(const map::MapSpec* spec);
  void note_index(const map::MapSpec& spec);
  bool has_every_index(const map::MapSpec& spec) const;
  Result<void> check_get_func_ip();
  Result<void> spin_lock(unsigned number, bool takes);
  void set_result(const CallMeta& meta);
  void forget_packet_pointers();

  // --- arguments.cc
  Result<void> check_argument(unsigned number, const helper::Argument& argument, CallMeta& meta);
  Result<void> check_type(unsigned number, const helper::Argument& argument);
  Result<void> check_memory(unsigned number, std::uint64_t size, Access kind, bool zero_is_fine,
                            CallMeta& meta);
  Result<void> check_sized_memory(unsigned number, bool zero_is_fine, Access kind, CallMeta& meta);
  Result<void> check_constant_string(unsigned number);

  // --- references.cc
  void acquire(RegState& result);
  Result<void> check_released(unsigned number, CallMeta& meta);
  Result<void> check_is_ours(std::uint32_t reference, CallMeta& meta);
  void give_back(std::uint32_t reference);
  Result<void> check_given_back(const char* what);
  Result<void> check_nothing_held(const char* what);

  // --- sections.cc
  Result<void> check_sections(const helper::Kfunc& kfunc);
  Result<void> check_irq_flags(unsigned number, const helper::Kfunc& kfunc);
  Result<void> save_irq_flags(unsigned number, std::size_t slot);
  const char* open_section() const;
  bool is_sleepable() const {
    const Async caller = state_.frames.front().async;
    return caller == Async::kNo ? (program_.flags & abi::prog_flag::kSleepable) != 0 : caller == Async::kWork;
  }

  // --- sockets.cc
  Result<void> check_socket(unsigned number, const RegState& reg, std::int32_t offset, std::uint32_t size);
  void set_socket(RegType type, const CallMeta& meta);

  // --- dynptr.cc
  Result<void> check_dynptr(unsigned number, const helper::Argument& argument, CallMeta& meta);
  Result<void> make_dynptr(unsigned number, DynptrKind kind, std::uint32_t reference);
  Result<StackSlot*> dynptr_at(unsigned number);
  Result<void> destroy_dynptr(Frame& frame, std::size_t slot);
  void drop_dynptr(Frame& frame, std::size_t slot);
  void drop_dynptrs_of(std::uint32_t reference);
  Result<void> check_no_dynptr(const RegState& reg, std::int64_t least, std::int64_t end);

  // --- kfunc_call.cc
  Result<Next> call_kfunc(const abi::Insn& insn);
  Result<void> throw_out();
  Result<void> check_kfunc_arguments(const helper::Kfunc& kfunc, CallMeta& meta);
  Result<void> check_kfunc_argument(unsigned number, const helper::Kfunc& kfunc, CallMeta& meta);
  Result<void> check_kfunc_packet(unsigned number);
  Result<void> check_kfunc_dynptr(unsigned number, const helper::Kfunc& kfunc, CallMeta& meta);
  Result<void> check_kfunc_memory(unsigned number, const helper::Kfunc& kfunc, CallMeta& meta);
  Result<void> check_cast(std::uint64_t id);
  void set_kfunc_result(const helper::Kfunc& kfunc, const CallMeta& meta);

  // --- iterator.cc
  Result<void> check_iterator(unsigned number, const helper::Kfunc& kfunc, CallMeta& meta);
  Result<void> make_iterator(unsigned number, helper::IteratorKind kind);
  Result<std::size_t> slot_of_object(unsigned number, const char* what, std::size_t words);
  bool is_iterator_at(const RegState& reg, std::size_t slot, helper::IteratorKind kind) const;
  bool gives_next(std::uint32_t insn) const;     // whether it calls next of an iterator
  bool has_next_to_give(unsigned number) const;  // the iterator there
  Result<void> give_next(const CallMeta& meta);

  // --- timers.cc
  Result<void> check_timer(unsigned number, map::FieldKind kind, CallMeta& meta);
  Result<void> check_map_of_timer(const RegState& map, const char* what, const CallMeta& meta);
  Result<void> check_work(unsigned number, CallMeta& meta);
  Result<void> check_map_of_work(unsigned number, const CallMeta& meta);
  Result<void> enter_async_callback(const CallMeta& meta, Async caller);
  Result<void> leave_async_callback();

  // --- functions.cc
  Result<Next> call_function(const abi::Insn& insn);
  Result<void> call_global(const Function& callee, std::uint32_t number);
  Result<void> check_global_arguments(std::uint32_t function);
  Result<void> check_global_argument(unsigned number, const GlobalArgument& argument);
  bool is_main_by_type() const;
  bool fits_type(const Function& callee) const;
  void note_loop(std::uint32_t callback);
  Result<void> enter_callback(const CallMeta& meta);
  Result<Next> leave_function();
  Result<void> leave_early(const RegState& result, bool forgets_packet);
  Result<void> leave_by_tail_call();
  Result<void> leave_program();
  Result<void> check_result_of_program(unsigned number);
  Result<void> check_result_range(const char* when, unsigned number, std::int64_t least, std::int64_t most);
  Result<std::span<const GlobalArgument>> arguments_of(std::uint32_t function);
  Result<void> set_global_arguments(State& state, std::uint32_t function);
  RegState given(const GlobalArgument& argument);
  void enter(State& state, std::uint32_t function, bool is_callback);
  std::uint32_t frames_below(std::uint32_t function) const;

  static constexpr std::size_t kMostPending = 8192;  // paths that are put off

  const UnverifiedProgram& program_;
  const AttachTarget& target_;
  Structure& structure_;
  Facts& facts_;
  btf::Log* log_;
  std::uint32_t log_level_;
  Touched touched_;
  // Of the instruction that the log had last: where it ends there, if there is one, and how long it is.
  std::uint64_t insn_end_ = kNowhere, insn_length_ = 0;
  static constexpr std::uint64_t kNowhere = UINT64_MAX;

  State state_;
  std::uint32_t at_ = 0;
  std::uint32_t root_ = 0;  // the function that is walked
  std::uint32_t ids_ = 0;
  struct Pending {
    State state;
    std::uint32_t insn, from;
    std::size_t log_length;
  };
  std::vector<Pending> pending_;
  std::vector<std::vector<std::unique_ptr<Checkpoint>>> checkpoints_;  // by instruction
  std::unordered_map<const Checkpoint*, std::unique_ptr<Checkpoint>>
      retired_;  // not listed, but on unfinished paths, or in loops
  std::vector<PathEnd> back_edges_;
  std::vector<Checkpoint*> in_loops_;  // those with `loop`, the oldest first
  std::vector<bool> called_;
  // Of functions that were walked by themselves: frames that were active, and which others were called where
  // how many were.
  std::vector<std::uint32_t> deepest_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> global_calls_;  // (caller, callee): frames
  std::vector<std::pair<std::string_view, std::uint32_t>> kernel_structs_;  // that were asked for by name
  std::uint32_t insns_walked_ = 0, jumps_walked_ = 0;
  std::uint32_t insns_at_checkpoint_ = 0, jumps_at_checkpoint_ = 0;
  std::uint32_t total_states_ = 0, peak_states_ = 0, states_now_ = 0, most_states_of_insn_ = 0;
};

}  // namespace portolan::verifier
