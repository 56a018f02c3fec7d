// SPDX-License-Identifier: Apache-2.0
// Pins: hard links from bpffs/ to an object's own pin file. The file system counts them, whoever makes or
// removes them and whatever dies meanwhile; the object is found again by the inode.
#include <cstring>

#include "object/impl.h"

namespace portolan::object {
namespace {

long address(const void* pointer) { return static_cast<long>(reinterpret_cast<std::intptr_t>(pointer)); }

bool same_file(const struct ::stat& a, const struct ::stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// Whether `directory` is the bpffs root or lies below it, by walking up.
bool is_below(int bpffs, int directory) {
  struct ::stat top{}, here{}, before{};
  if (!sys::fstat(bpffs, top) || !sys::fstat(directory, here)) return false;
  UniqueFd at;
  for (int depth = 0; depth < 256; ++depth) {
    if (same_file(here, top)) return true;
    before = here;
    auto parent = sys::openat(at ? at.get() : directory, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (!parent) return false;
    at.reset(*parent);
    if (!sys::fstat(at.get(), here) || same_file(here, before)) return false;
  }
  return false;
}

struct Place {
  UniqueFd directory;
  std::string name;
  bool on_bpffs;
};

// ENOENT and ENOTDIR as a path walk gives them.
Result<Place> place_of(int bpffs, int dir_fd, const char* path) {
  std::string_view text = path;
  if (text.empty()) return fail(ENOENT);
  while (text.size() > 1 && text.back() == '/') text.remove_suffix(1);
  const std::size_t slash = text.rfind('/');
  const std::string parent = slash == text.npos ? "." : slash == 0 ? "/" : std::string(text.substr(0, slash));
  Place place;
  place.name = std::string(slash == text.npos ? text : text.substr(slash + 1));
  place.directory.reset(TRY(sys::openat(dir_fd, parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)));
  place.on_bpffs = is_below(bpffs, place.directory.get());
  return place;
}

bool is_dots(const std::string& name) { return name.empty() || name == "." || name == ".."; }

}  // namespace

int Runtime::bpffs_fd() const { return impl_->bpffs.get(); }

// The kernel's order: the walk to the parent, '.' in a name on the bpffs (EPERM), something there already
// (EEXIST), a name that asks for a directory (ENOENT), another file system (EPERM).
Result<void> Runtime::pin(const View& view, int dir_fd, const char* name, mode_t mode) {
  const Place place = TRY(place_of(impl_->bpffs.get(), dir_fd, name));
  if (is_dots(place.name)) return fail(EEXIST);
  if (place.on_bpffs && place.name.find('.') != place.name.npos) return fail(EPERM);
  struct ::stat there{};
  if (sys::fstatat(place.directory.get(), place.name.c_str(), there, AT_SYMLINK_NOFOLLOW))
    return fail(EEXIST);
  if (std::strlen(name) != 0 && name[std::strlen(name) - 1] == '/') return fail(ENOENT);
  if (!place.on_bpffs) return fail(EPERM);

  const sync::Actor self = TRY(actor());
  return impl_->locked(self, [&]() -> Result<void> {
    const auto found = impl_->read_entry(view.mapped_.entry);
    if (!found || found->serial != view.mapped_.serial) return fail(ENOENT);
    const std::string own = object_path(found->kind, found->id, "pin");
    struct ::stat pin{};
    TRY(sys::fstatat(impl_->root.get(), own.c_str(), pin, AT_SYMLINK_NOFOLLOW));
    // All pins of an object share one inode, and so its mode: that of the first.
    if (pin.st_nlink == 1)
      TRY(sys::checked(
          sys::call(SYS_fchmodat, impl_->root.get(), address(own.c_str()), static_cast<long>(mode & 0777))));
    PORTOLAN_SEAM();
    TRY(sys::linkat(impl_->root.get(), own.c_str(), place.directory.get(), place.name.c_str(), 0));
    impl_->control->entries[found->index].flags.store_relaxed(0);
    return {};
  });
}

Result<std::pair<Kind, std::uint32_t>> Runtime::read_pin(int dir_fd, const char* name) {
  const Place place = TRY(place_of(impl_->bpffs.get(), dir_fd, name));
  if (place.on_bpffs && !is_dots(place.name) && place.name.find('.') != place.name.npos) return fail(EPERM);
  struct ::stat status{};
  TRY(sys::fstatat(dir_fd, name, status, 0));
  if (!S_ISREG(status.st_mode) || status.st_dev != impl_->device) return fail(EACCES);
  const auto found = impl_->find_pin(status.st_ino);
  if (!found) return fail(EACCES);
  return std::pair(found->kind, found->id);
}

}  // namespace portolan::object
