// SPDX-License-Identifier: Apache-2.0
// program_client OBJECT…: loads each object by libbpf, runs each of its programs by BPF_PROG_TEST_RUN on a
// fixed set of inputs, and prints all that comes out: return values, packets, contexts, and at the end what
// the maps hold.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_bytes(const char* name, const void* bytes, size_t size) {
  const unsigned char* at = bytes;
  printf("    %s %zu:", name, size);
  for (size_t i = 0; i < size; i++) printf("%s%02x", i % 4 ? "" : " ", at[i]);
  printf("\n");
}

struct packet {
  const char* name;
  unsigned char bytes[1500];
  unsigned size;
};
#define MAX_PACKETS 32
static struct packet packets[MAX_PACKETS];
static int packet_count;

static struct packet* packet(const char* name, unsigned size, unsigned ether_type) {
  struct packet* made = &packets[packet_count++];
  made->name = name;
  made->size = size;
  for (unsigned i = 0; i < size; i++) made->bytes[i] = (unsigned char)(i * 7 + 3);
  made->bytes[12] = (unsigned char)(ether_type >> 8);
  made->bytes[13] = (unsigned char)ether_type;
  return made;
}
static void ipv4(struct packet* of, unsigned at, unsigned protocol, unsigned source, unsigned port) {
  unsigned char* ip = of->bytes + at;
  const unsigned length = of->size - at;
  memset(ip, 0, 20);
  ip[0] = 0x45;
  ip[2] = (unsigned char)(length >> 8);
  ip[3] = (unsigned char)length;
  ip[8] = 64;
  ip[9] = (unsigned char)protocol;
  memcpy(ip + 12, (unsigned char[]){10, 0, 0, (unsigned char)source, 10, 0, 1, 1}, 8);
  unsigned sum = 0;
  for (int i = 0; i < 20; i += 2) sum += (unsigned)(ip[i] << 8 | ip[i + 1]);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = ~(sum + (sum >> 16));
  ip[10] = (unsigned char)(sum >> 8);
  ip[11] = (unsigned char)sum;
  memcpy(ip + 20, (unsigned char[]){0x30, 0x39, (unsigned char)(port >> 8), (unsigned char)port}, 4);
  if (protocol == 1) memcpy(ip + 20, (unsigned char[]){8, 0, 0x12, 0x34, 0, 1, 0, 1}, 8);
}
static void make_packets(void) {
  for (int i = 0; i < 5; i++) ipv4(packet("tcp to 23", 60, 0x0800), 14, 6, 5, 23);
  ipv4(packet("tcp to 80", 74, 0x0800), 14, 6, 5, 80);
  ipv4(packet("tcp to 443", 54, 0x0800), 14, 6, 6, 443);
  ipv4(packet("udp to 53", 61, 0x0800), 14, 17, 7, 53);
  ipv4(packet("udp to 9", 62, 0x0800), 14, 17, 7, 9);
  ipv4(packet("echo", 98, 0x0800), 14, 1, 8, 0);
  struct packet* tagged = packet("udp in a vlan", 66, 0x8100);
  memcpy(tagged->bytes + 14, (unsigned char[]){0, 42, 8, 0}, 4);
  ipv4(tagged, 18, 17, 9, 53);
  packet("ipv6", 90, 0x86dd)->bytes[14] = 0x60;
  packet("arp", 42, 0x0806);
  packet("a bare header", 14, 0x0800);
  packet("one byte more", 15, 0x0800);
  ipv4(packet("long tcp", 1400, 0x0800), 14, 6, 5, 8080);
}

static void run(struct bpf_program* program, const char* name, struct bpf_test_run_opts* options) {
  char out[1600];
  memset(out, 0xcc, sizeof out);
  if (options->data_in != NULL) {
    options->data_out = out;
    options->data_size_out = sizeof out;
  }
  const int result = bpf_prog_test_run_opts(bpf_program__fd(program), options);
  printf("  %s: %s%s, returns %d\n", name, result == 0 ? "ran" : "error ",
         result == 0 ? "" : strerror(-result), (int)options->retval);
  if (result != 0) return;
  if (options->data_in != NULL) print_bytes("packet", out, options->data_size_out);
  if (options->ctx_out != NULL) print_bytes("context", options->ctx_out, options->ctx_size_out);
}

static void run_on_packets(struct bpf_program* program) {
  const bool is_xdp = bpf_program__type(program) == BPF_PROG_TYPE_XDP;
  for (int i = 0; i < packet_count; i++) {
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packets[i].bytes, .data_size_in = packets[i].size);
    run(program, packets[i].name, &options);
  }
  struct __sk_buff skb = {.mark = 5, .priority = 3, .cb = {1, 2, 3, 4, 5}}, skb_out;
  struct xdp_md xdp = {.data_end = packets[5].size}, xdp_out;
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packets[5].bytes, .data_size_in = packets[5].size,
              .ctx_in = is_xdp ? (void*)&xdp : &skb, .ctx_size_in = is_xdp ? sizeof xdp : sizeof skb,
              .ctx_out = is_xdp ? (void*)&xdp_out : &skb_out,
              .ctx_size_out = is_xdp ? sizeof xdp : sizeof skb, .repeat = 3);
  run(program, "three times, with a context", &options);
}

