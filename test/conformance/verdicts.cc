// SPDX-License-Identifier: Apache-2.0
#include "verdicts.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "base/assert.h"
#include "observe.h"
#include "program_types.h"
#include "uapi.h"
#include "world.h"

namespace portolan::conformance {
namespace {

struct MapShape {
  std::uint32_t type, key_size, value_size, max_entries, flags;
  bool is_locked;
};
constexpr MapShape kMaps[kVerdictMaps] = {
    {kArray, 4, 48, 4, 0, false},
    {kHash, 8, 32, 8, 0, false},
    {kPerCpuArray, 4, 16, 2, 0, false},
    {kArray, 4, 16, 2, 0, true},
    {kArray, 4, 64, 1, kReadOnlyProg, false},
    {kArray, 4, 64, 1, 0, false},
    {kRingbuf, 0, 0, 1u << 20, 0, false},
    {kQueue, 0, 8, 3, 0, false},
    {kArrayOfMaps, 4, 4, 2, 0, false},
    {kProgArray, 4, 4, 2, 0, false},
};

class Side {
 public:
  explicit Side(Backend& backend) : backend_(backend) {
    types_fd_ = load_btf(program_types());
    map_types_fd_ = load_btf(map_types_btf());
    for (const MapShape& shape : kMaps) maps_.push_back(create(shape));
    std::vector<std::byte> constants(64);
    for (std::size_t i = 0; i < constants.size(); ++i) constants[i] = static_cast<std::byte>(i * i + 1);
    const std::uint32_t zero = 0, one = 1;
    element(kUpdate, kConstants, &zero, constants.data());
    element(kUpdate, kOuter, &one, &maps_[kNumbers]);
    Attr freeze;
    freeze.set(element::kMapFd, static_cast<std::uint64_t>(maps_[kConstants]));
    PORTOLAN_ASSERT(backend_.bpf(kFreeze, freeze.bytes.data(), 4) == 0);
  }
  ~Side() {
    for (int fd : maps_) backend_.close(fd);
    for (const auto& [type, fd] : program_arrays_) backend_.close(fd);
    backend_.close(types_fd_);
    backend_.close(map_types_fd_);
  }

  // An fd, or -errno.
  long load(const RandomProgram& program, std::string* log) {
    std::vector<Bytecode::Insn> insns = program.insns;
    for (std::size_t i = 0; i < insns.size(); ++i) {
      if (insns[i].code != 0x18) continue;
      const int source = insns[i].registers >> 4;
      const auto map = static_cast<std::uint32_t>(insns[i].imm);
      if (source == 1 || source == 2)
        insns[i].imm = map == kPrograms ? programs_of(program.type) : map < kVerdictMaps ? maps_[map] : -1;
      ++i;
    }
    std::vector<FuncInfo> functions{{0, kMainFunction}};
    for (std::uint32_t start : program.functions) functions.push_back({start, kStaticFunction});
    static std::vector<char> text(1 << 20);
    static const char license[] = "GPL";
    Attr attr;
    attr.set(load::kProgType, program.type)
        .set(load::kInsnCnt, insns.size())
        .set(load::kProgFlags, program.flags);
    attr.set(load::kInsns, reinterpret_cast<std::uint64_t>(insns.data()));
    attr.set(load::kLicense, reinterpret_cast<std::uint64_t>(license));
    attr.set(load::kProgBtfFd, static_cast<std::uint64_t>(types_fd_))
        .set(load::kFuncInfoRecSize, sizeof(FuncInfo));
    attr.set(load::kFuncInfo, reinterpret_cast<std::uint64_t>(functions.data()))
        .set(load::kFuncInfoCnt, functions.size());
    if (log != nullptr) {
      attr.set(load::kLogLevel, 1).set(load::kLogSize, text.size());
      attr.set(load::kLogBuf, reinterpret_cast<std::uint64_t>(text.data()));
    }
    const auto start = std::chrono::steady_clock::now();
    const long fd = backend_.bpf(kProgLoad, attr.bytes.data(), kAttrSize);
    loading_ += std::chrono::steady_clock::now() - start;
    if (log != nullptr) *log = text.data();
    return fd;
  }

  // What a run leaves: its result, its packet or context, the maps.
  std::string run(const RandomProgram& program, int fd) {
    reset();
    std::array<std::byte, 96> in{}, out{};
    for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<std::byte>(i * 5 + 1);
    const bool has_context = program.type == 31 || program.type == 17;
    Attr attr;
    attr.set(test::kProgFd, static_cast<std::uint64_t>(fd));
    if (has_context) {
      attr.set(test::kCtxSizeIn, in.size()).set(test::kCtxIn, reinterpret_cast<std::uint64_t>(in.data()));
    } else {
      attr.set(test::kDataSizeIn, in.size()).set(test::kDataIn, reinterpret_cast<std::uint64_t>(in.data()));
      attr.set(test::kDataSizeOut, out.size())
          .set(test::kDataOut, reinterpret_cast<std::uint64_t>(out.data()));
    }
    const long result = backend_.bpf(kProgTestRun, attr.bytes.data(), kAttrSize);
    std::string seen = fmt::format("{}, returns {:#x}; bytes", result_text(result), attr.get(test::kRetval));
    for (std::byte byte : has_context ? in : out) seen += fmt::format(" {:02x}", static_cast<unsigned>(byte));
    for (std::uint32_t map = 0; map < kVerdictMaps; ++map) seen += fmt::format("; map {}:{}", map, dump(map));
    return seen;
  }

