// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What the kernel's own programs take for an operation on a map: each program does `rounds` of them and says
// how many nanoseconds that took. The plain ones do the same work but for the map, to be subtracted.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define BENCH_MAP(name, map_type, key_type) \
  struct {                                  \
    __uint(type, BPF_MAP_TYPE_##map_type);  \
    __uint(max_entries, 1);                 \
    __type(key, key_type);                  \
    __type(value, __u64);                   \
  } name SEC(".maps");

#define BENCH_LPM(name, bytes)            \
  struct {                                \
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);  \
    __uint(map_flags, BPF_F_NO_PREALLOC); \
    __uint(max_entries, 1);               \
    __uint(key_size, 4 + (bytes));        \
    __uint(value_size, 8);                \
  } name SEC(".maps");

#define BENCH_SET(name, map_type, entries) \
  struct {                                 \
    __uint(type, BPF_MAP_TYPE_##map_type); \
    __uint(max_entries, entries);          \
    __uint(value_size, 8);                 \
  } name SEC(".maps");

BENCH_MAP(hash, HASH, __u64)
BENCH_MAP(lru, LRU_HASH, __u64)
BENCH_MAP(array, ARRAY, __u32)
BENCH_MAP(percpu, PERCPU_ARRAY, __u32)
BENCH_LPM(lpm, 4)
BENCH_LPM(lpm6, 16)
BENCH_SET(queue, QUEUE, 1024)
BENCH_SET(bloom, BLOOM_FILTER, 1)

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 26);
} ring SEC(".maps");

struct run { /* as in kernel_object.h */
  __u64 nanoseconds;
  __u64 sum;
  __u64 random;
  __u32 rounds;
  __u32 range;     /* how many keys to choose from */
  __u32 first_key; /* not 0: keys that are not there */
  __u32 threads;   /* that run at the same time */
};

struct { /* one for each thread */
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 2);
  __type(key, __u32);
  __type(value, struct run);
} runs SEC(".maps");

struct listed {
  __u64 words[3];
};

struct { /* keys that were chosen beforehand; as many as a power of two */
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1 << 20);
  __type(key, __u32);
  __type(value, struct listed);
} list SEC(".maps");

struct walk {
  __u64 random;
  __u64 sum;
  __u32 range;
  __u32 first_key;
};

volatile __u32 arrived = 0; /* threads, ever */

struct wait {
  __u32 until;
};

static int wait_step(__u32 round, struct wait* wait) { return (int)(arrived - wait->until) >= 0; }

/* Until all threads are here: those of a run are `threads` that follow each other. False: one did not come.
 */
static __always_inline int wait_for_all(__u32 threads) {
  struct wait wait = {.until = __sync_fetch_and_add(&arrived, 1) / threads * threads + threads};
  return bpf_loop(1 << 23, wait_step, &wait, 0) != 1 << 23;
}

static __always_inline __u64 bench_key(__u64 n) { /* as in workload.h */
  n = (n ^ (n >> 31)) * 0x7fb5d329728ea185ull;
  n = (n ^ (n >> 27)) * 0x81dadef4bc2dd44dull;
  return n ^ (n >> 33);
}

static __always_inline __u32 random_index(struct walk* walk) {
  walk->random ^= walk->random << 13;
  walk->random ^= walk->random >> 7;
  walk->random ^= walk->random << 17;
  return (__u32)(((walk->random >> 32) * walk->range) >> 32);
}

#define BENCH_RUN(name)                                                                                     \
  SEC("tc") int name(struct __sk_buff* packet) {                                                            \
    __u32 thread = packet->mark;                                                                            \
    struct run* run = bpf_map_lookup_elem(&runs, &thread);                                                  \
    if (!run || run->threads == 0) return 1;                                                                \
    struct walk walk = {.random = run->random, .sum = 0, .range = run->range, .first_key = run->first_key}; \
    if (!wait_for_all(run->threads)) return 1;                                                              \
    __u64 start = bpf_ktime_get_ns();                                                                       \
    bpf_loop(run->rounds, name##_step, &walk, 0);                                                           \
    run->nanoseconds = bpf_ktime_get_ns() - start;                                                          \
    run->sum = walk.sum;                                                                                    \
    return 0;                                                                                               \
  }

#define BENCH_PROGRAM(name, ...)                           \
  static int name##_step(__u32 round, struct walk* walk) { \
    __u32 index = random_index(walk);                      \
    __u64 key = bench_key(index + walk->first_key);        \
    __VA_ARGS__                                            \
    return 0;                                              \
  }                                                        \
  BENCH_RUN(name)

#define BENCH_LISTED(name, ...)                            \
  static int name##_step(__u32 round, struct walk* walk) { \
    __u32 at = round & ((1 << 20) - 1);                    \
    struct listed* key = bpf_map_lookup_elem(&list, &at);  \
    if (!key) return 1;                                    \
    __VA_ARGS__                                            \
    return 0;                                              \
  }                                                        \
  BENCH_RUN(name)

#define ADD_VALUE_OF(map, key)                       \
  {                                                  \
    __u64* value = bpf_map_lookup_elem(&(map), key); \
    if (value) walk->sum += *value;                  \
  }

BENCH_PROGRAM(plain, walk->sum += key;)
BENCH_PROGRAM(hash_lookup, ADD_VALUE_OF(hash, &key))
BENCH_PROGRAM(hash_update, bpf_map_update_elem(&hash, &key, &walk->random, BPF_ANY); walk->sum += key;)
BENCH_PROGRAM(hash_delete_insert, bpf_map_delete_elem(&hash, &key);
              bpf_map_update_elem(&hash, &key, &walk->random, BPF_ANY); walk->sum += key;)
BENCH_PROGRAM(array_lookup, walk->sum += key; ADD_VALUE_OF(array, &index))
BENCH_PROGRAM(percpu_add, walk->sum += key; __u64* value = bpf_map_lookup_elem(&percpu, &index);
              if (value) value[0] += 1;)
BENCH_PROGRAM(lru_churn, __u64* value = bpf_map_lookup_elem(&lru, &key); if (value) walk->sum += *value;
              else bpf_map_update_elem(&lru, &key, &walk->random, BPF_ANY);)
BENCH_PROGRAM(queue_push_pop, bpf_map_push_elem(&queue, &key, 0); bpf_map_pop_elem(&queue, &key);
              walk->sum += key;)
BENCH_PROGRAM(bloom_peek, walk->sum += bpf_map_peek_elem(&bloom, &key) == 0;)
BENCH_PROGRAM(bloom_push, bpf_map_push_elem(&bloom, &key, 0); walk->sum += key;)
BENCH_PROGRAM(
    ring_submit, __u64* record = bpf_ringbuf_reserve(&ring, 8, 0); if (record) {
      *record = key;
      bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
    })

BENCH_LISTED(plain_listed, walk->sum += key->words[0];)
BENCH_LISTED(lpm_lookup, ADD_VALUE_OF(lpm, key))
BENCH_LISTED(lpm6_lookup, ADD_VALUE_OF(lpm6, key))
/* How many of the keys are there: the others come in. */
BENCH_LISTED(lru_trace, if (bpf_map_lookup_elem(&lru, key)) walk->sum += 1;
             else bpf_map_update_elem(&lru, key, &walk->random, BPF_ANY);)

char _license[] SEC("license") = "Dual BSD/GPL";
