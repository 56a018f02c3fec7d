// SPDX-License-Identifier: Apache-2.0
// Linked statically: no preload library can serve it. Asks for a map by the bare instruction.
#include <linux/bpf.h>
#include <stdio.h>
#include <sys/syscall.h>

int main(void) {
  union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(SYS_bpf), "D"(BPF_MAP_CREATE), "S"(&attr), "d"(sizeof attr)
                   : "rcx", "r11", "memory");
  printf("%ld\n", result);
  return 0;
}
