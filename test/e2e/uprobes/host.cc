// SPDX-License-Identifier: Apache-2.0
// host DIRECTORY: a program whose functions have uprobes, and places that notes tell of. It says "ready", and
// works when a line comes.
#include <cstdio>
#include <optional>
#include <portolan/portolan.hpp>

namespace {
std::optional<portolan::ProbeHook> served, rested;
}

// By these names tools find them.
extern "C" {
[[gnu::noinline, gnu::used]] int host_serve(int kind, int bytes) {
  return served->call([](int a, int b) { return a + b; }, kind, bytes);
}
[[gnu::noinline, gnu::used]] int host_rest(int kind) {
  return rested->call([](int a) { return -a; }, kind);
}
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  auto runtime = portolan::Runtime::open(argv[1]);
  if (!runtime) return 1;
  auto serves = portolan::Hook::uprobe(*runtime, host_serve);
  auto rests = portolan::Hook::uprobe(*runtime, host_rest);
  auto turn = portolan::Hook::usdt(*runtime, "host", "turn");
  if (!serves || !rests || !turn) return 1;
  served.emplace(std::move(*serves));
  rested.emplace(std::move(*rests));
  std::puts("ready");
  std::fflush(stdout);
  for (char line[16]; std::fgets(line, sizeof line, stdin) != nullptr;) {
    for (int kind = 0; kind < 10; ++kind) {
      (void)host_serve(kind, 7);
      (void)host_rest(kind);
      PORTOLAN_USDT(*turn, host, turn, kind, kind - 5, "a turn", ~0u);
    }
    PORTOLAN_USDT(*turn, host, turn, 0, 1000, "the end", 0);
    std::printf("worked%s%s%s\n", served->is_attached() ? ", served" : "",
                rested->is_attached() ? ", rested" : "", turn->is_attached() ? ", turned" : "");
    std::fflush(stdout);
  }
  return 0;
}
