// SPDX-License-Identifier: Apache-2.0
// A fresh runtime, and runs on it that need no program of the runtime.
#pragma once
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <optional>
#include <string>

#include "helper/run.h"
#include "sync/call_epoch.h"

namespace portolan::vm {

class WithRuntime : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = "/dev/shm/portolan-vm-test-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    std::filesystem::remove_all(directory_);
    std::string why;
    auto opened = object::Runtime::open(directory_, {}, &why);
    ASSERT_TRUE(opened) << why;
    runtime_ = std::move(*opened);
    epoch_.emplace();
  }
  void TearDown() override {
    epoch_.reset();
    runtime_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  helper::Run new_run(void* context) {
    helper::Run run(*runtime_, *runtime_->actor(), 0, nullptr);
    run.begin(0, 0, context, nullptr, nullptr);
    return run;
  }

  std::string directory_;
  std::unique_ptr<object::Runtime> runtime_;
  std::optional<sync::CallEpoch> epoch_;
};

}  // namespace portolan::vm
