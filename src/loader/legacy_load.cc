// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <string.h>

#include "abi/attr.h"
#include "abi/command.h"
#include "abi/map_flags.h"
#include "loader/legacy.h"

namespace portolan::loader {
namespace {

constexpr std::uint32_t kLogBytes = 1 << 20;
constexpr std::size_t kMostLogTold = 4000;

const char* name_of(int error) {
  const char* name = ::strerrorname_np(error);
  return name != nullptr ? name : "unknown error";
}
std::uint64_t address(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

// Names of symbols may be longer than the kernel's, and hold other letters.
void set_name(char (&to)[abi::kObjNameLen], const std::string& name) {
  for (std::size_t i = 0; i + 1 < sizeof to && i < name.size(); ++i) {
    const char letter = name[i];
    const bool is_allowed = (letter >= '0' && letter <= '9') || (letter >= 'A' && letter <= 'Z') ||
                            (letter >= 'a' && letter <= 'z') || letter == '_' || letter == '.';
    to[i] = is_allowed ? letter : '_';
  }
}

class Loading {
 public:
  Loading(System& system, const LegacyObject& object, const LoadOptions& options, std::string* why)
      : system_(system), object_(object), options_(options), why_(why) {}
  ~Loading() {
    for (const auto& program : loaded_.programs) system_.close_fd(program.fd);
    for (int fd : fds_)
      if (fd >= 0) system_.close_fd(fd);
  }

  Result<Loaded> load() {
    fds_.assign(object_.maps.size(), -1);
    for (std::size_t i = 0; i < object_.maps.size(); ++i) TRY(create(i, 0));
    for (const LegacyProgram& program : object_.programs) TRY(load_program(program));
    for (std::size_t i = 0; i < fds_.size(); ++i) loaded_.maps.push_back({object_.maps[i].name, fds_[i]});
    fds_.clear();
    return std::exchange(loaded_, {});
  }

 private:
  // Inner maps are examples for outer ones, wherever they stand.
  Result<void> create(std::size_t number, std::size_t depth) {
    if (fds_[number] >= 0) return {};
    const LegacyMap& map = object_.maps[number];
    abi::Attr attr{};
    auto& create_attr = attr.map_create;
    create_attr.map_type = map.type;
    create_attr.key_size = map.key_size;
    create_attr.value_size = map.value_size;
    create_attr.max_entries =
        options_.max_entries ? options_.max_entries(map.name, map.max_entries) : map.max_entries;
    create_attr.map_flags = map.map_flags;
    if ((map.map_flags & abi::map_flag::kNumaNode) != 0) create_attr.numa_node = map.numa_node;
    if (map.type == 12 || map.type == 13) {  // ARRAY_OF_MAPS, HASH_OF_MAPS
      if (depth > 1)
        return fail_with(EINVAL, "section \"maps\", symbol \"{}\": maps of maps of maps", map.name);
      TRY(create(map.inner_map_idx, depth + 1));
      create_attr.inner_map_fd = static_cast<std::uint32_t>(fds_[map.inner_map_idx]);
    }
    set_name(create_attr.map_name, map.name);
    const long fd = call(abi::Command::kMapCreate, attr);
    if (fd < 0)
      return fail_with(
          static_cast<int>(-fd),
          "section \"maps\", symbol \"{}\": the map cannot be made (type {}, keys of {} and values of "
          "{} bytes, {} entries, flags {:#x}): {}",
          map.name, map.type, map.key_size, map.value_size, create_attr.max_entries, map.map_flags,
          name_of(static_cast<int>(-fd)));
    fds_[number] = static_cast<int>(fd);
    return {};
  }

  Result<void> load_program(const LegacyProgram& program) {
    std::vector<abi::Insn> insns = program.insns;
    for (const LegacyProgram::MapUse& use : program.maps) insns[use.insn].imm = fds_[use.map];
    long fd = load_insns(program, insns, options_.log_level, nullptr);
    if (fd >= 0) {
      loaded_.programs.push_back({program.name, program.section,
                                  static_cast<std::uint32_t>(program.kind.type), static_cast<int>(fd)});
      return {};
    }
    std::string log;
    (void)load_insns(program, insns, 1, &log);
    if (log.size() > kMostLogTold) log.erase(0, log.size() - kMostLogTold);
    return fail_with(static_cast<int>(-fd),
                     "section \"{}\", symbol \"{}\": the program cannot be loaded: {}{}{}", program.section,
                     program.name, name_of(static_cast<int>(-fd)), log.empty() ? "" : "\n", log);
  }

  // A second try, for its log, loads nothing.
  long load_insns(const LegacyProgram& program, const std::vector<abi::Insn>& insns, std::uint32_t level,
                  std::string* log) {
    std::vector<char> text(level != 0 ? kLogBytes : 0);
    abi::Attr attr{};
    auto& load_attr = attr.prog_load;
    load_attr.prog_type = static_cast<std::uint32_t>(program.kind.type);
    load_attr.expected_attach_type = program.kind.expected_attach_type;
    load_attr.insn_cnt = static_cast<std::uint32_t>(insns.size());
    load_attr.insns = address(insns.data());
    load_attr.license = address(object_.license.c_str());
    load_attr.kern_version = object_.version;
    set_name(load_attr.prog_name, program.name);
    if (level != 0) {
      load_attr.log_level = level;
      load_attr.log_size = kLogBytes;
      load_attr.log_buf = address(text.data());
    }
    const long fd = call(abi::Command::kProgLoad, attr);
    if (log != nullptr) {
      *log = text.data();
      if (fd >= 0) system_.close_fd(static_cast<int>(fd));
    }
    return fd;
  }

  long call(abi::Command command, abi::Attr& attr) {
    return system_.bpf(static_cast<int>(command), &attr, sizeof attr);
  }
  template <class... Args>
  std::unexpected<Errno> fail_with(int error, fmt::format_string<Args...> format, Args&&... args) {
    *why_ = fmt::format(format, std::forward<Args>(args)...);
    return fail(error);
  }

  System& system_;
  const LegacyObject& object_;
  const LoadOptions& options_;
  std::string* why_;
  std::vector<int> fds_;  // of the maps, until the caller has them
  Loaded loaded_;
};

}  // namespace

Result<Loaded> load_legacy(System& system, const LegacyObject& object, const LoadOptions& options,
                           std::string* why) {
  return Loading(system, object, options, why).load();
}

}  // namespace portolan::loader
