// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What the kernel's own programs take for an operation on a map: each program does `rounds` of them on random
// keys and says how many nanoseconds that took. kPlain does the same work but for the map, to be subtracted.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1);
  __type(key, __u64);
  __type(value, __u64);
} hash SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} array SEC(".maps");

volatile const __u32 entries = 1;
volatile const __u32 rounds = 1;
volatile const __u32 first_key = 0; /* entries: keys that are not there */
__u64 nanoseconds = 0;
__u64 sink = 0;

struct walk {
  __u64 random;
  __u64 sum;
};

static __always_inline __u64 bench_key(__u64 n) { /* as in workload.h */
  n = (n ^ (n >> 31)) * 0x7fb5d329728ea185ull;
  n = (n ^ (n >> 27)) * 0x81dadef4bc2dd44dull;
  return n ^ (n >> 33);
}

static __always_inline __u32 random_index(struct walk* walk) {
  walk->random ^= walk->random << 13;
  walk->random ^= walk->random >> 7;
  walk->random ^= walk->random << 17;
  return (__u32)(((walk->random >> 32) * entries) >> 32);
}

#define BENCH_PROGRAM(name, ...)                                    \
  static int name##_step(__u32 round, struct walk* walk) {          \
    __u32 index = random_index(walk);                               \
    __u64 key = bench_key(index + first_key);                       \
    __VA_ARGS__                                                     \
    return 0;                                                       \
  }                                                                 \
  SEC("syscall") int name(void* context) {                          \
    struct walk walk = {.random = 0x9e3779b97f4a7c15ull, .sum = 0}; \
    __u64 start = bpf_ktime_get_ns();                               \
    bpf_loop(rounds, name##_step, &walk, 0);                        \
    nanoseconds = bpf_ktime_get_ns() - start;                       \
    sink = walk.sum;                                                \
    return 0;                                                       \
  }

BENCH_PROGRAM(plain, walk->sum += key;)
BENCH_PROGRAM(hash_lookup, __u64* value = bpf_map_lookup_elem(&hash, &key); if (value) walk->sum += *value;)
BENCH_PROGRAM(hash_update, bpf_map_update_elem(&hash, &key, &walk->random, BPF_ANY); walk->sum += key;)
BENCH_PROGRAM(hash_delete_insert, bpf_map_delete_elem(&hash, &key);
              bpf_map_update_elem(&hash, &key, &walk->random, BPF_ANY); walk->sum += key;)
BENCH_PROGRAM(array_lookup, walk->sum += key; __u64* value = bpf_map_lookup_elem(&array, &index);
              if (value) walk->sum += *value;)

char _license[] SEC("license") = "Dual BSD/GPL";
