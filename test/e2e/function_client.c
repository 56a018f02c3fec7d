// SPDX-License-Identifier: Apache-2.0
// function_client TARGET ATTACHED: programs that are attached to functions of programs, by libbpf. Says what
// is not as the kernel has it; it need not run on one, since few let it.
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "client.h"

static const char* attached_path;
static struct bpf_object* target;
static int wrong;

#define EXPECT(actual, wanted)                                                                           \
  do {                                                                                                   \
    const long long a_ = (long long)(actual), w_ = (long long)(wanted);                                  \
    if (a_ != w_) printf("%s:%d: %s is %lld, not %lld\n", __func__, __LINE__, #actual, a_, w_), wrong++; \
  } while (0)

struct seen {
  int calls, number, len, result, main_result, cookie;
  unsigned long long ip, argument, returned;
};
struct attached {
  struct bpf_object* object;
  struct bpf_program* program;
  struct seen* seen;
};
static char log_text[1 << 16];

static int silent(enum libbpf_print_level level, const char* format, va_list arguments) {
  (void)level, (void)format, (void)arguments;
  return 0;
}
static int fd_of(const char* name) { return bpf_program__fd(bpf_object__find_program_by_name(target, name)); }
static int run_program(int fd) {
  char packet[64];
  for (int i = 0; i < 64; i++) packet[i] = (char)i;
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = sizeof packet);
  return bpf_prog_test_run_opts(fd, &options) == 0 ? (int)options.retval : -errno;
}
static int run(const char* name) { return run_program(fd_of(name)); }

// One program of the object for a function of `program`; NULL in .program: it does not load.
static struct attached load_for(const char* to, const char* name, const char* function) {
  struct attached it = {.object = bpf_object__open_file(attached_path, NULL)};
  struct bpf_program* program;
  int error = 0;
  log_text[0] = '\0';
  bpf_object__for_each_program(program, it.object) {
    const int is_it = strcmp(bpf_program__name(program), name) == 0;
    bpf_program__set_autoload(program, is_it);
    if (is_it) {
      error = bpf_program__set_attach_target(program, fd_of(to), function);
      bpf_program__set_log_buf(program, log_text, sizeof log_text);
      bpf_program__set_log_level(program, 1);
      it.program = program;
    }
  }
  if (error != 0 || bpf_object__load(it.object) != 0) it.program = NULL;
  if (it.program != NULL) {
    struct bpf_map* const map = bpf_object__find_map_by_name(it.object, ".bss");
    it.seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
  }
  return it;
}
static struct attached load(const char* name, const char* function) {
  return load_for("entry", name, function);
}
static void end(struct bpf_link* link, struct attached* it) {
  if (link != NULL) bpf_link__destroy(link);
  bpf_object__close(it->object);
}
static void refused_for(const char* to, const char* name, const char* function, const char* why) {
  struct attached it = load_for(to, name, function);
  if (it.program != NULL || strstr(log_text, why) == NULL)
    printf("%s on %s: not refused with \"%s\": %s\n", name, function, why, log_text), wrong++;
  bpf_object__close(it.object);
}

static void refused(const char* name, const char* function, const char* why) {
  refused_for("entry", name, function, why);
}

static int is_compiled(void) {
  const char* const setting = getenv("PORTOLAN_JIT");
  return setting == NULL || strcmp(setting, "0") != 0;
}

#define PLAIN (30 + 128 + 1000 + 30000)

