// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// raw_tp: what the kernel's struct of a map says, read through the map's address, for a map of each shape.
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

struct bpf_map {
  enum bpf_map_type map_type;
  __u32 key_size, value_size, max_entries;
  __u64 map_extra;
  __u32 map_flags, id;
  char name[16];
} __attribute__((preserve_access_index));
struct bpf_array {
  struct bpf_map map;
  __u32 elem_size, index_mask;
} __attribute__((preserve_access_index));
struct bpf_htab {
  struct bpf_map map;
  __u32 n_buckets, elem_size;
} __attribute__((preserve_access_index));
struct lpm_trie {
  struct bpf_map map;
  __u64 max_prefixlen, data_size;
} __attribute__((preserve_access_index));
struct bpf_queue_stack {
  struct bpf_map map;
  __u32 size;
} __attribute__((preserve_access_index));
struct bpf_stack_map {
  struct bpf_map map;
  __u32 n_buckets;
} __attribute__((preserve_access_index));
struct bpf_bloom_filter {
  struct bpf_map map;
  __u32 bitset_mask, nr_hash_funcs;
} __attribute__((preserve_access_index));

struct key {
  __u32 length, data[3];
};
struct value {
  char bytes[13];
};
#define MAP(name, of_type, Key, entries, flags) \
  struct {                                      \
    __uint(type, BPF_MAP_TYPE_##of_type);       \
    __uint(max_entries, entries);               \
    __uint(map_flags, flags);                   \
    __type(key, Key);                           \
    __type(value, struct value);                \
  } name SEC(".maps")
MAP(row, ARRAY, __u32, 5, 0);
MAP(row_each, PERCPU_ARRAY, __u32, 8, 0);
MAP(table, HASH, struct key, 9, BPF_F_NO_PREALLOC);
MAP(table_each, PERCPU_HASH, __u64, 64, 0);
MAP(lately, LRU_HASH, __u16, 100, 0);
MAP(routes, LPM_TRIE, struct key, 7, BPF_F_NO_PREALLOC);
struct {
  __uint(type, BPF_MAP_TYPE_QUEUE);
  __uint(max_entries, 10);
  __type(value, __u64);
} queue SEC(".maps");
struct {
  __uint(type, BPF_MAP_TYPE_STACK_TRACE);
  __uint(max_entries, 6);
  __uint(key_size, 4);
  __uint(value_size, 80);
} stacks SEC(".maps");
struct {
  __uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
  __uint(max_entries, 1000);
  __uint(map_extra, 3);
  __type(value, __u64);
} seen SEC(".maps");
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 65536);
} ring SEC(".maps");

struct shown {
  __u64 type, key_size, value_size, max_entries, extra, flags, has_id, name, own[2];
} shown[10];

static __always_inline void show(struct shown* to, struct bpf_map* map, __u64 first, __u64 second) {
  to->type = map->map_type;
  to->key_size = map->key_size;
  to->value_size = map->value_size;
  to->max_entries = map->max_entries;
  to->extra = map->map_extra;
  to->flags = map->map_flags;
  to->has_id = map->id != 0;
  to->name = map->name[0] << 8 | map->name[1];
  to->own[0] = first;
  to->own[1] = second;
}
// One place in the program, two maps.
static __noinline __u32 entries_of(struct bpf_map* map) { return map->max_entries; }
#define SHOW(at, map, Struct, first, second) \
  show(&shown[at], (struct bpf_map*)&map, ((struct Struct*)&map)->first, ((struct Struct*)&map)->second)
static long add_size(struct bpf_map* map, __u32* key, struct value* value, __u64* sum) {
  *sum += map->value_size;
  return 0;
}

__u32 entries;
__u64 sizes;

SEC("raw_tp")
int read_structs(void* ctx) {
  SHOW(0, row, bpf_array, elem_size, index_mask);
  SHOW(1, row_each, bpf_array, elem_size, index_mask);
  SHOW(2, table, bpf_htab, n_buckets, elem_size);
  SHOW(3, table_each, bpf_htab, n_buckets, elem_size);
  SHOW(4, lately, bpf_htab, n_buckets, elem_size);
  SHOW(5, routes, lpm_trie, max_prefixlen, data_size);
  SHOW(6, queue, bpf_queue_stack, size, map.max_entries);
  SHOW(7, stacks, bpf_stack_map, n_buckets, map.max_entries);
  SHOW(8, seen, bpf_bloom_filter, bitset_mask, nr_hash_funcs);
  show(&shown[9], (struct bpf_map*)&ring, 0, 0);
  entries = entries_of((struct bpf_map*)&row) * 1000 + entries_of((struct bpf_map*)&table);
  __u64 sum = 0;
  bpf_for_each_map_elem(&row, add_size, &sum, 0);
  sizes = sum;
  return 0;
}
char _license[] SEC("license") = "Dual BSD/GPL";
