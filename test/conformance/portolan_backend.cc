// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <sys/stat.h>

#include "backend.h"
#include "base/sys.h"
#include "portolan/portolan.h"
#include "uapi.h"

namespace portolan::conformance {
namespace {

class Portolan final : public Backend {
 public:
  explicit Portolan(portolan_runtime* runtime)
      : runtime_(runtime), pins_(std::string(::portolan_directory(runtime)) + "/bpffs/pins") {}
  ~Portolan() override { ::portolan_close(runtime_); }
  const char* name() const override { return "portolan"; }
  long bpf(unsigned command, void* attr, unsigned size) override {
    const long result = ::portolan_bpf(runtime_, static_cast<int>(command), attr, size);
    return result < 0 ? -errno : result;
  }
  void close(int fd) override { ::portolan_close_fd(runtime_, fd); }
  void unlink(const std::string& path) override {
    (void)sys::unlinkat(AT_FDCWD, path.c_str(), 0);
    // Nobody has seen it but us: whatever goes with the pin goes when it is named.
    std::uint32_t attr[3] = {};
    while (::portolan_bpf(runtime_, kMapGetNextId, attr, sizeof attr) == 0) attr[0] = attr[1];
  }
  const std::string& pin_directory() const override { return pins_; }

 private:
  portolan_runtime* runtime_;
  std::string pins_;
};

}  // namespace

std::unique_ptr<Backend> open_portolan(std::string* why) {
  char text[256] = "";
  portolan_runtime* runtime = ::portolan_open(nullptr, text, sizeof text);
  if (runtime == nullptr) {
    *why = text;
    return nullptr;
  }
  auto portolan = std::make_unique<Portolan>(runtime);
  if (::mkdir(portolan->pin_directory().c_str(), 0700) != 0) {
    *why = "no directory for pins in " + portolan->pin_directory();
    return nullptr;
  }
  return portolan;
}

}  // namespace portolan::conformance
