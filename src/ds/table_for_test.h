// SPDX-License-Identifier: Apache-2.0
// A table in a region of its own, for tests: the file has no name any more when it is handed out.
#pragma once
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "ds/hash_table.h"

namespace portolan::ds {

class EveryoneLives final : public sync::Liveness {
 public:
  bool alive(sync::Owner) const override { return true; }
};

inline sync::Actor actor_for_test(std::uint64_t thread = 1) {
  static const EveryoneLives liveness;
  return {sync::Owner(0, 1, static_cast<std::uint32_t>(thread)), &liveness};
}

inline std::unique_ptr<shm::Region> region_for_test(std::uint64_t size, std::uint64_t reserved) {
  const std::string name = "portolan-ds-test-" + std::to_string(::getpid());
  const int directory = ::open("/dev/shm", O_PATH | O_DIRECTORY | O_CLOEXEC);
  auto region = shm::Region::create(directory, name.c_str(), size, reserved, 0600);
  ::unlinkat(directory, name.c_str(), 0);
  ::close(directory);
  EXPECT_TRUE(region) << (region ? 0 : region.error().value);
  return region ? std::make_unique<shm::Region>(std::move(*region)) : nullptr;
}

struct TableForTest {
  std::unique_ptr<shm::Region> region;
  HashTable table;

  explicit TableForTest(const HashTableShape& shape) : TableForTest(shape, 4096) {}
  TableForTest(const HashTableShape& shape, std::uint64_t offset)
      : region(region_for_test(offset + HashTable::sizes(shape)->total,
                               offset + HashTable::sizes(shape)->reserved)),
        table([&] {
          HashTable::format(*region, offset, shape);
          return *HashTable::attach(*region, offset);
        }()) {}

  // No invariant is broken, and nothing is lost or left over either.
  void expect_clean() const {
    shm::Findings findings;
    table.check("table", findings);
    for (const auto& finding : findings.list()) ADD_FAILURE() << finding.where << ": " << finding.what;
  }
};

}  // namespace portolan::ds
