// SPDX-License-Identifier: Apache-2.0
#include "map/map.h"

#include <fmt/format.h>

#include <algorithm>

#include "map/timers.h"

namespace portolan::map {

using namespace abi::element_flag;

Result<void> Map::check_op_flags(std::uint64_t flags, std::uint64_t allowed) const {
  if ((flags & kLock) != 0 && !spec_.has_field(FieldKind::kSpinLock)) return fail(EINVAL);
  if (!cpu_flags_) return {};
  if ((static_cast<std::uint32_t>(flags) & ~allowed) != 0) return fail(EINVAL);
  if ((flags & kCpu) == 0 && flags >> 32 != 0) return fail(EINVAL);
  if ((flags & (kCpu | kAllCpus)) != 0) {
    if (!is_per_cpu() || (flags & kCpu && flags & kAllCpus)) return fail(EINVAL);
    if ((flags & kCpu) != 0 && flags >> kCpuShift >= spec_.cpus) return fail(ERANGE);
  }
  return {};
}

Result<void> Map::freeze() {
  if (runtime().has_writable_mapping(*this)) return fail(EBUSY);
  std::uint32_t before = 0;
  if (!header_->frozen.cas_acq_rel(before, 1)) return fail(EBUSY);  // pairs with is_frozen
  if (runtime().has_writable_mapping(*this)) {                      // one that came between the two
    header_->frozen.store_release(0);                               // pairs with is_frozen
    return fail(EBUSY);
  }
  return {};
}

// Maps have virtual functions, so that the standard does not say what offsets are; the compilers do.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"
std::int16_t Map::image_offset() {
  static_assert(offsetof(Map, image_) <= INT16_MAX && sizeof image_ == sizeof(std::uint64_t));
  return static_cast<std::int16_t>(offsetof(Map, image_));
}
#pragma GCC diagnostic pop

void Map::show(std::unique_ptr<const std::uint64_t[]> image) {
  const std::uint64_t* none = nullptr;
  if (image_.cas_release(none, image.get())) (void)image.release();  // pairs with image
}

Result<void> Map::may_mmap(bool shared, bool writable, std::uint64_t offset, std::uint64_t length) const {
  if (has_fields()) return fail(kEnotsupp);
  // A type without pages says so before anything else is looked at.
  if (auto known = mmap(writable, offset, length); !known && known.error().value == kEnotsupp) return known;
  if (!shared) return fail(EINVAL);
  if (writable && is_frozen()) return fail(EPERM);
  if (writable && spec_.has(abi::map_flag::kRdonlyProg)) return fail(EACCES);
  return mmap(writable, offset, length);
}

// What the kernel answers for types that have no such op.
Result<void> Map::get_next_key(const std::byte*, std::byte*) { return fail(EOPNOTSUPP); }
Result<void> Map::lookup_elem_copy(const std::byte*, std::byte*, std::uint64_t) { return fail(EOPNOTSUPP); }
Result<void> Map::update_elem_copy(const std::byte*, const std::byte*, std::uint64_t) {
  return fail(EOPNOTSUPP);
}
Result<void> Map::delete_elem(const std::byte*) { return fail(EOPNOTSUPP); }
Result<void> Map::lookup_and_delete_elem(const std::byte*, std::byte*, std::uint64_t) {
  return fail(kEnotsupp);
}
Result<void> Map::lookup_batch(const BatchCall&) { return fail(kEnotsupp); }
Result<void> Map::lookup_and_delete_batch(const BatchCall&) { return fail(kEnotsupp); }
Result<void> Map::update_batch(const BatchCall&) { return fail(kEnotsupp); }
Result<void> Map::delete_batch(const BatchCall&) { return fail(kEnotsupp); }
Result<void> Map::mmap(bool, std::uint64_t, std::uint64_t) const { return fail(kEnotsupp); }
std::uint32_t Map::poll() const { return 0x8; }  // EPOLLERR
Result<std::uint32_t> Map::fd_get_ptr(int) { return fail(EINVAL); }
Result<void> Map::get_hash(std::byte*) const { return fail(EINVAL); }
std::byte* Map::lookup_elem(const std::byte*, std::uint32_t) { return nullptr; }
std::byte* Map::lookup_percpu_elem(const std::byte*, std::uint32_t) { return nullptr; }
Result<void> Map::update_elem(const std::byte*, const std::byte*, std::uint64_t, std::uint32_t) {
  return fail(EOPNOTSUPP);
}
Result<void> Map::push_elem(const std::byte*, std::uint64_t) { return fail(EOPNOTSUPP); }
Result<void> Map::pop_elem(std::byte*) { return fail(EOPNOTSUPP); }
Result<void> Map::peek_elem(std::byte*) { return fail(EOPNOTSUPP); }
Result<void> Map::redirect(std::uint64_t, std::uint64_t) { return fail(EOPNOTSUPP); }
Result<std::byte*> Map::direct_value_addr(std::uint32_t) const { return fail(EINVAL); }
Result<std::uint32_t> Map::direct_value_meta(const std::byte*) const { return fail(ENOENT); }
Result<std::uint64_t> Map::for_each_callback(Visit, void*, std::uint64_t, std::uint32_t) {
  return fail(EINVAL);
}

bool Map::meta_equal(const MapSpec& meta) const {
  const MapSpec &a = spec_, &b = meta;
  if (a.type != b.type || a.key_size != b.key_size || a.value_size != b.value_size ||
      a.map_flags != b.map_flags || a.field_count != b.field_count)
    return false;
  return std::memcmp(a.fields, b.fields, a.field_count * sizeof(ValueField)) == 0;
}

void Map::copy_around_fields(std::byte* to, const std::byte* value) const {
  const auto in_field = [&](std::uint32_t at) {
    for (std::uint32_t i = 0; i < spec_.field_count; ++i)
      if (at >= spec_.fields[i].offset && at - spec_.fields[i].offset < spec_.fields[i].size) return true;
    return false;
  };
  // By halves of words, as a lock has the other half of its word to itself.
  for (std::uint32_t half = 0; half < value_size(); half += 4) {
    const std::uint32_t end = std::min(half + 4, value_size());
    std::byte bytes[4];
    sync::copy_from_shared(bytes, to + half, 4);
    std::uint32_t copied = 0;
    for (std::uint32_t at = half; at < end; ++at) {
      if (in_field(at)) continue;
      bytes[at - half] = value[at];
      ++copied;
    }
    if (copied != 0) sync::copy_to_shared(to + half, bytes, 4);
  }
}

void Map::free_fields(const std::byte* value) const {
  for (const FieldKind kind : {FieldKind::kTimer, FieldKind::kWorkQueue})
    if (const ValueField* timer = spec_.field(kind)) Timers::free(runtime(), value + timer->offset);
}

void Map::release_uref() {
  if (Timers* timers = Timers::of(runtime()); timers != nullptr && has_timers()) timers->release(*this);
}

std::uint64_t Map::mem_usage() const { return state().size() + user_pages().size(); }

std::string Map::show_fdinfo() const {
  return fmt::format(
      "map_type:\t{}\nkey_size:\t{}\nvalue_size:\t{}\nmax_entries:\t{}\nmap_flags:\t{:#x}\nmap_extra:\t{:#x}"
      "\n"
      "memlock:\t{}\nmap_id:\t{}\nfrozen:\t{}\n",
      spec_.type, spec_.key_size, spec_.value_size, spec_.max_entries, spec_.map_flags, spec_.map_extra,
      mem_usage(), id(), is_frozen() ? 1 : 0);
}

std::string Map::where() const { return fmt::format("map {}", id()); }

void Map::check(shm::Findings& findings) const {
  if (header_->magic != kMapMagic || std::memcmp(&header_->spec, &spec_, sizeof spec_) != 0 ||
      std::memcmp(&header_->inner, &inner_, sizeof inner_) != 0)
    findings.corrupt(where(), "its attributes have changed");
  if (header_->frozen.load_relaxed() > 1) findings.corrupt(where(), "it is neither frozen nor not");
}

}  // namespace portolan::map
