// SPDX-License-Identifier: Apache-2.0
// The programs of kernel_prog.bpf.c in the machine's own kernel (root only).
#pragma once
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <latch>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace portolan::bench {

struct KernelRun {  // as in kernel_prog.bpf.c
  std::uint64_t nanoseconds = 0, sum = 0, random = 0;
  std::uint32_t rounds = 0, range = 1, first_key = 0, threads = 1;
};

class KernelObject {
 public:
  static constexpr std::uint32_t kListed = 1u << 20;  // keys of `list`
  using Sizes = std::map<std::string, std::uint32_t>;

  // nullptr: not root, or no such object. Maps that have no size are as small as they can be.
  static std::unique_ptr<KernelObject> load(const char* path, const Sizes& sizes) {
    libbpf_set_print([](libbpf_print_level, const char*, va_list) { return 0; });
    bpf_object* opened = bpf_object__open_file(path, nullptr);
    if (opened == nullptr) return nullptr;
    std::unique_ptr<KernelObject> object(new KernelObject(opened));
    for (const auto& [name, size] : sizes)
      bpf_map__set_max_entries(bpf_object__find_map_by_name(opened, name.c_str()), size);
    return bpf_object__load(opened) == 0 ? std::move(object) : nullptr;
  }
  ~KernelObject() { bpf_object__close(object_); }
  KernelObject(const KernelObject&) = delete;
  KernelObject& operator=(const KernelObject&) = delete;

  int map(const char* name) const { return bpf_object__find_map_fd_by_name(object_, name); }

  // Runs `program` in so many threads at once; what each of them said, nothing when it cannot be had.
  std::vector<KernelRun> run(const char* program, const KernelRun& what, unsigned threads = 1) const {
    const int fd = bpf_program__fd(bpf_object__find_program_by_name(object_, program));
    std::vector<KernelRun> runs(threads, what);
    std::atomic<bool> failed = fd < 0;
    std::latch ready(threads);
    std::vector<std::jthread> running;
    for (std::uint32_t i = 0; i < threads; ++i)
      running.emplace_back([&, i] {
        __sk_buff packet{};
        packet.mark = i;
        std::byte bytes[64]{};
        LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = bytes, .data_size_in = sizeof bytes,
                    .ctx_in = &packet, .ctx_size_in = sizeof packet);
        cpu_set_t cpu;  // each has its own: a run cannot be preempted, and the others wait in it
        CPU_ZERO(&cpu);
        CPU_SET(i, &cpu);
        if (threads > 1) ::sched_setaffinity(0, sizeof cpu, &cpu);
        runs[i].random = 0x9e3779b97f4a7c15 + threads * made_ + i;  // never the same keys again
        runs[i].threads = threads;
        bpf_map_update_elem(map("runs"), &i, &runs[i], BPF_ANY);
        ready.arrive_and_wait();
        if (bpf_prog_test_run_opts(fd, &options) != 0 || options.retval != 0) failed = true;
        bpf_map_lookup_elem(map("runs"), &i, &runs[i]);
      });
    running.clear();
    ++made_;
    return failed ? std::vector<KernelRun>() : runs;
  }

  // What the programs of listed keys go through: kListed of them, each at most 24 bytes.
  template <class Key>
  void set_list(const std::vector<Key>& keys) const {
    constexpr std::size_t kStride = 24;
    static_assert(sizeof(Key) <= kStride);
    void* pages = ::mmap(nullptr, kListed * kStride, PROT_READ | PROT_WRITE, MAP_SHARED, map("list"), 0);
    if (pages == MAP_FAILED) return;
    for (std::size_t i = 0; i < kListed; ++i)
      std::memcpy(static_cast<std::byte*>(pages) + i * kStride, &keys[i % keys.size()], sizeof(Key));
    ::munmap(pages, kListed * kStride);
  }

  // All records of `ring` are taken.
  void empty_ring() const {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    void* consumer = ::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, map("ring"), 0);
    void* producer = ::mmap(nullptr, page, PROT_READ, MAP_SHARED, map("ring"), static_cast<off_t>(page));
    if (consumer != MAP_FAILED && producer != MAP_FAILED) std::memcpy(consumer, producer, 8);
    if (consumer != MAP_FAILED) ::munmap(consumer, page);
    if (producer != MAP_FAILED) ::munmap(producer, page);
  }

 private:
  explicit KernelObject(bpf_object* object) : object_(object) {}
  bpf_object* object_;
  mutable std::uint64_t made_ = 0;  // runs
};

}  // namespace portolan::bench
