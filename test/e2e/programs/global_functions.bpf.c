// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// syscall: functions that are verified by themselves, and static ones that are not inlined.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct point {
  long x, y;
};
__attribute__((noinline)) int gcd(__u32 a, __u32 b) {
  for (int i = 0; i < 64 && b; i++) {
    __u32 rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}
__attribute__((noinline)) int move(struct point* point, int by) {
  if (!point) return -1;
  point->x += by;
  point->y -= by;
  return point->x > point->y;
}
static __attribute__((noinline)) long fibonacci(int n) {
  long a = 0, b = 1;
  for (int i = 0; i < n && i < 90; i++) {
    long next = a + b;
    a = b;
    b = next;
  }
  return a;
}
long results[5];

SEC("syscall")
int call_them(void* ctx) {
  struct point point = {3, 4};
  results[0] = gcd(2 * 3 * 5 * 7 * 11, 3 * 7 * 13 * 17);
  results[1] = move(&point, 10);
  results[2] = point.x * 1000 + point.y;
  results[3] = fibonacci(80);
  results[4] = move(0, 1);
  return 0;
}
char _license[] SEC("license") = "Dual BSD/GPL";
