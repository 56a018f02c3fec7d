// SPDX-License-Identifier: Apache-2.0
// BPF_MAP_CREATE: sizes, flags, names, BTF.
#include "base/sys.h"
#include "cases.h"

namespace portolan::conformance {
namespace {

class MapCreate : public Case {
 protected:
  struct Row {
    const char* what;
    MapSpec spec;
    long expected;  // 0 for an fd
  };
  void expect(std::initializer_list<Row> rows) {
    for (const Row& row : rows) {
      SCOPED_TRACE(row.what);
      const long fd = create(row.spec);
      EXPECT_ANSWER(row.expected, std::min(fd, 0l));
    }
  }
  struct Edit {
    const char* what;
    std::function<void(Attr&)> edit;
    long expected;
  };
  void expect_edits(const MapSpec& spec, std::initializer_list<Edit> edits) {
    for (const Edit& row : edits) {
      SCOPED_TRACE(row.what);
      EXPECT_ANSWER(row.expected, std::min(create(spec, row.edit), 0l));
    }
  }
};
ON_BOTH_BACKENDS(MapCreate);

constexpr std::uint32_t kMax = ~0u;

TEST_P(MapCreate, array_sizes) {
  expect({
      {"plain", {kArray, 4, 8, 4}, 0},
      {"key of 0", {kArray, 0, 8, 4}, -EINVAL},
      {"key of 3", {kArray, 3, 8, 4}, -EINVAL},
      {"key of 8", {kArray, 8, 8, 4}, -EINVAL},
      {"value of 0", {kArray, 4, 0, 4}, -EINVAL},
      {"value of 1", {kArray, 4, 1, 4}, 0},
      {"no entries", {kArray, 4, 8, 0}, -EINVAL},
      {"value over INT_MAX", {kArray, 4, 0x80000000, 1}, -E2BIG},
      {"value of all ones", {kArray, 4, kMax, 1}, -E2BIG},
      {"more than there is memory", {kArray, 4, 1 << 20, kMax}, -ENOMEM},
  });
}

TEST_P(MapCreate, per_cpu_array_sizes) {
  expect({
      {"plain", {kPerCpuArray, 4, 8, 4}, 0},
      {"key of 8", {kPerCpuArray, 8, 8, 4}, -EINVAL},
      {"value of 0", {kPerCpuArray, 4, 0, 4}, -EINVAL},
      {"no entries", {kPerCpuArray, 4, 8, 0}, -EINVAL},
      {"largest value", {kPerCpuArray, 4, 32768, 1}, 0},
      {"value of 32761, which rounds up to the largest", {kPerCpuArray, 4, 32761, 1}, 0},
      {"value over the largest", {kPerCpuArray, 4, 32769, 1}, -E2BIG},
      {"value of all ones", {kPerCpuArray, 4, kMax, 1}, -E2BIG},
  });
}

TEST_P(MapCreate, hash_sizes) {
  expect({
      {"plain", {kHash, 4, 8, 4}, 0},
      {"key of 0", {kHash, 0, 8, 4}, -EINVAL},
      {"value of 0", {kHash, 4, 0, 4}, -EINVAL},
      {"no entries", {kHash, 4, 8, 0}, -EINVAL},
      {"key of 512", {kHash, 512, 8, 4}, 0},
      {"key of 513", {kHash, 513, 8, 4}, 0},
      {"key of a megabyte", {kHash, 1 << 20, 8, 2}, 0},
      {"value of 4 MiB", {kHash, 4, 1 << 22, 1}, -E2BIG},
      {"value that just fits", {kHash, 4, (1 << 22) - 64, 1}, 0},
      {"value of all ones", {kHash, 4, kMax, 1}, -E2BIG},
      {"key of all ones", {kHash, kMax, 8, 1}, -E2BIG},
      {"key and value that wrap around", {kHash, 0x80000000, 0x80000000, 1}, -E2BIG},
      {"all entries", {kHash, 4, 8, kMax}, -E2BIG},
      {"as many entries as no power of two holds", {kHash, 4, 8, 0x80000001}, -E2BIG},
  });
}

TEST_P(MapCreate, per_cpu_hash_sizes) {
  expect({
      {"plain", {kPerCpuHash, 4, 8, 4}, 0},
      {"key of 0", {kPerCpuHash, 0, 8, 4}, -EINVAL},
      {"value of 0", {kPerCpuHash, 4, 0, 4}, -EINVAL},
      {"largest value", {kPerCpuHash, 4, 32768, 1}, 0},
      {"value over the largest", {kPerCpuHash, 4, 32769, 1}, -E2BIG},
      {"value over the largest without preallocation", {kPerCpuHash, 4, 32769, 1, kNoPrealloc}, -E2BIG},
  });
}

TEST_P(MapCreate, each_flag_by_itself) {
  struct {
    MapType type;
    std::uint32_t allowed;
  } const rows[] = {
      {kArray, kReadOnly | kWriteOnly | kReadOnlyProg | kWriteOnlyProg | kMmapable | kInnerMap | kNumaNode},
      {kPerCpuArray, kReadOnly | kWriteOnly | kReadOnlyProg | kWriteOnlyProg},
      {kHash, kNoPrealloc | kNumaNode | kReadOnly | kWriteOnly | kZeroSeed | kReadOnlyProg | kWriteOnlyProg},
      {kPerCpuHash, kNoPrealloc | kReadOnly | kWriteOnly | kZeroSeed | kReadOnlyProg | kWriteOnlyProg},
  };
  for (const auto& row : rows)
    for (unsigned bit = 0; bit < 32; ++bit) {
      SCOPED_TRACE(std::string(map_type_name(row.type)) + " with bit " + std::to_string(bit));
      const bool allowed = (row.allowed >> bit & 1) != 0;
      EXPECT_ANSWER(allowed ? 0 : -EINVAL, std::min(create({row.type, 4, 8, 4, 1u << bit}), 0l));
    }
}

TEST_P(MapCreate, flags_together) {
  expect({
      {"read-only and write-only", {kHash, 4, 8, 4, kReadOnly | kWriteOnly}, -EINVAL},
      {"both for programs", {kHash, 4, 8, 4, kReadOnlyProg | kWriteOnlyProg}, -EINVAL},
      {"read-only here, write-only there", {kHash, 4, 8, 4, kReadOnly | kWriteOnlyProg}, 0},
      {"all of a hash", {kHash, 4, 8, 4, kNoPrealloc | kZeroSeed | kNumaNode | kReadOnlyProg}, 0},
      {"mmapable inner array", {kArray, 4, 8, 4, kMmapable | kInnerMap}, 0},
      {"mmapable read-only for programs", {kArray, 4, 8, 4, kMmapable | kReadOnlyProg}, 0},
  });
}

TEST_P(MapCreate, numa_nodes) {
  const auto node = [](std::uint32_t number) {
    return [number](Attr& attr) { attr.set(create::kNumaNode, number); };
  };
  expect_edits({kHash, 4, 8, 4, kNumaNode}, {{"node 0", node(0), 0},
                                             {"node 63", node(63), -EINVAL},
                                             {"node 1024", node(1024), -EINVAL},
                                             {"node -1", node(kMax), 0}});
  expect_edits({kHash, 4, 8, 4},
               {{"a node without the flag", node(1), 0}, {"-1 without the flag", node(kMax), 0}});
}

TEST_P(MapCreate, names) {
  const auto name = [](std::string_view text) {
    return [text](Attr& attr) { attr.set_text(create::kMapName, text); };
  };
  expect_edits({}, {
                       {"letters", name("name"), 0},
                       {"everything allowed", name("aZ09_.x"), 0},
                       {"15 letters", name("fifteen_letters"), 0},
                       {"16 letters, no NUL", name("sixteen_letters_"), -EINVAL},
                       {"a space", name("a b"), -EINVAL},
                       {"a dash", name("a-b"), -EINVAL},
                       {"a slash", name("a/b"), -EINVAL},
                       {"UTF-8", name("\xc3\xa9"), -EINVAL},
                       {"something behind the NUL", name(std::string_view("a\0b", 3)), 0},
                   });
}

TEST_P(MapCreate, fields_that_are_not_for_these_types) {
  for (const MapType type : {kHash, kArray, kPerCpuHash, kPerCpuArray}) {
    SCOPED_TRACE(map_type_name(type));
    expect_edits(
        {type},
        {
            {"map_extra", [](Attr& a) { a.set(create::kMapExtra, 1); }, -EINVAL},
            {"map_extra, high half", [](Attr& a) { a.set(create::kMapExtra, 1ull << 32); }, -EINVAL},
            {"inner_map_fd", [](Attr& a) { a.set(create::kInnerMapFd, 7); }, 0},
            {"map_ifindex", [](Attr& a) { a.set(create::kMapIfindex, 0x7ffffff); }, -EINVAL},
            {"vmlinux type", [](Attr& a) { a.set(create::kBtfVmlinuxValueTypeId, 1); }, -EINVAL},
            {"token without its flag", [](Attr& a) { a.set(create::kMapTokenFd, 1); }, 0},
            {"type object without its flag", [](Attr& a) { a.set(create::kValueTypeBtfObjFd, 1); }, 0},
            {"hash size without a hash", [](Attr& a) { a.set(create::kExclProgHashSize, 32); }, -EINVAL},
        });
  }
}

TEST_P(MapCreate, the_inner_map_is_looked_for_after_token_and_device) {
  const auto far = [](Attr& attr) { attr.set(create::kInnerMapFd, 999); };
  for (const MapType type : {kArrayOfMaps, kHashOfMaps})
    expect_edits({type, 4, 4, 4},
                 {
                     {"no map", far, -EBADF},
                     {"no token", [&](Attr& a) { far(a), a.set(create::kMapFlags, 1 << 16); }, -EINVAL},
                     {"no device", [&](Attr& a) { far(a), a.set(create::kMapIfindex, 0x7ffffff); }, -EINVAL},
                 });
}

TEST_P(MapCreate, types_that_do_not_exist) {
  expect({{"0", {0}, -EINVAL}, {"64", {64}, -EINVAL}, {"all ones", {kMax}, -EINVAL}});
}

TEST_P(MapCreate, btf) {
  const auto btf = static_cast<std::uint32_t>(types_btf());
  const auto types = [btf](std::uint32_t key, std::uint32_t value) {
    return [=](Attr& attr) {
      attr.set(create::kBtfFd, btf).set(create::kBtfKeyTypeId, key).set(create::kBtfValueTypeId, value);
    };
  };
  const auto without_fd = [](std::uint32_t key, std::uint32_t value) {
    return [=](Attr& attr) { attr.set(create::kBtfKeyTypeId, key).set(create::kBtfValueTypeId, value); };
  };
  expect_edits({kHash, 4, 8, 4}, {
                                     {"types that fit", types(kU32, kPair), 0},
                                     {"typedef", types(kU32, kPairTypedef), 0},
                                     {"no types", types(0, 0), 0},
                                     {"key only", types(kU32, 0), -EINVAL},
                                     {"value only", types(0, kPair), -EINVAL},
                                     {"key too large", types(kU64, kPair), -EINVAL},
                                     {"value too small", types(kU32, kU32), -EINVAL},
                                     {"no such key type", types(99, kPair), -EINVAL},
                                     {"no such value type", types(kU32, 99), -EINVAL},
                                     {"types without an fd", without_fd(kU32, kPair), -EINVAL},
                                 });
  expect_edits({kHash, 8, 16, 4}, {{"array as a value", types(kPair, kName16), 0},
                                   {"spin lock", types(kU64, kLockedValue), 0},
                                   {"spin lock inside", types(kU64, kLateLock), 0}});
  expect_edits({kHash, 4, 24, 4}, {{"timer", types(kU32, kTimerValue), 0}});
  expect_edits({kArray, 4, 24, 4}, {{"timer", types(kU32, kTimerValue), 0}});
  expect_edits({kArray, 4, 8, 4}, {{"key that is no int", types(kPair, kPair), -EINVAL},
                                   {"key of 8 bytes", types(kU64, kPair), -EINVAL},
                                   {"value only", types(0, kPair), -EINVAL},
                                   {"types that fit", types(kU32, kPair), 0}});
  expect_edits({kPerCpuArray, 4, 8, 4}, {{"types that fit", types(kU32, kPair), 0}});
  expect_edits({kPerCpuArray, 4, 16, 4}, {{"spin lock", types(kU32, kLockedValue), -EOPNOTSUPP}});
  expect_edits({kPerCpuHash, 4, 16, 4}, {{"spin lock", types(kU32, kLockedValue), -EOPNOTSUPP}});
  expect_edits({kArray, 4, 16, 4, kReadOnlyProg},
               {{"spin lock, read-only for programs", types(kU32, kLockedValue), -EACCES}});
  expect_edits({kArray, 4, 16, 4, kMmapable},
               {{"spin lock in mmapable memory", types(kU32, kLockedValue), 0}});
}

TEST_P(MapCreate, bad_btf_fds) {
  const int other = map({});
  const auto fd = [](int number) {
    return [number](Attr& attr) {
      attr.set(create::kBtfFd, static_cast<std::uint32_t>(number))
          .set(create::kBtfKeyTypeId, 1)
          .set(create::kBtfValueTypeId, 1);
    };
  };
  expect_edits({kHash, 4, 4, 4},
               {{"closed", fd(19000), -EBADF}, {"-1", fd(-1), -EBADF}, {"a map", fd(other), -EINVAL}});
}

TEST_P(MapCreate, fds_are_close_on_exec) { EXPECT_EQ(FD_CLOEXEC, ::fcntl(map({}), F_GETFD)); }

}  // namespace
}  // namespace portolan::conformance
