// SPDX-License-Identifier: Apache-2.0
// ring_killed OBJECT: a producer is killed between reserving a record and submitting it; the consumer in
// another process must get what comes after. (A kernel does not let a program be killed there.)
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct bpf_object* object;

static int on_record(void* context, void* data, size_t size) {
  (void)data;
  (void)size;
  ++*(unsigned*)context;
  return 0;
}

static void run(const char* name) {
  static unsigned char packet[64];
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = sizeof packet, .repeat = 1);
  bpf_prog_test_run_opts(bpf_program__fd(bpf_object__find_program_by_name(object, name)), &options);
}

int main(int argc, char** argv) {
  object = argc > 1 ? bpf_object__open_file(argv[1], NULL) : NULL;
  if (object == NULL || bpf_object__load(object) != 0)
    return fprintf(stderr, "the object does not load\n"), 1;
  const int fd = bpf_object__find_map_fd_by_name(object, "first");
  unsigned seen = 0;
  struct ring_buffer* rings = ring_buffer__new(fd, on_record, &seen, NULL);
  const volatile unsigned long* producer = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 4096);
  if (rings == NULL || producer == MAP_FAILED) return fprintf(stderr, "the ring cannot be mapped\n"), 1;
  for (int round = 0; round < 20; ++round) {
    const unsigned long before = *producer;
    const pid_t child = fork();
    if (child == 0) {
      run("dawdle");
      _exit(3);  // it was to be killed
    }
    while (*producer == before) usleep(100);
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    if (!WIFSIGNALED(status)) return fprintf(stderr, "round %d: the producer had ended\n", round), 1;
    run("produce");
    alarm(20);
    while (seen < (unsigned)round + 1)
      if (ring_buffer__poll(rings, 1000) < 0) return fprintf(stderr, "poll failed\n"), 1;
    alarm(0);
  }
  printf("%u records after %u deaths\n", seen, seen);
  return 0;
}
