// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Programs of iterators: over the elements of maps, and over maps, programs and links.
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define EXACT __attribute__((preserve_access_index))
struct seq_file;
struct bpf_map {
  enum bpf_map_type map_type;
  __u32 key_size, value_size, max_entries, id;
  char name[16];
} EXACT;
struct bpf_prog_aux {
  __u32 id;
  char name[16];
  const char* attach_func_name;
} EXACT;
struct bpf_prog {
  enum bpf_prog_type type;
  struct bpf_prog_aux* aux;
} EXACT;
struct bpf_link {
  __u32 id;
  struct bpf_prog* prog;
} EXACT;
struct bpf_iter_meta {
  union {
    struct seq_file* seq;
  };
  __u64 session_id, seq_num;
} EXACT;
struct timespec64 {
} EXACT;
struct bpf_iter__bpf_map_elem {
  union {
    struct bpf_iter_meta* meta;
  };
  union {
    struct bpf_map* map;
  };
  union {
    void* key;
  };
  union {
    void* value;
  };
} EXACT;
struct bpf_iter__bpf_map {
  union {
    struct bpf_iter_meta* meta;
  };
  union {
    struct bpf_map* map;
  };
} EXACT;
struct bpf_iter__bpf_prog {
  union {
    struct bpf_iter_meta* meta;
  };
  union {
    struct bpf_prog* prog;
  };
} EXACT;
struct bpf_iter__bpf_link {
  union {
    struct bpf_iter_meta* meta;
  };
  union {
    struct bpf_link* link;
  };
} EXACT;

static long (*const seq_printf)(struct seq_file* file, const char* format, __u32 format_size,
                                const void* data, __u32 size) = (void*)BPF_FUNC_seq_printf;
static long (*const seq_write)(struct seq_file* file, const void* data,
                               __u32 size) = (void*)BPF_FUNC_seq_write;
static long (*const seq_printf_btf)(struct seq_file* file, const void* what, __u32 size,
                                    __u64 flags) = (void*)BPF_FUNC_seq_printf_btf;
#define PRINT(file, text, ...)                                                \
  ({                                                                          \
    static const char format_[] = text;                                       \
    __u64 arguments_[] = {__VA_ARGS__};                                       \
    seq_printf(file, format_, sizeof format_, arguments_, sizeof arguments_); \
  })

// Set by the client, and looked at by it.
struct {
  int wanted_id, calls, refusals, result, sum;
} globals;
char block[8192] = "?";

SEC("iter/bpf_map_elem")
int show(struct bpf_iter__bpf_map_elem* ctx) {
  struct seq_file* file = ctx->meta->seq;
  __u32* key = ctx->key;
  __u64* value = ctx->value;
  globals.calls++;
  if (!key || !value) {
    PRINT(file, "end %llu of %s\n", ctx->meta->seq_num, (__u64)(long)ctx->map->name);
    return 0;
  }
  PRINT(file, "%llu: %u %llu, %u of %u\n", ctx->meta->seq_num, *key, *value, ctx->map->map_type,
        ctx->map->max_entries);
  *value += 1000;
  return 0;
}

// As many values as there are CPUs, of which it looks at two.
SEC("iter/bpf_map_elem")
int show_both(struct bpf_iter__bpf_map_elem* ctx) {
  __u32* key = ctx->key;
  __u64* values = ctx->value;
  if (!key || !values) return 0;
  PRINT(ctx->meta->seq, "%u: %llu and %llu\n", *key, values[0], values[1]);
  values[0] = 7777;
  return 0;
}

SEC("iter/bpf_map_elem")
int long_key(struct bpf_iter__bpf_map_elem* ctx) {
  __u32* key = ctx->key;
  if (key) globals.sum += key[1];
  return 0;
}

SEC("iter/bpf_map_elem")
int long_value(struct bpf_iter__bpf_map_elem* ctx) {
  __u64* value = ctx->value;
  if (value) globals.sum += value[8];
  return 0;
}

// Without a look at either.
SEC("iter/bpf_map_elem")
int count(struct bpf_iter__bpf_map_elem* ctx) {
  globals.calls++;
  return 0;
}

SEC("iter.s/bpf_map_elem")
int sleepy(struct bpf_iter__bpf_map_elem* ctx) { return 0; }

