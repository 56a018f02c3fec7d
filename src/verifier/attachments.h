// SPDX-License-Identifier: Apache-2.0
// What is attached to a function of a program, as seen by whoever runs the program: hook/ knows more of it.
#pragma once
#include "helper/run.h"
#include "object/runtime.h"

namespace portolan::verifier {

inline constexpr std::size_t kFunctionArguments = 5;

// A function of a program is about to run.
struct FunctionCall {
  std::uint32_t type_id = 0;         // of its FUNC in the program's BTF
  std::uint64_t address = 0;         // of its machine code; 0: it is interpreted
  const std::uint64_t* arguments{};  // kFunctionArguments
  // The function itself. A program that throws may leave it, and with it whoever called it, without coming
  // back.
  struct Outcome {
    std::uint64_t result;
    bool is_thrown;  // the function was left, and so must the caller be: `result` is what was thrown
  };
  Outcome (*run)(const FunctionCall& call) = nullptr;
  void* runner = nullptr;  // whoever runs it
};

class Attachments : public object::View {
 public:
  using View::View;
  // Whether this is attached to a function of that program: the region is outside data.
  virtual bool is_of(const object::View& program) const = 0;
  virtual bool has_extension() = 0;
  // The function with what is attached to it, as part of `run`, on the vCPU that this is inside of.
  virtual FunctionCall::Outcome run_function(helper::Run& run, const FunctionCall& call) = 0;
};

}  // namespace portolan::verifier
