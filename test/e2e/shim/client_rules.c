// SPDX-License-Identifier: Apache-2.0
// What a client may do with signals and fds around bpf(2). Prints what goes wrong; exit status 1 then.
#include <bpf/bpf.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static int failed;
static void expect(const char* what, int holds) {
  if (holds) return;
  printf("not so: %s (errno %d)\n", what, errno);
  failed = 1;
}

static sigjmp_buf back;
static int* volatile nowhere = (int*)16;
static void on_fault(int number) {
  (void)number;
  siglongjmp(back, 1);
}

static int looked_up, handler_fd;
static void on_alarm(int number) {
  unsigned key = 1;
  unsigned long value;
  (void)number;
  if (bpf_map_lookup_elem(handler_fd, &key, &value) == 0) looked_up++;
}

static int make(enum bpf_map_type type) { return bpf_map_create(type, "rules", 4, 8, 1024, 0); }

static void faults(void) {
  unsigned long value = 7;
  int fd = make(BPF_MAP_TYPE_ARRAY);
  struct sigaction seen;
  signal(SIGSEGV, on_fault);
  expect("a bad key pointer is EFAULT under a handler of the client's",
         bpf_map_lookup_elem(fd, (void*)8, &value) == -EFAULT);
  volatile int caught = 1;
  if (!sigsetjmp(back, 1)) {
    caught = 0;
    *nowhere = 1;
  } else {
    caught = 1;
  }
  expect("the client's own fault reaches its handler", caught);
  sigaction(SIGSEGV, NULL, &seen);
  expect("sigaction reports the client's handler", seen.sa_handler == on_fault);
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, NULL);
  expect("EFAULT with all signals blocked", bpf_map_lookup_elem(fd, (void*)8, &value) == -EFAULT);
  sigemptyset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  close(fd);
}

static void put_off(void) {
  struct itimerval each = {{0, 200}, {0, 200}}, none = {{0, 0}, {0, 0}};
  int fd = make(BPF_MAP_TYPE_HASH);
  handler_fd = fd;
  signal(SIGALRM, on_alarm);
  setitimer(ITIMER_REAL, &each, NULL);
  int errors = 0;
  for (unsigned i = 0; looked_up < 200; ++i) {
    unsigned key = i & 1023;
    unsigned long value = i;
    errors += bpf_map_update_elem(fd, &key, &value, 0) != 0;
  }
  setitimer(ITIMER_REAL, &none, NULL);
  expect("updates under handlers that call bpf(2) too", errors == 0);
  close(fd);
}

static void closing(void) {
  unsigned key = 0;
  unsigned long value;
  int fd = make(BPF_MAP_TYPE_ARRAY);
  syscall(SYS_close, fd);
  expect("closed by syscall()", bpf_map_lookup_elem(fd, &key, &value) == -EBADF);
  fd = make(BPF_MAP_TYPE_ARRAY);
  int null_fd = dup(1);
  dup2(null_fd, fd);
  expect("replaced by dup2", bpf_map_lookup_elem(fd, &key, &value) == -EINVAL);
  fd = make(BPF_MAP_TYPE_ARRAY);
  FILE* file = fdopen(fd, "r");
  fclose(file);
  expect("closed by fclose", bpf_map_lookup_elem(fd, &key, &value) == -EBADF);
  fd = make(BPF_MAP_TYPE_ARRAY);
  close_range(3, ~0u, 0);
  expect("closed by close_range", bpf_map_lookup_elem(fd, &key, &value) == -EBADF);
  fd = make(BPF_MAP_TYPE_ARRAY);
  expect("the runtime outlives close_range", fd >= 0 && bpf_map_lookup_elem(fd, &key, &value) == 0);
  closefrom(3);
  expect("the runtime outlives closefrom", make(BPF_MAP_TYPE_ARRAY) >= 0);
  fd = make(BPF_MAP_TYPE_ARRAY);
  pid_t child = vfork();
  if (child == 0) {
    close(fd);
    _exit(0);
  }
  waitpid(child, NULL, 0);
  expect("open here after a vfork child closed it", bpf_map_lookup_elem(fd, &key, &value) == 0);
}

int main(void) {
  faults();
  put_off();
  closing();
  if (!failed) puts("ok");
  return failed;
}
