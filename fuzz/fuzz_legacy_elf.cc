// SPDX-License-Identifier: Apache-2.0
// Object files with SEC("maps"): read, and what is read loaded into a private runtime, of which nothing may
// be left.
#include <cstring>

#include "base/assert.h"
#include "fuzz/world.h"
#include "loader/legacy.h"

namespace portolan::fuzz {
namespace {

class RuntimeSystem final : public loader::System {
 public:
  explicit RuntimeSystem(World& world) : world_(world) {}
  long bpf(int command, void* attr, std::uint32_t size) override {
    abi::Attr copy{};
    std::memcpy(&copy, attr, size);
    // The world keeps what is made and closes it, so that the fuzzer sees what the loader forgets.
    const long result = world_.call(static_cast<abi::Command>(command), copy, size);
    made_ += result >= 0 ? 1 : 0;
    return result;
  }
  void close_fd(int) override { ++closed_; }
  std::size_t open() const { return made_ - closed_; }

 private:
  World& world_;
  std::size_t made_ = 0, closed_ = 0;
};

}  // namespace
}  // namespace portolan::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace portolan;
  static fuzz::World* world = (fuzz::limit_file_size(), new fuzz::World);
  static unsigned loads = 0;
  const ConstBytes bytes{reinterpret_cast<const std::byte*>(data), size};
  std::string why;
  (void)loader::is_legacy(bytes);
  const auto object = loader::read_legacy(bytes, &why);
  if (!object) {
    PORTOLAN_ASSERT(!why.empty());
    return 0;
  }
  fuzz::RuntimeSystem system(*world);
  const auto loaded = loader::load_legacy(system, *object, {}, &why);
  PORTOLAN_ASSERT(system.open() == (loaded ? loaded->maps.size() + loaded->programs.size() : 0));
  PORTOLAN_ASSERT(loaded || !why.empty());
  world->close_fds();
  if (++loads % 4096 == 0) {  // ids pile up
    delete world;
    world = new fuzz::World;
  }
  return 0;
}
