// SPDX-License-Identifier: Apache-2.0
// How long does a map live? A table of everything that can keep its last reference: run on the kernel and
// under `portolan run`, it must print the same. `lifetime use FD` is its own other end of an exec.
#include "client.h"

#include <linux/close_range.h>
#include <spawn.h>
#include <sys/prctl.h>

extern char** environ;

// Children and parents wait for each other at a pipe.
struct gate {
  int ends[2];
};
static struct gate make_gate(void) {
  struct gate gate;
  if (pipe(gate.ends) != 0) abort();
  return gate;
}
static void open_gate(struct gate* gate) {
  if (write(gate->ends[1], "x", 1) != 1) abort();
}
static void pass(struct gate* gate) {
  char byte;
  if (read(gate->ends[0], &byte, 1) != 1) abort();
}
static void close_gate(struct gate* gate) {
  close(gate->ends[0]);
  close(gate->ends[1]);
}

static void plain_close(void) {
  int fd = make_map();
  unsigned id = id_of(fd);
  state("open", id);
  close(fd);
  state("closed", id);
  say_value("lookup by the closed fd", lookup(fd, 0));
}

static void by_system_call(void) {
  int fd = make_map();
  unsigned id = id_of(fd);
  syscall(SYS_close, fd);
  state("after syscall(SYS_close)", id);
}

static void dup_keeps(void) {
  int fd = make_map(), copy = dup(fd);
  unsigned id = id_of(fd);
  close(fd);
  say("update by the copy", update(copy, 1, 5));
  state("original closed", id);
  close(copy);
  state("copy closed", id);
}

static void fcntl_dups(void) {
  int fd = make_map();
  unsigned id = id_of(fd);
  int copy = fcntl(fd, F_DUPFD, 100), cloexec = fcntl(fd, F_DUPFD_CLOEXEC, 200);
  printf("  copies at %d and %d, FD_CLOEXEC %d %d\n", copy, cloexec, fcntl(copy, F_GETFD),
         fcntl(cloexec, F_GETFD));
  close(fd);
  close(copy);
  state("one copy left", id);
  close(cloexec);
  state("none left", id);
}

static void dup2_replaces(void) {
  int first = make_map(), second = make_map();
  unsigned first_id = id_of(first), second_id = id_of(second);
  update(first, 0, 11);
  update(second, 0, 22);
  say_value("value at second", lookup(second, 0));
  dup2(first, second);
  say_value("value at second after dup2", lookup(second, 0));
  state("second map", second_id);
  close(first);
  state("first map", first_id);
  close(second);
  state("first map after all", first_id);
}

static void dup3_replaces(void) {
  int first = make_map(), second = make_map();
  unsigned first_id = id_of(first), second_id = id_of(second);
  say("dup3", dup3(first, second, O_CLOEXEC));
  say("dup3 onto itself", dup3(first, first, 0));
  state("second map", second_id);
  close(first);
  close(second);
  state("first map", first_id);
}

static void other_file_replaces(void) {
  int fd = make_map(), null = open("/dev/null", O_RDWR);
  unsigned id = id_of(fd);
  say_value("lookup", lookup(fd, 0));
  dup2(null, fd);
  state("after dup2 of /dev/null", id);
  say_value("lookup", lookup(fd, 0));
  close(fd);
  say_value("lookup", lookup(fd, 0));
  int again = make_map();
  printf("  the next map %s the number\n", again == fd ? "reuses" : "does not reuse");
  say_value("lookup", lookup(again, 0));
  close(again);
  close(null);
}

static void close_ranges(void) {
  int fd = make_map(), copy = fcntl(fd, F_DUPFD, 300), far = fcntl(fd, F_DUPFD, 305);
  unsigned id = id_of(fd);
  close(fd);
  say("close_range of others", syscall(SYS_close_range, 301, 304, 0));
  state("two left", id);
  say("close_range with CLOEXEC", close_range(300, 310, CLOSE_RANGE_CLOEXEC));
  printf("  FD_CLOEXEC %d\n", fcntl(copy, F_GETFD));
  state("still two left", id);
  say("close_range", close_range(300, 310, 0));
  (void)far;
  state("none left", id);
  say("close_range backwards", close_range(310, 300, 0));
}

