// SPDX-License-Identifier: Apache-2.0
// A runtime is a directory; an object is a directory in it. See runtime.cc for the essay: layout, invariants,
// what the object lock guards, and the crash table.
#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "shm/findings.h"
#include "shm/handle.h"
#include "shm/region.h"
#include "sync/atomic.h"
#include "sync/participants.h"
#include "sync/vcpu.h"

namespace portolan::object {

// What a room above keeps for as long as the runtime is open in this process.
enum class Extended { kTimers, kKernelTypes, kEnd };
class Extension {
 public:
  virtual ~Extension() = default;
  virtual void check(shm::Findings&) {}  // for fsck
};

enum class Kind : std::uint32_t {
  kMap = 1,
  kProg = 2,
  kBtf = 3,
  kLink = 4,
  kPerfEvent = 5,
  kHook = 6,      // a place of a host program where programs are attached
  kIterator = 7,  // what BPF_ITER_CREATE gives
};
const char* handle_name(
    Kind kind);  // "bpf-map", "bpf-prog", "btf", "bpf-link": bpftool tells objects apart by it

// The id of the kernel's BTF, which nobody else's gets.
inline constexpr std::uint32_t kKernelBtfId = 1;

// Where an object's files are, or one of them, below the runtime's directory.
std::string object_path(Kind kind, std::uint32_t id, const char* file = nullptr);

// One object refers to another: a map to its BTF or an inner map, a program to its maps.
struct Edge {
  Kind kind;
  std::uint32_t id;
};

class Runtime;
class View;

// What the fd cache says about an fd: one per view and access, never changed, gone only with the view.
struct FdNode {
  View* view;
  Kind kind;
  shm::Access access;
};

// Where a new object is built, aside, before anybody can see it. Dropped without publish(), it leaves nothing
// behind.
struct Draft {
  Draft() = default;
  Draft(Draft&& other) noexcept;
  Draft& operator=(Draft&& other) noexcept;
  ~Draft();
  Kind kind{};
  shm::Region state;  // ObjectHeader (the runtime's own) at 0; the kind's own bytes start at payload_offset
  std::uint64_t payload_offset = 0;
  shm::Region user_pages;  // mapped, when user_bytes was not 0
  Runtime* runtime = nullptr;
  std::string staging;  // "staging/…", empty once published
  int root_fd = -1;     // the runtime's own
};

// What a view is made of: an object that exists, mapped into this process.
struct Mapped {
  Runtime* runtime = nullptr;
  Kind kind{};
  std::uint32_t id = 0;
  shm::Region state;
  std::uint64_t payload_offset = 0;
  shm::Region user_pages;  // empty unless the object has pages that users mmap
  // The runtime's own: where the object stands in the table, and what tells it from every other, ever.
  std::uint32_t entry = 0;
  std::uint64_t serial = 0;
  std::uint64_t handle_inode = 0;
};

// This process's view of one object; Map and the like derive from it. Made by the kind's factory, shared by
// all threads, kept until the object is gone and no thread is inside a call (CallEpoch) nor holds a ViewRef.
class View {
 public:
  explicit View(Mapped mapped) : mapped_(std::move(mapped)) {}
  View(const View&) = delete;
  View& operator=(const View&) = delete;
  virtual ~View() = default;
  Kind kind() const { return mapped_.kind; }
  std::uint32_t id() const { return mapped_.id; }
  Runtime& runtime() const { return *mapped_.runtime; }
  const shm::Region& state() const { return mapped_.state; }
  const shm::Region& user_pages() const { return mapped_.user_pages; }
  // At least as long as was asked for, up to the end of the last page.
  Bytes payload() const { return mapped_.state.bytes().subspan(mapped_.payload_offset); }

  // The last user fd and the last pin went, though others may still refer to the object. Called in the
  // process that notices, outside the object lock and inside a CallEpoch; at least once for each time it
  // happens (a death in the middle, or two processes that notice together, repeat it): it must be idempotent.
  virtual void release_uref() {}
  virtual void check(shm::Findings&) const {}  // for fsck
  // The runtime ends, and with it every view: ViewRefs of others must be given up, since those may go first.
  // Nobody is inside a call.
  virtual void let_go() {}

