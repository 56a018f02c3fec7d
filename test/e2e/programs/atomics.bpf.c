// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// syscall: every atomic operation, on words of both sizes.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

__u64 wide = 0xf0f0;
__u32 narrow = 0x0f0f;
__u64 results[12];

SEC("syscall")
int exchange(void* ctx) {
  results[0] = __sync_fetch_and_add(&wide, 0x11);
  results[1] = __sync_fetch_and_or(&wide, 0x100000000ull);
  results[2] = __sync_fetch_and_and(&wide, 0x1ffffffffull);
  results[3] = __sync_fetch_and_xor(&wide, ~0ull);
  results[4] = __sync_lock_test_and_set(&wide, 7);
  results[5] = __sync_val_compare_and_swap(&wide, 7, 9);
  results[6] = __sync_val_compare_and_swap(&wide, 7, 11);
  results[7] = __sync_fetch_and_add(&narrow, -1);
  results[8] = __sync_fetch_and_xor(&narrow, 0xffffffff);
  results[9] = __sync_lock_test_and_set(&narrow, 77);
  results[10] = __sync_val_compare_and_swap(&narrow, 77, 78);
  results[11] = wide + narrow;
  return 0;
}
char _license[] SEC("license") = "Dual BSD/GPL";
