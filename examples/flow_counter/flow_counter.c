// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A plain libbpf program that knows nothing of Portolan: feeds each packet of a capture to the XDP program,
// then shows what that has counted.
//
//   flow_counter --pcap FILE [--pin DIRECTORY] [--drop-port PORT] [--skip-icmp] [--merge-vlans] [--top N]
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// libpcap has a struct bpf_insn of its own, for classic BPF.
#define PCAP_DONT_INCLUDE_PCAP_BPF_H
#include <pcap/dlt.h>
#include <pcap/pcap.h>

#include "flow_counter.h"
#include "flow_counter.skel.h"

struct options {
  const char *pcap, *pin;
  struct configuration configuration;
  bool merge_vlans;
  unsigned long top;
};

static void die(const char* what, const char* why) {
  fprintf(stderr, "flow_counter: %s: %s\n", what, why);
  exit(1);
}
static void die_errno(const char* what) { die(what, strerror(errno)); }

static unsigned long number(const char* option, const char* text, unsigned long most) {
  char* end;
  errno = 0;
  const unsigned long value = strtoul(text, &end, 10);
  if (*text == '\0' || *end != '\0' || errno != 0 || value > most) {
    fprintf(stderr, "flow_counter: %s: \"%s\" is not a number up to %lu\n", option, text, most);
    exit(2);
  }
  return value;
}

static struct options parse(int argc, char** argv) {
  static const struct option known[] = {{"pcap", required_argument, NULL, 'f'},
                                        {"pin", required_argument, NULL, 'p'},
                                        {"drop-port", required_argument, NULL, 'd'},
                                        {"skip-icmp", no_argument, NULL, 'i'},
                                        {"merge-vlans", no_argument, NULL, 'm'},
                                        {"top", required_argument, NULL, 't'},
                                        {NULL, 0, NULL, 0}};
  struct options options = {.top = 10};
  for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) switch (c) {
      case 'f':
        options.pcap = optarg;
        break;
      case 'p':
        options.pin = optarg;
        break;
      case 'd':
        options.configuration.drop_port = (__u32)number("--drop-port", optarg, 65535);
        break;
      case 'i':
        options.configuration.skip_icmp = 1;
        break;
      case 'm':
        options.merge_vlans = true;
        break;
      case 't':
        options.top = number("--top", optarg, 1000000);
        break;
      default:
        exit(2);
    }
  if (options.pcap == NULL || optind != argc) {
    fprintf(stderr,
            "usage: flow_counter --pcap FILE [--pin DIRECTORY] [--drop-port PORT] [--skip-icmp] "
            "[--merge-vlans] [--top N]\n");
    exit(2);
  }
  return options;
}

static unsigned long feed(const char* file, int program_fd) {
  char why[PCAP_ERRBUF_SIZE];
  pcap_t* capture = pcap_open_offline(file, why);
  if (capture == NULL) die(file, why);
  if (pcap_datalink(capture) != DLT_EN10MB) die(file, "not a capture of Ethernet frames");
  unsigned long packets = 0;
  struct pcap_pkthdr* header;
  const unsigned char* bytes;
  int got;
  while ((got = pcap_next_ex(capture, &header, &bytes)) == 1) {
    LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = bytes, .data_size_in = header->caplen, .repeat = 1);
    const int failed = bpf_prog_test_run_opts(program_fd, &run);
    if (failed) {
      fprintf(stderr, "flow_counter: packet %lu of %s (%u bytes): %s\n", packets + 1, file, header->caplen,
              strerror(-failed));
      exit(1);
    }
    packets++;
  }
  if (got != PCAP_ERROR_BREAK) die(file, pcap_geterr(capture));
  pcap_close(capture);
  return packets;
}

struct row {
  struct flow flow;
  struct flow_count count;
  char text[160];
};