static void replaces_a_function_while_its_link_lives(void) {
  EXPECT(run("entry"), PLAIN);
  struct attached it = load("new_weight", "weight");
  if (it.program == NULL) {
    printf("%s\n", log_text);
    wrong++;
    return;
  }
  struct bpf_prog_info program = {0};
  unsigned size = sizeof program;
  bpf_obj_get_info_by_fd(bpf_program__fd(it.program), &program, &size);
  EXPECT(program.type, BPF_PROG_TYPE_EXT);
  EXPECT(program.attach_btf_obj_id != 0, 1);
  EXPECT(program.attach_btf_id != 0, 1);
  EXPECT(run("entry"), PLAIN);
  struct bpf_link* link = bpf_program__attach_freplace(it.program, 0, NULL);
  EXPECT(link != NULL, 1);
  if (link == NULL) return;
  EXPECT(run("entry"), PLAIN + 270);
  struct bpf_link_info info = {0};
  size = sizeof info;
  EXPECT(bpf_obj_get_info_by_fd(bpf_link__fd(link), &info, &size), 0);
  struct bpf_prog_info main_info = {0};
  size = sizeof main_info;
  bpf_obj_get_info_by_fd(fd_of("entry"), &main_info, &size);
  EXPECT(info.type, BPF_LINK_TYPE_TRACING);
  EXPECT(info.tracing.target_obj_id, main_info.id);
  EXPECT(info.tracing.target_btf_id, program.attach_btf_id);
  EXPECT(info.tracing.attach_type, 0);
  // Whoever is there is there alone.
  EXPECT(bpf_program__attach_freplace(it.program, 0, NULL) == NULL, 1);
  EXPECT(bpf_program__attach_freplace(it.program, fd_of("entry"), "weight") == NULL && errno == EBUSY, 1);
  struct attached entry = load("weight_begins", "weight");
  EXPECT(bpf_program__attach(entry.program) == NULL && errno == EBUSY, 1);
  end(NULL, &entry);
  // Not by tail calls, too.
  const int others = bpf_object__find_map_fd_by_name(target, "others");
  const int entry_fd = fd_of("entry");
  const int zero = 0;
  EXPECT(bpf_map_update_elem(others, &zero, &entry_fd, 0) != 0 && errno == EBUSY, 1);
  bpf_link__destroy(link);
  EXPECT(run("entry"), PLAIN);
  EXPECT(bpf_map_update_elem(others, &zero, &entry_fd, 0), 0);
  EXPECT(bpf_program__attach_freplace(it.program, fd_of("entry"), "weight") == NULL && errno == EBUSY, 1);
  bpf_map_delete_elem(others, &zero);
  // Once it has been attached, it must be said to what.
  EXPECT(bpf_program__attach_freplace(it.program, 0, NULL) == NULL && errno == EINVAL, 1);
  link = bpf_program__attach_freplace(it.program, entry_fd, "weight");
  EXPECT(link != NULL, 1);
  EXPECT(run("entry"), PLAIN + 270);
  EXPECT(bpf_program__attach_freplace(it.program, entry_fd, "marked") == NULL && errno == EINVAL, 1);
  end(link, &it);
  EXPECT(run("entry"), PLAIN);
}

static void replaces_the_main_program(void) {
  struct attached it = load("new_entry", "entry");
  struct bpf_link* const link = it.program ? bpf_program__attach_freplace(it.program, 0, NULL) : NULL;
  EXPECT(link != NULL, 1);
  EXPECT(run("entry"), 7064);
  end(link, &it);
  EXPECT(run("entry"), PLAIN);
}

static void traces_functions(void) {
  struct attached entry = load("weight_begins", "weight"), exit = load("weight_ends", "weight"),
                  inner = load("doubled_ends", "doubled"), whole = load("entry_ends", "entry");
  if (!entry.program || !exit.program || !inner.program || !whole.program) {
    printf("%s\n", log_text);
    wrong++;
    return;
  }
  LIBBPF_OPTS(bpf_trace_opts, options, .cookie = 77);
  struct bpf_link* const links[] = {bpf_program__attach_trace_opts(entry.program, &options),
                                    bpf_program__attach(exit.program), bpf_program__attach(inner.program),
                                    bpf_program__attach(whole.program)};
  for (int i = 0; i < 4; i++) EXPECT(links[i] != NULL, 1);
  EXPECT(run("entry"), PLAIN);
  EXPECT(entry.seen->calls, 1);
  EXPECT(entry.seen->number, 3);
  EXPECT(entry.seen->len, 64);
  EXPECT(entry.seen->cookie, 77);
  EXPECT(entry.seen->argument, 3);
  EXPECT(entry.seen->ip != 0, is_compiled());
  EXPECT(exit.seen->result, 30);
  EXPECT(exit.seen->returned, 30);
  EXPECT(inner.seen->result, 64128);
  EXPECT(whole.seen->main_result, PLAIN);
  EXPECT(bpf_program__attach(entry.program) == NULL, 1);
  // A function that is traced is not replaced.
  struct attached extension = load("new_weight", "weight");
  EXPECT(bpf_program__attach_freplace(extension.program, 0, NULL) == NULL && errno == EBUSY, 1);
  end(NULL, &extension);
  // By a tail call, too.
  const int others = bpf_object__find_map_fd_by_name(target, "others");
  const int zero = 0, entry_fd = fd_of("entry");
  whole.seen->main_result = 0;
  for (int i = 0; i < 3; i++) {
    EXPECT(bpf_map_update_elem(others, &zero, &entry_fd, 0), 0);
    EXPECT(run("calls_others"), PLAIN);
    EXPECT(whole.seen->main_result, PLAIN);
    whole.seen->main_result = 0;
  }
  bpf_map_delete_elem(others, &zero);
  end(links[0], &entry), end(links[1], &exit), end(links[2], &inner);
  EXPECT(run("entry"), PLAIN);
  EXPECT(whole.seen->main_result, PLAIN);
  end(links[3], &whole);
}

