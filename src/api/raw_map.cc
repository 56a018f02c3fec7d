// SPDX-License-Identifier: Apache-2.0
#include "portolan/raw_map.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "abi/attr.h"
#include "abi/command.h"
#include "abi/info.h"
#include "api/direct.h"
#include "api/map_state.h"
#include "base/bytes.h"
#include "portolan/typed_map.hpp"

namespace portolan {
namespace {

using abi::Attr;
using abi::Command;
using detail::MapState;

std::uint64_t address(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

long call(detail::Backend& backend, Command command, Attr& attr) {
  return backend.bpf(static_cast<int>(command), &attr, sizeof attr);
}

std::unexpected<Error> failed(Operation operation, long result) {
  return std::unexpected(Error(operation, static_cast<int>(-result)));
}

Expected<void> status(Operation operation, long result) {
  if (result < 0) [[unlikely]]
    return failed(operation, result);
  return {};
}

// An attr of the element commands with fd, key, value and flags.
Attr element_attr(const MapState& state, const void* key, const void* value, std::uint64_t flags) {
  Attr attr{};
  attr.elem.map_fd = static_cast<std::uint32_t>(state.fd);
  attr.elem.key = address(key);
  attr.elem.value = address(value);
  attr.elem.flags = flags;
  return attr;
}

Expected<MapInfo> read_info(detail::Backend& backend, int fd, Operation operation) {
  abi::MapInfo raw{};
  Attr attr{};
  attr.info.bpf_fd = static_cast<std::uint32_t>(fd);
  attr.info.info_len = sizeof raw;
  attr.info.info = address(&raw);
  if (long result = call(backend, Command::kObjGetInfoByFd, attr); result < 0)
    return failed(operation, result);
  return MapInfo{.type = static_cast<MapType>(raw.type),
                 .id = raw.id,
                 .key_size = raw.key_size,
                 .value_size = raw.value_size,
                 .max_entries = raw.max_entries,
                 .flags = raw.map_flags,
                 .name = std::string(raw.name, ::strnlen(raw.name, sizeof raw.name))};
}

bool is_per_cpu(MapType type) {
  // By number, all of the kernel's per-CPU types: the layout of user space's values depends on it.
  constexpr std::uint32_t kPerCpuTypes[] = {5, 6, 10, 21};
  return std::ranges::find(kPerCpuTypes, static_cast<std::uint32_t>(type)) != std::end(kPerCpuTypes);
}

Error wrong_size(Operation operation, const char* what, std::size_t got, std::size_t want) {
  return Error(
      operation, EINVAL,
      std::string(what) + " has " + std::to_string(got) + " bytes, the map wants " + std::to_string(want));
}

Expected<void> check_sizes(const MapState& state, Operation operation, std::size_t key, std::size_t value) {
  if (key != state.info.key_size)
    return std::unexpected(wrong_size(operation, "the key", key, state.info.key_size));
  if (value != state.value_bytes)
    return std::unexpected(wrong_size(operation, "the value", value, state.value_bytes));
  return {};
}

// How many elements a batch's spans have room for.
Expected<std::uint32_t> batch_count(const MapState& state, Operation operation, std::size_t keys,
                                    std::size_t values) {
  const std::size_t count = keys / state.info.key_size;
  if (keys % state.info.key_size != 0 || values != count * state.value_bytes || count > 0xffff'ffff)
    return std::unexpected(
        Error(operation, EINVAL,
              "keys and values are not whole elements, equally many: " + std::to_string(keys) +
                  " bytes of keys, " + std::to_string(values) + " of values"));
  return static_cast<std::uint32_t>(count);
}

}  // namespace

detail::MapState::~MapState() {
  if (kernel_pages != nullptr) ::munmap(kernel_pages, kernel_pages_size);
  map = nullptr;
  view = {};
  if (fd >= 0) backend->close_fd(fd);
}

RawMap::RawMap(std::unique_ptr<MapState> state) : state_(std::move(state)) {
  if (state_->map != nullptr) fast_ = detail::fast_path_of(*state_);
  if (state_->kernel_pages != nullptr)
    fast_ = {.values = static_cast<std::byte*>(state_->kernel_pages),
             .stride = round_up(state_->info.value_size, 8),
             .max_entries = state_->info.max_entries,
             .table = nullptr};
}
RawMap::RawMap(RawMap&&) noexcept = default;
RawMap& RawMap::operator=(RawMap&&) noexcept = default;
RawMap::~RawMap() = default;

Expected<RawMap> RawMap::create(const Runtime& runtime, MapType type, std::uint32_t key_size,
                                std::uint32_t value_size, std::uint32_t max_entries,
                                const MapOptions& options) {
  Attr attr{};
  auto& create = attr.map_create;
  if (options.name.size() >= sizeof create.map_name)
    return std::unexpected(
        Error(Operation::kCreate, EINVAL, "the name \"" + options.name + "\" is longer than 15 characters"));
  create.map_type = static_cast<std::uint32_t>(type);
  create.key_size = key_size;
  create.value_size = value_size;
  create.max_entries = max_entries;
  create.map_flags = options.flags;
  create.numa_node = options.numa_node;
  create.map_extra = options.map_extra;
  std::memcpy(create.map_name, options.name.data(), options.name.size());
  if (options.btf_fd >= 0) {
    create.btf_fd = static_cast<std::uint32_t>(options.btf_fd);
    create.btf_key_type_id = options.btf_key_type_id;
    create.btf_value_type_id = options.btf_value_type_id;
  }
  const long fd = call(*runtime.backend(), Command::kMapCreate, attr);
  if (fd < 0) return failed(Operation::kCreate, fd);
  return from_fd(runtime, static_cast<int>(fd));
}

Expected<RawMap> RawMap::open_pinned(const Runtime& runtime, const std::string& path, MapFlags open_flags) {
  Attr attr{};
  attr.obj.pathname = address(path.c_str());
  attr.obj.file_flags = open_flags;
  const long fd = call(*runtime.backend(), Command::kObjGet, attr);
  if (fd < 0) return failed(Operation::kOpenPin, fd);
  return from_fd(runtime, static_cast<int>(fd));
}

Expected<RawMap> RawMap::from_fd(const Runtime& runtime, int fd) {
  auto state = std::make_unique<MapState>(runtime);
  state->fd = fd;
  auto info = read_info(*state->backend, fd, Operation::kFromFd);
  if (!info) return std::unexpected(info.error());
  state->info = std::move(*info);
  state->value_bytes = is_per_cpu(state->info.type)
                           ? round_up(state->info.value_size, 8) * state->backend->possible_cpus()
                           : state->info.value_size;
  if (auto attached = detail::attach_map(*state); !attached) return std::unexpected(attached.error());
  return RawMap(std::move(state));
}

int RawMap::fd() const { return state_->fd; }
const MapInfo& RawMap::info() const { return state_->info; }
const Runtime& RawMap::runtime() const { return state_->runtime; }
std::size_t RawMap::value_bytes() const { return state_->value_bytes; }

Expected<void> RawMap::lookup(std::span<const std::byte> key, std::span<std::byte> value,
                              std::uint64_t flags) const {
  if (auto fit = check_sizes(*state_, Operation::kLookup, key.size(), value.size()); !fit) return fit;
  Attr attr = element_attr(*state_, key.data(), value.data(), flags);
  return status(Operation::kLookup, call(*state_->backend, Command::kMapLookupElem, attr));
}

Expected<void> RawMap::update(std::span<const std::byte> key, std::span<const std::byte> value,
                              std::uint64_t flags) {
  const MapState& state = *state_;
  if (state.map != nullptr && state.writable && key.size() == state.info.key_size &&
      value.size() == state.value_bytes) [[likely]]
    return status(Operation::kUpdate, detail::update_directly(*state_, key.data(), value.data(), flags));
  if (auto fit = check_sizes(*state_, Operation::kUpdate, key.size(), value.size()); !fit) return fit;
  Attr attr = element_attr(*state_, key.data(), value.data(), flags);
  return status(Operation::kUpdate, call(*state_->backend, Command::kMapUpdateElem, attr));
}

Expected<void> RawMap::erase(std::span<const std::byte> key) {
  if (state_->map != nullptr && state_->writable && key.size() == state_->info.key_size) [[likely]]
    return status(Operation::kErase, detail::erase_directly(*state_, key.data()));
  if (auto fit = check_sizes(*state_, Operation::kErase, key.size(), state_->value_bytes); !fit) return fit;
  Attr attr = element_attr(*state_, key.data(), nullptr, 0);
  return status(Operation::kErase, call(*state_->backend, Command::kMapDeleteElem, attr));
}

Expected<void> RawMap::take(std::span<const std::byte> key, std::span<std::byte> value) {
  if (auto fit = check_sizes(*state_, Operation::kTake, key.size(), value.size()); !fit) return fit;
  Attr attr = element_attr(*state_, key.data(), value.data(), 0);
  return status(Operation::kTake, call(*state_->backend, Command::kMapLookupAndDeleteElem, attr));
}

Expected<void> RawMap::next_key(std::span<const std::byte> key, std::span<std::byte> next) const {
  if (!key.empty() && key.size() != state_->info.key_size)
    return std::unexpected(wrong_size(Operation::kIterate, "the key", key.size(), state_->info.key_size));
  if (next.size() != state_->info.key_size)
    return std::unexpected(
        wrong_size(Operation::kIterate, "the next key", next.size(), state_->info.key_size));
  Attr attr = element_attr(*state_, key.empty() ? nullptr : key.data(), next.data(), 0);
  return status(Operation::kIterate, call(*state_->backend, Command::kMapGetNextKey, attr));
}

namespace {

// One step of a walk by BPF_MAP_LOOKUP_BATCH or BPF_MAP_LOOKUP_AND_DELETE_BATCH.
Expected<std::size_t> walk_batch(const MapState& state, Operation operation, Command command,
                                 BatchCursor& cursor, std::span<std::byte> keys,
                                 std::span<std::byte> values) {
  auto count = batch_count(state, operation, keys.size(), values.size());
  if (!count) return std::unexpected(count.error());
  if (cursor.finished || *count == 0) return 0;
  std::uint64_t next[sizeof(BatchCursor::bytes) / sizeof(std::uint64_t)] = {};
  Attr attr{};
  attr.batch.map_fd = static_cast<std::uint32_t>(state.fd);
  attr.batch.in_batch = cursor.started ? address(cursor.bytes) : 0;
  attr.batch.out_batch = address(next);
  attr.batch.keys = address(keys.data());
  attr.batch.values = address(values.data());
  attr.batch.count = *count;
  const long result = call(*state.backend, command, attr);
  if (result < 0 && result != -ENOENT) return failed(operation, result);
  cursor.finished = result == -ENOENT;
  cursor.started = true;
  std::memcpy(cursor.bytes, next, sizeof next);
  return attr.batch.count;
}

}  // namespace

Expected<std::size_t> RawMap::lookup_batch(BatchCursor& cursor, std::span<std::byte> keys,
                                           std::span<std::byte> values) const {
  if (state_->plain_hash != nullptr && state_->readable) {
    auto count = batch_count(*state_, Operation::kLookupBatch, keys.size(), values.size());
    if (!count) return std::unexpected(count.error());
    if (cursor.finished || *count == 0) return 0;
    return detail::walk_directly(*state_, cursor, keys.data(), values.data(), *count);
  }
  return walk_batch(*state_, Operation::kLookupBatch, Command::kMapLookupBatch, cursor, keys, values);
}

Expected<std::size_t> RawMap::take_batch(BatchCursor& cursor, std::span<std::byte> keys,
                                         std::span<std::byte> values) {
  return walk_batch(*state_, Operation::kTakeBatch, Command::kMapLookupAndDeleteBatch, cursor, keys, values);
}

Expected<std::size_t> RawMap::update_batch(std::span<const std::byte> keys, std::span<const std::byte> values,
                                           std::uint64_t flags) {
  auto count = batch_count(*state_, Operation::kUpdateBatch, keys.size(), values.size());
  if (!count) return std::unexpected(count.error());
  Attr attr{};
  attr.batch.map_fd = static_cast<std::uint32_t>(state_->fd);
  attr.batch.keys = address(keys.data());
  attr.batch.values = address(values.data());
  attr.batch.count = *count;
  attr.batch.elem_flags = flags;
  if (long result = call(*state_->backend, Command::kMapUpdateBatch, attr); result < 0)
    return failed(Operation::kUpdateBatch, result);
  return attr.batch.count;
}

Expected<std::size_t> RawMap::erase_batch(std::span<const std::byte> keys) {
  const std::size_t values = keys.size() / state_->info.key_size * state_->value_bytes;
  auto count = batch_count(*state_, Operation::kEraseBatch, keys.size(), values);
  if (!count) return std::unexpected(count.error());
  Attr attr{};
  attr.batch.map_fd = static_cast<std::uint32_t>(state_->fd);
  attr.batch.keys = address(keys.data());
  attr.batch.count = *count;
  if (long result = call(*state_->backend, Command::kMapDeleteBatch, attr); result < 0)
    return failed(Operation::kEraseBatch, result);
  return attr.batch.count;
}

Expected<void> RawMap::pin(const std::string& path) const {
  Attr attr{};
  attr.obj.pathname = address(path.c_str());
  attr.obj.bpf_fd = static_cast<std::uint32_t>(state_->fd);
  return status(Operation::kPin, call(*state_->backend, Command::kObjPin, attr));
}

Expected<void> RawMap::freeze() {
  Attr attr{};
  attr.elem.map_fd = static_cast<std::uint32_t>(state_->fd);
  // BPF_MAP_FREEZE takes nothing but the fd; a longer attr would have to be all zero, which it is.
  return status(Operation::kFreeze, call(*state_->backend, Command::kMapFreeze, attr));
}

namespace detail {

Expected<RawMap> expect_shape(Expected<RawMap> map, MapType type, std::size_t key_size,
                              std::size_t value_size) {
  if (!map) return map;
  const MapInfo& info = map->info();
  const auto refuse = [](const char* what, std::size_t got, std::size_t want) {
    return std::unexpected(Error(Operation::kFromFd, EINVAL,
                                 std::string("the map's ") + what + " is " + std::to_string(got) +
                                     ", the C++ type wants " + std::to_string(want)));
  };
  if (info.type != type)
    return refuse("type", static_cast<std::size_t>(info.type), static_cast<std::size_t>(type));
  if (info.key_size != key_size) return refuse("key_size", info.key_size, key_size);
  if (info.value_size != value_size) return refuse("value_size", info.value_size, value_size);
  return map;
}

}  // namespace detail
}  // namespace portolan
