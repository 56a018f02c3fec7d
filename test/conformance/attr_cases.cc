// SPDX-License-Identifier: Apache-2.0
// The system call itself: sizes of attr, bytes behind it, pointers, commands, fds.
#include "base/sys.h"
#include "cases.h"

namespace portolan::conformance {
namespace {

class SystemCall : public Case {
 protected:
  Attr array_attr() {
    return Attr()
        .set(create::kMapType, kArray)
        .set(create::kKeySize, 4)
        .set(create::kValueSize, 8)
        .set(create::kMaxEntries, 1);
  }
  // An attr of any size, its first bytes given.
  long call_sized(unsigned command, const Attr& attr, std::vector<std::byte>& memory, unsigned size) {
    std::memcpy(memory.data(), attr.bytes.data(), std::min<std::size_t>(memory.size(), kAttrSize));
    return keep_result(command, backend().bpf(command, memory.data(), size));
  }
  long keep_result(unsigned command, long result) {
    if (command == kMapCreate && result >= 0) {
      keep(result);
      return 0;
    }
    return result;
  }
};
ON_BOTH_BACKENDS(SystemCall);

TEST_P(SystemCall, short_attrs_are_filled_up_with_zeros) {
  std::vector<std::byte> memory(kAttrSize);
  EXPECT_ANSWER(0, call_sized(kMapCreate, array_attr(), memory, 16));
  EXPECT_ANSWER(-EINVAL, call_sized(kMapCreate, array_attr(), memory, 12));  // no max_entries
  EXPECT_ANSWER(-EINVAL, call_sized(kMapCreate, array_attr(), memory, 0));
  EXPECT_ANSWER(-EINVAL, call_sized(kMapCreate, array_attr(), memory, 13 - 10));
}

TEST_P(SystemCall, long_attrs_must_end_in_zeros) {
  std::vector<std::byte> memory(4200);
  EXPECT_ANSWER(0, call_sized(kMapCreate, array_attr(), memory, 4096));
  EXPECT_ANSWER(-E2BIG, call_sized(kMapCreate, array_attr(), memory, 4097));
  EXPECT_ANSWER(-E2BIG, call_sized(kMapCreate, array_attr(), memory, ~0u));
  memory[4095] = std::byte{1};
  EXPECT_ANSWER(-E2BIG, call_sized(kMapCreate, array_attr(), memory, 4096));
  EXPECT_ANSWER(0, call_sized(kMapCreate, array_attr(), memory, 4095));
  memory[200] = std::byte{1};
  EXPECT_ANSWER(-E2BIG, call_sized(kMapCreate, array_attr(), memory, 256));
}

TEST_P(SystemCall, bytes_behind_a_commands_last_field_must_be_zero) {
  const int fd = map({kArray});
  const struct {
    unsigned command, first_unused;
  } rows[] = {{kLookup, 32},
              {kUpdate, 32},
              {kDelete, 16},
              {kGetNextKey, 24},
              {kLookupAndDelete, 32},
              {kFreeze, 4},
              {kMapCreate, 92},
              {kObjPin, 20},
              {kObjGet, 20},
              {kMapGetNextId, 8},
              {kMapGetFdById, 12},
              {kObjGetInfo, 16},
              {kBtfLoad, 40},
              {kBtfGetFdById, 16},
              {kBtfGetNextId, 8},
              {kLookupBatch, 56},
              {kUpdateBatch, 56},
              {kDeleteBatch, 56},
              {kLookupAndDeleteBatch, 56},
              {kEnableStats, 4}};
  for (const auto& row : rows) {
    SCOPED_TRACE(command_name(row.command));
    Attr attr;
    attr.set(element::kMapFd, static_cast<std::uint64_t>(fd));
    attr.bytes[row.first_unused] = std::byte{1};
    EXPECT_ANSWER(-EINVAL, call(row.command, attr));
    attr.bytes[row.first_unused] = std::byte{0};
    attr.bytes[127] = std::byte{1};
    EXPECT_ANSWER(-EINVAL, call(row.command, attr));
  }
}

TEST_P(SystemCall, attrs_at_bad_addresses) {
  for (const unsigned command : {kMapCreate, kLookup, kObjGet}) {
    EXPECT_ANSWER(-EFAULT, backend().bpf(command, nullptr, 16));
    EXPECT_ANSWER(-EFAULT, backend().bpf(command, reinterpret_cast<void*>(0x8000), 16));
    EXPECT_ANSWER(-EFAULT, backend().bpf(command, reinterpret_cast<void*>(0xffffffff81000000), 16));
    EXPECT_ANSWER(-EFAULT, backend().bpf(command, reinterpret_cast<void*>(0xdead000000000000), 16));
  }
  EXPECT_ANSWER(-E2BIG, backend().bpf(kMapCreate, nullptr, 5000));
}

TEST_P(SystemCall, unknown_commands) {
  for (const unsigned command : {38u, 39u, 64u, 1u << 16, 1u << 20, 1u << 31, ~0u}) {
    SCOPED_TRACE(command);
    EXPECT_ANSWER(-EINVAL, call(command, Attr()));
  }
  EXPECT_ANSWER(-EFAULT, backend().bpf(64, nullptr, 8));
  EXPECT_ANSWER(-E2BIG, backend().bpf(64, nullptr, 5000));
}

TEST_P(SystemCall, fds_that_are_no_maps) {
  const int btf = types_btf();
  const int file = keep(*sys::openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC));
  Data key = number32(0), value = number64(0);
  for (const auto& [fd, expected] :
       {std::pair{btf, -EINVAL}, {file, -EINVAL}, {19000, -EBADF}, {-1, -EBADF}}) {
    SCOPED_TRACE(fd);
    EXPECT_ANSWER(expected, lookup(fd, key, &value));
    EXPECT_ANSWER(expected, update(fd, key, value));
    EXPECT_ANSWER(expected, erase(fd, key));
    EXPECT_ANSWER(expected, next(fd, nullptr, &key));
    EXPECT_ANSWER(expected, take(fd, key, &value));
    EXPECT_ANSWER(expected, freeze(fd));
    Batch empty;
    for (const unsigned command : {kLookupBatch, kUpdateBatch, kDeleteBatch, kLookupAndDeleteBatch})
      EXPECT_ANSWER(expected, batch(command, fd, empty));
  }
  EXPECT_ANSWER(-EINVAL, pin(19000, pin_path("p")));  // as if it were of an unknown kind
  EXPECT_ANSWER(-EINVAL, pin(file, pin_path("p")));
  EXPECT_ANSWER(-EINVAL, pin(btf, pin_path("p")));
}

TEST_P(SystemCall, enable_stats) {
  const Field type{0, 4, "type"};
  EXPECT_GE(keep(call(kEnableStats, Attr())), 0);
  EXPECT_ANSWER(-EINVAL, call(kEnableStats, Attr().set(type, 1)));
  EXPECT_ANSWER(-EINVAL, call(kEnableStats, Attr().set(type, ~0u)));
}

}  // namespace
}  // namespace portolan::conformance
