// SPDX-License-Identifier: Apache-2.0
#include "shrink.h"

#include <algorithm>

namespace portolan::conformance {
namespace {

using Sequence = std::vector<Operation>;
using Fails = std::function<bool(const Sequence&)>;

bool drop_chunks(Sequence& sequence, std::size_t chunk, const Fails& fails) {
  bool dropped = false;
  // From the end: what comes late is likelier to be there for nothing.
  for (std::size_t end = sequence.size(); end > 0;) {
    const std::size_t begin = end > chunk ? end - chunk : 0;
    Sequence candidate(sequence.begin(), sequence.begin() + static_cast<std::ptrdiff_t>(begin));
    candidate.insert(candidate.end(), sequence.begin() + static_cast<std::ptrdiff_t>(end), sequence.end());
    if (!candidate.empty() && fails(candidate)) {
      sequence = std::move(candidate);
      dropped = true;
    }
    end = begin;
  }
  return dropped;
}

// Makes each operation itself plainer.
template <class Edit>
void simplify(Sequence& sequence, const Fails& fails, Edit edit) {
  for (std::size_t i = 0; i < sequence.size(); ++i) {
    Sequence candidate = sequence;
    if (edit(candidate[i]) && fails(candidate)) sequence = std::move(candidate);
  }
}

}  // namespace

Sequence shrink(Sequence sequence, const Fails& fails) {
  for (std::size_t chunk = std::max<std::size_t>(sequence.size() / 2, 1);;) {
    const bool dropped = drop_chunks(sequence, chunk, fails);
    if (chunk == 1 && !dropped) break;
    if (!dropped || chunk > 1) chunk = std::max<std::size_t>(chunk / 2, 1);
  }
  simplify(sequence, fails, [](Operation& operation) {
    if (operation.size == size_of(operation.command)) return false;
    operation.size = size_of(operation.command);
    return true;
  });
  simplify(sequence, fails, [](Operation& operation) {
    if (!operation.attr_at_the_end) return false;
    operation.attr_at_the_end = false;
    return true;
  });
  simplify(sequence, fails, [](Operation& operation) {
    if (operation.stray_byte == 0) return false;
    operation.stray_byte = 0;
    return true;
  });
  return sequence;
}

}  // namespace portolan::conformance
