// SPDX-License-Identifier: Apache-2.0
#include "vm/gate.h"

#include "vm/interpreter.h"

namespace portolan::vm {

using verifier::FunctionCall;

FunctionCall::Outcome pass_gate(helper::Run& run, const Executable& executable, std::uint32_t function,
                                FunctionCall call) {
  verifier::Program* const program = executable.program();
  verifier::Attachments* const attached = program == nullptr ? nullptr : program->attachments(function);
  if (attached == nullptr) return call.run(call);  // it has just gone
  call.type_id = executable.functions()[function].type_id;
  if (const jit::Code* const native = executable.native(); native != nullptr)
    call.address = reinterpret_cast<std::uintptr_t>(native->function(function));
  return attached->run_function(run, call);
}

std::uint64_t native_gate(helper::Run& run, const void* executable, std::uint64_t function,
                          const std::uint64_t* arguments, const void* body) {
  struct Native {
    helper::Run& run;
    const void* body;
  } native{run, body};
  FunctionCall call;
  call.arguments = arguments;
  call.runner = &native;
  // What is thrown does not come back here.
  call.run = [](const FunctionCall& it) -> FunctionCall::Outcome {
    const auto& own = *static_cast<const Native*>(it.runner);
    return {jit::enter(own.run, own.body, it.arguments), false};
  };
  return pass_gate(run, *static_cast<const Executable*>(executable), static_cast<std::uint32_t>(function),
                   call)
      .result;
}

namespace {

// The stack of the interpreter, which machine code has no use for.
[[gnu::noinline]] std::uint64_t interpret(const Executable& executable, helper::Run& run,
                                          const std::uint64_t* arguments) {
  return Execution<NativeMemory>(executable, run, {}).call_main(arguments);
}

std::uint64_t run_native(const jit::Code& code, helper::Run& run, const std::uint64_t* arguments) {
  const jit::NativeRun native(run);
  return jit::enter(run, code.entry(), arguments);
}

}  // namespace

std::uint64_t run_in_place(const Executable& executable, helper::Run& run, const std::uint64_t* arguments) {
  map::ProgramInvoker* const caller = run.program;
  const jit::Code* const code = executable.native();
  const std::uint64_t result =
      code != nullptr ? run_native(*code, run, arguments) : interpret(executable, run, arguments);
  run.program = caller;
  return result;
}

}  // namespace portolan::vm