  double seconds_of_loading() const { return std::chrono::duration<double>(loading_).count(); }

 private:
  // An array of programs is for those of one type.
  int programs_of(std::uint32_t type) {
    const auto known = program_arrays_.find(type);
    return known != program_arrays_.end() ? known->second : program_arrays_[type] = create(kMaps[kPrograms]);
  }
  int load_btf(const std::vector<std::byte>& blob) {
    Attr attr;
    attr.set(btf::kBtf, reinterpret_cast<std::uint64_t>(blob.data())).set(btf::kBtfSize, blob.size());
    const long fd = backend_.bpf(kBtfLoad, attr.bytes.data(), btf::kSize);
    PORTOLAN_ASSERT(fd >= 0);
    return static_cast<int>(fd);
  }
  int create(const MapShape& shape) {
    Attr attr;
    attr.set(create::kMapType, shape.type)
        .set(create::kKeySize, shape.key_size)
        .set(create::kMapFlags, shape.flags);
    attr.set(create::kValueSize, shape.value_size).set(create::kMaxEntries, shape.max_entries);
    if (shape.type == kArrayOfMaps)
      attr.set(create::kInnerMapFd, static_cast<std::uint64_t>(maps_[kNumbers]));
    if (shape.is_locked)
      attr.set(create::kBtfFd, static_cast<std::uint64_t>(map_types_fd_))
          .set(create::kBtfKeyTypeId, kU32)
          .set(create::kBtfValueTypeId, kLockedValue);
    const long fd = backend_.bpf(kMapCreate, attr.bytes.data(), kAttrSize);
    PORTOLAN_ASSERT(fd >= 0);
    return static_cast<int>(fd);
  }
  long element(unsigned command, std::uint32_t map, const void* key, void* value) {
    Attr attr;
    attr.set(element::kMapFd, static_cast<std::uint64_t>(maps_[map]));
    attr.set(element::kKey, reinterpret_cast<std::uint64_t>(key))
        .set(element::kValue, reinterpret_cast<std::uint64_t>(value));
    const unsigned size = command == kGetNextKey ? 24 : command == kDelete ? 16 : element::kSize;
    return backend_.bpf(command, attr.bytes.data(), size);
  }
  void reset() {
    std::array<std::byte, 4096> zeros{};
    for (std::uint32_t map = 0; map < kVerdictMaps; ++map) {
      if (map == kConstants || map == kRing || map == kOuter || map == kPrograms) continue;
      std::uint64_t key = 0;
      if (map == kLine) {
        while (element(kLookupAndDelete, map, nullptr, &key) == 0) continue;
        continue;
      }
      if (map == kTable) {
        while (element(kGetNextKey, map, nullptr, &key) == 0) element(kDelete, map, &key, nullptr);
        for (key = 0; key < 4; ++key) element(kUpdate, map, &key, zeros.data());
        continue;
      }
      for (; key < kMaps[map].max_entries; ++key) element(kUpdate, map, &key, zeros.data());
    }
  }
  std::string dump(std::uint32_t map) {
    if (map == kLine) {
      std::string values;
      for (std::uint64_t value = 0; element(kLookupAndDelete, map, nullptr, &value) == 0;)
        values += fmt::format(" {}", value);
      return values;
    }
    if (map == kRing || map == kOuter || map == kPrograms) return {};
    std::array<std::byte, 4096> value{};
    std::vector<std::string> lines;
    const std::size_t size =
        kMaps[map].type == kPerCpuArray ? std::size_t{16} * possible_cpus() : kMaps[map].value_size;
    std::uint64_t key = 0, next = 0;
    for (const void* from = nullptr; element(kGetNextKey, map, from, &next) == 0; from = &key) {
      key = next;
      if (element(kLookup, map, &key, value.data()) != 0) continue;
      std::string line = fmt::format(" {}:", key);
      for (std::size_t i = 0; i < size; ++i) line += fmt::format("{:02x}", static_cast<unsigned>(value[i]));
      lines.push_back(line);
    }
    std::sort(lines.begin(), lines.end());
    std::string all;
    for (const std::string& line : lines) all += line;
    return all;
  }

