// SPDX-License-Identifier: Apache-2.0
// A plain libbpf program: it makes maps, fills them by single calls and by batches, walks them, pins and
// reopens them, and prints what it got. Nothing in it knows on what it runs.
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/btf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { kEntries = 1000, kBatch = 64 };

static void say(const char* what, long result) {
  const char* error = result < 0 ? strerrorname_np(errno) : "";
  printf("%s: %s%s\n", what, result < 0 ? "failed: " : "ok", error ? error : "errno 524");
}

static void elements(int fd) {
  unsigned long long sum = 0, value, keys = 0;
  unsigned key, *previous = NULL, count = 0, kept;
  for (unsigned i = 0; i < kEntries; ++i) {
    value = i * 3ull;
    if (bpf_map_update_elem(fd, &i, &value, BPF_NOEXIST) != 0) say("insert", -1);
  }
  key = 0;
  say("insert again", bpf_map_update_elem(fd, &key, &value, BPF_NOEXIST));
  key = kEntries;
  say("insert into the full map", bpf_map_update_elem(fd, &key, &value, BPF_ANY));
  say("update what is not there", bpf_map_update_elem(fd, &key, &value, BPF_EXIST));
  say("look up what is not there", bpf_map_lookup_elem(fd, &key, &value));
  say("delete what is not there", bpf_map_delete_elem(fd, &key));
  while (bpf_map_get_next_key(fd, previous, &key) == 0) {
    if (bpf_map_lookup_elem(fd, &key, &value) == 0) sum += value, keys += key;
    kept = key;
    previous = &kept;
    ++count;
  }
  printf("walked %u elements, keys add up to %llu, values to %llu; ended by %s\n", count, keys, sum,
         strerrorname_np(errno));
  key = 7;
  say("take", bpf_map_lookup_and_delete_elem(fd, &key, &value));
  printf("took %llu\n", value);
  say("take again", bpf_map_lookup_and_delete_elem(fd, &key, &value));
}

static void batches(int fd) {
  static unsigned keys[kEntries];
  static unsigned long long values[kEntries];
  LIBBPF_OPTS(bpf_map_batch_opts, options);
  unsigned long long sum = 0;
  unsigned token = 0, *in = NULL, total = 0, count = kEntries;
  for (unsigned i = 0; i < kEntries; ++i) keys[i] = i, values[i] = i * 5ull;
  say("update batch", bpf_map_update_batch(fd, keys, values, &count, &options));
  printf("updated %u\n", count);
  for (;;) {
    count = kBatch;
    int result = bpf_map_lookup_batch(fd, in, &token, keys, values, &count, &options);
    if (result != 0 && errno != ENOENT) {
      say("lookup batch", result);
      break;
    }
    for (unsigned i = 0; i < count; ++i) sum += values[i] - keys[i];
    total += count;
    in = &token;
    if (result != 0) break;
  }
  printf("batches showed %u elements, %llu\n", total, sum);
  for (unsigned i = 0; i < 10; ++i) keys[i] = i * 100;
  keys[5] = 123456;
  count = 10;
  say("delete batch with a stranger", bpf_map_delete_batch(fd, keys, &count, &options));
  printf("deleted %u\n", count);
  count = kEntries;
  say("take batch", bpf_map_lookup_and_delete_batch(fd, NULL, &token, keys, values, &count, &options));
  printf("took %u\n", count);
  say("next key of the empty map", bpf_map_get_next_key(fd, NULL, keys));
}

static void pins(int fd, const char* directory) {
  char path[256], other[256];
  snprintf(path, sizeof path, "%s/client", directory);
  snprintf(other, sizeof other, "%s/absent/client", directory);
  say("pin", bpf_obj_pin(fd, path));
  say("pin again", bpf_obj_pin(fd, path));
  say("pin where there is no directory", bpf_obj_pin(fd, other));
  say("pin outside", bpf_obj_pin(fd, "/tmp/client"));
  int same = bpf_obj_get(path);
  unsigned key = 42;
  unsigned long long value = 4242;
  say("update through the pin", bpf_map_update_elem(same, &key, &value, BPF_ANY));
  value = 0;
  say("look up through the first fd", bpf_map_lookup_elem(fd, &key, &value));
  printf("value %llu\n", value);
  LIBBPF_OPTS(bpf_obj_get_opts, read_only, .file_flags = BPF_F_RDONLY);
  int reader = bpf_obj_get_opts(path, &read_only);
  say("update through a read-only fd", bpf_map_update_elem(reader, &key, &value, BPF_ANY));
  say("look up through a read-only fd", bpf_map_lookup_elem(reader, &key, &value));
  close(same);
  close(reader);
  say("unlink", unlink(path));
  say("get what is unlinked", bpf_obj_get(path));
}

static void describe(int fd) {
  struct bpf_map_info info = {0};
  unsigned length = sizeof info;
  say("info", bpf_obj_get_info_by_fd(fd, &info, &length));
  printf("%u bytes: type %u key %u value %u entries %u flags %#x name %s btf %d key type %u value type %u\n",
         length, info.type, info.key_size, info.value_size, info.max_entries, info.map_flags, info.name,
         info.btf_id != 0, info.btf_key_type_id, info.btf_value_type_id);
  int again = bpf_map_get_fd_by_id(info.id);
  say("fd by id", again >= 0 ? 0 : again);
  close(again);
  unsigned next = 0, seen = 0;
  for (unsigned id = 0; bpf_map_get_next_id(id, &next) == 0; id = next) seen += next == info.id;
  printf("listed %u times\n", seen);
}

