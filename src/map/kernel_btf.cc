// SPDX-License-Identifier: Apache-2.0
#include "map/kernel_btf.h"

#include <memory>
#include <new>

#include "abi/limits.h"
#include "base/sys.h"
#include "base/unique_fd.h"
#include "sync/atomic.h"

namespace portolan::map {
namespace {

constexpr const char* kPath = "/sys/kernel/btf/vmlinux";

sync::Atomic<const btf::Btf*> parsed_types;

}  // namespace

bool has_kernel_btf() {
  struct ::stat status{};
  return sys::fstatat(AT_FDCWD, kPath, status, 0).has_value();
}

Result<std::vector<std::byte>> read_kernel_btf() {
  const UniqueFd file(TRY(sys::openat(AT_FDCWD, kPath, O_RDONLY | O_CLOEXEC)));
  struct ::stat status{};
  TRY(sys::fstat(file.get(), status));
  if (status.st_size <= 0 || status.st_size > abi::kMaxBtfSize) return fail(E2BIG);
  try {
    std::vector<std::byte> bytes(static_cast<std::size_t>(status.st_size));
    std::size_t done = 0;
    while (done < bytes.size()) {
      const std::size_t more = TRY(sys::pread(file.get(), bytes.data() + done, bytes.size() - done, done));
      if (more == 0) return fail(EIO);
      done += more;
    }
    return bytes;
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
}

// No lock, which a fork could leave locked: of two that parse at once, the second one's work is thrown away.
Result<const btf::Btf*> kernel_btf() {
  const btf::Btf* parsed = parsed_types.load_acquire();  // pairs with the exchange below
  if (parsed != nullptr) return parsed;
  const std::vector<std::byte> bytes = TRY(read_kernel_btf());
  auto mine = std::make_unique<const btf::Btf>(TRY(btf::Btf::parse(bytes)));
  if (!parsed_types.cas_acq_rel(parsed, mine.get())) return parsed;
  return mine.release();
}

}  // namespace portolan::map
