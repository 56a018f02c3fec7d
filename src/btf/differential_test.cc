// SPDX-License-Identifier: Apache-2.0
// Random mutations of valid blobs: the live kernel and we must answer alike. PORTOLAN_BTF_MUTATIONS sets how
// many are tried, PORTOLAN_BTF_SEED where they begin, PORTOLAN_BTF_SEEDS a directory with blobs to start from
// (files with bare BTF).
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "btf/btf.h"
#include "btf/kernel_for_test.h"
#include "btf/samples_for_test.h"

namespace portolan::btf {
namespace {

using Bytes = std::vector<std::byte>;

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 0) : otherwise;
}

std::vector<Bytes> seeds() {
  std::vector<Bytes> blobs = sample_blobs();
  if (const char* directory = std::getenv("PORTOLAN_BTF_SEEDS"))
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string text((std::istreambuf_iterator<char>(file)), {});
      Bytes blob(text.size());
      std::memcpy(blob.data(), text.data(), text.size());
      blobs.push_back(std::move(blob));
    }
  return blobs;
}

// Mostly words of types: small numbers, numbers close to what was there, single bits, other words of the
// blob.
class Mutator {
 public:
  explicit Mutator(std::uint64_t seed) : random_(seed) {}

  Bytes mutate(const Bytes& original) {
    Bytes blob = original;
    const std::uint64_t changes = 1 + below(3);
    for (std::uint64_t i = 0; i < changes; ++i) change(blob);
    return blob;
  }
  std::uint64_t below(std::uint64_t end) {
    return std::uniform_int_distribution<std::uint64_t>(0, end - 1)(random_);
  }

 private:
  void change(Bytes& blob) {
    const std::uint64_t what = below(100);
    if (what < 3) return set_word(blob, below(6) * 4);
    if (what < 6) return resize(blob);
    const auto header = load_unaligned<abi::btf::Header>(blob.data());
    const std::uint64_t types = std::min<std::uint64_t>(header.type_len, blob.size() - sizeof header) / 4;
    if (what < 15 || types == 0) {
      blob[below(blob.size())] = std::byte(below(256));
      return;
    }
    set_word(blob, sizeof header + below(types) * 4);
  }
  void resize(Bytes& blob) {
    if (below(2) == 0)
      blob.resize(blob.size() - below(std::min<std::uint64_t>(blob.size() - 24, 12)));
    else
      blob.resize(blob.size() + below(5));
  }
  void set_word(Bytes& blob, std::uint64_t at) {
    if (at + 4 > blob.size()) return;
    auto word = load_unaligned<std::uint32_t>(blob.data() + at);
    switch (below(6)) {
      case 0:
        word = static_cast<std::uint32_t>(below(40));
        break;
      case 1:
        word += static_cast<std::uint32_t>(below(9)) - 4;
        break;
      case 2:
        word ^= 1u << below(32);
        break;
      case 3:
        word = static_cast<std::uint32_t>(random_());
        break;
      case 4:  // another kind, or another kind_flag
        word = (word & 0xffff) | static_cast<std::uint32_t>(below(21)) << 24 |
               static_cast<std::uint32_t>(below(2)) << 31;
        break;
      case 5:
        word = load_unaligned<std::uint32_t>(blob.data() + 24 + below((blob.size() - 24) / 4) * 4);
        break;
    }
    std::memcpy(blob.data() + at, &word, sizeof word);
  }

  std::mt19937_64 random_;
};

std::string last_line(std::string text) {
  while (!text.empty() && (text.back() == '\0' || text.back() == '\n')) text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

std::string kernel_text(const KernelAnswer& answer) {
  return answer.true_size == 0 ? "" : answer.log.substr(0, answer.log.find('\0'));
}

TEST(BtfDifferentialTest, kernel_and_portolan_agree_on_mutations) {
  const std::vector<Bytes> blobs = seeds();
  if (const int error = kernel_load(blobs[0]).error; error != 0)
    GTEST_SKIP() << "the kernel does not load BTF for this user: errno " << error;
  // Two refcounts in one struct are an assertion of the kernel's, which only warns unless it is told to
  // panic.
  if (std::ifstream("/proc/sys/kernel/panic_on_warn").get() == '1')
    GTEST_SKIP() << "the kernel panics where it warns, and some mutations make it warn";
  const std::uint64_t count = setting("PORTOLAN_BTF_MUTATIONS", 20'000);
  const std::uint64_t first = setting("PORTOLAN_BTF_SEED", 1);
  constexpr std::uint32_t kLogSize = 1 << 20;
  std::uint64_t loaded = 0;
  std::uint64_t different_logs = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    Mutator mutator(seed);
    const Bytes blob = mutator.mutate(blobs[mutator.below(blobs.size())]);
    // Logs of every eighth: they take most of the time.
    const std::uint32_t log_size = seed % 8 == 0 ? kLogSize : 0;
    const KernelAnswer kernel = kernel_load(blob, log_size != 0, log_size);
    Log log(log_size != 0, log_size);
    const auto ours = Btf::parse(blob, &log);
    const int error = ours ? 0 : ours.error().value;
    ASSERT_EQ(error, kernel.error) << "seed " << seed << "; kernel's log ends: "
                                   << last_line(kernel_text(kernel_load(blob, 1, kLogSize)));
    loaded += error == 0;
    if (log_size == 0) continue;
    const std::string image = log.image();
    if (image != kernel.log.substr(0, image.size()) || log.true_size() != kernel.true_size) {
      if (++different_logs <= 3)
        ADD_FAILURE() << "seed " << seed << ": the kernel's log ends\n  " << last_line(kernel_text(kernel))
                      << "\nours\n  " << last_line(image);
    }
  }
  RecordProperty("loaded", static_cast<int>(loaded));
  EXPECT_EQ(different_logs, 0u);
  std::printf("%lu mutations, %lu of them loaded\n", count, loaded);
}

}  // namespace
}  // namespace portolan::btf