 private:
  friend class Runtime;
  friend class ViewRef;
  Mapped mapped_;
  const FdNode nodes_[3] = {{this, mapped_.kind, shm::Access::kReadWrite},
                            {this, mapped_.kind, shm::Access::kReadOnly},
                            {this, mapped_.kind, shm::Access::kWriteOnly}};
  sync::Atomic<std::uint32_t> references_;  // ViewRefs
  sync::Atomic<std::uint32_t> releasing_;   // 1 while release_uref runs, so that a cycle of edges ends
};

// Keeps a view mapped outside of a CallEpoch (the typed API holds one per map).
class ViewRef {
 public:
  ViewRef() = default;
  explicit ViewRef(View& view);
  ViewRef(ViewRef&& other) noexcept;
  ViewRef& operator=(ViewRef&& other) noexcept;
  ~ViewRef();
  View* get() const { return view_; }
  View* operator->() const { return view_; }
  explicit operator bool() const { return view_ != nullptr; }

 private:
  View* view_ = nullptr;
};

// What an fd of the caller stands for.
struct Target {
  View* view;
  shm::Access access;
};

// EINVAL (a corrupt or foreign payload) makes the object unusable in this process, not the runtime.
using ViewFactory = Result<std::unique_ptr<View>> (*)(Mapped);

struct RuntimeOptions {
  bool create = true;                // make the directory if it is not there
  std::uint32_t kernel_version = 0;  // for a new runtime; 0: 6.18.0. For an existing one: must match unless 0
  std::uint32_t possible_cpus = 0;   // for a new runtime; 0: as the machine's
};

class Runtime {
 public:
  // Opens, or makes, the runtime in `directory`. On failure *why is a sentence that names the directory and
  // the reason.
  static Result<std::unique_ptr<Runtime>> open(const std::string& directory, const RuntimeOptions& options,
                                               std::string* why);
  // A fresh private directory in the first of $XDG_RUNTIME_DIR, /dev/shm, /tmp that has room; also clears
  // away private runtimes there, of this user, in which nothing lives any more. Gives its path; open() it
  // then.
  static Result<std::string> make_private_directory(std::string* why);
  // Removes a private runtime's directory if no process and no fd is left in it. EBUSY if one is.
  static Result<void> remove_private_directory(const std::string& directory);
  ~Runtime();

  const std::string& directory() const;
  int directory_fd() const;
  std::uint32_t kernel_version() const;
  std::uint32_t possible_cpus() const;
  // A random number of 128 bits, for as long as the runtime's directory; who has that directory can read it.
  std::pair<std::uint64_t, std::uint64_t> uuid() const;
  void set_view_factory(Kind kind, ViewFactory factory);
  // It goes before any view does.
  void extend(Extended what, std::unique_ptr<Extension> extension);
  Extension* extension(Extended what) const;  // nullptr: none

  // --- who I am (sync::Participants); the actor to hand to ds/ and to locks
  Result<sync::Actor> actor() { return participants_->actor(); }

  // --- making objects. Room is looked for and reserved here: ENOMEM.
  Result<Draft> draft(Kind kind, std::uint64_t payload_size, std::uint64_t payload_reserved,
                      std::uint64_t user_bytes, std::uint32_t max_edges) {
    return draft(kind, payload_size, payload_reserved, user_bytes, user_bytes, max_edges);
  }
  // The same, with less of the user pages reserved.
  Result<Draft> draft(Kind kind, std::uint64_t payload_size, std::uint64_t payload_reserved,
                      std::uint64_t user_bytes, std::uint64_t user_reserved, std::uint32_t max_edges);
  struct Published {
    std::uint32_t id;
    UniqueFd fd;  // held, O_CLOEXEC; the caller's to install or close (closing: forget_fd, then settle)
    View* view;
  };
  // The commit point of creation. Edges are counted with it: their targets must be alive (they are, if the
  // caller has an fd of each, and ENOENT otherwise). `id` 0: the next one; EEXIST: it is taken.
  Result<Published> publish(Draft draft, std::span<const Edge> edges, shm::Access access,
                            std::uint32_t id = 0);

  // --- finding objects. Call these inside a CallEpoch.
  // EBADF: not open; EINVAL: not an object of this runtime, or of another kind.
  Result<Target> target_of_fd(int fd, Kind kind) {
    if (static_cast<unsigned>(fd) < kCachedFds) [[likely]] {
      const FdEntry& entry = fd_cache_[fd];
      const FdNode* node = entry.node.load_acquire();  // pairs with remember()
      if (node != nullptr && node->kind == kind && entry.validated_at.load_relaxed() == coarse_ns())
          [[likely]]
        return Target{node->view, node->access};
    }
    return target_of_fd_slow(fd, kind);
  }
  Result<Target> target_of_any_fd(int fd);
  // A fd that fstat shows to be a handle of this runtime, of any kind; EINVAL when it is none.
  bool is_handle(int fd);
  // The bpf(2) ids. Both settle what they name first. ENOENT when there is none.
  Result<std::uint32_t> next_id(Kind kind, std::uint32_t after);
  Result<UniqueFd> open_by_id(Kind kind, std::uint32_t id, shm::Access access);
  Result<View*> view_by_id(Kind kind,
                           std::uint32_t id);  // no fd: for edges; the object must be kept alive by one

