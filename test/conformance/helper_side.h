// SPDX-License-Identifier: Apache-2.0
// One backend's half of a random sequence of helper calls.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "helper_ops.h"
#include "user_ends.h"

namespace portolan::conformance {

class HelperSide {
 public:
  explicit HelperSide(Backend& backend);
  ~HelperSide();
  HelperSide(const HelperSide&) = delete;
  HelperSide& operator=(const HelperSide&) = delete;

  // The maps, and what tail calls lead to. Afterwards results of loads, or the log of one that failed.
  std::string make(const HelperSequence& sequence);
  void clear();

  struct Seen {
    std::vector<std::string> before;  // what came of each step of user space
    long loaded = 0, ran = 0;
    std::uint64_t retval = 0;
    std::vector<std::byte> results;
    std::string log;
    std::vector<std::string> maps;
  };
  Seen run(const HelperStep& step);

 private:
  int load_btf(const std::vector<std::byte>& blob);
  int create(const ProgramMap& map, int example);
  long load(const HelperProgram& program, std::string* log);
  long test_run(int program, std::uint64_t* retval);
  long element(unsigned command, int fd, const void* key, void* value);
  std::string act(const UserOp& op);
  std::string dump(std::size_t map);

  Backend& backend_;
  const HelperSequence* sequence_ = nullptr;
  int types_fd_ = -1, map_types_fd_ = -1, results_ = -1;
  std::vector<int> fds_, targets_;
  std::vector<std::unique_ptr<RingEnd>> rings_;  // of each map; nullptr: it is none
  std::vector<std::unique_ptr<EventEnd>> events_;
};

}  // namespace portolan::conformance
