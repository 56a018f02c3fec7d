// SPDX-License-Identifier: Apache-2.0
// iterator_client OBJECT: iterators by libbpf: what they print, in which pieces, which maps they take, what
// their links say, and what a pin of one is.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <poll.h>

#include "client.h"

static struct bpf_object* object;
struct globals {
  int wanted_id, calls, refusals, result, sum;
};
static struct globals* globals;

static int silent(enum libbpf_print_level level, const char* format, va_list arguments) {
  (void)level, (void)format, (void)arguments;
  return 0;
}

static int map_of(enum bpf_map_type type, unsigned key_size, unsigned value_size, unsigned entries,
                  unsigned flags) {
  LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = flags);
  return bpf_map_create(type, "numbers", key_size, value_size, entries, &options);
}
static int array_of(unsigned entries) {
  const int fd = map_of(BPF_MAP_TYPE_ARRAY, 4, 8, entries, 0);
  for (unsigned i = 0; i < entries; i++) update(fd, i, i * 10);
  return fd;
}

static int program(const char* name) {
  return bpf_program__fd(bpf_object__find_program_by_name(object, name));
}
static int link_with(const char* name, int map, const void* info, unsigned size) {
  union bpf_iter_link_info own = {.map = {.map_fd = (unsigned)map}};
  LIBBPF_OPTS(bpf_link_create_opts, options, .iter_info = (void*)(info ? info : &own),
              .iter_info_len = info ? size : sizeof own);
  return bpf_link_create(program(name), 0, BPF_TRACE_ITER, &options);
}
static int link_over(const char* name, int map) { return link_with(name, map, NULL, 0); }

static int iterate(const char* name, int map) {
  const int link = link_over(name, map);
  const int fd = link < 0 ? link : bpf_iter_create(link);
  if (link >= 0) close(link);
  globals->calls = globals->refusals = 0;
  return fd;
}

static int by_line(const void* a, const void* b) { return strcmp(*(char**)a, *(char**)b); }
// All that comes; sorted by lines where the order is the map's own affair.
static void show_all(int fd, int is_sorted) {
  static char text[1 << 16];
  ssize_t size = 0, more;
  while ((more = read(fd, text + size, sizeof text - 1 - (size_t)size)) > 0) size += more;
  text[size] = '\0';
  char* lines[256];
  int count = 0;
  for (char* line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) lines[count++] = line;
  if (is_sorted) qsort(lines, (size_t)count, sizeof *lines, by_line);
  for (int i = 0; i < count; i++) printf("  %s\n", lines[i]);
  if (more < 0) printf("  %s\n", error_name(errno));
}
static void show_once(const char* name, int map, int is_sorted) {
  printf("%s\n", name);
  const int fd = iterate(name, map);
  say("iterate", fd);
  show_all(fd, is_sorted);
  close(fd);
}
// Without the numbers by which elements came.
static void show_pieces(int fd, size_t size, int most) {
  static char bytes[1 << 16];
  for (int i = 0; i < most; i++) {
    const ssize_t got = read(fd, bytes, size);
    if (got < 0)
      printf("  read %zu: %s", size, error_name(errno));
    else
      printf("  read %zu: %zd", size, got);
    printf(", %d calls, %d refusals\n", globals->calls, globals->refusals);
    if (got == 0) return;
  }
}

