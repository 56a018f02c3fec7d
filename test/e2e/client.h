// SPDX-License-Identifier: Apache-2.0
// bpf(2) by syscall(2), as a program without any library calls it, for the lifetime and handle cases.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PIN_DIRECTORY "/sys/fs/bpf"

static inline long bpf(int command, union bpf_attr* attr, unsigned size) {
  return syscall(SYS_bpf, command, attr, size);
}

static inline int make_map_with(unsigned flags) {
  union bpf_attr attr = {
      .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 4, .map_flags = flags};
  return (int)bpf(BPF_MAP_CREATE, &attr, sizeof attr);
}
static inline int make_map(void) { return make_map_with(0); }

static inline int update(int fd, unsigned key, uint64_t value) {
  union bpf_attr attr = {.map_fd = (unsigned)fd, .key = (uintptr_t)&key, .value = (uintptr_t)&value};
  return (int)bpf(BPF_MAP_UPDATE_ELEM, &attr, sizeof attr);
}
// The value, or -errno.
static inline long lookup(int fd, unsigned key) {
  uint64_t value = 0;
  union bpf_attr attr = {.map_fd = (unsigned)fd, .key = (uintptr_t)&key, .value = (uintptr_t)&value};
  return bpf(BPF_MAP_LOOKUP_ELEM, &attr, sizeof attr) == 0 ? (long)value : -errno;
}

static inline unsigned id_of(int fd) {
  struct bpf_map_info info = {0};
  union bpf_attr attr = {.info = {.bpf_fd = (unsigned)fd, .info_len = sizeof info, .info = (uintptr_t)&info}};
  return bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof attr) == 0 ? info.id : 0;
}
static inline int fd_by_id_of(int command, unsigned id) {
  union bpf_attr attr = {.map_id = id};
  return (int)bpf(command, &attr, sizeof attr);
}
static inline int fd_by_id(unsigned id) { return fd_by_id_of(BPF_MAP_GET_FD_BY_ID, id); }

static inline int listed(unsigned id) {
  union bpf_attr attr = {.start_id = id - 1};
  return bpf(BPF_MAP_GET_NEXT_ID, &attr, sizeof attr) == 0 && attr.next_id == id;
}

static inline int pin(int fd, const char* path) {
  union bpf_attr attr = {.pathname = (uintptr_t)path, .bpf_fd = (unsigned)fd};
  return (int)bpf(BPF_OBJ_PIN, &attr, sizeof attr);
}
static inline int get_pin(const char* path) {
  union bpf_attr attr = {.pathname = (uintptr_t)path};
  return (int)bpf(BPF_OBJ_GET, &attr, sizeof attr);
}

static inline const char* error_name(long error) {
  const char* name = strerrorname_np((int)error);
  return name ? name : "errno 524";
}
static inline void say(const char* what, long result) {
  if (result >= 0)
    printf("  %s: ok\n", what);
  else
    printf("  %s: %s\n", what, error_name(errno));
}
static inline void say_value(const char* what, long value) {
  if (value >= 0)
    printf("  %s: %ld\n", what, value);
  else
    printf("  %s: %s\n", what, error_name(-value));
}
// Is the object there: by GET_FD_BY_ID, and by GET_NEXT_ID?
static inline void state(const char* when, unsigned id) {
  const int was_listed = listed(id);
  const int fd = fd_by_id(id);
  printf("  %s: %s, %s\n", when, fd >= 0 ? "alive" : error_name(errno), was_listed ? "listed" : "not listed");
  if (fd >= 0) close(fd);
}
// The kernel drops a pin's reference a grace period after unlink: waits for that, for two seconds at most.
static inline void state_soon(const char* when, unsigned id) {
  struct timespec start, now;
  clock_gettime(CLOCK_MONOTONIC, &start);
  do {
    const int fd = fd_by_id(id);
    if (fd < 0) break;
    close(fd);
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while (now.tv_sec - start.tv_sec < 2);
  state(when, id);
}