static void run_on_contexts(struct bpf_program* program) {
  const bool is_syscall = bpf_program__type(program) == BPF_PROG_TYPE_SYSCALL;
  for (unsigned long start = 0; start < 4; start++) {
    unsigned long context[15] = {0};
    for (unsigned i = 0; i < 6; i++) context[i] = start * start * 1000003 + i * 77;
    LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = context,
                .ctx_size_in = is_syscall ? sizeof context : 12 * 8);
    run(program, "a context", &options);
    if (is_syscall) print_bytes("context", context, sizeof context);
  }
}

static void run_on_lookups(struct bpf_program* program) {
  static const unsigned ports[] = {22, 80, 443, 65535, 65536};
  for (unsigned i = 0; i < 10; i++) {
    struct bpf_sk_lookup context = {.family = i % 2 ? 10 : 2, .protocol = 6 + i, .local_port = ports[i / 2]},
                         out;
    context.remote_ip4 = 0x0a00000a + i;
    context.remote_ip6[3] = 77 + i;
    context.remote_port = (unsigned short)(0x1234 + i);
    LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = &context, .ctx_size_in = sizeof context,
                .ctx_out = &out, .ctx_size_out = sizeof out, .repeat = (int)i);
    run(program, "a lookup", &options);
  }
}

static void run_on_flows(struct bpf_program* program) {
  struct bpf_flow_keys keys = {.flags = 2}, out;
  for (int i = 0; i < packet_count; i++) {
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packets[i].bytes, .data_size_in = packets[i].size);
    if (i % 2) {
      options.ctx_in = &keys;
      options.ctx_size_in = sizeof keys;
      options.ctx_out = &out;
      options.ctx_size_out = sizeof out;
      options.repeat = i;
    }
    run(program, packets[i].name, &options);
  }
}

static int by_bytes(const void* a, const void* b, void* size) { return memcmp(a, b, *(size_t*)size); }

static void print_map(struct bpf_map* map) {
  const size_t key_size = bpf_map__key_size(map);
  const enum bpf_map_type type = bpf_map__type(map);
  const bool is_per_cpu = type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_PERCPU_HASH;
  size_t value_size = bpf_map__value_size(map);
  if (is_per_cpu) value_size = (value_size + 7) / 8 * 8 * (size_t)libbpf_num_possible_cpus();
  size_t row = key_size + value_size, count = 0;
  unsigned char* rows = malloc(row * (bpf_map__max_entries(map) + 1));
  for (void* previous = NULL;; previous = rows + (count++) * row) {
    unsigned char* at = rows + count * row;
    if (count == bpf_map__max_entries(map) || bpf_map_get_next_key(bpf_map__fd(map), previous, at) != 0)
      break;
    bpf_map_lookup_elem(bpf_map__fd(map), at, at + key_size);
  }
  qsort_r(rows, count, row, by_bytes, (void*)&key_size);
  const char* dot = strchr(bpf_map__name(map), '.');
  printf("map %s: %zu elements\n", dot ? dot : bpf_map__name(map), count);
  for (size_t i = 0; i < count; i++) {
    unsigned char* value = rows + i * row + key_size;
    // Which CPU a program ran on is not for us to choose: the sum of all.
    if (is_per_cpu) {
      unsigned long* words = (unsigned long*)(void*)malloc(value_size);
      const size_t one = value_size / (size_t)libbpf_num_possible_cpus() / 8;
      memcpy(words, value, value_size);
      for (size_t at = one; at < value_size / 8; at++) words[at % one] += words[at];
      memcpy(value, words, one * 8);
      free(words);
      bool any = false;
      for (size_t at = 0; at < one * 8; at++) any |= value[at] != 0;
      if (!any) continue;
      print_bytes("key", rows + i * row, key_size);
      print_bytes("value", value, one * 8);
      continue;
    }
    print_bytes("key", rows + i * row, key_size);
    print_bytes("value", value, value_size);
  }
  free(rows);
}

static void run_object(const char* path) {
  const char* slash = strrchr(path, '/');
  printf("\n### %s\n", slash ? slash + 1 : path);
  struct bpf_object* object = bpf_object__open_file(path, NULL);
  if (object == NULL || bpf_object__load(object) != 0) {
    printf("cannot be loaded: %s\n", strerror(errno));
    bpf_object__close(object);
    return;
  }
  struct bpf_program* program;
  bpf_object__for_each_program(program, object) {
    printf("program %s\n", bpf_program__name(program));
    const enum bpf_prog_type type = bpf_program__type(program);
    if (type == BPF_PROG_TYPE_SYSCALL || type == BPF_PROG_TYPE_RAW_TRACEPOINT)
      run_on_contexts(program);
    else if (type == BPF_PROG_TYPE_SK_LOOKUP)
      run_on_lookups(program);
    else if (type == BPF_PROG_TYPE_FLOW_DISSECTOR)
      run_on_flows(program);
    else
      run_on_packets(program);
  }
  struct bpf_map* map;
  bpf_object__for_each_map(map, object) print_map(map);
  bpf_object__close(object);
}

int main(int argc, char** argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  make_packets();
  for (int i = 1; i < argc; i++) run_object(argv[i]);
  return 0;
}
