// SPDX-License-Identifier: Apache-2.0
#include "syscall/live_frames.h"

#include <cstring>

namespace portolan::syscall {
namespace {

constexpr std::uint32_t kDefaultBatch = 64;  // NAPI_POLL_WEIGHT
constexpr std::size_t kRefill = 64;  // PP_ALLOC_CACHE_REFILL: as many frames are made, or come back, at once
constexpr std::uint32_t kXdpPass = 2, kXdpRedirect = 4;

}  // namespace

LiveFrames::LiveFrames(const helper::XdpBuff& packet, std::uint32_t batch_size)
    : packet_(packet), batch_size_(batch_size == 0 ? kDefaultBatch : batch_size) {}

helper::XdpBuff* LiveFrames::next(std::uint32_t verdict) {
  if (current_ != nullptr) settle(verdict);
  current_ = take();
  place(*current_);
  return &current_->xdp;
}

void LiveFrames::settle(std::uint32_t verdict) {
  if (verdict >= kXdpPass && verdict <= kXdpRedirect)
    gone_.push_back(std::move(current_));
  else
    give_back(std::move(current_));
  if (++in_batch_ < batch_size_) return;
  in_batch_ = 0;
  for (FramePointer& frame : gone_) give_back(std::move(frame));
  gone_.clear();
}

// Where the packet is in a frame, whatever the run before has made of it. Its bytes stay.
void LiveFrames::place(Frame& frame) const {
  helper::XdpBuff& xdp = frame.xdp;
  xdp.data_hard_start = frame.bytes;
  xdp.data = xdp.data_hard_start + (packet_.data - packet_.data_hard_start);
  xdp.data_meta = xdp.data - (packet_.data - packet_.data_meta);
  xdp.data_end = xdp.data + (packet_.data_end - packet_.data);
}

LiveFrames::FramePointer LiveFrames::make() const {
  auto frame = std::make_unique<Frame>();
  frame->xdp.rxq = packet_.rxq;
  frame->xdp.frame_sz = sizeof frame->bytes;
  place(*frame);
  std::memcpy(frame->xdp.data_meta, packet_.data_meta,
              static_cast<std::size_t>(packet_.data_end - packet_.data_meta));
  return frame;
}

LiveFrames::FramePointer LiveFrames::take() {
  if (cache_.empty()) {
    const bool is_new = ring_.empty();
    while (cache_.size() < kRefill && (is_new || !ring_.empty())) {
      if (is_new) {
        cache_.push_back(make());
      } else {
        cache_.push_back(std::move(ring_.front()));
        ring_.pop_front();
      }
    }
  }
  FramePointer frame = std::move(cache_.back());
  cache_.pop_back();
  return frame;
}

void LiveFrames::give_back(FramePointer frame) {
  if (ring_.size() < batch_size_) ring_.push_back(std::move(frame));
}

}  // namespace portolan::syscall
