// SPDX-License-Identifier: Apache-2.0
// What else keeps objects: pins, mappings, ids, other objects; and what a map's fd is to the rest of the
// system.
#include "client.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <sys/vfs.h>

static const char *const kPin = PIN_DIRECTORY "/lifetime", *const kOther = PIN_DIRECTORY "/lifetime2";

static void pin_keeps(void) {
  int fd = make_map();
  unsigned id = id_of(fd);
  update(fd, 0, 6);
  say("pin", pin(fd, kPin));
  close(fd);
  state("pinned", id);
  fd = get_pin(kPin);
  say_value("lookup", lookup(fd, 0));
  printf("  same id: %s\n", id_of(fd) == id ? "yes" : "no");
  close(fd);
  state("pinned, closed again", id);
  unlink(kPin);
  state_soon("unlinked", id);
  say("get it", get_pin(kPin));
}

static void fd_keeps_unlinked(void) {
  int fd = make_map();
  unsigned id = id_of(fd);
  pin(fd, kPin);
  unlink(kPin);
  state("unlinked, open", id);
  say_value("lookup", lookup(fd, 0));
  say("pin anew", pin(fd, kPin));
  close(fd);
  state("pinned anew", id);
  unlink(kPin);
  state_soon("unlinked", id);
}

static void links_and_renames(void) {
  int fd = make_map();
  unsigned id = id_of(fd);
  pin(fd, kPin);
  say("pin twice", pin(fd, kOther));
  close(fd);
  unlink(kPin);
  state("one of two pins left", id);
  say("rename", rename(kOther, kPin));
  state("renamed", id);
  say("get by the old name", get_pin(kOther));
  say("link", link(kPin, kOther));
  unlink(kPin);
  state("linked, first name unlinked", id);
  fd = get_pin(kOther);
  say("get by the link", fd);
  close(fd);
  unlink(kOther);
  state_soon("all names unlinked", id);
}

static void child_pins(void) {
  int status;
  pid_t child = fork();
  if (child == 0) {
    int made = make_map();
    update(made, 1, 10);
    _exit(pin(made, kPin) == 0 ? 0 : 1);
  }
  waitpid(child, &status, 0);
  int fd = get_pin(kPin);
  unsigned id = id_of(fd);
  say_value("what the child left", lookup(fd, 1));
  close(fd);
  child = fork();
  if (child == 0) _exit(unlink(kPin) == 0 ? 0 : 1);
  waitpid(child, &status, 0);
  state_soon("unlinked by another child", id);
}

static void mapping_keeps(void) {
  int fd = make_map_with(BPF_F_MMAPABLE);
  unsigned id = id_of(fd);
  volatile uint64_t* values = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  say("mmap", (void*)values == MAP_FAILED ? -1 : 0);
  close(fd);
  state("mapped, closed", id);
  values[2] = 1234;
  fd = fd_by_id(id);
  say_value("lookup by a new fd", lookup(fd, 2));
  update(fd, 2, 4321);
  printf("  mapped value %lu\n", (unsigned long)values[2]);
  close(fd);
  pid_t child = fork();
  if (child == 0) {
    values[3] = 33;
    for (;;) pause();
  }
  munmap((void*)values, 4096);
  state("mapped by a child only", id);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  state("child gone", id);
}

static void ids(void) {
  int fd = make_map();
  unsigned id = id_of(fd);
  int second = fd_by_id(id);
  say("fd by id", second);
  printf("  FD_CLOEXEC %d\n", fcntl(second, F_GETFD));
  close(fd);
  state("first fd closed", id);
  close(second);
  state("second fd closed", id);
  int next = make_map();
  printf("  ids are %sreused at once\n", id_of(next) == id ? "" : "not ");
  printf("  ids grow: %s\n", id_of(next) > id ? "yes" : "no");
  close(next);
}

