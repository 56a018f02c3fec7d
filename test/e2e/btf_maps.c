// SPDX-License-Identifier: Apache-2.0
// Makes maps whose keys and values have BTF types, fills them and pins them below a directory (argv[1]).
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <linux/btf.h>
#include <stdio.h>
#include <string.h>

static struct btf* btf;
static int u32_type, s64_type, char_type, bool_type, u16_type;

static int declare_value(void) {
  int color = btf__add_enum(btf, "color", 4);
  btf__add_enum_value(btf, "RED", 0);
  btf__add_enum_value(btf, "GREEN", 1);
  btf__add_enum_value(btf, "BLUE", 7);
  int name = btf__add_array(btf, u32_type, char_type, 8);
  int pair = btf__add_struct(btf, "pair", 8);
  btf__add_field(btf, "a", u32_type, 0, 0);
  btf__add_field(btf, "b", u32_type, 32, 0);
  int pairs = btf__add_array(btf, u32_type, pair, 2);
  int pointer = btf__add_ptr(btf, pair);
  int either = btf__add_union(btf, "either", 8);
  btf__add_field(btf, "whole", s64_type, 0, 0);
  btf__add_field(btf, "half", u32_type, 0, 0);
  int tail = btf__add_array(btf, u32_type, u16_type, 3);
  int typedef_type = btf__add_typedef(btf, "counter_t", s64_type);
  int value = btf__add_struct(btf, "value", 72);
  btf__add_field(btf, "count", typedef_type, 0, 0);
  btf__add_field(btf, "color", color, 64, 0);
  btf__add_field(btf, "low", u32_type, 96, 3);
  btf__add_field(btf, "high", u32_type, 99, 13);
  btf__add_field(btf, "port", u16_type, 112, 0);
  btf__add_field(btf, "name", name, 128, 0);
  btf__add_field(btf, "pairs", pairs, 192, 0);
  btf__add_field(btf, "pointer", pointer, 320, 0);
  btf__add_field(btf, "either", either, 384, 0);
  btf__add_field(btf, "flag", bool_type, 448, 0);
  btf__add_field(btf, "tail", tail, 464, 0);
  btf__add_field(btf, "letter", char_type, 512, 0);
  return value;
}

static int make(const char* directory, const char* name, enum bpf_map_type type, int key, int value,
                unsigned key_size, unsigned value_size, unsigned entries) {
  char path[256];
  LIBBPF_OPTS(bpf_map_create_opts, options, .btf_fd = (unsigned)btf__fd(btf),
              .btf_key_type_id = (unsigned)key, .btf_value_type_id = (unsigned)value);
  int fd = bpf_map_create(type, name, key_size, value_size, entries, &options);
  printf("create %s: %d\n", name, fd >= 0 ? 0 : fd);
  snprintf(path, sizeof path, "%s/%s", directory, name);
  if (fd >= 0) printf("pin %s: %d\n", name, bpf_obj_pin(fd, path));
  return fd;
}

int main(int argc, char** argv) {
  const char* directory = argc > 1 ? argv[1] : "/sys/fs/bpf";
  unsigned char value[72 * 8];
  for (unsigned i = 0; i < sizeof value; ++i) value[i] = (unsigned char)(i * 7 + 1);
  btf = btf__new_empty();
  u32_type = btf__add_int(btf, "unsigned int", 4, 0);
  s64_type = btf__add_int(btf, "long long", 8, BTF_INT_SIGNED);
  char_type = btf__add_int(btf, "char", 1, BTF_INT_SIGNED);
  bool_type = btf__add_int(btf, "bool", 1, BTF_INT_BOOL);
  u16_type = btf__add_int(btf, "unsigned short", 2, 0);
  int value_type = declare_value();
  int lock = btf__add_struct(btf, "bpf_spin_lock", 4);
  btf__add_field(btf, "val", u32_type, 0, 0);
  int locked = btf__add_struct(btf, "locked", 16);
  btf__add_field(btf, "lock", lock, 0, 0);
  btf__add_field(btf, "n", u32_type, 32, 0);
  btf__add_field(btf, "sum", s64_type, 64, 0);
  int key_type = btf__add_struct(btf, "key", 8);
  btf__add_field(btf, "host", u32_type, 0, 0);
  btf__add_field(btf, "port", u16_type, 32, 0);
  btf__add_field(btf, "proto", u16_type, 48, 0);
  printf("load BTF: %d\n", btf__load_into_kernel(btf));

  unsigned zero = 0, two = 2;
  memcpy(value + 16, "abc\0\x01\xff\"\\", 8);
  value[56] = 1;
  int fd = make(directory, "e2e_btf_arr", BPF_MAP_TYPE_ARRAY, u32_type, value_type, 4, 72, 3);
  printf("update: %d\n", bpf_map_update_elem(fd, &zero, value, BPF_ANY));
  printf("update: %d\n", bpf_map_update_elem(fd, &two, value + 8, BPF_ANY));
  fd = make(directory, "e2e_btf_hash", BPF_MAP_TYPE_HASH, key_type, value_type, 8, 72, 5);
  unsigned char key[8] = {1, 0, 0, 127, 0x50, 0, 6, 0};
  printf("update: %d\n", bpf_map_update_elem(fd, key, value, BPF_NOEXIST));
  fd = make(directory, "e2e_btf_pa", BPF_MAP_TYPE_PERCPU_ARRAY, u32_type, s64_type, 4, 8, 2);
  printf("update: %d\n", bpf_map_update_elem(fd, &zero, value, BPF_ANY));
  fd = make(directory, "e2e_btf_ph", BPF_MAP_TYPE_PERCPU_HASH, key_type, value_type, 8, 72, 2);
  printf("update: %d\n", bpf_map_update_elem(fd, key, value, BPF_ANY));
  fd = make(directory, "e2e_btf_lock", BPF_MAP_TYPE_HASH, u32_type, locked, 4, 16, 2);
  printf("update: %d\n", bpf_map_update_elem(fd, &two, value, BPF_F_LOCK));
  fd = make(directory, "e2e_btf_int", BPF_MAP_TYPE_ARRAY, u32_type, u32_type, 4, 4, 3);
  printf("update: %d\n", bpf_map_update_elem(fd, &two, value, BPF_ANY));
  fd = make(directory, "e2e_btf_empty", BPF_MAP_TYPE_HASH, u32_type, u32_type, 4, 4, 3);
  fd = make(directory, "e2e_btf_progs", BPF_MAP_TYPE_PROG_ARRAY, u32_type, u32_type, 4, 4, 3);
  const struct bpf_insn passes[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 2},
                                    {.code = BPF_JMP | BPF_EXIT}};
  const int program = bpf_prog_load(BPF_PROG_TYPE_XDP, "passes", "GPL", passes, 2, NULL);
  printf("update: %d\n", bpf_map_update_elem(fd, &two, &program, BPF_ANY));
  btf__free(btf);
  return 0;
}
