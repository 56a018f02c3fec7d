// SPDX-License-Identifier: Apache-2.0
// Uprobes: functions of this program as clients name them.
#include "hook/uprobe.h"

#include <fstream>
#include <optional>

#include "api/hook_state.h"
#include "portolan/probe_hook.hpp"

namespace portolan {
namespace {

std::unexpected<Error> failed(int code, std::string detail) {
  return std::unexpected(Error(Operation::kDeclareHook, code, std::move(detail)));
}

struct FilePlace {
  std::string path;
  std::uint64_t offset;
};

// What lies at an address of this process: a line of /proc/self/maps. Nothing: no file.
std::optional<FilePlace> file_at(std::uint64_t address) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0, end = 0, offset = 0;
    int path = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx %*s %lx %*s %*s %n", &begin, &end, &offset, &path) < 3) continue;
    if (address < begin || address >= end) continue;
    if (path == 0 || line[static_cast<std::size_t>(path)] != '/') return std::nullopt;
    return FilePlace{line.substr(static_cast<std::size_t>(path)), address - begin + offset};
  }
  return std::nullopt;
}

}  // namespace

Expected<ProbeHook> Hook::declare_uprobe(const Runtime& runtime, const std::string& path,
                                         std::uint64_t offset, std::uint64_t address) {
  const auto file = hook::probed_file(path.c_str());
  if (!file) return failed(file.error().value, path + ": cannot be looked at");
  if (!file->is_regular) return failed(EINVAL, path + ": is no regular file");
  if (!hook::check_uprobe(*file, offset, 0)) return failed(EINVAL, path + ": ends before the offset");
  const auto declare = [&](std::uint32_t end) {
    return detail::declare(runtime, hook::of_uprobe(file->device, file->inode, offset, end),
                           {.path = file->path});
  };
  auto entry = declare(hook::kProbeEntry);
  if (!entry) return std::unexpected(entry.error());
  auto exit = declare(hook::kProbeReturn);
  if (!exit) return std::unexpected(exit.error());
  using Part = ProbeHook::Part;
  return ProbeHook(Part(std::move(*entry)), Part(std::move(*exit)), address);
}

Expected<ProbeHook> Hook::uprobe(const Runtime& runtime, const void* function) {
  const auto address = reinterpret_cast<std::uintptr_t>(function);
  const auto place = file_at(address);
  if (!place) return failed(EINVAL, "no file lies at the function's address");
  return declare_uprobe(runtime, place->path, place->offset, address);
}

Expected<ProbeHook> Hook::uprobe(const Runtime& runtime, const std::string& path, std::uint64_t offset) {
  return declare_uprobe(runtime, path, offset, offset);
}

}  // namespace portolan
