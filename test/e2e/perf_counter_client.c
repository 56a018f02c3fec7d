// SPDX-License-Identifier: Apache-2.0
// perf_counter_client OBJECT: what perf events count by software, as programs and read(2) find it.
#include <linux/perf_event.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "rings/client.h"

static struct variables {
  __u64 sent, failed;
  __s64 result;
  struct bpf_perf_event_value value;
}* variables;

static void read_counter(const char* program) {
  LIBBPF_OPTS(bpf_test_run_opts, options);
  const int fd = bpf_program__fd(bpf_object__find_program_by_name(object, program));
  const int failed = bpf_prog_test_run_opts(fd, &options);
  if (failed) printf("run %s: %s\n", program, strerror(-failed));
}

static int open_counter(__u64 config) {
  struct perf_event_attr attr = {
      .size = sizeof attr,
      .type = PERF_TYPE_SOFTWARE,
      .config = config,
      .read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING};
  return (int)syscall(__NR_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

// What a program finds, and then read(2).
static struct bpf_perf_event_value counter_of(int fd) {
  read_counter("read_counter");
  if (variables->result != 0) printf("a counter: %s\n", strerror((int)-variables->result));
  struct bpf_perf_event_value value;
  if (read(fd, &value, sizeof value) != sizeof value || value.counter < variables->value.counter)
    printf("read(2) says less\n");
  return variables->value;
}

static void* read_from_elsewhere(void* nothing) {
  read_counter("read_counter");
  printf("from another thread: %s, %llu\n", strerror((int)-variables->result),
         (unsigned long long)variables->value.counter);
  return nothing;
}

static void touch(size_t pages) {
  char* memory = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  madvise(memory, pages * 4096, MADV_NOHUGEPAGE);
  for (size_t i = 0; i < pages; ++i) ((volatile char*)memory)[i * 4096] = 1;
  munmap(memory, pages * 4096);
}

// The thread gives up its processor, which is what some count.
static void wait_a_little(void) {
  const struct timespec time = {.tv_nsec = 100000};
  nanosleep(&time, NULL);
}

static void counter(const char* name, __u64 config, int moves) {
  const int fd = open_counter(config), key = 0;
  const int updated = bpf_map_update_elem(fd_of("events"), &key, &fd, BPF_ANY);
  const struct bpf_perf_event_value before = counter_of(fd);
  touch(64);
  wait_a_little();
  const struct bpf_perf_event_value after = counter_of(fd);
  printf("%s: in a map: %d, moves %d, enabled %d, all the time %d\n", name, updated,
         after.counter > before.counter, after.enabled > before.enabled, after.enabled == after.running);
  if (config == PERF_COUNT_SW_PAGE_FAULTS)
    printf("a fault for each page: %d\n", after.counter - before.counter >= 64 && after.counter < 10000);
  ioctl(fd, PERF_EVENT_IOC_DISABLE, 0);
  const struct bpf_perf_event_value stopped = counter_of(fd);
  touch(64);
  wait_a_little();
  const struct bpf_perf_event_value still = counter_of(fd);
  printf("disabled: no less %d, stands %d\n", stopped.counter >= after.counter,
         still.counter == stopped.counter && still.enabled == stopped.enabled);
  ioctl(fd, PERF_EVENT_IOC_RESET, 0);
  const struct bpf_perf_event_value reset = counter_of(fd);
  printf("reset: %llu, enabled as long %d\n", (unsigned long long)reset.counter,
         reset.enabled == stopped.enabled);
  ioctl(fd, PERF_EVENT_IOC_ENABLE, 0);
  touch(64);
  wait_a_little();
  const struct bpf_perf_event_value again = counter_of(fd);
  printf("enabled again: moves %d, no more than anew %d\n", again.counter > 0,
         !moves || again.enabled > stopped.enabled);
  pthread_t thread;
  pthread_create(&thread, NULL, read_from_elsewhere, NULL);
  pthread_join(thread, NULL);
  read_counter("read_mistakes");
  printf("mistakes: %lld\n", (long long)variables->result);
  bpf_map_delete_elem(fd_of("events"), &key);
  close(fd);
}

int main(int argc, char** argv) {
  variables = load_object(argc, argv);
  if (variables == NULL) return 1;
  counter("task clock", PERF_COUNT_SW_TASK_CLOCK, 1);
  counter("cpu clock", PERF_COUNT_SW_CPU_CLOCK, 1);
  counter("page faults", PERF_COUNT_SW_PAGE_FAULTS, 1);
  counter("minor faults", PERF_COUNT_SW_PAGE_FAULTS_MIN, 1);
  counter("major faults", PERF_COUNT_SW_PAGE_FAULTS_MAJ, 0);
  counter("context switches", PERF_COUNT_SW_CONTEXT_SWITCHES, 1);
  counter("dummy", PERF_COUNT_SW_DUMMY, 0);
  return 0;
}
