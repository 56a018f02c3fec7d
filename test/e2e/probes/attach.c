// SPDX-License-Identifier: Apache-2.0
// attach OBJECT: attaches all programs as libbpf does by their sections, then in other ways; says what they
// have counted when a line comes.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PROGRAMS 8
#define KPROBE_SESSION 56  // attach type of Linux 6.10

static void show_link(const char* name, struct bpf_link* link) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", bpf_link__fd(link));
  FILE* file = fopen(path, "r");
  while (file && fgets(line, sizeof line, file))
    if (!strncmp(line, "link_type", 9) || strstr(line, "name:") || strstr(line, "event_type") ||
        strstr(line, "cookie") || strstr(line, "host_") || strstr(line, "kprobe_cnt"))
      printf("%s %s", name, line);
  if (file) fclose(file);
}

// With a number for each function; of a session by the system call, which this libbpf knows nothing of.
static struct bpf_link* attach_with_cookies(struct bpf_program* program) {
  const char* names[] = {"host_work", "host_rest"};
  const __u64 cookies[] = {1, 100};
  LIBBPF_OPTS(bpf_kprobe_multi_opts, options, .syms = names, .cookies = cookies, .cnt = 2);
  return bpf_program__attach_kprobe_multi_opts(program, NULL, &options);
}

static int attach_session(struct bpf_program* program) {
  const char* names[] = {"host_rest"};
  union bpf_attr attr = {
      .link_create = {.prog_fd = (__u32)bpf_program__fd(program), .attach_type = KPROBE_SESSION}};
  attr.link_create.kprobe_multi.syms = (__u64)(unsigned long)names;
  attr.link_create.kprobe_multi.cnt = 1;
  return (int)syscall(321 /* bpf */, BPF_LINK_CREATE, &attr, sizeof attr);
}

// Who is at the tracepoint, by an event of it.
static void query(void) {
  struct perf_event_query_bpf* query = calloc(1, sizeof *query + 8 * sizeof(__u32));
  query->ids_len = 8;
  FILE* file = fopen("/sys/kernel/tracing/events/host/work/id", "r");
  unsigned long long id = 0;
  if (!file || fscanf(file, "%llu", &id) != 1) printf("no id\n");
  if (file) fclose(file);
  struct perf_event_attr attr = {.size = sizeof attr, .type = PERF_TYPE_TRACEPOINT, .config = id};
  const int event = (int)syscall(298 /* perf_event_open */, &attr, -1, 0, -1, 0);
  const int result = ioctl(event, PERF_EVENT_IOC_QUERY_BPF, query);
  printf("query: %d, %u programs\n", result, query->prog_cnt);
  query->ids_len = 1;
  printf("query with little room: %s\n",
         ioctl(event, PERF_EVENT_IOC_QUERY_BPF, query) ? strerror(errno) : "ok");
  close(event);
  free(query);
}

int main(int argc, char** argv) {
  struct bpf_object* object = argc > 1 ? bpf_object__open_file(argv[1], NULL) : NULL;
  if (!object) return 1;
  struct bpf_program* const session = bpf_object__find_program_by_name(object, "session");
  bpf_program__set_expected_attach_type(session, KPROBE_SESSION);
  if (bpf_object__load(object)) return 1;
  struct bpf_link* links[PROGRAMS] = {0};
  int count = 0;
  struct bpf_program* program;
  bpf_object__for_each_program(program, object) {
    const char* name = bpf_program__name(program);
    if (program == session) continue;
    if (!strcmp(name, "end")) {
      LIBBPF_OPTS(bpf_kprobe_opts, options, .bpf_cookie = 5, .retprobe = true);
      links[count] = bpf_program__attach_kprobe_opts(program, "host_work", &options);
    } else if (!strcmp(name, "cookies")) {
      links[count] = attach_with_cookies(program);
    } else {
      links[count] = bpf_program__attach(program);
    }
    if (!links[count]) {
      printf("%s: %s\n", name, strerror(errno));
      return 1;
    }
    show_link(name, links[count++]);
  }
  if (attach_session(session) < 0) printf("session: %s\n", strerror(errno));
  query();
  program = bpf_object__find_program_by_name(object, "begin");
  if (!bpf_program__attach_kprobe(program, false, "no_such_function"))
    printf("a probe of nothing: %s\n", strerror(errno));
  program = bpf_object__find_program_by_name(object, "many");
  if (!bpf_program__attach_kprobe_multi_opts(program, "no_such_*", NULL))
    printf("probes of nothing: %s\n", strerror(errno));
  const char* names[] = {"host_work", "no_such_function"};
  LIBBPF_OPTS(bpf_kprobe_multi_opts, options, .syms = names, .cnt = 2);
  if (!bpf_program__attach_kprobe_multi_opts(program, NULL, &options))
    printf("probes of which one is of nothing: %s\n", strerror(errno));
  program = bpf_object__find_program_by_name(object, "work");
  if (!bpf_program__attach_tracepoint(program, "host", "work"))
    printf("the same again: %s\n", strerror(errno));
  if (!bpf_program__attach_tracepoint(program, "host", "rest"))
    printf("no such tracepoint: %s\n", strerror(errno));
  puts("attached");
  fflush(stdout);
  char line[16];
  const int sums = bpf_object__find_map_fd_by_name(object, "sums");
  while (fgets(line, sizeof line, stdin)) {
    for (__u32 place = 0; place < 10; ++place) {
      __u64 sum = 0;
      bpf_map_lookup_elem(sums, &place, &sum);
      printf("%llu ", sum);
    }
    puts("");
    fflush(stdout);
  }
  for (int i = 0; i < count; ++i) bpf_link__destroy(links[i]);
  bpf_object__close(object);
  return 0;
}
