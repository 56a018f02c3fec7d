// SPDX-License-Identifier: Apache-2.0
// ring_client OBJECT [RECORDS]: what libbpf's ring buffers do, with the consumer in this process and in
// another.
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rings/client.h"

struct seen {
  unsigned long count, wrong;
  __u64 next;  // number
};

static struct variables {
  __u64 sent, flags;
}* variables;

static int on_record(void* context, void* data, size_t size) {
  struct seen* seen = context;
  const struct record* record = data;
  if (size != sizeof *record || record->number != seen->next || record->check != check_of(record->number))
    seen->wrong++;
  seen->next = record->number + 1;
  seen->count++;
  return 0;
}

static void show(const char* what, int result, const struct seen* seen) {
  printf("%s: %d, records %lu, wrong %lu\n", what, result, seen->count, seen->wrong);
}

// Whether somebody who polls the fd would be woken.
static const char* ready(int fd) {
  struct pollfd one = {fd, POLLIN, 0};
  return poll(&one, 1, 0) > 0 ? "ready" : "not ready";
}

static void one_process(void) {
  struct seen seen = {0};
  struct ring_buffer* rings = ring_buffer__new(fd_of("first"), on_record, &seen, NULL);
  if (rings == NULL) {
    printf("ring_buffer__new: %s\n", strerror(errno));
    return;
  }
  show("poll of an empty ring", ring_buffer__poll(rings, 0), &seen);
  run("produce", 3);
  show("poll after three", ring_buffer__poll(rings, 1000), &seen);
  show("poll once more", ring_buffer__poll(rings, 0), &seen);
  variables->flags = BPF_RB_NO_WAKEUP;
  run("produce", 5);
  show("poll without a wakeup", ring_buffer__poll(rings, 10), &seen);
  variables->flags = BPF_RB_FORCE_WAKEUP;
  run("produce", 1);
  show("poll after a forced one", ring_buffer__poll(rings, 1000), &seen);
  variables->flags = BPF_RB_NO_WAKEUP;
  run("produce", 2);
  show("consume", ring_buffer__consume(rings), &seen);
  variables->flags = 0;
  run("discard", 2);
  show("poll after two discarded", ring_buffer__poll(rings, 1000), &seen);

  printf("epoll fd: %s\n", ready(ring_buffer__epoll_fd(rings)));
  run("produce", 2);
  printf("epoll fd after two: %s; the ring itself: %s\n", ready(ring_buffer__epoll_fd(rings)),
         ready(fd_of("first")));
  show("consume", ring_buffer__consume(rings), &seen);
  printf("epoll fd after that: %s; the ring itself: %s\n", ready(ring_buffer__epoll_fd(rings)),
         ready(fd_of("first")));

  const int outer = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {EPOLLIN, {.u64 = 0x1234567890}};
  printf("epoll_ctl of the epoll fd: %d\n",
         epoll_ctl(outer, EPOLL_CTL_ADD, ring_buffer__epoll_fd(rings), &event));
  printf("outer: %d\n", epoll_wait(outer, &event, 1, 0));
  run("produce", 1);
  memset(&event, 0, sizeof event);
  const int got = epoll_wait(outer, &event, 1, 1000);
  printf("outer after one: %d, events %#x, data %#llx\n", got, event.events,
         (unsigned long long)event.data.u64);
  show("consume", ring_buffer__consume(rings), &seen);
  printf("outer after that: %d\n", epoll_wait(outer, &event, 1, 0));
  close(outer);

  seen.next = variables->sent;
  struct seen other = {.next = variables->sent};
  printf("a second ring: %d\n", ring_buffer__add(rings, fd_of("second"), on_record, &other));
  run("output", 4);
  show("poll of two", ring_buffer__poll(rings, 1000), &seen);
  show("the second", 0, &other);
  ring_buffer__free(rings);

  const int instance = epoll_create1(EPOLL_CLOEXEC);
  event = (struct epoll_event){EPOLLIN, {.u64 = 7}};
  printf("add: %d\n", epoll_ctl(instance, EPOLL_CTL_ADD, fd_of("first"), &event));
  int failed = epoll_ctl(instance, EPOLL_CTL_ADD, fd_of("first"), &event);
  printf("add again: %d %s\n", failed, strerror(errno));
  printf("change: %d\n", epoll_ctl(instance, EPOLL_CTL_MOD, fd_of("first"), &event));
  printf("delete: %d\n", epoll_ctl(instance, EPOLL_CTL_DEL, fd_of("first"), NULL));
  failed = epoll_ctl(instance, EPOLL_CTL_DEL, fd_of("first"), NULL);
  printf("delete again: %d %s\n", failed, strerror(errno));
  close(instance);
}

static void pages(void) {
  const int fd = fd_of("second");
  const size_t page = 4096;
  void* all = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)page);
  printf("producer's page, writable: %s\n", all == MAP_FAILED ? strerror(errno) : "mapped");
  all = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, (off_t)page);
  printf("producer's page: %s\n", all == MAP_FAILED ? strerror(errno) : "mapped");
  printf("mprotect: %s\n", mprotect(all, page, PROT_READ | PROT_WRITE) == 0 ? "0" : strerror(errno));
  munmap(all, page);
}

// The consumer is a child, which waits by poll; the parent produces as fast as there is room.
static void two_processes(unsigned long records) {
  variables->sent = 0;
  const pid_t child = fork();
  if (child == 0) {
    struct seen seen = {0};
    struct ring_buffer* rings = ring_buffer__new(fd_of("first"), on_record, &seen, NULL);
    alarm(60 + (unsigned)(records / 100000));
    // A poll that finds a record still being written gives 0.
    while (rings != NULL && seen.count < records && ring_buffer__poll(rings, 10000) >= 0) continue;
    printf("the consumer saw %lu records, wrong %lu\n", seen.count, seen.wrong);
    fflush(stdout);
    _exit(rings == NULL);
  }
  unsigned long full = 0;
  while (variables->sent < records) {
    const unsigned long left = records - variables->sent;
    if (run("produce", left < 500 ? (int)left : 500) != 2) {
      full++;
      sched_yield();
    }
  }
  int status = 0;
  waitpid(child, &status, 0);
  printf("sent %llu, child %d\n", (unsigned long long)variables->sent, WEXITSTATUS(status));
}

int main(int argc, char** argv) {
  variables = load_object(argc, argv);
  if (variables == NULL) return 1;
  one_process();
  pages();
  two_processes(records_wanted(argc, argv));
  return 0;
}
