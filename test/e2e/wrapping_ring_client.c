// SPDX-License-Identifier: Apache-2.0
// wrapping_ring_client OBJECT [RECORDS]: reads a ring buffer without libbpf, in another process, each record
// twice: as ebpf-go does, whose position wraps around before a header and again before its record, which is
// read on past the end; and in pieces, from a mapping that ends where the data does once.
#include <sched.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rings/client.h"

enum { kPage = 4096, kSize = 64 * 1024, kHeader = 8 };
static const uint32_t kBusy = 1u << 31, kDiscarded = 1u << 30;

static struct variables {
  __u64 sent, flags;
}* variables;

struct reader {
  uint64_t* consumer;
  const uint64_t* producer;
  const unsigned char *twice, *once;  // the data, and where it is only mapped up to its end
  uint64_t records, wrong, wrapped, pieces;
};

static int open_reader(struct reader* reader, int fd) {
  void* first = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  void* both = mmap(NULL, kPage + 2 * kSize, PROT_READ, MAP_SHARED, fd, kPage);
  void* single = mmap(NULL, kPage + kSize, PROT_READ, MAP_SHARED, fd, kPage);
  if (first == MAP_FAILED || both == MAP_FAILED || single == MAP_FAILED) return -1;
  *reader = (struct reader){.consumer = first, .producer = both};
  reader->twice = (const unsigned char*)both + kPage;
  reader->once = (const unsigned char*)single + kPage;
  return 0;
}

static void in_pieces(struct reader* reader, void* to, uint64_t position, size_t size) {
  const size_t at = position % kSize, left = kSize - at < size ? kSize - at : size;
  memcpy(to, reader->once + at, left);
  memcpy((unsigned char*)to + left, reader->once, size - left);
  reader->pieces += left < size;
}

static void take(struct reader* reader, uint64_t position, uint32_t length) {
  struct record record, again;
  if (length != sizeof record) {
    reader->wrong++;
    return;
  }
  const uint64_t data = position + kHeader;
  reader->wrapped += data % kSize == 0;
  memcpy(&record, reader->twice + data % kSize, sizeof record);
  in_pieces(reader, &again, data, sizeof again);
  if (record.number != reader->records || record.check != check_of(record.number) ||
      memcmp(&record, &again, sizeof record) != 0)
    reader->wrong++;
  reader->records++;
}

// What is there, up to a record that is still being written.
static void read_all(struct reader* reader) {
  uint64_t position = __atomic_load_n(reader->consumer, __ATOMIC_ACQUIRE);
  while (position != __atomic_load_n(reader->producer, __ATOMIC_ACQUIRE)) {
    const uint32_t word =
        __atomic_load_n((const uint32_t*)(reader->twice + position % kSize), __ATOMIC_ACQUIRE);
    if ((word & kBusy) != 0) return;
    const uint32_t length = word & ~kDiscarded;
    if ((word & kDiscarded) == 0) take(reader, position, length);
    position += kHeader + (length + 7) / 8 * 8;
    __atomic_store_n(reader->consumer, position, __ATOMIC_SEQ_CST);
  }
}

static int consume(int fd, unsigned long records) {
  struct reader reader;
  const int instance = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {EPOLLIN, {.fd = fd}};
  if (open_reader(&reader, fd) != 0 || epoll_ctl(instance, EPOLL_CTL_ADD, fd, &event) != 0) {
    printf("no reader: %s\n", strerror(errno));
    return 1;
  }
  alarm(300 + (unsigned)(records / 50000));
  while (reader.records < records && reader.wrong == 0) {
    if (epoll_wait(instance, &event, 1, 100) < 0) return 1;  // the last may have been woken for before
    read_all(&reader);
  }
  printf(
      "%llu records, wrong %llu; at the beginning, behind their header at the end, %llu; in two pieces "
      "%llu\n",
      (unsigned long long)reader.records, (unsigned long long)reader.wrong,
      (unsigned long long)reader.wrapped, (unsigned long long)reader.pieces);
  fflush(stdout);
  return 0;
}

int main(int argc, char** argv) {
  variables = load_object(argc, argv);
  if (variables == NULL) return 1;
  const unsigned long records = records_wanted(argc, argv);
  const pid_t child = fork();
  if (child == 0) _exit(consume(fd_of("first"), records));
  int status = 0;
  // One wakeup for many records: where each has its own, little but wakeups happens.
  for (int n = 0; variables->sent < records && waitpid(child, &status, WNOHANG) == 0; n++) {
    const unsigned long left = records - variables->sent, most = n % 2 == 0 ? 499 : 1;
    variables->flags = most == 1 ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
    if (run("produce", (int)(left < most ? left : most)) != 2) sched_yield();  // it is full
  }
  waitpid(child, &status, 0);
  printf("sent %llu, child %d\n", (unsigned long long)variables->sent, WEXITSTATUS(status));
  return 0;
}
