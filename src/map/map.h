// SPDX-License-Identifier: Apache-2.0
// A map: struct bpf_map and struct bpf_map_ops as a class. A process-local view of a region, shared by all
// threads; every method may run in several threads and processes at once.
//
// Keys and values are *staged*: in this process's memory, 8-aligned, keys of key_size bytes, values of
// value_bytes(flags) bytes with room, and zeros when they are read from, up to the next multiple of 8.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "abi/attr.h"
#include "abi/map_type.h"
#include "base/bytes.h"
#include "btf/btf.h"
#include "map/kernel_version.h"
#include "map/program_view.h"
#include "map/spec.h"
#include "map/user_memory.h"
#include "object/runtime.h"
#include "sync/value_lock.h"

namespace portolan::map {

// One BPF_MAP_*_BATCH call.
struct BatchCall {
  UserMemory& memory;
  const abi::BatchAttr& attr;
  std::uint64_t count_address;  // of batch.count in the caller's memory

  Result<void> put_count(std::uint32_t count) const {
    return memory.copy_out(count_address, &count, sizeof count);
  }
};

// The struct that the kernel has for a map of a type (map_btf_id), which begins with its struct bpf_map, and
// members of it that say what the map is like.
struct KernelStruct {
  const char* name = nullptr;  // nullptr: programs may not read such maps
  std::vector<std::pair<const char*, std::uint64_t>> members = {};
};

class RingBufferMap;
class PerfEventArrayMap;
class StackTraceMap;
class UserRingMap;
class References;
class Waitable;

class Map : public object::View {
 public:
  Map(object::Mapped mapped, MapHeader* header)
      : View(std::move(mapped)),
        header_(header),
        spec_(header->spec),
        inner_(header->inner),
        cpu_flags_(runtime().kernel_version() >= kCpuFlagsSince) {}
  ~Map() override { delete[] image_.load_acquire(); }  // pairs with show

  static constexpr bool kIsOfMaps = false;  // those that are say so in their class

  // --- what the map is
  const MapSpec& spec() const { return spec_; }
  std::uint32_t key_size() const { return spec_.key_size; }
  std::uint32_t value_size() const { return spec_.value_size; }
  std::uint32_t max_entries() const { return spec_.max_entries; }
  bool has_fields() const { return spec_.field_count != 0; }
  bool has_timers() const { return spec_.has_timers(); }
  // What the maps in a map of maps are like (inner_map_meta); nullptr: it holds none.
  const MapSpec* inner_spec() const { return inner_.type != 0 ? &inner_ : nullptr; }
  virtual bool is_per_cpu() const { return false; }
  // Of a value as system calls see it, in bytes (bpf_map_value_size).
  std::uint64_t value_bytes(std::uint64_t flags = 0) const {
    constexpr std::uint64_t one = abi::element_flag::kCpu | abi::element_flag::kAllCpus;
    if (!is_per_cpu() || ((flags & one) != 0 && cpu_flags_)) return spec_.value_size;
    return round_up(spec_.value_size, 8) * spec_.cpus;
  }
  bool knows_cpu_flags() const { return cpu_flags_; }

  bool is_frozen() const { return header_->frozen.load_acquire() != 0; }  // pairs with freeze
  // EBUSY: frozen already, or mapped writable; ENOTSUPP: a value with fields of the kernel's.
  Result<void> freeze();

  // What BPF_F_LOCK, BPF_F_CPU … ask for must be there (bpf_map_check_op_flags): EINVAL, ERANGE.
  Result<void> check_op_flags(std::uint64_t flags, std::uint64_t allowed) const;

