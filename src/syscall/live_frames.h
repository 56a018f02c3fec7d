// SPDX-License-Identifier: Apache-2.0
// BPF_F_TEST_XDP_LIVE_FRAMES: each run has a frame of its own, as if it came from a device. Where frames go
// is no matter here: there is no network, and all are dropped. But they are pages of a pool, as the kernel's
// are, which come again as the programs before have left them.
#pragma once
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "helper/packet.h"

namespace portolan::syscall {

inline constexpr std::uint32_t kMostLiveBatch = 256;  // TEST_XDP_MAX_BATCH
inline constexpr std::uint32_t kLivePageHead = 112;   // struct xdp_page_head, at the begin of each page

class LiveFrames {
 public:
  // Of so many frames at a time (0: as many as the kernel takes then), copies of `packet`, which is linear.
  LiveFrames(const helper::XdpBuff& packet, std::uint32_t batch_size);

  // The frame for the next run; what becomes of the one before is its program's verdict.
  helper::XdpBuff* next(std::uint32_t verdict);

 private:
  struct Frame {
    helper::XdpBuff xdp;
    std::byte bytes[kPageSize - kLivePageHead];
  };
  using FramePointer = std::unique_ptr<Frame>;

  FramePointer make() const;
  FramePointer take();
  void give_back(FramePointer frame);
  void place(Frame& frame) const;
  void settle(std::uint32_t verdict);

  const helper::XdpBuff& packet_;
  const std::uint32_t batch_size_;
  std::uint32_t in_batch_ = 0;
  FramePointer current_;
  std::vector<FramePointer> gone_;  // of this batch: on their way until its end
  // The page pool: the last that came to the cache goes first; what is given back waits in the ring.
  std::vector<FramePointer> cache_;
  std::deque<FramePointer> ring_;
};

}  // namespace portolan::syscall
