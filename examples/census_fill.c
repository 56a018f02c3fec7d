// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A plain libbpf program that knows nothing of Portolan: counts the files below a folder into two maps.
//
//   census_fill FILES_PIN EXTENSIONS_PIN FOLDER
//
// FILES_PIN must be pinned already (a hash, 8-byte keys and values); the extensions map is made here, with
// BTF, and pinned. Files go into the map by batches; then both maps are walked and their totals printed.
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "census.h"

enum { kBatch = 512 };

static struct {
  int files_fd, extensions_fd;
  uint64_t keys[kBatch], sizes[kBatch];
  uint32_t filled;
} census;

static void die(const char* what) {
  fprintf(stderr, "census_fill: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void flush_batch(void) {
  LIBBPF_OPTS(bpf_map_batch_opts, options, .elem_flags = BPF_ANY);
  uint32_t count = census.filled;
  if (count != 0 && bpf_map_update_batch(census.files_fd, census.keys, census.sizes, &count, &options) != 0)
    die("update a batch of the files map");
  census.filled = 0;
}

static int on_file(const char* path, const struct stat* status, int type, struct FTW* place) {
  (void)place;
  if (type != FTW_F || !S_ISREG(status->st_mode)) return 0;
  census.keys[census.filled] = census_path_hash(path);
  census.sizes[census.filled] = (uint64_t)status->st_size;
  if (++census.filled == kBatch) flush_batch();

  const struct census_extension extension = census_extension_of(path);
  struct census_counters counters = {0, 0};
  bpf_map_lookup_elem(census.extensions_fd, &extension, &counters);
  counters.files += 1;
  counters.bytes += (uint64_t)status->st_size;
  if (bpf_map_update_elem(census.extensions_fd, &extension, &counters, BPF_ANY) != 0)
    die("update the extensions map");
  return 0;
}

// Makes the extensions map with types that bpftool can print, and pins it.
static int make_extensions_map(const char* pin) {
  struct btf* btf = btf__new_empty();
  if (btf == NULL) die("make BTF");
  const int character = btf__add_int(btf, "char", 1, BTF_INT_CHAR);
  const int index = btf__add_int(btf, "__ARRAY_SIZE_TYPE__", 4, 0);
  const int text = btf__add_array(btf, index, character, 16);
  const int extension = btf__add_struct(btf, "census_extension", sizeof(struct census_extension));
  btf__add_field(btf, "text", text, 0, 0);
  const int number = btf__add_int(btf, "u64", 8, 0);
  const int counters = btf__add_struct(btf, "census_counters", sizeof(struct census_counters));
  btf__add_field(btf, "files", number, 0, 0);
  btf__add_field(btf, "bytes", number, 64, 0);
  uint32_t size;
  const void* data = btf__raw_data(btf, &size);
  const int btf_fd = bpf_btf_load(data, size, NULL);
  if (btf_fd < 0) die("load BTF");

  LIBBPF_OPTS(bpf_map_create_opts, options, .btf_fd = (uint32_t)btf_fd,
              .btf_key_type_id = (uint32_t)extension, .btf_value_type_id = (uint32_t)counters);
  const int fd = bpf_map_create(BPF_MAP_TYPE_HASH, "extensions", sizeof(struct census_extension),
                                sizeof(struct census_counters), 8192, &options);
  if (fd < 0) die("make the extensions map");
  if (bpf_obj_pin(fd, pin) != 0) die(pin);
  close(btf_fd);
  btf__free(btf);
  return fd;
}

static void print_totals_of_files(void) {
  uint64_t keys[kBatch], sizes[kBatch], files = 0, bytes = 0, position[2];
  for (void* from = NULL;; from = &position[0]) {
    uint32_t count = kBatch;
    const int status = bpf_map_lookup_batch(census.files_fd, from, &position[1], keys, sizes, &count, NULL);
    if (status != 0 && errno != ENOENT) die("look up a batch of the files map");
    for (uint32_t i = 0; i < count; ++i) bytes += sizes[i];
    files += count;
    if (status != 0) break;
    position[0] = position[1];
  }
  printf("files map:      %llu files, %llu bytes\n", (unsigned long long)files, (unsigned long long)bytes);
}

static void print_totals_of_extensions(void) {
  struct census_extension key, next;
  struct census_counters counters, total = {0, 0};
  unsigned long long extensions = 0;
  for (const void* from = NULL; bpf_map_get_next_key(census.extensions_fd, from, &next) == 0; from = &key) {
    if (bpf_map_lookup_elem(census.extensions_fd, &next, &counters) != 0) die("look up an extension");
    total.files += counters.files;
    total.bytes += counters.bytes;
    ++extensions;
    key = next;
  }
  printf("extensions map: %llu files, %llu bytes, %llu extensions\n", (unsigned long long)total.files,
         (unsigned long long)total.bytes, extensions);
}

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: census_fill FILES_PIN EXTENSIONS_PIN FOLDER\n");
    return 2;
  }
  census.files_fd = bpf_obj_get(argv[1]);
  if (census.files_fd < 0) die(argv[1]);
  census.extensions_fd = make_extensions_map(argv[2]);
  if (nftw(argv[3], on_file, 64, FTW_PHYS) != 0) die(argv[3]);
  flush_batch();
  print_totals_of_files();
  print_totals_of_extensions();
  return 0;
}