static void elements(void) {
  const int array = array_of(5), hash = map_of(BPF_MAP_TYPE_HASH, 4, 8, 10, 0);
  show_once("show", array, 0);
  show_once("show", array, 0);
  show_once("show", hash, 0);
  for (unsigned i = 0; i < 4; i++) update(hash, i, i);
  printf("a hash\n");
  const int fd = iterate("count", hash);
  show_pieces(fd, 10, 3);
  close(fd);
  const int percpu = map_of(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 2, 0);
  const int percpu_hash = map_of(BPF_MAP_TYPE_PERCPU_HASH, 4, 8, 2, 0);
  for (unsigned key = 0; key < 2; key++) {
    uint64_t values[64];
    for (unsigned cpu = 0; cpu < 64; cpu++) values[cpu] = key * 100 + cpu;
    bpf_map_update_elem(percpu, &key, values, 0);
    bpf_map_update_elem(percpu_hash, &key, values, 0);
  }
  show_once("show_both", percpu, 0);
  show_once("show_both", percpu_hash, 1);
  show_once("show_both", percpu_hash, 1);
  const int lru = map_of(BPF_MAP_TYPE_LRU_HASH, 4, 16, 4, 0);
  const uint64_t two[] = {5, 6};
  bpf_map_update_elem(lru, &(unsigned){3}, two, 0);
  show_once("show_both", lru, 0);
  show_once("typed", lru, 0);
  show_once("errors", array_of(1), 0);
  close(array), close(hash), close(percpu), close(percpu_hash), close(lru);
}

static void pieces(void) {
  const int array = array_of(24);
  const size_t sizes[] = {0, 1, 3000, 3001, 20000, 60000};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    const int fd = iterate("loud", array);
    printf("loud, by %zu\n", sizes[i]);
    show_pieces(fd, sizes[i], 5);
    close(fd);
  }
  const char* names[] = {"too_loud", "loud_end"};
  for (int i = 0; i < 2; i++) {
    const int fd = iterate(names[i], array);
    printf("%s\n", names[i]);
    show_pieces(fd, 1000, 3);
    close(fd);
  }
  const int few = array_of(4);
  for (int again = 0; again < 3; again++) {
    globals->result = again;
    const int fd = iterate("once_more", few);
    printf("once_more, %d times\n", again);
    show_pieces(fd, 1000, 4);
    globals->result = again;
    close(fd);
    show_once("once_more", few, 0);
  }
  close(array), close(few);
}

// To where nothing is, of which the compiler must not know.
static void* volatile nowhere = (void*)8;

