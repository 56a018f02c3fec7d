// SPDX-License-Identifier: Apache-2.0
// A light skeleton: a program of type syscall loads all else, without libbpf, and leaves CO-RE relocations to
// whom it calls.
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core.lskel.h"

int main(void) {
  struct core_bpf* const skeleton = core_bpf__open_and_load();
  if (skeleton == NULL) {
    printf("not loaded: %s\n", strerror(errno));
    return 1;
  }
  char packet[64] = {0};
  union bpf_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.test.prog_fd = (unsigned)skeleton->progs.look_around.prog_fd;
  attr.test.data_in = (unsigned long)packet;
  attr.test.data_size_in = sizeof packet;
  const long result = syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr, sizeof attr);
  printf("run: %ld, returned %u\n", result, attr.test.retval);
  printf("tgid behind pid: %llu, large: %llu, enumerator: %llu, interface: %llu\n",
         skeleton->bss->tgid_behind_pid, skeleton->bss->task_is_large, skeleton->bss->enumerator,
         skeleton->bss->ifindex);
  for (int i = 0; i < 4; i++) printf("found: %llu\n", skeleton->bss->found[i]);
  printf("unreached: %llu\n", skeleton->data->unreached);
  core_bpf__destroy(skeleton);
  return 0;
}
