// SPDX-License-Identifier: Apache-2.0
// user_ring_client OBJECT [RECORDS]: what libbpf's user ring buffers do, with the producer in this process
// and in another.
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rings/client.h"

static struct variables {
  __u64 seen, wrong, bytes;
  __s64 result;
}* variables;

static long drain(void) {
  run("drain", 1);
  return (long)variables->result;
}

static void show(const char* what, long result) {
  printf("%s: %ld, seen %llu, wrong %llu\n", what, result, (unsigned long long)variables->seen,
         (unsigned long long)variables->wrong);
}

static int put(struct user_ring_buffer* ring, __u64 number, int wait_ms) {
  struct record* record = wait_ms != 0 ? user_ring_buffer__reserve_blocking(ring, sizeof *record, wait_ms)
                                       : user_ring_buffer__reserve(ring, sizeof *record);
  if (record == NULL) return -errno;
  record->number = number;
  record->check = check_of(number);
  user_ring_buffer__submit(ring, record);
  return 0;
}

static const char* writable(int fd) {
  struct pollfd one = {fd, POLLOUT, 0};
  return poll(&one, 1, 0) > 0 && (one.revents & POLLOUT) != 0 ? "there is room" : "there is no room";
}

static void one_process(void) {
  struct user_ring_buffer* ring = user_ring_buffer__new(fd_of("commands"), NULL);
  if (ring == NULL) {
    printf("user_ring_buffer__new: %s\n", strerror(errno));
    exit(1);
  }
  show("drain, empty", drain());
  printf("empty: %s\n", writable(fd_of("commands")));
  for (__u64 number = 0; number < 10; number++) put(ring, number, 0);
  show("drain of 10", drain());
  void* lost = user_ring_buffer__reserve(ring, 100);
  user_ring_buffer__discard(ring, lost);
  put(ring, 10, 0);
  show("drain of one, after one that was discarded", drain());
  printf("too large: %s\n",
         user_ring_buffer__reserve(ring, 65 * 1024) == NULL ? strerror(errno) : "reserved");
  int result = 0;
  __u64 number = 11;
  while ((result = put(ring, number, 0)) == 0) number++;
  printf("full after %llu: %s, %s\n", (unsigned long long)number, strerror(-result),
         writable(fd_of("commands")));
  printf("full, waiting a little: %s\n", strerror(-put(ring, number, 20)));
  show("drain of all", drain());
  printf("drained: %s\n", writable(fd_of("commands")));
  user_ring_buffer__free(ring);
}

static void pages(void) {
  const int fd = fd_of("commands");
  void* all = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  printf("consumer's page, writable: %s\n", all == MAP_FAILED ? strerror(errno) : "mapped");
  all = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  printf("consumer's page: %s\n", all == MAP_FAILED ? strerror(errno) : "mapped");
  printf("mprotect: %s\n", mprotect(all, 4096, PROT_READ | PROT_WRITE) == 0 ? "0" : strerror(errno));
  munmap(all, 4096);
}

// The producer is a child, which waits for room by epoll; the parent drains.
static void two_processes(unsigned long records) {
  const __u64 first = variables->seen;
  const pid_t child = fork();
  if (child == 0) {
    struct user_ring_buffer* ring = user_ring_buffer__new(fd_of("commands"), NULL);
    alarm(60 + (unsigned)(records / 100000));
    int failed = ring == NULL;
    for (unsigned long sent = 0; sent < records && !failed; sent++)
      failed = put(ring, first + sent, 10000) != 0;
    _exit(failed);
  }
  int status = 0;
  while (variables->seen < first + records && variables->wrong == 0 && waitpid(child, &status, WNOHANG) == 0)
    (void)drain();
  while (drain() > 0) continue;
  if (variables->seen < first + records)
    printf("%llu of %lu came\n", (unsigned long long)(variables->seen - first), records);
  waitpid(child, &status, 0);
  show("from another process", WEXITSTATUS(status));
}

int main(int argc, char** argv) {
  variables = load_object(argc, argv);
  if (variables == NULL) return 1;
  one_process();
  pages();
  two_processes(records_wanted(argc, argv));
  return 0;
}
