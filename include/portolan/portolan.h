/* SPDX-License-Identifier: Apache-2.0 */
/* The C entry: a runtime, and bpf(2) on it. */
#ifndef PORTOLAN_PORTOLAN_H_
#define PORTOLAN_PORTOLAN_H_

#ifdef __cplusplus
extern "C" {
#endif

/* An eBPF runtime: a directory in which maps are files. Thread-safe. */
typedef struct portolan_runtime portolan_runtime;

/* Opens the runtime in `directory`, making it if need be; NULL makes a private one, removed when its last
 * process closes it. On failure returns NULL with errno set and, when `why` is not NULL, a sentence in why[0
 * .. why_size-1]. */
portolan_runtime* portolan_open(const char* directory, char* why, unsigned long why_size);

/* Closes it. Fds of its objects stay valid and keep their objects alive. */
void portolan_close(portolan_runtime* runtime);

/* The directory; valid until portolan_close. */
const char* portolan_directory(const portolan_runtime* runtime);

/* bpf(2) as Linux would answer it to a caller with every BPF capability: `command` is one of enum bpf_cmd,
 * `attr` points to `size` bytes of union bpf_attr. Returns what the system call returns; on failure -1 with
 * errno set. */
long portolan_bpf(portolan_runtime* runtime, int command, void* attr, unsigned int size);

/* Closes an fd that portolan_bpf returned, and does at once what is due when it was the object's last.
 * close(2) does too, but the object then goes at the next command that looks at it. */
int portolan_close_fd(portolan_runtime* runtime, int fd);

#ifdef __cplusplus
}
#endif
#endif
