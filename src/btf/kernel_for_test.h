// SPDX-License-Identifier: Apache-2.0
// The live kernel's BTF_LOAD, as the oracle.
#pragma once
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "abi/attr.h"
#include "abi/command.h"
#include "base/bytes.h"

namespace portolan::btf {

struct KernelAnswer {
  int error = 0;  // 0: loaded
  std::uint32_t true_size = 0;
  std::string log;  // all `log_size` bytes of the buffer, which was filled with '~'
};

// `fd`, if not nullptr, gets the loaded object's; otherwise it is closed at once.
inline KernelAnswer kernel_load(ConstBytes blob, std::uint32_t log_level = 0, std::uint32_t log_size = 0,
                                int* fd = nullptr) {
  KernelAnswer answer;
  answer.log.assign(log_size, '~');
  abi::BtfLoadAttr attr{};
  attr.btf = reinterpret_cast<std::uint64_t>(blob.data());
  attr.btf_size = static_cast<std::uint32_t>(blob.size());
  attr.btf_log_level = log_level;
  attr.btf_log_buf = log_size != 0 ? reinterpret_cast<std::uint64_t>(answer.log.data()) : 0;
  attr.btf_log_size = log_size;
  const long result = ::syscall(SYS_bpf, static_cast<int>(abi::Command::kBtfLoad), &attr, sizeof attr);
  answer.error = result < 0 ? errno : 0;
  answer.true_size = attr.btf_log_true_size;
  if (fd != nullptr)
    *fd = static_cast<int>(result);
  else if (result >= 0)
    ::close(static_cast<int>(result));
  return answer;
}

}  // namespace portolan::btf