  Backend& backend_;
  std::chrono::steady_clock::duration loading_{};
  int types_fd_ = -1, map_types_fd_ = -1;
  std::vector<int> maps_;
  std::map<std::uint32_t, int> program_arrays_;
};

// The last line that says why, without numbers.
std::string reason(const std::string& log) {
  std::string last;
  for (std::size_t at = 0; at < log.size();) {
    const std::size_t end = std::min(log.find('\n', at), log.size());
    const std::string line = log.substr(at, end - at);
    at = end + 1;
    if (line.empty() || line.starts_with("processed ")) continue;
    last = line;
  }
  std::string shape;
  for (char c : last)
    if (c < '0' || c > '9')
      shape += c;
    else if (!shape.ends_with('#'))
      shape += '#';
  return shape;
}

std::string tail(const std::string& log, std::size_t most) {
  return log.substr(log.size() - std::min(log.size(), most));
}

// How often may_goto goes round is a matter of time in the kernel.
bool goes_by_time(const RandomProgram& program) {
  return std::any_of(program.insns.begin(), program.insns.end(),
                     [](const Bytecode::Insn& insn) { return insn.code == 0xe5; });
}

void print_program(const RandomProgram& program) {
  for (std::size_t i = 0; i < program.insns.size(); ++i) {
    const Bytecode::Insn& insn = program.insns[i];
    fmt::print("  {:3}: {:02x} r{} r{} {} {}\n", i, insn.code, insn.registers & 15, insn.registers >> 4,
               insn.off, insn.imm);
  }
}

}  // namespace

std::size_t compare_verdicts(Backend& kernel, Backend& portolan, const VerdictRun& options) {
  cpu_set_t before, one;
  ::sched_getaffinity(0, sizeof before, &before);
  CPU_ZERO(&one);
  CPU_SET(static_cast<unsigned>(::sched_getcpu()), &one);
  ::sched_setaffinity(0, sizeof one, &one);  // per-CPU values are those of the CPU that the program runs on
  const auto start = std::chrono::steady_clock::now();
  Side theirs(kernel), ours(portolan);
  std::size_t both = 0, neither = 0, only_ours = 0, only_theirs = 0, gave_up = 0, bugs = 0, ran = 0,
              differ = 0;
  std::map<std::string, std::size_t> reasons;
  for (std::uint64_t seed = options.first_seed; seed < options.first_seed + options.programs; ++seed) {
    const RandomProgram program = random_program(seed);
    const long expected = theirs.load(program, nullptr), got = ours.load(program, nullptr);
    if (expected >= 0 && got >= 0) {
      ++both;
      if (!program.is_tampered && !goes_by_time(program)) {
        ++ran;
        const std::string there = theirs.run(program, static_cast<int>(expected));
        const std::string here = ours.run(program, static_cast<int>(got));
        if (there != here && ++differ <= 5) {
          fmt::print("\nseed {}, type {}: runs differ\n  kernel   {}\n  Portolan {}\n", seed, program.type,
                     there, here);
          print_program(program);
        }
      }
    } else if (expected < 0 && got < 0) {
      ++neither;
    } else if (got >= 0 && (expected == -E2BIG || expected == -ENOMEM)) {
      ++gave_up;  // it looks at the rounds of a loop one by one where Portolan takes them together
    } else if (got >= 0 && expected == -EFAULT) {
      ++bugs;  // "verifier bug": a callback that is never called is thrown away, and then missed
    } else if (got >= 0) {
      if (++only_ours <= 5) {
        std::string log;
        theirs.load(program, &log);
        fmt::print("\nseed {}, type {}: only Portolan lets it pass; the kernel ({}):\n{}\n", seed,
                   program.type, result_text(expected), tail(log, 1500));
      }
    } else {
      ++only_theirs;
      std::string log;
      ours.load(program, &log);
      ++reasons[reason(log)];
      if (options.verbose)
        fmt::print("\nseed {}, type {}{}: only the kernel lets it pass; Portolan ({}):\n{}\n", seed,
                   program.type, program.is_tampered ? ", tampered" : "", result_text(got), tail(log, 1500));
    }
    if (expected >= 0) kernel.close(static_cast<int>(expected));
    if (got >= 0) portolan.close(static_cast<int>(got));
  }
  ::sched_setaffinity(0, sizeof before, &before);
  for (const auto& [why, times] : reasons) fmt::print("{:>7}  only the kernel: {}\n", times, why);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  const double share = 100.0 * static_cast<double>(only_theirs) /
                       static_cast<double>(std::max<std::size_t>(1, both + only_theirs));
  fmt::print("{} programs in {:.1f} s: {} pass both, {} neither\n", options.programs, took.count(), both,
             neither);
  fmt::print(
      "{} only Portolan lets pass; besides, on {} the kernel gave up, and on {} it reported a bug of its "
      "verifier\n",
      only_ours, gave_up, bugs);
  fmt::print("{} only the kernel lets pass: {:.3f} % of what it does\n", only_theirs, share);
  fmt::print("{} ran on both, {} differently\n", ran, differ);
  return only_ours + differ;
}

}  // namespace portolan::conformance
