// SPDX-License-Identifier: Apache-2.0
// Processes share one HASH while some of them are killed at random.
//
//   shared_hash [--seconds N] [--lookups N] [--portolan PROGRAM]
//
// Every process owns a range of keys. Before it changes a key it writes down its intent, after the call
// returned its acknowledgement, in memory that outlives it. A key's value counts up; an odd count means
// present, an even one absent. So at any moment, also after a death, the map must show for each key an
// element between what was acknowledged and what was intended. Two processes write to the end; the others are
// killed after a random while, at any instruction: plain children, children of children, and children between
// fork and exec. Meanwhile, readers look up keys that are always there: a lookup that fails, or shows another
// key's bytes, is a failure. At the end every acknowledged change must be there, `portolan fsck` must be
// content, and the capacity must be exact.
#include <fmt/core.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <optional>
#include <portolan/portolan.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr std::uint32_t kWriters = 6;  // 0 and 1 are never killed
constexpr std::uint32_t kKeysPerWriter = 512;
constexpr std::uint32_t kChurning = kWriters * kKeysPerWriter;
constexpr std::uint32_t kAlways =
    1024;  // keys that are always there, replaced all the time by writers 0 and 1
constexpr std::uint32_t kEntries = kChurning + kAlways;

struct Value {
  std::uint64_t key, count, check;
};
std::uint64_t check_of(std::uint64_t key, std::uint64_t count) {
  return (key * 0x9e3779b97f4a7c15 ^ count) * 0xbf58476d1ce4e5b9;
}
bool is_whole(const Value& value, std::uint64_t key) {
  return value.key == key && value.check == check_of(key, value.count);
}

struct Journal {  // shared by all processes
  std::atomic<std::uint64_t> intended[kEntries], acknowledged[kEntries];
  std::atomic<std::uint64_t> operations, failures, kills;
  std::atomic<bool> stop;
};

using Map = portolan::Hash<std::uint64_t, Value>;

double now_s() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

void fail(Journal& journal, const std::string& what) {
  if (journal.failures.fetch_add(1) < 20) fmt::print(stderr, "shared_hash: {}\n", what);
}

// One change of `key` by the process that owns it.
void change(Map& map, Journal& journal, std::uint64_t key, bool keep_present) {
  const std::uint64_t count = journal.intended[key].load() + (keep_present ? 2 : 1);
  journal.intended[key].store(count);
  const bool present = count % 2 == 1;
  const auto result = present ? map.update(key, {key, count, check_of(key, count)}) : map.erase(key);
  // The owner before this one may have died after it had erased the key, or before.
  if (!result && !(result.error().code() == ENOENT && !present))
    fail(journal, fmt::format("key {}: {}", key, result.error().message()));
  journal.acknowledged[key].store(count);
  journal.operations.fetch_add(1, std::memory_order_relaxed);
}

void write_until_stopped(Map& map, Journal& journal, std::uint32_t writer) {
  std::mt19937 random(static_cast<unsigned>(::getpid()));
  while (!journal.stop.load(std::memory_order_relaxed)) {
    const std::uint64_t n = random() % kKeysPerWriter;
    change(map, journal, writer * kKeysPerWriter + n, false);
    if (writer < 2) change(map, journal, kChurning + (n * 2 + writer) % kAlways, true);
  }
}

// A child that writes and is to be killed; in one case out of three its own child does the writing, in
// another it keeps forking children that do one change and exec.
[[noreturn]] void be_victim(Map& map, Journal& journal, std::uint32_t writer, unsigned kind) {
  ::setpgid(0, 0);
  if (kind == 1) {
    if (const pid_t child = ::fork(); child > 0) {
      ::waitpid(child, nullptr, 0);
      ::_exit(0);
    }
  } else if (kind == 2) {
    std::mt19937 random(static_cast<unsigned>(::getpid()));
    while (!journal.stop.load()) {
      if (const pid_t child = ::fork(); child == 0) {
        change(map, journal, writer * kKeysPerWriter + random() % kKeysPerWriter, false);
        ::execl("/bin/true", "true", nullptr);
        ::_exit(1);
      } else {
        ::waitpid(child, nullptr, 0);
        random();
      }
    }
  }
  write_until_stopped(map, journal, writer);
  ::_exit(0);
}

