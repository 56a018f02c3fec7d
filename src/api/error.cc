// SPDX-License-Identifier: Apache-2.0
#include "portolan/error.hpp"

#include <fmt/format.h>
#include <string.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "base/result.h"

namespace portolan {
namespace {

constexpr std::array<std::string_view, 20> kOperationNames = {
    "open a runtime", "create a map",   "open a pin",    "take over an fd", "look up",
    "update",         "erase",          "take",          "iterate",         "look up a batch",
    "update a batch", "erase a batch",  "take a batch",  "pin a map",       "freeze",
    "get info",       "load an object", "run a program", "declare a hook",  "wait",
};
static_assert(kOperationNames.size() == static_cast<std::size_t>(Operation::kWait) + 1);

// What an errno most probably means for an operation, where errno's own text misleads.
struct Cause {
  Operation operation;
  int code;
  std::string_view text;
};
constexpr Cause kCauses[] = {
    {Operation::kLookup, ENOENT, "the key is not in the map"},
    {Operation::kErase, ENOENT, "the key is not in the map"},
    {Operation::kTake, ENOENT, "the key is not in the map"},
    {Operation::kErase, EINVAL,
     "elements of this type of map cannot be erased, or the key has the wrong size"},
    {Operation::kTake, EOPNOTSUPP, "elements of this type of map cannot be taken out"},
    {Operation::kUpdate, ENOENT, "the key is not in the map, and Update::kExist was asked for"},
    {Operation::kUpdate, EEXIST, "the key is in the map already, and Update::kNoExist was asked for"},
    {Operation::kUpdate, E2BIG,
     "no room: all max_entries elements are in use, or the index is beyond the array"},
    {Operation::kUpdateBatch, E2BIG,
     "no room: all max_entries elements are in use, or an index is beyond the array"},
    {Operation::kUpdate, EPERM, "the map is frozen, or its fd was opened read-only"},
    {Operation::kUpdateBatch, EPERM, "the map is frozen, or its fd was opened read-only"},
    {Operation::kErase, EPERM, "the map is frozen, or its fd was opened read-only"},
    {Operation::kLookup, EPERM, "the map's fd was opened write-only"},
    {Operation::kUpdate, ENOMEM, "no memory for a new element"},
    {Operation::kCreate, ENOMEM, "no memory: the file system, the cgroup or a limit has no room for it"},
    {Operation::kCreate, EPERM, "not permitted: the kernel wants CAP_BPF for this"},
    {Operation::kCreate, EINVAL,
     "the type, a size, a flag or the name is not one that this type of map takes"},
    {Operation::kCreate, E2BIG, "a size is larger than this type of map takes"},
    {Operation::kCreate, ENOSYS, "bpf(2) is not there, or `portolan run` keeps it from this program"},
    {Operation::kOpenPin, ENOENT, "nothing is pinned there"},
    {Operation::kPin, EPERM, "the path is not on a bpffs"},
    {Operation::kPin, EEXIST, "the path exists already"},
    {Operation::kTestRun, EINVAL,
     "the packet is too short, or this type of program takes no such data, context or flags"},
    {Operation::kTestRun, kEnotsupp, "programs of this type cannot be run by themselves"},
    {Operation::kTestRun, ENOSPC, "there is not enough room for what comes out"},
};

std::string_view cause(Operation operation, int code) {
  const auto* found = std::ranges::find_if(
      kCauses, [&](const Cause& row) { return row.operation == operation && row.code == code; });
  return found == std::end(kCauses) ? std::string_view() : found->text;
}

}  // namespace

Error::Error(Operation operation, int code, std::string detail)
    : code_(code),
      operation_(operation),
      detail_(detail.empty() ? nullptr : std::make_shared<const std::string>(std::move(detail))) {}

std::string Error::message() const {
  const char* name = ::strerrorname_np(code_);
  const std::string symbol = name != nullptr ? name : fmt::format("errno {}", code_);
  std::string_view text = detail_ != nullptr ? std::string_view(*detail_) : cause(operation_, code_);
  if (text.empty()) text = ::strerrordesc_np(code_) != nullptr ? ::strerrordesc_np(code_) : "failed";
  return fmt::format("{}: {} ({})", kOperationNames[static_cast<std::size_t>(operation_)], text, symbol);
}

}  // namespace portolan
