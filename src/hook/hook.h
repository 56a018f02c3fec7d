// SPDX-License-Identifier: Apache-2.0
// A place of a host program, or a function of a program, where other processes attach programs, as an object
// of the runtime. See hook.cc for the essay.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "helper/run.h"
#include "hook/key.h"
#include "object/runtime.h"
#include "sync/call_epoch.h"
#include "sync/robust_lock.h"
#include "verifier/program.h"
#include "vm/runner.h"

namespace portolan::hook {

inline constexpr std::uint32_t kMostMembers = 64;  // BPF_MPROG_MAX, BPF_CGROUP_MAX_PROGS
inline constexpr std::uint32_t kNoPlace = UINT32_MAX;
inline constexpr std::uint32_t kMostLevels = 64;  // of cgroups above one

inline constexpr std::uint32_t kPlaceOfLink = 1u << 31;

// One attached program.
struct Member {
  std::uint32_t program_id = 0;
  std::uint32_t link_id = 0;  // 0: attached by itself
  // Of a cgroup: BPF_F_PREORDER; of netfilter: the priority's bits; of a probe or tracepoint: the id of the
  // perf event, or kPlaceOfLink and which of the places of its link it is.
  std::uint32_t flags = 0;
  std::uint32_t place = kNoPlace;  // the hook's own: which of its edges
  std::uint32_t event_id = 0;      // 0: not by ioctl(2) of a perf event
};

// What is attached to a hook, in order.
struct List {
  std::vector<Member> members;
  std::uint32_t flags = 0;  // of a cgroup: BPF_F_ALLOW_*
  std::uint64_t revision = 1;
};

class Hook final : public verifier::Attachments {
 public:
  struct Stored;  // its bytes in the region
  struct Details {
    std::span<const std::uint64_t> above =
        {};  // of a cgroup: inodes of the directories above, the nearest first
    // Of a raw tracepoint: what programs may write of what its first argument points to. Of a tracepoint: its
    // record's.
    std::uint32_t bytes = 0;
    std::string_view path = {};  // of a uprobe's file
  };
  // The hook of that key, made if nobody has declared it yet; `fd` keeps it there.
  struct Declared {
    Hook* hook;
    UniqueFd fd;
  };
  // EINVAL: it is declared with other `bytes` already, or there are more than kMostLevels above.
  static Result<Declared> declare(object::Runtime& runtime, const Key& key, const Details& details);
  static Result<Declared> declare(object::Runtime& runtime, const Key& key) {
    return declare(runtime, key, {});
  }
  // ENOENT: no living process has declared it. Call it inside a CallEpoch.
  static Result<Hook*> find(object::Runtime& runtime, const Key& key);
  // Calls body(hook) for all that are declared.
  static void for_each(object::Runtime& runtime, const std::function<void(Hook&)>& body);
  // Whether any hook is declared for the same device, cgroup or namespace.
  static bool is_place(object::Runtime& runtime, const Key& key);
  // What runs at a cgroup, as effective_members() takes it. ENOENT: nobody has declared it, for any attach
  // type.
  static Result<std::vector<List>> lists_at(object::Runtime& runtime, const Key& key);
  // A hook of that key has gone: the cgroups below it run less.
  static void tell_below(object::Runtime& runtime, const Key& key);
  static Result<std::unique_ptr<object::View>> make(object::Mapped mapped);

  Hook(object::Mapped mapped, Stored* stored, std::string_view path);
  ~Hook() override;
  void let_go() override;

  const Key& key() const { return key_; }
  std::uint32_t bytes() const;                       // Details::bytes, as its hosts say; outside data
  const std::string& path() const { return path_; }  // Details::path, as the first of them said
  // Not 0 while anything is attached. Lies in shared memory.
  const volatile std::uint8_t* attached() const;

  // As it stands. Members whose link has just ended may be among them: settle_links() first.
  List list() const;
  // The lists of the cgroups above that are declared, the nearest first.
  std::vector<List> lists_above();
  void settle_links();
  // Has `change` edit the list and puts it in the old one's place, unless it fails. Returns when no program
  // that left is running any more, unless the caller is inside a program itself. ENODEV: the host has gone.
  Result<void> edit(const std::function<Result<void>(List&)>& change);

  // One attached program, ready to run in this process.
  struct Attached {
    const vm::Executable* executable;
    verifier::Program* program;
    std::uint64_t cookie;
    std::uint64_t place;    // of a link: which, and which of its places
    std::uint32_t process;  // of a uprobe: the one that it is for; 0: for all
    bool is_session;        // of a probe: its beginning decides whether its end is run
  };
  // body(runner, programs) once, Inside, with the attached programs in their order. EAGAIN: this process
  // cannot join the runtime.
  template <class Body>
  Result<void> run(Body&& body) {
    if (vm::Runner* const held = vm::Burst::find(runtime())) return run_by(*held, body);
    return run_leased(body);
  }
  void check(shm::Findings& findings) const override;