static void streams(void) {
  int fd = make_map();
  unsigned id = id_of(fd);
  FILE* stream = fdopen(fd, "r+");
  say("fdopen", stream ? 0 : -1);
  if (stream) fclose(stream);
  state("after fclose", id);
  fd = make_map();
  id = id_of(fd);
  stream = fdopen(fd, "r");
  if (stream && freopen("/dev/null", "r", stream)) state("after freopen", id);
  if (stream) fclose(stream);
}

static void child_keeps(void) {
  int fd = make_map();
  unsigned id = id_of(fd);
  struct gate gate = make_gate(), ready = make_gate();
  pid_t child = fork();
  if (child == 0) {
    open_gate(&ready);
    pass(&gate);
    _exit(update(fd, 2, 77) == 0 && lookup(fd, 2) == 77 ? 0 : 1);
  }
  pass(&ready);
  close(fd);
  state("closed by the parent", id);
  open_gate(&gate);
  int status;
  waitpid(child, &status, 0);
  printf("  the child used it: %s\n", status == 0 ? "yes" : "no");
  state("child gone", id);
  close_gate(&gate);
  close_gate(&ready);
}

static void parent_keeps(void) {
  int fd = make_map(), status;
  unsigned id = id_of(fd);
  pid_t child = fork();
  if (child == 0) {
    close(fd);
    _exit(lookup(fd, 0) == -EBADF ? 0 : 1);
  }
  waitpid(child, &status, 0);
  printf("  EBADF in the child: %s\n", status == 0 ? "yes" : "no");
  say_value("lookup", lookup(fd, 0));
  state("closed by the child", id);
  close(fd);
  state("closed by both", id);
}

static void killed_child(void) {
  int fd = make_map(), status;
  unsigned id = id_of(fd);
  struct gate ready = make_gate();
  pid_t child = fork();
  if (child == 0) {
    update(fd, 3, 33);
    open_gate(&ready);
    for (;;) pause();
  }
  pass(&ready);
  say_value("what the child wrote", lookup(fd, 3));
  close(fd);
  state("held by the child", id);
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  state("child killed", id);
  close_gate(&ready);
}

static void made_by_a_child(void) {
  int sockets[2], status;
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) != 0) abort();
  pid_t child = fork();
  if (child == 0) {
    int fd = make_map();
    unsigned id = id_of(fd);
    _exit(write(sockets[1], &id, sizeof id) == sizeof id ? 0 : 1);  // exits without closing
  }
  unsigned id = 0;
  if (read(sockets[0], &id, sizeof id) != sizeof id) abort();
  waitpid(child, &status, 0);
  state("its maker exited", id);
  close(sockets[0]);
  close(sockets[1]);
}

// --- exec
static int use_after_exec(const char* number) {
  int fd = atoi(number);
  long value = lookup(fd, 1);
  if (value >= 0) update(fd, 1, (uint64_t)value + 1);
  return value >= 0 ? 0 : (int)-value;
}

static int run_self(int fd) {
  char number[16], *arguments[] = {"lifetime", "use", number, NULL};
  int status;
  pid_t child;
  snprintf(number, sizeof number, "%d", fd);
  if (posix_spawn(&child, "/proc/self/exe", NULL, NULL, arguments, environ) != 0) abort();
  waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}

static void exec_closes(void) {
  int fd = make_map();
  printf("  FD_CLOEXEC %d\n", fcntl(fd, F_GETFD));
  int error = run_self(fd);
  printf("  used by an exec'ed program: %s\n", error ? error_name(error) : "ok");
  close(fd);
}

