// SPDX-License-Identifier: Apache-2.0
// What fsck finds. Every structure that lies in a region has a check(…, Findings&).
#pragma once
#include <string>
#include <vector>

namespace portolan::shm {

enum class Severity {
  kNote,     // left over by a death, and reclaimed in the ordinary course of things
  kCorrupt,  // an invariant does not hold
};
struct Finding {
  Severity severity;
  std::string where;  // "map 7: bucket 12"
  std::string what;
};

class Findings {
 public:
  void note(std::string where, std::string what) {
    list_.push_back({Severity::kNote, std::move(where), std::move(what)});
  }
  void corrupt(std::string where, std::string what) {
    list_.push_back({Severity::kCorrupt, std::move(where), std::move(what)});
  }
  bool clean() const {
    for (const Finding& finding : list_)
      if (finding.severity == Severity::kCorrupt) return false;
    return true;
  }
  const std::vector<Finding>& list() const { return list_; }

 private:
  std::vector<Finding> list_;
};

}  // namespace portolan::shm
