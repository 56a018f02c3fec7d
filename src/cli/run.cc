// SPDX-License-Identifier: Apache-2.0
// portolan run: the command's process is made by fork, so that this one stays behind: it keeps the runtime
// open, answers what the seccomp filter catches, passes signals on, and clears the private runtime away.
#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <string>

#include "cli/command.h"
#include "cli/filter.h"
#include "helper/kernel_btf.h"
#include "helper/trace.h"
#include "object/runtime.h"
#include "syscall/dispatch.h"

namespace portolan::cli {
namespace {

constexpr int kCannotSetUp = 125, kCannotExecute = 126, kNotFound = 127;

struct Options {
  std::string runtime;  // empty: a private one
  std::uint32_t kernel_version = 0;
  std::string kernel_btf;  // empty: as the environment says
  bool verbose = false;
  Arguments command;
};

int complain(int status, const std::string& text) {
  fmt::print(stderr, "portolan run: {}\n", text);
  return status;
}

// "6.18" or "6.18.3", as KERNEL_VERSION counts; 0: no version.
std::uint32_t parse_version(std::string_view text) {
  std::uint32_t part[3] = {};
  const char *at = text.data(), *end = at + text.size();
  for (int i = 0; i < 3; ++i) {
    const auto [next, error] = std::from_chars(at, end, part[i]);
    if (error != std::errc{} || part[i] > 255) return 0;
    at = next;
    if (at == end) return i == 0 ? 0 : part[0] << 16 | part[1] << 8 | part[2];
    if (*at++ != '.') return 0;
  }
  return 0;
}

// 0: go on; else the exit status.
int parse(Arguments arguments, Options& options, bool& done) {
  std::size_t i = 0;
  done = true;
  for (; i < arguments.size() && arguments[i][0] == '-'; ++i) {
    const std::string_view word = arguments[i];
    if (word == "--") {
      ++i;
      break;
    }
    if (word == "--help" || word == "-h") {
      fmt::print("usage: {}\n", kRunUsage);
      return 0;
    }
    if (word == "-v") {
      options.verbose = true;
    } else if (word == "--runtime" || word == "--kernel" || word == "--btf") {
      if (++i == arguments.size()) return complain(kCannotSetUp, fmt::format("{} wants a value", word));
      if (word == "--runtime") {
        options.runtime = arguments[i];
        if (options.runtime.empty())
          return complain(kCannotSetUp, "--runtime wants the name of a directory, not \"\"");
      } else if (word == "--btf") {
        options.kernel_btf = arguments[i];
        if (options.kernel_btf.empty())
          return complain(kCannotSetUp, "--btf wants the name of a file, not \"\"");
      } else if ((options.kernel_version = parse_version(arguments[i])) == 0) {
        return complain(kCannotSetUp,
                        fmt::format("--kernel wants a version such as 6.18, not \"{}\"", arguments[i]));
      }
    } else {
      return complain(kCannotSetUp, fmt::format("unknown option {}\nusage: {}", word, kRunUsage));
    }
  }
  options.command = arguments.subspan(i);
  if (options.command.empty()) return complain(kCannotSetUp, fmt::format("no command\nusage: {}", kRunUsage));
  done = false;
  return 0;
}

// The preload library: beside this program, or where an installation has it.
std::string find_preload() {
  char self[PATH_MAX];
  const ssize_t length = ::readlink("/proc/self/exe", self, sizeof self);
  if (length <= 0) return {};
  const std::string program(self, static_cast<std::size_t>(length));
  const std::string folder = program.substr(0, program.rfind('/'));
  for (const char* place : {"/libportolan-preload.so", "/../lib/libportolan-preload.so",
                            "/../lib/x86_64-linux-gnu/libportolan-preload.so"})
    if (::access((folder + place).c_str(), R_OK) == 0) return folder + place;
  return {};
}

void set_environment(const std::string& preload, const std::string& directory) {
  const char* others = std::getenv("LD_PRELOAD");
  std::string all = preload;
  if (others != nullptr && *others != '\0' &&
      std::string_view(others).find(preload) == std::string_view::npos)
    all += std::string(":") + others;
  ::setenv("LD_PRELOAD", all.c_str(), 1);
  ::setenv("PORTOLAN_RUNTIME", directory.c_str(), 1);
}

// What the command's processes need not do again.
Result<void> set_kernel_types(object::Runtime& runtime, std::string file, std::string& why) {
  const char* const named = std::getenv("PORTOLAN_BTF");
  if (file.empty() && named != nullptr) file = named;
  if (file.empty()) return {};
  syscall::prepare(runtime);
  TRY(helper::give_kernel_btf(runtime, file, &why));
  ::unsetenv("PORTOLAN_BTF");
  return {};
}

void send_fd(int socket, int fd) {
  char byte = fd >= 0 ? 1 : 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  ::sendmsg(socket, &message, 0);
}

// -1: the child has no listener, or died first.
int receive_fd(int socket) {
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (::recvmsg(socket, &message, MSG_CMSG_CLOEXEC) <= 0) return -1;
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  int fd = -1;
  if (header != nullptr && header->cmsg_type == SCM_RIGHTS) std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return fd;
}

[[noreturn]] void be_command(const Options& options, int socket, const sigset_t& mask) {
  auto listener = install_filter();
  if (!listener)
    ::_exit(complain(kCannotSetUp,
                     fmt::format("cannot install the seccomp filter that keeps bpf(2) from the kernel: {}",
                                 ::strerror(listener.error().value))));
  if (*listener < 0 && options.verbose)
    fmt::print(stderr,
               "portolan run: no seccomp listener here: raw bpf(2) calls get ENOSYS without a message\n");
  send_fd(socket, *listener);
  if (*listener >= 0) ::close(*listener);
  ::sigprocmask(SIG_SETMASK, &mask, nullptr);
  ::execvp(options.command[0], options.command.data());
  const int error = errno;
  ::_exit(complain(error == ENOENT ? kNotFound : kCannotExecute,
                   fmt::format("cannot run {}: {}", options.command[0], ::strerror(error))));
}

// Waits for the command; meanwhile answers the listener and passes signals on. The exit status.
int attend(pid_t child, int signals, int listener, bool& others_live) {
  RawCallWatch watch(listener);
  pollfd waiting[2] = {{signals, POLLIN, 0}, {listener, POLLIN, 0}};
  for (;;) {
    if (::poll(waiting, listener >= 0 ? 2 : 1, -1) < 0 && errno != EINTR) return kCannotSetUp;
    if (listener >= 0 && (waiting[1].revents & POLLIN) != 0) watch.answer_one();
    if ((waiting[1].revents & (POLLHUP | POLLERR)) != 0) listener = -1;
    if ((waiting[0].revents & POLLIN) == 0) continue;
    signalfd_siginfo info{};
    if (::read(signals, &info, sizeof info) != sizeof info) continue;
    if (info.ssi_signo != SIGCHLD) {
      // The terminal sends SIGINT, SIGQUIT and SIGHUP to the command as well; from a process only we get
      // them.
      if (info.ssi_code <= 0 || info.ssi_signo == SIGTERM) ::kill(child, static_cast<int>(info.ssi_signo));
      continue;
    }
    int status = 0;
    if (::waitpid(child, &status, WNOHANG) != child) continue;
    // The listener hangs up when no process is left that has the filter.
    pollfd filter{listener, 0, 0};
    others_live = listener >= 0 && ::poll(&filter, 1, 0) == 0;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
}

int run_command(const Options& options, bool& others_live) {
  int sockets[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
    return complain(kCannotSetUp, fmt::format("socketpair: {}", ::strerror(errno)));
  sigset_t caught, before;
  ::sigemptyset(&caught);
  for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2})
    ::sigaddset(&caught, signal);
  ::sigprocmask(SIG_BLOCK, &caught, &before);
  const int signals = ::signalfd(-1, &caught, SFD_CLOEXEC);
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) return complain(kCannotSetUp, fmt::format("fork: {}", ::strerror(errno)));
  if (child == 0) be_command(options, sockets[1], before);
  ::close(sockets[1]);
  return attend(child, signals, receive_fd(sockets[0]), others_live);
}

}  // namespace

