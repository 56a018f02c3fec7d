// SPDX-License-Identifier: Apache-2.0
#include "syscall/program_source.h"

#include <algorithm>
#include <climits>
#include <new>

#include "map/btf_object.h"

namespace portolan::syscall {
namespace {

constexpr std::uint32_t kMaxRecordSize = 252;

template <class T>
Result<std::vector<T>> room_for(std::size_t count) {
  try {
    return std::vector<T>(count);
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
}

struct Records {
  const char* what;
  std::uint64_t address;
  std::uint32_t count, size;
  std::size_t size_offset;  // of the size in attr: told back where ours is shorter
};

// Records of the caller's size, of which we know the beginning: what follows must be zeros.
template <class T>
Result<T> copy_record(const Call& call, const Records& records, std::uint32_t index, btf::Log* log) {
  const std::uint64_t from = records.address + std::uint64_t{index} * records.size;
  const Result<void> tail = check_tail_is_zero(call.caller, from, sizeof(T), records.size);
  if (!tail) {
    if (tail.error().value == E2BIG) {
      log->print("nonzero tailing record in {}", records.what);
      const Result<void> told = call.put(records.size_offset, static_cast<std::uint32_t>(sizeof(T)));
      if (!told) return fail(EFAULT);
    }
    return fail(tail.error());
  }
  T record;
  TRY(call.caller.copy_in(&record, from, sizeof(T)));
  return record;
}

template <class T>
Result<std::vector<T>> copy_records(const Call& call, const Records& records, btf::Log* log) {
  auto copied = TRY(room_for<T>(records.count));
  for (std::uint32_t i = 0; i < records.count; ++i) copied[i] = TRY(copy_record<T>(call, records, i, log));
  return copied;
}

bool record_size_is_valid(std::uint32_t size, std::size_t least) {
  return size >= least && size <= kMaxRecordSize && size % sizeof(std::uint32_t) == 0;
}

}  // namespace

Result<std::vector<abi::Insn>> copy_insns(const Call& call) {
  const abi::ProgLoadAttr& attr = call.attr.prog_load;
  auto insns = TRY(room_for<abi::Insn>(attr.insn_cnt));
  TRY(call.caller.copy_in(insns.data(), attr.insns, insns.size() * sizeof(abi::Insn)));
  return insns;
}

Result<void> copy_btf_info(const Call& call, verifier::UnverifiedProgram& program, std::uint32_t* btf_id,
                           btf::Log* log) {
  const abi::ProgLoadAttr& attr = call.attr.prog_load;
  *btf_id = 0;
  if (attr.func_info_cnt == 0 && attr.line_info_cnt == 0) return {};
  const object::Target target = TRY(call.target(attr.prog_btf_fd, object::Kind::kBtf));
  program.btf = TRY(static_cast<map::BtfObject*>(target.view)->parsed());
  *btf_id = target.view->id();
  if (attr.func_info_cnt != 0) {
    if (!record_size_is_valid(attr.func_info_rec_size, sizeof(abi::FuncInfo))) {
      log->print("invalid func info rec size {}\n", attr.func_info_rec_size);
      return fail(EINVAL);
    }
    if (attr.func_info_cnt > program.insns.size()) return fail(EINVAL);
    program.func_info = TRY(
        copy_records<abi::FuncInfo>(call,
                                    {"func info", attr.func_info, attr.func_info_cnt, attr.func_info_rec_size,
                                     offsetof(abi::ProgLoadAttr, func_info_rec_size)},
                                    log));
  }
  if (attr.line_info_cnt != 0) {
    if (attr.line_info_cnt > INT_MAX / sizeof(abi::LineInfo) ||
        !record_size_is_valid(attr.line_info_rec_size, sizeof(abi::LineInfo)))
      return fail(EINVAL);
    program.line_info = TRY(
        copy_records<abi::LineInfo>(call,
                                    {"line_info", attr.line_info, attr.line_info_cnt, attr.line_info_rec_size,
                                     offsetof(abi::ProgLoadAttr, line_info_rec_size)},
                                    log));
  }
  return {};
}

Result<std::optional<abi::CoreRelo>> CallersCoreRelos::next(btf::Log* log) {
  const abi::ProgLoadAttr& attr = call_.attr.prog_load;
  if (attr.core_relo_cnt == 0) return std::nullopt;
  if (attr.core_relo_cnt > INT_MAX / sizeof(abi::CoreRelo) ||
      !record_size_is_valid(attr.core_relo_rec_size, sizeof(abi::CoreRelo)))
    return fail(EINVAL);
  if (taken_ == attr.core_relo_cnt) return std::nullopt;
  return TRY(
      copy_record<abi::CoreRelo>(call_,
                                 {"core_relo", attr.core_relos, attr.core_relo_cnt, attr.core_relo_rec_size,
                                  offsetof(abi::ProgLoadAttr, core_relo_rec_size)},
                                 taken_++, log));
}

Result<map::Map*> CallersMaps::by_fd(int fd) {
  return static_cast<map::Map*>(TRY(call_.target(static_cast<std::uint32_t>(fd), object::Kind::kMap)).view);
}

Result<int> CallersMaps::fd_at(std::uint32_t index) {
  int fd = -1;
  TRY(call_.caller.copy_in(&fd, call_.attr.prog_load.fd_array + std::uint64_t{index} * sizeof fd, sizeof fd));
  return fd;
}

Result<map::Map*> CallersMaps::by_index(std::uint32_t index) {
  if (call_.attr.prog_load.fd_array == 0) return fail(EPROTO);
  return by_fd(TRY(fd_at(index)));
}

Result<std::vector<map::Map*>> CallersMaps::listed() {
  std::vector<map::Map*> maps;
  const std::uint32_t count = call_.attr.prog_load.fd_array_cnt;
  if (count >= UINT32_MAX / sizeof(int)) return fail(EINVAL);
  for (std::uint32_t i = 0; i < count; ++i) {
    const int listed_fd = TRY(fd_at(i));
    const int fd = TRY(call_.caller.resolve_fd(listed_fd));
    const object::Target target = TRY(call_.runtime.target_of_any_fd(fd));
    if (target.view->kind() == object::Kind::kBtf) continue;
    if (target.view->kind() != object::Kind::kMap) return fail(EINVAL);
    auto* const map = static_cast<map::Map*>(target.view);
    if (std::find(maps.begin(), maps.end(), map) == maps.end()) maps.push_back(map);
    if (maps.size() > abi::kMaxUsedMaps) return fail(E2BIG);
  }
  return maps;
}

}  // namespace portolan::syscall