// A record of the number, and the packet's first bytes behind it.
static void on_record(void* context, int cpu, void* data, __u32 size) {
  (void)cpu;
  ++*(int*)context;
  const unsigned char* const bytes = data;
  EXPECT(size, 28);  // to the end of a word
  EXPECT(bytes[0], 7);
  for (int i = 0; i < 20; i++) EXPECT(bytes[4 + i], i);
}

static void sends_the_packet_that_it_is_given(const char* name, const char* function) {
  struct attached it = load_for(function, name, function);
  struct bpf_link* const link = it.program ? bpf_program__attach(it.program) : NULL;
  if (link == NULL) {
    printf("%s: %s\n", name, log_text);
    wrong++;
    return;
  }
  int records = 0;
  const int events = bpf_object__find_map_fd_by_name(it.object, "events");
  struct perf_buffer* const buffer = perf_buffer__new(events, 1, on_record, NULL, &records, NULL);
  EXPECT(buffer != NULL, 1);
  run(function);
  EXPECT(it.seen->result, 0);
  EXPECT(it.seen->main_result, -EFAULT);
  EXPECT(perf_buffer__consume(buffer), 0);
  EXPECT(records, 1);
  if (strcmp(function, "watched") == 0) EXPECT(it.seen->len, 64);
  perf_buffer__free(buffer);
  end(link, &it);
}

static void is_refused_where_types_differ(void) {
  refused("other_arguments", "weight", "other_arguments() has 1 args while weight() has 2 args");
  refused("new_weight", "marked", "new_weight() has 2 args while marked() has 1 args");
  refused("new_entry", "weight", "new_entry() has 1 args while weight() has 2 args");
  refused("moves_packet", "weight", "Extension program changes packet data, while original does not");
  refused("for_static", "doubled", "doubled() is not a global function");
  refused_for("watched", "what_leads_to_no_packet", "watched",
              "R1 is of type xdp_buff but sk_buff is expected");
}

// Another process attaches; this one runs, and outlives it.
static void is_attached_by_another_process_until_that_is_killed(void) {
  int ends[2];
  if (pipe(ends) != 0) return;
  const int child = fork();
  if (child == 0) {
    struct attached it = load("new_weight", "weight");
    struct bpf_link* const link = it.program ? bpf_program__attach_freplace(it.program, 0, NULL) : NULL;
    const char done = link != NULL;
    if (write(ends[1], &done, 1) == 1) pause();
    _exit(0);
  }
  char done = 0;
  EXPECT(read(ends[0], &done, 1), 1);
  EXPECT(done, 1);
  EXPECT(run("entry"), PLAIN + 270);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  EXPECT(run("entry"), PLAIN);
}

// Wherever it is killed, the target runs, as it was or replaced, and is as it was in the end.
static void is_whole_after_any_death(void) {
  for (int round = 0; round < 40 && !wrong; round++) {
    const int child = fork();
    if (child == 0)
      for (;;) {
        struct attached it = load("new_weight", "weight");
        struct bpf_link* const link = bpf_program__attach_freplace(it.program, 0, NULL);
        end(link, &it);
        if (link == NULL) _exit(1);
      }
    for (int i = 0; i < 20 * round; i++) {
      const int result = run("entry");
      if (result != PLAIN) EXPECT(result, PLAIN + 270);
    }
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT(WIFSIGNALED(status), 1);
    EXPECT(run("entry"), PLAIN);
  }
  replaces_a_function_while_its_link_lives();
}

int main(int count, char** arguments) {
  if (count != 3) return 2;
  attached_path = arguments[2];
  libbpf_set_print(silent);
  target = bpf_object__open_file(arguments[1], NULL);
  if (target == NULL || bpf_object__load(target) != 0) return printf("%s does not load\n", arguments[1]), 1;
  replaces_a_function_while_its_link_lives();
  replaces_the_main_program();
  traces_functions();
  sends_the_packet_that_it_is_given("skb_goes_out", "entry");
  sends_the_packet_that_it_is_given("xdp_goes_out", "watched");
  is_refused_where_types_differ();
  is_attached_by_another_process_until_that_is_killed();
  is_whole_after_any_death();
  bpf_object__close(target);
  if (!wrong) printf("all as it should be\n");
  return wrong != 0;
}
