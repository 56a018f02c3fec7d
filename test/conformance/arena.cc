// SPDX-License-Identifier: Apache-2.0
#include "arena.h"

#include <sys/mman.h>

#include "base/assert.h"
#include "base/sys.h"

namespace portolan::conformance {
namespace {

constexpr std::size_t kStride = Arena::kRegionSize + kPageSize;
constexpr std::byte kUntouched{0xa5};

std::byte* map_regions(int memory, int protection) {
  auto base = sys::mmap(nullptr, Arena::kRegions * kStride, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  PORTOLAN_ASSERT(base);
  auto* bytes = static_cast<std::byte*>(*base);
  for (std::size_t region = 0; region < Arena::kRegions; ++region)
    PORTOLAN_ASSERT(sys::mmap(bytes + region * kStride, Arena::kRegionSize, protection,
                              MAP_SHARED | MAP_FIXED, memory, region * Arena::kRegionSize));
  return bytes;
}

}  // namespace

const char* place_name(Place place) {
  switch (place) {
    case Place::kWritable:
      return "";
    case Place::kReadOnly:
      return "read-only memory ";
    case Place::kNull:
      return "NULL";
    case Place::kUnmapped:
      return "unmapped address";
    case Place::kNonCanonical:
      return "non-canonical address";
    case Place::kKernelHalf:
      return "kernel address";
  }
  return "?";
}

Arena::Arena() {
  const int memory =
      static_cast<int>(sys::call(SYS_memfd_create, reinterpret_cast<long>("arena"), MFD_CLOEXEC));
  PORTOLAN_ASSERT(memory >= 0 && sys::ftruncate(memory, kRegions * kRegionSize));
  writable_ = map_regions(memory, PROT_READ | PROT_WRITE);
  read_only_ = map_regions(memory, PROT_READ);
  (void)sys::close(memory);
}

Arena::~Arena() {
  (void)sys::munmap(writable_, kRegions * kStride);
  (void)sys::munmap(read_only_, kRegions * kStride);
}

std::uint64_t Arena::put(std::size_t region, ConstBytes bytes, Place place, std::size_t slack) {
  PORTOLAN_ASSERT(region < kRegions && bytes.size() + slack + kRedZone <= kRegionSize);
  std::byte* at = end_of(region) - slack - bytes.size();
  std::memset(at - kRedZone, static_cast<int>(kUntouched), kRedZone);
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  std::memset(end_of(region) - slack, 0, slack);
  switch (place) {
    case Place::kWritable:
      return reinterpret_cast<std::uint64_t>(at);
    case Place::kReadOnly:
      return reinterpret_cast<std::uint64_t>(read_only_ + (at - writable_));
    case Place::kNull:
      return 0;
    case Place::kUnmapped:
      return 0x8000;
    case Place::kNonCanonical:
      return 0xdead000000000000;
    case Place::kKernelHalf:
      return 0xffffffff81000000;
  }
  return 0;
}

ConstBytes Arena::seen(std::size_t region, std::size_t size, std::size_t slack) const {
  return {end_of(region) - slack - size - kRedZone, kRedZone + size + slack};
}

}  // namespace portolan::conformance
