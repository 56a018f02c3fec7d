// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The census of census_fill.c on the typed C++ API: the same code on a private Portolan runtime and, with
// --kernel, on the kernel's own maps.
//
//   census [--kernel] FOLDER
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <portolan/portolan.hpp>
#include <string_view>
#include <vector>

#include "census.h"

namespace {

using Files = portolan::Hash<std::uint64_t, std::uint64_t>;
using Extensions = portolan::Hash<census_extension, census_counters>;

template <class T>
T must(portolan::Expected<T> result, std::string_view what) {
  if (!result) {
    fmt::print(stderr, "census: {}: {}\n", what, result.error().message());
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// Calls `visit(path, size)` for each regular file below `folder` that can be reached.
template <class Visit>
void for_each_file(const std::filesystem::path& folder, Visit visit) {
  using std::filesystem::directory_options;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator
           walk(folder, directory_options::skip_permission_denied, error),
       end;
       !error && walk != end; walk.increment(error))
    if (walk->symlink_status(error).type() == std::filesystem::file_type::regular)
      visit(walk->path().string(), walk->file_size(error));
}

void run(const portolan::Runtime& runtime, const std::filesystem::path& folder) {
  std::vector<std::pair<std::string, std::uint64_t>> found;
  for_each_file(folder,
                [&](std::string path, std::uint64_t size) { found.emplace_back(std::move(path), size); });

  auto files = must(Files::create(runtime, static_cast<std::uint32_t>(std::max<std::size_t>(found.size(), 1)),
                                  {.name = "files"}),
                    "make the files map");
  auto extensions =
      must(Extensions::create(runtime, 8192, {.name = "extensions"}), "make the extensions map");
  for (const auto& [path, size] : found) {
    must(files.update(census_path_hash(path.c_str()), size), "update the files map");
    const census_extension extension = census_extension_of(path.c_str());
    census_counters counters = extensions.lookup(extension).value_or(census_counters{});
    counters.files += 1;
    counters.bytes += size;
    must(extensions.update(extension, counters), "update the extensions map");
  }

  std::uint64_t count = 0, bytes = 0;
  for (auto [path_hash, size] : files) {
    count += 1;
    bytes += size;
  }
  fmt::print("files map:      {} files, {} bytes\n", count, bytes);

  std::vector<std::pair<census_extension, census_counters>> ranking;
  census_counters total{};
  must(extensions.for_each([&](const census_extension& extension, const census_counters& counters) {
    total.files += counters.files;
    total.bytes += counters.bytes;
    ranking.emplace_back(extension, counters);
  }),
       "walk the extensions map");
  fmt::print("extensions map: {} files, {} bytes, {} extensions\n", total.files, total.bytes, ranking.size());
  std::ranges::sort(ranking, [](const auto& a, const auto& b) { return a.second.bytes > b.second.bytes; });
  for (const auto& [extension, counters] : std::span(ranking).first(std::min<std::size_t>(ranking.size(), 5)))
    fmt::print("  {:<15} {:>7} files {:>12} bytes\n", extension.text, counters.files, counters.bytes);
}

}  // namespace

int main(int argc, char** argv) {
  const bool on_kernel = argc > 1 && std::string_view(argv[1]) == "--kernel";
  if (argc != (on_kernel ? 3 : 2)) {
    fmt::print(stderr, "usage: census [--kernel] FOLDER\n");
    return 2;
  }
  run(on_kernel ? portolan::Runtime::kernel() : must(portolan::Runtime::create_private(), "open a runtime"),
      argv[argc - 1]);
}
