// SPDX-License-Identifier: Apache-2.0
// A map type whose writers are killed: how it is made, what a writer does, and what must hold afterwards.
#pragma once
#include <fmt/format.h>

#include <memory>
#include <random>
#include <span>
#include <string>

#include "map_client.h"
#include "stress.h"

namespace portolan::stress {

inline constexpr std::uint32_t kWriters = 3;
inline constexpr std::uint32_t kTester = kWriters;  // the test's own process, where it writes itself

// What went wrong, as a sentence; empty: nothing did.
using Problem = std::string;

struct Writer {
  std::uint32_t number;
  std::mt19937_64 dice;
};

// Lives in the test's process and, after fork, in each writer; what they share is in Shared<> memory. A
// writer notes what it is about to do before each call, and that it was done afterwards. One writer of a
// number lives at a time.
class Subject {
 public:
  virtual ~Subject() = default;
  virtual std::uint32_t kernel_version() const { return 0; }  // of the runtime; 0: the usual one

  // The kinds of changes there are. Writers that die at random times make the first random_changes() of them.
  virtual std::span<const char* const> changes() const = 0;
  virtual std::size_t random_changes() const { return changes().size(); }

  // By the test, before there are writers.
  virtual void make(Client& client) = 0;
  // By a writer, before all else: opens what was made.
  virtual void join(Client& client) = 0;
  // What the writer of that number left open when it was killed is looked up: it happened or it did not. All
  // else is as it was acknowledged. By its successor, or by the test.
  virtual Problem settle(Client& client, std::uint32_t writer) = 0;
  // One change by a writer; nothing where there is nothing to change.
  virtual Problem change(Client& client, unsigned kind, Writer& writer) = 0;
  // By the test, while writers work: it reads, and takes away or brings what only it can.
  virtual Problem tend(Client&) { return {}; }
  // By the test, while nobody writes and all is settled: everything is there, the capacity is exact, and all
  // can go on.
  virtual Problem check(Client& client) = 0;
  // By the test: a change of that kind will find something to do.
  virtual Problem get_ready(Client& client, unsigned kind) = 0;
};

using MakeSubject = std::unique_ptr<Subject> (*)();

struct MapRow {
  const char* name;
  MakeSubject make;
};
// A family of them each.
std::span<const MapRow> value_maps();
std::span<const MapRow> maps_of_fds();
std::span<const MapRow> queues();
std::span<const MapRow> bloom_filters();
std::span<const MapRow> ring_buffers();
std::span<const MapRow> user_ring_buffers();
std::span<const MapRow> perf_events();
std::span<const MapRow> stack_traces();

}  // namespace portolan::stress
