// SPDX-License-Identifier: Apache-2.0
// A process that uses a shared runtime by bpf(2) commands. Results are as of bpf(2): errors are -errno.
#pragma once
#include <unistd.h>

#include <bit>
#include <memory>
#include <string>
#include <vector>

#include "abi/attr.h"
#include "abi/command.h"
#include "abi/info.h"
#include "abi/insn.h"
#include "abi/map_type.h"
#include "abi/prog_type.h"
#include "conformance/bytecode.h"
#include "syscall/dispatch.h"

namespace portolan::stress {

struct MapShape {
  abi::MapType type;
  std::uint32_t key_size, value_size, max_entries, flags = 0;
  long inner_fd = 0;
};

class Client {
 public:
  // `made_for`: the kernel version of a new runtime; 0: the usual one.
  explicit Client(const std::string& directory, std::uint32_t made_for = 0) {
    std::string why;
    auto opened =
        object::Runtime::open(directory, {.kernel_version = made_for, .possible_cpus = kPossibleCpus}, &why);
    PORTOLAN_ASSERT(opened);
    runtime_ = std::move(*opened);
    syscall::prepare(*runtime_);
  }
  static constexpr std::uint32_t kPossibleCpus = 2;  // fewer than processes, so that they wait for them

  object::Runtime& runtime() { return *runtime_; }

  long create(const MapShape& shape) {
    abi::Attr attr{};
    attr.map_create.map_type = static_cast<std::uint32_t>(shape.type);
    attr.map_create.key_size = shape.key_size;
    attr.map_create.value_size = shape.value_size;
    attr.map_create.max_entries = shape.max_entries;
    attr.map_create.map_flags = shape.flags;
    attr.map_create.inner_map_fd = static_cast<std::uint32_t>(shape.inner_fd);
    return call(abi::Command::kMapCreate, attr);
  }
  long update(long fd, const void* key, const void* value, std::uint64_t flags = 0) {
    return element(abi::Command::kMapUpdateElem, fd, key, value, flags);
  }
  long lookup(long fd, const void* key, void* value) {
    return element(abi::Command::kMapLookupElem, fd, key, value, 0);
  }
  long take(long fd, const void* key, void* value) {
    return element(abi::Command::kMapLookupAndDeleteElem, fd, key, value, 0);
  }
  long erase(long fd, const void* key) { return element(abi::Command::kMapDeleteElem, fd, key, nullptr, 0); }
  long next_key(long fd, const void* key, void* next) {
    return element(abi::Command::kMapGetNextKey, fd, key, next, 0);
  }

  std::uint32_t id_of_map(long fd) {
    abi::MapInfo info{};
    abi::Attr attr{};
    attr.info = {static_cast<std::uint32_t>(fd), sizeof info, address(&info)};
    return call(abi::Command::kObjGetInfoByFd, attr) == 0 ? info.id : 0;
  }
  std::uint32_t id_of_program(long fd) {
    abi::ProgInfo info{};
    abi::Attr attr{};
    attr.info = {static_cast<std::uint32_t>(fd), sizeof info, address(&info)};
    return call(abi::Command::kObjGetInfoByFd, attr) == 0 ? info.id : 0;
  }
  long map_by_id(std::uint32_t id) { return by_id(abi::Command::kMapGetFdById, id); }
  long program_by_id(std::uint32_t id) { return by_id(abi::Command::kProgGetFdById, id); }
  std::uint32_t count_maps() {
    abi::Attr attr{};
    std::uint32_t count = 0;
    while (call(abi::Command::kMapGetNextId, attr) == 0) {
      ++count;
      attr.id.start_id = attr.id.next_id;
      attr.id.next_id = 0;
    }
    return count;
  }
  // As the preload library does it.
  void close_map(long fd) {
    const std::uint32_t id = id_of_map(fd);
    runtime_->forget_fd(static_cast<int>(fd));
    ::close(static_cast<int>(fd));
    runtime_->settle(object::Kind::kMap, id);
  }

  // A raw tracepoint program. `callback_at`: the instruction at which its second function begins; 0: none.
  long load(const std::vector<conformance::Bytecode::Insn>& code, std::uint32_t callback_at = 0,
            long types_fd = 0) {
    const abi::FuncInfo functions[] = {{0, kMainFunction}, {callback_at, kCallbackFunction}};
    abi::Attr attr{};
    attr.prog_load.prog_type = static_cast<std::uint32_t>(abi::ProgType::kRawTracepoint);
    attr.prog_load.insns = address(code.data());
    attr.prog_load.insn_cnt = static_cast<std::uint32_t>(code.size());
    attr.prog_load.license = address("GPL");
    if (callback_at != 0) {
      attr.prog_load.prog_btf_fd = static_cast<std::uint32_t>(types_fd);
      attr.prog_load.func_info_rec_size = sizeof(abi::FuncInfo);
      attr.prog_load.func_info = address(functions);
      attr.prog_load.func_info_cnt = 2;
    }
    return call(abi::Command::kProgLoad, attr);
  }
  long load_types(const std::vector<std::byte>& btf) {
    abi::Attr attr{};
    attr.btf_load.btf = address(btf.data());
    attr.btf_load.btf_size = static_cast<std::uint32_t>(btf.size());
    return call(abi::Command::kBtfLoad, attr);
  }
  static constexpr std::uint32_t kMainFunction = 4, kCallbackFunction = 6;  // types of whoever has two
  // R0 of the program, run once with `argument` as its context's first word.
  long run(long program, std::uint64_t argument = 0) {
    abi::Attr attr{};
    attr.test.prog_fd = static_cast<std::uint32_t>(program);
    attr.test.ctx_in = address(&argument);
    attr.test.ctx_size_in = sizeof argument;
    const long done = call(abi::Command::kProgTestRun, attr);
    return done != 0 ? done : static_cast<std::int32_t>(attr.test.retval);
  }

 private:
  static std::uint64_t address(const void* pointer) { return std::bit_cast<std::uintptr_t>(pointer); }
  long call(abi::Command command, abi::Attr& attr) {
    return syscall::bpf(*runtime_, caller_, static_cast<int>(command), address(&attr), sizeof attr);
  }
  long by_id(abi::Command command, std::uint32_t id) {
    abi::Attr attr{};
    attr.id.start_id = id;
    return call(command, attr);
  }
  long element(abi::Command command, long fd, const void* key, const void* value, std::uint64_t flags) {
    abi::Attr attr{};
    attr.elem.map_fd = static_cast<std::uint32_t>(fd);
    attr.elem.key = address(key);
    attr.elem.value = address(value);
    attr.elem.flags = flags;
    return call(command, attr);
  }

  std::unique_ptr<object::Runtime> runtime_;
  syscall::LocalCaller caller_;
};

}  // namespace portolan::stress
