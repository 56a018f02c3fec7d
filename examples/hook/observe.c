// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Attaches requests.bpf.o to a server that is running, with libbpf and nothing else; says "attached", and
// when a line comes on its standard input, what the program has counted: `observe OBJECT`.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>

struct total {
  __u64 requests, bytes;
};

int main(int argc, char** argv) {
  struct bpf_object* object = argc > 1 ? bpf_object__open_file(argv[1], NULL) : NULL;
  if (!object || bpf_object__load(object)) {
    fprintf(stderr, "observe: cannot load %s\n", argc > 1 ? argv[1] : "nothing");
    return 1;
  }
  struct bpf_program* program = bpf_object__find_program_by_name(object, "count");
  struct bpf_link* link = bpf_program__attach(program);
  if (!link) {
    perror("observe: cannot attach; is the server running");
    return 1;
  }
  puts("attached");
  fflush(stdout);
  char line[16];
  int totals = bpf_object__find_map_fd_by_name(object, "totals");
  while (fgets(line, sizeof line, stdin)) {
    for (__u32 kind = 0; kind < 4; ++kind) {
      struct total total;
      if (bpf_map_lookup_elem(totals, &kind, &total)) return 1;
      printf("kind %u: %llu requests, %llu bytes\n", kind, total.requests, total.bytes);
    }
    fflush(stdout);
  }
  bpf_link__destroy(link);
  bpf_object__close(object);
  return 0;
}
