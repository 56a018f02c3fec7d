// SPDX-License-Identifier: Apache-2.0
// The table is a file beside the runtime's control file, made with the first timer and named by the boot:
// what was armed before another one is gone, as maps are in the kernel.
//
// A map refers to the programs that its timers call, by edges: a program lives as long as it may be called.
// The edge is there before the first such timer says so, and goes after the last one no longer does; a death
// in between leaves one too many, until the map or its users go. Lock order: the table's lock and the object
// lock are never held together.
#include "map/timers.h"

#include <fmt/format.h>

#include "base/fault_copy.h"
#include "map/scratch.h"
#include "shm/fingerprint.h"

namespace portolan::map {
namespace {

struct TimersFile {
  shm::Fingerprint fingerprint;
};
constexpr std::uint64_t kTableOffset = 64;
static_assert(sizeof(TimersFile) <= kTableOffset);

// "timers-" and which boot it is of.
std::string file_name() {
  char boot[37] = "0";
  if (const auto fd = sys::openat(AT_FDCWD, "/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)) {
    const UniqueFd file(*fd);
    if (const auto read = sys::pread(file.get(), boot, sizeof boot - 1, 0)) boot[*read] = '\0';
  }
  return fmt::format("timers-{}", boot);
}

shm::Fingerprint fingerprint_of(const object::Runtime& runtime) {
  return shm::make_fingerprint(shm::RegionKind::kTimers, runtime.possible_cpus(), runtime.kernel_version());
}

// Made aside, under a name that a sweep takes for a living process', and linked to its own when it is whole:
// of two who make it, one wins.
Result<void> make_file(object::Runtime& runtime, const std::string& name) {
  const sync::Actor self = TRY(runtime.actor());
  const std::string aside =
      fmt::format("staging/{}-{}-timers-{}", self.self.slot(), self.self.incarnation(), self.self.thread());
  const auto sizes = ds::TimerTable::sizes(kTableOffset);
  const int root = runtime.directory_fd();
  {
    const shm::Region region =
        TRY(shm::Region::create(root, aside.c_str(), sizes.total, sizes.reserved, 0600));
    region.at<TimersFile>(0)->fingerprint = fingerprint_of(runtime);
    ds::TimerTable::format(region, kTableOffset);
  }
  const Result<void> linked = sys::linkat(root, aside.c_str(), root, name.c_str(), 0);
  (void)sys::unlinkat(root, aside.c_str(), 0);
  if (!linked && linked.error().value != EEXIST) return linked;
  return {};
}

Result<ds::TimerName> name_at(const std::byte* timer) {
  ds::TimerName name;
  if (!portolan_fault_copy(&name, timer, sizeof name)) return fail(EFAULT);
  return name;
}
sync::Atomic<std::uint64_t>& word_at(std::byte* timer) {
  return *static_cast<sync::Atomic<std::uint64_t>*>(static_cast<void*>(timer));
}

const ValueField* field_of(const Map& map, ds::TimerClock clock) {
  return map.spec().field(clock == ds::TimerClock::kAtOnce ? FieldKind::kWorkQueue : FieldKind::kTimer);
}

}  // namespace

struct Timers::File {
  shm::Region region;
  std::optional<ds::TimerTable> table;
};

Timers::~Timers() { delete file_.load_relaxed(); }

Result<ds::TimerTable*> Timers::open(bool create) {
  if (File* known = file_.load_acquire(); known != nullptr) return &*known->table;  // pairs with below
  const std::string name = file_name();
  const int root = runtime_.directory_fd();
  auto region = shm::Region::open(root, name.c_str(), ds::TimerTable::sizes(kTableOffset).total);
  if (!region && region.error().value == ENOENT && create) {
    TRY(make_file(runtime_, name));
    region = shm::Region::open(root, name.c_str(), ds::TimerTable::sizes(kTableOffset).total);
  }
  auto file = std::make_unique<File>(TRY(std::move(region)));
  if (!shm::explain_mismatch(file->region.at<TimersFile>(0)->fingerprint, fingerprint_of(runtime_)).empty())
    return fail(EINVAL);
  file->region.close_file();
  file->table = TRY(ds::TimerTable::attach(file->region, kTableOffset));
  File* known = nullptr;
  if (!file_.cas_acq_rel(known, file.get())) return &*known->table;  // pairs with the load above
  return &*file.release()->table;
}

ds::TimerTable* Timers::table() {
  const Result<ds::TimerTable*> opened = open(false);
  return opened ? *opened : nullptr;
}

void Timers::check(shm::Findings& findings) {
  if (const ds::TimerTable* known = table(); known != nullptr) known->check("timers", findings);
}

Result<void> Timers::init(Map& map, std::byte* timer, ds::TimerClock clock) {
  const ValueField* const field = field_of(map, clock);
  if (field == nullptr) return fail(EINVAL);
  const std::optional<std::uint64_t> at = map.place_of(timer - field->offset);
  if (!at) return fail(EINVAL);
  const sync::Actor actor = TRY(runtime_.actor());
  ds::TimerName was = TRY(name_at(timer));
  const Result<ds::TimerTable*> opened = open(true);
  if (!opened || !begin()) return fail(ENOMEM);
  ds::TimerTable& table = **opened;
  const ds::TimerName name = TRY(table.make(actor, was, {map.id(), *at}, clock));
  if (!word_at(timer).cas_acq_rel(was, name)) {  // pairs with itself
    (void)table.free(actor, name);
    return fail(EBUSY);
  }
  // Whoever frees the timers of a map without users comes after this look, or finds this one.
  if (!runtime_.has_users(map)) {
    (void)table.free(actor, name);
    return fail(EPERM);
  }
  if (table.is_time_to_sweep(actor)) sweep(table, actor);
  return {};
}

Result<void> Timers::set_callback(const std::byte* timer, ds::TimerCallback callback) {
  const ds::TimerName name = TRY(name_at(timer));
  ds::TimerTable* const table = name != 0 ? this->table() : nullptr;
  if (table == nullptr) return fail(EINVAL);
  const sync::Actor actor = TRY(runtime_.actor());
  const auto place = table->place_of(actor, name);
  if (!place) return fail(EINVAL);
  const auto map = runtime_.view_by_id(object::Kind::kMap, place->object);
  if (!map) return fail(EINVAL);
  if (!runtime_.has_users(**map)) return fail(EPERM);
  auto set = table->set_callback(actor, name, callback, false);
  if (!set && set.error().value == ENOENT) {
    const object::Edge edge{object::Kind::kProg, callback.program};
    if (!runtime_.add_edge(**map, edge)) return fail(ENOMEM);
    set = table->set_callback(actor, name, callback, true);
    if (!set) (void)runtime_.remove_edge(**map, edge);
  }
  if (!set) return fail(set.error());
  drop(set->surplus);
  drop(set->before);
  return {};
}

Result<void> Timers::start(const std::byte* timer, const ds::TimerTable::Start& start) {
  const ds::TimerName name = TRY(name_at(timer));
  ds::TimerTable* const table = name != 0 ? this->table() : nullptr;
  if (table == nullptr) return fail(EINVAL);
  const sync::Actor actor = TRY(runtime_.actor());
  TRY(table->start(actor, name, start));
  // Where this process cannot, another one will, or the next one to come.
  (void)begin();
  return {};
}

Result<bool> Timers::cancel(const std::byte* timer, ds::TimerName own) {
  const ds::TimerName name = TRY(name_at(timer));
  ds::TimerTable* const table = name != 0 ? this->table() : nullptr;
  if (table == nullptr) return fail(EINVAL);
  const sync::Actor actor = TRY(runtime_.actor());
  const auto cancelled = TRY(table->cancel(actor, name, own));
  drop(cancelled.edge);
  return cancelled.was_armed;
}

void Timers::free(const object::Runtime& runtime, const std::byte* timer) {
  Timers* const timers = of(runtime);
  const Result<ds::TimerName> name = name_at(timer);
  if (timers != nullptr && name && *name != 0) timers->free(*name);
}

void Timers::free(ds::TimerName name) {
  ds::TimerTable* const table = this->table();
  const auto actor = runtime_.actor();
  if (table != nullptr && actor) drop(table->free(*actor, name));
}

void Timers::release(Map& map) {
  ds::TimerTable* const table = this->table();
  const auto actor = runtime_.actor();
  if (table == nullptr || !actor) return;
  for (std::uint32_t number = 0; number < table->count(); ++number)
    if (const auto known = table->timer(*actor, number); known && known->place.object == map.id())
      free(known->name);
}

// Those whose values went another way than by an operation of their map: by an eviction, by a death, with the
// whole map.
void Timers::sweep(ds::TimerTable& table, const sync::Actor& actor) {
  for (std::uint32_t number = 0; number < table.count(); ++number) {
    const auto known = table.timer(actor, number);
    if (!known || known->is_running) continue;
    const auto view = runtime_.view_by_id(object::Kind::kMap, known->place.object);
    Scratch room;
    if (view) {
      const Map& map = static_cast<const Map&>(**view);
      const auto key = room.take(map.key_size());
      if (!key || value_of(map, {known->name, known->place, known->clock, {}}, *key) != nullptr) continue;
    }
    free(known->name);
  }
}

std::byte* Timers::value_of(const Map& map, const ds::TimerTable::Due& due, std::byte* key) const {
  const ValueField* const field = field_of(map, due.clock);
  if (field == nullptr) return nullptr;
  std::byte* const value = map.value_at(due.place.at, key);
  if (value == nullptr) return nullptr;
  const Result<ds::TimerName> name = name_at(value + field->offset);
  return name && *name == due.name ? value : nullptr;
}

void Timers::note(const Map& map) {
  if (!map.has_timers()) return;
  ds::TimerTable* const known = table();
  const auto actor = runtime_.actor();
  if (known != nullptr && actor && known->next(*actor).wait_ns != ds::TimerTable::kNever) (void)begin();
}

void Timers::drop(const ds::TimerEdge& edge) {
  if (edge.program == 0) return;
  if (const auto map = runtime_.view_by_id(object::Kind::kMap, edge.object))
    (void)runtime_.remove_edge(**map, {object::Kind::kProg, edge.program});
}

}  // namespace portolan::map
