// SPDX-License-Identifier: Apache-2.0
#include "btf/print.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <fstream>
#include <random>

#include "abi/map_type.h"
#include "btf/kernel_for_test.h"
#include "btf/printable_for_test.h"

namespace portolan::btf {
namespace {

namespace show_flag = abi::btf::show_flag;

std::string printed(const Btf& btf, std::uint32_t type, ConstBytes value, std::uint64_t flags) {
  std::string out;
  EXPECT_TRUE(print_value(btf, type, value, flags, out));
  return out;
}

TEST(PrintTest, names_are_written_and_zeros_left_out) {
  Blob blob;
  const auto i32 = blob.integer("int", 4, abi::btf::kIntSigned);
  const auto pair = blob.structure("pair", 8, {{"a", i32, 0}, {"b", i32, 32}});
  const auto outer = blob.structure("outer", 24, {{"x", pair, 0}, {"y", pair, 64}, {"c", i32, 128}});
  const Btf btf = Btf::parse(blob.bytes()).value();
  const std::int32_t value[6] = {0, 0, 0, 7, -1, 0};
  EXPECT_EQ(printed(btf, outer, bytes_of(value), 0),
            "(struct outer){\n .y = (struct pair){\n  .b = (int)7,\n },\n .c = (int)-1,\n}\n");
  EXPECT_EQ(printed(btf, outer, bytes_of(value), show_flag::kCompact),
            "(struct outer){.y = (struct pair){.b = (int)7,},.c = (int)-1,}");
  EXPECT_EQ(printed(btf, outer, bytes_of(value), kPinnedMapFlags), "{{0,0,},{0,7,},-1,}");
  EXPECT_EQ(printed(btf, i32, bytes_of(value), 0), "(int)0\n");
}

TEST(PrintTest, pointers_are_written_as_they_are) {
  Blob blob;
  const auto pointer = blob.type(Kind::kPtr, "", 0, blob.integer("int", 4));
  const auto holder = blob.structure("s", 8, {{"p", pointer, 0}});
  const Btf btf = Btf::parse(blob.bytes()).value();
  const std::uint64_t value = 0x1234'5678;
  EXPECT_EQ(printed(btf, holder, bytes_of(value), show_flag::kCompact),
            "(struct s){.p = (int *)0x0000000012345678,}");
}

TEST(PrintTest, short_values_count_as_zeros_beyond_their_end) {
  Blob blob;
  const auto u64 = blob.integer("unsigned long", 8);
  const Btf btf = Btf::parse(blob.bytes()).value();
  const std::uint16_t value = 0xffff;
  EXPECT_EQ(printed(btf, u64, bytes_of(value), kPinnedMapFlags), "65535");
  EXPECT_EQ(printed(btf, u64, {}, kPinnedMapFlags), "0");
}

TEST(PrintTest, endless_arrays_of_nothing_end) {
  Blob blob;
  const auto u32 = blob.integer("unsigned int", 4);
  const auto empty = blob.structure("empty", 0, {});
  const auto array = blob.array(empty, u32, ~0u);
  const Btf btf = Btf::parse(blob.bytes()).value();
  std::string out;
  EXPECT_EQ(print_value(btf, array, {}, 0, out).error().value, E2BIG);
  EXPECT_EQ(print_value(btf, 99, {}, 0, out).error().value, EINVAL);
  EXPECT_EQ(print_value(btf, 0, {}, 0, out).error().value, EINVAL);
}

// An array map with one element, pinned where only this process sees it, as `cat` shows it: "0: value\n".
class PinnedMap {
 public:
  PinnedMap(std::uint32_t key_type, std::uint32_t value_type, std::uint32_t value_size, int btf_fd) {
    abi::MapCreateAttr create{};
    create.map_type = static_cast<std::uint32_t>(abi::MapType::kArray);
    create.key_size = 4;
    create.value_size = value_size;
    create.max_entries = 1;
    create.btf_fd = static_cast<std::uint32_t>(btf_fd);
    create.btf_key_type_id = key_type;
    create.btf_value_type_id = value_type;
    fd_ = static_cast<int>(::syscall(SYS_bpf, abi::Command::kMapCreate, &create, sizeof create));
    if (fd_ < 0) return;
    abi::ObjAttr pin{};
    pin.pathname = reinterpret_cast<std::uint64_t>(kPath);
    pin.bpf_fd = static_cast<std::uint32_t>(fd_);
    is_pinned_ = ::syscall(SYS_bpf, abi::Command::kObjPin, &pin, sizeof pin) == 0;
  }
  ~PinnedMap() {
    if (is_pinned_) ::unlink(kPath);
    if (fd_ >= 0) ::close(fd_);
  }
  bool is_pinned() const { return is_pinned_; }
  std::string shown(const std::vector<std::byte>& value) const {
    const std::uint32_t key = 0;
    abi::ElemAttr update{};
    update.map_fd = static_cast<std::uint32_t>(fd_);
    update.key = reinterpret_cast<std::uint64_t>(&key);
    update.value = reinterpret_cast<std::uint64_t>(value.data());
    if (::syscall(SYS_bpf, abi::Command::kMapUpdateElem, &update, sizeof update) != 0) return "no update";
    std::ifstream file(kPath);
    std::string line;
    std::string text;
    while (std::getline(file, line))
      if (!line.starts_with('#')) text += line;
    return text;
  }