  // --- function_hook.cc: of programs' functions
  bool is_of(const object::View& program) const override;
  bool has_extension() override;
  verifier::FunctionCall::Outcome run_function(helper::Run& run, const verifier::FunctionCall& call) override;
  // What the dead have left at the program's functions is put right.
  static void look_after_functions(verifier::Program& program);

 private:
  template <class Wanted>
  static Result<Hook*> find_if(object::Runtime& runtime, Wanted wanted);
  // Calls body(hook) for all hooks of cgroups of that device.
  static void for_each_cgroup(object::Runtime& runtime, std::uint64_t device,
                              const std::function<void(Hook&)>& body);
  // The lists that an effective one was made of: hook and its `current`.
  using Sources = std::vector<std::pair<std::uint32_t, std::uint64_t>>;
  // Of a program's function: how many words it takes, and what the program's context is.
  struct Arguments {
    std::uint32_t count = 0;
    abi::ProgType type{};
  };
  struct Snapshot {
    std::uint64_t current;  // the word that it was made of
    Arguments arguments;
    std::vector<Attached> programs;
    std::vector<object::ViewRef> views;
    Sources sources;
    std::uint64_t epoch = 0;         // once replaced: nobody uses it when this has passed
    const Snapshot* next = nullptr;  // once replaced
  };
  template <class Body>
  [[gnu::noinline]] Result<void> run_leased(Body& body) {
    const sync::CallEpoch epoch;
    vm::Runner runner(runtime(), TRY(runtime().actor()), nullptr);
    return run_by(runner, body);
  }
  // In a burst it costs as much as the stores do that it makes, so that it is made part of its caller.
  template <class Body>
  [[gnu::always_inline]] Result<void> run_by(vm::Runner& runner, Body&& body) {
    for (;;) {
      {
        const vm::Runner::Inside inside(runner);
        const Snapshot* const known = snapshot_.load_acquire();  // pairs with refresh
        if (known != nullptr && is_current(*known)) [[likely]] {
          body(runner, std::span<const Attached>(known->programs));
          break;
        }
      }
      TRY(refresh());
    }
    count_run();
    return {};
  }
  template <class Body>
  auto locked(const sync::Actor& actor, Body&& body);
  void commit(const List& list);
  Result<void> give_places(List& list);
  bool has_unlisted(const List& list) const;
  void reap(const List& list, std::vector<object::Edge>& dropped);
  std::uint32_t program_of(object::Edge target) const;

  // function_hook.cc
  Result<void> set_gate(bool is_open);
  Result<Arguments> arguments_of_function() const;
  const Snapshot* current_snapshot();
  void run_tracing(helper::Run& run, const Snapshot& snapshot, abi::AttachType type,
                   const verifier::FunctionCall& call, const std::uint64_t* result);

  // hierarchy.cc
  std::vector<Hook*> chain();  // this one, then those above that are declared, the nearest first
  Sources sources();
  std::vector<Member> members_that_run();
  void update_effective();
  void tell_hosts();

  bool is_current(const Snapshot& snapshot) const { return current_->load_acquire() == snapshot.current; }
  Result<void> refresh();
  Result<Attached> prepare(const Member& member, std::vector<object::ViewRef>& views);
  bool accepts(const verifier::Program& program) const;
  void count_run() {
    const std::uint32_t runs = runs_.load_relaxed() + 1;
    runs_.store_relaxed(runs);
    if (runs % kRunsPerLook == 0) [[unlikely]]
      look_after_the_dead();
  }
  void look_after_the_dead();
  void look_after_one();
  void retire(Snapshot* snapshot);
  void free_retired();

  static constexpr std::uint32_t kRunsPerLook = 256;
  Stored* stored_;
  const sync::Atomic<std::uint64_t>* current_;
  Key key_;
  std::vector<std::uint64_t> above_;
  std::string path_;
  sync::Atomic<std::uint32_t> vouched_bytes_;  // that this process hands out as writable
  sync::Atomic<Snapshot*> snapshot_, retired_;
  sync::Atomic<std::uint32_t> runs_;
  sync::Atomic<std::uint64_t> looked_at_;
};

// Waits until no program is running that had begun before the call, unless the caller is inside one itself.
void wait_for_runs(object::Runtime& runtime);

}  // namespace portolan::hook