static void files(void) {
  printf("the fd\n");
  const int array = array_of(3), fd = iterate("show", array);
  char byte;
  say("lseek", lseek(fd, 0, SEEK_SET));
  say("pread", pread(fd, &byte, 1, 0));
  say("write", write(fd, "x", 1));
  say("read into nowhere", read(fd, nowhere, 10));
  struct pollfd one = {.fd = fd, .events = POLLIN | POLLOUT};
  say_value("poll", poll(&one, 1, 0));
  printf("  revents %x, flags %x, cloexec %d\n", one.revents, fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
  say("pin", pin(fd, PIN_DIRECTORY "/no_pin"));
  printf("  id %u, %s\n", id_of(fd), error_name(errno));
  say("another of it", bpf_iter_create(fd));
  close(array);
  if (fork() == 0) {
    printf("in a child\n");
    show_all(fd, 0);
    exit(0);
  }
  wait(NULL);
  printf("in the parent\n");
  show_all(fd, 0);
  close(fd);
}

static void links(void) {
  const int array = array_of(2), hash = map_of(BPF_MAP_TYPE_HASH, 4, 8, 4, 0);
  const int link = link_over("show", array);
  char name[16] = "";
  struct bpf_link_info info = {.iter = {.target_name = (uintptr_t)name, .target_name_len = sizeof name}};
  unsigned size = sizeof info;
  say("info", bpf_obj_get_info_by_fd(link, &info, &size));
  printf("  type %u, %s, %u, its map %d\n", info.type, name, info.iter.target_name_len,
         info.iter.map.map_id == id_of(array));
  memset(&info, 0, sizeof info);
  info.iter.target_name = (uintptr_t)name;
  info.iter.target_name_len = 4;
  say("info with little room", bpf_obj_get_info_by_fd(link, &info, &size));
  printf("  %s, %u\n", name, info.iter.target_name_len);
  say("detach", bpf_link_detach(link));
  const int before = bpf_iter_create(link);
  say("update", bpf_link_update(link, program("count"), NULL));
  const int after = bpf_iter_create(link);
  printf("before the update\n");
  show_all(before, 0);
  printf("after\n");
  show_all(after, 0);
  LIBBPF_OPTS(bpf_link_update_opts, old, .flags = BPF_F_REPLACE, .old_prog_fd = (unsigned)program("show"));
  say("update of another", bpf_link_update(link, program("loud"), &old));
  old.old_prog_fd = (unsigned)program("count");
  say("update of this one", bpf_link_update(link, program("loud"), &old));
  say("update to another target", bpf_link_update(link, program("show_maps"), NULL));
  say("flags",
      bpf_link_update(link, program("show"), &(struct bpf_link_update_opts){.sz = sizeof old, .flags = 1}));

  printf("which can be made\n");
  say("sleepable", link_over("sleepy", array));
  say("a key that is too long", link_over("long_key", array));
  say("a value that is too long", link_over("long_value", array));
  say("that are not looked at", link_over("count", array));
  say("no map", link_over("count", 0));
  say("a closed fd", link_over("count", 999));
  say("an fd of no map", link_over("count", program("count")));
  struct {
    union bpf_iter_link_info info;
    long more;
  } longer = {.info = {.map = {.map_fd = (unsigned)array}}};
  say("longer info", link_with("count", 0, &longer, sizeof longer));
  longer.more = 1;
  say("with something in it", link_with("count", 0, &longer, sizeof longer));
  say("shorter info", link_with("count", 0, &longer, 4));
  say("info without a length", link_with("count", 0, &longer, 0));
  say("info nowhere", link_with("count", 0, nowhere, 16));
  say("maps need none", link_over("show_maps", 0));
  LIBBPF_OPTS(bpf_link_create_opts, options);
  say("elements without", bpf_link_create(program("count"), 0, BPF_TRACE_ITER, &options));
  say("maps without", bpf_link_create(program("show_maps"), 0, BPF_TRACE_ITER, &options));
  options.flags = 1;
  say("flags", bpf_link_create(program("show_maps"), 0, BPF_TRACE_ITER, &options));
  options.flags = 0;
  say("a target", bpf_link_create(program("show_maps"), array, BPF_TRACE_ITER, &options));
  union bpf_attr attr = {.iter_create = {.link_fd = (unsigned)link, .flags = 1}};
  say("iterator with flags", bpf(BPF_ITER_CREATE, &attr, sizeof attr));
  attr.iter_create.flags = 0;
  attr.iter_create.link_fd = (unsigned)array;
  say("of no link", bpf(BPF_ITER_CREATE, &attr, sizeof attr));
  attr.iter_create.link_fd = 999;
  say("of nothing", bpf(BPF_ITER_CREATE, &attr, sizeof attr));

  static const struct {
    const char* name;
    enum bpf_map_type type;
    unsigned key, value, entries, flags;
  } types[] = {{"hash", BPF_MAP_TYPE_HASH, 4, 8, 4, 0},
               {"hash without preallocation", BPF_MAP_TYPE_HASH, 4, 8, 4, BPF_F_NO_PREALLOC},
               {"array", BPF_MAP_TYPE_ARRAY, 4, 8, 4, 0},
               {"mmapable array", BPF_MAP_TYPE_ARRAY, 4, 8, 4, BPF_F_MMAPABLE},
               {"percpu_hash", BPF_MAP_TYPE_PERCPU_HASH, 4, 8, 4, 0},
               {"percpu_array", BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 4, 0},
               {"lru_hash", BPF_MAP_TYPE_LRU_HASH, 4, 8, 4, 0},
               {"lru_percpu_hash", BPF_MAP_TYPE_LRU_PERCPU_HASH, 4, 8, 4, 0},
               {"prog_array", BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 4, 0},
               {"perf_event_array", BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 4, 0},
               {"stack_trace", BPF_MAP_TYPE_STACK_TRACE, 4, 8, 4, 0},
               {"lpm_trie", BPF_MAP_TYPE_LPM_TRIE, 8, 8, 4, BPF_F_NO_PREALLOC},
               {"queue", BPF_MAP_TYPE_QUEUE, 0, 8, 4, 0},
               {"stack", BPF_MAP_TYPE_STACK, 0, 8, 4, 0},
               {"ringbuf", BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, 0},
               {"bloom_filter", BPF_MAP_TYPE_BLOOM_FILTER, 0, 8, 4, 0},
               {"an array that programs only read", BPF_MAP_TYPE_ARRAY, 4, 8, 4, BPF_F_RDONLY_PROG},
               {"an array that programs only write", BPF_MAP_TYPE_ARRAY, 4, 8, 4, BPF_F_WRONLY_PROG}};
  for (unsigned i = 0; i < sizeof types / sizeof *types; i++) {
    const int map = map_of(types[i].type, types[i].key, types[i].value, types[i].entries, types[i].flags);
    if (map < 0) printf("  no %s\n", types[i].name);
    const int made = link_over("show", map);
    say(types[i].name, made);
    if (made >= 0) close(made);
    close(map);
  }
  close(link), close(before), close(after), close(array), close(hash);
}

static void lifetimes(void) {
  printf("lifetimes\n");
  const int array = array_of(2), link = link_over("show", array), id = (int)id_of(array);
  const int fd = bpf_iter_create(link);
  struct bpf_link_info info = {0};
  unsigned size = sizeof info;
  bpf_obj_get_info_by_fd(link, &info, &size);
  close(array);
  state("the map, by its link", (unsigned)id);
  close(link);
  const int again = bpf_link_get_fd_by_id(info.id);
  say("the link, closed", again);
  state("the map, by the iterator", (unsigned)id);
  show_all(fd, 0);
  close(fd);
  state_soon("the map, by nothing", (unsigned)id);
}

static void pins(void) {
  printf("pins\n");
  const int array = array_of(2), link = link_over("show", array);
  const char* path = PIN_DIRECTORY "/iterator";
  say("pin", pin(link, path));
  fflush(stdout);
  if (system("cat " PIN_DIRECTORY "/iterator") != 0) printf("  cat failed\n");
  if (system("cat " PIN_DIRECTORY "/iterator > /dev/null; head -c 5 " PIN_DIRECTORY "/iterator; echo") != 0)
    printf("  head failed\n");
  close(link);
  FILE* stream = fopen(path, "r");
  char line[100];
  while (stream && fgets(line, sizeof line, stream)) printf("  by stream: %s", line);
  if (stream) fclose(stream);
  const int opened = open(path, O_RDONLY);
  say("open", opened);
  printf("  cloexec %d\n", fcntl(opened, F_GETFD));
  say("unlink", unlink(path));
  show_all(opened, 0);
  close(opened);
  close(array);
}

static void objects(void) {
  printf("objects\n");
  const int array = array_of(3);
  globals->wanted_id = (int)id_of(array);
  show_once("show_maps", 0, 0);
  struct bpf_prog_info info = {0};
  unsigned size = sizeof info;
  bpf_obj_get_info_by_fd(program("loud"), &info, &size);
  globals->wanted_id = (int)info.id;
  show_once("show_programs", 0, 0);
  const int link = link_over("count", array);
  struct bpf_link_info of_link = {0};
  size = sizeof of_link;
  bpf_obj_get_info_by_fd(link, &of_link, &size);
  globals->wanted_id = (int)of_link.id;
  show_once("show_links", 0, 0);
  close(link), close(array);
}

int main(int count, char** arguments) {
  if (count != 2) return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
  libbpf_set_print(silent);
  object = bpf_object__open(arguments[1]);
  if (object == NULL || bpf_object__load(object) != 0) {
    printf("cannot load: %s\n", error_name(errno));
    return 1;
  }
  struct bpf_map* data = bpf_object__find_map_by_name(object, "iterator.bss");
  globals = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(data), 0);
  elements();
  pieces();
  files();
  links();
  lifetimes();
  pins();
  objects();
  return 0;
}
