// SPDX-License-Identifier: Apache-2.0
// Runs the programs of helper_ops.cc on both backends, and compares results and maps after each.
#include <fmt/format.h>
#include <sched.h>

#include <algorithm>

#include "base/assert.h"
#include "helper_ops.h"
#include "observe.h"
#include "program_types.h"
#include "world.h"

namespace portolan::conformance {
namespace {

constexpr std::uint32_t kResultsSize = 500 * kResultBytes;
constexpr std::uint32_t kXdp = 6;

// One backend's half.
class Side {
 public:
  explicit Side(Backend& backend) : backend_(backend) {
    types_fd_ = load_btf(program_types());
    map_types_fd_ = load_btf(map_types_btf());
  }
  ~Side() {
    clear();
    backend_.close(types_fd_);
    backend_.close(map_types_fd_);
  }
  void clear() {
    for (int fd : fds_) backend_.close(fd);
    fds_.clear();
    if (results_ >= 0) backend_.close(results_);
    results_ = -1;
  }
  void make(const std::vector<ProgramMap>& maps) {
    clear();
    for (const ProgramMap& map : maps) fds_.push_back(create(map));
    results_ = create({kArray, 4, kResultsSize, 1, 0, false});
  }

  struct Seen {
    long loaded = 0, ran = 0;
    std::uint64_t retval = 0;
    std::vector<std::byte> results;
    std::string log;
    std::vector<std::string> maps;
  };
  Seen run(const std::vector<HelperOp>& ops, const std::vector<ProgramMap>& maps) {
    Seen seen;
    const std::uint32_t zero = 0;
    std::vector<std::byte> results(kResultsSize);
    element(kUpdate, results_, &zero, results.data());
    const HelperProgram program = compile(ops, maps, fds_, results_);
    seen.loaded = load(program, nullptr);
    if (seen.loaded < 0) {
      load(program, &seen.log);
      return seen;
    }
    const int fd = static_cast<int>(seen.loaded);
    seen.loaded = 0;
    std::vector<std::byte> packet(64);
    Attr attr;
    attr.set(test::kProgFd, static_cast<std::uint64_t>(fd)).set(test::kDataSizeIn, packet.size());
    attr.set(test::kDataIn, reinterpret_cast<std::uint64_t>(packet.data())).set(test::kRepeat, 1);
    seen.ran = backend_.bpf(kProgTestRun, attr.bytes.data(), kAttrSize);
    seen.retval = attr.get(test::kRetval);
    backend_.close(fd);
    if (element(kLookup, results_, &zero, results.data()) == 0) seen.results = std::move(results);
    for (std::size_t i = 0; i < maps.size(); ++i) seen.maps.push_back(dump(maps[i], fds_[i]));
    return seen;
  }

 private:
  int load_btf(const std::vector<std::byte>& blob) {
    Attr attr;
    attr.set(btf::kBtf, reinterpret_cast<std::uint64_t>(blob.data())).set(btf::kBtfSize, blob.size());
    const long fd = backend_.bpf(kBtfLoad, attr.bytes.data(), btf::kSize);
    PORTOLAN_ASSERT(fd >= 0);
    return static_cast<int>(fd);
  }
  int create(const ProgramMap& map) {
    Attr attr;
    attr.set(create::kMapType, map.type).set(create::kKeySize, map.key_size);
    attr.set(create::kValueSize, map.value_size)
        .set(create::kMaxEntries, entries_of(map.type, map.max_entries));
    attr.set(create::kMapFlags, map.flags);
    if (map.is_locked)
      attr.set(create::kBtfFd, static_cast<std::uint64_t>(map_types_fd_))
          .set(create::kBtfKeyTypeId, kU32)
          .set(create::kBtfValueTypeId, kLockedValue);
    const long fd = backend_.bpf(kMapCreate, attr.bytes.data(), kAttrSize);
    PORTOLAN_ASSERT(fd >= 0);
    return static_cast<int>(fd);
  }
  long load(const HelperProgram& program, std::string* log) {
    std::vector<FuncInfo> functions{{0, kMainFunction}};
    for (std::uint32_t start : program.functions) functions.push_back({start, kStaticFunction});
    std::vector<char> text(log == nullptr ? 0 : 4 << 20);
    static const char license[] = "GPL";
    Attr attr;
    attr.set(load::kProgType, kXdp).set(load::kInsnCnt, program.insns.size());
    attr.set(load::kInsns, reinterpret_cast<std::uint64_t>(program.insns.data()));
    attr.set(load::kLicense, reinterpret_cast<std::uint64_t>(license));
    attr.set(load::kProgBtfFd, static_cast<std::uint64_t>(types_fd_))
        .set(load::kFuncInfoRecSize, sizeof(FuncInfo));
    attr.set(load::kFuncInfo, reinterpret_cast<std::uint64_t>(functions.data()))
        .set(load::kFuncInfoCnt, functions.size());
    if (log != nullptr) {
      attr.set(load::kLogLevel, 1).set(load::kLogSize, text.size());
      attr.set(load::kLogBuf, reinterpret_cast<std::uint64_t>(text.data()));
    }
    const long fd = backend_.bpf(kProgLoad, attr.bytes.data(), kAttrSize);
    if (log != nullptr) *log = text.data();
    return fd;
  }
  long element(unsigned command, int fd, const void* key, void* value, std::uint64_t flags = 0) {
    Attr attr;
    attr.set(element::kMapFd, static_cast<std::uint64_t>(fd)).set(element::kFlags, flags);
    attr.set(element::kKey, reinterpret_cast<std::uint64_t>(key));
    attr.set(element::kValue, reinterpret_cast<std::uint64_t>(value));
    return backend_.bpf(command, attr.bytes.data(), command == kGetNextKey ? 24 : element::kSize);
  }
  // All elements, by key.
  std::string dump(const ProgramMap& map, int fd) {
    const std::size_t value_size =
        map.is_per_cpu() ? round_up(map.value_size, 8) * possible_cpus() : map.value_size;
    std::vector<std::string> lines;
    std::string key(map.key_size, '\0'), next(map.key_size, '\0'), value(value_size, '\0');
    const void* from = nullptr;
    while (element(kGetNextKey, fd, from, next.data()) == 0) {
      key = next;
      from = key.data();
      if (element(kLookup, fd, key.data(), value.data()) == 0) lines.push_back(key + value);
    }
    std::sort(lines.begin(), lines.end());
    std::string all;
    for (const std::string& line : lines) all += line;
    return all;
  }

