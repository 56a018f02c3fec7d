// SPDX-License-Identifier: Apache-2.0
// Names of the functions in machine code, for those who look at this process from outside.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace portolan::jit {

struct Symbol {
  std::string name;
  std::span<const std::uint8_t> code;
};

// Appends a line for each to the file where perf(1) looks for code that was made at run time,
// /tmp/perf-PID.map. If that fails, profiles lack the names.
void tell_perf(std::span<const Symbol> symbols);

// As long as it lives, gdb(1) knows the names, by its interface for compilers: an ELF file in memory, in a
// list that it reads when __jit_debug_register_code() is called.
class DebuggerSymbols {
 public:
  // The symbols' code lies in one piece, in this order, and outlives the object. There is one at least.
  static std::unique_ptr<const DebuggerSymbols> create(std::span<const Symbol> symbols);
  ~DebuggerSymbols();
  DebuggerSymbols(const DebuggerSymbols&) = delete;
  DebuggerSymbols& operator=(const DebuggerSymbols&) = delete;

 private:
  struct Entry;
  explicit DebuggerSymbols(std::vector<char> file);
  std::unique_ptr<Entry> entry_;
};

}  // namespace portolan::jit