static int load_btf(void) {
  // One int.
  static const uint32_t blob[] = {0x0001eb9f, 24, 0, 16, 16, 5, 1, 1u << 24, 4, 32, 0x746e6900, 0};
  union bpf_attr attr = {.btf = (uintptr_t)blob, .btf_size = 24 + 16 + 5};
  return (int)bpf(BPF_BTF_LOAD, &attr, sizeof attr);
}
static void btf_state(const char* when, unsigned id) {
  int fd = fd_by_id_of(BPF_BTF_GET_FD_BY_ID, id);
  printf("  %s: %s\n", when, fd >= 0 ? "alive" : error_name(errno));
  if (fd >= 0) close(fd);
}

// The kernel frees a map, and with it its hold on the BTF, in a work queue.
static void btf_state_soon(const char* when, unsigned id) {
  time_t start = time(NULL);
  for (int fd; time(NULL) - start < 3 && (fd = fd_by_id_of(BPF_BTF_GET_FD_BY_ID, id)) >= 0;) close(fd);
  btf_state(when, id);
}

static void map_keeps_btf(void) {
  int btf = load_btf();
  say("load BTF", btf);
  struct bpf_btf_info info = {0};
  union bpf_attr ask = {.info = {.bpf_fd = (unsigned)btf, .info_len = sizeof info, .info = (uintptr_t)&info}};
  say("info", bpf(BPF_OBJ_GET_INFO_BY_FD, &ask, sizeof ask));
  union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY,
                         .key_size = 4,
                         .value_size = 4,
                         .max_entries = 1,
                         .btf_fd = (unsigned)btf,
                         .btf_key_type_id = 1,
                         .btf_value_type_id = 1};
  int fd = (int)bpf(BPF_MAP_CREATE, &attr, sizeof attr);
  say("map", fd);
  btf_state("open", info.id);
  close(btf);
  btf_state("closed, used by a map", info.id);
  close(fd);
  btf_state_soon("map closed", info.id);
  btf = load_btf();
  memset(&info, 0, sizeof info);
  ask.info.bpf_fd = (unsigned)btf;
  ask.info.info_len = sizeof info;
  bpf(BPF_OBJ_GET_INFO_BY_FD, &ask, sizeof ask);
  btf_state("another one", info.id);
  say("pin BTF", pin(btf, kPin));
  close(btf);
  btf_state("closed", info.id);
}

