// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include "cli/command.h"

namespace portolan::cli {
namespace {

int help(Arguments) {
  fmt::print(
      "Portolan: eBPF maps without a kernel.\n\n"
      "  {}\n"
      "      Runs a command, and all that it starts, with an eBPF map subsystem of its own.\n"
      "      --runtime DIR     share the runtime in DIR (made if it is not there); else a private one, gone "
      "with its last\n"
      "                        process\n"
      "      --kernel VERSION  answer as this Linux version (6.18 unless the runtime says otherwise)\n"
      "      --btf FILE        the kernel's types: those of FILE, or \"builtin\" ones; else as this machine "
      "has them\n"
      "      -v                say where the runtime is\n"
      "  {}\n"
      "      Checks a runtime. 0: clean, 1: corrupt, 2: cannot be checked.\n"
      "  portolan version\n"
      "  portolan help\n",
      kRunUsage, kFsckUsage);
  return 0;
}

int version(Arguments) {
  fmt::print("portolan {}\n", PORTOLAN_VERSION);
  return 0;
}

struct Command {
  std::string_view name;
  int (*function)(Arguments);
};
constexpr Command kCommands[] = {
    {"run", run},   {"fsck", fsck},   {"version", version}, {"--version", version},
    {"help", help}, {"--help", help}, {"-h", help}};

int dispatch(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "portolan: no subcommand; `portolan help` lists them\n");
    return 2;
  }
  for (const Command& command : kCommands)
    if (command.name == argv[1])
      return command.function(Arguments(argv + 2, static_cast<std::size_t>(argc - 2)));
  fmt::print(stderr, "portolan: there is no subcommand \"{}\"; `portolan help` lists them\n", argv[1]);
  return 2;
}

}  // namespace
}  // namespace portolan::cli

int main(int argc, char** argv) { return portolan::cli::dispatch(argc, argv); }