// Keeps one victim alive at a time, until told to stop.
void keep_killing(Map& map, Journal& journal, std::uint32_t writer) {
  std::mt19937 random(writer);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  while (!journal.stop.load()) {
    const pid_t victim = ::fork();
    if (victim == 0) be_victim(map, journal, writer, static_cast<unsigned>(random() % 3));
    ::setpgid(victim, victim);
    ::usleep(static_cast<useconds_t>(500 + random() % 20'000));
    ::kill(-victim, SIGKILL);
    ::kill(victim, SIGKILL);
    // The victim's own children, which its death made ours, are dead too before the next one takes over their
    // keys.
    while (::waitpid(-1, nullptr, 0) > 0) {
    }
    journal.kills.fetch_add(1);
  }
}

std::uint64_t read_until_stopped(const Map& map, Journal& journal, std::uint64_t lookups, unsigned seed,
                                 std::atomic<int>& readers_done) {
  std::uint64_t random = seed * 0x9e3779b97f4a7c15 + 1, done = 0;
  if (lookups == 0) readers_done.fetch_add(1);
  for (; done < lookups || !journal.stop.load(std::memory_order_relaxed); ++done) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    const std::uint64_t key = kChurning + random % kAlways;
    if (done + 1 == lookups) readers_done.fetch_add(1);
    const auto value = map.lookup(key);
    if (!value)
      fail(journal, fmt::format("key {}, always there: {}", key, value.error().message()));
    else if (!is_whole(*value, key))
      fail(journal, fmt::format("key {} shows bytes of key {}", key, value->key));
  }
  return done;
}

void check_end(Map& map, Journal& journal) {
  std::uint64_t present = 0;
  for (std::uint64_t key = 0; key < kEntries; ++key) {
    const std::uint64_t acknowledged = journal.acknowledged[key].load(),
                        intended = journal.intended[key].load();
    const auto value = map.lookup(key);
    present += value.has_value();
    if (value && !is_whole(*value, key))
      fail(journal, fmt::format("at the end key {} shows bytes of key {}", key, value->key));
    // What was intended and not acknowledged may have happened or not.
    const auto fits = [&](std::uint64_t count) { return value ? value->count == count : count % 2 == 0; };
    if (!fits(acknowledged) && !fits(intended))
      fail(journal, fmt::format("key {}: {} acknowledged, {} intended, the map has {}", key, acknowledged,
                                intended, value ? std::to_string(value->count) : "nothing"));
  }
  std::uint64_t walked = 0;
  for (auto [key, value] : map) walked += is_whole(value, key);
  if (walked != present) fail(journal, fmt::format("a walk sees {} elements, lookups {}", walked, present));
  // Capacity is exact: the map takes what is missing to max_entries, and not one more.
  for (std::uint64_t extra = 0; extra <= kEntries - present; ++extra) {
    const auto added = map.update(1'000'000 + extra, {});
    if (extra < kEntries - present && !added)
      fail(journal,
           fmt::format("element {} of {}: {}", present + extra + 1, kEntries, added.error().message()));
    if (extra == kEntries - present && (added || added.error().code() != E2BIG))
      fail(journal, "the map takes more than max_entries");
  }
}

int run(double seconds, std::uint64_t lookups, const std::string& program) {
  auto runtime = portolan::Runtime::create_private();
  if (!runtime) return fmt::print(stderr, "shared_hash: {}\n", runtime.error().message()), 1;
  auto made = Map::create(*runtime, kEntries, {.name = "shared"});
  if (!made) return fmt::print(stderr, "shared_hash: {}\n", made.error().message()), 1;
  Map& map = *made;
  auto* journal =
      new (::mmap(nullptr, sizeof(Journal), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))
          Journal{};
  for (std::uint64_t key = kChurning; key < kEntries; ++key) {
    journal->intended[key] = journal->acknowledged[key] = 1;
    if (!map.update(key, {key, 1, check_of(key, 1)}))
      return fmt::print(stderr, "shared_hash: cannot fill\n"), 1;
  }

  // Writers and killers are processes of one thread each: a fork in them copies no lock of another thread.
  std::vector<pid_t> children;
  for (std::uint32_t writer = 0; writer < kWriters; ++writer) {
    const pid_t child = ::fork();
    if (child == 0) {
      if (writer < 2)
        write_until_stopped(map, *journal, writer);
      else
        keep_killing(map, *journal, writer);
      ::_exit(0);
    }
    children.push_back(child);
  }
  std::uint64_t looked_up[2] = {};
  std::atomic<int> readers_done = 0;
  std::vector<std::thread> readers;
  for (unsigned reader = 0; reader < 2; ++reader)
    readers.emplace_back([&, reader] {
      looked_up[reader] = read_until_stopped(map, *journal, lookups / 2, reader + 1, readers_done);
    });
  const double start = now_s();
  // The churn goes on until the time is over and the readers have made all their lookups.
  while (now_s() - start < seconds || readers_done.load() < 2) ::usleep(20'000);
  journal->stop.store(true);
  for (std::thread& reader : readers) reader.join();
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail(*journal, "a writer that nobody killed died");
  }
  check_end(map, *journal);
  if (!program.empty() &&
      std::system(fmt::format("'{}' fsck '{}'", program, runtime->directory()).c_str()) != 0)
    fail(*journal, "fsck is not content");
  fmt::print(
      "shared_hash: {:.0f} s, {} changes, {} lookups of keys that are always there, {} kills, {} "
      "failures\n",
      now_s() - start, journal->operations.load(), looked_up[0] + looked_up[1], journal->kills.load(),
      journal->failures.load());
  return journal->failures.load() == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  double seconds = 5;
  std::uint64_t lookups = 0;
  std::string program;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (i + 1 == argc) return fmt::print(stderr, "shared_hash: {} wants a value\n", word), 2;
    if (word == "--seconds")
      seconds = std::atof(argv[++i]);
    else if (word == "--lookups")
      lookups = std::strtoull(argv[++i], nullptr, 10);
    else if (word == "--portolan")
      program = argv[++i];
    else
      return fmt::print(stderr, "shared_hash: unknown option {}\n", word), 2;
  }
  return run(seconds, lookups, program);
}