static void as_a_file(void) {
  static const struct {
    const char* name;
    unsigned flags;
  } kinds[] = {{"read-write", 0}, {"read-only", BPF_F_RDONLY}, {"write-only", BPF_F_WRONLY}};
  for (size_t i = 0; i < 3; ++i) {
    int fd = make_map_with(kinds[i].flags);
    char byte = 'x';
    printf("  %s: F_GETFL %#x\n", kinds[i].name, fcntl(fd, F_GETFL));
    say("read", read(fd, &byte, 1));
    say("read nothing", read(fd, &byte, 0));
    say("write", write(fd, &byte, 1));
    say("pread", pread(fd, &byte, 1, 0));
    say("pwrite", pwrite(fd, &byte, 1, 0));
    struct iovec vector = {&byte, 1};
    say("readv", readv(fd, &vector, 1));
    say("writev", writev(fd, &vector, 1));
    say("lseek", lseek(fd, 0, SEEK_END));
    say("ftruncate", ftruncate(fd, 100));
    say("fallocate", fallocate(fd, 0, 0, 10));
    say("fsync", fsync(fd));
    say("fdatasync", fdatasync(fd));
    say("ioctl", ioctl(fd, FIONREAD, &byte));
    say("fchmod", fchmod(fd, 0600));
    say("mmap", mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
    close(fd);
  }
  int fd = make_map();
  struct stat status;
  say("fstat", fstat(fd, &status));
  printf("  mode %#o, size %ld\n", status.st_mode, (long)status.st_size);
  struct statfs system;
  say("fstatfs", fstatfs(fd, &system));
  printf("  file system type %#lx\n", (unsigned long)system.f_type);
  char link[64] = "", name[32];
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  say("readlink", readlink(name, link, sizeof link - 1));
  printf("  is %s\n", link);
  say("open again through /proc", open(name, O_RDWR));
  struct pollfd poll_one = {.fd = fd, .events = POLLIN | POLLOUT};
  int ready = poll(&poll_one, 1, 0);
  printf("  poll: %d, %#x\n", ready, (unsigned)poll_one.revents);
  close(fd);
}

// What is told about an fd in /proc, without what differs from run to run.
static void show_fdinfo(const char* what, int fd) {
  char path[40], line[200];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  FILE* file = fopen(path, "r");
  printf("  fdinfo of %s: %s\n", what, file ? "" : error_name(errno));
  while (file && fgets(line, sizeof line, file)) {
    static const char* const kLeftOut[] = {"mnt_id", "ino", "memlock", "map_id", "btf_id", "lock"};
    char* colon = strchr(line, ':');
    for (size_t i = 0; colon && i < sizeof kLeftOut / sizeof kLeftOut[0]; ++i)
      if (strncmp(line, kLeftOut[i], strlen(kLeftOut[i])) == 0) strcpy(colon, ": some\n");
    printf("    %s", line);
  }
  if (file) fclose(file);
}

static void in_proc(void) {
  int fd = make_map_with(BPF_F_MMAPABLE | BPF_F_RDONLY_PROG), reader = make_map_with(BPF_F_RDONLY),
      btf = load_btf();
  show_fdinfo("a map", fd);
  union bpf_attr attr = {.map_fd = (unsigned)fd};
  bpf(BPF_MAP_FREEZE, &attr, sizeof attr);
  show_fdinfo("a frozen map", fd);
  show_fdinfo("a read-only fd", reader);
  show_fdinfo("BTF", btf);
  char line[512];
  FILE* mounts = fopen("/proc/mounts", "r");
  while (mounts && fgets(line, sizeof line, mounts))
    if (strstr(line, " " PIN_DIRECTORY " "))
      printf("  mounted: %.*s\n", (int)strcspn(strchr(strchr(line, ' ') + 1, ' ') + 1, " "),
             strchr(strchr(line, ' ') + 1, ' ') + 1);
  if (mounts) fclose(mounts);
  struct statfs system;
  say("statfs of the bpf file system", statfs(PIN_DIRECTORY, &system));
  printf("  type %#lx\n", (unsigned long)system.f_type);
  struct stat status;
  say("stat of the bpf file system", stat(PIN_DIRECTORY, &status));
  printf("  mode %#o\n", status.st_mode);
  pin(fd, kPin);
  say("stat of a pin", stat(kPin, &status));
  printf("  mode %#o, size %ld, links %lu\n", status.st_mode, (long)status.st_size,
         (unsigned long)status.st_nlink);
  say("access for reading", access(kPin, R_OK));
  say("chmod", chmod(kPin, 0640));
  stat(kPin, &status);
  printf("  mode %#o\n", status.st_mode);
  say("open a pin without BTF for reading", open(kPin, O_RDONLY));
  say("truncate", truncate(kPin, 0));
  say("open for creation", open(PIN_DIRECTORY "/new", O_CREAT | O_RDWR, 0600));
  say("mkdir", mkdir(PIN_DIRECTORY "/directory", 0750));
  say("rename over a directory", rename(kPin, PIN_DIRECTORY "/directory"));
  say("rename into it", rename(kPin, PIN_DIRECTORY "/directory/pin"));
  say("get it there", get_pin(PIN_DIRECTORY "/directory/pin"));
  say("rmdir", rmdir(PIN_DIRECTORY "/directory"));
  say("unlink the directory", unlink(PIN_DIRECTORY "/directory"));
  say("unlink", unlink(PIN_DIRECTORY "/directory/pin"));
  say("rmdir", rmdir(PIN_DIRECTORY "/directory"));
  say("get a directory", get_pin(PIN_DIRECTORY));
  say("relative path", chdir(PIN_DIRECTORY));
  say("pin there", pin(fd, "relative"));
  say("get it", get_pin("relative"));
  say("unlink it", unlink("relative"));
  say("back", chdir("/"));
}

static void mappings(void) {
  int fd = make_map_with(BPF_F_MMAPABLE), reader = make_map_with(BPF_F_MMAPABLE | BPF_F_RDONLY);
  int writer = make_map_with(BPF_F_MMAPABLE | BPF_F_WRONLY),
      prog_reads = make_map_with(BPF_F_MMAPABLE | BPF_F_RDONLY_PROG);
  const struct {
    const char* name;
    int fd, protection, flags;
    size_t length;
    off_t offset;
  } rows[] = {
      {"shared read", fd, PROT_READ, MAP_SHARED, 4096, 0},
      {"shared write", fd, PROT_WRITE, MAP_SHARED, 4096, 0},
      {"shared exec", fd, PROT_READ | PROT_EXEC, MAP_SHARED, 4096, 0},
      {"private read", fd, PROT_READ, MAP_PRIVATE, 4096, 0},
      {"private write", fd, PROT_READ | PROT_WRITE, MAP_PRIVATE, 4096, 0},
      {"part of a page", fd, PROT_READ, MAP_SHARED, 100, 0},
      {"a page too much", fd, PROT_READ, MAP_SHARED, 8192, 0},
      {"behind the end", fd, PROT_READ, MAP_SHARED, 4096, 4096},
      {"nothing", fd, PROT_READ, MAP_SHARED, 0, 0},
      {"odd offset", fd, PROT_READ, MAP_SHARED, 4096, 8},
      {"read-only fd, read", reader, PROT_READ, MAP_SHARED, 4096, 0},
      {"read-only fd, write", reader, PROT_READ | PROT_WRITE, MAP_SHARED, 4096, 0},
      {"write-only fd, read", writer, PROT_READ, MAP_SHARED, 4096, 0},
      {"write-only fd, write", writer, PROT_READ | PROT_WRITE, MAP_SHARED, 4096, 0},
      {"read-only for programs, write", prog_reads, PROT_READ | PROT_WRITE, MAP_SHARED, 4096, 0},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; ++i) {
    void* at = mmap(NULL, rows[i].length, rows[i].protection, rows[i].flags, rows[i].fd, rows[i].offset);
    say(rows[i].name, at == MAP_FAILED ? -1 : 0);
    if (at != MAP_FAILED) munmap(at, rows[i].length);
  }
  void* at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  say("mprotect to writable", mprotect(at, 4096, PROT_READ | PROT_WRITE));
  union bpf_attr attr = {.map_fd = (unsigned)fd};
  say("freeze", bpf(BPF_MAP_FREEZE, &attr, sizeof attr));
  say("mprotect to read-only", mprotect(at, 4096, PROT_READ));
  say("freeze", bpf(BPF_MAP_FREEZE, &attr, sizeof attr));
  munmap(at, 4096);
  say("freeze", bpf(BPF_MAP_FREEZE, &attr, sizeof attr));
  close(fd);
  close(reader);
  close(writer);
  close(prog_reads);
}

static const struct {
  const char* name;
  void (*run)(void);
} kCases[] = {
    {"a pin keeps it", pin_keeps},
    {"an fd keeps what is unlinked", fd_keeps_unlinked},
    {"links and renames", links_and_renames},
    {"a child pins and exits", child_pins},
    {"a mapping keeps it", mapping_keeps},
    {"ids", ids},
    {"a map keeps its BTF", map_keeps_btf},
    {"as a file", as_a_file},
    {"mappings", mappings},
    {"in /proc and in the file system", in_proc},
};

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  for (size_t i = 0; i < sizeof kCases / sizeof kCases[0]; ++i) {
    printf("%s\n", kCases[i].name);
    kCases[i].run();
  }
  return 0;
}