static void exec_keeps(void) {
  int fd = make_map();
  unsigned id = id_of(fd);
  fcntl(fd, F_SETFD, 0);
  update(fd, 1, 41);
  int error = run_self(fd);
  printf("  used by an exec'ed program: %s\n", error ? error_name(error) : "ok");
  say_value("value now", lookup(fd, 1));
  pid_t child = fork();
  if (child == 0) {
    char number[16];
    snprintf(number, sizeof number, "%d", fd);
    execl("/proc/self/exe", "lifetime", "wait", number, (char*)NULL);
    _exit(127);
  }
  close(fd);
  state("held by an exec'ed program, or by what is about to be one", id);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  state("that is gone", id);
}

// --- SCM_RIGHTS
static int send_fd(int socket, int fd) {
  char byte = 'f', control[CMSG_SPACE(sizeof fd)] = {0};
  struct iovec data = {&byte, 1};
  struct msghdr message = {
      .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  return (int)sendmsg(socket, &message, 0);
}
static int receive_fd(int socket) {
  char byte, control[CMSG_SPACE(sizeof(int))];
  int fd = -1;
  struct iovec data = {&byte, 1};
  struct msghdr message = {
      .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&message)) return -1;
  memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
  return fd;
}

static void in_flight(void) {
  int sockets[2], fd = make_map();
  unsigned id = id_of(fd);
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) != 0) abort();
  update(fd, 0, 9);
  send_fd(sockets[0], fd);
  close(fd);
  state("in flight", id);
  int received = receive_fd(sockets[1]);
  say_value("lookup by the received fd", lookup(received, 0));
  state("received", id);
  send_fd(sockets[0], received);
  close(received);
  state("in flight again", id);
  close(sockets[0]);
  close(sockets[1]);
  state("sockets closed", id);
}

static void sent_by_a_child(void) {
  int sockets[2], status;
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) != 0) abort();
  pid_t child = fork();
  if (child == 0) {
    int made = make_map();
    update(made, 2, 222);
    send_fd(sockets[1], made);
    _exit(0);
  }
  waitpid(child, &status, 0);
  int fd = receive_fd(sockets[0]);
  unsigned id = id_of(fd);
  say_value("value that the child wrote", lookup(fd, 2));
  say("update", update(fd, 2, 5));
  state("held by the receiver", id);
  close(fd);
  state("closed by the receiver", id);
  close(sockets[0]);
  close(sockets[1]);
}

static void pidfd_takes(void) {
  struct gate ready = make_gate();
  int fd = make_map();
  unsigned id = id_of(fd);
  pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    open_gate(&ready);
    for (;;) pause();
  }
  pass(&ready);
  close(fd);
  int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
  int taken = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
  say("pidfd_getfd", taken);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  state("child killed", id);
  say_value("lookup", lookup(taken, 0));
  close(taken);
  state("closed", id);
  close(pidfd);
  close_gate(&ready);
}

static const struct {
  const char* name;
  void (*run)(void);
} kCases[] = {
    {"close", plain_close},
    {"close by system call", by_system_call},
    {"dup keeps it", dup_keeps},
    {"F_DUPFD and F_DUPFD_CLOEXEC", fcntl_dups},
    {"dup2 over another map", dup2_replaces},
    {"dup3 over another map", dup3_replaces},
    {"another file over the last fd", other_file_replaces},
    {"close_range", close_ranges},
    {"fclose and freopen", streams},
    {"a forked child keeps it", child_keeps},
    {"a forked child closes it", parent_keeps},
    {"a forked child is killed", killed_child},
    {"its maker exits", made_by_a_child},
    {"exec closes it", exec_closes},
    {"exec keeps it without FD_CLOEXEC", exec_keeps},
    {"SCM_RIGHTS to oneself", in_flight},
    {"SCM_RIGHTS from a child that exits", sent_by_a_child},
    {"pidfd_getfd", pidfd_takes},
};

int main(int argc, char** argv) {
  if (argc == 3 && strcmp(argv[1], "use") == 0) return use_after_exec(argv[2]);
  if (argc == 3 && strcmp(argv[1], "wait") == 0) {
    for (;;) pause();
  }
  setvbuf(stdout, NULL, _IONBF, 0);
  for (size_t i = 0; i < sizeof kCases / sizeof kCases[0]; ++i) {
    printf("%s\n", kCases[i].name);
    kCases[i].run();
  }
  return 0;
}