  // --- ops of system calls. Flags have passed check_op_flags.
  // `key` nullptr: from the beginning. ENOENT after the last.
  virtual Result<void> get_next_key(const std::byte* key, std::byte* next_key);
  // The value without the kernel's fields, which read as zeros. ENOENT.
  virtual Result<void> lookup_elem_copy(const std::byte* key, std::byte* value, std::uint64_t flags);
  virtual Result<void> lookup_elem_sys_only(const std::byte* key, std::byte* value, std::uint64_t flags) {
    return lookup_elem_copy(key, value, flags);
  }
  virtual Result<void> update_elem_copy(const std::byte* key, const std::byte* value, std::uint64_t flags);
  virtual Result<void> delete_elem(const std::byte* key);
  virtual Result<void> lookup_and_delete_elem(const std::byte* key, std::byte* value, std::uint64_t flags);
  virtual Result<void> lookup_batch(const BatchCall& call);
  virtual Result<void> lookup_and_delete_batch(const BatchCall& call);
  virtual Result<void> update_batch(const BatchCall& call);
  virtual Result<void> delete_batch(const BatchCall& call);
  // mmap(2) of the map's fd: whether it may be. `length` and `offset` in bytes.
  Result<void> may_mmap(bool shared, bool writable, std::uint64_t offset, std::uint64_t length) const;
  virtual Result<void> mmap(bool writable, std::uint64_t offset, std::uint64_t length) const;
  virtual std::uint32_t poll() const;  // EPOLL* bits
  // Maps of fds (programs, other maps): an fd comes in, an id goes out.
  virtual bool takes_fds() const { return false; }
  // The id of what the fd stands for, if this map may hold it. EBADF, EINVAL.
  virtual Result<std::uint32_t> fd_get_ptr(int fd);
  // Whether there may be an inner map of this type.
  virtual bool may_be_inner() const { return true; }
  // Whether this map may be an inner one where `meta` is what they are like. Call it if may_be_inner().
  virtual bool meta_equal(const MapSpec& meta) const;
  virtual Result<void> get_hash(std::byte* sha256) const;
  virtual std::uint64_t element_count() const { return 0; }  // of types that count them
  virtual std::uint64_t mem_usage() const;                   // bytes of the files
  virtual bool has_seq_show() const { return false; }
  // What reading a pin of the map shows, by its BTF (map_seq_show_elem for each element). EIO: the type has
  // no such thing, or the map no BTF.
  Result<std::string> seq_show();
  // /proc/self/fdinfo/N, as the kernel writes it, without the lines of any file.
  virtual std::string show_fdinfo() const;

