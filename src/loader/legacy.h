// SPDX-License-Identifier: Apache-2.0
// Objects as they were before BTF: maps are `struct bpf_map_def` in SEC("maps"). With the semantics of the
// old load_bpf_file(): maps by their place in the section, programs in the order of sections.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "abi/insn.h"
#include "base/bytes.h"
#include "base/result.h"
#include "loader/section_names.h"
#include "loader/system.h"

namespace portolan::loader {

struct LegacyMap {
  std::string name;
  std::uint32_t type = 0, key_size = 0, value_size = 0, max_entries = 0, map_flags = 0;
  std::uint32_t inner_map_idx = 0;  // of a map of maps: which map_fd is the example
  std::uint32_t numa_node = 0;
};

struct LegacyProgram {
  std::string name;  // of its function
  std::string section;
  ProgramKind kind;
  std::vector<abi::Insn> insns;  // with all functions that it calls behind it
  struct MapUse {
    std::uint32_t insn, map;  // that ld_imm64 wants the fd of that map
  };
  std::vector<MapUse> maps;
};

struct LegacyObject {
  std::string license;
  std::uint32_t version = 0;
  std::vector<LegacyMap> maps;
  std::vector<LegacyProgram> programs;
};

// Whether it is an ELF file with a section "maps", and none of maps by BTF: one for read_legacy().
bool is_legacy(ConstBytes bytes);
// EINVAL; *why names section and symbol.
Result<LegacyObject> read_legacy(ConstBytes bytes, std::string* why);

struct Loaded {
  struct Map {
    std::string name;
    int fd;
  };
  struct Program {
    std::string name, section;
    std::uint32_t type;  // abi::ProgType
    int fd;
  };
  std::vector<Map> maps;          // by their place in the section
  std::vector<Program> programs;  // by section, and by place in it
};
struct LoadOptions {
  std::string name;  // of the object, where it has one
  std::function<std::uint32_t(const std::string& map, std::uint32_t max_entries)>
      max_entries;  // may be empty; what a map gets
  std::uint32_t log_level = 0;
};
// Makes the maps and loads the programs; the fds are the caller's. On failure nothing is left, and *why names
// the map or program, with the verifier's log. The error is bpf(2)'s.
Result<Loaded> load_legacy(System& system, const LegacyObject& object, const LoadOptions& options,
                           std::string* why);

}  // namespace portolan::loader
