// SPDX-License-Identifier: Apache-2.0
// What the clients of rings share: an object, whose programs they run, and its variables.
#pragma once
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct record {
  __u64 number, check;
};
static inline __u64 check_of(__u64 number) { return number * 2654435761u + 1; }

static struct bpf_object* object;

static inline int fd_of(const char* map) { return bpf_object__find_map_fd_by_name(object, map); }

// What the program returns, run so often on a packet.
static inline int run(const char* name, int times) {
  static unsigned char packet[64];
  for (unsigned i = 0; i < sizeof packet; i++) packet[i] = (unsigned char)i;
  LIBBPF_OPTS(bpf_test_run_opts, run_options, .data_in = packet, .data_size_in = sizeof packet,
              .repeat = times);
  const int fd = bpf_program__fd(bpf_object__find_program_by_name(object, name));
  const int failed = bpf_prog_test_run_opts(fd, &run_options);
  if (failed) printf("run %s: %s\n", name, strerror(-failed));
  return (int)run_options.retval;
}

// argv: … OBJECT [RECORDS]. Loads it; its variables, mapped, or NULL once it has been said what is wrong.
static inline void* load_object(int argc, char** argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  object = argc > 1 ? bpf_object__open_file(argv[1], NULL) : NULL;
  if (object == NULL || bpf_object__load(object) != 0) {
    printf("%s: %s\n", argc > 1 ? argv[1] : "no object", strerror(errno));
    return NULL;
  }
  void* variables = MAP_FAILED;
  struct bpf_map* map;
  bpf_object__for_each_map(map, object) if (strstr(bpf_map__name(map), ".bss") != NULL) variables =
      mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
  if (variables != MAP_FAILED) return variables;
  printf("the variables cannot be mapped: %s\n", strerror(errno));
  return NULL;
}
static inline unsigned long records_wanted(int argc, char** argv) {
  return argc > 2 ? strtoul(argv[2], NULL, 0) : 20000;
}
