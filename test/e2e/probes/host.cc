// SPDX-License-Identifier: Apache-2.0
// host DIRECTORY: a program with probes and a tracepoint. It says "ready", and works when a line comes.
#include <cstdio>
#include <portolan/portolan.hpp>

struct Record {
  std::uint64_t common;
  std::uint32_t kind, bytes;
};

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  auto runtime = portolan::Runtime::open(argv[1]);
  if (!runtime) return 1;
  auto probe = portolan::Hook::probe(*runtime, "host_work");
  auto rest = portolan::Hook::probe(*runtime, "host_rest");
  auto tracepoint = portolan::Hook::tracepoint(*runtime, "host", "work", sizeof(Record));
  if (!probe || !rest || !tracepoint) return 1;
  std::puts("ready");
  std::fflush(stdout);
  for (char line[16]; std::fgets(line, sizeof line, stdin) != nullptr;) {
    for (int kind = 0; kind < 10; ++kind) {
      (void)probe->call([](int a, int b) { return a + b; }, kind, 7);
      (void)rest->call([](int a) { return -a; }, kind);
      tracepoint->run(Record{0, static_cast<std::uint32_t>(kind), 7});
    }
    std::printf("worked%s%s\n", probe->is_attached() ? ", probed" : "",
                tracepoint->is_attached() ? ", traced" : "");
    std::fflush(stdout);
  }
  return 0;
}
