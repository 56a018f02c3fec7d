// SPDX-License-Identifier: Apache-2.0
#include "shim/kernel_types.h"

#include <fcntl.h>

#include <cstring>
#include <string>

#include "helper/kernel_btf.h"
#include "shim/open_special.h"
#include "shim/probe_files.h"
#include "shim/session.h"

namespace portolan::shim {
namespace {

bool is_kernel_types(const char* path) {
  return path != nullptr && std::strcmp(path, "/sys/kernel/btf/vmlinux") == 0;
}

}  // namespace

const char* shown_at(const char* path) {
  if (!is_kernel_types(path)) return place_of_probe_file(path);
  object::Runtime* const there = runtime();
  if (there == nullptr) return path;
  (void)helper::open_kernel_btf(*there);  // so that there is one; where not, who looks finds none
  static const std::string file = there->directory() + "/" + helper::kKernelBtfFile;
  return file.c_str();
}

int open_kernel_types(const char* path, int flags) {
  if (!is_kernel_types(path)) return kNotSpecial;
  object::Runtime* const there = runtime();
  if (there == nullptr) return kNotSpecial;
  if ((flags & O_ACCMODE) != O_RDONLY) return -EACCES;
  auto file = helper::open_kernel_btf(*there);
  if (!file) return -file.error().value;
  if ((flags & O_CLOEXEC) == 0) (void)sys::fcntl(file->get(), F_SETFD, 0);
  return file->release();
}

}  // namespace portolan::shim