  // --- references between objects, under the object lock. add: ENOENT if either is gone, ENOSPC if all of
  // `from`'s max_edges are taken. remove: ENOENT if there is no such edge; settles the target.
  // `places`: only the first so many are looked at.
  Result<void> add_edge(View& from, Edge to, std::uint32_t places = UINT32_MAX);
  Result<void> remove_edge(View& from, Edge to);
  // Puts an edge into one of `from`'s max_edges places, or takes it away (id 0); the id that was there
  // before, 0 for none, which the caller settles when nobody can be using it any more. ENOENT if either is
  // gone, EINVAL: no such place.
  Result<std::uint32_t> replace_edge(View& from, std::uint32_t place, Edge to);
  Result<std::vector<Edge>> edges_of(const View& view);
  // The places themselves, to be read without a lock: kind << 32 | id, 0 for none. Outside data.
  static std::span<const sync::Atomic<std::uint64_t>> edge_places(const View& view);
  static std::span<const sync::Atomic<std::uint64_t>> edge_places(const Draft& draft);  // as long as mapped

  // --- liveness
  void forget_fd(int fd);  // the fd was or will be closed or replaced: drops it from the cache
  void forget_fds(int first, int last);
  // Whether a user holds it by an fd or a pin; true where nobody can tell.
  bool has_users(const View& view) const;
  void settle(Kind kind, std::uint32_t id);  // does what is due if the last fd, pin or reference has gone
  void sweep();                              // settles everything, clears what dead processes left behind

  // --- statistics of programs (BPF_ENABLE_STATS), see statistics.cc
  // An fd that switches them on until its last copy is closed, in whatever process.
  Result<UniqueFd> switch_statistics_on();
  bool statistics_are_on();
  // The same for who runs programs all the time: one load while they are off, asks once a tick while they are
  // on.
  bool counts_runs() { return statistics_->load_relaxed() % 2 != 0 && statistics_were_on_lately(); }

  // --- pins. A pin is a hard link, below bpffs/, to the object's own pin file: the file system counts them.
  int bpffs_fd() const;
  // EEXIST, ENOENT, EPERM … as the kernel's. `dir_fd` + `name` must lie in bpffs/ (EPERM else).
  Result<void> pin(const View& view, int dir_fd, const char* name, mode_t mode);
  Result<std::pair<Kind, std::uint32_t>> read_pin(int dir_fd, const char* name);
  // "/sys/fs/bpf/a/b" -> path of that name below this runtime's directory; nothing if `path` is not on the
  // bpffs. Takes absolute, lexically odd ("//", "/./", "/../") paths, and paths below directory()/bpffs
  // themselves.
  std::optional<std::string> translate_bpffs_path(std::string_view path) const;

  // --- user pages
  // Counts this process's writable mappings of an object; freezing is refused while there are any (of the
  // living).
  Result<void> add_writable_mapping(View& view);
  void remove_writable_mapping(View& view);
  bool has_writable_mapping(View& view);

  // --- fsck: the control region, every object's header and directory, and every view's own check.
  void check(shm::Findings& findings);

  // The vCPUs that programs run on, as many as possible_cpus().
  sync::VcpuTable& vcpus();
  // Whether any other process lives in this runtime.
  bool others_alive() const;

  // fds that belong to this runtime's own workings; the shim keeps clients from closing them.
  std::vector<int> own_fds() const;

  struct Impl;

 private:
  struct FdEntry {
    sync::Atomic<const FdNode*> node;
    sync::Atomic<std::uint64_t> validated_at;  // the timer tick, as coarse_ns() gives it
  };
  explicit Runtime(std::unique_ptr<Impl> impl);
  Result<Target> target_of_fd_slow(int fd, Kind kind);
  bool statistics_were_on_lately();

  static constexpr unsigned kCachedFds = 65536;
  FdEntry* fd_cache_ = nullptr;  // kCachedFds entries of zero pages
  sync::Participants* participants_;
  const sync::Atomic<std::uint64_t>* statistics_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace portolan::object
