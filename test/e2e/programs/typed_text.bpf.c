// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Memory as text, by types of the kernel: with all flags, into room that is too small, of types that are
// none.
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

struct iphdr {
} __attribute__((preserve_access_index));
struct tcphdr {
} __attribute__((preserve_access_index));
struct in6_addr {
} __attribute__((preserve_access_index));
struct timespec64 {
} __attribute__((preserve_access_index));

#define TEXTS 24
struct text {
  long length;
  char text[504];
} texts[TEXTS];
unsigned char bytes[256] __attribute__((aligned(8)));

static int show(int at, void* from, int type, unsigned size, unsigned struct_size, unsigned long flags) {
  struct btf_ptr what = {.ptr = from, .type_id = type};
  struct text* text = &texts[at % TEXTS];
  text->text[0] = 'x';
  if (size == 0 || size > sizeof text->text) return 0;
  text->length = bpf_snprintf_btf(text->text, size, &what, struct_size, flags);
  return (int)text->length;
}

struct arguments {
  __u64 words[15];
};
SEC("syscall")
int typed(struct arguments* context) {
  const unsigned size = sizeof(struct btf_ptr);
  __builtin_memcpy(bytes, context, sizeof *context);
  int sum = 0;
  for (unsigned long flags = 0; flags < 16; flags++)
    if (flags & 4) sum += show(flags & 3, bytes, bpf_core_type_id_kernel(struct iphdr), 500, size, flags);
  for (unsigned long flags = 0; flags < 16; flags++)
    sum += show(4 + (flags & 1), bytes, bpf_core_type_id_kernel(struct tcphdr), 500, size, flags);
  sum += show(6, bytes, bpf_core_type_id_kernel(struct in6_addr), 500, size, 0);
  sum += show(7, bytes, bpf_core_type_id_kernel(struct in6_addr), 500, size, BTF_F_COMPACT | BTF_F_ZERO);
  sum += show(8, bytes, bpf_core_type_id_kernel(struct timespec64), 500, size, BTF_F_NONAME);
  sum += show(9, bytes, bpf_core_type_id_kernel(enum bpf_prog_type), 500, size, 0);
  sum += show(10, bytes + 200, bpf_core_type_id_kernel(struct iphdr), 500, size, 0);
  sum += show(11, bytes, bpf_core_type_id_kernel(struct iphdr), 10, size, 0);
  sum += show(12, bytes, bpf_core_type_id_kernel(struct iphdr), 1, size, 0);
  sum += show(13, bytes, bpf_core_type_id_kernel(struct iphdr), 500, size - 4, 0);
  sum += show(14, bytes, bpf_core_type_id_kernel(struct iphdr), 500, size, 16);
  sum += show(15, bytes, 0, 500, size, 0);
  sum += show(16, bytes, -1, 500, size, 0);
  sum += show(17, bytes, 0x7fffffff, 500, size, 0);
  sum += show(18, (void*)8, bpf_core_type_id_kernel(struct iphdr), 500, size, 0);
  sum += show(19, (void*)0, bpf_core_type_id_kernel(struct iphdr), 500, size, 0);
  return sum;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
