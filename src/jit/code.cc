// SPDX-License-Identifier: Apache-2.0
#include "jit/code.h"

#include <new>

#include "jit/emitter.h"

extern "C" {
std::uint64_t portolan_jit_enter(portolan::helper::Run* run, const void* code, std::uint64_t a,
                                 std::uint64_t b, std::uint64_t c, std::uint64_t d, std::uint64_t e);
extern const char portolan_jit_return_context[];
}

namespace portolan::jit {
namespace {

// More than any function begins and ends with, and than any instruction becomes, landings included.
constexpr std::size_t kBytesOfFunction = 1024, kBytesOfInsn = 128;

}  // namespace

Result<std::unique_ptr<const Code>> Code::create(const Source& source) {
  try {
    const std::size_t room =
        source.subprograms.size() * kBytesOfFunction + source.insns.size() * kBytesOfInsn;
    const auto buffer = std::make_unique_for_overwrite<std::uint8_t[]>(room);
    Emitter emitter(source, {buffer.get(), room});
    emitter.emit();
    std::unique_ptr<Code> code(new Code);
    code->starts_ = emitter.starts();
    code->places_ = emitter.take_places();
    code->block_ = TRY(CodeBlock::create(emitter.code(), emitter.take_recoveries()));
    code->entry_ = code->block_->code().data();
    return code;
  } catch (const Xbyak::Error&) {
    return fail(EINVAL);
  } catch (const std::exception&) {  // bad_alloc; out_of_range: a jump to nowhere
    return fail(ENOMEM);
  }
}

std::uint64_t NativeRun::call_back(std::uint64_t function, std::uint64_t a, std::uint64_t b, std::uint64_t c,
                                   std::uint64_t d, std::uint64_t e) {
  return portolan_jit_enter(&run_, reinterpret_cast<const void*>(function), a, b, c, d, e);
}

std::uint64_t enter(helper::Run& run, const void* code, const std::uint64_t* arguments) {
  return portolan_jit_enter(&run, code, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4]);
}

TailTarget returning(std::uint64_t result) { return {portolan_jit_return_context, result}; }

}  // namespace portolan::jit
