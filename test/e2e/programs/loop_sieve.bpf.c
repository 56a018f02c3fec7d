// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// syscall: the sieve of Eratosthenes with bpf_loop, loops inside of loops.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define LIMIT 2000
__u8 composite[LIMIT];
__u32 primes, largest;

struct step {
  __u32 prime;
};
static long strike(__u32 index, struct step* step) {
  __u32 number = step->prime * (index + 2);
  if (number >= LIMIT) return 1;
  composite[number] = 1;
  return 0;
}
static long sieve(__u32 index, void* unused) {
  __u32 number = index + 2;
  if (number >= LIMIT) return 1;
  if (composite[number]) return 0;
  primes++;
  largest = number;
  struct step step = {.prime = number};
  bpf_loop(LIMIT, strike, &step, 0);
  return 0;
}

SEC("syscall")
int count_primes(void* ctx) {
  primes = 0;
  for (int i = 0; i < LIMIT; i++) {
    composite[i] = 0;
    barrier();
  }
  return bpf_loop(LIMIT, sieve, 0, 0);
}
char _license[] SEC("license") = "Dual BSD/GPL";
