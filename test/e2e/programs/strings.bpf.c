// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// syscall: numbers out of text and text out of numbers.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

char text[96];
long parsed[5], lengths[3];
static const char decimal[] = " -1234 rest", hex[] = "0xdeadbeef", wrong[] = "none";

SEC("syscall")
int convert(void* ctx) {
  long number = 0;
  unsigned long size = 0;
  parsed[0] = bpf_strtol(decimal, sizeof decimal - 1, 0, &number);
  parsed[1] = number;
  parsed[2] = bpf_strtoul(hex, sizeof hex - 1, 16, &size);
  parsed[3] = size;
  parsed[4] = bpf_strtol(wrong, sizeof wrong - 1, 10, &number);
  static const char format[] = "%d %u %x %s|%5d|%-5d|%08llx %c";
  static const char word[] = "word";
  __u64 arguments[] = {-5, 5, 255, (long)word, 42, 42, 0x123456789aull, 'z'};
  lengths[0] = bpf_snprintf(text, sizeof text, format, arguments, sizeof arguments);
  lengths[1] = bpf_snprintf(text + 64, 8, "%llu!", (__u64[]){18446744073709551615ull}, 8);
  lengths[2] = bpf_strncmp(word, sizeof word, "worth") < 0;
  return 0;
}
char _license[] SEC("license") = "GPL";
