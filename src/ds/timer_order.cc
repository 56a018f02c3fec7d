// SPDX-License-Identifier: Apache-2.0
// What follows from the slots of a timer table: the heaps, and who uses which program. All under its lock.
#include <algorithm>

#include "ds/timer_layout.h"

namespace portolan::ds {

sync::Atomic<std::uint32_t>& TimerTable::heap(TimerClock clock, std::uint32_t at) const {
  auto* const all = reinterpret_cast<sync::Atomic<std::uint32_t>*>(region_->base() + heaps_offset_);
  return all[std::uint64_t{static_cast<std::uint32_t>(clock)} * kMostTimers + at];
}
sync::Atomic<std::uint32_t>& TimerTable::heap_count(TimerClock clock) const {
  sync::Atomic<std::uint32_t>& count = header_->heap_counts[static_cast<std::uint32_t>(clock)];
  if (count.load_relaxed() > slab_.handed_out()) count.store_relaxed(slab_.handed_out());
  return count;
}

TimerSlot* TimerTable::top(TimerClock clock) const {
  if (heap_count(clock).load_relaxed() == 0) return nullptr;
  const std::uint32_t number = heap(clock, 0).load_relaxed();
  return number < slab_.handed_out() ? &slot(number) : nullptr;
}

void TimerTable::put(TimerClock clock, std::uint32_t at, std::uint32_t number) const {
  heap(clock, at).store_relaxed(number);
  slot(number).heap_place.store_relaxed(at + 1);
}

// What is at `at` may have a deadline that is too early or too late for that place.
void TimerTable::sift(TimerClock clock, std::uint32_t at) const {
  const std::uint32_t count = heap_count(clock).load_relaxed();
  const auto number_at = [&](std::uint32_t place) {
    return std::min(heap(clock, place).load_relaxed(), slab_.handed_out() - 1);
  };
  const auto deadline_of = [&](std::uint32_t number) { return slot(number).deadline.load_relaxed(); };
  const std::uint32_t number = number_at(at);
  const std::uint64_t deadline = deadline_of(number);
  while (at != 0) {
    const std::uint32_t parent = (at - 1) / 2, other = number_at(parent);
    if (deadline_of(other) <= deadline) break;
    put(clock, at, other);
    at = parent;
  }
  for (;;) {
    std::uint32_t child = 2 * at + 1;
    if (child >= count) break;
    if (child + 1 < count && deadline_of(number_at(child + 1)) < deadline_of(number_at(child))) ++child;
    if (deadline_of(number_at(child)) >= deadline) break;
    put(clock, at, number_at(child));
    at = child;
  }
  put(clock, at, number);
}

void TimerTable::insert(TimerSlot& timer) const {
  const TimerClock clock = timer.its_clock();
  sync::Atomic<std::uint32_t>& count = heap_count(clock);
  const std::uint32_t at = count.load_relaxed();
  if (at >= slab_.handed_out()) return;  // only in a region that was tampered with
  count.store_relaxed(at + 1);
  put(clock, at, static_cast<std::uint32_t>(timer.name.load_relaxed()) - 1);
  sift(clock, at);
}

void TimerTable::remove(TimerClock clock, std::uint32_t place) const {
  sync::Atomic<std::uint32_t>& count = heap_count(clock);
  const std::uint32_t left = count.load_relaxed();
  if (place == 0 || place > left) return;
  count.store_relaxed(left - 1);
  if (place == left) return;
  const std::uint32_t last = std::min(heap(clock, left - 1).load_relaxed(), slab_.handed_out() - 1);
  put(clock, place - 1, last);
  sift(clock, place - 1);
}

bool TimerTable::disarm(TimerSlot& timer) const {
  if (timer.armed.load_relaxed() == 0) return false;
  timer.armed.store_relaxed(0);
  const std::uint32_t place = timer.heap_place.load_relaxed();
  timer.heap_place.store_relaxed(0);
  remove(timer.its_clock(), place);
  return true;
}

bool TimerTable::has_users(TimerEdge edge) const {
  return std::any_of(std::begin(header_->users), std::end(header_->users), [&](const TimerUser& row) {
    return row.count.load_relaxed() != 0 && row.object.load_relaxed() == edge.object &&
           row.program.load_relaxed() == edge.program;
  });
}

// False: there is no room for another row; or, of less, that it was the last.
bool TimerTable::count_user(TimerEdge edge, int change) const {
  TimerUser* unused = nullptr;
  for (TimerUser& row : header_->users) {
    const std::uint32_t count = row.count.load_relaxed();
    if (count == 0) {
      if (unused == nullptr) unused = &row;
    } else if (row.object.load_relaxed() == edge.object && row.program.load_relaxed() == edge.program) {
      row.count.store_relaxed(count + static_cast<std::uint32_t>(change));
      return count + static_cast<std::uint32_t>(change) != 0;
    }
  }
  if (change < 0 || unused == nullptr) return false;
  unused->object.store_relaxed(edge.object);
  unused->program.store_relaxed(edge.program);
  unused->count.store_relaxed(1);
  return true;
}

TimerEdge TimerTable::drop_callback(TimerSlot& timer) const {
  const TimerEdge edge{timer.object.load_relaxed(), timer.program.load_relaxed()};
  if (edge.program == 0) return {};
  timer.program.store_relaxed(0);
  return count_user(edge, -1) ? TimerEdge{} : edge;
}

// All that follows from names, armed and programs.
void TimerTable::repair() const {
  for (auto& count : header_->heap_counts) count.store_relaxed(0);
  for (TimerUser& row : header_->users) row.count.store_relaxed(0);
  slab_.rebuild([&](std::uint32_t number) { return slot(number).name.load_relaxed() != 0; });
  for (std::uint32_t number = 0; number < slab_.handed_out(); ++number) {
    TimerSlot& timer = slot(number);
    if (static_cast<std::uint32_t>(timer.name.load_relaxed()) - 1 != number) continue;
    timer.heap_place.store_relaxed(0);
    if (timer.armed.load_relaxed() != 0) insert(timer);
    const TimerEdge edge{timer.object.load_relaxed(), timer.program.load_relaxed()};
    if (edge.program != 0 && !count_user(edge, +1)) timer.program.store_relaxed(0);
  }
}

}  // namespace portolan::ds