  // --- ops of programs, which run on a vCPU
  // Where the value lies, or nullptr. It may be recycled under the program, but stays memory.
  virtual std::byte* lookup_elem(const std::byte* key, std::uint32_t cpu);
  virtual std::byte* lookup_percpu_elem(const std::byte* key, std::uint32_t cpu);
  virtual Result<void> update_elem(const std::byte* key, const std::byte* value, std::uint64_t flags,
                                   std::uint32_t cpu);
  virtual Result<void> push_elem(const std::byte* value, std::uint64_t flags);
  virtual Result<void> pop_elem(std::byte* value);
  virtual Result<void> peek_elem(std::byte* value);
  // Whether peek_elem, and with it a lookup, asks for the value that it is given.
  virtual bool peek_reads_value() const { return false; }
  virtual Result<void> redirect(std::uint64_t key, std::uint64_t flags);
  // Ring buffers; nullptr: the map is none.
  virtual RingBufferMap* ring_buffer() { return nullptr; }
  virtual UserRingMap* user_ring() { return nullptr; }
  virtual PerfEventArrayMap* perf_events() { return nullptr; }
  // Whether it can be waited for; nullptr: not.
  virtual Waitable* waitable() { return nullptr; }
  // Stack traces; nullptr: the map holds none.
  virtual StackTraceMap* stack_traces() { return nullptr; }
  // Maps of programs: whether such a one may be in it, or use it; what tail calls go to, nullptr for none.
  virtual bool contains_programs() const { return false; }
  virtual bool takes_program(const ProgramTraits&) { return false; }
  virtual ProgramView* program_at(std::uint32_t) { return nullptr; }
  // How generated code of programs of a type (abi::ProgType) finds what a tail call goes on as without a
  // call; nullptr: by program_at(). Whoever has code for what that found, of some type, says so.
  virtual const References* gen_tail_call(std::uint32_t) { return nullptr; }
  virtual void note_code(std::uint32_t, const ProgramView&, std::uint32_t /*type*/, const void*) {}
  // How generated code finds a value (lookup_elem) without the helper's way of reaching keys: by arithmetic
  // on an index, or by a call that takes a key of 4 or 8 bytes by value.
  struct InlineLookup {
    enum class Way : std::uint8_t { kNone, kArray, kPerCpuArray, kWordKey } way = Way::kNone;
    std::byte* base = nullptr;
    std::uint64_t stride = 0, cpu_stride = 0;
    std::uint32_t max_entries = 0;
    std::byte* (*find)(Map& map, std::uint64_t key, std::uint32_t cpu) = nullptr;  // kWordKey
  };
  virtual InlineLookup gen_lookup() const { return {}; }
  // A value's address as a constant of a program, `offset` bytes into the value of key 0.
  virtual Result<std::byte*> direct_value_addr(std::uint32_t offset) const;
  virtual Result<std::uint32_t> direct_value_meta(const std::byte* address) const;
  // Calls `visit` for each element until it returns false; how many it was called for.
  using Visit = bool (*)(void* context, const std::byte* key, std::byte* value);
  virtual Result<std::uint64_t> for_each_callback(Visit visit, void* context, std::uint64_t flags,
                                                  std::uint32_t cpu);
  virtual KernelStruct kernel_struct() const { return {}; }
  // What programs find that read its kernel_struct() through a pointer to the map (helper/map_image.h): the
  // words of it, which never change, as long as this object is there. nullptr: no program that does so has
  // been checked in this process.
  const std::uint64_t* image() const { return image_.load_acquire(); }  // pairs with show
  static std::int16_t image_offset();                                   // where generated code finds image()
  void show(std::unique_ptr<const std::uint64_t[]> image);              // unless there is one
  virtual bool has_iterator() const { return false; }  // bpf_iter of elements (iter_seq_info)
  // The element at that place or the first one behind it, which `place` becomes: its key is copied; the value
  // is where it lies, or, of per-CPU maps, copied to `values` (value_bytes()). nullptr: there is none.
  virtual std::byte* element_from(std::uint64_t& /*place*/, std::byte* /*key*/, std::byte* /*values*/) {
    return nullptr;
  }
  // Where a value lies, by a number that is the same in all processes; nothing: in no element.
  virtual std::optional<std::uint64_t> place_of(const std::byte*) const { return {}; }
  // The value at such a place and its key (8-aligned), while it is in the map; nullptr: it is not (any more).
  virtual std::byte* value_at(std::uint64_t, std::byte*) const { return nullptr; }
  void release_uref() override;

  void check(shm::Findings& findings) const override;

 protected:
  // bpf_obj_free_fields and check_and_init_map_value in one: nothing but zeros in them.
  void clear_fields(std::byte* value) const {
    for (std::uint32_t i = 0; i < spec_.field_count; ++i)
      std::memset(value + spec_.fields[i].offset, 0, spec_.fields[i].size);
  }
  // bpf_obj_free_fields: what the kernel keeps in the fields of a value that goes, or is written over, ends.
  void free_fields(const std::byte* value) const;
  // The bpf_spin_lock of a value; there is one (has_field).
  sync::ValueLock& lock_in(std::byte* value) const {
    return *static_cast<sync::ValueLock*>(
        static_cast<void*>(value + spec_.field(FieldKind::kSpinLock)->offset));
  }
  // copy_map_value: all of a value but the kernel's fields, which stay as they are. `to` is 8-aligned, with
  // room up to the next multiple of 8.
  void copy_around_fields(std::byte* to, const std::byte* value) const;
  std::string where() const;  // "map 7"
  MapHeader& header() const { return *header_; }
  virtual Result<void> show_key(const btf::Btf& btf, const std::byte* key, std::string& out) const;

  // Batches by way of the single operations (generic_map_*_batch).
  Result<void> generic_lookup_batch(const BatchCall& call);
  Result<void> generic_update_batch(const BatchCall& call);
  Result<void> generic_delete_batch(const BatchCall& call);

 private:
  MapHeader* header_;
  MapSpec spec_;
  MapSpec inner_;
  bool cpu_flags_;
  sync::Atomic<const std::uint64_t*> image_{nullptr};
};

}  // namespace portolan::map
