// SPDX-License-Identifier: Apache-2.0
#include "sync/value_lock.h"

#include <thread>
#include <vector>

#include "sync/process_for_test.h"
#include "sync/seam.h"

namespace portolan::sync {
namespace {

struct Shared {
  VcpuSlot slot[4];
  ValueLock lock;
  FlagForTest inside;
  Atomic<std::uint64_t> left, right;  // equal, but while somebody holds the lock
};

std::uint32_t word_of(const ValueLock& lock) {
  std::uint32_t word;
  std::memcpy(&word, &lock, sizeof word);
  return word;
}

class ValueLockTest : public testing::Test {
 protected:
  WorldForTest world_;
  Participants participants_{*world_.table, world_.directory.fd()};
  SharedForTest<Shared> shared_;
  VcpuTable vcpus_{shared_->slot};
};

TEST_F(ValueLockTest, is_zero_when_free_and_not_when_held) {
  const Actor actor = *participants_.actor();
  const VcpuScope scope(vcpus_, actor);
  EXPECT_EQ(word_of(shared_->lock), 0u);
  {
    const ValueLockGuard guard(shared_->lock, scope);
    EXPECT_NE(word_of(shared_->lock), 0u);
  }
  EXPECT_EQ(word_of(shared_->lock), 0u);
}

TEST_F(ValueLockTest, lets_one_in_at_a_time) {
  constexpr int kThreads = 4, kRounds = 20'000;
  Atomic<std::uint32_t> torn;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&] {
      const Actor actor = *participants_.actor();
      for (int round = 0; round < kRounds; ++round) {
        const VcpuScope scope(vcpus_, actor);
        const ValueLockGuard guard(shared_->lock, scope);
        const std::uint64_t value = shared_->left.load_relaxed();
        if (shared_->right.load_relaxed() != value) torn.fetch_add_relaxed(1);
        shared_->left.store_relaxed(value + 1);
        shared_->right.store_relaxed(value + 1);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(torn.load_relaxed(), 0u);
  EXPECT_EQ(shared_->left.load_relaxed(), std::uint64_t{kThreads} * kRounds);
  EXPECT_EQ(word_of(shared_->lock), 0u);
}

TEST_F(ValueLockTest, what_a_run_left_locked_is_taken_by_the_next) {
  const Actor actor = *participants_.actor();
  const std::uint32_t vcpu = vcpus_.lease(actor);
  vcpus_.enter(vcpu);
  shared_->lock.lock(vcpus_, vcpu, actor);
  const std::uint32_t left = word_of(shared_->lock);
  vcpus_.leave(vcpu);
  vcpus_.enter(vcpu);
  shared_->lock.lock(vcpus_, vcpu, actor);
  EXPECT_NE(word_of(shared_->lock), left);
  shared_->lock.unlock(vcpus_, vcpu);
  EXPECT_EQ(word_of(shared_->lock), 0u);
  vcpus_.leave(vcpu);
  vcpus_.release(actor, vcpu);
}

TEST_F(ValueLockTest, unlocking_what_another_run_has_taken_leaves_it_locked) {
  const Actor actor = *participants_.actor();
  const std::uint32_t other = 0xffff'e001u;
  std::memcpy(static_cast<void*>(&shared_->lock), &other, sizeof other);
  const std::uint32_t vcpu = vcpus_.lease(actor);
  vcpus_.enter(vcpu);
  shared_->lock.unlock(vcpus_, vcpu);
  EXPECT_EQ(word_of(shared_->lock), other);
  vcpus_.leave(vcpu);
  vcpus_.release(actor, vcpu);
}

TEST_F(ValueLockTest, garbage_does_not_stop_anybody) {
  const Actor actor = *participants_.actor();
  for (const std::uint32_t garbage : {0xffff'ffffu, 0x0000'1fffu, 5u, 0x8000'0000u, 0x0000'2000u}) {
    std::memcpy(static_cast<void*>(&shared_->lock), &garbage, sizeof garbage);
    const VcpuScope scope(vcpus_, actor);
    const ValueLockGuard guard(shared_->lock, scope);
    EXPECT_NE(word_of(shared_->lock), garbage);
  }
}

TEST_F(ValueLockTest, a_killed_holder_keeps_nobody_out) {
  const pid_t child = start_child([&]() -> int {
    Participants own(*world_.table, world_.directory.fd());
    const Actor actor = *own.actor();
    const std::uint32_t vcpu = vcpus_.lease(actor);
    vcpus_.enter(vcpu);
    shared_->lock.lock(vcpus_, vcpu, actor);
    shared_->inside.raise();
    for (;;) ::pause();
  });
  shared_->inside.await();
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_EQ(wait_for(child), -SIGKILL);
  const std::uint32_t left = word_of(shared_->lock);
  EXPECT_NE(left, 0u);
  const Actor actor = *participants_.actor();
  const VcpuScope scope(vcpus_, actor);
  const ValueLockGuard guard(shared_->lock, scope);
  EXPECT_NE(word_of(shared_->lock), left);
}

#ifdef PORTOLAN_SEAMS
// Two words that only holders of the lock change, one after the other.
void add(Shared& shared) {
  shared.left.store_relaxed(shared.left.load_relaxed() + 1);
  shared.right.store_relaxed(shared.left.load_relaxed());
}

TEST_F(ValueLockTest, a_kill_at_any_store_keeps_nobody_out) {
  for (std::uint64_t seam = 1;; ++seam) {
    const int status = run_child([&] {
      Participants own(*world_.table, world_.directory.fd());
      const Actor actor = *own.actor();
      kill_at_seam(seam);
      {
        const VcpuScope scope(vcpus_, actor);
        const ValueLockGuard guard(shared_->lock, scope);
        add(*shared_);
      }
      kill_at_seam(0);
      return 0;
    });
    const Actor actor = *participants_.actor();
    const VcpuScope scope(vcpus_, actor);
    const ValueLockGuard guard(shared_->lock, scope);
    add(*shared_);
    EXPECT_EQ(shared_->left.load_relaxed(), shared_->right.load_relaxed()) << "seam " << seam;
    if (status == 0) {
      EXPECT_GT(seam, 8u);
      break;
    }
    ASSERT_EQ(status, -SIGKILL);
  }
}
#endif

}  // namespace
}  // namespace portolan::sync
