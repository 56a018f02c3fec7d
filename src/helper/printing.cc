// SPDX-License-Identifier: Apache-2.0
// bpf_printk and bpf_snprintf, and what programs of iterators write.
#include <string>
#include <vector>

#include "helper/format.h"
#include "helper/functions.h"
#include "helper/memory.h"
#include "helper/trace.h"

namespace portolan::helper::functions {
namespace {

constexpr std::uint32_t kMostFormat = 1 << 16;  // none is longer: see kMostText
constexpr std::size_t kMostText = 1024;         // MAX_BPRINTF_BUF, with its NUL

// The arguments that a program has put into a row. EINVAL, EFAULT.
Result<std::vector<U64>> arguments_at(U64 address, std::uint32_t size) {
  if (size % 8 != 0 || size > kMostArguments * 8 || (size != 0 && address == 0)) return fail(EINVAL);
  std::vector<U64> arguments(size / 8);
  if (!portolan_fault_copy(arguments.data(), pointer(address), size)) return fail(EFAULT);
  return arguments;
}

Result<std::string> format_at(U64 address, std::uint32_t size) {
  std::string format(std::min(size, kMostFormat), '\0');
  const long length =
      portolan_fault_copy_string(format.data(), static_cast<const char*>(pointer(address)), format.size());
  if (length < 0) return fail(EFAULT);
  if (static_cast<std::size_t>(length) == format.size()) return fail(EINVAL);
  format.resize(static_cast<std::size_t>(length));
  return format;
}

U64 trace(Run& run, U64 format_arg, U64 size, std::span<const U64> arguments) {
  const auto format = format_at(format_arg, static_cast<std::uint32_t>(size));
  if (!format) return negative(format.error().value);
  const auto text = format_text(format->c_str(), arguments);
  if (!text) return negative(text.error().value);
  trace_message(run.runtime, run.cpu, std::string_view(*text).substr(0, kMostText - 1));
  return text->size();
}

}  // namespace

U64 trace_printk(Run& run, U64 format, U64 size, U64 first, U64 second, U64 third) {
  const U64 arguments[] = {first, second, third};
  return trace(run, format, size, arguments);
}

U64 trace_vprintk(Run& run, U64 format, U64 size, U64 arguments_arg, U64 arguments_size, U64) {
  const auto arguments = arguments_at(arguments_arg, static_cast<std::uint32_t>(arguments_size));
  return arguments ? trace(run, format, size, *arguments) : negative(arguments.error().value);
}

// The verifier has seen that it is the iterator's own that the program names.
U64 seq_printf(Run& run, U64, U64 format_arg, U64 size, U64 arguments_arg, U64 arguments_size) {
  const auto arguments = arguments_at(arguments_arg, static_cast<std::uint32_t>(arguments_size));
  if (!arguments) return negative(arguments.error().value);
  const auto format = format_at(format_arg, static_cast<std::uint32_t>(size));
  if (!format) return negative(format.error().value);
  const auto text = format_text(format->c_str(), *arguments);
  if (!text) return negative(text.error().value);
  if (run.attachment == nullptr || run.attachment->seq_file == nullptr) return negative(EINVAL);
  return run.attachment->seq_file->write(*text) ? 0 : negative(EOVERFLOW);
}

U64 seq_write(Run& run, U64, U64 from, U64 size_arg, U64, U64) {
  if (run.attachment == nullptr || run.attachment->seq_file == nullptr) return negative(EINVAL);
  // More than there is room for need not be copied to be refused.
  std::string bytes(std::min<std::size_t>(static_cast<std::uint32_t>(size_arg), SeqFile::kRoom), '\0');
  if (!portolan_fault_copy(bytes.data(), pointer(from), bytes.size())) return negative(EFAULT);
  return run.attachment->seq_file->write(bytes) ? 0 : negative(EOVERFLOW);
}

// The length of the whole text with its NUL, of which as much as fits is there.
U64 snprintf(Run&, U64 to, U64 size_arg, U64 format, U64 arguments_arg, U64 arguments_size) {
  const auto size = static_cast<std::uint32_t>(size_arg);
  const auto arguments = arguments_at(arguments_arg, static_cast<std::uint32_t>(arguments_size));
  if (!arguments) return negative(arguments.error().value);
  const auto text = format_text(static_cast<const char*>(pointer(format)), *arguments);
  if (!text) return negative(text.error().value);
  if (size != 0 && to != 0) {
    const std::size_t kept = std::min<std::size_t>(text->size(), size - 1);
    if (!portolan_fault_copy(pointer(to), text->data(), kept)) return negative(EFAULT);
    clear(to + kept, 1);
  }
  return text->size() + 1;
}

}  // namespace portolan::helper::functions
