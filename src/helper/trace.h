// SPDX-License-Identifier: Apache-2.0
// Where bpf_printk writes: the runtime's trace_pipe, in the format of the kernel's.
#pragma once
#include <string_view>

#include "base/unique_fd.h"
#include "object/runtime.h"

namespace portolan::helper {

inline constexpr const char* kTracePipe = "trace_pipe";  // in the runtime's directory

// Makes the FIFO if it is not there and opens it, O_CLOEXEC. Whoever keeps this fd keeps what is written
// there to be read; without any, messages that nobody waits for are gone.
Result<UniqueFd> keep_trace_pipe(int runtime_directory_fd);

// Never waits: where the FIFO is full, its oldest messages go.
void trace_message(object::Runtime& runtime, std::uint32_t cpu, std::string_view text);

}  // namespace portolan::helper
