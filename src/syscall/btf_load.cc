// SPDX-License-Identifier: Apache-2.0
#include <new>
#include <vector>

#include "abi/limits.h"
#include "btf/btf.h"
#include "map/btf_object.h"
#include "syscall/user_log.h"

namespace portolan::syscall {
namespace {

Result<std::vector<std::byte>> copy_blob(const Call& call) {
  std::vector<std::byte> blob;
  try {
    blob.resize(call.attr.btf_load.btf_size);
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
  TRY(call.caller.copy_in(blob.data(), call.attr.btf_load.btf, blob.size()));
  return blob;
}

Result<void> hand_over(const Call& call, const btf::Log& log) {
  return hand_over(call, log, call.attr.btf_load.btf_log_buf, offsetof(abi::BtfLoadAttr, btf_log_true_size));
}

}  // namespace

Result<long> btf_load(const Call& call) {
  const abi::BtfLoadAttr& attr = call.attr.btf_load;
  if ((attr.btf_flags & ~abi::kTokenFdFlag) != 0) return fail(EINVAL);
  if ((attr.btf_flags & abi::kTokenFdFlag) != 0) {
    const int token = TRY(call.caller.resolve_fd(attr.btf_token_fd));
    (void)TRY(call.runtime.target_of_any_fd(token));
    return fail(EINVAL);  // nothing is a token
  }
  if (attr.btf_size > abi::kMaxBtfSize) return fail(E2BIG);
  if (!btf::log_settings_are_valid(attr.btf_log_level, attr.btf_log_buf != 0, attr.btf_log_size))
    return fail(EINVAL);
  btf::Log log(attr.btf_log_level, attr.btf_log_size);
  const auto copied = copy_blob(call);
  if (!copied) {
    TRY(hand_over(call, log));  // how long the log is, is said also when there was nothing to read
    return fail(copied.error());
  }
  const std::vector<std::byte>& blob = *copied;
  const auto parsed = btf::Btf::parse(blob, &log);
  TRY(hand_over(call, log));
  if (!parsed) return fail(parsed.error());
  object::Draft draft = TRY(map::draft_btf(call.runtime, blob));
  auto published = TRY(call.runtime.publish(std::move(draft), {}, shm::Access::kReadOnly));
  return TRY(call.caller.install_fd(std::move(published.fd)));
}

}  // namespace portolan::syscall
