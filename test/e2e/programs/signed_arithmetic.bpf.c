// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// syscall: what ISA version 4 brought: signed division, sign-extending loads and moves, byte swaps, long
// jumps.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct arguments {
  long numbers[6];
  long out[8];
};
signed char bytes[8] = {-1, 2, -128, 127, 5, -6, 7, -8};
short halves[4] = {-1, 2, -32768, 32767};

SEC("syscall")
int calculate(struct arguments* args) {
  long a = args->numbers[0], b = args->numbers[1] - 300;
  args->out[0] = a / (b ? b : -1);
  args->out[1] = b % 7;
  args->out[2] = (int)b / 3;
  args->out[3] = (int)a % (int)(b ? b : 1);
  args->out[4] = 0;
  for (int i = 0; i < 8; i++) args->out[4] += bytes[i];
  for (int i = 0; i < 4; i++) args->out[4] *= halves[i];
  args->out[5] = __builtin_bswap64(a) ^ __builtin_bswap32((int)b) ^ __builtin_bswap16((short)b);
  args->out[6] = (signed char)b + (short)(b * 1000) + (int)(b * 100000);
  args->out[7] = b >> 3;
  return 0;
}
char _license[] SEC("license") = "Dual BSD/GPL";
