// SPDX-License-Identifier: Apache-2.0
// Where a path of the client's bpffs lies below the runtime's directory. Lexical: no look at the file system.
#include <algorithm>

#include "object/impl.h"

namespace portolan::object {
namespace {

// Without "//", "/./" and "/../"; a slash at the end stays.
std::string tidy(std::string_view path) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, end - at);
    at = end + 1;
    if (part.empty() || part == ".") continue;
    if (part != "..")
      parts.push_back(part);
    else if (!parts.empty())
      parts.pop_back();
  }
  std::string tidied;
  for (const std::string_view part : parts) tidied.append("/").append(part);
  if (tidied.empty() || path.ends_with('/')) tidied += '/';
  return tidied;
}

// What follows `prefix` in `path`, if that is the whole of it or goes on with a slash.
std::optional<std::string_view> below(std::string_view path, std::string_view prefix) {
  if (!path.starts_with(prefix)) return {};
  path.remove_prefix(prefix.size());
  if (!path.empty() && path.front() != '/') return {};
  return path == "/" ? std::string_view() : path;
}

}  // namespace

std::optional<std::string> Runtime::translate_bpffs_path(std::string_view path) const {
  if (!path.starts_with('/')) return {};
  const std::string tidied = tidy(path);
  const std::string own = impl_->directory + "/bpffs";
  for (const std::string_view prefix : {std::string_view("/sys/fs/bpf"), std::string_view(own)})
    if (const auto rest = below(tidied, prefix)) return own + std::string(*rest);
  return {};
}

}  // namespace portolan::object