static void mapped_array(void) {
  LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
  int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "mapped", 4, 8, 600, &options);
  unsigned long long *values = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), value = 0;
  say("mmap", values == MAP_FAILED ? -1 : 0);
  if (values == MAP_FAILED) return;
  unsigned key = 555;
  values[key] = 0x1122334455667788;
  say("look up what was stored", bpf_map_lookup_elem(fd, &key, &value));
  printf("%llu\n", value);
  value = 99;
  say("update", bpf_map_update_elem(fd, &key, &value, BPF_ANY));
  printf("mapped value %llu\n", values[key]);
  say("freeze under a writable mapping", bpf_map_freeze(fd));
  say("munmap", munmap(values, 8192));
  say("freeze", bpf_map_freeze(fd));
  say("update the frozen", bpf_map_update_elem(fd, &key, &value, BPF_ANY));
  say("map the frozen for writing",
      mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
  values = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
  say("map the frozen for reading", values == MAP_FAILED ? -1 : 0);
  if (values != MAP_FAILED) {
    printf("still %llu\n", values[key]);
    say("mprotect it", mprotect(values, 8192, PROT_READ | PROT_WRITE));
  }
  say("mmap too much", mmap(NULL, 16384, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
  close(fd);
  fd = bpf_map_create(BPF_MAP_TYPE_HASH, "plain", 4, 8, 16, NULL);
  say("mmap a hash", mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
  char byte;
  say("read a map fd", read(fd, &byte, 1));
  say("write a map fd", write(fd, "x", 1));
  say("seek a map fd", lseek(fd, 0, SEEK_SET));
  say("truncate a map fd", ftruncate(fd, 0));
  say("pread a map fd", pread(fd, &byte, 1, 0));
  say("fsync a map fd", fsync(fd));
  close(fd);
}

static void per_cpu(void) {
  int cpus = libbpf_num_possible_cpus();
  unsigned long long values[256] = {0}, sum = 0;
  unsigned key = 1;
  int fd = bpf_map_create(BPF_MAP_TYPE_PERCPU_HASH, "per_cpu", 4, 8, 4, NULL);
  for (int cpu = 0; cpu < cpus && cpu < 256; ++cpu) values[cpu] = 10ull + (unsigned)cpu;
  say("update all CPUs", bpf_map_update_elem(fd, &key, values, BPF_ANY));
  memset(values, 0, sizeof values);
  say("look up all CPUs", bpf_map_lookup_elem(fd, &key, values));
  for (int cpu = 0; cpu < cpus && cpu < 256; ++cpu) sum += values[cpu] - (unsigned)cpu;
  printf("sum over %d CPUs %llu\n", cpus, sum);
  close(fd);
}

static int with_btf(void) {
  struct btf* btf = btf__new_empty();
  int number = btf__add_int(btf, "unsigned int", 4, 0), wide = btf__add_int(btf, "long", 8, BTF_INT_SIGNED);
  say("load BTF", btf__load_into_kernel(btf));
  LIBBPF_OPTS(bpf_map_create_opts, options, .btf_fd = (unsigned)btf__fd(btf),
              .btf_key_type_id = (unsigned)number, .btf_value_type_id = (unsigned)wide);
  int fd = bpf_map_create(BPF_MAP_TYPE_HASH, "client", 4, 8, kEntries, &options);
  say("create with BTF", fd >= 0 ? 0 : fd);
  btf__free(btf);
  struct bpf_map_info info = {0};
  unsigned length = sizeof info;
  bpf_obj_get_info_by_fd(fd, &info, &length);
  btf = btf__load_from_kernel_by_id(info.btf_id);
  printf("BTF read back: %u types, key %s, value %s\n", btf ? btf__type_cnt(btf) : 0,
         btf ? btf__name_by_offset(btf, btf__type_by_id(btf, info.btf_key_type_id)->name_off) : "?",
         btf ? btf__name_by_offset(btf, btf__type_by_id(btf, info.btf_value_type_id)->name_off) : "?");
  btf__free(btf);
  return fd;
}

int main(int argc, char** argv) {
  const char* directory = argc > 1 ? argv[1] : "/sys/fs/bpf";
  setvbuf(stdout, NULL, _IOLBF, 0);
  libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
  int fd = with_btf();
  if (fd < 0) return 1;
  describe(fd);
  elements(fd);
  batches(fd);
  pins(fd, directory);
  mapped_array();
  per_cpu();
  struct bpf_map_info info = {0};
  unsigned length = sizeof info;
  bpf_obj_get_info_by_fd(fd, &info, &length);
  say("freeze", bpf_map_freeze(fd));
  say("freeze again", bpf_map_freeze(fd));
  close(fd);
  say("fd by id after the last close", bpf_map_get_fd_by_id(info.id));
  return 0;
}