// 3000 bytes for each.
SEC("iter/bpf_map_elem")
int loud(struct bpf_iter__bpf_map_elem* ctx) {
  __u32* key = ctx->key;
  globals.calls++;
  if (!key) return 0;
  block[0] = '0' + *key % 10;
  if (seq_write(ctx->meta->seq, block, 3000) < 0) globals.refusals++;
  return 0;
}

// More than there is room for.
SEC("iter/bpf_map_elem")
int too_loud(struct bpf_iter__bpf_map_elem* ctx) {
  globals.calls++;
  if (!ctx->key) return 0;
  for (int i = 0; i < 5; i++)
    if (seq_write(ctx->meta->seq, block, 8192) < 0) globals.refusals++;
  return 0;
}

SEC("iter/bpf_map_elem")
int loud_end(struct bpf_iter__bpf_map_elem* ctx) {
  globals.calls++;
  if (ctx->key) return 0;
  for (int i = 0; i < 5; i++)
    if (seq_write(ctx->meta->seq, block, 8192) < 0) globals.refusals++;
  return 0;
}

// Wants to be asked again, as often as the client says, about element 2.
SEC("iter/bpf_map_elem")
int once_more(struct bpf_iter__bpf_map_elem* ctx) {
  __u32* key = ctx->key;
  globals.calls++;
  if (!key) return 0;
  PRINT(ctx->meta->seq, "%llu: %u\n", ctx->meta->seq_num, *key);
  if (*key == 2 && globals.result > 0) {
    globals.result--;
    return 1;
  }
  return 0;
}

// A format that is none, arguments that are missing, a write of nothing.
SEC("iter/bpf_map_elem")
int errors(struct bpf_iter__bpf_map_elem* ctx) {
  static const char bad[] = "%y\n", two[] = "%d %d\n";
  struct seq_file* file = ctx->meta->seq;
  __u64 one = 1;
  if (!ctx->key) return 0;
  PRINT(file, "%d %d %d %d\n", seq_printf(file, bad, sizeof bad, &one, sizeof one),
        seq_printf(file, two, sizeof two, &one, sizeof one), seq_printf(file, two, sizeof two - 1, &one, 4),
        seq_write(file, &one, 0));
  return 0;
}

// A value as a type of the kernel's, and errors.
SEC("iter/bpf_map_elem")
int typed(struct bpf_iter__bpf_map_elem* ctx) {
  struct seq_file* file = ctx->meta->seq;
  struct btf_ptr what = {.ptr = ctx->value, .type_id = bpf_core_type_id_kernel(struct timespec64)};
  if (!ctx->value) return 0;
  const long done = seq_printf_btf(file, &what, sizeof what, 0),
             bad = seq_printf_btf(file, &what, sizeof what, 99);
  what.type_id = 0;
  PRINT(file, "\n%d %d %d %d\n", done, bad, seq_printf_btf(file, &what, sizeof what, 0),
        seq_printf_btf(file, &what, 8, 0));
  return 0;
}

SEC("iter/bpf_map")
int show_maps(struct bpf_iter__bpf_map* ctx) {
  struct bpf_map* map = ctx->map;
  if (!map) {
    PRINT(ctx->meta->seq, "end\n", 0);
    return 0;
  }
  if (map->id != globals.wanted_id) return 0;
  PRINT(ctx->meta->seq, "%s: %u %u %u %u\n", (__u64)(long)map->name, map->map_type, map->key_size,
        map->value_size, map->max_entries);
  return 0;
}

SEC("iter/bpf_prog")
int show_programs(struct bpf_iter__bpf_prog* ctx) {
  struct bpf_prog* prog = ctx->prog;
  if (!prog) {
    PRINT(ctx->meta->seq, "end\n", 0);
    return 0;
  }
  if (prog->aux->id != globals.wanted_id) return 0;
  PRINT(ctx->meta->seq, "%s: %u for %s\n", (__u64)(long)prog->aux->name, prog->type,
        (__u64)(long)prog->aux->attach_func_name);
  return 0;
}

SEC("iter/bpf_link")
int show_links(struct bpf_iter__bpf_link* ctx) {
  struct bpf_link* link = ctx->link;
  if (!link) {
    PRINT(ctx->meta->seq, "end\n", 0);
    return 0;
  }
  if (link->id != globals.wanted_id) return 0;
  PRINT(ctx->meta->seq, "a link of %s\n", (__u64)(long)link->prog->aux->name);
  return 0;
}

char _license[] SEC("license") = "GPL";
