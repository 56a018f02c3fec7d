// SPDX-License-Identifier: Apache-2.0
// What clients say of uprobes: a file, places in it, and a process.
#pragma once
#include "hook/hook.h"

namespace portolan::hook {

// A file as uprobes name it.
struct ProbedFile {
  std::uint64_t device = 0, inode = 0, size = 0;
  bool is_regular = false;
  std::string path;  // of its own, whatever it was found by
};
// As open(2).
Result<ProbedFile> probed_file(const char* path);
// uprobe_register's rules for a place. EINVAL: it is not in the file, or asks for a counter of references:
// hosts declare their uprobes without one.
Result<void> check_uprobe(const ProbedFile& file, std::uint64_t offset, std::uint64_t counter_offset);
// The process of that thread. ESRCH.
Result<std::uint32_t> process_of_thread(std::uint32_t thread);

}  // namespace portolan::hook
