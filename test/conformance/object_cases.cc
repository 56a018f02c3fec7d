// SPDX-License-Identifier: Apache-2.0
// Info, ids, pins and freezing: what objects are to each other and to the file system.
#include <sys/stat.h>
#include <unistd.h>

#include "base/sys.h"
#include "cases.h"

namespace portolan::conformance {
namespace {

class Object : public Case {
 protected:
  static std::uint32_t word(const Data& details, std::size_t offset) {
    return load_unaligned<std::uint32_t>(details.data() + offset);
  }
  long by_id(std::uint32_t id, std::uint32_t open_flags = 0) {
    return keep(call(kMapGetFdById, Attr().set(by_id::kId, id).set(by_id::kOpenFlags, open_flags)));
  }
};
ON_BOTH_BACKENDS(Object);

TEST_P(Object, info_of_a_map) {
  const int btf = types_btf();
  const long fd = create({kHash, 4, 8, 5, kNoPrealloc | kReadOnly | kReadOnlyProg}, [btf](Attr& attr) {
    attr.set_text(create::kMapName, "a_map").set(create::kBtfFd, static_cast<std::uint64_t>(btf));
    attr.set(create::kBtfKeyTypeId, kU32).set(create::kBtfValueTypeId, kPair);
  });
  ASSERT_GE(fd, 0);
  Data details(info::kMapSize);
  ASSERT_ANSWER(0, info(static_cast<int>(fd), &details));
  ASSERT_EQ(info::kMapSize, details.size());
  EXPECT_EQ(kHash, word(details, 0));
  EXPECT_NE(0u, word(details, 4));
  EXPECT_EQ(4u, word(details, 8));
  EXPECT_EQ(8u, word(details, 12));
  EXPECT_EQ(5u, word(details, 16));
  EXPECT_EQ(kNoPrealloc | kReadOnlyProg, word(details, 20));  // what belongs to the fd is left out
  EXPECT_STREQ("a_map", reinterpret_cast<const char*>(details.data()) + 24);
  EXPECT_NE(0u, word(details, 64));
  EXPECT_EQ(kU32, word(details, 68));
  EXPECT_EQ(kPair, word(details, 72));
  for (const std::size_t zero : {40u, 44u, 48u, 52u, 56u, 60u, 76u, 80u, 84u, 88u, 92u, 96u, 100u})
    EXPECT_EQ(0u, word(details, zero)) << zero;
}

TEST_P(Object, info_lengths) {
  const int fd = map({});
  for (const std::size_t length : {0u, 1u, 4u, 7u, 24u, 88u, 103u, 104u}) {
    SCOPED_TRACE(length);
    Data details(length);
    EXPECT_ANSWER(0, info(fd, &details));
    EXPECT_EQ(length, details.size());
  }
  Data longer(128), too_long(4097), dirty(128);
  EXPECT_ANSWER(0, info(fd, &longer));
  EXPECT_EQ(info::kMapSize, longer.size());
  EXPECT_ANSWER(-E2BIG, info(fd, &too_long));
  dirty[120] = std::byte{1};
  EXPECT_ANSWER(-E2BIG, info(fd, &dirty));
  Data at_most(4096);
  EXPECT_ANSWER(0, info(fd, &at_most));
  Attr nowhere;
  nowhere.set(info::kBpfFd, static_cast<std::uint64_t>(fd)).set(info::kInfoLen, info::kMapSize);
  EXPECT_ANSWER(-EFAULT, call(kObjGetInfo, nowhere));
}

TEST_P(Object, info_of_what_is_no_object) {
  const int file = keep(*sys::openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC));
  Data details(info::kMapSize);
  EXPECT_ANSWER(-EBADFD, info(19000, &details));
  EXPECT_ANSWER(-EBADFD, info(-1, &details));
  EXPECT_ANSWER(-EINVAL, info(file, &details));
}

TEST_P(Object, info_of_btf) {
  const Data blob = map_types_btf();
  const int fd = static_cast<int>(load_btf(blob));
  Data details(info::kBtfSize), read_back(blob.size() + 10);
  const auto at = reinterpret_cast<std::uint64_t>(read_back.data());
  std::memcpy(details.data(), &at, 8);
  const auto size = static_cast<std::uint32_t>(read_back.size());
  std::memcpy(details.data() + 8, &size, 4);
  ASSERT_ANSWER(0, info(fd, &details));
  EXPECT_EQ(blob.size(), word(details, 8));
  EXPECT_NE(0u, word(details, info::kBtfIdOffset));
  EXPECT_EQ(0u, word(details, 24));  // name_len
  EXPECT_EQ(0u, word(details, 28));  // kernel_btf
  EXPECT_EQ(blob, Data(read_back.begin(), read_back.begin() + static_cast<std::ptrdiff_t>(blob.size())));

  Data small(info::kBtfSize), part = repeated(blob.size(), 0xcc);
  const auto part_at = reinterpret_cast<std::uint64_t>(part.data());
  std::memcpy(small.data(), &part_at, 8);
  const std::uint32_t ten = 10;
  std::memcpy(small.data() + 8, &ten, 4);
  EXPECT_ANSWER(0, info(fd, &small));
  EXPECT_EQ(blob.size(), word(small, 8));
  EXPECT_TRUE(std::equal(blob.begin(), blob.begin() + 10, part.begin()));
  EXPECT_EQ(std::byte{0xcc}, part[10]);

  Data nowhere(info::kBtfSize);
  std::memcpy(nowhere.data() + 8, &ten, 4);
  EXPECT_ANSWER(-EFAULT, info(fd, &nowhere));
}

TEST_P(Object, ids_lead_to_maps) {
  const int fd = map({});
  const std::uint32_t number = id(fd);
  const long second = by_id(number);
  ASSERT_GE(second, 0);
  EXPECT_EQ(number, id(static_cast<int>(second)));
  ASSERT_ANSWER(0, update(fd, number32(1), number64(77)));
  Data value(8);
  EXPECT_ANSWER(0, lookup(static_cast<int>(second), number32(1), &value));
  EXPECT_EQ(number64(77), value);
  const long reader = by_id(number, kReadOnly), writer = by_id(number, kWriteOnly);
  EXPECT_ANSWER(-EPERM, update(static_cast<int>(reader), number32(1), value));
  EXPECT_ANSWER(-EPERM, lookup(static_cast<int>(writer), number32(1), &value));
  EXPECT_ANSWER(-EINVAL, by_id(number, kReadOnly | kWriteOnly));
  EXPECT_ANSWER(-EINVAL, by_id(number, 1));
  EXPECT_ANSWER(-ENOENT, by_id(0));
  EXPECT_ANSWER(-ENOENT, by_id(0x7fffffff));
  EXPECT_ANSWER(-ENOENT, by_id(~0u));
}

TEST_P(Object, ids_are_listed_in_order) {
  const int first = map({}), second = map({});
  const std::uint32_t low = id(first), high = id(second);
  EXPECT_LT(low, high);
  Attr attr;
  attr.set(by_id::kId, low - 1);
  EXPECT_ANSWER(0, call_back(kMapGetNextId, attr));
  EXPECT_EQ(low, attr.get(by_id::kNextId));
  for (const std::uint32_t start : {0x7fffffffu, 0x80000000u, ~0u}) {
    Attr past;
    past.set(by_id::kId, start);
    EXPECT_ANSWER(-EINVAL, call(kMapGetNextId, past));
  }
  Attr last;
  last.set(by_id::kId, 0x7ffffffe);
  EXPECT_ANSWER(-ENOENT, call_back(kMapGetNextId, last));
  EXPECT_EQ(0u, last.get(by_id::kNextId));
}

TEST_P(Object, pins) {
  const int fd = map({});
  EXPECT_ANSWER(0, pin(fd, pin_path("one")));
  EXPECT_ANSWER(-EEXIST, pin(fd, pin_path("one")));
  EXPECT_ANSWER(0, pin(fd, pin_path("two")));
  const long again = get(pin_path("one"));
  ASSERT_GE(again, 0);
  EXPECT_EQ(id(fd), id(static_cast<int>(again)));
  Data value(8);
  EXPECT_ANSWER(-EPERM, update(static_cast<int>(get(pin_path("one"), kReadOnly)), number32(1), value));
  EXPECT_ANSWER(-EPERM, lookup(static_cast<int>(get(pin_path("one"), kWriteOnly)), number32(1), &value));
  EXPECT_EQ(0, ::unlink(pin_path("one").c_str()));
  EXPECT_ANSWER(-ENOENT, get(pin_path("one")));
  EXPECT_GE(get(pin_path("two")), 0);
  EXPECT_EQ(0, ::unlink(pin_path("two").c_str()));
}

TEST_P(Object, pins_at_odd_places) {
  const int fd = map({});
  const struct {
    std::string path;
    long pin, get;
  } rows[] = {{pin_path("no/such"), -ENOENT, -ENOENT},
              {pin_path("dot.ted"), -EPERM, -EPERM},
              {pin_path("..two"), -EPERM, -EPERM},
              {"", -ENOENT, -ENOENT},
              {"/dev/null", -EEXIST, -EACCES},
              {"/tmp", -EEXIST, -EACCES},
              {"/tmp/conformance-no-bpffs", -EPERM, -ENOENT},
              {pin_path(""), -EEXIST, -EACCES},
              {pin_path("new/"), -ENOENT, -ENOENT},
              {pin_path(std::string(255, 'x')), 0, 0},
              {pin_path(std::string(256, 'x')), -ENAMETOOLONG, -ENAMETOOLONG},
              {pin_path(std::string(5000, 'x')), -ENAMETOOLONG, -ENAMETOOLONG},
              {backend().pin_directory() + "//./twice", 0, 0}};
  for (const auto& row : rows) {
    SCOPED_TRACE(row.path.substr(0, 80));
    EXPECT_ANSWER(row.pin, pin(fd, row.path));
    EXPECT_ANSWER(row.get, std::min(get(row.path), 0l));
    if (row.pin == 0) {
      EXPECT_EQ(0, ::unlink(row.path.c_str()));
    }
  }
  Attr nowhere;
  nowhere.set(object::kBpfFd, static_cast<std::uint64_t>(fd));
  EXPECT_ANSWER(-EFAULT, call(kObjPin, nowhere));
  EXPECT_ANSWER(-EFAULT, call(kObjGet, Attr()));
}

TEST_P(Object, pin_and_get_flags) {
  const int fd = map({});
  for (const std::uint32_t flags :
       {1u, 2u, std::uint32_t{kReadOnly}, std::uint32_t{kWriteOnly}, 1u << 20, ~0u})
    EXPECT_ANSWER(-EINVAL, pin(fd, pin_path("flags"), flags)) << flags;
  ASSERT_ANSWER(0, pin(fd, pin_path("flags")));
  for (const std::uint32_t flags : {1u, 2u, kReadOnly | kWriteOnly, 1u << 20, ~0u})
    EXPECT_ANSWER(-EINVAL, get(pin_path("flags"), flags)) << flags;
  const std::string path = pin_path("flags");
  const auto at = reinterpret_cast<std::uint64_t>(path.c_str());
  EXPECT_ANSWER(-EINVAL, call(kObjGet, Attr().set(object::kPathname, at).set(object::kBpfFd, 1)));
  EXPECT_ANSWER(-EINVAL, call(kObjGet, Attr().set(object::kPathname, at).set(object::kPathFdField, 3)));
  EXPECT_ANSWER(-EINVAL, call(kObjPin, Attr()
                                           .set(object::kPathname, at)
                                           .set(object::kBpfFd, static_cast<std::uint64_t>(fd))
                                           .set(object::kPathFdField, 3)));
  EXPECT_EQ(0, ::unlink(path.c_str()));
}

TEST_P(Object, paths_below_a_directory_fd) {
  const int fd = map({});
  const int directory =
      keep(*sys::openat(AT_FDCWD, backend().pin_directory().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const auto attr = [&](const char* name, int path_fd, std::uint32_t flags, int bpf_fd) {
    return Attr()
        .set(object::kPathname, reinterpret_cast<std::uint64_t>(name))
        .set(object::kBpfFd, static_cast<std::uint64_t>(bpf_fd))
        .set(object::kFileFlags, flags)
        .set(object::kPathFdField, static_cast<std::uint64_t>(path_fd));
  };
  EXPECT_ANSWER(0, call(kObjPin, attr("below", directory, kPathFd, fd)));
  EXPECT_GE(keep(call(kObjGet, attr("below", directory, kPathFd, 0))), 0);
  EXPECT_ANSWER(-EINVAL, call(kObjGet, attr("below", directory, 0, 0)));
  EXPECT_ANSWER(-EBADF, call(kObjGet, attr("below", 19000, kPathFd, 0)));
  EXPECT_ANSWER(-ENOTDIR, call(kObjGet, attr("below", fd, kPathFd, 0)));
  EXPECT_ANSWER(-ENOENT, call(kObjGet, attr("absent", directory, kPathFd, 0)));
  EXPECT_ANSWER(-EEXIST, call(kObjPin, attr("below", directory, kPathFd, fd)));
  EXPECT_EQ(0, ::unlink(pin_path("below").c_str()));
}

TEST_P(Object, btf_ids) {
  const int fd = types_btf();
  Data details(info::kBtfSize);
  ASSERT_ANSWER(0, info(fd, &details));
  const std::uint32_t number = word(details, info::kBtfIdOffset);
  EXPECT_GE(keep(call(kBtfGetFdById, Attr().set(by_id::kId, number))), 0);
  EXPECT_ANSWER(-EINVAL,
                call(kBtfGetFdById, Attr().set(by_id::kId, number).set(by_id::kOpenFlags, kReadOnly)));
  EXPECT_ANSWER(-ENOENT, call(kBtfGetFdById, Attr().set(by_id::kId, 0x7fffffff)));
  EXPECT_ANSWER(-ENOENT, call(kMapGetFdById, Attr().set(by_id::kId, 0x7fffffff)));
  Attr attr;
  attr.set(by_id::kId, number - 1);
  EXPECT_ANSWER(0, call_back(kBtfGetNextId, attr));
  EXPECT_EQ(number, attr.get(by_id::kNextId));
}

TEST_P(Object, freezing_is_for_maps_without_fields_of_the_kernels) {
  const auto btf = static_cast<std::uint32_t>(types_btf());
  const auto with_type = [btf](std::uint32_t value) {
    return [=](Attr& attr) {
      attr.set(create::kBtfFd, btf).set(create::kBtfKeyTypeId, kU32).set(create::kBtfValueTypeId, value);
    };
  };
  EXPECT_ANSWER(-kEnotsupp, freeze(static_cast<int>(create({kHash, 4, 16, 4}, with_type(kLockedValue)))));
  EXPECT_ANSWER(-kEnotsupp, freeze(static_cast<int>(create({kHash, 4, 24, 4}, with_type(kTimerValue)))));
  EXPECT_ANSWER(0, freeze(map({kArray, 4, 8, 4, kMmapable})));
}

}  // namespace
}  // namespace portolan::conformance
