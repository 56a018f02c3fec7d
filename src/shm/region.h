// SPDX-License-Identifier: Apache-2.0
// A mapped file whose bytes other processes may share. Memory is reserved before it is used, so that a full
// disk, a full cgroup or a file size limit is an ENOMEM of a call and never a signal later.
#pragma once
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "shm/room.h"

namespace portolan::shm {

class Region {
 public:
  static constexpr std::uint64_t kLargest = std::uint64_t{1} << 46;  // no larger one can be mapped

  Region() = default;
  Region(Region&& other) noexcept;
  Region& operator=(Region&& other) noexcept;
  ~Region();

  // Creates `name` in `dir_fd` with `size` bytes of address space, of which the first `reserved` are reserved
  // now. EINVAL: size 0 or above kLargest, or more reserved than that. ENOMEM: no room (room.h). EEXIST
  // and others as open(2).
  static Result<Region> create(int dir_fd, const char* name, std::uint64_t size, std::uint64_t reserved,
                               mode_t mode);
  // Maps the whole of an existing file. EINVAL if it is shorter than `least` bytes or is no regular file.
  static Result<Region> open(int dir_fd, const char* name, std::uint64_t least);

  // Reserves `length` more bytes at `offset`; both are rounded out to pages. Idempotent. ENOMEM as for
  // create.
  Result<void> reserve(std::uint64_t offset, std::uint64_t length);
  // Closes the file; the mapping stays, and reserve() goes on to work (by touching pages,
  // MADV_POPULATE_WRITE).
  void close_file() { fd_.reset(); }

  std::byte* base() const { return base_; }
  std::uint64_t size() const { return size_; }
  Bytes bytes() const { return {base_, size_}; }
  explicit operator bool() const { return base_ != nullptr; }
  int fd() const { return fd_.get(); }  // -1 after close_file()

  // `count` objects of type T at `offset`, or nullptr when they do not lie whole and aligned within the
  // region.
  template <class T>
  T* at(std::uint64_t offset, std::uint64_t count = 1) const {
    if (offset > size_ || offset % alignof(T) != 0 || count > (size_ - offset) / sizeof(T)) return nullptr;
    return reinterpret_cast<T*>(base_ + offset);
  }

 private:
  UniqueFd fd_;
  std::byte* base_ = nullptr;
  std::uint64_t size_ = 0;
};

}  // namespace portolan::shm
