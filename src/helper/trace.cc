// SPDX-License-Identifier: Apache-2.0
#include "helper/trace.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>

#include "base/clock.h"
#include "base/sys.h"
#include "base/unique_fd.h"

namespace portolan::helper {
namespace {

constexpr int kPipeBytes = 1 << 20;  // as much as anybody may ask for

// Takes about a page of messages out, up to the end of one. Where several do this at once, or somebody reads,
// a message may be cut.
bool drop_oldest(int fd) {
  char page[4096];
  const long got = sys::call(SYS_read, fd, reinterpret_cast<long>(page), sizeof page);
  if (got <= 0) return false;
  for (char last = page[got - 1]; last != '\n';)
    if (sys::call(SYS_read, fd, reinterpret_cast<long>(&last), 1) != 1) break;
  return true;
}

// "          <comm>-<tid>   [<cpu>] .....  <s>.<us>: bpf_trace_printk: <text>"
std::string line_of(std::uint32_t cpu, std::string_view text) {
  char comm[16] = {};
  sys::call(SYS_prctl, PR_GET_NAME, reinterpret_cast<long>(comm));
  const std::uint64_t microseconds = (monotonic_ns() + 500) / 1000;
  std::string line = fmt::format("{:>16}-{:<7} [{:03}] ..... {:5}.{:06}: bpf_trace_printk: ", comm,
                                 sys::gettid(), cpu, microseconds / 1'000'000, microseconds % 1'000'000);
  line += text.substr(0, text.find('\0'));
  line += '\n';  // also after a text that brings its own, as the kernel does
  return line;
}

}  // namespace

static Result<int> open_pipe(int runtime_directory_fd) {
  constexpr int kFlags = O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW;
  const auto fd = sys::openat(runtime_directory_fd, kTracePipe, kFlags);
  if (fd || fd.error().value != ENOENT) return fd;
  const long made =
      sys::call(SYS_mknodat, runtime_directory_fd, reinterpret_cast<long>(kTracePipe), S_IFIFO | 0600, 0);
  if (made < 0 && made != -EEXIST) return fail(static_cast<int>(-made));
  return sys::openat(runtime_directory_fd, kTracePipe, kFlags);
}

Result<UniqueFd> keep_trace_pipe(int runtime_directory_fd) {
  UniqueFd pipe(TRY(open_pipe(runtime_directory_fd)));
  sys::call(SYS_fcntl, pipe.get(), F_SETPIPE_SZ, kPipeBytes);  // else it keeps what it has
  return pipe;
}

void trace_message(object::Runtime& runtime, std::uint32_t cpu, std::string_view text) {
  const auto opened = open_pipe(runtime.directory_fd());
  if (!opened) return;
  const UniqueFd pipe(*opened);
  const std::string line = line_of(cpu, text);  // shorter than PIPE_BUF: written whole or not at all
  for (int tries = 0; tries < 16; ++tries) {
    const long wrote =
        sys::call(SYS_write, pipe.get(), reinterpret_cast<long>(line.data()), static_cast<long>(line.size()));
    if (wrote != -EAGAIN || !drop_oldest(pipe.get())) return;
  }
}

}  // namespace portolan::helper
