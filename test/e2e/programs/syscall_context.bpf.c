// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// syscall: works on the context it was given, as a function on its arguments.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct arguments {
  __u64 numbers[6];
  __u64 sum, product, most;
};

SEC("syscall")
int calculate(struct arguments* args) {
  args->sum = 0;
  args->product = 1;
  args->most = 0;
  for (int i = 0; i < 6; i++) {
    args->sum += args->numbers[i];
    args->product *= args->numbers[i] | 1;
    if (args->numbers[i] > args->most) args->most = args->numbers[i];
  }
  return (int)args->sum;
}
char _license[] SEC("license") = "Dual BSD/GPL";
