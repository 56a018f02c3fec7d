// SPDX-License-Identifier: Apache-2.0
// What a program asks about the hook that runs it.
#include "helper/function_address.h"
#include "helper/functions.h"
#include "helper/memory.h"

namespace portolan::helper::functions {
namespace {

U64 word_out(U64 to, U64 value) {
  return portolan_fault_copy(mutable_bytes_at(to), &value, sizeof value) ? 0 : negative(EFAULT);
}

}  // namespace

U64 get_attach_cookie(Run& run, U64, U64, U64, U64, U64) {
  return run.attachment == nullptr ? 0 : run.attachment->cookie;
}

U64 get_func_arg(Run& run, U64, U64 number, U64 to, U64, U64) {
  if (run.attachment == nullptr || static_cast<std::uint32_t>(number) >= run.attachment->argument_count)
    return negative(EINVAL);
  return word_out(to, run.attachment->arguments[static_cast<std::uint32_t>(number)]);
}

U64 get_func_ret(Run& run, U64, U64 to, U64, U64, U64) {
  if (run.attachment == nullptr || !run.attachment->has_result) return negative(EOPNOTSUPP);
  return word_out(to, run.attachment->arguments[run.attachment->argument_count]);
}

U64 get_func_ip(Run& run, U64, U64, U64, U64, U64) {
  if (run.attachment == nullptr) return 0;
  return run.attachment->function != 0 ? function_address(run.attachment->function) : run.attachment->address;
}

U64 session_is_return(Run& run, U64, U64, U64, U64, U64) {
  return run.attachment != nullptr && run.attachment->session != nullptr && run.attachment->session->is_return
             ? 1
             : 0;
}

U64 session_cookie(Run& run, U64, U64, U64, U64, U64) {
  static thread_local U64 of_no_session = 0;
  const bool has_session = run.attachment != nullptr && run.attachment->session != nullptr;
  return reinterpret_cast<U64>(has_session ? &run.attachment->session->cookie : &of_no_session);
}

U64 get_func_arg_cnt(Run& run, U64, U64, U64, U64, U64) {
  return run.attachment == nullptr ? 0 : run.attachment->argument_count;
}

// R0 of both is a number of 32 bits with a sign.
U64 get_retval(Run& run, U64, U64, U64, U64, U64) {
  if (run.attachment == nullptr || run.attachment->retval == nullptr) return 0;
  return static_cast<U64>(std::int64_t{*run.attachment->retval});
}

U64 set_retval(Run& run, U64 value, U64, U64, U64, U64) {
  if (run.attachment != nullptr && run.attachment->retval != nullptr)
    *run.attachment->retval = static_cast<std::int32_t>(value);
  return 0;
}

}  // namespace portolan::helper::functions
