// SPDX-License-Identifier: Apache-2.0
// nftw(3): libc's own would call its own lstat and opendir. On the bpffs it walks the runtime's directory,
// and shows the visitor the names that it asked for.
#include <dlfcn.h>
#include <ftw.h>

#include <cstring>
#include <string>

#include "shim/session.h"

namespace portolan::shim {
namespace {

struct Walk {
  std::string there, asked;
  __nftw_func_t visit;
};
thread_local const Walk* walk = nullptr;

int translate(const char* path, const struct stat* status, int type, struct FTW* place) {
  std::string shown = walk->asked + (path + walk->there.size());
  struct stat seen = *status;
  if (S_ISREG(seen.st_mode)) seen.st_nlink = 1;
  struct FTW at = *place;
  at.base += static_cast<int>(walk->asked.size()) - static_cast<int>(walk->there.size());
  return walk->visit(shown.c_str(), &seen, type, &at);
}

int walk_tree(const char* name, const char* path, __nftw_func_t visit, int fds, int flags) {
  auto* real = reinterpret_cast<int (*)(const char*, __nftw_func_t, int, int)>(::dlsym(RTLD_NEXT, name));
  const Walk here{on_bpffs(-100, path), path, visit};
  if (here.there.empty()) return real(path, visit, fds, flags);
  const Walk* outer = walk;
  walk = &here;
  const int result = real(here.there.c_str(), translate, fds, flags & ~FTW_CHDIR);
  walk = outer;
  return result;
}

}  // namespace
}  // namespace portolan::shim

PORTOLAN_SHIM_EXPORT int nftw(const char* path, __nftw_func_t visit, int fds, int flags) {
  return portolan::shim::walk_tree("nftw", path, visit, fds, flags);
}
PORTOLAN_SHIM_EXPORT int nftw64(const char* path, __nftw64_func_t visit, int fds, int flags) {
  return portolan::shim::walk_tree("nftw64", path, reinterpret_cast<__nftw_func_t>(visit), fds, flags);
}
