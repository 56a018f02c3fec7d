// SPDX-License-Identifier: Apache-2.0
// perf_client OBJECT [RECORDS]: what libbpf's perf buffers do, with the reader in this process and in
// another.
#include <linux/perf_event.h>
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rings/client.h"

struct seen {
  unsigned long count, wrong, lost;
  __u64 next;
  unsigned size, sum;
};

static struct variables {
  __u64 sent, failed;
  __s64 result;
}* variables;

static void on_record(void* context, int cpu, void* data, __u32 size) {
  (void)cpu;
  struct seen* seen = context;
  const struct record* record = data;
  // A raw record ends where the next word does.
  if (size < sizeof *record || record->number < seen->next || record->check != check_of(record->number))
    seen->wrong++;
  seen->next = record->number + 1;
  seen->size = size;
  seen->sum = 0;
  for (__u32 i = 0; i < size / 4 * 4; i++) seen->sum = seen->sum * 31 + ((const unsigned char*)data)[i];
  seen->count++;
}
static void on_lost(void* context, int cpu, __u64 count) {
  (void)cpu;
  ((struct seen*)context)->lost += count;
}

static void show(const char* what, int result, const struct seen* seen) {
  printf("%s: %d, records %lu, wrong %lu, lost %lu\n", what, result, seen->count, seen->wrong, seen->lost);
}

// On a packet that does not fit in one page.
static int run_on_fragments(const char* name) {
  static unsigned char packet[9000];
  for (unsigned i = 0; i < sizeof packet; i++) packet[i] = (unsigned char)(i * 7 + i / 256);
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = sizeof packet);
  const int error =
      bpf_prog_test_run_opts(bpf_program__fd(bpf_object__find_program_by_name(object, name)), &options);
  return error < 0 ? error : (int)options.retval;
}

static void one_process(void) {
  run("produce", 1);
  printf("nobody there: %s\n", strerror((int)-variables->result));
  variables->sent = 0;
  struct seen seen = {0};
  struct perf_buffer* buffer = perf_buffer__new(fd_of("events"), 1, on_record, on_lost, &seen, NULL);
  if (buffer == NULL) {
    printf("perf_buffer__new: %s\n", strerror(errno));
    exit(1);
  }
  show("poll of nothing", perf_buffer__poll(buffer, 0), &seen);
  run("produce", 10);
  printf("sent %llu, result %lld\n", (unsigned long long)variables->sent, (long long)variables->result);
  show("poll", perf_buffer__poll(buffer, 1000), &seen);
  printf("size %u\n", seen.size);
  show("poll again", perf_buffer__poll(buffer, 0), &seen);
  run("produce", 1000);
  printf("too many: sent %llu, failed %llu: %s\n", (unsigned long long)variables->sent,
         (unsigned long long)variables->failed, strerror((int)-variables->result));
  show("poll of a full one", perf_buffer__poll(buffer, 1000), &seen);
  run("produce", 3);
  show("poll after that", perf_buffer__poll(buffer, 1000), &seen);
  run("produce", 3);
  show("consume", perf_buffer__consume(buffer), &seen);
  run("mistakes", 1);
  printf("mistakes: %lld\n", (long long)variables->result);
  run("with_packet", 1);
  printf("with a packet: %lld\n", (long long)variables->result);
  seen.count = 0;
  show("its record", perf_buffer__poll(buffer, 1000), &seen);
  printf("size %u\n", seen.size);
  printf("with fragments: run %d", run_on_fragments("with_fragments"));
  printf(", result %lld\n", (long long)variables->result);
  seen.count = 0;
  show("its record", perf_buffer__poll(buffer, 1000), &seen);
  printf("size %u, sum %u\n", seen.size, seen.sum);
  perf_buffer__free(buffer);
  run("produce", 1);
  printf("nobody there any more: %s\n", strerror((int)-variables->result));
}