 private:
  static constexpr const char* kPath = "/tmp/map";
  int fd_ = -1;
  bool is_pinned_ = false;
};

std::vector<std::byte> random_value(std::mt19937_64& random, std::uint32_t size) {
  std::vector<std::byte> value(size);
  for (std::byte& byte : value) {
    const std::uint64_t dice = random();
    const std::uint64_t what = dice % 5;
    byte = std::byte(what < 2    ? 0
                     : what == 2 ? dice >> 32 & 0xff
                     : what == 3 ? 'a' + (dice >> 32) % 26
                                 : dice >> 32 & 1);
  }
  return value;
}

// Runs in a child with a mount namespace of its own, for its /tmp becomes a bpffs. Returns what is wrong.
std::string compare_with_kernel() {
  const Printable sample = printable_types();
  const Btf btf = Btf::parse(sample.blob).value();
  int btf_fd = -1;
  if (kernel_load(sample.blob, 0, 0, &btf_fd).error != 0) return "the kernel refuses the sample";
  std::mt19937_64 random(1);
  std::string wrong;
  for (const std::uint32_t type : sample.types) {
    const std::uint32_t size = btf.size_of(type).value();
    const PinnedMap map(sample.key, type, size, btf_fd);
    if (!map.is_pinned()) return "cannot pin a map of type " + std::to_string(type);
    for (int i = 0; i < 40; ++i) {
      const std::vector<std::byte> value = random_value(random, size);
      std::string ours = "0: ";
      (void)print_value(btf, type, value, kPinnedMapFlags, ours);
      const std::string kernel = map.shown(value);
      if (ours != kernel) wrong += "kernel: " + kernel + "\nours:   " + ours + "\n";
      if (wrong.size() > 2000) return wrong;
    }
  }
  return wrong;
}

TEST(PrintTest, values_read_as_in_a_map_that_the_kernel_has_pinned) {
  int pipe_fds[2];
  ASSERT_EQ(::pipe(pipe_fds), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    std::string text = "skip";
    if (::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
        ::mount("bpffs", "/tmp", "bpf", 0, nullptr) == 0)
      text = compare_with_kernel();
    (void)!::write(pipe_fds[1], text.data(), text.size());
    ::_exit(0);
  }
  ::close(pipe_fds[1]);
  std::string text(4096, '\0');
  const ssize_t length = ::read(pipe_fds[0], text.data(), text.size());
  ::close(pipe_fds[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
  if (text == "skip") GTEST_SKIP() << "this user may not mount a bpffs";
  EXPECT_EQ(text, "");
}

}  // namespace
}  // namespace portolan::btf
