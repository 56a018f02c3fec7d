// SPDX-License-Identifier: Apache-2.0
// attach OBJECT BINARY: attaches programs to functions that libbpf finds in the binary, then to many places
// of it; says what they have counted when a line comes.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// Attach types of Linux 6.6 and 6.13.
#define UPROBE_MULTI 48
#define UPROBE_SESSION 57

#define PLACES 10

static struct bpf_object* object;
static const char* binary;
static struct bpf_link* links[8];
static int link_fds[8], link_count, link_fd_count;

// Says what the link is; the offset of its place in the file, if it has one.
static __u64 show_link(const char* name, int fd) {
  char path[64], line[512];
  unsigned long long offset = 0;
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  FILE* file = fopen(path, "r");
  while (file && fgets(line, sizeof line, file))
    if (sscanf(line, "offset: %llx", &offset) != 1 &&
        (!strncmp(line, "link_type", 9) || strstr(line, "name:") || strstr(line, "event_type") ||
         strstr(line, "cookie:") || strstr(line, "_cnt") || strstr(line, "path:") || strstr(line, "pid:")))
      printf("%s %s", name, line);
  if (file) fclose(file);
  return offset;
}

static struct bpf_program* program(const char* name) {
  return bpf_object__find_program_by_name(object, name);
}

// To a function, of all processes or of one.
static __u64 attach(const char* name, pid_t pid, const char* function, bool ends) {
  LIBBPF_OPTS(bpf_uprobe_opts, options, .func_name = function, .retprobe = ends, .bpf_cookie = 5);
  struct bpf_link* link = bpf_program__attach_uprobe_opts(program(name), pid, binary, 0, &options);
  if (!link) {
    printf("%s: %s\n", name, strerror(errno));
    return 0;
  }
  links[link_count++] = link;
  return show_link(name, bpf_link__fd(link));
}

// struct bpf_attr of later headers
struct uprobe_multi {
  __u32 prog_fd, target_fd, attach_type, flags;
  __u64 path, offsets, ref_ctr_offsets, cookies;
  __u32 cnt, multi_flags, pid;
};

static void attach_many(const char* name, __u32 type, __u64 first, __u64 second) {
  const __u64 offsets[] = {first, second}, cookies[] = {1, 100};
  struct uprobe_multi attr = {.prog_fd = (__u32)bpf_program__fd(program(name)),
                              .attach_type = type,
                              .path = (__u64)(unsigned long)binary,
                              .offsets = (__u64)(unsigned long)offsets,
                              .cookies = (__u64)(unsigned long)cookies,
                              .cnt = 2};
  const int link = (int)syscall(321 /* bpf */, BPF_LINK_CREATE, &attr, 60);
  if (link < 0) {
    printf("%s: %s\n", name, strerror(errno));
    return;
  }
  link_fds[link_fd_count++] = link;
  show_link(name, link);
}

int main(int argc, char** argv) {
  object = argc > 2 ? bpf_object__open_file(argv[1], NULL) : NULL;
  if (!object) return 1;
  binary = argv[2];
  bpf_program__set_expected_attach_type(program("many"), UPROBE_MULTI);
  bpf_program__set_expected_attach_type(program("session"), UPROBE_SESSION);
  if (bpf_object__load(object)) return 1;
  attach("serve", -1, "host_serve", false);
  const __u64 serve = attach("serve_ends", -1, "host_serve", true);
  const __u64 rest = attach("of_another", getpid(), "host_rest", false);
  attach("of_another", -1, "main", false);
  LIBBPF_OPTS(bpf_usdt_opts, options, .usdt_cookie = 7);
  links[link_count++] = bpf_program__attach_usdt(program("turn"), -1, binary, "host", "turn", &options);
  if (!links[link_count - 1]) printf("turn: %s\n", strerror(errno));
  if (!bpf_program__attach_usdt(program("turn"), -1, binary, "host", "return", NULL))
    printf("no such place: %s\n", strerror(errno));
  attach_many("many", UPROBE_MULTI, serve, rest);
  attach_many("session", UPROBE_SESSION, serve, rest);
  attach_many("many", UPROBE_MULTI, serve, serve + 1);
  puts("attached");
  fflush(stdout);
  char line[16];
  const int sums = bpf_object__find_map_fd_by_name(object, "sums");
  while (fgets(line, sizeof line, stdin)) {
    for (__u32 place = 0; place < PLACES; ++place) {
      __u64 sum = 0;
      bpf_map_lookup_elem(sums, &place, &sum);
      printf("%llu ", sum);
    }
    puts("");
    fflush(stdout);
  }
  while (link_count != 0) bpf_link__destroy(links[--link_count]);
  while (link_fd_count != 0) close(link_fds[--link_fd_count]);
  bpf_object__close(object);
  return 0;
}
