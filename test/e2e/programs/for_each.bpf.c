// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// syscall: fills a hash and an array, then walks them with callbacks; one callback deletes.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 100);
  __type(key, __u32);
  __type(value, __u64);
} squares SEC(".maps");
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 10);
  __type(key, __u32);
  __type(value, __u32);
} row SEC(".maps");

struct total {
  __u64 sum, visited;
};
static long add(void* map, __u32* key, __u64* value, struct total* total) {
  total->sum += *value;
  total->visited++;
  return 0;
}
static long drop_odd(void* map, __u32* key, __u64* value, void* unused) {
  if (*key & 1) bpf_map_delete_elem(map, key);
  return 0;
}
static long up_to_five(void* map, __u32* key, __u32* value, struct total* total) {
  *value = *key * 10;
  total->visited++;
  return *key == 5;
}
__u64 results[6];

SEC("syscall")
int walk(void* ctx) {
  for (__u32 i = 0; i < 60; i++) {
    __u64 square = i * i;
    bpf_map_update_elem(&squares, &i, &square, BPF_ANY);
  }
  struct total all = {}, even = {}, some = {};
  results[0] = bpf_for_each_map_elem(&squares, add, &all, 0);
  results[1] = all.sum;
  bpf_for_each_map_elem(&squares, drop_odd, 0, 0);
  bpf_for_each_map_elem(&squares, add, &even, 0);
  results[2] = even.sum;
  results[3] = even.visited;
  results[4] = bpf_for_each_map_elem(&row, up_to_five, &some, 0);
  results[5] = some.visited;
  return 0;
}
char _license[] SEC("license") = "Dual BSD/GPL";
