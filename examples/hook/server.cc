// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A server that lets others look at its requests: `server DIRECTORY [REQUESTS]`. It says "ready", and serves
// when a line comes on its standard input.
#include <cstdio>
#include <cstdlib>
#include <portolan/portolan.hpp>

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: server DIRECTORY [REQUESTS]\n");
    return 2;
  }
  const unsigned requests = argc > 2 ? static_cast<unsigned>(std::atoi(argv[2])) : 1000;
  auto runtime = portolan::Runtime::open(argv[1]);
  if (!runtime) {
    std::fprintf(stderr, "%s\n", runtime.error().message().c_str());
    return 1;
  }
  auto request = portolan::Hook::raw_tracepoint(*runtime, "request");
  if (!request) {
    std::fprintf(stderr, "%s\n", request.error().message().c_str());
    return 1;
  }
  std::puts("ready");
  std::fflush(stdout);
  for (char line[16]; std::fgets(line, sizeof line, stdin) != nullptr;) {
    // What a server does, but for the work: a quarter of each kind, of 100 to 103 bytes.
    for (unsigned i = 0; i < requests; ++i) request->run(i % 4, 100 + i % 4);
    std::printf("served %u requests%s\n", requests, request->is_attached() ? ", watched" : "");
    std::fflush(stdout);
  }
  return 0;
}