  Backend& backend_;
  int types_fd_ = -1, map_types_fd_ = -1, results_ = -1;
  std::vector<int> fds_;
};

std::string result_at(const std::vector<std::byte>& results, std::size_t op) {
  std::uint64_t words[2];
  std::memcpy(words, results.data() + op * kResultBytes, sizeof words);
  return fmt::format("r0 {:#x}, saw {:#x}", words[0], words[1]);
}

std::string difference(const Side::Seen& kernel, const Side::Seen& ours, const std::vector<HelperOp>& ops,
                       const std::vector<ProgramMap>& maps) {
  if (kernel.loaded != ours.loaded)
    return fmt::format("load: kernel {}, Portolan {}\n{}\n", result_text(kernel.loaded),
                       result_text(ours.loaded),
                       ours.log.substr(ours.log.size() - std::min<std::size_t>(ours.log.size(), 2000)));
  if (kernel.ran != ours.ran || kernel.retval != ours.retval)
    return fmt::format("run: kernel {} {}, Portolan {} {}\n", result_text(kernel.ran), kernel.retval,
                       result_text(ours.ran), ours.retval);
  for (std::size_t i = 0; i < ops.size() && kernel.loaded == 0; ++i) {
    const std::string expected = result_at(kernel.results, i), got = result_at(ours.results, i);
    if (expected != got)
      return fmt::format("operation {}: {}\n  kernel {}, Portolan {}\n", i, to_text(ops[i], maps[ops[i].map]),
                         expected, got);
  }
  for (std::size_t i = 0; i < kernel.maps.size(); ++i)
    if (kernel.maps[i] != ours.maps[i]) return fmt::format("map {} is not the same afterwards\n", i);
  return {};
}

// Per-CPU values are those of the CPU that the program runs on.
class OnOneCpu {
 public:
  OnOneCpu() {
    ::sched_getaffinity(0, sizeof before_, &before_);
    cpu_set_t one;
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
      if (CPU_ISSET(cpu, &before_)) {
        CPU_SET(cpu, &one);
        break;
      }
    ::sched_setaffinity(0, sizeof one, &one);
  }
  ~OnOneCpu() { ::sched_setaffinity(0, sizeof before_, &before_); }

 private:
  cpu_set_t before_;
};

}  // namespace

HelperOutcome run_helper_ops(Backend& kernel, Backend& portolan, const HelperRun& run) {
  const OnOneCpu pinned;
  HelperOutcome outcome;
  Side expected(kernel), got(portolan);
  for (std::uint64_t seed = run.first_seed; seed <= run.last_seed; ++seed) {
    const HelperSequence sequence = generate_helper_ops(seed, run.operations);
    expected.make(sequence.maps);
    got.make(sequence.maps);
    for (std::size_t i = 0; i < sequence.programs.size(); ++i) {
      const auto& ops = sequence.programs[i];
      const Side::Seen theirs = expected.run(ops, sequence.maps), ours = got.run(ops, sequence.maps);
      ++outcome.programs;
      outcome.operations += ops.size();
      for (std::size_t op = 0; op < ops.size() && theirs.loaded == 0; ++op) {
        const std::string text = to_text(ops[op], sequence.maps[ops[op].map]);
        std::int64_t r0 = 0;
        std::memcpy(&r0, theirs.results.data() + op * kResultBytes, sizeof r0);
        const bool is_lookup =
            ops[op].verb <= HelperVerb::kLookupPercpu || ops[op].verb == HelperVerb::kLockedAdd;
        ++outcome.tally[{text.substr(0, text.find(" key")), is_lookup ? (r0 != 0 ? "found" : "NULL")
                                                            : r0 < 0  ? result_text(r0)
                                                                      : "0 or more"}];
      }
      const std::string what = difference(theirs, ours, ops, sequence.maps);
      if (what.empty()) continue;
      ++outcome.differences;
      fmt::print("\nseed {}, program {} of {} operations: {}", seed, i, ops.size(), what);
      break;
    }
  }
  return outcome;
}

}  // namespace portolan::conformance
