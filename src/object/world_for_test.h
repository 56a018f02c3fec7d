// SPDX-License-Identifier: Apache-2.0
// A runtime in a fresh directory, with views that only note what happens to them.
#pragma once
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <string>

#include "object/runtime.h"
#include "sync/call_epoch.h"

namespace portolan::object {

struct ViewLog {
  int alive = 0;
  int urefs_released = 0;
};
inline ViewLog view_log;

class PlainView final : public View {
 public:
  explicit PlainView(Mapped mapped) : View(std::move(mapped)) { ++view_log.alive; }
  ~PlainView() override { --view_log.alive; }
  void release_uref() override { ++view_log.urefs_released; }
  static Result<std::unique_ptr<View>> make(Mapped mapped) {
    return std::make_unique<PlainView>(std::move(mapped));
  }
};

class World : public testing::Test {
 protected:
  void SetUp() override {
    view_log = {};
    std::string pattern = "/dev/shm/portolan-object-test-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    runtime_ = open_runtime();
    ASSERT_TRUE(runtime_);
  }
  void TearDown() override {
    runtime_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  std::unique_ptr<Runtime> open_runtime(RuntimeOptions options = {}) {
    std::string why;
    auto opened = Runtime::open(directory_, options, &why);
    EXPECT_TRUE(opened) << why;
    if (!opened) return nullptr;
    for (const Kind kind : {Kind::kMap, Kind::kProg, Kind::kBtf, Kind::kLink, Kind::kPerfEvent})
      (*opened)->set_view_factory(kind, PlainView::make);
    return std::move(*opened);
  }

  Result<Runtime::Published> make(Kind kind, std::initializer_list<Edge> edges = {},
                                  shm::Access access = shm::Access::kReadWrite) {
    return runtime_->publish(TRY(runtime_->draft(kind, 4096, 4096, 0, 8)), edges, access);
  }
  // Closes as the shim does.
  void close(UniqueFd fd) {
    auto target = runtime_->target_of_any_fd(fd.get());
    ASSERT_TRUE(target);
    const Kind kind = target->view->kind();
    const std::uint32_t id = target->view->id();
    runtime_->forget_fd(fd.get());
    fd.reset();
    runtime_->settle(kind, id);
  }
  bool exists(Kind kind, std::uint32_t id) {
    auto fd = runtime_->open_by_id(kind, id, shm::Access::kReadWrite);
    if (!fd) {
      EXPECT_EQ(fd.error().value, ENOENT);
    }
    if (fd) close(std::move(*fd));
    return fd.has_value();
  }
  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  void expect_clean() {
    shm::Findings findings;
    runtime_->check(findings);
    for (const shm::Finding& finding : findings.list())
      if (finding.severity == shm::Severity::kCorrupt) ADD_FAILURE() << finding.where << ": " << finding.what;
  }
  // Runs `body` in a child; its exit status, or 128 + signal.
  static int in_child(const std::function<int()>& body) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(body());
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

  std::string directory_;
  std::unique_ptr<Runtime> runtime_;
};

}  // namespace portolan::object
