// SPDX-License-Identifier: Apache-2.0
// What a program that traces a program sees where the other one has its context: the kernel's own struct.
#pragma once
#include <vector>

#include "abi/prog_type.h"
#include "helper/struct_image.h"

namespace portolan::hook {

class ContextImage {
 public:
  // Of what a program of that type is given: packets; words and registers are what they are. Of all else
  // nothing is there: NULL.
  ContextImage(object::Runtime& runtime, abi::ProgType type, std::uint64_t native);
  std::uint64_t address() const { return images_.empty() ? plain_ : images_.back().address(); }

 private:
  Result<void> make_xdp(const void* native);
  Result<void> make_skb(const void* native);
  Result<helper::StructImage*> add(const char* name);
  object::Runtime& runtime_;
  std::uint64_t plain_ = 0;
  std::vector<helper::StructImage> images_;  // the context's own last
};

}  // namespace portolan::hook
