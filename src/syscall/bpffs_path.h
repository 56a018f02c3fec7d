// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "syscall/call.h"

namespace portolan::syscall {

// The place that OBJ_PIN and OBJ_GET speak of, as this process can reach it.
struct BpffsPath {
  int directory_fd;
  std::string path;
};

// EINVAL: path_fd without its flag; EFAULT, ENAMETOOLONG, EBADF.
Result<BpffsPath> bpffs_path_of(const Call& call);

}  // namespace portolan::syscall