static int open_event(__u64 sample_type, int pid, int cpu) {
  struct perf_event_attr attr = {.size = sizeof attr,
                                 .type = PERF_TYPE_SOFTWARE,
                                 .config = PERF_COUNT_SW_BPF_OUTPUT,
                                 .sample_type = sample_type,
                                 .wakeup_events = 1};
  return (int)syscall(__NR_perf_event_open, &attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

static void calls(void) {
  printf("of everything: %s\n", open_event(PERF_SAMPLE_RAW, -1, -1) < 0 ? strerror(errno) : "opened");
  const int fd = open_event(PERF_SAMPLE_RAW, -1, 0);
  printf("an event: %s\n", fd < 0 ? strerror(errno) : "opened");
  const int key = 0, far = 1000, wrong = 0;
  int value = 0;
  const int map = fd_of("events");
  printf("update: %d\n", bpf_map_update_elem(map, &key, &fd, BPF_ANY));
  printf("update, no event: %d\n", bpf_map_update_elem(map, &key, &wrong, BPF_ANY));
  printf("update, a map: %d\n", bpf_map_update_elem(map, &key, &map, BPF_ANY));
  printf("update, far away: %d\n", bpf_map_update_elem(map, &far, &fd, BPF_ANY));
  printf("update, only if there: %d\n", bpf_map_update_elem(map, &key, &fd, BPF_EXIST));
  printf("lookup: %d\n", bpf_map_lookup_elem(map, &key, &value));
  struct pollfd one = {fd, POLLIN, 0};
  int result = poll(&one, 1, 0);
  printf("poll: %d, events %#x\n", result, (unsigned)one.revents);
  void* pages = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  printf("three pages: %s\n", pages == MAP_FAILED ? strerror(errno) : "mapped");
  pages = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  printf("private: %s\n", pages == MAP_FAILED ? strerror(errno) : "mapped");
  pages = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  printf("two pages: %s\n", pages == MAP_FAILED ? strerror(errno) : "mapped");
  const struct perf_event_mmap_page* page = pages;
  printf("data: %llu from %llu, head %llu\n", (unsigned long long)page->data_size,
         (unsigned long long)page->data_offset, (unsigned long long)page->data_head);
  result = poll(&one, 1, 0);
  printf("poll: %d, events %#x\n", result, (unsigned)one.revents);
  __u64 count = 99;
  result = (int)read(fd, &count, sizeof count);
  printf("read: %d, %llu\n", result, (unsigned long long)count);
  printf("read of too little: %zd\n", read(fd, &count, 4));
  printf("delete: %d\n", bpf_map_delete_elem(map, &key));
  printf("delete again: %d\n", bpf_map_delete_elem(map, &key));
  munmap(pages, 3 * 4096);
  close(fd);
}

// The reader is a child; the parent produces.
static void two_processes(unsigned long records) {
  variables->sent = variables->failed = 0;
  int ready[2];
  if (pipe(ready) != 0) return;
  const pid_t child = fork();
  if (child == 0) {
    struct seen seen = {0};
    struct perf_buffer* buffer = perf_buffer__new(fd_of("events"), 64, on_record, on_lost, &seen, NULL);
    alarm(60 + (unsigned)(records / 100000));
    if (write(ready[1], "", 1) != 1) _exit(2);
    while (buffer != NULL && seen.next < records && perf_buffer__poll(buffer, 10000) >= 0) continue;
    printf("the reader: wrong %lu, all but what was lost %d\n", seen.wrong, seen.count == records);
    fflush(stdout);
    _exit(buffer == NULL);
  }
  char byte;
  if (read(ready[0], &byte, 1) != 1) return;
  while (variables->sent < records) {
    const unsigned long left = records - variables->sent;
    if (run("produce", left < 500 ? (int)left : 500) != 2) sched_yield();
  }
  int status = 0;
  waitpid(child, &status, 0);
  printf("sent %llu, child %d\n", (unsigned long long)variables->sent, WEXITSTATUS(status));
}

int main(int argc, char** argv) {
  // One CPU, so that one event gets all.
  cpu_set_t first;
  CPU_ZERO(&first);
  CPU_SET(0, &first);
  sched_setaffinity(0, sizeof first, &first);
  variables = load_object(argc, argv);
  if (variables == NULL) return 1;
  one_process();
  calls();
  two_processes(records_wanted(argc, argv));
  return 0;
}
