// SPDX-License-Identifier: Apache-2.0
// Directories, by raw system calls.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace portolan::object {

// The names in a directory, without "." and "..".
Result<std::vector<std::string>> names_in(int dir_fd, const char* path);

// Removes a directory and what is in it; what is not there any more is no error. Follows no symbolic link.
Result<void> remove_tree(int dir_fd, const std::string& path);

// Under a number out of the clients' way.
Result<UniqueFd> open_directory(int dir_fd, const char* path);

}  // namespace portolan::object
