// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

namespace portolan::shim {

// Files that are not what the file system has: /proc/self/fdinfo/N of a handle, /proc/mounts, the trace pipe,
// the kernel's types, and pins. An fd, -errno, or kNotSpecial.
inline constexpr int kNotSpecial = -100000;
int open_special(const char* path, int flags);
// What the machine's file says; "" where there is none.
std::string contents(const char* path);
// An fd of a file that has this text, or -errno.
int file_with(const std::string& text);

// What reading the pin gives, `there` below the runtime's directory: a map with BTF prints itself, others are
// EIO.
int open_pin(const std::string& there, int flags);

}  // namespace portolan::shim
