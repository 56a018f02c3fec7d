// SPDX-License-Identifier: Apache-2.0
// Captures of packets: each packet runs through examples/flow_counter in a private runtime, as its loader has
// it. It must come back as it was, and every one must be counted with its bytes.
#include <cstdio>
#include <cstdlib>

// libpcap has a struct bpf_insn of its own, for classic BPF.
#include <pcap/pcap.h>

#include <portolan/portolan.hpp>

namespace {

constexpr std::uint32_t kDrop = 1, kPass = 2;  // XDP_*

#define CHECK(condition)                                                 \
  do {                                                                   \
    if (!(condition)) {                                                  \
      std::fprintf(stderr, "fuzz_pcap: %s does not hold\n", #condition); \
      std::abort();                                                      \
    }                                                                    \
  } while (false)

class Counter {
 public:
  Counter() : runtime_(portolan::Runtime::create_private().value()), object_(load()) {}
  // How many packets have been counted, whatever came of them.
  std::uint64_t counted() {
    auto verdicts = object_.map<portolan::PerCpuArray<std::uint64_t>>("verdicts").value();
    std::uint64_t all = 0;
    for (std::uint32_t i = 0; i < verdicts.info().max_entries; ++i) all += verdicts.sum(i).value();
    return all;
  }
  // Whether it was run at all: there are packets that are too short.
  bool run(std::span<const std::byte> packet) {
    std::vector<std::byte> out(packet.size());
    const auto result = object_.programs().front().test_run({.data = packet, .data_out = out});
    if (!result) {
      CHECK(result.error().code() == EINVAL && packet.size() < 14);
      return false;
    }
    CHECK(result->retval == kPass || result->retval == kDrop);
    CHECK(result->data_size == packet.size() && std::equal(out.begin(), out.end(), packet.begin()));
    return true;
  }

 private:
  portolan::Object load() {
    auto object = portolan::Object::load(runtime_, FLOW_COUNTER);
    if (!object) std::fprintf(stderr, "%s\n", object.error().message().c_str());
    return std::move(object.value());
  }
  portolan::Runtime runtime_;
  portolan::Object object_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static auto* counter = new Counter;
  static unsigned runs = 0;
  if (size == 0) return 0;
  std::FILE* const file = ::fmemopen(const_cast<std::uint8_t*>(data), size, "rb");
  CHECK(file != nullptr);
  char why[PCAP_ERRBUF_SIZE];
  pcap_t* const capture = pcap_fopen_offline(file, why);
  if (capture == nullptr) {
    std::fclose(file);
    return 0;
  }
  const std::uint64_t before = counter->counted();
  std::uint64_t packets = 0;
  pcap_pkthdr* header = nullptr;
  const u_char* bytes = nullptr;
  while (pcap_next_ex(capture, &header, &bytes) == 1)
    if (counter->run(std::as_bytes(std::span(bytes, header->caplen < 4000 ? header->caplen : 4000))))
      ++packets;
  pcap_close(capture);
  CHECK(counter->counted() == before + packets);
  if (++runs % 512 == 0) {  // flows pile up
    delete counter;
    counter = new Counter;
  }
  return 0;
}