static void describe(struct row* row) {
  static const char* const names[256] = {[1] = "icmp", [6] = "tcp", [17] = "udp", [58] = "icmp6"};
  char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN], protocol[16], vlan[16] = "";
  const struct flow* flow = &row->flow;
  const int family = flow->version == 6 ? AF_INET6 : AF_INET;
  inet_ntop(family, flow->source, source, sizeof source);
  inet_ntop(family, flow->destination, destination, sizeof destination);
  if (names[flow->protocol])
    snprintf(protocol, sizeof protocol, "%s", names[flow->protocol]);
  else
    snprintf(protocol, sizeof protocol, "%u", flow->protocol);
  if (flow->vlan) snprintf(vlan, sizeof vlan, "vlan %u ", ntohs(flow->vlan));
  snprintf(row->text, sizeof row->text, "%s%s %s %u -> %s %u", vlan, protocol, source,
           ntohs(flow->source_port), destination, ntohs(flow->destination_port));
}

static int by_bytes(const void* left, const void* right) {
  const struct row *a = left, *b = right;
  if (a->count.bytes != b->count.bytes) return a->count.bytes < b->count.bytes ? 1 : -1;
  return strcmp(a->text, b->text);
}

static void show_flows(int flows_fd, unsigned long most, unsigned long top) {
  struct row* rows = calloc(most, sizeof *rows);
  struct flow_count all = {0};
  size_t count = 0;
  if (rows == NULL) die_errno("memory for the flows");
  const struct flow* previous = NULL;
  for (; count < most && bpf_map_get_next_key(flows_fd, previous, &rows[count].flow) == 0; count++) {
    if (bpf_map_lookup_elem(flows_fd, &rows[count].flow, &rows[count].count) != 0)
      die_errno("look up a flow");
    describe(&rows[count]);
    all.packets += rows[count].count.packets;
    all.bytes += rows[count].count.bytes;
    previous = &rows[count].flow;
  }
  qsort(rows, count, sizeof *rows, by_bytes);
  printf("%zu flows, %llu packets, %llu bytes\n", count, all.packets, all.bytes);
  for (size_t i = 0; i < count && i < top; i++)
    printf("%8llu packets %10llu bytes  %s\n", rows[i].count.packets, rows[i].count.bytes, rows[i].text);
  free(rows);
}

static void show_verdicts(int verdicts_fd) {
  static const char* const names[] = {"aborted", "drop", "pass", "tx", "redirect"};
  const int cpus = libbpf_num_possible_cpus();
  __u64* values = calloc((size_t)cpus, sizeof *values);
  printf("verdicts:");
  for (__u32 verdict = 0; verdict < sizeof names / sizeof names[0]; verdict++) {
    if (bpf_map_lookup_elem(verdicts_fd, &verdict, values) != 0) die_errno("look up a verdict");
    __u64 sum = 0;
    for (int cpu = 0; cpu < cpus; cpu++) sum += values[cpu];
    if (sum) printf(" %s %llu", names[verdict], sum);
  }
  printf("\n");
  free(values);
}

int main(int argc, char** argv) {
  const struct options options = parse(argc, argv);
  struct flow_counter_bpf* counter = flow_counter_bpf__open();
  if (counter == NULL) die_errno("open the program");
  counter->rodata->tell_vlans_apart = !options.merge_vlans;
  if (flow_counter_bpf__load(counter) != 0) die_errno("load the program");
  const __u32 zero = 0;
  if (bpf_map_update_elem(bpf_map__fd(counter->maps.configuration), &zero, &options.configuration, BPF_ANY) !=
      0)
    die_errno("configure");

  const unsigned long packets = feed(options.pcap, bpf_program__fd(counter->progs.count_flows));
  printf("%lu packets of %u to %u bytes, %llu of them no IP\n", packets, counter->data->shortest,
         counter->data->longest, counter->bss->not_ip);
  show_flows(bpf_map__fd(counter->maps.flows), bpf_map__max_entries(counter->maps.flows), options.top);
  show_verdicts(bpf_map__fd(counter->maps.verdicts));
  if (options.pin != NULL && bpf_object__pin_maps(counter->obj, options.pin) != 0) die_errno(options.pin);
  flow_counter_bpf__destroy(counter);
  return 0;
}