int run(Arguments arguments) {
  Options options;
  bool done = false;
  if (const int status = parse(arguments, options, done); done) return status;
  const std::string preload = find_preload();
  if (preload.empty())
    return complain(kCannotSetUp, "libportolan-preload.so is neither beside this program nor in ../lib");

  std::string why, directory = options.runtime;
  const bool is_private = directory.empty();
  if (is_private) {
    auto made = object::Runtime::make_private_directory(&why);
    if (!made) return complain(kCannotSetUp, why);
    directory = *made;
  }
  auto runtime = object::Runtime::open(directory, {.kernel_version = options.kernel_version}, &why);
  if (!runtime) return complain(kCannotSetUp, why);
  if (!set_kernel_types(**runtime, options.kernel_btf, why)) {
    runtime->reset();
    if (is_private) (void)object::Runtime::remove_private_directory(directory);
    return complain(kCannotSetUp, why);
  }
  char absolute[PATH_MAX];
  if (::realpath(directory.c_str(), absolute) != nullptr) directory = absolute;
  if (options.verbose)
    fmt::print(stderr, "portolan run: runtime {} in {}\n", is_private ? "(private)" : "(shared)", directory);
  set_environment(preload, directory);
  // Held open, so that what programs print can be read later too.
  const auto trace = helper::keep_trace_pipe((*runtime)->directory_fd());

  bool others_live = false;
  const int status = run_command(options, others_live);
  runtime->reset();
  // Processes that outlive the command keep the runtime; a later run clears it away.
  if (is_private && !others_live) (void)object::Runtime::remove_private_directory(directory);
  return status;
}

}  // namespace portolan::cli
