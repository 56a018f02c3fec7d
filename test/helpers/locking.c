// SPDX-License-Identifier: Apache-2.0
// locking OBJECT [SECONDS]: processes that run OBJECT's program, and processes that read and write the same
// values with BPF_F_LOCK, side by side; with SECONDS, some of them are killed all the time. Nobody may see
// half of an update, and nobody may wait for the dead.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct pair {
  unsigned lock;
  int padding;
  long left, right;
};
enum { kWorkers = 4, kRounds = 300 };

static struct shared {
  long torn, failed, rounds;
}* shared;
static int program, maps[2];
static int kills;

static void run_program(void) {
  char packet[64] = {0};
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = sizeof packet, .repeat = 20);
  if (bpf_prog_test_run_opts(program, &options) != 0) __sync_fetch_and_add(&shared->failed, 1);
}

static void write_and_read(int map) {
  const int zero = 0;
  struct pair pair = {0};
  if (bpf_map_lookup_elem_flags(map, &zero, &pair, BPF_F_LOCK) != 0) __sync_fetch_and_add(&shared->failed, 1);
  // A process that was killed may leave half of an update; the next update makes the value whole again.
  if (pair.left != pair.right && !kills) __sync_fetch_and_add(&shared->torn, 1);
  if (pair.lock != 0) __sync_fetch_and_add(&shared->torn, 1);
  pair.right = ++pair.left;
  if (bpf_map_update_elem(map, &zero, &pair, BPF_F_LOCK) != 0) __sync_fetch_and_add(&shared->failed, 1);
}

static pid_t start(int number) {
  const pid_t child = fork();
  if (child != 0) return child;
  for (int round = 0; kills || round < kRounds; ++round) {
    if (number % 2 == 0)
      run_program();
    else
      for (int i = 0; i < 20; ++i) write_and_read(maps[i % 2]);
    __sync_fetch_and_add(&shared->rounds, 1);
  }
  _exit(0);
}

static int ends_well(pid_t child) {
  int status = 0;
  return waitpid(child, &status, 0) == child && status == 0;
}

int main(int count, char** arguments) {
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  struct bpf_object* object = bpf_object__open_file(arguments[1], NULL);
  if (object == NULL || bpf_object__load(object) != 0) return 1;
  program = bpf_program__fd(bpf_object__find_program_by_name(object, "locking"));
  maps[0] = bpf_object__find_map_fd_by_name(object, "in_array");
  maps[1] = bpf_object__find_map_fd_by_name(object, "in_hash");
  const int zero = 0;
  const struct pair empty = {0};
  if (bpf_map_update_elem(maps[1], &zero, &empty, BPF_ANY) != 0) return 1;
  const int seconds = count > 2 ? atoi(arguments[2]) : 0;
  kills = seconds > 0;

  pid_t workers[kWorkers];
  for (int i = 0; i < kWorkers; ++i) workers[i] = start(i);
  long killed = 0;
  const time_t end = time(NULL) + seconds;
  unsigned dice = 1;
  while (kills && time(NULL) < end) {
    dice = dice * 1103515245 + 12345;
    const int victim = dice >> 16 & (kWorkers - 1);
    const struct timespec while_they_work = {0, (dice >> 8) % 3000000};
    nanosleep(&while_they_work, NULL);
    kill(workers[victim], SIGKILL);
    waitpid(workers[victim], NULL, 0);
    ++killed;
    workers[victim] = start(victim);
  }
  for (int i = 0; i < kWorkers; ++i) {
    if (kills) {
      kill(workers[i], SIGKILL);
      waitpid(workers[i], NULL, 0);
    } else if (!ends_well(workers[i])) {
      shared->failed++;
    }
  }
  // Whoever comes now gets in.
  for (int i = 0; i < 2; ++i) write_and_read(maps[i]);
  run_program();
  struct pair pair = {0};
  if (bpf_map_lookup_elem_flags(maps[0], &zero, &pair, BPF_F_LOCK) != 0 || pair.left != pair.right)
    shared->torn++;
  // What the program found; where processes are killed inside, it may find halves.
  long found = 0;
  struct bpf_map* globals = bpf_object__find_map_by_name(object, "locking.bss");
  if (globals == NULL || bpf_map_lookup_elem(bpf_map__fd(globals), &zero, &found) != 0) return 1;
  if (seconds == 0) shared->torn += found;
  printf("%ld torn, %ld failed\n", shared->torn, shared->failed);
  fprintf(stderr, "%ld rounds, %ld killed\n", shared->rounds, killed);
  return shared->torn != 0 || shared->failed != 0 || (seconds > 0 && shared->rounds < killed);
}
